//! Takes what a data source delivers: into memory at once, into the outbox for Redis.
//!
//! Runs on the data source's thread and does no I/O, so that updates go on while Redis is away. Residency `all`: once the
//! source has delivered a full data set, memory is the truth; only another full one lowers a version. `lazy` and `off`:
//! Redis is the truth; what is delivered passes through the bounded cache on its way there. May depend on `model`.

use std::sync::Arc;

use crate::model::{Flag, Interner, ItemKey, Kind, Segment, tombstone_text};
use crate::store::inbox::mailbox::Mailbox;
use crate::store::inbox::outbox::Put;
use crate::store::memory::cache::{Cache, Held};
use crate::store::memory::entry::{Entry, Item};
use crate::store::memory::judge::Change;
use crate::store::memory::publication::Publisher;
use crate::store::memory::snapshot::{Snapshot, Table};
use crate::store::shared::Shared;
use crate::store::status::{Level, Listener};

/// What became of an item.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// Its JSON text, kept as it is.
    Json(&'a str),
    /// It was deleted.
    Deleted {
        /// Version of the deletion.
        version: i64,
    },
}

/// One delivered item.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Flag or segment.
    pub kind: Kind,
    /// Its key.
    pub key: &'a str,
    /// What became of it.
    pub content: Content<'a>,
}

