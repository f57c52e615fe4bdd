//! What an evaluation touches: two words that say whether flag and context need anything but a count. No lock, no allocation.
//!
//! It belongs to a client for as long as that lives, over forks as well; what has to be noted goes to the inbox of the process.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::context::Context;
use crate::model::{DefaultValue, Flag};

/// Recognises what was noted before.
#[derive(Debug)]
pub struct Recorder {
    /// Differs between any two clients of a process.
    number: u64,
    /// Differs between clients, and between a process and its forked children: tallies that bear it are drained here.
    mark: AtomicU64,
    /// Changes whenever the contexts are forgotten that have been told.
    window: AtomicU64,
    /// There are no events: nobody is told of contexts, and no evaluation in full.
    only_counts: bool,
}

/// One evaluation, as events need it.
#[derive(Clone, Copy, Debug)]
pub struct Evaluated<'a> {
    /// The key that was asked for.
    pub key: &'a str,
    /// The flag; `None` if there is none that can be read.
    pub flag: Option<&'a Flag>,
    /// The variation that was served; `None` for the default.
    pub variation: Option<u32>,
    /// What the caller gave as default; nothing for a prerequisite.
    pub default: DefaultValue<'a>,
    /// Whether an experiment wants the event in full, tracked or not.
    pub in_experiment: bool,
    /// Why, as a JSON object, where the event in full should say so.
    pub reason: Option<&'a str>,
    /// The key of the flag that required this one.
    pub prerequisite_of: Option<&'a str>,
}

/// A number that the whole process uses once; never 0.
fn next_number() -> u64 {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    NUMBERS.fetch_add(1, Relaxed)
}

impl Recorder {
    /// For a new client in a process of this fork generation.
    pub fn new(generation: u64) -> Self {
        let (mark, window) = (AtomicU64::new(0), AtomicU64::new(0));
        let recorder = Self { number: next_number(), mark, window, only_counts: false };
        recorder.renew(generation);
        recorder
    }

    /// The same where evaluations are counted for metrics, and there are no events.
    pub fn counting(generation: u64) -> Self {
        Self { only_counts: true, ..Self::new(generation) }
    }

    /// In a forked child: nothing that was noted counts any more. Doing it twice is doing it once.
    pub fn renew(&self, generation: u64) {
        self.mark.store((self.number << 32) | (generation & u64::from(u32::MAX)), Relaxed);
        self.forget_contexts();
    }

    /// Counts an evaluation for which nothing has to be noted; false when nothing was counted.
    #[inline]
    pub fn count(&self, flag: &Flag, variation: Option<u32>, context: &Context) -> bool {
        let (Some(variation), Some(tally)) = (variation, flag.counts.get()) else { return false };
        let mark = self.mark.load(Relaxed);
        flag.plain
            && context.was_seen(self.window.load(Relaxed))
            && tally.count(mark, context.kind_set().to_bits(), variation)
            || self.only_counts && tally.count(mark, 0, variation)
    }

    /// Counts an evaluation of a flag that need only be counted, for a context that may have to be told.
    pub(super) fn count_for(&self, evaluated: &Evaluated<'_>, context: &Context) -> bool {
        let (Some(variation), Some(flag)) = (evaluated.variation, evaluated.flag) else { return false };
        let Some(tally) = flag.counts.get().filter(|_| flag.plain) else { return false };
        tally.count(self.mark(), context.kind_set().to_bits(), variation)
    }

    /// From here on every context counts as one that was never told.
    pub(super) fn forget_contexts(&self) {
        self.window.store(next_number(), Relaxed);
    }

    pub(super) fn mark(&self) -> u64 {
        self.mark.load(Relaxed)
    }

    pub(super) fn window(&self) -> u64 {
        self.window.load(Relaxed)
    }
}
