//! Data that a test sets, for any number of clients.
//!
//! The object outlives clients and is shared by them and by host threads. Its locks are held for a few statements and
//! never while a sink is called. They can nevertheless be inherited locked by a child that is forked while another thread
//! sets data: do not fork and set at the same time.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::control::Control;
use super::outlet::Outlet;
use super::sink::Report;
use crate::model::{
    ChangeKind, ChangeSet, Content, Delivery, Interner, Kind, LARGEST_VERSION, lock, parse_flag, parse_segment, repair,
};

/// Longest wait for attached clients to take a change.
const SETTLE: Duration = Duration::from_secs(1);

/// Data that a test sets. Clones are the same data.
#[derive(Clone, Default)]
pub struct TestData(Arc<Shared>);

/// Why data cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestDataError {
    /// The JSON is no flag or segment.
    #[error("not a valid item: {0}")]
    Invalid(String),
    /// The item has no key.
    #[error("the item has no key")]
    NoKey,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    settled: Condvar,
}

#[derive(Default)]
struct State {
    items: BTreeMap<(Kind, String), Stored>,
    attached: Vec<Attached>,
    next_id: u64,
}

#[derive(Clone)]
struct Stored {
    version: i64,
    /// None for a deleted item.
    json: Option<Arc<str>>,
}

/// A running source.
struct Attached {
    id: u64,
    /// Sources of the parent are of no use in a forked child.
    process: u32,
    thread: ThreadId,
    control: Control,
    waiting: VecDeque<Message>,
    /// The source is handing over what it took from `waiting`.
    busy: bool,
}

#[derive(Clone)]
enum Message {
    Change(Kind, String, Stored),
    Status(Report),
}

impl TestData {
    /// No flags, no segments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces the item whose key is in the JSON. Its version is raised above the previous one if it is not.
    /// Returns when every attached client has taken the change, or after a second.
    pub fn set_json(&self, kind: Kind, json: &str) -> Result<(), TestDataError> {
        let header: Header<'_> =
            serde_json::from_str(json).map_err(|error| TestDataError::Invalid(error.to_string()))?;
        let key = header.key.as_deref().filter(|key| !key.is_empty()).ok_or(TestDataError::NoKey)?;
        check(kind, key, json)?;
        self.change(kind, key, |previous| {
            let (version, json) = header.raise(json, previous)?;
            Ok(Stored { version, json: Some(json.into()) })
        })
    }

    /// Deletes an item; the deletion is newer than what was there. Waits as [`set_json`](Self::set_json) does.
    pub fn delete(&self, kind: Kind, key: &str) {
        // A deletion cannot be refused.
        let _ = self.change(kind, key, |previous| Ok(Stored { version: previous.saturating_add(1), json: None }));
    }

    /// Makes every attached client believe that its source fares like this. Changes go on to be delivered.
    pub fn set_status(&self, report: &Report) {
        self.send(lock(&self.0.state), &Message::Status(report.clone()));
    }

    fn change(
        &self,
        kind: Kind,
        key: &str,
        next: impl FnOnce(i64) -> Result<Stored, TestDataError>,
    ) -> Result<(), TestDataError> {
        let mut state = lock(&self.0.state);
        let identity = (kind, key.to_owned());
        let stored = next(state.items.get(&identity).map_or(0, |item| item.version))?;
        state.items.insert(identity, stored.clone());
        self.send(state, &Message::Change(kind, key.to_owned(), stored));
        Ok(())
    }

    /// Leaves a message for every attached source of this process, and waits until they have taken it.
    fn send(&self, mut state: std::sync::MutexGuard<'_, State>, message: &Message) {
        let process = std::process::id();
        state.attached.retain(|attached| attached.process == process);
        for attached in &mut state.attached {
            attached.waiting.push_back(message.clone());
            attached.control.poke();
        }
        let (thread, end) = (std::thread::current().id(), Instant::now() + SETTLE);
        while state.attached.iter().any(|attached| attached.thread != thread && attached.is_behind()) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.0.settled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn run(&self, outlet: &Outlet<'_>) {
        let attachment = Attachment { data: self, id: self.attach(outlet.control()) };
        let control = outlet.control();
        let mut restarts = None;
        while !control.is_stopped() {
            let wanted = control.restarts();
            if restarts.replace(wanted) != Some(wanted) {
                attachment.deliver_all(outlet);
            }
            while let Some(message) = attachment.take() {
                deliver(message, outlet);
            }
            control.wait_for_poke(wanted);
        }
    }

    fn attach(&self, control: &Control) -> u64 {
        let mut state = lock(&self.0.state);
        let id = state.next_id;
        state.next_id += 1;
        state.attached.push(Attached {
            id,
            process: std::process::id(),
            thread: std::thread::current().id(),
            control: control.clone(),
            waiting: VecDeque::new(),
            busy: true,
        });
        id
    }
}

impl fmt::Debug for TestData {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TestData").finish_non_exhaustive()
    }
}

