//! Reads under residency `lazy` and `off` while Redis leads: refetches of held items by push or by age, and looks whether the
//! data set is there. May depend on `memory`, `redis` and `truth`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::condition::keeps_on_wipe;
use super::following::Pass;
use super::told::Named;
use super::unseen::Sight;
use super::{Failed, Worker};
use crate::model::{Flag, ItemKey, Kind, Segment};
use crate::store::inbox::intake::announce_cached;
use crate::store::memory::cache::{CacheItem, Held};
use crate::store::memory::entry::{Entry, Item};
use crate::store::memory::judge::{Change, Verdict};
use crate::store::options::Freshness;
use crate::store::redis::reader::BATCH;
use crate::store::reply::{PartReply, Presence};
use crate::store::truth::loss::has_shrunk_much;
use crate::store::truth::wipe::Dependants;

impl Worker<'_> {
    /// Reads again what was evaluated since tick `since`.
    pub(super) fn refetch_cache(&mut self, since: u32) -> Result<(), Failed> {
        let Some(cache) = &self.shared.cache else { return Ok(()) };
        let keys = cache.keys();
        let in_use: Vec<_> = keys.into_iter().filter(|(_, used)| *used >= since).map(|(item, _)| item).collect();
        self.refetch_items(&in_use)
    }

    /// Reads everything held again, or, where items go by age or nothing is held yet, makes sure that Redis can be read.
    pub(super) fn read_cached(&mut self) -> Result<Pass, Failed> {
        let is_first = !self.shared.health.is_ready();
        if self.shared.options.freshness == Freshness::Ttl || is_first {
            let pass = self.probe()?;
            if is_first {
                self.all_was_read();
            }
            return Ok(Pass { confirmed: pass.confirmed.map(|_| self.due.age_of_oldest()), ..pass });
        }
        let Some(cache) = &self.shared.cache else { return self.probe() };
        let keys: Vec<_> = cache.keys().into_iter().map(|(item, _)| item).collect();
        let (first, rest) = keys.split_at(keys.len().min(BATCH));
        self.refetch_items(first)?;
        // A break that the first read has noticed is none between two of them.
        let breaks = self.certain.breaks();
        self.refetch_items(rest)?;
        self.held_bytes = self.bytes_in_cache();
        let pass = self.probe()?;
        if keys.is_empty() || self.certain.breaks() == breaks {
            self.all_was_read();
        }
        Ok(pass)
    }

    /// Reads again what was named, if it is held. That never proves the rest, of which a part is held only: where fields were
    /// added or lost, the numbers do not tell which.
    pub(super) fn refetch_named_of_cache(&mut self, named: &Named) -> Result<bool, Failed> {
        let Some(cache) = &self.shared.cache else { return Ok(false) };
        let flags = named.flags.iter().map(|key| ItemKey { kind: Kind::Flag, key: key.clone() });
        let segments = named.segments.iter().map(|key| ItemKey { kind: Kind::Segment, key: key.clone() });
        let held: Vec<_> = flags.chain(segments).filter(|item| cache.peek(item).is_some()).collect();
        self.refetch_items(&held)?;
        Ok(false)
    }

    /// Reads nothing but what exists.
    pub(super) fn probe(&mut self) -> Result<Pass, Failed> {
        let probe = |kind| ItemKey { kind, key: Arc::from("") };
        let read = self.read_items(&[probe(Kind::Flag), probe(Kind::Segment)])?;
        if !read.wrong_type || !keeps_on_wipe(self.shared) {
            self.shared.set_ready();
            self.condition.tell_uninitialized(self.shared, self.listener, read.is_empty);
        }
        let is_sound = !read.sight.is_doubtful && self.certain.suspects.is_empty();
        let confirmed = (is_sound && !read.sight.wiped).then_some(Duration::ZERO);
        Ok(Pass { settled: is_sound, undecided: false, confirmed })
    }

    /// Reads again the items that are older than the time to live, each at most once a call.
    pub(super) fn refetch_expired(&mut self) -> Result<(), Failed> {
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
            self.refetch_items(&held)?;
            self.due.remove_first(count);
            for item in held {
                self.due.read_now(item);
            }
        }
    }

    pub(super) fn refetch_items(&mut self, items: &[ItemKey]) -> Result<(), Failed> {
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
                if !self.stays(item, text.is_some(), read.sight) {
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

    pub(super) fn compare(&mut self, item: &ItemKey, before: &CacheItem, text: Option<Vec<u8>>) -> Held {
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

    pub(super) fn parse(&mut self, item: &ItemKey, text: Option<Vec<u8>>) -> Held {
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

    pub(super) fn read_items(&mut self, items: &[ItemKey]) -> Result<ItemTexts, Failed> {
        let keys =
            |kind| items.iter().filter(|item| item.kind == kind).map(|item| item.key.clone()).collect::<Vec<_>>();
        let (armed, sent) = (self.watch_armed(), Instant::now());
        let reply = self.exchange.read(|reader| reader.part(&keys(Kind::Flag), &keys(Kind::Segment)))?;
        let may_be_lost = self.may_be_lost(armed);
        let wiped = self.wipe_of_cache(reply.presence, reply.wrong_type.as_deref())?;
        let is_doubtful = !wiped && self.is_size_doubtful(&reply, may_be_lost);
        let is_uncertain = !wiped && self.is_uncertain(sent, armed, may_be_lost || is_doubtful);
        let sight = Sight { sent, wiped, is_doubtful, is_uncertain };
        let wrong_type = reply.wrong_type.is_some();
        let is_empty = reply.sizes == [Some(0), Some(0)];
        let (mut flags, mut segments) = (reply.flags.into_iter(), reply.segments.into_iter());
        let texts = items
            .iter()
            .map(|item| match item.kind {
                Kind::Flag => flags.next().flatten(),
                Kind::Segment => segments.next().flatten(),
            })
            .collect();
        Ok(ItemTexts { texts, sight, wrong_type, is_empty })
    }

    /// Much of the data set is gone, and no second read has agreed yet.
    fn is_size_doubtful(&mut self, reply: &PartReply, may_be_lost: bool) -> bool {
        let [Some(flags), Some(segments)] = reply.sizes else {
            self.doubt.settle();
            return false;
        };
        if self.shared.cache.is_none() {
            return false;
        }
        let [all_flags, all_segments] = self.accepted;
        let is_less = flags < all_flags || segments < all_segments;
        let much =
            has_shrunk_much(all_flags, flags) || has_shrunk_much(all_segments, segments) || (may_be_lost && is_less);
        let fingerprint = ((flags as u64) << 32) ^ segments as u64;
        let doubts = self.doubts(much, fingerprint, || {
            format!("of {all_flags} flags and {all_segments} segments only {flags} and {segments} are left at once")
        });
        if doubts {
            if let Some(again) = self.doubt.look_again() {
                self.agenda.plan_full_by(again);
            }
        } else {
            self.accepted = [flags, segments];
        }
        doubts
    }

    pub(super) fn wipe_of_cache(&mut self, presence: Presence, wrong_type: Option<&str>) -> Result<bool, Failed> {
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

/// What a read of chosen items found.
pub(super) struct ItemTexts {
    /// In the order of the items asked for.
    pub texts: Vec<Option<Vec<u8>>>,
    /// What it says of those that were not found.
    pub sight: Sight,
    wrong_type: bool,
    is_empty: bool,
}
