//! Options of events, defaults filled in. The configuration that diagnostic events tell has no `startWaitMillis`: how long a start
//! may take is said when the client starts, after that was written. May depend on `events`, `http`, `source`, `store` and `model`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::config::{Config, ConfigError};
use crate::events::{DiagnosticOptions, EventsOptions, Privacy, SpoolOptions};
use crate::http::HttpOptions;
use crate::model::saturating_ms;
use crate::source::{SourceOptions, Synchronizer};
use crate::store::Level;

/// Diagnostic events are sent no more often than this.
const SHORTEST_DIAGNOSTIC_INTERVAL: Duration = Duration::from_secs(60);

impl Config {
    /// How events are made and delivered; `None` when there are none. Whoever has an SDK key sends events, in daemon mode too,
    /// as LaunchDarkly's SDKs do.
    pub(super) fn events(
        &self,
        http: Option<&HttpOptions>,
        source: Option<&SourceOptions>,
        remarks: &mut Vec<(Level, String)>,
    ) -> Result<Option<EventsOptions>, ConfigError> {
        let is_enabled = self.flag("events.enabled");
        if is_enabled == Some(false) || self.flag("offline") == Some(true) {
            return Ok(None);
        }
        let Some(http) = http else {
            return match is_enabled {
                Some(true) => Err(ConfigError::Together("events.enabled needs sdk.key, which is not set")),
                _ => Ok(None),
            };
        };
        let mut options = EventsOptions {
            http: http.clone(),
            base: self.endpoint("endpoints.events", EventsOptions::DEFAULT_BASE, remarks),
            capacity: self.number("events.capacity", 10_000),
            flush_interval: self.milliseconds("events.flush_interval_ms", 5_000),
            context_keys_capacity: NonZeroUsize::new(self.number("events.context_keys_capacity", 1_000))
                .unwrap_or(NonZeroUsize::MIN),
            context_keys_flush: self.milliseconds("events.context_keys_flush_ms", 300_000),
            gzip: self.flag("events.gzip") != Some(false),
            privacy: Privacy {
                all: self.flag("events.all_attributes_private") == Some(true),
                references: self.list("events.private_attributes"),
            },
            omit_anonymous: self.flag("events.omit_anonymous_contexts") == Some(true),
            diagnostics: None,
            spool: self.text("events.spool").map(|directory| SpoolOptions {
                directory: PathBuf::from(directory),
                bytes: self.number("events.spool_bytes", 64 << 20),
            }),
        };
        if self.flag("events.diagnostics") != Some(false) {
            let interval = self.diagnostic_interval(remarks);
            options.diagnostics = Some(DiagnosticOptions {
                interval,
                configuration: self.configuration(&options, source, interval),
                wrapper: self.text("wrapper.name").map(|name| (name, self.text("wrapper.version"))),
            });
        }
        Ok(Some(options))
    }

    fn diagnostic_interval(&self, remarks: &mut Vec<(Level, String)>) -> Duration {
        let interval = self.milliseconds("events.diagnostic_interval_ms", 900_000);
        if interval >= SHORTEST_DIAGNOSTIC_INTERVAL {
            return interval;
        }
        let least = SHORTEST_DIAGNOSTIC_INTERVAL;
        remarks.push((Level::Warn, format!("events.diagnostic_interval_ms is raised to {} ms", least.as_millis())));
        least
    }

    /// The configuration as the initial diagnostic event tells it: no key, no address, no name.
    fn configuration(
        &self,
        events: &EventsOptions,
        source: Option<&SourceOptions>,
        interval: Duration,
    ) -> Map<String, Value> {
        let mut told = Map::new();
        let mut tell = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
        let custom = |name: &str| self.text(name).or_else(|| self.text("endpoints.relay")).is_some();
        let has_redis = source.is_none() || self.flag("store.write") != Some(false) && self.text("redis.url").is_some();
        tell("dataStoreType", Value::from(if has_redis { "Redis" } else { "memory" }));
        tell("usingRelayDaemon", Value::from(source.is_none()));
        match source {
            Some(SourceOptions::Stream(stream)) => tell("reconnectTimeMillis", milliseconds(stream.initial_delay)),
            Some(SourceOptions::Poll(poll)) => tell("pollingIntervalMillis", milliseconds(poll.interval)),
            Some(SourceOptions::Fdv2(options)) => options.synchronizers.iter().for_each(|of| match of {
                Synchronizer::Stream(stream) => tell("reconnectTimeMillis", milliseconds(stream.initial_delay)),
                Synchronizer::Poll(poll) => tell("pollingIntervalMillis", milliseconds(poll.interval)),
            }),
            _ => {}
        }
        let streams = source.is_some_and(|source| source.is_from_afar() && !source.only_polls());
        tell("streamingDisabled", Value::from(!streams));
        tell("customBaseURI", Value::from(custom("endpoints.poll")));
        tell("customStreamURI", Value::from(custom("endpoints.stream")));
        tell("customEventsURI", Value::from(custom("endpoints.events")));
        tell("allAttributesPrivate", Value::from(events.privacy.all));
        tell("eventsCapacity", json!(events.capacity));
        tell("eventsFlushIntervalMillis", milliseconds(events.flush_interval));
        tell("userKeysCapacity", json!(events.context_keys_capacity.get()));
        tell("userKeysFlushIntervalMillis", milliseconds(events.context_keys_flush));
        tell("diagnosticRecordingIntervalMillis", milliseconds(interval));
        tell("connectTimeoutMillis", milliseconds(events.http.connect_timeout));
        tell("socketTimeoutMillis", milliseconds(events.http.read_timeout));
        let proxy = events.http.proxy_of(&events.base);
        tell("usingProxy", Value::from(proxy.is_some()));
        tell("usingProxyAuthenticator", Value::from(proxy == Some(true)));
        told
    }
}

fn milliseconds(time: Duration) -> Value {
    Value::from(saturating_ms(time))
}
