//! The bounded cache of residency `lazy`: least recently used items go first, absent keys are remembered too.
//!
//! The lock is short and never held across I/O: a hit clones one pointer and leaves. Who depends on whom among the held items
//! is kept from change to change behind the same lock. May depend on `model`.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};

use lru::LruCache;

use crate::model::{ItemKey, Kind, lock};
use crate::store::memory::dependents::{Affected, Graph};
use crate::store::memory::entry::{FlagEntry, SegmentEntry, State};
use crate::store::memory::judge::Change;

/// What is known of a key.
#[derive(Debug, Clone)]
pub enum Held {
    /// A flag, its tombstone, or its unreadable text.
    Flag(FlagEntry),
    /// A segment, its tombstone, or its unreadable text.
    Segment(SegmentEntry),
    /// Redis has no such field.
    Missing,
}

impl Held {
    /// Version of the item or of its tombstone; `None` when it is missing.
    pub fn version(&self) -> Option<i64> {
        match self {
            Self::Flag(entry) => Some(entry.version()),
            Self::Segment(entry) => Some(entry.version()),
            Self::Missing => None,
        }
    }

    /// The text; empty when it is missing.
    pub fn text(&self) -> &[u8] {
        match self {
            Self::Flag(entry) => entry.text(),
            Self::Segment(entry) => entry.text(),
            Self::Missing => &[],
        }
    }

    /// Something that can be evaluated.
    pub fn is_live(&self) -> bool {
        match self {
            Self::Flag(entry) => entry.live().is_some(),
            Self::Segment(entry) => entry.live().is_some(),
            Self::Missing => false,
        }
    }

    /// Anything but a text that does not parse.
    pub fn is_readable(&self) -> bool {
        match self {
            Self::Flag(entry) => !matches!(entry.state(), State::Unreadable),
            Self::Segment(entry) => !matches!(entry.state(), State::Unreadable),
            Self::Missing => true,
        }
    }

    /// There is newer content that does not parse.
    pub fn set_superseded(&self) {
        match self {
            Self::Flag(entry) => entry.set_superseded(true),
            Self::Segment(entry) => entry.set_superseded(true),
            Self::Missing => {}
        }
    }

    /// The very same entry.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Flag(a), Self::Flag(b)) => Arc::ptr_eq(a, b),
            (Self::Segment(a), Self::Segment(b)) => Arc::ptr_eq(a, b),
            (Self::Missing, Self::Missing) => true,
            _ => false,
        }
    }
}

/// What is known of a key, and since when.
#[derive(Debug, Clone)]
pub struct CacheItem {
    /// What is known.
    pub held: Held,
    /// Generation for which a read has confirmed it.
    pub verified: u64,
    /// Tick of the latest evaluation.
    pub used: u32,
}

/// The items in the order of their use, and who depends on whom among them.
#[derive(Debug)]
pub struct Items {
    by_use: LruCache<ItemKey, CacheItem, foldhash::fast::RandomState>,
    graph: Graph,
}

impl Items {
    fn put(&mut self, item: ItemKey, known: CacheItem) {
        let held = known.held.clone();
        // What was known of the key, or what is evicted for it.
        if let Some((before, known)) = self.by_use.push(item.clone(), known) {
            self.graph.release(&before, &known.held);
        }
        self.graph.hold(&item, &held);
    }

    /// Replaces what is known of a key that is held; returns what was known.
    fn replace(&mut self, item: &ItemKey, held: Held) -> Option<Held> {
        let found = self.by_use.peek_mut(item as &dyn KeyView)?;
        let before = std::mem::replace(&mut found.held, held);
        self.graph.release(item, &before);
        self.graph.hold(item, &found.held);
        Some(before)
    }
}

impl Graph {
    fn hold(&mut self, item: &ItemKey, held: &Held) {
        match held {
            Held::Flag(entry) => self.add(item.kind, &item.key, entry),
            Held::Segment(entry) => self.add(item.kind, &item.key, entry),
            Held::Missing => {}
        }
    }

    fn release(&mut self, item: &ItemKey, held: &Held) {
        match held {
            Held::Flag(entry) => self.remove(item.kind, &item.key, entry),
            Held::Segment(entry) => self.remove(item.kind, &item.key, entry),
            Held::Missing => {}
        }
    }
}

/// The bounded cache.
#[derive(Debug)]
pub struct Cache {
    items: Mutex<Items>,
}

/// A look at a key without owning it.
trait KeyView {
    fn kind(&self) -> Kind;
    fn text(&self) -> &str;
}

impl KeyView for ItemKey {
    fn kind(&self) -> Kind {
        self.kind
    }
    fn text(&self) -> &str {
        &self.key
    }
}

impl KeyView for (Kind, &str) {
    fn kind(&self) -> Kind {
        self.0
    }
    fn text(&self) -> &str {
        self.1
    }
}

impl Hash for dyn KeyView + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind().hash(state);
        self.text().hash(state);
    }
}

impl PartialEq for dyn KeyView + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.text() == other.text()
    }
}

