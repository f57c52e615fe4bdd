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

    /// Age of the read that lies furthest back; zero when nothing is noted.
    pub fn age_of_oldest(&self) -> Duration {
        self.queue.front().map_or(Duration::ZERO, |noted| noted.read.elapsed())
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
