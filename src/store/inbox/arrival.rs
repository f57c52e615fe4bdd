//! The next snapshot while deliveries of a data source are taken into it. Without I/O; may depend on `model`.

use std::sync::Arc;

use serde::Deserialize;

use crate::model::{
    Basis, Content, Delivery, Flag, Interner, ItemKey, Kind, LARGEST_VERSION, ParseError, Segment, scan_member, stamp,
    tombstone_text,
};
use crate::store::memory::cache::Held;
use crate::store::memory::entry::{Entry, Item, State};
use crate::store::memory::judge::Change;
use crate::store::memory::snapshot::{Snapshot, Table};
use crate::store::status::{Level, Listener};

/// The next snapshot.
pub struct Next<'a> {
    pub snapshot: Snapshot,
    /// What differs from the one before.
    pub changes: Vec<Change>,
    listener: &'a dyn Listener,
}

type TableOf<T> = fn(&mut Snapshot) -> &mut Table<T>;

impl<'a> Next<'a> {
    pub fn new(base: &Snapshot, listener: &'a dyn Listener) -> Self {
        Self { snapshot: base.clone(), changes: Vec::new(), listener }
    }

    /// Takes an item whatever its version, and notes that its slot was met.
    pub fn take<T: Item>(
        &mut self,
        table: TableOf<T>,
        delivery: &Delivery<'_>,
        met: &mut [bool],
        interner: &mut Interner,
    ) {
        if let Some(met) = table(&mut self.snapshot).slot(&delivery.key).and_then(|slot| met.get_mut(slot)) {
            *met = true;
        }
        self.follow(table, delivery, interner);
    }

    /// Takes an item whatever its version; `None` when it is the one held.
    fn follow<T: Item>(
        &mut self,
        table: TableOf<T>,
        delivery: &Delivery<'_>,
        interner: &mut Interner,
    ) -> Option<Arc<Entry<T>>> {
        let held = table(&mut self.snapshot).get(&delivery.key).cloned();
        if let (Some(entry), Content::Json(text)) = (&held, delivery.content)
            && entry.text() == text
        {
            entry.set_superseded(false);
            return None;
        }
        let entry = match parse::<T>(delivery, interner) {
            Ok(entry) => entry,
            Err(error) => {
                self.report(delivery, &error, held.as_deref());
                unreadable(delivery, held.as_deref())
            }
        };
        Some(self.insert(table, delivery, entry))
    }

    /// Takes an item that counts beside the one held; `None` when it does not, or is the same.
    pub fn merge<T: Item>(
        &mut self,
        table: TableOf<T>,
        delivery: &Delivery<'_>,
        basis: Basis,
        interner: &mut Interner,
    ) -> Option<Arc<Entry<T>>> {
        if basis == Basis::Sequence {
            return self.follow(table, delivery, interner);
        }
        let held = table(&mut self.snapshot).get(&delivery.key).cloned();
        let entry = match parse::<T>(delivery, interner) {
            Ok(entry) if held.as_ref().is_some_and(|held| is_as_new(held, entry.version())) => return None,
            Ok(entry) => entry,
            Err(error) => {
                let entry = unreadable(delivery, held.as_deref());
                if held.as_ref().is_some_and(|held| held.version() >= entry.version()) {
                    return None;
                }
                self.report(delivery, &error, held.as_deref());
                entry
            }
        };
        Some(self.insert(table, delivery, entry))
    }

    /// Drops what no delivery has met.
    pub fn remove_unmet<T: Item>(&mut self, table: TableOf<T>, kind: Kind, met: &[bool]) {
        for key in table(&mut self.snapshot).held_among(met, false) {
            if let Some(removed) = table(&mut self.snapshot).remove(&key) {
                self.changes.push(Change { kind, key, old: Some(removed.version()), new: None });
            }
        }
    }

    /// Number of items whose latest text does not parse.
    pub fn malformed(&self) -> usize {
        fn count<T: Item>(table: &Table<T>) -> usize {
            table.iter().filter(|(_, entry)| entry.is_outlived() || matches!(entry.state(), State::Unreadable)).count()
        }
        count(&self.snapshot.flags) + count(&self.snapshot.segments)
    }

