//! Configuration: options by name, so that a new option never changes the ABI.
//!
//! A value is checked when it is set, as far as it can be alone; what concerns several options is checked when a client is
//! made (`settings`). Messages name the option and never repeat a URL or a password. May depend on `store`, `source`,
//! `http` and `big_segments`.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::big_segments::BigSegmentStore;
use crate::http::{check_base, check_proxy};
use crate::source::TestData;
use crate::store::check_url;

/// Why an option was refused. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No option has this name.
    #[error("unknown option {0:?}")]
    Unknown(String),
    /// The option has another name by now.
    #[error("option {old} is named {new}")]
    Renamed {
        /// The name that was given.
        old: &'static str,
        /// The name to give, and what else there is to say about it.
        new: &'static str,
    },
    /// The value does not fit the option.
    #[error("option {option}: {reason}")]
    Invalid {
        /// Name of the option.
        option: &'static str,
        /// What is wrong with the value.
        reason: String,
    },
    /// Options that do not fit together.
    #[error("{0}")]
    Together(&'static str),
    /// The text is not JSON, or not an object.
    #[error("configuration is not usable JSON: {0}")]
    Json(String),
}

/// How a value is checked.
#[derive(Clone, Copy)]
enum Check {
    Text,
    /// Address of Redis.
    RedisUrl,
    /// Base address of a web service.
    HttpUrl,
    /// Address of a proxy.
    Proxy,
    Integer {
        least: i64,
        most: i64,
    },
    Word(&'static [&'static str]),
    /// JSON array of strings.
    List,
    /// JSON array of sources of these kinds, each with or without a base address of its own.
    Sources(&'static [&'static str]),
    /// One such source, or none.
    Source(&'static [&'static str]),
    /// JSON object of strings.
    Map,
}

/// The longest time that can be configured: a day.
const DAY_MS: i64 = 86_400_000;
const MILLISECONDS: Check = Check::Integer { least: 1, most: DAY_MS };
const BOOL: Check = Check::Word(&["true", "false"]);

/// Every option: its name and what values it takes.
const OPTIONS: &[(&str, Check)] = &[
    ("redis.url", Check::RedisUrl),
    ("redis.prefix", Check::Text),
    ("redis.username", Check::Text),
    ("redis.password", Check::Text),
    ("redis.credentials", Check::Word(&["static", "host", "aws-iam"])),
    ("redis.password_file", Check::Text),
    ("redis.aws.region", Check::Text),
    ("redis.aws.service", Check::Word(&["elasticache", "memorydb"])),
    ("redis.aws.cluster", Check::Text),
    ("redis.aws.serverless", BOOL),
    ("redis.database", Check::Integer { least: 0, most: i32::MAX as i64 }),
    ("redis.connect_timeout_ms", MILLISECONDS),
    ("redis.command_timeout_ms", MILLISECONDS),
    ("redis.ping_ms", MILLISECONDS),
    ("redis.keyspace_notifications", Check::Word(&["ask", "assume"])),
    ("redis.tls.ca_file", Check::Text),
    ("redis.tls.cert_file", Check::Text),
    ("redis.tls.key_file", Check::Text),
    ("redis.tls.server_name", Check::Text),
    ("redis.tls.skip_verify", BOOL),
    ("cache.residency", Check::Word(&["all", "lazy", "off"])),
    ("cache.freshness", Check::Word(&["push", "ttl", "forever"])),
    ("cache.ttl_ms", MILLISECONDS),
    ("cache.capacity", Check::Integer { least: 1, most: 100_000_000 }),
    ("cache.on_wipe", Check::Word(&["keep", "clear"])),
    ("refresh.interval_ms", MILLISECONDS),
    ("notifications.capacity", Check::Integer { least: 1, most: 10_000_000 }),
    ("evaluation.integer_rounding", Check::Word(&["half_even", "truncate"])),
    ("log.level", Check::Word(&["debug", "info", "warn", "error", "none"])),
    ("source.kind", Check::Word(&["none", "stream", "poll", "fdv2", "file", "testdata"])),
    ("source.filter", Check::Text),
    ("fdv2.initializers", Check::Sources(&["poll"])),
    ("fdv2.synchronizers", Check::Sources(&["stream", "poll"])),
    ("fdv2.fallback", Check::Source(&["poll"])),
    ("fdv2.fallback_after_ms", MILLISECONDS),
    ("fdv2.recover_after_ms", MILLISECONDS),
    ("fdv2.first_data_ms", MILLISECONDS),
    ("sdk.key", Check::Text),
    ("endpoints.stream", Check::HttpUrl),
    ("endpoints.poll", Check::HttpUrl),
    ("endpoints.events", Check::HttpUrl),
    ("endpoints.relay", Check::HttpUrl),
    ("stream.initial_delay_ms", MILLISECONDS),
    ("stream.read_timeout_ms", MILLISECONDS),
    ("poll.interval_ms", MILLISECONDS),
    ("poll.allow_short", BOOL),
    ("retry.mode", Check::Word(&["legacy", "extended"])),
    ("events.enabled", BOOL),
    ("events.capacity", Check::Integer { least: 1, most: 10_000_000 }),
    ("events.flush_interval_ms", MILLISECONDS),
    ("events.context_keys_capacity", Check::Integer { least: 1, most: 10_000_000 }),
    ("events.context_keys_flush_ms", MILLISECONDS),
    ("events.gzip", BOOL),
    ("events.all_attributes_private", BOOL),
    ("events.private_attributes", Check::List),
    ("events.omit_anonymous_contexts", BOOL),
    ("events.diagnostics", BOOL),
    ("events.diagnostic_interval_ms", MILLISECONDS),
    ("events.spool", Check::Text),
    ("events.spool_bytes", Check::Integer { least: 1, most: i64::MAX }),
    ("metrics.evaluations", BOOL),
    ("http.connect_timeout_ms", MILLISECONDS),
    ("http.read_timeout_ms", MILLISECONDS),
    ("http.proxy", Check::Proxy),
    ("http.headers", Check::Map),
    ("http.tls.ca_file", Check::Text),
    ("http.tls.skip_verify", BOOL),
    ("file.paths", Check::List),
    ("file.duplicates", Check::Word(&["fail", "first"])),
    ("file.auto_reload", BOOL),
    ("snapshot.file", Check::Text),
    ("store.write", BOOL),
    ("big_segments.url", Check::RedisUrl),
    ("big_segments.prefix", Check::Text),
    ("big_segments.cache_size", Check::Integer { least: 1, most: 100_000_000 }),
    ("big_segments.cache_ms", MILLISECONDS),
    ("big_segments.poll_interval_ms", MILLISECONDS),
    ("big_segments.stale_after_ms", MILLISECONDS),
    ("application.id", Check::Text),
    ("application.name", Check::Text),
    ("application.version", Check::Text),
    ("application.version_name", Check::Text),
    ("wrapper.name", Check::Text),
    ("wrapper.version", Check::Text),
    ("offline", BOOL),
];

