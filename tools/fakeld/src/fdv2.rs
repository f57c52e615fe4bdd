//! How the second protocol tells of an environment: the states that it went through, and what leads from one to the next.

use serde_json::json;

use crate::environment::{Environment, Kind, quoted};
use crate::stream::event;

/// An event of the protocol: its name and its data.
type Event = (&'static str, String);

/// The states of one environment.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Of whose states this is: those of another server are unknown.
    pub(crate) name: String,
    state: u64,
    /// From this state on it is known what has changed.
    floor: u64,
    /// What led to a state.
    changes: Vec<(u64, Event)>,
}

impl History {
    /// An item was added or replaced. Returns what is to be sent.
    pub(crate) fn put(&mut self, kind: Kind, key: &str, item: &str) -> Vec<u8> {
        self.note(put_object(kind, key, item))
    }

    /// An item was deleted.
    pub(crate) fn delete(&mut self, kind: Kind, key: &str, version: i64) -> Vec<u8> {
        let data = format!(r#"{{"version":{version},"kind":"{}","key":{}}}"#, word(kind), quoted(key));
        self.note(("delete-object", data))
    }

    /// Something has changed of which nobody knows what it was.
    pub(crate) fn forget(&mut self) {
        self.state += 1;
        self.floor = self.state;
        self.changes.clear();
    }

    fn note(&mut self, change: Event) -> Vec<u8> {
        self.state += 1;
        self.changes.push((self.state, change.clone()));
        bytes(&[change, self.transferred()])
    }

    fn transferred(&self) -> Event {
        ("payload-transferred", json!({"state": self.state_name(), "version": self.state}).to_string())
    }

    fn state_name(&self) -> String {
        format!("{} {}", self.name, self.state)
    }

    /// Everything, for streams that are connected.
    pub(crate) fn everything(&self, environment: &Environment) -> Vec<u8> {
        bytes(&self.since(environment, None))
    }

    /// What is to be sent to whom this state is known.
    pub(crate) fn since(&self, environment: &Environment, basis: Option<&str>) -> Vec<Event> {
        let known = basis.and_then(|basis| basis.strip_prefix(&self.name)?.trim().parse::<u64>().ok());
        match known.filter(|known| (self.floor..=self.state).contains(known)) {
            Some(known) if known == self.state => vec![self.intent("none", "up-to-date")],
            Some(known) => {
                let changes = self.changes.iter().filter(|(state, _)| *state > known);
                let changes = changes.map(|(_, change)| change.clone());
                let begin = [self.intent("xfer-changes", "stale")];
                begin.into_iter().chain(changes).chain([self.transferred()]).collect()
            }
            None => {
                let reason = if basis.is_some() { "cant-catchup" } else { "payload-missing" };
                let items = environment.items().map(|(kind, key, item)| put_object(kind, key, item));
                let begin = [self.intent("xfer-full", reason)];
                begin.into_iter().chain(items).chain([self.transferred()]).collect()
            }
        }
    }

    fn intent(&self, code: &str, reason: &str) -> Event {
        let payload = json!({"id": self.name, "target": self.state, "intentCode": code, "reason": reason});
        ("server-intent", json!({ "payloads": [payload] }).to_string())
    }
}

/// Events as a stream sends them.
pub(crate) fn bytes(events: &[Event]) -> Vec<u8> {
    events.iter().flat_map(|(name, data)| event(name, data)).collect()
}

/// Events as a poll answers them.
pub(crate) fn body(events: &[Event]) -> String {
    let events: Vec<String> =
        events.iter().map(|(name, data)| format!(r#"{{"event":"{name}","data":{data}}}"#)).collect();
    format!(r#"{{"events":[{}]}}"#, events.join(","))
}

fn put_object(kind: Kind, key: &str, item: &str) -> Event {
    let version = serde_json::from_str::<serde_json::Value>(item).ok().and_then(|item| item["version"].as_i64());
    let (kind, key, version) = (word(kind), quoted(key), version.unwrap_or(0));
    ("put-object", format!(r#"{{"version":{version},"kind":"{kind}","key":{key},"object":{item}}}"#))
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "flag",
        Kind::Segment => "segment",
    }
}
