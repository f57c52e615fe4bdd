//! When held items are to be read again by age (residency `lazy`, freshness `ttl`). No I/O.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::model::{ItemKey, Jitter};
use crate::store::options::{Freshness, Residency, StoreOptions};
use crate::store::redis::reader::BATCH;

/// When held items are to be read again: in time for none to be served past its time to live, so somewhat earlier.
#[derive(Debug)]
pub struct Due {
    /// In the order in which they were read. One that is due a little before those ahead of it waits for them.
    queue: VecDeque<Noted>,
    /// What is in the queue: an item that is evicted and read again must not be noted twice.
    queued: HashSet<ItemKey>,
    ttl: Option<Duration>,
    jitter: Jitter,
    /// What has been evicted is looked for when the queue is longer than this.
    longest: usize,
}

#[derive(Debug)]
struct Noted {
    item: ItemKey,
    read: Instant,
    due: Instant,
}

impl Due {
    /// Keeps times only where items go by age.
    pub fn new(options: &StoreOptions) -> Self {
        let by_age = options.residency == Residency::Lazy && options.freshness == Freshness::Ttl;
        Self {
            queue: VecDeque::new(),
            queued: HashSet::new(),
            ttl: by_age.then_some(options.ttl),
            jitter: Jitter::new(),
            longest: options.capacity.get().saturating_mul(2),
        }
    }

    /// When the next item is due.
    pub fn next(&self) -> Option<Instant> {
        self.queue.front().map(|noted| noted.due)
    }

    /// Items are noted only where they go by age.
    pub fn goes_by_age(&self) -> bool {
        self.ttl.is_some()
    }

    /// An item was read just now.
    pub fn read_now(&mut self, item: ItemKey) {
        if let Some(ttl) = self.ttl
            && self.queued.insert(item.clone())
        {
            let read = Instant::now();
            let due = read + ttl.mul_f64(self.jitter.between(0.75, 0.9));
            self.queue.push_back(Noted { item, read, due });
        }
    }

    /// Gives up what is not held any more, once that is half of the queue at least: keys that are asked for once, wrong ones
    /// above all, would otherwise be kept for the whole time to live, however many there are.
    pub fn forget_evicted(&mut self, is_held: impl Fn(&ItemKey) -> bool) {
        if self.queue.len() <= self.longest {
            return;
        }
        let queued = &mut self.queued;
        self.queue.retain(|noted| is_held(&noted.item) || !queued.remove(&noted.item));
        self.queue.shrink_to(self.longest);
        self.queued.shrink_to(self.longest);
    }

    /// Age of the read that lies furthest back; zero when nothing is noted.
    pub fn age_of_oldest(&self) -> Duration {
        self.queue.front().map_or(Duration::ZERO, |noted| noted.read.elapsed())
    }

    /// Whether nothing noted was read before that moment.
    pub fn is_read_since(&self, since: Instant) -> bool {
        self.queue.front().is_none_or(|noted| noted.read > since)
    }

    /// The first so many were read again.
    pub fn remove_first(&mut self, count: usize) {
        for noted in self.queue.drain(..count) {
            self.queued.remove(&noted.item);
        }
    }

    /// The first items that are due.
    pub fn expired(&self, now: Instant) -> Vec<ItemKey> {
        self.queue.iter().take_while(|noted| noted.due <= now).take(BATCH).map(|noted| noted.item.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;
    use std::sync::Arc;

    use crate::model::Kind;
    use crate::store::testing::options;

    fn item(number: usize) -> ItemKey {
        ItemKey { kind: Kind::Flag, key: Arc::from(format!("flag-{number}")) }
    }

    fn due(capacity: usize) -> Due {
        let capacity = NonZeroUsize::new(capacity).unwrap();
        Due::new(&StoreOptions { capacity, ..options() })
    }

    #[test]
    fn keys_that_were_evicted_do_not_fill_the_queue() {
        let mut due = due(10);
        for number in 0..10_000 {
            due.read_now(item(number));
            due.forget_evicted(|held| (0..5).any(|kept| *held == item(kept)) || *held == item(number));
            assert!(due.queue.len() <= 20 && due.queued.len() == due.queue.len());
        }
        for kept in 0..5 {
            assert!(due.queue.iter().any(|noted| noted.item == item(kept)), "what is held stays due");
        }
        assert!(due.queue.iter().zip(due.queue.iter().skip(1)).all(|(first, next)| first.read <= next.read));
    }

    #[test]
    fn everything_was_read_since_a_moment_once_the_oldest_read_is_later() {
        let mut due = due(10);
        assert!(due.is_read_since(Instant::now()), "of nothing");
        due.read_now(item(0));
        let since = Instant::now();
        due.read_now(item(1));
        assert!(!due.is_read_since(since));
        due.remove_first(1);
        due.read_now(item(0));
        assert!(due.is_read_since(since));
    }

    #[test]
    fn an_item_that_was_forgotten_may_be_noted_again() {
        let mut due = due(1);
        (0..3).for_each(|number| due.read_now(item(number)));
        due.forget_evicted(|_| false);
        assert!(due.next().is_none());
        due.read_now(item(0));
        assert!(due.next().is_some());
    }
}
