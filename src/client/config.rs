//! Configuration: options by name, so that a new option never changes the ABI.
//!
//! A value is checked when it is set, as far as it can be alone; what concerns several options is checked when a client is
//! made. Messages name the option and never repeat a URL or a password. May depend on `store`.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;

use crate::store::{Freshness, Level, OnWipe, RedisOptions, Residency, StoreOptions, check_url};

/// Where Redis is looked for when nothing is configured.
const DEFAULT_URL: &str = "redis://localhost:6379";

/// Why an option was refused. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No option has this name.
    #[error("unknown option {0:?}")]
    Unknown(String),
    /// The value does not fit the option.
    #[error("option {option}: {reason}")]
    Invalid {
        /// Name of the option.
        option: &'static str,
        /// What is wrong with the value.
        reason: String,
    },
    /// The text is not JSON, or not an object.
    #[error("configuration is not usable JSON: {0}")]
    Json(String),
}

/// How a value is checked.
#[derive(Clone, Copy)]
enum Check {
    Text,
    Url,
    Integer { least: i64, most: i64 },
    Word(&'static [&'static str]),
}

/// The longest time that can be configured: a day.
const DAY_MS: i64 = 86_400_000;
const MILLISECONDS: Check = Check::Integer { least: 1, most: DAY_MS };

/// Every option: its name and what values it takes.
const OPTIONS: &[(&str, Check)] = &[
    ("sdk.key", Check::Text),
    ("redis.url", Check::Url),
    ("redis.prefix", Check::Text),
    ("redis.username", Check::Text),
    ("redis.password", Check::Text),
    ("redis.database", Check::Integer { least: 0, most: i32::MAX as i64 }),
    ("redis.connect_timeout_ms", MILLISECONDS),
    ("redis.command_timeout_ms", MILLISECONDS),
    ("redis.ping_ms", MILLISECONDS),
    ("redis.tls.ca_file", Check::Text),
    ("redis.tls.cert_file", Check::Text),
    ("redis.tls.key_file", Check::Text),
    ("cache.residency", Check::Word(&["all", "lazy", "off"])),
    ("cache.freshness", Check::Word(&["push", "ttl", "forever"])),
    ("cache.ttl_ms", MILLISECONDS),
    ("cache.capacity", Check::Integer { least: 1, most: 100_000_000 }),
    ("cache.on_wipe", Check::Word(&["keep", "clear"])),
    ("refresh.interval_ms", MILLISECONDS),
    ("events.queue_capacity", Check::Integer { least: 1, most: 10_000_000 }),
    ("log.level", Check::Word(&["debug", "info", "warn", "error", "none"])),
];

