//! How often each variation of each flag was served since the process made the client, for metrics. Counts are taken over at
//! every drain of the inbox; what is not drained yet is added by whoever asks. Depends on `summary`.

use foldhash::quality::RandomState;
use hashbrown::HashMap;

use super::summary::Summary;

/// Most counters: hosts may ask for any number of flags. What does not fit is counted together.
const MOST: usize = 50_000;

/// How often variations were served; `None` is the default.
pub(super) type Counts = Vec<(Option<u32>, u64)>;

/// Counts that never go back.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    counts: HashMap<Box<str>, Counts, RandomState>,
    counters: usize,
    others: u64,
}

impl Ledger {
    /// Adds to the count of a variation; `None` is the default.
    pub(super) fn add(&mut self, key: &str, variation: Option<u32>, count: u64) {
        let is_full = self.counters >= MOST;
        let known = match self.counts.get_mut(key) {
            Some(known) => known,
            None if is_full => return self.others += count,
            None => self.counts.entry(Box::from(key)).or_default(),
        };
        match known.iter_mut().find(|(known, _)| *known == variation) {
            Some((_, sum)) => *sum += count,
            None if is_full => self.others += count,
            None => {
                known.push((variation, count));
                self.counters += 1;
            }
        }
    }

    /// Adds everything that was summed up.
    pub(super) fn add_all(&mut self, summary: &Summary) {
        for (key, flag) in &summary.flags {
            flag.counters.iter().for_each(|counter| self.add(key, counter.variation, counter.count));
        }
    }

    /// Adds to what is counted together.
    pub(super) fn add_others(&mut self, count: u64) {
        self.others += count;
    }

    /// Key, variation and count, by key.
    pub fn sorted(&self) -> Vec<(&str, Option<u32>, u64)> {
        let all = self.counts.iter();
        let mut all: Vec<_> = all
            .flat_map(|(key, counts)| counts.iter().map(|(variation, count)| (&**key, *variation, *count)))
            .collect();
        all.sort_unstable();
        all
    }

    /// What was counted together, because there were too many flags.
    pub fn others(&self) -> u64 {
        self.others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_by_flag_and_variation_and_what_does_not_fit_is_counted_together() {
        let mut ledger = Ledger::default();
        for (key, variation) in [("b", Some(1)), ("a", None), ("b", Some(1)), ("b", Some(0))] {
            ledger.add(key, variation, 2);
        }
        assert_eq!(ledger.sorted(), [("a", None, 2), ("b", Some(0), 2), ("b", Some(1), 4)]);
        ledger.counters = MOST;
        ledger.add("c", Some(0), 1);
        ledger.add("a", Some(0), 1);
        ledger.add("a", None, 1);
        assert_eq!((ledger.others(), ledger.sorted().len(), ledger.sorted()[0].2), (2, 3, 3));
    }
}
