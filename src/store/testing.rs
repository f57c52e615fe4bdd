//! Helpers of the store's unit tests: options, items as JSON and a listener that remembers.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::time::Duration;

use crate::store::options::{Freshness, OnWipe, Residency, StoreOptions, Upstream};
use crate::store::reply::Field;
use crate::store::status::{Level, Listener, StoreState};

/// A store that goes by age and has no Redis.
pub fn options() -> StoreOptions {
    StoreOptions {
        residency: Residency::Lazy,
        freshness: Freshness::Ttl,
        capacity: NonZeroUsize::MIN,
        redis: None,
        upstream: Upstream::Redis,
        prefix: String::new(),
        ttl: Duration::from_secs(60),
        on_wipe: OnWipe::Keep,
        safety_interval: Duration::from_secs(60),
        ping: Duration::from_secs(1),
        assumes_notifications: false,
    }
}

/// Remembers log lines.
#[derive(Default)]
pub struct Recorder {
    /// Log lines in order.
    pub lines: Mutex<Vec<String>>,
    errors: Mutex<usize>,
}

impl Recorder {
    /// Number of lines that are errors.
    pub fn errors(&self) -> usize {
        *self.errors.lock().unwrap()
    }

    /// Number of lines that contain `part`.
    pub fn count(&self, part: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(part)).count()
    }
}

impl Listener for Recorder {
    fn wants(&self, _: Level) -> bool {
        true
    }
    fn log(&self, level: Level, message: fmt::Arguments<'_>) {
        *self.errors.lock().unwrap() += usize::from(level == Level::Error);
        self.lines.lock().unwrap().push(message.to_string());
    }
    fn state_changed(&self, _: StoreState, _: &str) {}
    fn flag_changed(&self, _: &str, _: Option<i64>, _: Option<i64>) {}
    fn wants_fresh_data(&self) {}
}

/// A bool flag, with prerequisites and a rule on segments.
pub fn flag(key: &str, version: i64, prerequisites: &[&str], segments: &[&str]) -> Vec<u8> {
    let prerequisites: Vec<_> =
        prerequisites.iter().map(|key| serde_json::json!({ "key": key, "variation": 0 })).collect();
    serde_json::json!({
        "key": key, "version": version, "on": true, "variations": [true, false], "fallthrough": { "variation": 0 },
        "prerequisites": prerequisites,
        "rules": [{ "variation": 1, "clauses": [{ "op": "segmentMatch", "values": segments }] }],
    })
    .to_string()
    .into_bytes()
}

/// A segment whose rule names other segments.
pub fn segment(key: &str, version: i64, segments: &[&str]) -> Vec<u8> {
    serde_json::json!({
        "key": key, "version": version, "rules": [{ "clauses": [{ "op": "segmentMatch", "values": segments }] }],
    })
    .to_string()
    .into_bytes()
}

/// A hash field.
pub fn field(key: &str, text: Vec<u8>) -> Field {
    (key.as_bytes().to_vec(), text)
}