    fn insert<T: Item>(&mut self, table: TableOf<T>, delivery: &Delivery<'_>, entry: Entry<T>) -> Arc<Entry<T>> {
        let (table, key) = (table(&mut self.snapshot), &*delivery.key);
        let held = table.get(key);
        let old = held.map(|held| held.version());
        if let Some(held) = held {
            entry.inherit_use(held);
        }
        let (new, entry) = (entry.version(), Arc::new(entry));
        table.insert(key, entry.clone());
        // What stays in force has not changed.
        if !entry.is_outlived() {
            let key = table.key(key).cloned().unwrap_or_else(|| Arc::from(key));
            self.changes.push(Change { kind: delivery.kind, key, old, new: Some(new) });
        }
        entry
    }

    fn report<T: Item>(&self, delivery: &Delivery<'_>, error: &ParseError, held: Option<&Entry<T>>) {
        let consequence = match held.and_then(Entry::live) {
            Some(_) => "its last good version stays in force",
            None => "it cannot be evaluated",
        };
        let (kind, key) = (word(delivery.kind), &delivery.key);
        self.listener.log(
            Level::Error,
            format_args!("{kind} {key:?} from the data source does not parse ({error}); {consequence}"),
        );
    }
}

/// Whether what is held is as new as a good item of this version. What does not parse gives way to the same version, too.
fn is_as_new<T: Item>(held: &Entry<T>, version: i64) -> bool {
    match held.state() {
        State::Unreadable => false,
        _ if held.is_outlived() => held.version() > version,
        _ => held.version() >= version,
    }
}

/// What a text that does not parse leaves. Without a version of its own it follows what is held.
fn unreadable<T: Item>(delivery: &Delivery<'_>, held: Option<&Entry<T>>) -> Entry<T> {
    let text = text(delivery);
    let version = version(&text).unwrap_or_else(|| held.map_or(0, |held| held.version().saturating_add(1)));
    Entry::unreadable(text, version, held)
}

/// The item by itself, for where Redis is the truth.
pub fn parse_alone(delivery: &Delivery<'_>, interner: &mut Interner) -> (ItemKey, Held) {
    let held = match delivery.kind {
        Kind::Flag => Held::Flag(Arc::new(parse::<Flag>(delivery, interner).unwrap_or_else(|_| alone(delivery)))),
        Kind::Segment => {
            Held::Segment(Arc::new(parse::<Segment>(delivery, interner).unwrap_or_else(|_| alone(delivery))))
        }
    };
    (item_key(delivery), held)
}

/// It is reported by whoever reads it in Redis.
fn alone<T: Item>(delivery: &Delivery<'_>) -> Entry<T> {
    unreadable(delivery, None)
}

fn parse<T: Item>(delivery: &Delivery<'_>, interner: &mut Interner) -> Result<Entry<T>, ParseError> {
    let (entry, error) = Entry::parse(&delivery.key, text(delivery), interner);
    match error {
        Some(error) => Err(error),
        None if is_version(entry.version()) => Ok(entry),
        None => Err(ParseError::Field { message: format!("the version {} is out of range", entry.version()) }),
    }
}

fn text(delivery: &Delivery<'_>) -> Vec<u8> {
    match delivery.content {
        Content::Json(text) => text.to_vec(),
        Content::Deleted { version } => tombstone_text(delivery.kind, &delivery.key, version).into_bytes(),
    }
}

/// The version of a text that does not parse, if it can be told.
fn version(text: &[u8]) -> Option<i64> {
    let stated = match (scan_member(text, "version"), stamp(text)) {
        (Some(b"null"), _) => None,
        (_, Some(stamp)) => Some(stamp.version),
        (raw, None) => i64::deserialize(&mut serde_json::Deserializer::from_slice(raw?)).ok(),
    };
    stated.filter(|version| is_version(*version))
}

fn is_version(version: i64) -> bool {
    (0..=LARGEST_VERSION).contains(&version)
}

pub fn item_key(delivery: &Delivery<'_>) -> ItemKey {
    ItemKey { kind: delivery.kind, key: Arc::from(&*delivery.key) }
}

pub fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "flag",
        Kind::Segment => "segment",
    }
}