/// Options that had another name, and what is to be said about it.
const RENAMED: &[(&str, &str)] = &[(
    "events.queue_capacity",
    "notifications.capacity; the number of analytics events that may wait is events.capacity",
)];

/// Options as they were set; unset ones have their defaults.
#[derive(Clone, Default)]
pub struct Config {
    values: BTreeMap<&'static str, String>,
    test_data: Option<TestData>,
    big_segment_store: Option<Arc<dyn BigSegmentStore>>,
}

impl Config {
    /// Sets one option.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let (name, check) = OPTIONS.iter().find(|(known, _)| *known == name).ok_or_else(|| unknown(name))?;
        check_value(*check, value).map_err(|reason| ConfigError::Invalid { option: name, reason })?;
        self.values.insert(name, value.to_owned());
        Ok(())
    }

    /// Takes flags and segments from this object; `source.kind` is `testdata` from here on.
    pub fn set_test_data(&mut self, data: TestData) {
        self.values.insert("source.kind", "testdata".to_owned());
        self.test_data = Some(data);
    }

    /// Asks this store for the members of big segments, and not Redis.
    ///
    /// What is returned is the store that was set before.
    pub fn set_big_segment_store(&mut self, store: Arc<dyn BigSegmentStore>) -> Option<Arc<dyn BigSegmentStore>> {
        self.big_segment_store.replace(store)
    }

    /// Sets options from a JSON object; `{"redis": {"url": …}}` and `{"redis.url": …}` are the same. All or none.
    pub fn load_json(&mut self, json: &str) -> Result<(), ConfigError> {
        let value: Value = serde_json::from_str(json).map_err(|error| ConfigError::Json(error.to_string()))?;
        let Value::Object(members) = value else { return Err(ConfigError::Json("it is not an object".to_owned())) };
        let mut next = self.clone();
        for (name, value) in members {
            next.load_member(name, value)?;
        }
        *self = next;
        Ok(())
    }

    fn load_member(&mut self, name: String, value: Value) -> Result<(), ConfigError> {
        if let Some((name, Check::List | Check::Sources(_) | Check::Map)) =
            OPTIONS.iter().find(|(known, _)| *known == name)
            && (value.is_array() || value.is_object())
        {
            return self.set(name, &value.to_string());
        }
        match value {
            Value::Object(members) => {
                for (inner, value) in members {
                    self.load_member(format!("{name}.{inner}"), value)?;
                }
                Ok(())
            }
            Value::String(text) => self.set(&name, &text),
            Value::Number(number) => self.set(&name, &number.to_string()),
            Value::Bool(value) => self.set(&name, if value { "true" } else { "false" }),
            Value::Null | Value::Array(_) => Err(match OPTIONS.iter().find(|(known, _)| *known == name) {
                Some((option, _)) => {
                    ConfigError::Invalid { option, reason: "null and arrays are not values".to_owned() }
                }
                None => unknown(&name),
            }),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A text option; an empty text counts as unset.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// An option that is `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|value| value == "true")
    }

    /// A list of strings.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.text(name).and_then(|value| serde_json::from_str(&value).ok()).unwrap_or_default()
    }

    /// Names with values.
    pub(super) fn map(&self, name: &str) -> BTreeMap<String, String> {
        self.text(name).and_then(|value| serde_json::from_str(&value).ok()).unwrap_or_default()
    }

    /// The test data that were set.
    pub(super) fn test_data(&self) -> Option<TestData> {
        self.test_data.clone()
    }

    /// The store that was set for the members of big segments.
    pub(super) fn big_segment_store(&self) -> Option<Arc<dyn BigSegmentStore>> {
        self.big_segment_store.clone()
    }

    pub(super) fn number<T: FromStr>(&self, name: &str, default: T) -> T {
        self.get(name).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    /// A number of milliseconds, if it was set.
    pub(super) fn time(&self, name: &str) -> Option<Duration> {
        self.get(name).and_then(|value| value.parse().ok()).map(Duration::from_millis)
    }

    pub(super) fn milliseconds(&self, name: &str, default: u64) -> Duration {
        Duration::from_millis(self.number(name, default))
    }
}

