//! `watch`: changes as they happen, until somebody ends it.

use std::time::{Duration, Instant};

use flagstone::client::{Client, Event, Notification, Polled};
use flagstone::model::{Kind, unix_ms};
use flagstone::store::{Snapshot, StoreState};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::arguments::Watch;
use crate::failure::{Failure, Verdict};
use crate::item::is_meant;
use crate::output::{Output, count, plain};
use crate::place::Place;
use crate::words::difference::changes;

/// How long one wait lasts at most.
const TURN: Duration = Duration::from_millis(500);

/// What is watched, and what was told of it.
struct Watching<'a> {
    client: Client,
    what: &'a Watch,
    /// What was held when the latest change was told.
    before: Snapshot,
    /// The latest state that was told.
    state: StoreState,
    told: u64,
}

pub fn run(what: &Watch, place: &Place, output: &mut Output) -> Result<Verdict, Failure> {
    let (client, failure) = place.client(&[("log.level", "none"), ("file.auto_reload", "true")])?;
    client.hear_flag_changes(true);
    let end = what.seconds.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds));
    let mut watching = Watching { state: client.state(), client, what, before: Snapshot::default(), told: 0 };
    watching.begin(failure.as_ref(), place, output)?;
    while what.count.is_none_or(|most| watching.told < most) {
        let left = end.map_or(TURN, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            break;
        }
        match watching.client.poll(left.min(TURN)) {
            Polled::Event(notification) => watching.tell(&notification, output)?,
            Polled::Timeout => {}
            Polled::Closed => break,
        }
    }
    Ok(Verdict::Fine)
}

impl Watching<'_> {
    fn begin(&mut self, failure: Option<&Failure>, place: &Place, output: &mut Output) -> Result<(), Failure> {
        if failure.is_none() {
            // What came at the start is no change.
            while self.client.poll(Duration::ZERO) != Polled::Timeout {}
            self.before = self.client.data().map(|data| (*data).clone()).unwrap_or_default();
        }
        let status = self.status();
        if output.json {
            let error = failure.map(ToString::to_string);
            return output
                .json_line(&json!({ "event": "watching", "unix_ms": unix_ms(), "error": error, "status": status }));
        }
        let line = match failure {
            Some(failure) => output.doubtful(format!(
                "{}: {}; waiting for it",
                plain(&place.describe()),
                plain(&failure.to_string())
            )),
            None => {
                let flags = self.before.flags.iter().filter(|(_, entry)| entry.is_live()).count();
                let how = status["freshness"].as_str().unwrap_or_default();
                output.faint(format!("watching {} in {} ({how})", count(flags, "flag"), plain(&place.describe())))
            }
        };
        output.words_now(line)
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.client.status_json()).unwrap_or_default()
    }

    fn tell(&mut self, notification: &Notification, output: &mut Output) -> Result<(), Failure> {
        match &notification.event {
            Event::FlagChanged { key, old_version, new_version } if is_meant(key, self.what.pattern.as_deref()) => {
                self.told += 1;
                self.tell_change(notification, (key, *old_version, *new_version), output)
            }
            Event::Status { state, reason, .. } if *state != self.state => {
                self.state = *state;
                tell_status(notification, *state, reason, output)
            }
            _ => Ok(()),
        }
    }

    fn tell_change(
        &mut self,
        notification: &Notification,
        (key, old, new): (&str, Option<i64>, Option<i64>),
        output: &mut Output,
    ) -> Result<(), Failure> {
        let now = self.client.data().unwrap_or_default();
        let [before, after] = [&self.before, &*now].map(|data| data.flags.get(key).map(|entry| entry.text()));
        let words = changes(Kind::Flag, key, before, after);
        // Other changes of the same moment have still to be told.
        match now.flags.get(key) {
            Some(entry) => self.before.flags.insert(key, entry.clone()),
            None => drop(self.before.flags.remove(key)),
        }
        let age = unix_ms() - notification.unix_ms;
        if output.json {
            return output.json_line(&json!({
                "event": "change", "unix_ms": notification.unix_ms, "key": key, "old_version": old, "new_version": new,
                "changes": words, "age_ms": age, "verified_age_ms": self.status()["verified_age_ms"],
            }));
        }
        let version = |version: Option<i64>| version.map_or_else(|| "none".to_owned(), |version| version.to_string());
        let versions = match (old, new) {
            (None, new) => format!("new, version {}", version(new)),
            (Some(old), None) => format!("gone, was version {old}"),
            (old, new) if old == new && !words.is_empty() => format!("still version {}", version(new)),
            // The flag is the same, and something that it refers to is not.
            (old, new) if old == new => format!("version {}, through what it depends on", version(new)),
            (old, new) => format!("version {} → {}", version(old), version(new)),
        };
        let words = if words.is_empty() { String::new() } else { format!("  {}", plain(&words.join("; "))) };
        let time = output.faint(format!("{}  {age} ms ago", clock(notification.unix_ms)));
        output.words_now(format!("{time}  {}  {versions}{words}", output.strong(plain(key))))
    }
}

fn tell_status(
    notification: &Notification,
    state: StoreState,
    reason: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    if output.json {
        let unix_ms = notification.unix_ms;
        return output
            .json_line(&json!({ "event": "status", "unix_ms": unix_ms, "state": state.name(), "reason": reason }));
    }
    let words = match state {
        StoreState::Valid => output.good("connected, and up to date"),
        StoreState::Interrupted => output.doubtful("interrupted: what was read last stays in force"),
        other => output.doubtful(other.name()),
    };
    let reason = if reason.is_empty() { String::new() } else { format!("  {}", plain(reason)) };
    output.words_now(format!("{}  {words}{reason}", output.faint(clock(notification.unix_ms))))
}

/// The time of day, in UTC.
fn clock(unix_ms: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000);
    moment.map_or_else(
        |_| unix_ms.to_string(),
        |moment| {
            let (hour, minute, second, millisecond) = moment.to_hms_milli();
            format!("{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
        },
    )
}
