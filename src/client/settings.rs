//! All options together, defaults filled in: what a client is made of. What concerns several options is decided here. May
//! depend on `store`, `source`, `events`, `http`, `aws` and `model`.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::Rounding;
use super::config::{Config, ConfigError};
use super::members::MembersSettings;
use crate::events::EventsOptions;
use crate::http::{HttpOptions, ProxyEnvironment};
use crate::source::{Duplicates, FileOptions, PollOptions, RetryMode, SourceOptions, StreamOptions};
use crate::store::{Backup, Freshness, Level, OnWipe, ReadFrom, RedisOptions, Residency, StoreOptions, Upstream};

/// Where Redis is looked for in daemon mode when nothing is configured.
pub(super) const DEFAULT_URL: &str = "redis://localhost:6379";
/// Polling more often than this is left to those who insist on it.
const SHORTEST_POLL: Duration = Duration::from_secs(30);
/// Longest value of an application tag.
const TAG_LENGTH: usize = 64;

/// What a client is made of.
#[derive(Clone)]
pub struct Settings {
    /// The environment's SDK key.
    pub sdk_key: Option<String>,
    /// Options of the store.
    pub store: StoreOptions,
    /// Where items come from; `None` in daemon mode.
    pub source: Option<SourceOptions>,
    /// How events are made and delivered; `None` when there are none.
    pub events: Option<EventsOptions>,
    /// Evaluations are counted for metrics, events or not.
    pub counts: bool,
    /// The snapshot file, if one is kept.
    pub backup: Option<Backup>,
    /// Who knows the members of big segments; `None` when nobody does.
    pub members: Option<MembersSettings>,
    /// Who logs in at Redis with tokens of AWS; `None` when nobody does.
    pub aws: Option<crate::aws::AwsOptions>,
    /// Nothing is connected to, and every evaluation gives its default.
    pub offline: bool,
    /// Most notifications kept for the host.
    pub queue_capacity: usize,
    /// Least severe log level that is kept.
    pub log_level: Level,
    /// How a number with a fraction becomes an integer.
    pub rounding: Rounding,
    /// What the host should know about its options.
    pub remarks: Vec<(Level, String)>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Options may be credentials.
        formatter.debug_struct("Settings").field("offline", &self.offline).finish_non_exhaustive()
    }
}

impl Config {
    /// All options together, defaults filled in.
    pub fn resolve(&self) -> Result<Settings, ConfigError> {
        let mut remarks = Vec::new();
        let offline = self.flag("offline") == Some(true);
        let http = if offline { None } else { self.http(&mut remarks)? };
        let source = if offline { None } else { self.source(http.as_ref(), &mut remarks)? };
        let events = self.events(http.as_ref(), source.as_ref(), &mut remarks)?;
        let store = self.store(source.as_ref(), offline, &mut remarks)?;
        let backup = self.backup(&store)?;
        let members = if offline { None } else { self.members(&store, &mut remarks)? };
        Ok(Settings {
            aws: self.aws(&store, members.as_ref())?,
            sdk_key: self.sdk_key()?,
            store,
            source,
            events,
            counts: self.flag("metrics.evaluations") == Some(true),
            backup: backup.filter(|_| !offline),
            members,
            offline,
            queue_capacity: self.number("notifications.capacity", 1_000),
            log_level: match self.get("log.level") {
                Some("debug") => Level::Debug,
                Some("warn") => Level::Warn,
                Some("error") => Level::Error,
                Some("none") => Level::None,
                _ => Level::Info,
            },
            rounding: match self.get("evaluation.integer_rounding") {
                Some("truncate") => Rounding::Truncate,
                _ => Rounding::HalfEven,
            },
            remarks,
        })
    }

