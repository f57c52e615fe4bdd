//! How this library fares, as it tells LaunchDarkly: once at the start with its configuration, then what happened in each
//! interval. Depends on `options` and `inbox`.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::inbox::Batch;
use super::options::{DiagnosticOptions, EventsOptions};
use crate::model::{new_id, saturating_ms, unix_ms};

/// How many of the last characters of the SDK key are told.
const SUFFIX: usize = 6;
/// How long an event waits for the one before it.
const POSTPONED: Duration = Duration::from_secs(1);

/// A stream that the data source tried to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamStart {
    /// When it began, in milliseconds since 1970.
    pub at: i64,
    /// How long it took until data came, or until it failed.
    pub took: Duration,
    /// Whether it failed.
    pub has_failed: bool,
}

/// Makes diagnostic events.
pub(super) struct Diagnostics<'a> {
    options: &'a DiagnosticOptions,
    id: Value,
    /// The initial one was made.
    has_begun: bool,
    due: Instant,
    /// Since when is counted, in milliseconds since 1970.
    since: i64,
    dropped: u64,
    deduplicated: u64,
    in_last_batch: u64,
}

impl<'a> Diagnostics<'a> {
    /// The initial event is due at once.
    pub fn new(options: &'a DiagnosticOptions, events: &EventsOptions) -> Self {
        let key: Vec<char> = events.http.sdk_key.chars().collect();
        let suffix: String = key.iter().skip(key.len().saturating_sub(SUFFIX)).collect();
        Self {
            options,
            id: json!({ "diagnosticId": new_id(), "sdkKeySuffix": suffix }),
            has_begun: false,
            due: Instant::now(),
            since: unix_ms(),
            dropped: 0,
            deduplicated: 0,
            in_last_batch: 0,
        }
    }

    /// When the next one is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// The one before has not been delivered yet.
    pub fn postpone(&mut self) {
        self.due = Instant::now() + POSTPONED;
    }

    /// Takes notice of a batch.
    pub fn note(&mut self, batch: &Batch) {
        self.dropped += batch.dropped;
        self.deduplicated += batch.deduplicated;
        if !batch.is_empty() {
            self.in_last_batch = batch.count();
        }
    }

    /// The event that is due, as JSON. The initial one tells of no streams.
    pub fn next(&mut self, streams: impl FnOnce() -> Vec<StreamStart>) -> Vec<u8> {
        let now = unix_ms();
        self.due = Instant::now() + self.options.interval;
        let event = if self.has_begun { self.periodic(now, &streams()) } else { self.initial(now) };
        self.has_begun = true;
        event.to_string().into_bytes()
    }

    fn initial(&self, now: i64) -> Value {
        let mut sdk = json!({ "name": "flagstone", "version": env!("CARGO_PKG_VERSION") });
        if let Some((name, version)) = &self.options.wrapper {
            set(&mut sdk, "wrapperName", Some(name));
            set(&mut sdk, "wrapperVersion", version.as_ref());
        }
        json!({
            "kind": "diagnostic-init",
            "id": self.id,
            "creationDate": now,
            "sdk": sdk,
            "configuration": self.options.configuration,
            "platform": platform(),
        })
    }

    fn periodic(&mut self, now: i64, streams: &[StreamStart]) -> Value {
        let streams: Vec<Value> = streams
            .iter()
            .map(|start| {
                let took = saturating_ms(start.took);
                json!({ "timestamp": start.at, "durationMillis": took, "failed": start.has_failed })
            })
            .collect();
        let since = std::mem::replace(&mut self.since, now);
        json!({
            "kind": "diagnostic",
            "id": self.id,
            "creationDate": now,
            "dataSinceDate": since,
            "droppedEvents": std::mem::take(&mut self.dropped),
            "deduplicatedUsers": std::mem::take(&mut self.deduplicated),
            "eventsInLastBatch": std::mem::take(&mut self.in_last_batch),
            "streamInits": streams,
        })
    }
}

fn set(object: &mut Value, name: &str, value: Option<&String>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), Value::from(value.as_str()));
    }
}

/// What the library runs on.
fn platform() -> Map<String, Value> {
    let version = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let name = match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "MacOS",
        "windows" => "Windows",
        other => other,
    };
    let mut platform = Map::new();
    platform.insert("name".to_owned(), Value::from("native"));
    platform.insert("osName".to_owned(), Value::from(name));
    platform.insert("osArch".to_owned(), Value::from(std::env::consts::ARCH));
    if !version.trim().is_empty() {
        platform.insert("osVersion".to_owned(), Value::from(version.trim()));
    }
    platform
}
