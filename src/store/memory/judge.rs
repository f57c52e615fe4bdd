//! Decides what becomes of a text that was read: the same as held, newly in force, or unreadable, in which case a good
//! earlier version stays in force. Used by the store thread alone. May depend on `model`.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex};

use crate::model::{Interner, Kind, lock};
use crate::store::memory::entry::{Entry, Item, State, Told};
use crate::store::status::{Level, Listener};

/// What a text turned out to be, compared with what is held.
#[derive(Debug)]
pub enum Verdict<T> {
    /// What is held stays in force.
    Keep,
    /// This is in force from now on.
    Replace(Arc<Entry<T>>),
}

/// A change of one held item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Flag or segment.
    pub kind: Kind,
    /// Its key.
    pub key: Arc<str>,
    /// Version held before, `None` when it was not held.
    pub old: Option<i64>,
    /// Version held now, `None` when it is not held any more.
    pub new: Option<i64>,
}

/// Parses what is new and remembers what does not parse, so that each bad content is reported once.
#[derive(Default)]
pub struct Judge {
    interner: Interner,
    /// Hash of the bad content by key: an item that is evicted and read again is not reported again.
    bad_flags: HashMap<Box<str>, u64>,
    bad_segments: HashMap<Box<str>, u64>,
    remarked: Arc<Mutex<Remarked>>,
    hasher: RandomState,
    /// Fields whose names are not UTF-8, at the latest full read.
    pub unnameable: usize,
}

impl Judge {
    /// Tells nothing that was told already by whoever shares `remarked`.
    pub fn sharing(remarked: &Arc<Mutex<Remarked>>) -> Self {
        Self { remarked: remarked.clone(), ..Self::default() }
    }

    /// Compares `text` with what is held under `key`.
    pub fn judge<T: Item>(
        &mut self,
        kind: Kind,
        key: &str,
        held: Option<&Arc<Entry<T>>>,
        text: Vec<u8>,
        listener: &dyn Listener,
    ) -> Verdict<T> {
        if let Some(held) = held
            && held.text() == text
        {
            if held.is_superseded() {
                held.set_superseded(false);
            }
            // What was delivered here is held before it is read.
            if !matches!(held.state(), State::Unreadable) {
                self.forget(kind, key);
            }
            return Verdict::Keep;
        }
        let suspect = self.bad(kind).get(key).copied();
        let reported = suspect.is_some_and(|bad| bad == self.hasher.hash_one(&text));
        if reported && held.is_some_and(|held| held.live().is_some()) {
            return Verdict::Keep;
        }
        let (entry, error) = Entry::parse(key, text, &mut self.interner);
        let Some(error) = error else {
            self.forget(kind, key);
            if !entry.remarks().is_empty() {
                lock(&self.remarked).tell(kind, key, &entry, listener);
            }
            if let Some(held) = held {
                entry.inherit_use(held);
            }
            return Verdict::Replace(Arc::new(entry));
        };
        if !reported {
            let content = self.hasher.hash_one(entry.text());
            self.bad(kind).insert(Box::from(key), content);
            report(kind, key, &error, held.is_some(), listener);
        }
        match held {
            Some(held) if held.live().is_some() => {
                held.set_superseded(true);
                Verdict::Keep
            }
            _ => Verdict::Replace(Arc::new(entry)),
        }
    }

    /// The item is not held any more.
    pub fn forget(&mut self, kind: Kind, key: &str) {
        let bad = self.bad(kind);
        if !bad.is_empty() {
            bad.remove(key);
        }
    }

    /// Forgets what is not among the items that a whole read found.
    pub fn retain(&mut self, kind: Kind, found: impl Fn(&str) -> bool) {
        self.bad(kind).retain(|key, _| found(key));
    }

    /// Number of items in Redis that do not parse.
    pub fn malformed(&self) -> usize {
        self.bad_flags.len() + self.bad_segments.len() + self.unnameable
    }

    fn bad(&mut self, kind: Kind) -> &mut HashMap<Box<str>, u64> {
        match kind {
            Kind::Flag => &mut self.bad_flags,
            Kind::Segment => &mut self.bad_segments,
        }
    }
}

/// Contents whose remarks are remembered as told.
const MOST_REMARKED: usize = 1_000;

/// Tells what is remarkable about items that are not all held: one that is evicted and comes again is not told of again.
#[derive(Debug, Default)]
pub struct Remarked {
    /// Hash of contents whose remarks were told.
    told: HashSet<u64>,
    hasher: RandomState,
}

impl Remarked {
    /// Tells it once for each content.
    pub fn tell<T>(&mut self, kind: Kind, key: &str, entry: &Entry<T>, listener: &dyn Listener) {
        if entry.remarks().is_empty() {
            return;
        }
        if self.told.len() >= MOST_REMARKED {
            self.told.clear();
        }
        if self.told.insert(self.hasher.hash_one((kind, key, entry.text()))) {
            tell_remarks(kind, key, entry, listener);
        } else {
            entry.tell(Told::Remarks);
        }
    }
}

/// Tells once what is remarkable about an item that parses.
pub fn tell_remarks<T>(kind: Kind, key: &str, entry: &Entry<T>, listener: &dyn Listener) {
    if entry.remarks().is_empty() || !entry.tell(Told::Remarks) {
        return;
    }
    for remark in entry.remarks() {
        listener.log(Level::Warn, format_args!("{} {key:?}: {remark}", word(kind)));
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "flag",
        Kind::Segment => "segment",
    }
}

fn report(kind: Kind, key: &str, error: &crate::model::ParseError, has_earlier: bool, listener: &dyn Listener) {
    let what = word(kind);
    let consequence = if has_earlier { "its last good version stays in force" } else { "it cannot be evaluated" };
    listener.log(Level::Error, format_args!("{what} {key:?} in Redis does not parse ({error}); {consequence}"));
}
