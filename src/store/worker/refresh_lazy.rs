//! The store thread's reads under residency `lazy` and `off`: reads that host threads wait for, and refetches of held
//! items by push or by age. May depend on `model`.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{Flag, ItemKey, Jitter, Kind, Segment};
use crate::store::inbox::intake::announce_cached;
use crate::store::inbox::mailbox::Flight;
use crate::store::memory::cache::{CacheItem, Held};
use crate::store::memory::entry::{Entry, Item};
use crate::store::memory::judge::{Change, Verdict};
use crate::store::options::{Freshness, Residency, StoreOptions};
use crate::store::redis::reader::{BATCH, ReadError};
use crate::store::reply::Presence;
use crate::store::truth::wipe::Dependants;
use crate::store::worker::refresh::{Pass, Refresher};

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

    pub(in crate::store) fn read_now(&mut self, item: ItemKey) {
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
    fn forget_evicted(&mut self, is_held: impl Fn(&ItemKey) -> bool) {
        if self.queue.len() <= self.longest {
            return;
        }
        let queued = &mut self.queued;
        self.queue.retain(|noted| is_held(&noted.item) || !queued.remove(&noted.item));
        self.queue.shrink_to(self.longest);
        self.queued.shrink_to(self.longest);
    }

    /// Age of the read that lies furthest back; zero when nothing is noted.
    fn age_of_oldest(&self) -> Duration {
        self.queue.front().map_or(Duration::ZERO, |noted| noted.read.elapsed())
    }

    fn remove_first(&mut self, count: usize) {
        for noted in self.queue.drain(..count) {
            self.queued.remove(&noted.item);
        }
    }

    fn expired(&self, now: Instant) -> Vec<ItemKey> {
        self.queue.iter().take_while(|noted| noted.due <= now).take(BATCH).map(|noted| noted.item.clone()).collect()
    }
}

