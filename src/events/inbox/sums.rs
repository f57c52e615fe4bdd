//! Sums up evaluations: drains the tallies of flags, and counts what has none.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::context::{Context, KindSet};
use crate::events::recorder::Evaluated;
use crate::events::summary::Summary;
use crate::model::{Flag, Tally};

/// Most flags that one summary tells of and that do not exist: hosts may ask for any number of them.
const MOST_UNKNOWN: usize = 10_000;
/// From this many tallies on it is looked whether some belong to flags that are gone.
const SWEEP_FROM: usize = 1024;

/// What was counted since the latest drain.
#[derive(Debug, Default)]
pub(super) struct Sums {
    tallies: Vec<Noted>,
    /// What was counted without a tally, or by a tally whose flag is gone.
    summary: Summary,
    /// Flags of the summary that do not exist.
    unknown: usize,
    /// Evaluations that were counted here rather than by their thread.
    pub(super) counted_here: u64,
    /// Evaluations of the summary that were counted by a tally.
    counted_there: u64,
    sweep_at: usize,
}

/// A tally with what does not fit it.
#[derive(Debug)]
struct Noted {
    tally: Arc<Tally>,
    /// The first default since the latest drain, or the one before it: whoever counts while a drain closes the tally gives none.
    default: Option<Box<str>>,
    /// When the tally was opened; 0 when it was not since the latest drain.
    since: i64,
    /// The kinds seen before the latest drain: whoever counts while it closes the tally notes none.
    kinds: KindSet,
    /// How often the default was served, and its value the first time.
    defaulted: u64,
    default_served: Option<Box<str>>,
    /// Kinds of contexts that have no number.
    others: BTreeSet<Box<str>>,
}

impl Sums {
    /// Counts one evaluation, and lets the next ones of the flag be counted by their threads.
    pub(super) fn add(&mut self, mark: u64, at: i64, context: &Context, evaluated: &Evaluated<'_>) {
        match evaluated.flag {
            None => self.add_unknown(at, context, evaluated),
            Some(flag) if flag.exclude_from_summaries => {}
            Some(flag) => self.add_known(flag, mark, at, context, evaluated),
        }
    }

    fn add_unknown(&mut self, at: i64, context: &Context, evaluated: &Evaluated<'_>) {
        if !self.summary.flags.contains_key(evaluated.key) {
            if self.unknown >= MOST_UNKNOWN {
                return;
            }
            self.unknown += 1;
        }
        self.summary.reach(at);
        let flag = self.summary.flag(evaluated.key, || evaluated.default.to_json());
        flag.see(context.kinds());
        flag.add(None, None, 1, || evaluated.default.to_json());
    }

    fn add_known(&mut self, flag: &Flag, mark: u64, at: i64, context: &Context, evaluated: &Evaluated<'_>) {
        let tally = flag.tally();
        let place = tally.place(mark).unwrap_or_else(|| self.settle(tally, mark));
        let Some(noted) = self.tallies.get_mut(place) else { return };
        if noted.since == 0 {
            noted.since = at;
            noted.default = evaluated.default.to_json();
        }
        let kinds = context.kind_set();
        tally.note_kinds(kinds.to_bits());
        if kinds.has_others() {
            noted.others.extend(context.kinds().map(Box::from));
        }
        match evaluated.variation {
            Some(variation) => {
                self.counted_here += u64::from(tally.add(variation));
            }
            None => {
                if noted.defaulted == 0 {
                    noted.default_served = evaluated.default.to_json();
                }
                noted.defaulted += 1;
            }
        }
        if !kinds.has_others() {
            tally.open(mark);
        }
    }

    /// Gives a tally a place. What is in it was counted by another process, or for nobody.
    fn settle(&mut self, tally: &Arc<Tally>, mark: u64) -> usize {
        if self.tallies.len() >= self.sweep_at.max(SWEEP_FROM) {
            let mut rows = Vec::new();
            self.drain(mark, |tally| Arc::strong_count(tally) == 1, &mut rows);
            self.counted_there += rows.into_iter().map(|row| row.add_to(&mut self.summary)).sum::<u64>();
            self.sweep_at = self.tallies.len() * 2;
        }
        tally.take_counts().for_each(drop);
        tally.take_kinds();
        let place = self.tallies.len();
        tally.settle(mark, place);
        self.tallies.push(Noted::new(Arc::clone(tally)));
        place
    }

