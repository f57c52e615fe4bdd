//! What is summed up: how often each variation of each flag was served between two flushes.

use std::collections::BTreeSet;

use foldhash::quality::RandomState;
use hashbrown::hash_map::{EntryRef, HashMap};

/// The counts of one window. Times are milliseconds since 1970.
#[derive(Debug, Default)]
pub struct Summary {
    /// The first evaluation of the window; 0 when there was none.
    pub start: i64,
    /// The end of the window.
    pub end: i64,
    /// By the key of the flag.
    pub flags: HashMap<Box<str>, FlagSummary, RandomState>,
}

/// The counts of one flag.
#[derive(Debug, Default)]
pub struct FlagSummary {
    /// When it was evaluated first.
    pub since: i64,
    /// The default of the first evaluation as JSON text; `None` stands for null.
    pub default: Option<Box<str>>,
    /// The kinds of the contexts.
    pub kinds: BTreeSet<Box<str>>,
    /// By version and variation; no two of the same.
    pub counters: Vec<Counter>,
}

/// How often one thing was served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// The flag's version; `None` when there was no such flag.
    pub version: Option<i64>,
    /// The variation; `None` when the default was served.
    pub variation: Option<u32>,
    /// What was served the first time as JSON text; `None` stands for null.
    pub value: Option<Box<str>>,
    /// How often.
    pub count: u64,
}

impl Summary {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// The window reaches back to this moment at least.
    pub(super) fn reach(&mut self, at: i64) {
        if self.start == 0 || at < self.start {
            self.start = at;
        }
        self.end = self.end.max(at);
    }

    /// The counts of a flag that was evaluated first at `since`, as far as it is known here, and with this default.
    pub(super) fn flag(&mut self, key: &str, since: i64, default: Option<&str>) -> &mut FlagSummary {
        let flag = match self.flags.entry_ref(key) {
            EntryRef::Occupied(known) => known.into_mut(),
            EntryRef::Vacant(place) => place.insert_with_key(Box::from(key), FlagSummary::default()),
        };
        if since < flag.since || flag.counters.is_empty() {
            (flag.since, flag.default) = (since, default.map(Box::from));
        }
        flag
    }
}

impl FlagSummary {
    /// Whether there is something to tell.
    pub(super) fn has_counted(&self) -> bool {
        !self.counters.is_empty()
    }

    /// Counts one more evaluation of a flag that does not exist; false where this is the first.
    pub(super) fn add_unknown(&mut self) -> bool {
        let counter = self.counters.first_mut().filter(|counter| counter.version.is_none());
        counter.map(|counter| counter.count += 1).is_some()
    }

    /// Adds to the counter of a version and variation; `value` counts for the first one.
    pub(super) fn add(&mut self, version: Option<i64>, variation: Option<u32>, value: Option<&str>, count: u64) {
        let place = self.counters.binary_search_by_key(&(version, variation), |known| (known.version, known.variation));
        let place = place.unwrap_or_else(|place| {
            self.counters.insert(place, Counter { version, variation, value: value.map(Box::from), count: 0 });
            place
        });
        if let Some(counter) = self.counters.get_mut(place) {
            counter.count += count;
        }
    }
}