    fn store(
        &self,
        source: Option<&SourceOptions>,
        offline: bool,
        remarks: &mut Vec<(Level, String)>,
    ) -> Result<StoreOptions, ConfigError> {
        let from_afar = source.is_some_and(SourceOptions::is_from_afar);
        let writes = self.flag("store.write").unwrap_or(from_afar);
        let redis = match source {
            _ if offline => None,
            None => Some(self.redis(DEFAULT_URL, remarks)?),
            // Files and test data fill memory only, unless told otherwise: Redis is somebody else's then.
            Some(_) if !from_afar && !writes => None,
            Some(_) => self.redis_of_source(remarks)?,
        };
        if source.is_none() && !offline && self.get("sdk.key").is_some() && self.get("redis.url").is_none() {
            let remark = "sdk.key is set, but neither source.kind nor redis.url: this is daemon mode, which reads Redis on localhost";
            remarks.push((Level::Warn, remark.to_owned()));
        }
        let mut residency = self.residency();
        if residency != Residency::All && redis.is_none() {
            if !offline {
                let remark = "cache.residency is all without Redis: there is nowhere to read from";
                remarks.push((Level::Warn, remark.to_owned()));
            }
            residency = Residency::All;
        }
        if residency != Residency::All && source.is_some() && !writes {
            return Err(ConfigError::Together(
                "cache.residency lazy and off with a source need store.write=true: Redis is what they read",
            ));
        }
        let freshness = self.freshness();
        if freshness == Freshness::Forever && source.is_none() && !offline {
            let remark = "cache.freshness=forever in daemon mode: changes in Redis will never be seen for held items";
            remarks.push((Level::Warn, remark.to_owned()));
        }
        Ok(StoreOptions {
            redis,
            upstream: source.map_or(Upstream::Redis, |source| Upstream::Source {
                writes,
                raises_versions: from_afar,
                polls: source.only_polls(),
            }),
            prefix: self.text("redis.prefix").unwrap_or_default(),
            residency,
            freshness,
            ttl: self.milliseconds("cache.ttl_ms", 30_000),
            capacity: NonZeroUsize::new(self.number("cache.capacity", 10_000)).unwrap_or(NonZeroUsize::MIN),
            on_wipe: self.on_wipe(source.is_some() && residency != Residency::All),
            safety_interval: self.milliseconds("refresh.interval_ms", 60_000),
            ping: self.milliseconds("redis.ping_ms", 1_000),
            assumes_notifications: self.get("redis.keyspace_notifications") == Some("assume"),
        })
    }

    fn residency(&self) -> Residency {
        match self.get("cache.residency") {
            Some("lazy") => Residency::Lazy,
            Some("off") => Residency::Off,
            _ => Residency::All,
        }
    }

    fn freshness(&self) -> Freshness {
        match self.get("cache.freshness") {
            Some("ttl") => Freshness::Ttl,
            Some("forever") => Freshness::Forever,
            _ => Freshness::Push,
        }
    }

    fn on_wipe(&self, redis_is_truth: bool) -> OnWipe {
        match self.get("cache.on_wipe") {
            Some("clear") => OnWipe::Clear,
            Some("keep") => OnWipe::Keep,
            // Where a data source fills Redis and Redis is the truth, LaunchDarkly's SDKs take it as it is.
            _ if redis_is_truth => OnWipe::Clear,
            _ => OnWipe::Keep,
        }
    }

    /// The Redis that a data source fills, if there is one.
    fn redis_of_source(&self, remarks: &mut Vec<(Level, String)>) -> Result<Option<RedisOptions>, ConfigError> {
        let Some(url) = self.text("redis.url") else { return Ok(None) };
        let mut redis = self.redis(&url, remarks)?;
        // Who writes has to see what was written: memory is compared with it, and losses are judged by it.
        if redis.read != ReadFrom::Primary {
            let remark = "read in redis.url is for daemon mode: with a source, Redis is read where it is written";
            remarks.push((Level::Info, remark.to_owned()));
            redis.read = ReadFrom::Primary;
        }
        Ok(Some(redis))
    }