    /// Takes what was counted up to this moment. To sum it up takes longer, and is done when nobody waits.
    pub(super) fn take(&mut self, mark: u64) -> Drained {
        let mut rows = Vec::new();
        self.drain(mark, |_| true, &mut rows);
        self.unknown = 0;
        Drained {
            summary: std::mem::take(&mut self.summary),
            rows,
            counted_here: std::mem::take(&mut self.counted_here),
            counted_there: std::mem::take(&mut self.counted_there),
        }
    }

    /// Drains the tallies that are `due`, and gives up those whose flags are gone: nobody can count there any more.
    fn drain(&mut self, mark: u64, due: impl Fn(&Arc<Tally>) -> bool, rows: &mut Vec<Row>) {
        let mut place = 0;
        self.tallies.retain_mut(|noted| {
            // Looked at before the counts are taken: after that it would prove nothing.
            let is_gone = Arc::strong_count(&noted.tally) == 1;
            if due(&noted.tally) {
                rows.extend(noted.drain());
            }
            if is_gone {
                return false;
            }
            noted.tally.settle(mark, place);
            place += 1;
            true
        });
    }
}

impl Noted {
    fn new(tally: Arc<Tally>) -> Self {
        Self {
            tally,
            default: None,
            since: 0,
            kinds: KindSet::default(),
            defaulted: 0,
            default_served: None,
            others: BTreeSet::new(),
        }
    }

    /// Closes the tally and takes what it has counted.
    fn drain(&mut self) -> Option<Row> {
        self.tally.close();
        let counts: Vec<(u32, u64)> = self.tally.take_counts().collect();
        let kinds = KindSet::from_bits(self.tally.take_kinds());
        if kinds != KindSet::default() {
            self.kinds = kinds;
        }
        let (since, defaulted) = (std::mem::take(&mut self.since), std::mem::take(&mut self.defaulted));
        (!counts.is_empty() || defaulted > 0).then(|| Row {
            tally: Arc::clone(&self.tally),
            default: self.default.clone(),
            since,
            counts,
            defaulted,
            default_served: self.default_served.take(),
            kinds: self.kinds,
            others: std::mem::take(&mut self.others),
        })
    }
}

/// What one tally has counted.
#[derive(Debug)]
struct Row {
    tally: Arc<Tally>,
    default: Option<Box<str>>,
    since: i64,
    counts: Vec<(u32, u64)>,
    defaulted: u64,
    default_served: Option<Box<str>>,
    kinds: KindSet,
    others: BTreeSet<Box<str>>,
}

impl Row {
    /// Adds itself; gives how many evaluations were counted by variation.
    fn add_to(self, summary: &mut Summary) -> u64 {
        if self.since != 0 {
            summary.reach(self.since);
        }
        let flag = summary.flag(self.tally.key(), || self.default);
        flag.see(self.kinds.names());
        flag.kinds.extend(self.others);
        let version = Some(self.tally.version());
        for (variation, count) in &self.counts {
            flag.add(version, Some(*variation), *count, || self.tally.value(*variation).map(Box::from));
        }
        if self.defaulted > 0 {
            flag.add(version, None, self.defaulted, || self.default_served);
        }
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

/// What was taken, not yet summed up.
#[derive(Debug)]
pub(super) struct Drained {
    summary: Summary,
    rows: Vec<Row>,
    counted_here: u64,
    counted_there: u64,
}

impl Drained {
    /// The summary up to `at`, and how many evaluations their own threads have counted.
    pub(super) fn sum_up(mut self, at: i64) -> (Summary, u64) {
        let counted: u64 = self.rows.into_iter().map(|row| row.add_to(&mut self.summary)).sum();
        if !self.summary.is_empty() {
            self.summary.reach(at);
        }
        (self.summary, (self.counted_there + counted).saturating_sub(self.counted_here))
    }
}
