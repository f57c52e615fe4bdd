//! What is summed up: how often each variation of each flag was served between two flushes.

use std::collections::{BTreeSet, HashMap};

/// The counts of one window. Times are milliseconds since 1970.
#[derive(Debug, Default)]
pub struct Summary {
    /// The first evaluation of the window; 0 when there was none.
    pub start: i64,
    /// The end of the window.
    pub end: i64,
    /// By the key of the flag.
    pub flags: HashMap<Box<str>, FlagSummary>,
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

    /// The counts of a flag; `default` counts for the first one.
    pub(super) fn flag(&mut self, key: &str, default: &Option<Box<str>>) -> &mut FlagSummary {
        if !self.flags.contains_key(key) {
            let fresh = FlagSummary { default: default.clone(), ..FlagSummary::default() };
            self.flags.insert(Box::from(key), fresh);
        }
        self.flags.entry(Box::from(key)).or_default()
    }
}

impl FlagSummary {
    /// Whether there is something to tell.
    pub(super) fn has_counted(&self) -> bool {
        !self.counters.is_empty()
    }

    /// Adds to the counter of a version and variation; `value` counts for the first one.
    pub(super) fn add(&mut self, version: Option<i64>, variation: Option<u32>, value: Option<&str>, count: u64) {
        let same = |counter: &&mut Counter| (counter.version, counter.variation) == (version, variation);
        match self.counters.iter_mut().find(same) {
            Some(counter) => counter.count += count,
            None => self.counters.push(Counter { version, variation, value: value.map(Box::from), count }),
        }
    }
}
