//! How events are made and delivered, as the client configured it. Plain data.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::http::HttpOptions;

/// Everything that concerns events.
#[derive(Clone, Debug)]
pub struct EventsOptions {
    /// How requests are made.
    pub http: HttpOptions,
    /// Base of the URLs that events are posted to.
    pub base: String,
    /// Most events that wait for one flush; those beyond are dropped and counted. Summaries are not events in this sense.
    pub capacity: usize,
    /// Time between flushes.
    pub flush_interval: Duration,
    /// Most contexts that are remembered as told.
    pub context_keys_capacity: NonZeroUsize,
    /// How long contexts are remembered as told.
    pub context_keys_flush: Duration,
    /// Whether payloads are compressed.
    pub gzip: bool,
    /// What events must not carry.
    pub privacy: Privacy,
    /// Whether anonymous contexts are left out of index and identify events.
    pub omit_anonymous: bool,
    /// How the SDK tells of itself; `None` when it does not.
    pub diagnostics: Option<DiagnosticOptions>,
    /// Where payloads are kept that cannot be delivered; `None` when they are dropped.
    pub spool: Option<SpoolOptions>,
}

impl EventsOptions {
    /// Where events go unless another base is configured.
    pub const DEFAULT_BASE: &'static str = "https://events.launchdarkly.com";
}

/// What events must not carry of any context, whatever the context says itself.
#[derive(Clone, Debug, Default)]
pub struct Privacy {
    /// Every attribute that is not needed to know who it was.
    pub all: bool,
    /// References of attributes.
    pub references: Vec<String>,
}

/// How the SDK tells of itself.
#[derive(Clone, Debug)]
pub struct DiagnosticOptions {
    /// Time between periodic events.
    pub interval: Duration,
    /// The configuration, as it is told.
    pub configuration: serde_json::Map<String, serde_json::Value>,
    /// Name and version of the SDK or framework around this library, if it has said so.
    pub wrapper: Option<(String, Option<String>)>,
}

/// Where payloads are kept that cannot be delivered.
#[derive(Clone, Debug)]
pub struct SpoolOptions {
    /// The directory.
    pub directory: PathBuf,
    /// Most bytes of all payloads together.
    pub bytes: u64,
}
