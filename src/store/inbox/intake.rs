//! Takes what a data source delivers: into memory at once, into the outbox for Redis.
//!
//! Runs on the data source's thread and does no I/O, so that updates go on while Redis is away. Residency `all`: once the
//! source has delivered a full data set, memory is the truth; only another full one, or a source whose own order counts, lowers a version. `lazy` and `off`:
//! Redis is the truth; what is delivered passes through the bounded cache on its way there. An item that does not parse
//! disturbs no other: its last good version stays in force, and Redis gets it as it was received. May depend on `model`.

use crate::model::{Basis, ChangeKind, ChangeSet, Delivery, ItemKey, Kind, lock};
use crate::store::inbox::arrival::{Next, item_key, parse_alone, word};
use crate::store::inbox::mailbox::Mailbox;
use crate::store::inbox::outbox::Put;
use crate::store::memory::cache::{Cache, Held};
use crate::store::memory::judge::Change;
use crate::store::memory::publication::Publisher;
use crate::store::shared::Shared;
use crate::store::status::{Level, Listener};

/// The way into one store.
pub struct Intake<'a> {
    /// The store.
    pub shared: &'a Shared,
    /// Its mailbox in this process.
    pub mailbox: &'a Mailbox,
    /// Hears of changes.
    pub listener: &'a dyn Listener,
}