fn unknown(name: &str) -> ConfigError {
    match RENAMED.iter().find(|(old, _)| *old == name) {
        Some((old, new)) => ConfigError::Renamed { old, new },
        None => ConfigError::Unknown(name.to_owned()),
    }
}

fn check_value(check: Check, value: &str) -> Result<(), String> {
    match check {
        Check::Text => Ok(()),
        // An empty text counts as unset.
        Check::RedisUrl | Check::HttpUrl | Check::List | Check::Map | Check::Sources(_) | Check::Source(_)
            if value.is_empty() =>
        {
            Ok(())
        }
        Check::Proxy if value.trim().is_empty() => Ok(()),
        Check::RedisUrl => check_url(value).map_err(|error| error.to_string()),
        Check::HttpUrl => check_base(value).map_err(|error| error.to_string()),
        Check::Proxy => check_proxy(value).map_err(|error| error.to_string()),
        Check::List => match serde_json::from_str::<Vec<String>>(value) {
            Ok(_) => Ok(()),
            Err(_) => Err("not a JSON array of strings".to_owned()),
        },
        Check::Sources(kinds) => match serde_json::from_str::<Vec<String>>(value) {
            Ok(sources) => sources.iter().try_for_each(|source| check_source(kinds, source)),
            Err(_) => Err("not a JSON array of strings".to_owned()),
        },
        Check::Source(_) if value == "none" => Ok(()),
        Check::Source(kinds) => check_source(kinds, value).map_err(|reason| format!("{reason}; or none")),
        Check::Map => match serde_json::from_str::<BTreeMap<String, String>>(value) {
            Ok(_) => Ok(()),
            Err(_) => Err("not a JSON object of strings".to_owned()),
        },
        Check::Integer { least, most } => match value.parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(()),
            _ => Err(format!("{value:?} is not an integer from {least} to {most}")),
        },
        Check::Word(words) if words.contains(&value) => Ok(()),
        Check::Word(words) => Err(format!("{value:?} is none of: {}", words.join(", "))),
    }
}

/// Kind and base address of a source, such as `poll` or `stream https://stream.example.org`.
pub(super) fn split_source(source: &str) -> (&str, Option<&str>) {
    match source.split_once(' ') {
        Some((kind, base)) => (kind, Some(base)),
        None => (source, None),
    }
}

fn check_source(kinds: &[&str], source: &str) -> Result<(), String> {
    let (kind, base) = split_source(source);
    if !kinds.contains(&kind) {
        // What was meant for an address may hold a password.
        return Err(format!("a source is one of: {}; then, if it is elsewhere, a space and its URL", kinds.join(", ")));
    }
    base.map_or(Ok(()), |base| check_base(base).map_err(|error| error.to_string()))
}

impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be credentials.
        formatter.debug_struct("Config").field("options", &self.values.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    use crate::client::settings::DEFAULT_URL;
    use crate::store::{Freshness, Level, Residency};

    fn resolved(config: &Config) -> crate::client::Settings {
        config.resolve().unwrap()
    }

    #[test]
    fn unset_options_have_their_defaults() {
        let settings = resolved(&Config::default());
        assert_eq!(settings.store.redis.as_ref().unwrap().address.to_string(), "localhost:6379");
        assert_eq!(settings.store.residency, Residency::All);
        assert_eq!(settings.store.freshness, Freshness::Push);
        assert_eq!(settings.store.ttl, Duration::from_secs(30));
        assert_eq!(settings.store.capacity.get(), 10_000);
        assert_eq!(settings.queue_capacity, 1_000);
        assert_eq!(settings.log_level, Level::Info);
    }

    #[test]
    fn the_sdk_key_is_taken_and_neither_it_nor_a_password_is_shown() {
        let mut config = Config::default();
        config.set("sdk.key", "sdk-hunter2").unwrap();
        config.set("redis.password", "hunter2").unwrap();
        assert_eq!(resolved(&config).sdk_key.as_deref(), Some("sdk-hunter2"));
        let shown = format!("{config:?}");
        assert!(shown.contains("sdk.key") && !shown.contains("hunter2"), "{shown}");
        config.set("sdk.key", "").unwrap();
        assert_eq!(resolved(&config).sdk_key, None);
    }

    #[test]
    fn an_unknown_option_is_refused_by_name() {
        let error = Config::default().set("redis.urll", "x").unwrap_err();
        assert_eq!(error, ConfigError::Unknown("redis.urll".to_owned()));
    }

    #[test]
    fn a_former_name_is_refused_with_the_present_one_in_every_form() {
        let mut config = Config::default();
        let load = |config: &mut Config, json: &str| config.load_json(json).unwrap_err().to_string();
        for message in [
            config.set("events.queue_capacity", "5").unwrap_err().to_string(),
            load(&mut config, r#"{"events.queue_capacity": 5}"#),
            load(&mut config, r#"{"events": {"queue_capacity": 5}}"#),
            load(&mut config, r#"{"events": {"queue_capacity": null}}"#),
        ] {
            assert!(message.starts_with("option events.queue_capacity is named notifications.capacity;"), "{message}");
        }
        assert!(config.values.is_empty());
    }

    #[test]
    fn values_are_checked_when_they_are_set() {
        let mut config = Config::default();
        for (name, value) in [
            ("redis.url", "http://example.org"),
            ("redis.url", "redis://"),
            ("redis.url", "rediss://host/#insecure"),
            ("redis.database", "-1"),
            ("redis.command_timeout_ms", "0"),
            ("redis.command_timeout_ms", "2s"),
            ("cache.capacity", "0"),
            ("cache.residency", "ALL"),
            ("log.level", ""),
        ] {
            assert!(
                matches!(config.set(name, value), Err(ConfigError::Invalid { option, .. }) if option == name),
                "{name}={value}"
            );
        }
        assert!(config.values.is_empty());
    }

    #[test]
    fn a_refused_url_is_not_repeated_in_the_message() {
        let error = Config::default().set("redis.url", "redis://user:hunter2@ho st/").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn json_may_be_flat_or_nested_and_is_taken_whole_or_not_at_all() {
        let mut config = Config::default();
        config.load_json(r#"{"redis": {"prefix": "p", "tls": {"ca_file": "/ca"}}, "cache.ttl_ms": 5}"#).unwrap();
        let settings = resolved(&config);
        assert_eq!(settings.store.prefix, "p");
        assert_eq!(settings.store.redis.as_ref().unwrap().tls.ca_file, Some(PathBuf::from("/ca")));
        assert_eq!(settings.store.ttl, Duration::from_millis(5));
        assert!(config.load_json(r#"{"redis.prefix": "q", "nope": 1}"#).is_err());
        assert_eq!(resolved(&config).store.prefix, "p");
        for json in ["[]", "{", r#"{"redis.prefix": null}"#, r#"{"cache.ttl_ms": 1.5}"#] {
            assert!(config.load_json(json).is_err(), "{json}");
        }
    }

    #[test]
    fn an_empty_prefix_and_url_mean_the_defaults() {
        let mut config = Config::default();
        config.set("redis.prefix", "").unwrap();
        config.set("redis.url", "").unwrap();
        assert_eq!(resolved(&config).store.prefix, "");
        assert_eq!(format!("redis://{}", resolved(&config).store.redis.unwrap().address), DEFAULT_URL);
    }
}