/// Options as they were set; unset ones have their defaults.
#[derive(Clone, Default)]
pub struct Config {
    values: BTreeMap<&'static str, String>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names only: the SDK key and passwords are among the values.
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// What a client is made of.
#[derive(Clone)]
pub struct Settings {
    /// The environment's SDK key.
    pub sdk_key: Option<String>,
    /// Options of the store.
    pub store: StoreOptions,
    /// Most notifications kept for the host.
    pub queue_capacity: usize,
    /// Least severe log level that is kept.
    pub log_level: Level,
}

impl Config {
    /// Sets one option.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let (name, check) =
            OPTIONS.iter().find(|(known, _)| *known == name).ok_or_else(|| ConfigError::Unknown(name.to_owned()))?;
        check_value(*check, value).map_err(|reason| ConfigError::Invalid { option: name, reason })?;
        self.values.insert(name, value.to_owned());
        Ok(())
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
                None => ConfigError::Unknown(name),
            }),
        }
    }

    /// All options together, defaults filled in.
    pub fn resolve(&self) -> Settings {
        Settings {
            sdk_key: self.text("sdk.key"),
            store: StoreOptions {
                redis: self.redis(),
                prefix: self.text("redis.prefix").unwrap_or_default(),
                residency: match self.get("cache.residency") {
                    Some("lazy") => Residency::Lazy,
                    Some("off") => Residency::Off,
                    _ => Residency::All,
                },
                freshness: match self.get("cache.freshness") {
                    Some("ttl") => Freshness::Ttl,
                    Some("forever") => Freshness::Forever,
                    _ => Freshness::Push,
                },
                ttl: self.milliseconds("cache.ttl_ms", 30_000),
                capacity: NonZeroUsize::new(self.number("cache.capacity", 10_000)).unwrap_or(NonZeroUsize::MIN),
                on_wipe: if self.get("cache.on_wipe") == Some("clear") { OnWipe::Clear } else { OnWipe::Keep },
                safety_interval: self.milliseconds("refresh.interval_ms", 60_000),
                ping: self.milliseconds("redis.ping_ms", 1_000),
            },
            queue_capacity: self.number("events.queue_capacity", 1_000),
            log_level: match self.get("log.level") {
                Some("debug") => Level::Debug,
                Some("warn") => Level::Warn,
                Some("error") => Level::Error,
                Some("none") => Level::None,
                _ => Level::Info,
            },
        }
    }

    fn redis(&self) -> RedisOptions {
        RedisOptions {
            url: self.text("redis.url").unwrap_or_else(|| DEFAULT_URL.to_owned()),
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

    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A text option; an empty text counts as unset.
    fn text(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    fn number<T: FromStr>(&self, name: &str, default: T) -> T {
        self.get(name).and_then(|value| value.parse().ok()).unwrap_or(default)
    }

    fn milliseconds(&self, name: &str, default: u64) -> Duration {
        Duration::from_millis(self.number(name, default))
    }
}

fn check_value(check: Check, value: &str) -> Result<(), String> {
    match check {
        Check::Text => Ok(()),
        Check::Url if value.is_empty() => Ok(()),
        Check::Url => check_url(value).map_err(|error| error.to_string()),
        Check::Integer { least, most } => match value.parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(()),
            _ => Err(format!("{value:?} is not an integer from {least} to {most}")),
        },
        Check::Word(words) if words.contains(&value) => Ok(()),
        Check::Word(words) => Err(format!("{value:?} is none of: {}", words.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_options_have_their_defaults() {
        let settings = Config::default().resolve();
        assert_eq!(settings.store.redis.url, "redis://localhost:6379");
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
        assert_eq!(config.resolve().sdk_key.as_deref(), Some("sdk-hunter2"));
        let shown = format!("{config:?}");
        assert!(shown.contains("sdk.key") && !shown.contains("hunter2"), "{shown}");
        config.set("sdk.key", "").unwrap();
        assert_eq!(config.resolve().sdk_key, None);
    }

    #[test]
    fn an_unknown_option_is_refused_by_name() {
        let error = Config::default().set("redis.urll", "x").unwrap_err();
        assert_eq!(error, ConfigError::Unknown("redis.urll".to_owned()));
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
        let settings = config.resolve();
        assert_eq!(settings.store.prefix, "p");
        assert_eq!(settings.store.redis.ca_file, Some(PathBuf::from("/ca")));
        assert_eq!(settings.store.ttl, Duration::from_millis(5));
        assert!(config.load_json(r#"{"redis.prefix": "q", "nope": 1}"#).is_err());
        assert_eq!(config.resolve().store.prefix, "p");
        for json in ["[]", "{", r#"{"redis.prefix": null}"#, r#"{"cache.ttl_ms": 1.5}"#] {
            assert!(config.load_json(json).is_err(), "{json}");
        }
    }

    #[test]
    fn an_empty_prefix_and_url_mean_the_defaults() {
        let mut config = Config::default();
        config.set("redis.prefix", "").unwrap();
        config.set("redis.url", "").unwrap();
        assert_eq!(config.resolve().store.prefix, "");
        assert_eq!(config.resolve().store.redis.url, DEFAULT_URL);
    }
}
