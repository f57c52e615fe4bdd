//! The bounded cache of residency `lazy`: least recently used items go first, absent keys are remembered too.
//!
//! The lock is short and never held across I/O: a hit clones one pointer and leaves. May depend on `model`.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};

use lru::LruCache;

use crate::model::{ItemKey, Kind, lock};
use crate::store::memory::entry::{FlagEntry, SegmentEntry, State};

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

/// The items in the order of their use.
pub type Items = LruCache<ItemKey, CacheItem, foldhash::fast::RandomState>;

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
        Self { items: Mutex::new(LruCache::with_hasher(capacity, foldhash::fast::RandomState::default())) }
    }

    /// What is known of a key; marks it as used during `tick`.
    pub fn get(&self, kind: Kind, key: &str, tick: u32) -> Option<CacheItem> {
        let mut items = self.lock();
        let item = items.get_mut(&(kind, key) as &dyn KeyView)?;
        item.used = tick;
        Some(item.clone())
    }

    /// What is known of a key, without marking it.
    pub fn peek(&self, item: &ItemKey) -> Option<CacheItem> {
        self.lock().peek(item as &dyn KeyView).cloned()
    }

    /// Puts a read in force. The item evicted for it, if any, is forgotten.
    pub fn put(&self, item: ItemKey, held: Held, verified: u64, used: u32) {
        self.lock().put(item, CacheItem { held, verified, used });
    }

    /// Keeps an item in force that Redis has lost: reading it again would find nothing else.
    pub fn keep(&self, item: &ItemKey, verified: u64) {
        if let Some(found) = self.lock().peek_mut(item as &dyn KeyView) {
            found.verified = verified;
        }
    }

    /// Replaces what is known of a key that is still held, and keeps its place in the order of use.
    pub fn refresh(&self, item: &ItemKey, held: Held, verified: u64) {
        if let Some(found) = self.lock().peek_mut(item as &dyn KeyView) {
            found.held = held;
            found.verified = verified;
        }
    }

    /// Puts a whole data set in force: held keys get their new items or are remembered as missing, others fill what room is
    /// left. Returns what was known of the held keys that changed, beside what is known now.
    pub fn replace(&self, items: &[(ItemKey, Held)], verified: u64) -> Vec<(ItemKey, Held, Held)> {
        let fresh: HashMap<&ItemKey, &Held> = items.iter().map(|(item, held)| (item, held)).collect();
        let mut cache = self.lock();
        let mut changed = Vec::new();
        for (item, known) in cache.iter_mut() {
            let held = fresh.get(item).map_or(Held::Missing, |held| (*held).clone());
            known.verified = verified;
            if known.held.text() != held.text() {
                changed.push((item.clone(), std::mem::replace(&mut known.held, held.clone()), held));
            }
        }
        for (item, held) in items {
            if cache.len() >= cache.cap().get() {
                break;
            }
            if !cache.contains(item as &dyn KeyView) {
                cache.put(item.clone(), CacheItem { held: held.clone(), verified, used: 0 });
            }
        }
        changed
    }

    /// Every key held with its use mark, most recently used first.
    pub fn keys(&self) -> Vec<(ItemKey, u32)> {
        self.lock().iter().map(|(key, item)| (key.clone(), item.used)).collect()
    }

    /// Every flag held: what change notifications search for dependants.
    pub fn flags(&self) -> Vec<(Arc<str>, FlagEntry)> {
        self.held(|held| if let Held::Flag(entry) = held { Some(entry.clone()) } else { None })
    }

    /// Every segment held.
    pub fn segments(&self) -> Vec<(Arc<str>, SegmentEntry)> {
        self.held(|held| if let Held::Segment(entry) = held { Some(entry.clone()) } else { None })
    }

    fn held<T>(&self, select: impl Fn(&Held) -> Option<T>) -> Vec<(Arc<str>, T)> {
        self.lock().iter().filter_map(|(key, item)| Some((key.key.clone(), select(&item.held)?))).collect()
    }

    /// Takes the lock; the fork guard holds it over a fork so that a child never inherits it locked.
    pub fn lock(&self) -> MutexGuard<'_, Items> {
        lock(&self.items)
    }
}
