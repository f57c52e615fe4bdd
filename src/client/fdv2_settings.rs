//! Options of FDv2, defaults filled in. May depend on `http` and `source`.

use std::time::Duration;

use super::config::{Config, ConfigError, split_source};
use crate::http::HttpOptions;
use crate::source::{Fdv2Options, PollOptions, StreamOptions, Synchronizer};
use crate::store::Level;

impl Config {
    /// The sources of FDv2: a poll for the first data, then a stream, and polls while that does not work, unless told
    /// otherwise.
    pub(super) fn fdv2(
        &self,
        http: &HttpOptions,
        remarks: &mut Vec<(Level, String)>,
    ) -> Result<Fdv2Options, ConfigError> {
        if self.text("source.filter").is_some() {
            let remark = "source.filter does nothing with source.kind=fdv2: all flags are requested";
            remarks.push((Level::Warn, remark.to_owned()));
        }
        let initializers = self.sources("fdv2.initializers", &["poll"]);
        let synchronizers = self.sources("fdv2.synchronizers", &["stream", "poll"]);
        if initializers.is_empty() && synchronizers.is_empty() {
            return Err(ConfigError::Together(
                "source.kind=fdv2 needs a source: fdv2.initializers and fdv2.synchronizers are both empty",
            ));
        }
        let fallback = self.text("fdv2.fallback").unwrap_or_else(|| "poll".to_owned());
        let interval = self.poll_interval(remarks);
        let mut bases = Bases { config: self, http, remarks, interval, stream: None, poll: None };
        Ok(Fdv2Options {
            http: http.clone(),
            initializers: initializers.iter().map(|source| bases.poll(source)).collect(),
            synchronizers: synchronizers.iter().map(|source| bases.synchronizer(source)).collect(),
            fallback: (fallback != "none").then(|| bases.poll(&fallback)),
            fallback_after: self.milliseconds("fdv2.fallback_after_ms", 120_000),
            recover_after: self.milliseconds("fdv2.recover_after_ms", 300_000),
            first_data: self.milliseconds("fdv2.first_data_ms", 10_000),
            retry: self.retry(),
        })
    }

    /// A list that may be empty on purpose.
    fn sources(&self, name: &str, default: &[&str]) -> Vec<String> {
        match self.text(name) {
            Some(_) => self.list(name),
            None => default.iter().map(|&source| source.to_owned()).collect(),
        }
    }
}

/// Where sources are that name no address of their own, found out once: it may be worth a remark.
struct Bases<'a> {
    config: &'a Config,
    http: &'a HttpOptions,
    remarks: &'a mut Vec<(Level, String)>,
    interval: Duration,
    stream: Option<String>,
    poll: Option<String>,
}

impl Bases<'_> {
    fn synchronizer(&mut self, source: &str) -> Synchronizer {
        let ("stream", base) = split_source(source) else { return Synchronizer::Poll(self.poll(source)) };
        let find = || self.config.endpoint("endpoints.stream", StreamOptions::DEFAULT_BASE, self.remarks);
        let base = base.map_or_else(|| self.stream.get_or_insert_with(find).clone(), str::to_owned);
        Synchronizer::Stream(StreamOptions { filter: None, ..self.config.stream(base, self.http) })
    }

    fn poll(&mut self, source: &str) -> PollOptions {
        let find = || self.config.endpoint("endpoints.poll", PollOptions::DEFAULT_BASE, self.remarks);
        let base = split_source(source).1;
        let base = base.map_or_else(|| self.poll.get_or_insert_with(find).clone(), str::to_owned);
        PollOptions { filter: None, ..self.config.poll(base, self.interval, self.http) }
    }
}
