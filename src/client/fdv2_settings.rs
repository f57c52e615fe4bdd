//! Options of FDv2, defaults filled in. May depend on `http`, `source` and `store`.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Settings;
    use crate::source::{RetryMode, SourceOptions};

    fn settings(options: &[(&str, &str)]) -> Settings {
        let mut config = Config::default();
        for (name, value) in [("source.kind", "fdv2"), ("sdk.key", "k")].iter().chain(options) {
            config.set(name, value).unwrap();
        }
        config.resolve().unwrap()
    }

    fn fdv2(options: &[(&str, &str)]) -> Fdv2Options {
        match settings(options).source {
            Some(SourceOptions::Fdv2(options)) => *options,
            other => panic!("{other:?}"),
        }
    }

    /// Kind and base address of each synchronizer.
    fn synchronizers(options: &Fdv2Options) -> Vec<(&str, &str)> {
        options
            .synchronizers
            .iter()
            .map(|of| match of {
                Synchronizer::Stream(stream) => ("stream", stream.base.as_str()),
                Synchronizer::Poll(poll) => ("poll", poll.base.as_str()),
            })
            .collect()
    }

    #[test]
    fn unset_options_have_their_defaults() {
        let options = fdv2(&[]);
        assert_eq!(
            synchronizers(&options),
            [("stream", "https://stream.launchdarkly.com"), ("poll", "https://sdk.launchdarkly.com")]
        );
        let polls = [options.initializers.first(), options.fallback.as_ref()];
        assert!(polls.iter().all(|poll| poll.is_some_and(|poll| poll.base == "https://sdk.launchdarkly.com")));
        assert_eq!(options.initializers.len(), 1);
        let times = [options.fallback_after, options.recover_after, options.first_data];
        assert_eq!(times, [120, 300, 10].map(Duration::from_secs));
        assert_eq!(options.retry, RetryMode::Extended);
    }

    #[test]
    fn each_source_may_be_elsewhere() {
        let options = fdv2(&[
            ("endpoints.relay", "http://relay"),
            ("fdv2.initializers", r#"["poll http://one/x", "poll"]"#),
            ("fdv2.synchronizers", r#"["poll", "stream http://two", "stream"]"#),
            ("fdv2.fallback", "poll http://three"),
            ("fdv2.fallback_after_ms", "1001"),
            ("fdv2.recover_after_ms", "1002"),
            ("fdv2.first_data_ms", "1003"),
            ("poll.interval_ms", "60000"),
            ("stream.initial_delay_ms", "1004"),
            ("retry.mode", "legacy"),
        ]);
        let initializers: Vec<&str> = options.initializers.iter().map(|poll| poll.base.as_str()).collect();
        assert_eq!(initializers, ["http://one/x", "http://relay"]);
        assert_eq!(
            synchronizers(&options),
            [("poll", "http://relay"), ("stream", "http://two"), ("stream", "http://relay")]
        );
        assert_eq!(options.fallback.as_ref().map(|poll| poll.base.as_str()), Some("http://three"));
        let times = [options.fallback_after, options.recover_after, options.first_data];
        assert_eq!(times, [1_001, 1_002, 1_003].map(Duration::from_millis));
        assert_eq!((options.initializers[0].interval, options.retry), (Duration::from_secs(60), RetryMode::Legacy));
        let Synchronizer::Stream(stream) = &options.synchronizers[1] else { panic!("{options:?}") };
        assert_eq!(stream.initial_delay, Duration::from_millis(1_004));
    }

    #[test]
    fn lists_may_be_empty_and_the_former_protocol_left_out_but_there_must_be_a_source() {
        let options = fdv2(&[("fdv2.initializers", "[]"), ("fdv2.fallback", "none")]);
        assert!(options.initializers.is_empty() && options.fallback.is_none());
        assert_eq!(fdv2(&[("fdv2.initializers", ""), ("fdv2.fallback", "")]).initializers.len(), 1);
        assert!(fdv2(&[("fdv2.synchronizers", "[]")]).synchronizers.is_empty());
        let mut config = Config::default();
        for (name, value) in
            [("source.kind", "fdv2"), ("sdk.key", "k"), ("fdv2.synchronizers", "[]"), ("fdv2.initializers", "[]")]
        {
            config.set(name, value).unwrap();
        }
        let error = config.resolve().unwrap_err().to_string();
        assert!(error.contains("fdv2.initializers and fdv2.synchronizers are both empty"), "{error}");
    }

    #[test]
    fn a_source_that_is_none_is_refused_with_what_could_be_meant() {
        for (name, value, reason) in [
            ("fdv2.initializers", r#"["stream"]"#, "a source is one of: poll; then"),
            ("fdv2.synchronizers", r#"["Stream"]"#, "a source is one of: stream, poll; then"),
            ("fdv2.synchronizers", r#"["http://user:geheim@h"]"#, "a source is one of: stream, poll; then"),
            ("fdv2.synchronizers", r#"["stream ftp://user:geheim@h"]"#, ""),
            ("fdv2.synchronizers", r#"["stream "]"#, ""),
            ("fdv2.synchronizers", r#"["stream  http://h"]"#, ""),
            ("fdv2.synchronizers", "stream", "not a JSON array of strings"),
            ("fdv2.synchronizers", r#"[{"stream":{}}]"#, "not a JSON array of strings"),
            (
                "fdv2.fallback",
                "stream",
                "a source is one of: poll; then, if it is elsewhere, a space and its URL; or none",
            ),
            ("fdv2.fallback", "poll geheim", ""),
            ("fdv2.first_data_ms", "0", "is not an integer"),
        ] {
            let error = Config::default().set(name, value).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("option {name}: ")) && error.contains(reason),
                "{name}={value}: {error}"
            );
            assert!(!error.contains("geheim"), "{error}");
        }
    }

    #[test]
    fn a_list_may_be_a_json_array() {
        let mut config = Config::default();
        let json =
            r#"{"source.kind":"fdv2","sdk.key":"k","fdv2":{"synchronizers":["poll http://h"],"fallback":"none"}}"#;
        config.load_json(json).unwrap();
        let Some(SourceOptions::Fdv2(options)) = config.resolve().unwrap().source else { panic!() };
        assert_eq!(synchronizers(&options), [("poll", "http://h")]);
    }

    #[test]
    fn a_payload_filter_does_nothing_and_that_is_said() {
        let settings = settings(&[("source.filter", "mine")]);
        let remark =
            |(level, text): &(Level, String)| *level == Level::Warn && text.starts_with("source.filter does nothing");
        assert!(settings.remarks.iter().any(remark), "{:?}", settings.remarks);
        let Some(SourceOptions::Fdv2(options)) = settings.source else { panic!() };
        assert!(options.initializers[0].filter.is_none() && options.fallback.is_some_and(|poll| poll.filter.is_none()));
    }

    #[test]
    fn it_writes_to_redis_as_the_other_sources_from_afar_do() {
        let polls = |options: &[(&str, &str)]| settings(options).store.source_polls();
        let named = settings(&[("redis.url", "redis://h")]);
        assert!(named.store.writes() && named.store.versions_tell() && !named.store.source_polls());
        assert!(settings(&[]).store.redis.is_none());
        assert!(polls(&[("fdv2.synchronizers", r#"["poll"]"#)]) && !polls(&[]));
    }
}
