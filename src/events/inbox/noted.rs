//! A tally with what does not fit it, and what is taken of both at a flush.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::call::Given;
use super::room::{ENTRY, Room};
use crate::context::{Context, KindSet};
use crate::events::summary::Summary;
use crate::model::Tally;

/// A tally that is drained here.
#[derive(Debug)]
pub(super) struct Noted {
    tally: Arc<Tally>,
    /// When the tally was opened; nothing when it was not since the latest drain.
    since: Option<i64>,
    /// The first default since then, or the one before: whoever counts while a drain closes the tally gives none.
    default: Option<Box<str>>,
    /// Likewise the kinds of contexts.
    kinds: KindSet,
    /// Kinds of contexts that have no number.
    others: BTreeSet<Box<str>>,
    /// How often the default was served, and its value the first time.
    defaulted: u64,
    default_served: Option<Box<str>>,
}

impl Noted {
    pub(super) fn new(tally: Arc<Tally>) -> Self {
        Self {
            tally,
            since: None,
            default: None,
            kinds: KindSet::default(),
            others: BTreeSet::new(),
            defaulted: 0,
            default_served: None,
        }
    }

    pub(super) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Whether nobody else holds the tally: then nobody counts there any more, and all that was counted is seen.
    pub(super) fn is_gone(&mut self) -> bool {
        Arc::get_mut(&mut self.tally).is_some()
    }

    /// Notes what the tally cannot, and lets contexts of these kinds be counted by their threads.
    pub(super) fn note(&mut self, mark: u64, at: i64, context: &Context, default: &mut Given<'_>, room: &mut Room) {
        if self.since.is_none() {
            self.since = Some(at);
            self.default = room.keep(default.json());
        }
        let kinds = context.kind_set();
        if kinds.has_others() {
            room.extend(&mut self.others, context.kinds());
        }
        // Not the others: which of them are meant, the tally cannot tell.
        self.tally.note_kinds(kinds.numbered().to_bits());
        self.tally.open(mark);
    }

    /// Counts that the default was served.
    pub(super) fn add_default(&mut self, default: &mut Given<'_>, room: &mut Room) {
        if self.defaulted == 0 {
            self.default_served = room.keep(default.json());
        }
        self.defaulted += 1;
    }

    /// The tally, for whoever looks what it has counted, and how often the default was served.
    pub(super) fn count(&self) -> (Arc<Tally>, u64) {
        (Arc::clone(&self.tally), self.defaulted)
    }

    /// Closes the tally and takes what it has counted.
    pub(super) fn drain(&mut self) -> Option<Row> {
        self.tally.close();
        let counts: Vec<(u32, u64)> = self.tally.take_counts().collect();
        let kinds = KindSet::from_bits(self.tally.take_kinds());
        let since = self.since.take();
        if since.is_some() {
            self.kinds = kinds;
        }
        let (defaulted, others) = (std::mem::take(&mut self.defaulted), std::mem::take(&mut self.others));
        (!counts.is_empty() || defaulted > 0).then(|| Row {
            tally: Arc::clone(&self.tally),
            since,
            default: self.default.clone(),
            kinds: self.kinds,
            others,
            counts,
            defaulted,
            default_served: self.default_served.take(),
        })
    }
}

/// What one tally has counted.
#[derive(Debug)]
pub(super) struct Row {
    tally: Arc<Tally>,
    since: Option<i64>,
    default: Option<Box<str>>,
    kinds: KindSet,
    others: BTreeSet<Box<str>>,
    counts: Vec<(u32, u64)>,
    defaulted: u64,
    default_served: Option<Box<str>>,
}

impl Row {
    /// When it was begun; those that were not come last.
    pub(super) fn begin(&self) -> i64 {
        self.since.unwrap_or(i64::MAX)
    }

    /// How many evaluations were counted by variation.
    pub(super) fn counted(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// How many evaluations it tells of.
    pub(super) fn evaluations(&self) -> u64 {
        self.counted() + self.defaulted
    }

    /// How many bytes it adds to a summary, roughly: nothing where that has the same already.
    pub(super) fn weight(&self, summary: &Summary) -> usize {
        let (known, version) = (summary.flags.get(self.tally.key()), Some(self.tally.version()));
        let is_new = |variation: Option<u32>| known.is_none_or(|flag| !flag.counts(version, variation));
        let values = self.counts.iter().filter(|(variation, _)| is_new(Some(*variation)));
        let values = values.map(|(variation, _)| self.tally.value(*variation).unwrap_or_default());
        let served = (self.defaulted > 0 && is_new(None)).then(|| self.default_served.as_deref().unwrap_or_default());
        let is_first = known.is_none_or(|flag| self.begin() < flag.since);
        let default = is_first.then(|| self.default.as_deref().unwrap_or_default());
        let key = known.is_none().then(|| self.tally.key());
        let kinds = self.others.iter().map(|kind| &**kind);
        let kinds = kinds.filter(|kind| known.is_none_or(|flag| !flag.kinds.contains(*kind)));
        let texts = values.chain(served).chain(default).chain(key).chain(kinds);
        texts.map(|text| text.len() + ENTRY).sum()
    }

    /// How many bytes were taken for it since the latest flush.
    pub(super) fn taken(&self) -> usize {
        let default = self.default.as_deref().filter(|_| self.since.is_some());
        default.into_iter().chain(self.default_served.as_deref()).map(str::len).sum::<usize>()
            + self.others.iter().map(|kind| kind.len() + ENTRY).sum::<usize>()
    }

    pub(super) fn add_to(self, summary: &mut Summary) {
        if let Some(since) = self.since {
            summary.reach(since);
        }
        let flag = summary.flag(self.tally.key(), self.begin(), self.default.as_deref());
        flag.kinds.extend(self.kinds.names().map(Box::from));
        flag.kinds.extend(self.others);
        let version = Some(self.tally.version());
        for (variation, count) in &self.counts {
            flag.add(version, Some(*variation), self.tally.value(*variation), *count);
        }
        if self.defaulted > 0 {
            flag.add(version, None, self.default_served.as_deref(), self.defaulted);
        }
    }
}
