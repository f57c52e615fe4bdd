//! Sums up evaluations: drains the tallies of flags, and counts what has none.
//!
//! A tally is closed when it is drained, and opened again by the first evaluation that comes here after that; whoever counts
//! in between finds the tally open still, and is summed up at the next drain. So no count is lost or told twice.

use std::sync::Arc;

use super::call::Call;
use super::noted::{Noted, Row};
use super::room::Room;
use crate::events::ledger::{Counts, Ledger};
use crate::events::summary::{FlagSummary, Summary};
use crate::model::Tally;

/// Most flags that one summary tells of and that do not exist: hosts may ask for any number of them.
const MOST_UNKNOWN: usize = 10_000;
/// From this many bytes on, flags are looked for that are gone and that only their tallies keep in memory.
const SWEEP_FROM: usize = 4 << 20;

/// What was counted since the latest drain.
#[derive(Debug, Default)]
pub(super) struct Sums {
    tallies: Vec<Noted>,
    /// What was counted without a tally, or by a tally whose flag is gone.
    summary: Summary,
    /// Flags of the summary that do not exist.
    unknown: usize,
    room: Room,
    /// Evaluations that were counted by a tally, but not by their own thread.
    pub(super) counted_here: u64,
    /// Evaluations that were counted by tallies whose flags are gone.
    counted_there: u64,
    /// How many bytes the tallies keep in memory, roughly, and from how many on they are swept.
    weight: usize,
    sweep_at: usize,
}

impl Sums {
    /// Counts one evaluation, and lets the next ones of the flag be counted by their threads. Gives how many evaluations had
    /// to be dropped.
    pub(super) fn add(&mut self, mark: u64, at: i64, call: &mut Call<'_>) -> u64 {
        let (context, default) = (call.context, &mut call.default);
        match call.evaluated.flag {
            None => self.add_unknown(at, call),
            Some(flag) if flag.exclude_from_summaries => 0,
            Some(flag) => {
                let (place, dropped) = self.place(flag.tally(), mark);
                if let Some(noted) = self.tallies.get_mut(place) {
                    noted.note(mark, at, context, default, &mut self.room);
                    match call.evaluated.variation {
                        Some(variation) => self.counted_here += u64::from(noted.tally().add(variation)),
                        None => noted.add_default(default, &mut self.room),
                    }
                }
                dropped
            }
        }
    }

    fn add_unknown(&mut self, at: i64, call: &mut Call<'_>) -> u64 {
        let key = call.evaluated.key;
        if let Some(flag) = self.summary.flags.get_mut(key)
            && flag.add_unknown()
        {
            self.room.extend(&mut flag.kinds, call.context.kinds());
            return 0;
        }
        let default = call.default.json();
        if !self.summary.flags.contains_key(key) {
            let bytes = key.len() + 2 * default.map_or(0, str::len);
            if self.unknown >= MOST_UNKNOWN || !self.room.take_entry(bytes) {
                return 1;
            }
            self.unknown += 1;
        }
        self.summary.reach(at);
        let flag = self.summary.flag(key, at, default);
        self.room.extend(&mut flag.kinds, call.context.kinds());
        flag.add(None, None, default, 1);
        0
    }

    /// The place of a tally; and how many evaluations had to be dropped for it.
    fn place(&mut self, tally: &Arc<Tally>, mark: u64) -> (usize, u64) {
        let is_here = |place: &usize| self.tallies.get(*place).is_some_and(|noted| Arc::ptr_eq(noted.tally(), tally));
        match tally.place(mark).filter(is_here) {
            Some(place) => (place, 0),
            None => self.settle(tally, mark),
        }
    }