impl Attached {
    fn is_behind(&self) -> bool {
        !self.control.is_stopped() && (self.busy || !self.waiting.is_empty())
    }
}

/// A source that is attached while this lives, also when it panics.
struct Attachment<'a> {
    data: &'a TestData,
    id: u64,
}

impl Attachment<'_> {
    /// Hands over everything; what was waiting is part of it.
    fn deliver_all(&self, outlet: &Outlet<'_>) {
        let items: Vec<((Kind, String), Stored)> = {
            let mut state = lock(&self.data.0.state);
            if let Some(attached) = state.attached.iter_mut().find(|attached| attached.id == self.id) {
                attached.waiting.retain(|message| matches!(message, Message::Status(_)));
                attached.busy = true;
            }
            state.items.iter().map(|(identity, item)| (identity.clone(), item.clone())).collect()
        };
        let items = items.iter().map(|((kind, key), stored)| item(*kind, key, stored)).collect();
        outlet.apply(ChangeSet::new(ChangeKind::Full, items));
    }

    /// The next message; without one the source is no longer busy.
    fn take(&self) -> Option<Message> {
        let mut state = lock(&self.data.0.state);
        let attached = state.attached.iter_mut().find(|attached| attached.id == self.id)?;
        let message = attached.waiting.pop_front();
        attached.busy = message.is_some();
        if message.is_none() {
            self.data.0.settled.notify_all();
        }
        message
    }
}

impl Drop for Attachment<'_> {
    fn drop(&mut self) {
        lock(&self.data.0.state).attached.retain(|attached| attached.id != self.id);
        self.data.0.settled.notify_all();
    }
}

fn deliver(message: Message, outlet: &Outlet<'_>) {
    match message {
        Message::Change(kind, key, stored) => {
            let items = vec![item(kind, &key, &stored)];
            outlet.apply(ChangeSet::new(ChangeKind::Partial, items));
        }
        Message::Status(report) => outlet.report(report),
    }
}

fn item<'a>(kind: Kind, key: &'a str, stored: &'a Stored) -> Delivery<'a> {
    let content = match &stored.json {
        Some(json) => Content::Json(json.as_bytes()),
        None => Content::Deleted { version: stored.version },
    };
    Delivery { kind, key: Cow::Borrowed(key), content }
}

fn check(kind: Kind, key: &str, json: &str) -> Result<(), TestDataError> {
    let (mut interner, json) = (Interner::default(), repair(json.as_bytes()));
    let result = match kind {
        Kind::Flag => parse_flag(key, &json, &mut interner).map(drop),
        Kind::Segment => parse_segment(key, &json, &mut interner).map(drop),
    };
    result.map_err(|error| TestDataError::Invalid(error.to_string()))
}

/// What tells an item's identity and age, borrowed from its JSON.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow, default)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    version: Option<&'a RawValue>,
}

impl Header<'_> {
    /// The version above `previous` that the item shall have, and its JSON with that version; otherwise unchanged.
    fn raise(&self, json: &str, previous: i64) -> Result<(i64, String), TestDataError> {
        let least = previous.saturating_add(1);
        if least > LARGEST_VERSION {
            return Err(TestDataError::Invalid("no higher version is left".to_owned()));
        }
        let Some(version) = self.version else {
            let inside = json.find('{').map_or(0, |at| at + 1);
            let (open, rest) = json.split_at(inside);
            // The object has a key at least, so something follows the comma.
            return Ok((least, format!("{open}\"version\":{least},{rest}")));
        };
        let text = version.get();
        match text.parse::<i64>() {
            Ok(own) if own > LARGEST_VERSION => {
                return Err(TestDataError::Invalid(format!("version {own} is out of range")));
            }
            Ok(own) if own >= least => return Ok((own, json.to_owned())),
            Ok(_) => {}
            Err(_) => return Err(TestDataError::Invalid("version is not an integer".to_owned())),
        }
        // The raw value is a part of the text, so its address tells where.
        let at = (text.as_ptr() as usize).saturating_sub(json.as_ptr() as usize);
        let before = json.get(..at).unwrap_or_default();
        let after = json.get(at + text.len()..).unwrap_or_default();
        Ok((least, format!("{before}{least}{after}")))
    }
}