impl Eq for dyn KeyView + '_ {}

impl<'a> Borrow<dyn KeyView + 'a> for ItemKey {
    fn borrow(&self) -> &(dyn KeyView + 'a) {
        self
    }
}

impl Cache {
    /// An empty cache for at most `capacity` items.
    pub fn new(capacity: NonZeroUsize) -> Self {
        let by_use = LruCache::with_hasher(capacity, foldhash::fast::RandomState::default());
        Self { items: Mutex::new(Items { by_use, graph: Graph::default() }) }
    }

    /// What is known of a key; marks it as used during `tick`.
    pub fn get(&self, kind: Kind, key: &str, tick: u32) -> Option<CacheItem> {
        let mut items = self.lock();
        let item = items.by_use.get_mut(&(kind, key) as &dyn KeyView)?;
        item.used = tick;
        Some(item.clone())
    }

    /// What is known of a key, without marking it.
    pub fn peek(&self, item: &ItemKey) -> Option<CacheItem> {
        self.lock().by_use.peek(item as &dyn KeyView).cloned()
    }

    /// Puts a read in force. The item evicted for it, if any, is forgotten.
    pub fn put(&self, item: ItemKey, held: Held, verified: u64, used: u32) {
        self.lock().put(item, CacheItem { held, verified, used });
    }

    /// Keeps an item in force that Redis has lost: reading it again would find nothing else.
    pub fn keep(&self, item: &ItemKey, verified: u64) {
        if let Some(found) = self.lock().by_use.peek_mut(item as &dyn KeyView) {
            found.verified = verified;
        }
    }

    /// Replaces what is known of a key that is still held, and keeps its place in the order of use.
    pub fn refresh(&self, item: &ItemKey, held: Held, verified: u64) {
        let mut items = self.lock();
        if items.replace(item, held).is_some()
            && let Some(found) = items.by_use.peek_mut(item as &dyn KeyView)
        {
            found.verified = verified;
        }
    }

    /// Puts a whole data set in force: held keys get their new items or are remembered as missing, others fill what room is
    /// left. Returns what was known of the held keys that changed, beside what is known now.
    pub fn replace(&self, items: &[(ItemKey, Held)], verified: u64) -> Vec<(ItemKey, Held, Held)> {
        let fresh: HashMap<&ItemKey, &Held> = items.iter().map(|(item, held)| (item, held)).collect();
        let mut cache = self.lock();
        let mut changed = Vec::new();
        for (item, known) in cache.by_use.iter_mut() {
            known.verified = verified;
            let held = fresh.get(item).map_or(Held::Missing, |held| (*held).clone());
            if known.held.text() != held.text() {
                changed.push((item.clone(), known.held.clone(), held));
            }
        }
        for (item, _, held) in &changed {
            cache.replace(item, held.clone());
        }
        for (item, held) in items {
            if cache.by_use.len() >= cache.by_use.cap().get() {
                break;
            }
            if !cache.by_use.contains(item as &dyn KeyView) {
                cache.put(item.clone(), CacheItem { held: held.clone(), verified, used: 0 });
            }
        }
        changed
    }

    /// Every key held with its use mark, most recently used first.
    pub fn keys(&self) -> Vec<(ItemKey, u32)> {
        self.lock().by_use.iter().map(|(key, item)| (key.clone(), item.used)).collect()
    }

    /// The held flags that `changes` affect, each once.
    pub fn affected(&self, changes: &[Change]) -> Vec<Affected> {
        let items = self.lock();
        items.graph.affected(changes, |key| {
            let known = items.by_use.peek(&(Kind::Flag, key) as &dyn KeyView)?;
            if let Held::Flag(entry) = &known.held { Some(entry.version()) } else { None }
        })
    }

    /// A flag, if it is held, without marking it.
    pub fn flag(&self, key: &str) -> Option<FlagEntry> {
        match &self.lock().by_use.peek(&(Kind::Flag, key) as &dyn KeyView)?.held {
            Held::Flag(entry) => Some(entry.clone()),
            _ => None,
        }
    }

    /// Every flag held.
    pub fn flags(&self) -> Vec<(Arc<str>, FlagEntry)> {
        self.held(|held| if let Held::Flag(entry) = held { Some(entry.clone()) } else { None })
    }

    /// Every segment held.
    pub fn segments(&self) -> Vec<(Arc<str>, SegmentEntry)> {
        self.held(|held| if let Held::Segment(entry) = held { Some(entry.clone()) } else { None })
    }

    fn held<T>(&self, select: impl Fn(&Held) -> Option<T>) -> Vec<(Arc<str>, T)> {
        self.lock().by_use.iter().filter_map(|(key, item)| Some((key.key.clone(), select(&item.held)?))).collect()
    }

    /// Takes the lock; the fork guard holds it over a fork so that a child never inherits it locked.
    pub fn lock(&self) -> MutexGuard<'_, Items> {
        lock(&self.items)
    }
}

#[cfg(test)]
mod tests;
