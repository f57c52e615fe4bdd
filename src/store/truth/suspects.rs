//! Single items that a read did not find while nobody could tell what happened to Redis: each stays in force until a second read,
//! some time later, does not find it either. No clock and no I/O; depends on `model` and `loss`.

use std::collections::HashMap;
use std::time::Instant;

use super::loss::CALM;
use crate::model::ItemKey;

/// The held items that were not found, and when first. None of them is known to be gone.
#[derive(Debug, Default)]
pub struct Suspects {
    missed: HashMap<ItemKey, Instant>,
    /// There were some since it was last asked.
    were_some: bool,
}

impl Suspects {
    /// A read sent at `now` did not find an item, which decides nothing.
    pub fn note(&mut self, now: Instant, item: &ItemKey) {
        if !self.missed.contains_key(item) {
            self.missed.insert(item.clone(), now);
            self.were_some = true;
        }
    }

    /// A read sent at `now` did not find an item: true once it is gone, and no suspect any more.
    pub fn miss(&mut self, now: Instant, item: &ItemKey) -> bool {
        self.note(now, item);
        let first = self.missed.get(item);
        let is_gone = first.is_some_and(|first| now.saturating_duration_since(*first) >= CALM);
        if is_gone {
            self.missed.remove(item);
        }
        is_gone
    }

    /// An item was found, or is not held any more.
    pub fn clear_of(&mut self, item: &ItemKey) {
        self.missed.remove(item);
    }

    /// Gives up what is not held any more.
    pub fn retain(&mut self, is_held: impl Fn(&ItemKey) -> bool) {
        self.missed.retain(|item, _| is_held(item));
    }

    /// What was missed before says nothing.
    pub fn forget(&mut self) {
        self.missed.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.missed.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.missed.is_empty()
    }

    /// Those that a read at `now` may decide.
    pub fn due(&self, now: Instant) -> Vec<ItemKey> {
        let due = self.missed.iter().filter(|(_, first)| **first + CALM <= now);
        due.map(|(item, _)| item.clone()).collect()
    }

    /// When the next read may decide one.
    pub fn look_again(&self) -> Option<Instant> {
        self.missed.values().min().map(|first| *first + CALM)
    }

    /// Whether there are none any more; told once.
    pub fn take_end(&mut self) -> bool {
        let is_over = self.were_some && self.missed.is_empty();
        if is_over {
            self.were_some = false;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Kind;

    fn item(key: &str) -> ItemKey {
        ItemKey { kind: Kind::Flag, key: Arc::from(key) }
    }

    #[test]
    fn an_item_is_gone_when_a_second_read_misses_it_long_enough_after_the_first() {
        let (mut suspects, start) = (Suspects::default(), Instant::now());
        suspects.note(start, &item("a"));
        assert!(!suspects.miss(start + CALM / 2, &item("a")), "it is too early");
        assert!(suspects.miss(start + CALM, &item("a")), "the first miss counts, not the latest");
        assert!(suspects.is_empty());
        assert!(!suspects.miss(start + CALM, &item("a")), "from then on it is as if it had not been missed");
    }

    #[test]
    fn what_was_found_is_no_suspect_any_more() {
        let (mut suspects, start) = (Suspects::default(), Instant::now());
        suspects.miss(start, &item("a"));
        suspects.clear_of(&item("a"));
        assert!(!suspects.miss(start + CALM, &item("a")));
        suspects.retain(|_| false);
        assert!(!suspects.miss(start + CALM * 2, &item("a")), "nor what is not held");
        suspects.forget();
        assert!(!suspects.miss(start + CALM * 3, &item("a")));
    }

    #[test]
    fn the_next_look_is_when_the_oldest_may_be_decided() {
        let (mut suspects, start) = (Suspects::default(), Instant::now());
        assert_eq!(suspects.look_again(), None);
        suspects.miss(start, &item("a"));
        suspects.miss(start + CALM / 2, &item("b"));
        assert_eq!(suspects.look_again(), Some(start + CALM));
        assert!(suspects.due(start + CALM / 2).is_empty());
        assert_eq!(suspects.due(start + CALM), [item("a")]);
        assert_eq!((suspects.len(), suspects.due(start + CALM * 2).len()), (2, 2));
    }

    #[test]
    fn that_there_are_none_any_more_is_told_once() {
        let (mut suspects, start) = (Suspects::default(), Instant::now());
        assert!(!suspects.take_end());
        suspects.miss(start, &item("a"));
        assert!(!suspects.take_end());
        suspects.miss(start + CALM, &item("a"));
        assert!(suspects.take_end());
        assert!(!suspects.take_end());
    }
}