/// An item that does not parse; nothing of what was delivered with it was taken.
#[derive(Debug, thiserror::Error)]
#[error("{kind} {key:?} does not parse: {source}")]
pub struct Unreadable {
    kind: &'static str,
    key: String,
    source: crate::model::ParseError,
}

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
    /// A full data set replaces everything, whatever the versions.
    pub fn replace(&self, deliveries: &[Delivery<'_>]) -> Result<(), Unreadable> {
        let mut publisher = self.mailbox.publisher();
        if self.shared.options.memory_leads() {
            self.replace_snapshot(&mut publisher, deliveries)?;
        } else {
            let items = deliveries
                .iter()
                .map(|delivery| parse(delivery, &mut publisher.interner))
                .collect::<Result<Vec<_>, _>>()?;
            self.replace_cached(items);
        }
        // Before the publisher is free again: what Redis says must not be published over it.
        self.shared.note_full_set();
        self.shared.set_delivered();
        self.mailbox.set_own_set();
        drop(publisher);
        self.wake_store();
        Ok(())
    }

    /// Items are merged one by one: a version that is not higher than the one held is left out.
    pub fn merge(&self, deliveries: &[Delivery<'_>]) -> Result<(), Unreadable> {
        let mut publisher = self.mailbox.publisher();
        if self.shared.options.memory_leads() {
            self.merge_snapshot(&mut publisher, deliveries)?;
        } else {
            for delivery in deliveries {
                let (item, held) = parse(delivery, &mut publisher.interner)?;
                self.merge_cached(item, held);
            }
        }
        drop(publisher);
        self.wake_store();
        Ok(())
    }

    fn replace_snapshot(&self, publisher: &mut Publisher, deliveries: &[Delivery<'_>]) -> Result<(), Unreadable> {
        let base = self.shared.snapshot.load_full();
        let mut next = Next::new(&base);
        let mut flags = vec![false; base.flags.slots()];
        let mut segments = vec![false; base.segments.slots()];
        for delivery in deliveries {
            let interner = &mut publisher.interner;
            match delivery.kind {
                Kind::Flag => next.take(|s| &mut s.flags, delivery, &mut flags, interner)?,
                Kind::Segment => next.take(|s| &mut s.segments, delivery, &mut segments, interner)?,
            }
        }
        next.remove_unmet(|s| &mut s.flags, Kind::Flag, &flags);
        next.remove_unmet(|s| &mut s.segments, Kind::Segment, &segments);
        let announce = self.shared.answers();
        let publish = || publisher.publish(self.shared, self.listener, &base, next.snapshot, &next.changes, announce);
        if self.shared.options.writes() {
            self.mailbox.outbox.put(Put::Memory, publish)
        } else {
            publish()
        }
        Ok(())
    }

    fn merge_snapshot(&self, publisher: &mut Publisher, deliveries: &[Delivery<'_>]) -> Result<(), Unreadable> {
        let base = self.shared.snapshot.load_full();
        let mut next = Next::new(&base);
        let mut taken = Vec::new();
        for delivery in deliveries {
            let interner = &mut publisher.interner;
            let held = match delivery.kind {
                Kind::Flag => next.merge(|s| &mut s.flags, delivery, interner)?.map(Held::Flag),
                Kind::Segment => next.merge(|s| &mut s.segments, delivery, interner)?.map(Held::Segment),
            };
            match held {
                Some(held) => taken.push((item_key(delivery), held)),
                None => self.is_older(delivery),
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        let publish = || publisher.publish(self.shared, self.listener, &base, next.snapshot, &next.changes, true);
        if self.shared.options.writes() {
            self.mailbox.outbox.add(taken, publish)
        } else {
            publish()
        }
        Ok(())
    }

    fn replace_cached(&self, items: Vec<(ItemKey, Held)>) {
        let Some(cache) = &self.shared.cache else {
            return self.mailbox.outbox.put(Put::Items(items), || ());
        };
        let copy = items.clone();
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
        if before.version() >= held.version() {
            // Redis decides all the same: it may hold less than this process does.
            return self.mailbox.outbox.add([(item, held)], || ());
        }
        let (generation, tick) = (self.shared.generation(), self.shared.tick());
        let (waiting, known) = ((item.clone(), held.clone()), held.clone());
        self.mailbox.outbox.add([waiting], || cache.put(item.clone(), known, generation, tick));
        self.announce(cache, &[(item, before, held)]);
    }

    /// Without Redis nobody would take the message.
    fn wake_store(&self) {
        if self.shared.connector.is_some() {
            self.mailbox.wake();
        }
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
            let (kind, key) = (word(delivery.kind), delivery.key);
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

/// The next snapshot while deliveries are taken into it.
struct Next {
    snapshot: Snapshot,
    changes: Vec<Change>,
}

type TableOf<T> = fn(&mut Snapshot) -> &mut Table<T>;

impl Next {
    fn new(base: &Snapshot) -> Self {
        Self { snapshot: base.clone(), changes: Vec::new() }
    }

    /// Takes an item whatever its version, and notes that its slot was met.
    fn take<T: Item>(
        &mut self,
        table: TableOf<T>,
        delivery: &Delivery<'_>,
        met: &mut [bool],
        interner: &mut Interner,
    ) -> Result<(), Unreadable> {
        let held = table(&mut self.snapshot);
        if let Some(met) = held.slot(delivery.key).and_then(|slot| met.get_mut(slot)) {
            *met = true;
        }
        if let (Some(entry), Content::Json(text)) = (held.get(delivery.key), delivery.content)
            && entry.text() == text.as_bytes()
            && !matches!(entry.state(), crate::store::memory::entry::State::Unreadable)
        {
            entry.set_superseded(false);
            return Ok(());
        }
        let entry = parse_as::<T>(delivery, interner)?;
        self.insert(table, delivery, entry);
        Ok(())
    }

    /// Takes an item that is newer than the one held; `None` when it is not.
    fn merge<T: Item>(
        &mut self,
        table: TableOf<T>,
        delivery: &Delivery<'_>,
        interner: &mut Interner,
    ) -> Result<Option<Arc<Entry<T>>>, Unreadable> {
        let entry = parse_as::<T>(delivery, interner)?;
        let held = table(&mut self.snapshot).get(delivery.key);
        let unreadable =
            held.is_some_and(|held| matches!(held.state(), crate::store::memory::entry::State::Unreadable));
        if !unreadable && held.is_some_and(|held| held.version() >= entry.version()) {
            return Ok(None);
        }
        Ok(Some(self.insert(table, delivery, entry)))
    }

    fn insert<T: Item>(&mut self, table: TableOf<T>, delivery: &Delivery<'_>, entry: Entry<T>) -> Arc<Entry<T>> {
        let table = table(&mut self.snapshot);
        let held = table.get(delivery.key);
        let old = held.map(|held| held.version());
        if let Some(held) = held {
            entry.inherit_use(held);
        }
        let (new, entry) = (entry.version(), Arc::new(entry));
        table.insert(delivery.key, entry.clone());
        let key = table.key(delivery.key).cloned().unwrap_or_else(|| Arc::from(delivery.key));
        self.changes.push(Change { kind: delivery.kind, key, old, new: Some(new) });
        entry
    }

    fn remove_unmet<T: Item>(&mut self, table: TableOf<T>, kind: Kind, met: &[bool]) {
        for key in table(&mut self.snapshot).held_among(met, false) {
            if let Some(removed) = table(&mut self.snapshot).remove(&key) {
                self.changes.push(Change { kind, key, old: Some(removed.version()), new: None });
            }
        }
    }
}

fn item_key(delivery: &Delivery<'_>) -> ItemKey {
    ItemKey { kind: delivery.kind, key: Arc::from(delivery.key) }
}

fn parse(delivery: &Delivery<'_>, interner: &mut Interner) -> Result<(ItemKey, Held), Unreadable> {
    let held = match delivery.kind {
        Kind::Flag => Held::Flag(Arc::new(parse_as::<Flag>(delivery, interner)?)),
        Kind::Segment => Held::Segment(Arc::new(parse_as::<Segment>(delivery, interner)?)),
    };
    Ok((item_key(delivery), held))
}

fn parse_as<T: Item>(delivery: &Delivery<'_>, interner: &mut Interner) -> Result<Entry<T>, Unreadable> {
    let text = match delivery.content {
        Content::Json(text) => text.as_bytes().to_vec(),
        Content::Deleted { version } => tombstone_text(delivery.kind, delivery.key, version).into_bytes(),
    };
    match Entry::parse(delivery.key, text, interner) {
        (entry, None) => Ok(entry),
        (_, Some(source)) => Err(Unreadable { kind: word(delivery.kind), key: delivery.key.to_owned(), source }),
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "flag",
        Kind::Segment => "segment",
    }
}
