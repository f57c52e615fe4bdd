//! Counts how often each variation of one version of a flag was served, for the summaries that events tell.
//!
//! It lies beside the compiled flag, so that counting finds it without a search, and outlives it in the hands of whoever sums
//! up: an evaluation that still holds the flag of an older snapshot counts, too. Counting takes no lock and allocates nothing.
//! Depends on `text` and `variation`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use once_cell::race::OnceBox;

use super::text::Piece;
use super::variation::Variation;

/// Variations whose counters lie in the tally itself.
const FEW: usize = 4;

/// The counters of one version of a flag. In this order in memory: what every evaluation touches comes first.
#[derive(Debug)]
#[repr(C)]
pub struct Tally {
    /// The mark of the sum that counts are welcome to; 0 when something has to be noted first.
    open: AtomicU64,
    /// Kinds of contexts seen since the latest drain, as the bits of their numbers.
    kinds: AtomicU64,
    few: [AtomicU64; FEW],
    many: Box<[AtomicU64]>,
    /// The mark of the sum that drains this tally, and which of its tallies it is.
    home: AtomicU64,
    place: AtomicU32,
    key: Box<str>,
    version: i64,
    sampling_ratio: i64,
    values: Box<[Piece]>,
}

impl Tally {
    pub(super) fn new(key: &str, version: i64, sampling_ratio: i64, variations: &[Variation]) -> Self {
        Self {
            open: AtomicU64::new(0),
            kinds: AtomicU64::new(0),
            few: Default::default(),
            many: (FEW..variations.len()).map(|_| AtomicU64::new(0)).collect(),
            home: AtomicU64::new(0),
            place: AtomicU32::new(0),
            key: Box::from(key),
            version,
            sampling_ratio,
            values: variations.iter().map(Variation::told).collect(),
        }
    }

    /// Counts one evaluation, if nothing has to be noted first: the sum of this `mark` has opened the tally, and contexts of
    /// these kinds were seen before. False when nothing was counted.
    #[inline]
    pub fn count(&self, mark: u64, kinds: u64, variation: u32) -> bool {
        if self.open.load(Acquire) != mark || self.kinds.load(Relaxed) & kinds != kinds {
            return false;
        }
        self.add(variation)
    }

    /// Counts one evaluation, open or not. False when the flag has no such variation.
    #[inline]
    pub fn add(&self, variation: u32) -> bool {
        let index = variation as usize;
        let counter = match self.few.get(index) {
            Some(counter) => counter,
            None => match self.many.get(index - FEW) {
                Some(counter) => counter,
                None => return false,
            },
        };
        counter.fetch_add(1, Relaxed);
        true
    }

    /// Notes kinds of contexts.
    pub fn note_kinds(&self, kinds: u64) {
        self.kinds.fetch_or(kinds, Relaxed);
    }

    /// Opens the tally to the sum of this mark.
    pub fn open(&self, mark: u64) {
        self.open.store(mark, Release);
    }

    /// Whether it is open to the sum of this mark.
    pub fn is_open(&self, mark: u64) -> bool {
        self.open.load(Acquire) == mark
    }

    /// The place among the tallies of the sum of this mark, if it has one.
    pub fn place(&self, mark: u64) -> Option<usize> {
        (self.home.load(Acquire) == mark).then(|| self.place.load(Relaxed) as usize)
    }

    /// Gives it a place among the tallies of the sum of this mark.
    pub fn settle(&self, mark: u64, place: usize) {
        // Four billion tallies cannot be held in memory.
        self.place.store(u32::try_from(place).unwrap_or(u32::MAX), Relaxed);
        self.home.store(mark, Release);
    }

    /// Closes the tally: whoever counts next has something to note first. What is counted meanwhile is not lost.
    pub fn close(&self) {
        self.open.store(0, Release);
    }

    /// Takes the counts, by variation.
    pub fn take_counts(&self) -> impl Iterator<Item = (u32, u64)> {
        let counters = self.few.iter().chain(self.many.iter());
        (0..).zip(counters.map(|counter| counter.swap(0, Relaxed))).filter(|(_, count)| *count > 0)
    }

    /// The counts, by variation, which stay.
    pub fn counts(&self) -> impl Iterator<Item = (u32, u64)> {
        let counters = self.few.iter().chain(self.many.iter());
        (0..).zip(counters.map(|counter| counter.load(Relaxed))).filter(|(_, count)| *count > 0)
    }

    /// Takes the kinds of contexts seen.
    pub fn take_kinds(&self) -> u64 {
        self.kinds.swap(0, Relaxed)
    }

    /// The key of the flag.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The version of the flag.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// One in this many full events is sent; none at zero and below.
    pub fn sampling_ratio(&self) -> i64 {
        self.sampling_ratio
    }

    /// How many bytes it keeps in memory, roughly: those of the flag's text, too.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.key.len() + self.values.iter().map(Piece::kept).max().unwrap_or_default()
    }

    /// The value of a variation as JSON text.
    pub fn value(&self, variation: u32) -> Option<&str> {
        self.values.get(variation as usize).map(|value| &**value)
    }
}