    /// What the URL says, and what options say, which win.
    pub(super) fn redis(
        &self,
        default_url: &str,
        remarks: &mut Vec<(Level, String)>,
    ) -> Result<RedisOptions, ConfigError> {
        let url = self.text("redis.url").unwrap_or_else(|| default_url.to_owned());
        let mut redis = RedisOptions::at(&url)
            .map_err(|error| ConfigError::Invalid { option: "redis.url", reason: error.to_string() })?;
        redis.username = self.text("redis.username").or(redis.username);
        redis.password = self.text("redis.password").or(redis.password);
        self.login(&mut redis, remarks)?;
        redis.database = self.number("redis.database", redis.database);
        redis.connect_timeout = self.time("redis.connect_timeout_ms").unwrap_or(redis.connect_timeout);
        redis.command_timeout = self.time("redis.command_timeout_ms").unwrap_or(redis.command_timeout);
        let tls = &mut redis.tls;
        for (option, place) in [
            ("redis.tls.ca_file", &mut tls.ca_file),
            ("redis.tls.cert_file", &mut tls.cert_file),
            ("redis.tls.key_file", &mut tls.key_file),
        ] {
            *place = self.text(option).map(PathBuf::from).or(place.take());
        }
        tls.server_name = self.text("redis.tls.server_name");
        tls.skip_verify = self.flag("redis.tls.skip_verify").unwrap_or(tls.skip_verify);
        if tls.skip_verify {
            let remark = "redis.tls.skip_verify is on: whoever answers in the place of Redis is believed";
            remarks.push((Level::Warn, remark.to_owned()));
        }
        Ok(redis)
    }

    fn backup(&self, store: &StoreOptions) -> Result<Option<Backup>, ConfigError> {
        let Some(path) = self.text("snapshot.file") else { return Ok(None) };
        if store.residency != Residency::All {
            return Err(ConfigError::Together(
                "snapshot.file needs cache.residency=all: other residencies hold a part",
            ));
        }
        let sdk_key = self.sdk_key()?.unwrap_or_default();
        Ok(Some(Backup::new(PathBuf::from(path), &sdk_key, &store.prefix)))
    }

    fn source(
        &self,
        http: Option<&HttpOptions>,
        remarks: &mut Vec<(Level, String)>,
    ) -> Result<Option<SourceOptions>, ConfigError> {
        let http =
            http.ok_or(ConfigError::Together("source.kind stream, poll and fdv2 need sdk.key, which is not set"));
        Ok(Some(match self.get("source.kind") {
            Some("stream") => SourceOptions::Stream(
                self.stream(self.endpoint("endpoints.stream", StreamOptions::DEFAULT_BASE, remarks), http?),
            ),
            Some("poll") => {
                let (base, interval) =
                    (self.endpoint("endpoints.poll", PollOptions::DEFAULT_BASE, remarks), self.poll_interval(remarks));
                SourceOptions::Poll(self.poll(base, interval, http?))
            }
            Some("fdv2") => SourceOptions::Fdv2(Box::new(self.fdv2(http?, remarks)?)),
            Some("file") => SourceOptions::File(self.file()?),
            Some("testdata") => SourceOptions::TestData(
                self.test_data().ok_or(ConfigError::Together("source.kind=testdata needs test data to be set"))?,
            ),
            _ => return Ok(None),
        }))
    }

    pub(super) fn stream(&self, base: String, http: &HttpOptions) -> StreamOptions {
        StreamOptions {
            base,
            filter: self.text("source.filter"),
            initial_delay: self.milliseconds("stream.initial_delay_ms", 1_000),
            read_timeout: self.milliseconds("stream.read_timeout_ms", 300_000),
            retry: self.retry(),
            http: http.clone(),
        }
    }

    pub(super) fn poll(&self, base: String, interval: Duration, http: &HttpOptions) -> PollOptions {
        PollOptions { base, filter: self.text("source.filter"), interval, retry: self.retry(), http: http.clone() }
    }

