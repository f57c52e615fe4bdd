//! Follows a client: what is new about flags and segments, about Redis, and what went wrong goes into the journal. What changed
//! is found by comparing what is held now with what was held before, so nothing depends on having heard of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flagstone::client::{Client, Event, Notification, Polled};
use flagstone::model::{Kind, unix_ms};
use flagstone::store::{Entry, Level, Snapshot, StoreState, Table};
use serde::Serialize;
use serde_json::json;

use super::journal::Journal;
use super::rows::{flag_row, segment_row};
use crate::item::noun;
use crate::row::Row;
use crate::words::difference::changes;

/// Looks so often even if nothing is heard.
const TURN: Duration = Duration::from_millis(500);
/// Notifications that are taken together.
const TOGETHER: usize = 10_000;
/// They are told one after the other: so long those are waited for that something else brought about.
const GATHERING: Duration = Duration::from_millis(20);
/// More changes at once are not told one by one.
const MOST_CHANGES: usize = 500;

/// An item that changed.
#[derive(Serialize)]
struct Change {
    event: &'static str,
    unix_ms: i64,
    kind: &'static str,
    key: String,
    old_version: Option<i64>,
    new_version: Option<i64>,
    /// What is new, in words.
    words: Vec<String>,
    /// None if it is gone.
    row: Option<Row>,
}

/// What was told.
pub struct Follower {
    client: Arc<Client>,
    journal: Arc<Journal>,
    before: Arc<Snapshot>,
    /// Flags and segments of which it was told that there is newer content that cannot be read: held items only bear a mark.
    superseded: [HashSet<Arc<str>>; 2],
    state: StoreState,
    /// The keys of the flags that were told last.
    told: HashSet<String>,
}

impl Follower {
    /// Of a client that is not started yet.
    pub fn new(client: Arc<Client>, journal: Arc<Journal>) -> Self {
        let state = client.state();
        Self { client, journal, before: Arc::default(), superseded: Default::default(), state, told: HashSet::new() }
    }

    /// Until the client is closed.
    pub fn run(mut self) {
        loop {
            let Some(heard) = self.heard() else { return };
            let told = self.compare();
            self.tell_through(&heard, &told);
            heard.iter().for_each(|notification| self.hear(notification));
            self.told = told;
        }
    }