/// Where a flag keeps its tally, which is made when the flag is first evaluated. Clones share it.
#[derive(Debug, Default)]
pub struct TallyCell(OnceBox<Arc<Tally>>);

impl TallyCell {
    /// The tally, once the flag was evaluated.
    #[inline]
    pub fn get(&self) -> Option<&Arc<Tally>> {
        self.0.get()
    }

    /// The tally; of threads that race, one makes it.
    pub(super) fn get_or_make(&self, make: impl FnOnce() -> Tally) -> &Arc<Tally> {
        self.0.get_or_init(|| Box::new(Arc::new(make())))
    }
}

impl Clone for TallyCell {
    fn clone(&self) -> Self {
        Self(self.get().map_or_else(OnceBox::new, |tally| OnceBox::with_value(Box::new(Arc::clone(tally)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Flag, Interner, Text, read_flag};

    fn flag() -> Flag {
        let text = r#"{"key":"a","version":7,"samplingRatio":3,"variations":[0,1,2,3,"four",{"five": 5}]}"#;
        match read_flag("a", &Text::new(text), &mut Interner::default()).unwrap() {
            crate::model::Parsed::Live(flag) => flag,
            _ => unreachable!("it is no tombstone"),
        }
    }

    #[test]
    fn counts_are_those_of_each_variation_and_are_taken_once() {
        let flag = flag();
        let tally = flag.tally();
        assert!(!tally.count(1, 1, 0), "it is not open");
        tally.open(1);
        assert!(!tally.count(1, 1, 0), "this kind was not seen yet");
        tally.note_kinds(1);
        for index in [0, 4, 4, 5] {
            assert!(tally.count(1, 1, index));
        }
        assert!(!tally.count(2, 1, 0) && !tally.count(1, 3, 0) && !tally.count(1, 1, 6) && !tally.add(u32::MAX));
        assert!(tally.counts().eq([(0, 1), (4, 2), (5, 1)]));
        assert_eq!(tally.take_counts().collect::<Vec<_>>(), [(0, 1), (4, 2), (5, 1)]);
        assert_eq!((tally.take_kinds(), tally.take_counts().count()), (1, 0));
        tally.close();
        assert!(!tally.count(1, 0, 0));
    }

    #[test]
    fn a_value_that_a_strict_reader_refuses_is_told_as_null() {
        let text = r#"{"key":"a","version":1,"variations":[{"a":[1e999]},{"a":[1e9]}]}"#;
        let Ok(crate::model::Parsed::Live(flag)) = read_flag("a", &Text::new(text), &mut Interner::default()) else {
            unreachable!("it is a flag")
        };
        assert_eq!((flag.tally().value(0), flag.tally().value(1)), (Some("null"), Some("{\"a\":[1e9]}")));
    }

    #[test]
    fn a_flag_needs_more_than_a_count_only_while_something_may_ask_for_it() {
        let plain = |more: &str| {
            let text =
                format!(r#"{{"key":"a","version":1,"variations":[true],"fallthrough":{{"variation":0}}{more}}}"#);
            match read_flag("a", &Text::new(text), &mut Interner::default()) {
                Ok(crate::model::Parsed::Live(flag)) => flag.plain,
                other => unreachable!("{other:?}"),
            }
        };
        let (past, ahead) = (crate::model::unix_ms() - 1, crate::model::unix_ms() + 60_000);
        assert!(plain("") && plain(&format!(r#","debugEventsUntilDate":{past}"#)));
        for more in [
            r#","trackEvents":true"#.to_owned(),
            r#","trackEventsFallthrough":true"#.to_owned(),
            r#","excludeFromSummaries":true"#.to_owned(),
            r#","rules":[{"variation":0,"trackEvents":true}]"#.to_owned(),
            r#","rules":[{"rollout":{"kind":"experiment","variations":[{"variation":0,"weight":1}]}}]"#.to_owned(),
            format!(r#","debugEventsUntilDate":{ahead}"#),
        ] {
            assert!(!plain(&more), "{more}");
        }
    }

    #[test]
    fn a_tally_knows_what_a_summary_tells_of_its_flag_and_clones_of_the_flag_share_it() {
        let flag = flag();
        let tally = flag.tally();
        assert_eq!((tally.key(), tally.version(), tally.sampling_ratio()), ("a", 7, 3));
        assert_eq!((tally.value(4), tally.value(5), tally.value(6)), (Some("\"four\""), Some("{\"five\": 5}"), None));
        assert!((80..1000).contains(&tally.weight()), "{}", tally.weight());
        assert!(Arc::ptr_eq(tally, flag.clone().tally()));
        assert_eq!(tally.place(9), None);
        tally.settle(9, 4);
        assert_eq!((tally.place(9), tally.place(8)), (Some(4), None));
    }
}
