//! What is summed up: how often each variation of each flag was served between two flushes.

use std::collections::BTreeSet;

use hashbrown::HashMap;

/// The counts of one window. Times are milliseconds since 1970.
#[derive(Debug, Default)]
pub struct Summary {
    /// The first evaluation of the window; 0 when there was none.
    pub start: i64,
    /// The end of the window.
    pub end: i64,
    /// By the key of the flag.
    pub flags: HashMap<String, FlagSummary>,
}

/// The counts of one flag.
#[derive(Debug, Default)]
pub struct FlagSummary {
    /// The default of the first evaluation as JSON text; `None` stands for null.
    pub default: Option<Box<str>>,
    /// The kinds of the contexts.
    pub kinds: BTreeSet<Box<str>>,
    /// No two of the same version and variation.
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

    /// The counts of a flag; the default is asked for at the first one.
    pub(super) fn flag(&mut self, key: &str, default: impl FnOnce() -> Option<Box<str>>) -> &mut FlagSummary {
        let fresh = || FlagSummary { default: default(), ..FlagSummary::default() };
        self.flags.entry_ref(key).or_insert_with(fresh)
    }
}

impl FlagSummary {
    /// Whether there is something to tell.
    pub(super) fn has_counted(&self) -> bool {
        !self.counters.is_empty()
    }

    /// Adds to the counter of a version and variation; the value is asked for at the first one.
    pub(super) fn add(
        &mut self,
        version: Option<i64>,
        variation: Option<u32>,
        count: u64,
        value: impl FnOnce() -> Option<Box<str>>,
    ) {
        let same = |counter: &&mut Counter| (counter.version, counter.variation) == (version, variation);
        match self.counters.iter_mut().find(same) {
            Some(counter) => counter.count += count,
            None => self.counters.push(Counter { version, variation, value: value(), count }),
        }
    }

    /// Notes kinds of contexts.
    pub(super) fn see<'a>(&mut self, kinds: impl Iterator<Item = &'a str>) {
        for kind in kinds {
            if !self.kinds.contains(kind) {
                self.kinds.insert(Box::from(kind));
            }
        }
    }
}