impl Refresher<'_> {
    /// Answers the host threads that wait for a read.
    pub(in crate::store) fn serve_requests(&mut self) -> Result<(), ReadError> {
        let requests = self.mailbox.take_requests();
        if self.shared.options.residency == Residency::Off {
            // A reader that comes after the read was sent must not get what was written before he came.
            for (item, flight) in &requests {
                self.mailbox.close_flight(item, flight);
            }
        }
        for (position, batch) in requests.chunks(BATCH).enumerate() {
            if let Err(error) = self.serve_batch(batch) {
                for (item, flight) in requests.iter().skip(position * BATCH) {
                    self.mailbox.close_flight(item, flight);
                    flight.land(Err(()));
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn serve_batch(&mut self, batch: &[(ItemKey, Arc<Flight>)]) -> Result<(), ReadError> {
        let items: Vec<ItemKey> = batch.iter().map(|(item, _)| item.clone()).collect();
        let generation = self.shared.generation();
        let tick = self.shared.tick();
        let read = self.read_items(&items)?;
        for ((item, flight), text) in batch.iter().zip(read.texts) {
            let held = self.parse(item, text);
            if let Some(cache) = &self.shared.cache
                && !(read.wiped && matches!(held, Held::Missing))
            {
                let put = || cache.put(item.clone(), held.clone(), generation, tick);
                self.mailbox.outbox.unless_waiting(item, put);
                self.due.read_now(item.clone());
            }
            self.mailbox.close_flight(item, flight);
            flight.land(Ok(held));
        }
        self.succeeded();
        Ok(())
    }

    /// Reads again what was evaluated since tick `since`.
    pub(in crate::store) fn refetch_cache(&mut self, since: u32) -> Result<(), ReadError> {
        let Some(cache) = &self.shared.cache else { return Ok(()) };
        let keys = cache.keys();
        self.refetch_items(keys.into_iter().filter(|(_, used)| *used >= since).map(|(item, _)| item).collect())
    }

    /// Reads everything held again, or, where items go by age or nothing is held yet, makes sure that Redis can be read.
    pub(in crate::store) fn read_cached(&mut self) -> Result<Pass, ReadError> {
        if self.shared.options.freshness == Freshness::Ttl || !self.shared.health.is_ready() {
            let pass = self.probe()?;
            return Ok(Pass { confirmed: pass.confirmed.map(|_| self.due.age_of_oldest()), ..pass });
        }
        let Some(cache) = &self.shared.cache else { return self.probe() };
        let keys = cache.keys();
        self.refetch_items(keys.into_iter().map(|(item, _)| item).collect())?;
        self.held_bytes = self.bytes_in_cache();
        self.probe()
    }

    /// Reads nothing but what exists.
    pub(in crate::store) fn probe(&mut self) -> Result<Pass, ReadError> {
        let probe = |kind| ItemKey { kind, key: Arc::from("") };
        let read = self.read_items(&[probe(Kind::Flag), probe(Kind::Segment)])?;
        if !read.wrong_type || !self.keeps_on_wipe() {
            self.shared.set_ready();
        }
        Ok(Pass { settled: true, confirmed: (!read.wiped).then_some(Duration::ZERO) })
    }

    /// Reads again the items that are older than the time to live, each at most once a call.
    pub(in crate::store) fn refetch_expired(&mut self) -> Result<(), ReadError> {
        let now = Instant::now();
        if let Some(cache) = &self.shared.cache {
            self.due.forget_evicted(|item| cache.peek(item).is_some());
        }
        loop {
            let expired = self.due.expired(now);
            if expired.is_empty() || self.mailbox.is_stopped() {
                return Ok(());
            }
            let count = expired.len();
            let Some(cache) = &self.shared.cache else { return Ok(()) };
            let held: Vec<ItemKey> = expired.into_iter().filter(|item| cache.peek(item).is_some()).collect();
            self.refetch_items(held.clone())?;
            self.due.remove_first(count);
            for item in held {
                self.due.read_now(item);
            }
            self.succeeded();
        }
    }

    pub(in crate::store) fn refetch_items(&mut self, items: Vec<ItemKey>) -> Result<(), ReadError> {
        for batch in items.chunks(BATCH) {
            // Whoever waits for a key that is not held goes first.
            self.serve_requests()?;
            if self.mailbox.is_stopped() {
                return Ok(());
            }
            let generation = self.shared.generation();
            let read = self.read_items(batch)?;
            let mut changes = Vec::new();
            for (item, text) in batch.iter().zip(read.texts) {
                if text.is_some() || !read.wiped {
                    changes.extend(self.refresh_item(item, text, generation));
                } else if let Some(cache) = &self.shared.cache {
                    cache.keep(item, generation);
                }
            }
            if let Some(cache) = &self.shared.cache {
                announce_cached(cache, &changes, self.listener);
            }
        }
        Ok(())
    }

    fn refresh_item(&mut self, item: &ItemKey, text: Option<Vec<u8>>, generation: u64) -> Option<Change> {
        let cache = self.shared.cache.as_ref()?;
        let before = cache.peek(item)?;
        let held = self.compare(item, &before, text);
        let (old, new) = (before.held.version(), held.version());
        let same = before.held.is_same(&held);
        let refreshed = self.mailbox.outbox.unless_waiting(item, || cache.refresh(item, held, generation));
        (!same && refreshed.is_some()).then(|| Change { kind: item.kind, key: item.key.clone(), old, new })
    }

    pub(in crate::store) fn compare(&mut self, item: &ItemKey, before: &CacheItem, text: Option<Vec<u8>>) -> Held {
        let Some(text) = text else {
            self.judge.forget(item.kind, &item.key);
            return Held::Missing;
        };
        match (&before.held, item.kind) {
            (Held::Flag(entry), Kind::Flag) => Held::Flag(self.entry(item, Some(entry), text)),
            (Held::Segment(entry), Kind::Segment) => Held::Segment(self.entry(item, Some(entry), text)),
            _ => self.parse(item, Some(text)),
        }
    }

    pub(in crate::store) fn parse(&mut self, item: &ItemKey, text: Option<Vec<u8>>) -> Held {
        match (text, item.kind) {
            (None, _) => {
                self.judge.forget(item.kind, &item.key);
                Held::Missing
            }
            (Some(text), Kind::Flag) => Held::Flag(self.entry::<Flag>(item, None, text)),
            (Some(text), Kind::Segment) => Held::Segment(self.entry::<Segment>(item, None, text)),
        }
    }

    fn entry<T: Item>(&mut self, item: &ItemKey, held: Option<&Arc<Entry<T>>>, text: Vec<u8>) -> Arc<Entry<T>> {
        match (self.judge.judge(item.kind, &item.key, held, text, self.listener), held) {
            (Verdict::Replace(entry), _) => entry,
            (Verdict::Keep, Some(held)) => held.clone(),
            (Verdict::Keep, None) => unreachable!("without a held entry there is nothing to keep"),
        }
    }

    fn read_items(&mut self, items: &[ItemKey]) -> Result<ItemTexts, ReadError> {
        let keys =
            |kind| items.iter().filter(|item| item.kind == kind).map(|item| item.key.clone()).collect::<Vec<_>>();
        let reply = self.reader.part(&keys(Kind::Flag), &keys(Kind::Segment))?;
        let wiped = self.wipe_of_cache(reply.presence, reply.wrong_type.as_deref())?;
        let wrong_type = reply.wrong_type.is_some();
        let (mut flags, mut segments) = (reply.flags.into_iter(), reply.segments.into_iter());
        let texts = items
            .iter()
            .map(|item| match item.kind {
                Kind::Flag => flags.next().flatten(),
                Kind::Segment => segments.next().flatten(),
            })
            .collect();
        Ok(ItemTexts { texts, wiped, wrong_type })
    }

    pub(in crate::store) fn wipe_of_cache(
        &mut self,
        presence: Presence,
        wrong_type: Option<&str>,
    ) -> Result<bool, ReadError> {
        let cache = self.shared.cache.as_ref();
        // Asking the cache costs a pass over it: only when a hash is gone does the answer matter.
        let holds_flags = !presence.features && cache.is_some_and(|cache| !cache.flags().is_empty());
        self.note_wipe(presence, wrong_type, holds_flags, || {
            let Some(cache) = cache else { return Dependants::default() };
            Dependants::new(cache.flags().into_iter(), cache.segments().into_iter())
        })
    }

    fn bytes_in_cache(&self) -> usize {
        self.shared.cache.as_ref().map_or(0, |cache| {
            let flags: usize = cache.flags().iter().map(|(_, entry)| entry.text().len()).sum();
            let segments: usize = cache.segments().iter().map(|(_, entry)| entry.text().len()).sum();
            flags + segments
        })
    }
}

struct ItemTexts {
    /// In the order of the items asked for.
    texts: Vec<Option<Vec<u8>>>,
    wiped: bool,
    wrong_type: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::options::{OnWipe, Upstream};
    use std::num::NonZeroUsize;

    fn item(number: usize) -> ItemKey {
        ItemKey { kind: Kind::Flag, key: Arc::from(format!("flag-{number}")) }
    }

    fn due(capacity: usize) -> Due {
        let capacity = NonZeroUsize::new(capacity).unwrap();
        Due::new(&StoreOptions {
            residency: Residency::Lazy,
            freshness: Freshness::Ttl,
            capacity,
            redis: None,
            upstream: Upstream::Redis,
            prefix: String::new(),
            ttl: Duration::from_secs(60),
            on_wipe: OnWipe::Keep,
            safety_interval: Duration::from_secs(60),
            ping: Duration::from_secs(1),
        })
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
    fn an_item_that_was_forgotten_may_be_noted_again() {
        let mut due = due(1);
        (0..3).for_each(|number| due.read_now(item(number)));
        due.forget_evicted(|_| false);
        assert!(due.next().is_none());
        due.read_now(item(0));
        assert!(due.next().is_some());
    }
}
