//! All options together, defaults filled in: what a client is made of. What concerns several options is decided here. May
//! depend on `store`, `source` and `http`.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::config::{Config, ConfigError};
use crate::http::{HttpOptions, ProxyEnvironment};
use crate::source::{Duplicates, FileOptions, PollOptions, RetryMode, SourceOptions, StreamOptions};
use crate::store::{Backup, Freshness, Level, OnWipe, RedisOptions, Residency, StoreOptions, Upstream};

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
    /// The snapshot file, if one is kept.
    pub backup: Option<Backup>,
    /// Nothing is connected to, and every evaluation gives its default.
    pub offline: bool,
    /// Most notifications kept for the host.
    pub queue_capacity: usize,
    /// Least severe log level that is kept.
    pub log_level: Level,
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
        let source = if offline { None } else { self.source(&mut remarks)? };
        let store = self.store(source.as_ref(), offline, &mut remarks)?;
        let backup = self.backup(&store)?;
        Ok(Settings {
            sdk_key: self.text("sdk.key"),
            store,
            source,
            backup: backup.filter(|_| !offline),
            offline,
            queue_capacity: self.number("events.queue_capacity", 1_000),
            log_level: match self.get("log.level") {
                Some("debug") => Level::Debug,
                Some("warn") => Level::Warn,
                Some("error") => Level::Error,
                Some("none") => Level::None,
                _ => Level::Info,
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
        let from_afar = matches!(source, Some(SourceOptions::Stream(_) | SourceOptions::Poll(_)));
        let writes = self.flag("store.write").unwrap_or(from_afar);
        let redis = match source {
            _ if offline => None,
            None => Some(self.redis(DEFAULT_URL)),
            // Files and test data fill memory only, unless told otherwise: Redis is somebody else's then.
            Some(_) if !from_afar && !writes => None,
            Some(_) => self.text("redis.url").map(|url| self.redis(&url)),
        };
        let mut residency = match self.get("cache.residency") {
            Some("lazy") => Residency::Lazy,
            Some("off") => Residency::Off,
            _ => Residency::All,
        };
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
        let freshness = match self.get("cache.freshness") {
            Some("ttl") => Freshness::Ttl,
            Some("forever") => Freshness::Forever,
            _ => Freshness::Push,
        };
        if freshness == Freshness::Forever && source.is_none() && !offline {
            let remark = "cache.freshness=forever in daemon mode: changes in Redis will never be seen for held items";
            remarks.push((Level::Warn, remark.to_owned()));
        }
        Ok(StoreOptions {
            redis,
            upstream: source.map_or(Upstream::Redis, |_| Upstream::Source { writes, raises_versions: from_afar }),
            prefix: self.text("redis.prefix").unwrap_or_default(),
            residency,
            freshness,
            ttl: self.milliseconds("cache.ttl_ms", 30_000),
            capacity: NonZeroUsize::new(self.number("cache.capacity", 10_000)).unwrap_or(NonZeroUsize::MIN),
            on_wipe: match self.get("cache.on_wipe") {
                Some("clear") => OnWipe::Clear,
                Some("keep") => OnWipe::Keep,
                // Where a data source fills Redis and Redis is the truth, LaunchDarkly's SDKs take it as it is.
                _ if source.is_some() && residency != Residency::All => OnWipe::Clear,
                _ => OnWipe::Keep,
            },
            safety_interval: self.milliseconds("refresh.interval_ms", 60_000),
            ping: self.milliseconds("redis.ping_ms", 1_000),
        })
    }

    fn redis(&self, default_url: &str) -> RedisOptions {
        RedisOptions {
            url: self.text("redis.url").unwrap_or_else(|| default_url.to_owned()),
            username: self.text("redis.username"),
            password: self.text("redis.password"),
            database: self.get("redis.database").and_then(|value| value.parse().ok()),
            connect_timeout: self.milliseconds("redis.connect_timeout_ms", 2_000),
            command_timeout: self.milliseconds("redis.command_timeout_ms", 2_000),
            ca_file: self.text("redis.tls.ca_file").map(PathBuf::from),
            cert_file: self.text("redis.tls.cert_file").map(PathBuf::from),
            key_file: self.text("redis.tls.key_file").map(PathBuf::from),
        }
    }

    fn backup(&self, store: &StoreOptions) -> Result<Option<Backup>, ConfigError> {
        let Some(path) = self.text("snapshot.file") else { return Ok(None) };
        if store.residency != Residency::All {
            return Err(ConfigError::Together(
                "snapshot.file needs cache.residency=all: other residencies hold a part",
            ));
        }
        let sdk_key = self.text("sdk.key").unwrap_or_default();
        Ok(Some(Backup::new(PathBuf::from(path), &sdk_key, &store.prefix)))
    }

    fn source(&self, remarks: &mut Vec<(Level, String)>) -> Result<Option<SourceOptions>, ConfigError> {
        Ok(Some(match self.get("source.kind") {
            Some("stream") => SourceOptions::Stream(StreamOptions {
                base: self.endpoint("endpoints.stream", StreamOptions::DEFAULT_BASE, remarks),
                filter: self.text("source.filter"),
                initial_delay: self.milliseconds("stream.initial_delay_ms", 1_000),
                read_timeout: self.milliseconds("stream.read_timeout_ms", 300_000),
                retry: self.retry(),
                http: self.http(remarks)?,
            }),
            Some("poll") => SourceOptions::Poll(PollOptions {
                base: self.endpoint("endpoints.poll", PollOptions::DEFAULT_BASE, remarks),
                filter: self.text("source.filter"),
                interval: self.poll_interval(remarks),
                retry: self.retry(),
                http: self.http(remarks)?,
            }),
            Some("file") => SourceOptions::File(self.file()?),
            Some("testdata") => SourceOptions::TestData(
                self.test_data().ok_or(ConfigError::Together("source.kind=testdata needs test data to be set"))?,
            ),
            _ => return Ok(None),
        }))
    }

    fn http(&self, remarks: &mut Vec<(Level, String)>) -> Result<HttpOptions, ConfigError> {
        let sdk_key = self
            .text("sdk.key")
            .ok_or(ConfigError::Together("source.kind stream and poll need sdk.key, which is not set"))?;
        Ok(HttpOptions {
            tags: self.tags(remarks),
            wrapper: self.text("wrapper.name").map(|name| match self.text("wrapper.version") {
                Some(version) => format!("{name}/{version}"),
                None => name,
            }),
            headers: self.map("http.headers").into_iter().collect(),
            proxy: self.text("http.proxy"),
            environment: ProxyEnvironment::read(),
            ca_file: self.text("http.tls.ca_file").map(PathBuf::from),
            skip_verify: self.flag("http.tls.skip_verify") == Some(true),
            connect_timeout: self.milliseconds("http.connect_timeout_ms", 10_000),
            read_timeout: self.milliseconds("http.read_timeout_ms", 15_000),
            ..HttpOptions::new(&sdk_key, &super::instance::new_id())
        })
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
    fn endpoint(&self, name: &'static str, default: &str, remarks: &mut Vec<(Level, String)>) -> String {
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

    fn retry(&self) -> RetryMode {
        if self.get("retry.mode") == Some("extended") { RetryMode::Extended } else { RetryMode::Legacy }
    }

    fn poll_interval(&self, remarks: &mut Vec<(Level, String)>) -> Duration {
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
mod tests {
    use super::*;

    fn config(options: &[(&str, &str)]) -> Config {
        let mut config = Config::default();
        options.iter().for_each(|(name, value)| config.set(name, value).unwrap());
        config
    }

    fn settings(options: &[(&str, &str)]) -> Settings {
        config(options).resolve().unwrap()
    }

    fn stream(options: &[(&str, &str)]) -> StreamOptions {
        let all: Vec<_> = [("source.kind", "stream"), ("sdk.key", "k")].iter().chain(options).copied().collect();
        match settings(&all).source {
            Some(SourceOptions::Stream(stream)) => stream,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_a_source_redis_is_read_and_never_written() {
        let settings = settings(&[("store.write", "true")]);
        assert!(settings.source.is_none() && settings.store.redis.is_some());
        assert!(!settings.store.writes() && !settings.store.has_source());
    }

    #[test]
    fn a_stream_writes_to_redis_if_one_is_named_and_fills_memory_alone_otherwise() {
        let named = settings(&[("source.kind", "stream"), ("sdk.key", "k"), ("redis.url", "redis://h")]);
        assert!(named.store.writes());
        let alone = settings(&[("source.kind", "stream"), ("sdk.key", "k")]);
        assert!(alone.store.redis.is_none() && !alone.store.writes());
    }

    #[test]
    fn files_fill_memory_only_unless_told_otherwise() {
        let options = [("source.kind", "file"), ("file.paths", r#"["a.json"]"#), ("redis.url", "redis://h")];
        assert!(settings(&options).store.redis.is_none());
        let told: Vec<_> = options.iter().copied().chain([("store.write", "true")]).collect();
        assert!(settings(&told).store.writes());
    }

    #[test]
    fn a_source_that_lacks_what_it_needs_is_refused() {
        for options in [
            &[("source.kind", "stream")][..],
            &[("source.kind", "poll"), ("sdk.key", "")],
            &[("source.kind", "file")],
            &[("source.kind", "testdata")],
            &[
                ("source.kind", "stream"),
                ("sdk.key", "k"),
                ("redis.url", "redis://h"),
                ("store.write", "false"),
                ("cache.residency", "lazy"),
            ],
            &[("snapshot.file", "f"), ("cache.residency", "lazy")],
        ] {
            assert!(matches!(config(options).resolve(), Err(ConfigError::Together(_))), "{options:?}");
        }
    }

    #[test]
    fn a_wiped_redis_counts_as_it_is_only_where_a_source_fills_it_and_it_is_the_truth() {
        let on_wipe = |options: &[(&str, &str)]| settings(options).store.on_wipe;
        let source = [("source.kind", "stream"), ("sdk.key", "k"), ("redis.url", "redis://h")];
        let lazy = [&source[..], &[("cache.residency", "lazy")]].concat();
        assert_eq!(on_wipe(&[("cache.residency", "lazy")]), OnWipe::Keep);
        assert_eq!(on_wipe(&source), OnWipe::Keep);
        assert_eq!(on_wipe(&lazy), OnWipe::Clear);
        assert_eq!(on_wipe(&[&lazy[..], &[("cache.on_wipe", "keep")]].concat()), OnWipe::Keep);
    }

    #[test]
    fn offline_wins_over_every_source() {
        let settings = settings(&[("source.kind", "stream"), ("offline", "true"), ("redis.url", "redis://h")]);
        assert!(settings.offline && settings.source.is_none() && settings.store.redis.is_none());
    }

    #[test]
    fn a_relay_proxy_is_the_endpoint_of_everything_that_has_none_of_its_own() {
        assert_eq!(stream(&[]).base, "https://stream.launchdarkly.com");
        assert_eq!(stream(&[("endpoints.relay", "http://relay:8030/x/")]).base, "http://relay:8030/x/");
        let both = [("endpoints.relay", "http://relay"), ("endpoints.stream", "http://own")];
        assert_eq!(stream(&both).base, "http://own");
        let missing = [("source.kind", "stream"), ("sdk.key", "k"), ("endpoints.poll", "http://p")];
        assert!(settings(&missing).remarks.iter().any(|(level, _)| *level == Level::Error));
    }

    #[test]
    fn short_poll_intervals_are_raised_unless_insisted_on() {
        let interval = |options: &[(&str, &str)]| {
            let all: Vec<_> = [("source.kind", "poll"), ("sdk.key", "k")].iter().chain(options).copied().collect();
            let settings = settings(&all);
            match settings.source {
                Some(SourceOptions::Poll(poll)) => (poll.interval.as_millis(), settings.remarks.len()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(interval(&[]), (30_000, 0));
        assert_eq!(interval(&[("poll.interval_ms", "100")]), (30_000, 1));
        assert_eq!(interval(&[("poll.interval_ms", "100"), ("poll.allow_short", "true")]), (100, 0));
        assert_eq!(interval(&[("poll.interval_ms", "60000")]), (60_000, 0));
    }

    #[test]
    fn tags_are_sorted_and_bad_ones_left_out() {
        let tags = |options: &[(&str, &str)]| stream(options).http.tags;
        assert_eq!(tags(&[]), None);
        assert_eq!(
            tags(&[("application.version", "1.2"), ("application.id", "shop")]).unwrap(),
            "application-id/shop application-version/1.2"
        );
        assert_eq!(
            tags(&[("application.id", "a b"), ("application.version_name", "x")]).unwrap(),
            "application-version-name/x"
        );
        assert_eq!(tags(&[("application.id", &"x".repeat(65))]), None);
        assert!(tags(&[("application.id", &"x".repeat(64))]).is_some());
    }

    #[test]
    fn a_wrapper_needs_a_name() {
        let wrapper = |options: &[(&str, &str)]| stream(options).http.wrapper;
        assert_eq!(wrapper(&[("wrapper.version", "1")]), None);
        assert_eq!(wrapper(&[("wrapper.name", "w")]).unwrap(), "w");
        assert_eq!(wrapper(&[("wrapper.name", "w"), ("wrapper.version", "1")]).unwrap(), "w/1");
    }

    #[test]
    fn lists_and_maps_come_as_json_text_or_as_json() {
        let mut config = config(&[("source.kind", "file"), ("file.paths", r#"["a","b"]"#)]);
        assert_eq!(config.file().unwrap().paths.len(), 2);
        config.load_json(r#"{"file": {"paths": ["c"]}, "http.headers": {"X-A": "1"}}"#).unwrap();
        assert_eq!(config.file().unwrap().paths, [PathBuf::from("c")]);
        assert_eq!(config.map("http.headers").len(), 1);
        for (name, value) in [("file.paths", "a"), ("file.paths", "[1]"), ("http.headers", r#"{"a":1}"#)] {
            assert!(config.set(name, value).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn an_unusable_address_is_refused_and_not_repeated() {
        for name in ["endpoints.stream", "http.proxy"] {
            for value in ["ftp://user:hunter2@h", "http://", "http://:80", "http://user:hunter2@h h"] {
                let error = Config::default().set(name, value).unwrap_err();
                assert!(!error.to_string().contains("hunter2"), "{error}");
            }
        }
    }

    #[test]
    fn nothing_that_is_printed_holds_a_credential() {
        let options = [("source.kind", "stream"), ("sdk.key", "hunter2"), ("http.proxy", "http://u:hunter2@h")];
        let config = config(&options);
        let printed = format!("{config:?} {:?}", config.resolve());
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}