    /// Gives a tally a place. What is in it was counted by another process, or for nobody.
    fn settle(&mut self, tally: &Arc<Tally>, mark: u64) -> (usize, u64) {
        let is_much = self.weight + tally.weight() >= self.sweep_at.max(SWEEP_FROM);
        let dropped = if is_much { self.sweep(mark) } else { 0 };
        self.weight += tally.weight();
        tally.take_counts().for_each(drop);
        tally.take_kinds();
        let place = self.tallies.len();
        tally.settle(mark, place);
        self.tallies.push(Noted::new(Arc::clone(tally)));
        (place, dropped)
    }

    /// Gives up the tallies whose flags are gone.
    fn sweep(&mut self, mark: u64) -> u64 {
        let (mut rows, mut dropped) = (Vec::new(), 0);
        self.drain(mark, false, &mut rows);
        for row in rows {
            self.counted_there += row.counted();
            self.room.give(row.taken());
            if self.room.take(row.weight(&self.summary)) {
                row.add_to(&mut self.summary);
            } else {
                dropped += row.evaluations();
            }
        }
        self.sweep_at = self.weight * 2;
        dropped
    }

    /// What was counted since the latest drain, which stays. It is looked through without the lock.
    pub(super) fn undrained(&self) -> Undrained {
        let counts = |flag: &FlagSummary| flag.counters.iter().map(|one| (one.variation, one.count)).collect();
        Undrained {
            tallies: self.tallies.iter().map(Noted::count).collect(),
            summary: self.summary.flags.iter().map(|(key, flag)| (key.clone(), counts(flag))).collect(),
        }
    }

    /// Takes what was counted up to this moment. To sum it up takes longer, and is done when nobody waits.
    pub(super) fn take(&mut self, mark: u64) -> Drained {
        let mut rows = Vec::new();
        self.drain(mark, true, &mut rows);
        (self.unknown, self.room) = (0, Room::default());
        Drained {
            summary: std::mem::take(&mut self.summary),
            rows,
            counted_here: std::mem::take(&mut self.counted_here),
            counted_there: std::mem::take(&mut self.counted_there),
        }
    }

    /// Drains the tallies, `all` of them or those whose flags are gone, and gives the latter up.
    fn drain(&mut self, mark: u64, all: bool, rows: &mut Vec<Row>) {
        let (mut place, mut weight) = (0, 0);
        self.tallies.retain_mut(|noted| {
            // Looked at before the counts are taken: after that it would prove nothing.
            let is_gone = noted.is_gone();
            if all || is_gone {
                rows.extend(noted.drain());
            }
            if !is_gone {
                noted.tally().settle(mark, place);
                place += 1;
                weight += noted.tally().weight();
            }
            !is_gone
        });
        self.weight = weight;
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
        let counted = self.counted_there + self.rows.iter().map(Row::counted).sum::<u64>();
        self.rows.sort_by_key(Row::begin);
        self.rows.into_iter().for_each(|row| row.add_to(&mut self.summary));
        if !self.summary.is_empty() {
            self.summary.reach(at);
        }
        (self.summary, counted.saturating_sub(self.counted_here))
    }
}

/// What was counted and not drained.
pub(super) struct Undrained {
    /// Each with how often the default was served.
    tallies: Vec<(Arc<Tally>, u64)>,
    /// By flag.
    summary: Vec<(Box<str>, Counts)>,
}

impl Undrained {
    pub(super) fn add_to(&self, ledger: &mut Ledger) {
        for (key, counts) in &self.summary {
            counts.iter().for_each(|(variation, count)| ledger.add(key, *variation, *count));
        }
        for (tally, defaulted) in &self.tallies {
            tally.counts().for_each(|(variation, count)| ledger.add(tally.key(), Some(variation), count));
            if *defaulted > 0 {
                ledger.add(tally.key(), None, *defaulted);
            }
        }
    }
}

#[cfg(test)]
impl Sums {
    /// Number of tallies that are kept.
    pub(super) fn tallies(&self) -> usize {
        self.tallies.len()
    }

    /// Leaves so much room until the next drain.
    pub(super) fn leave(&mut self, bytes: usize) {
        self.room = Room::of(bytes);
    }
}
