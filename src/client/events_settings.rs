//! Options of events, defaults filled in. May depend on `events` and `http`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde_json::Map;

use super::config::{Config, ConfigError};
use crate::events::{DiagnosticOptions, EventsOptions, Privacy, SpoolOptions};
use crate::http::HttpOptions;
use crate::store::Level;

impl Config {
    /// How events are made and delivered; `None` when there are none. Whoever has an SDK key sends events, in daemon mode too,
    /// as LaunchDarkly's SDKs do.
    pub(super) fn events(
        &self,
        http: Option<&HttpOptions>,
        remarks: &mut Vec<(Level, String)>,
    ) -> Result<Option<EventsOptions>, ConfigError> {
        let is_enabled = self.flag("events.enabled");
        let Some(http) = http.filter(|_| is_enabled != Some(false)) else {
            return match is_enabled {
                Some(true) => Err(ConfigError::Together("events.enabled needs sdk.key, which is not set")),
                _ => Ok(None),
            };
        };
        let wrapper = self.text("wrapper.name").map(|name| (name, self.text("wrapper.version")));
        Ok(Some(EventsOptions {
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
            diagnostics: (self.flag("events.diagnostics") != Some(false)).then(|| DiagnosticOptions {
                interval: self.milliseconds("events.diagnostic_interval_ms", 900_000),
                configuration: Map::new(),
                wrapper,
            }),
            spool: self.text("events.spool").map(|directory| SpoolOptions {
                directory: PathBuf::from(directory),
                bytes: self.number("events.spool_bytes", 64 << 20),
            }),
        }))
    }
}