impl Intake<'_> {
    /// Takes what was delivered.
    pub fn take(&self, changes: &ChangeSet<'_>) {
        match changes.kind {
            ChangeKind::Full => self.replace(&changes.items),
            ChangeKind::Partial => self.merge(&changes.items, changes.basis),
            ChangeKind::None => self.shared.note_answer(),
        }
        // Without Redis nobody would take the message.
        if self.shared.connector.is_some() {
            self.mailbox.wake();
        }
    }

    /// Whether a full data set without flags would take some away, as far as is known.
    pub fn holds_flags(&self) -> bool {
        let shared = self.shared;
        let follows_redis = shared.connector.is_some() && !shared.has_delivered();
        if follows_redis && !shared.health.is_ready() {
            return true;
        }
        if shared.options.memory_leads() {
            return shared.snapshot.load().flags.iter().any(|(_, entry)| entry.is_live());
        }
        follows_redis && shared.health.was_inited() || shared.has_passed_flags()
    }

    /// A full data set replaces everything, whatever the versions.
    fn replace(&self, deliveries: &[Delivery<'_>]) {
        let mut publisher = self.mailbox.publisher();
        if self.shared.options.memory_leads() {
            self.replace_snapshot(&mut publisher, deliveries);
        } else {
            let items = deliveries.iter().map(|delivery| self.parse_alone(delivery, &mut publisher)).collect();
            self.replace_cached(items);
            self.shared.set_passed_flags(deliveries.iter().any(Delivery::is_live_flag));
        }
        // Before the publisher is free again: what Redis says must not be published over it.
        self.shared.note_full_set();
        self.shared.set_delivered();
        self.mailbox.set_own_set();
        self.shared.note_answer();
    }

    /// Items are merged one by one. What follows on what the source said before counts in any case where memory is the truth;
    /// otherwise, and always where Redis is the truth, a version that is not higher than the one held is left out.
    fn merge(&self, deliveries: &[Delivery<'_>], basis: Basis) {
        let mut publisher = self.mailbox.publisher();
        if self.shared.options.memory_leads() {
            self.merge_snapshot(&mut publisher, deliveries, basis);
        } else {
            self.merge_all_cached(&mut publisher, deliveries);
        }
        if basis == Basis::Sequence {
            self.shared.note_answer();
        }
    }

    fn merge_all_cached(&self, publisher: &mut Publisher, deliveries: &[Delivery<'_>]) {
        for delivery in deliveries {
            let (item, held) = self.parse_alone(delivery, publisher);
            self.merge_cached(item, held);
        }
        if deliveries.iter().any(Delivery::is_live_flag) {
            self.shared.set_passed_flags(true);
        }
    }

    /// An item for where Redis is the truth. What is remarkable about it is told now: it may not be read here for long.
    fn parse_alone(&self, delivery: &Delivery<'_>, publisher: &mut Publisher) -> (ItemKey, Held) {
        let (item, held) = parse_alone(delivery, &mut publisher.interner);
        let mut remarked = lock(&self.mailbox.remarked);
        match &held {
            Held::Flag(entry) => remarked.tell(item.kind, &item.key, entry, self.listener),
            Held::Segment(entry) => remarked.tell(item.kind, &item.key, entry, self.listener),
            Held::Missing => {}
        }
        (item, held)
    }

    fn replace_snapshot(&self, publisher: &mut Publisher, deliveries: &[Delivery<'_>]) {
        let base = self.shared.snapshot.load_full();
        let mut next = Next::new(&base, self.listener);
        let mut flags = vec![false; base.flags.slots()];
        let mut segments = vec![false; base.segments.slots()];
        for delivery in deliveries {
            let interner = &mut publisher.interner;
            match delivery.kind {
                Kind::Flag => next.take(|s| &mut s.flags, delivery, &mut flags, interner),
                Kind::Segment => next.take(|s| &mut s.segments, delivery, &mut segments, interner),
            }
        }
        next.remove_unmet(|s| &mut s.flags, Kind::Flag, &flags);
        next.remove_unmet(|s| &mut s.segments, Kind::Segment, &segments);
        self.shared.set_malformed(next.malformed());
        let announce = self.shared.answers();
        let publish = || publisher.publish(self.shared, self.listener, &base, next.snapshot, &next.changes, announce);
        if self.shared.options.writes() { self.mailbox.outbox.put(Put::Memory, publish) } else { publish() }
    }

    fn merge_snapshot(&self, publisher: &mut Publisher, deliveries: &[Delivery<'_>], basis: Basis) {
        let base = self.shared.snapshot.load_full();
        let mut next = Next::new(&base, self.listener);
        let mut taken = Vec::new();
        for delivery in deliveries {
            let interner = &mut publisher.interner;
            let held = match delivery.kind {
                Kind::Flag => next.merge(|s| &mut s.flags, delivery, basis, interner).map(Held::Flag),
                Kind::Segment => next.merge(|s| &mut s.segments, delivery, basis, interner).map(Held::Segment),
            };
            match held {
                Some(held) => taken.push((item_key(delivery), held)),
                None => self.is_older(delivery),
            }
        }
        if taken.is_empty() {
            return;
        }
        self.shared.set_malformed(next.malformed());
        let publish = || publisher.publish(self.shared, self.listener, &base, next.snapshot, &next.changes, true);
        if self.shared.options.writes() { self.mailbox.outbox.add(taken, publish) } else { publish() }
    }

    fn replace_cached(&self, items: Vec<(ItemKey, Held)>) {
        let Some(cache) = &self.shared.cache else {
            return self.mailbox.outbox.put(Put::Items(items), || ());
        };
        let copy: Vec<_> = items.iter().map(|(item, held)| (item.clone(), outlived(cache, item, held))).collect();
        let mut changed = Vec::new();
        let generation = self.shared.generation();
        self.mailbox.outbox.put(Put::Items(items), || changed = cache.replace(&copy, generation));
        self.announce(cache, &changed);
    }

    fn merge_cached(&self, item: ItemKey, held: Held) {
        let Some(cache) = &self.shared.cache else {
            return self.mailbox.outbox.add([(item, held)], || ());
        };
        let before = cache.peek(&item).map_or(Held::Missing, |known| known.held);
        let known = if before.version() < held.version() { outlived(cache, &item, &held) } else { before.clone() };
        if known.is_same(&before) {
            // Redis decides all the same: it may hold less than this process does.
            return self.mailbox.outbox.add([(item, held)], || ());
        }
        let (generation, tick) = (self.shared.generation(), self.shared.tick());
        let waiting = (item.clone(), held.clone());
        self.mailbox.outbox.add([waiting], || cache.put(item.clone(), known, generation, tick));
        self.announce(cache, &[(item, before, held)]);
    }

    fn announce(&self, cache: &Cache, changed: &[(ItemKey, Held, Held)]) {
        let changes: Vec<Change> = changed
            .iter()
            .map(|(item, old, new)| Change {
                kind: item.kind,
                key: item.key.clone(),
                old: old.version(),
                new: new.version(),
            })
            .collect();
        announce_cached(cache, &changes, self.listener);
    }

    fn is_older(&self, delivery: &Delivery<'_>) {
        if self.listener.wants(Level::Debug) {
            let (kind, key) = (word(delivery.kind), &delivery.key);
            self.listener.log(Level::Debug, format_args!("an update of {kind} {key:?} is not newer than what is held"));
        }
    }
}

/// Tells of changed items of the bounded cache and of the held flags that depend on them.
pub fn announce_cached(cache: &Cache, changes: &[Change], listener: &dyn Listener) {
    if changes.is_empty() {
        return;
    }
    for flag in cache.affected(changes) {
        listener.flag_changed(&flag.key, flag.old, flag.new);
    }
}

/// What is in force in the cache once `held` was delivered: itself, or what is known already if that is good and `held` does
/// not parse.
fn outlived(cache: &Cache, item: &ItemKey, held: &Held) -> Held {
    if held.is_readable() {
        return held.clone();
    }
    match cache.peek(item).map(|known| known.held).filter(Held::is_live) {
        None => held.clone(),
        Some(known) => {
            known.set_superseded();
            known
        }
    }
}
