//! What evaluations find wrong, told once for each flag and content: data that make no sense, prerequisites that are missing
//! or go in circles, a value of another type than asked for; at DEBUG, keys that no flag has.
//!
//! All of it is off the path of an evaluation that succeeds, and never waits for a lock that another thread may hold: a child
//! of a fork may inherit it locked. May depend on `store`, `eval`, `context`, `model`.

use std::collections::HashSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::notifications::Area;
use super::{Ask, Client, Wanted};
use crate::context::Context;
use crate::eval::{Detail, ErrorKind, Observer, Reason, Trouble};
use crate::model::{Flag, excerpt};
use crate::store::{FlagEntry, Level, Told, monotonic_ms};

/// How many lines may be told in one window; what is left over is told later, if it is met again.
const LINES: u32 = 30;
const WINDOW_MS: u64 = 60_000;
/// Unknown keys that are remembered as told; hosts may ask for any number of them.
const MOST_UNKNOWN: usize = 1_000;
const LONGEST_KEY: usize = 200;

/// What has been told.
#[derive(Debug, Default)]
pub struct ToldLines {
    since: AtomicU64,
    count: AtomicU32,
    unknown: Mutex<HashSet<Box<str>>>,
}

impl ToldLines {
    fn admits(&self) -> bool {
        let now = monotonic_ms();
        let since = self.since.load(Relaxed);
        if now.saturating_sub(since) >= WINDOW_MS && self.since.compare_exchange(since, now, Relaxed, Relaxed).is_ok() {
            self.count.store(0, Relaxed);
        }
        self.count.fetch_update(Relaxed, Relaxed, |count| (count < LINES).then_some(count + 1)).is_ok()
    }

    /// True once for each key.
    fn is_new(&self, key: &str) -> bool {
        let Ok(mut unknown) = self.unknown.try_lock() else { return false };
        if unknown.contains(key) || !self.admits() {
            return false;
        }
        if unknown.len() >= MOST_UNKNOWN {
            unknown.clear();
        }
        unknown.insert(Box::from(key))
    }
}

/// Tells what one evaluation finds wrong, and records the prerequisites that it evaluates.
pub(super) struct Witness<'a> {
    pub(super) client: &'a Client,
    pub(super) entry: &'a FlagEntry,
    pub(super) context: &'a Context,
    /// Whether prerequisites are recorded.
    pub(super) records: bool,
    pub(super) ask: Ask<'a>,
}

impl Observer for Witness<'_> {
    #[inline]
    fn prerequisite(&mut self, owner: &Flag, prerequisite: &Flag, detail: &Detail<'_>) {
        if self.records {
            self.client.record(prerequisite, detail, self.context, self.ask, Some(owner));
        }
    }

    #[cold]
    fn trouble(&mut self, trouble: Trouble<'_>) {
        self.client.tell_trouble(self.entry, trouble);
    }
}

impl Client {
    /// Something is wrong with what the flag refers to.
    #[cold]
    pub(super) fn tell_trouble(&self, entry: &FlagEntry, trouble: Trouble<'_>) {
        match trouble {
            Trouble::MissingPrerequisite { .. } => {
                self.tell(entry, Told::MissingPrerequisite, Level::Warn, format_args!("{trouble}"));
            }
            _ => self.tell(entry, Told::Malformed, Level::Warn, format_args!("{trouble}; the default is returned")),
        }
    }

    /// The evaluation has no value. What is wrong with references has been told.
    #[cold]
    pub(super) fn tell_no_value(&self, entry: &FlagEntry, reason: Reason<'_>) {
        if reason == Reason::Error(ErrorKind::MalformedFlag) {
            let what =
                "its data make no sense (an index that it does not have, nothing to serve, or a malformed attribute)";
            self.tell(entry, Told::Malformed, Level::Warn, format_args!("{what}; the default is returned"));
        }
    }

    /// The value is of another type than asked for.
    #[cold]
    pub(super) fn tell_wrong_type(&self, entry: &FlagEntry, wanted: Wanted) {
        let wanted = match wanted {
            Wanted::Any => "any value",
            Wanted::Bool => "a bool",
            Wanted::Number => "a number",
            Wanted::String => "a string",
            Wanted::Json => "JSON",
        };
        let what = format_args!("it was asked for {wanted}, but its value is of another type; the default is returned");
        self.tell(entry, Told::WrongType, Level::Warn, what);
    }

    /// The value is no stage of a migration.
    #[cold]
    pub(super) fn tell_no_stage(&self, entry: &FlagEntry) {
        let what =
            format_args!("it was asked for the stage of a migration, but its value is none; the default is returned");
        self.tell(entry, Told::WrongType, Level::Warn, what);
    }

    /// An argument of the host is not what it should be, and not because of any flag; told once.
    #[cold]
    pub fn tell_misuse(&self, what: fmt::Arguments<'_>) {
        if !self.misused.swap(true, Relaxed) {
            self.current().log(Area::Client, Level::Error, format_args!("{what}; the default is returned"));
        }
    }

    /// There is no flag of this key.
    #[cold]
    pub(super) fn tell_unknown(&self, key: &str) {
        if self.log_level <= Level::Debug && self.told.is_new(key) {
            let key = excerpt(key, LONGEST_KEY);
            self.current().log(
                Area::Client,
                Level::Debug,
                format_args!("there is no flag {key:?}; the default is returned"),
            );
        }
    }

    fn tell(&self, entry: &FlagEntry, told: Told, level: Level, what: fmt::Arguments<'_>) {
        if entry.was_told(told) || self.log_level > level || !self.told.admits() || !entry.tell(told) {
            return;
        }
        let Some(flag) = entry.live() else { return };
        let (key, version) = (excerpt(&flag.key, LONGEST_KEY), flag.version);
        self.current().log(Area::Client, level, format_args!("flag {key:?} (version {version}): {what}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_rationed_and_unknown_keys_told_once() {
        let told = ToldLines::default();
        assert!(told.is_new("a") && !told.is_new("a") && told.is_new("b"));
        assert_eq!((0..100).filter(|_| told.admits()).count(), LINES as usize - 2);
        assert!(!told.is_new("c"), "no more in this window");
        told.since.store(0, Relaxed);
        told.count.store(0, Relaxed);
        assert!(told.is_new("c"), "and told later");
    }

    #[test]
    fn the_keys_that_are_remembered_are_bounded() {
        let told = ToldLines::default();
        for number in 0..5_000 {
            told.count.store(0, Relaxed);
            assert!(told.is_new(&number.to_string()));
        }
        assert!(told.unknown.lock().unwrap().len() <= MOST_UNKNOWN);
    }
}