    /// How all requests of the client are made; `None` without an SDK key, without which nobody is spoken to.
    fn http(&self, remarks: &mut Vec<(Level, String)>) -> Result<Option<HttpOptions>, ConfigError> {
        let Some(sdk_key) = self.sdk_key()? else { return Ok(None) };
        let skip_verify = self.flag("http.tls.skip_verify") == Some(true);
        if skip_verify {
            let remark = "http.tls.skip_verify is on: whoever answers in the place of LaunchDarkly is believed, and gets the SDK key";
            remarks.push((Level::Warn, remark.to_owned()));
        }
        Ok(Some(HttpOptions {
            tags: self.tags(remarks),
            wrapper: self.text("wrapper.name").map(|name| match self.text("wrapper.version") {
                Some(version) => format!("{name}/{version}"),
                None => name,
            }),
            headers: self.map("http.headers").into_iter().collect(),
            proxy: self.text("http.proxy").map(|proxy| proxy.trim().to_owned()).filter(|proxy| !proxy.is_empty()),
            environment: ProxyEnvironment::read(),
            ca_file: self.text("http.tls.ca_file").map(PathBuf::from),
            skip_verify,
            connect_timeout: self.milliseconds("http.connect_timeout_ms", 10_000),
            read_timeout: self.milliseconds("http.read_timeout_ms", 15_000),
            ..HttpOptions::new(&sdk_key, &crate::model::new_id())
        }))
    }

    /// The SDK key without the space around it, such as the line end of a mounted secret.
    fn sdk_key(&self) -> Result<Option<String>, ConfigError> {
        let key = self.text("sdk.key").map(|key| key.trim().to_owned()).filter(|key| !key.is_empty());
        match &key {
            Some(key) if key.chars().any(char::is_control) => {
                Err(ConfigError::Invalid { option: "sdk.key", reason: "it has control characters".to_owned() })
            }
            _ => Ok(key),
        }
    }

    /// The value of the tags header: `application-id/shop application-version/7`, sorted by name.
    fn tags(&self, remarks: &mut Vec<(Level, String)>) -> Option<String> {
        let names = ["application.id", "application.name", "application.version", "application.version_name"];
        let mut tags = Vec::new();
        for name in names {
            let Some(value) = self.text(name) else { continue };
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            if value.len() > TAG_LENGTH {
                remarks.push((Level::Warn, format!("{name} is longer than {TAG_LENGTH} characters and is not sent")));
            } else if !value.bytes().all(allowed) {
                let remark =
                    format!("{name} has characters other than letters, digits, '-', '.' and '_' and is not sent");
                remarks.push((Level::Warn, remark));
            } else {
                tags.push(format!("{}/{value}", name.replace(['.', '_'], "-")));
            }
        }
        (!tags.is_empty()).then(|| tags.join(" "))
    }

    /// A base URL: its own option, else that of a Relay Proxy, else LaunchDarkly's.
    pub(super) fn endpoint(&self, name: &'static str, default: &str, remarks: &mut Vec<(Level, String)>) -> String {
        if let Some(url) = self.text(name).or_else(|| self.text("endpoints.relay")) {
            return url;
        }
        let others = ["endpoints.stream", "endpoints.poll", "endpoints.events"];
        if others.iter().any(|other| self.text(other).is_some()) {
            let remark = format!("{name} is not set while other endpoints are; LaunchDarkly's public one is used");
            remarks.push((Level::Error, remark));
        }
        default.to_owned()
    }

    pub(super) fn retry(&self) -> RetryMode {
        if self.get("retry.mode") == Some("legacy") { RetryMode::Legacy } else { RetryMode::Extended }
    }

    pub(super) fn poll_interval(&self, remarks: &mut Vec<(Level, String)>) -> Duration {
        let interval = self.milliseconds("poll.interval_ms", 30_000);
        if interval >= SHORTEST_POLL || self.flag("poll.allow_short") == Some(true) {
            return interval;
        }
        let remark = format!("poll.interval_ms is raised to {} ms", SHORTEST_POLL.as_millis());
        remarks.push((Level::Warn, remark));
        SHORTEST_POLL
    }

    fn file(&self) -> Result<FileOptions, ConfigError> {
        let paths: Vec<PathBuf> = self.list("file.paths").into_iter().map(PathBuf::from).collect();
        if paths.is_empty() {
            return Err(ConfigError::Together("source.kind=file needs file.paths"));
        }
        let duplicates =
            if self.get("file.duplicates") == Some("first") { Duplicates::First } else { Duplicates::Fail };
        Ok(FileOptions { paths, duplicates, auto_reload: self.flag("file.auto_reload") == Some(true) })
    }
}

#[cfg(test)]
mod tests;