    /// What is heard together; none after the end.
    fn heard(&self) -> Option<Vec<Notification>> {
        let mut heard = Vec::new();
        match self.client.poll(TURN) {
            Polled::Event(notification) => heard.push(notification),
            Polled::Timeout => {}
            Polled::Closed => return None,
        }
        let end = Instant::now() + GATHERING;
        while heard.len() < TOGETHER {
            let is_through = heard.last().is_some_and(|last| through(last).is_some());
            let wait = if is_through { end.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
            match self.client.poll(wait) {
                Polled::Event(notification) => heard.push(notification),
                _ => break,
            }
        }
        Some(heard)
    }

    /// Flags that changed through what they depend on. Those that changed themselves are told already, by this comparison or by
    /// the one before.
    fn tell_through(&self, heard: &[Notification], told: &HashSet<String>) {
        let is_new = |key: &str| !told.contains(key) && !self.told.contains(key);
        let new: Vec<_> = heard.iter().filter_map(through).filter(|(key, ..)| is_new(key)).collect();
        if new.len() > MOST_CHANGES {
            self.push(&json!({ "event": "many", "unix_ms": unix_ms(), "count": new.len() }));
            return;
        }
        for (key, version, unix_ms) in new {
            self.push(&json!({ "event": "through", "unix_ms": unix_ms, "key": key, "version": version }));
        }
    }

    fn push(&self, entry: &impl Serialize) {
        // Texts and numbers always have a JSON form.
        self.journal.push(serde_json::to_string(entry).unwrap_or_default());
    }

    fn hear(&mut self, Notification { event, unix_ms, .. }: &Notification) {
        match event {
            Event::Status { state, reason, .. } if *state != self.state => {
                self.state = *state;
                let state = state.name();
                self.push(&json!({ "event": "status", "unix_ms": unix_ms, "state": state, "reason": reason }));
            }
            Event::Log { level, text, .. } if *level >= Level::Warn => {
                self.push(&json!({ "event": "log", "unix_ms": unix_ms, "text": text }));
            }
            _ => {}
        }
    }

    /// Tells what differs from what was told last; the keys of the flags.
    fn compare(&mut self) -> HashSet<String> {
        let now = self.client.data().unwrap_or_default();
        let before = std::mem::replace(&mut self.before, Arc::clone(&now));
        let marks = [superseded(&now.flags), superseded(&now.segments)];
        let marked = std::mem::replace(&mut self.superseded, marks.clone());
        let flags = differing((&before.flags, &marked[0]), (&now.flags, &marks[0]));
        let segments = differing((&before.segments, &marked[1]), (&now.segments, &marks[1]));
        let count = flags.len() + segments.len();
        // What is read first is no change.
        let is_first = before.flags.is_empty() && before.segments.is_empty() && count > 0;
        if count > MOST_CHANGES || is_first {
            self.push(&json!({ "event": "many", "unix_ms": unix_ms(), "count": count }));
        } else {
            for (key, old, new) in &segments {
                self.push(&change(Kind::Segment, key, (*old, *new), new.and_then(|entry| segment_row(key, entry))));
            }
            for (key, old, new) in &flags {
                self.push(&change(Kind::Flag, key, (*old, *new), new.and_then(|entry| flag_row(key, entry))));
            }
        }
        flags.into_iter().map(|(key, ..)| key.to_owned()).collect()
    }
}

/// Key, version and time of a flag that is as it was, and something that it depends on is not.
fn through(Notification { event, unix_ms, .. }: &Notification) -> Option<(&str, Option<i64>, i64)> {
    match event {
        Event::FlagChanged { key, old_version, new_version } if old_version == new_version => {
            Some((key, *new_version, *unix_ms))
        }
        _ => None,
    }
}

type Held<'a, T> = Option<&'a Arc<Entry<T>>>;

/// Keys of items that have newer content that cannot be read.
fn superseded<T>(table: &Table<T>) -> HashSet<Arc<str>> {
    table.iter().filter(|(_, entry)| entry.is_superseded()).map(|(key, _)| Arc::clone(key)).collect()
}

/// A table, and which of its items are superseded.
type Marked<'a, T> = (&'a Table<T>, &'a HashSet<Arc<str>>);

/// Keys of which the text or the mark differs, with what was and what is held.
fn differing<'a, T>(before: Marked<'a, T>, now: Marked<'a, T>) -> Vec<(&'a str, Held<'a, T>, Held<'a, T>)> {
    if std::ptr::eq(before.0, now.0) && before.1 == now.1 {
        return Vec::new();
    }
    let new = now.0.iter().filter_map(|(key, entry)| {
        let old = before.0.get(key);
        let has_text = |old: &Arc<Entry<T>>| Arc::ptr_eq(old, entry) || old.text() == entry.text();
        let is_same = old.is_some_and(has_text) && before.1.contains(key) == now.1.contains(key);
        (!is_same).then_some((&**key, old, Some(entry)))
    });
    let gone = before.0.iter().filter(|(key, _)| now.0.get(key).is_none());
    new.chain(gone.map(|(key, entry)| (&**key, Some(entry), None))).collect()
}

fn change<T>(kind: Kind, key: &str, (old, new): (Held<'_, T>, Held<'_, T>), row: Option<Row>) -> Change {
    let [before, after] = [old, new].map(|entry| entry.map(|entry| entry.text()));
    let [old_version, new_version] = [old, new].map(|entry| entry.map(|entry| entry.version()));
    let words = changes(kind, key, before, after);
    Change {
        event: "change",
        unix_ms: unix_ms(),
        kind: noun(kind),
        key: key.to_owned(),
        old_version,
        new_version,
        words,
        row,
    }
}
