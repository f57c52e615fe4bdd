//! All items of one kind, each in a slot of its own: a key keeps its slot from snapshot to snapshot, so a prepared flag remembers
//! the slot and skips the hash. May depend on `model` only.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use hashbrown::HashMap;
use once_cell::race::OnceBox;

use crate::store::memory::entry::Entry;

type Hasher = foldhash::fast::RandomState;

/// Which slot each key has. Shared by all snapshots until a key is added.
#[derive(Debug)]
struct Index {
    slots: HashMap<Arc<str>, u32, Hasher>,
    keys: Vec<Arc<str>>,
    /// Differs between any two indexes of the process; 0 is never used.
    version: u32,
    /// The slots in the byte order of their keys, made when first asked for. Of threads that race, each makes it and one
    /// wins: nobody waits, so a child of a fork never waits for a thread that it does not have.
    order: OnceBox<Vec<u32>>,
}

impl Clone for Index {
    /// A copy is made to be added to, so the order is left behind.
    fn clone(&self) -> Self {
        Self { slots: self.slots.clone(), keys: self.keys.clone(), version: self.version, order: OnceBox::new() }
    }
}

impl Index {
    fn new() -> Self {
        Self { slots: HashMap::default(), keys: Vec::new(), version: next_version(), order: OnceBox::new() }
    }

    fn order(&self) -> &[u32] {
        self.order.get_or_init(|| {
            let mut slots: Vec<(&Arc<str>, u32)> = self.keys.iter().zip(0..).collect();
            slots.sort_unstable();
            Box::new(slots.into_iter().map(|(_, slot)| slot).collect())
        })
    }
}

fn next_version() -> u32 {
    static VERSIONS: AtomicU32 = AtomicU32::new(1);
    let version = VERSIONS.fetch_add(1, Relaxed);
    // After four billion new keys the counter wraps; 0 stays reserved for "nothing remembered".
    if version == 0 { VERSIONS.fetch_add(1, Relaxed) } else { version }
}

/// What a prepared flag remembers of a table: slot and index version, in one word that fits an atomic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(u64);

impl Slot {
    /// Nothing remembered yet.
    pub const UNKNOWN: Self = Self(0);
    const ABSENT: u32 = u32::MAX;

    fn new(version: u32, slot: u32) -> Self {
        Self((u64::from(version) << 32) | u64::from(slot))
    }

    /// The word to keep.
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// Back from [`Slot::to_bits`].
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline]
    fn parts(self) -> (u32, u32) {
        let [a, b, c, d, e, f, g, h] = self.0.to_be_bytes();
        (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
    }
}

/// All held items of one kind.
#[derive(Debug)]
pub struct Table<T> {
    index: Arc<Index>,
    slots: Vec<Option<Arc<Entry<T>>>>,
    held: usize,
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self { index: self.index.clone(), slots: self.slots.clone(), held: self.held }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { index: Arc::new(Index::new()), slots: Vec::new(), held: 0 }
    }
}

impl<T> Table<T> {
    /// The entry of `key`, tombstones and unreadable ones included.
    #[inline]
    pub fn get(&self, key: &str) -> Option<&Arc<Entry<T>>> {
        let slot = *self.index.slots.get(key)?;
        self.slots.get(slot as usize)?.as_ref()
    }

    /// The entry in a remembered slot, or `Err` with what to remember now.
    #[inline]
    pub fn at(&self, remembered: Slot, key: &str) -> (Option<&Arc<Entry<T>>>, Slot) {
        let (version, slot) = remembered.parts();
        if version == self.index.version {
            return (self.slots.get(slot as usize).and_then(Option::as_ref), remembered);
        }
        let slot = self.index.slots.get(key).copied().unwrap_or(Slot::ABSENT);
        (self.slots.get(slot as usize).and_then(Option::as_ref), Slot::new(self.index.version, slot))
    }

    /// Number of items held, tombstones and unreadable ones included.
    pub fn len(&self) -> usize {
        self.held
    }

    /// True when nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Every held key with its entry.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Entry<T>>)> + Clone {
        self.index.keys.iter().zip(&self.slots).filter_map(|(key, entry)| Some((key, entry.as_ref()?)))
    }

    /// Every held key with its entry, in the byte order of the keys. Keys are sorted once for all snapshots that have the
    /// same ones.
    pub fn iter_sorted(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Entry<T>>)> {
        self.index.order().iter().filter_map(|slot| {
            let entry = self.slots.get(*slot as usize)?.as_ref()?;
            Some((self.index.keys.get(*slot as usize)?, entry))
        })
    }

    /// Number of slots; grows with every new key.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The slot of `key`, held or not.
    pub fn slot(&self, key: &str) -> Option<usize> {
        self.index.slots.get(key).map(|slot| *slot as usize)
    }

    /// The held keys whose slot has this value in `marks`; slots beyond its end are left out.
    pub fn held_among(&self, marks: &[bool], value: bool) -> Vec<Arc<str>> {
        let slots = self.index.keys.iter().zip(&self.slots).zip(marks);
        slots.filter(|((_, entry), mark)| entry.is_some() && **mark == value).map(|((key, _), _)| key.clone()).collect()
    }

    /// The shared key text, for callers that keep keys.
    pub fn key(&self, key: &str) -> Option<&Arc<str>> {
        let slot = *self.index.slots.get(key)?;
        self.index.keys.get(slot as usize)
    }

    /// Puts `entry` in force for `key`.
    pub fn insert(&mut self, key: &str, entry: Arc<Entry<T>>) {
        let slot = match self.index.slots.get(key) {
            Some(slot) => *slot as usize,
            None => self.add_key(key),
        };
        if let Some(place) = self.slots.get_mut(slot) {
            self.held += usize::from(place.is_none());
            *place = Some(entry);
        }
    }

    /// Drops the entry of `key`; its slot stays reserved.
    pub fn remove(&mut self, key: &str) -> Option<Arc<Entry<T>>> {
        let slot = *self.index.slots.get(key)?;
        let removed = self.slots.get_mut(slot as usize)?.take();
        self.held -= usize::from(removed.is_some());
        removed
    }

    /// Gives up the slots of keys that are no longer held, when they are the majority: keys that come and go for ever
    /// must not grow the index for ever.
    pub fn compact(&mut self) {
        if self.slots.len() < 64 || self.held * 2 > self.slots.len() {
            return;
        }
        let mut fresh = Self::default();
        for (key, entry) in self.iter() {
            fresh.insert(key, entry.clone());
        }
        *self = fresh;
    }

    fn add_key(&mut self, key: &str) -> usize {
        let shared = Arc::strong_count(&self.index) > 1;
        let index = Arc::make_mut(&mut self.index);
        if shared {
            index.version = next_version();
        }
        index.order = OnceBox::new();
        let slot = index.keys.len();
        let key: Arc<str> = Arc::from(key);
        index.keys.push(key.clone());
        // Four billion keys cannot be held in memory, so the conversion never truncates.
        index.slots.insert(key, u32::try_from(slot).unwrap_or(Slot::ABSENT));
        self.slots.push(None);
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Flag, Interner};
    use crate::store::testing::flag;

    fn entry(key: &str) -> Arc<Entry<Flag>> {
        Arc::new(Entry::parse(key, flag(key, 1, &[], &[]), &mut Interner::default()).0)
    }

    fn table(keys: &[&str]) -> Table<Flag> {
        let mut table = Table::default();
        keys.iter().for_each(|key| table.insert(key, entry(key)));
        table
    }

    #[test]
    fn a_remembered_slot_finds_the_item_in_later_snapshots() {
        let first = table(&["a", "b"]);
        let (found, slot) = first.at(Slot::UNKNOWN, "b");
        assert!(found.is_some());
        let mut second = first.clone();
        let newer = entry("b");
        second.insert("b", newer.clone());
        let (found, again) = second.at(slot, "b");
        assert!(Arc::ptr_eq(found.unwrap(), &newer));
        assert_eq!(again, slot);
    }

    #[test]
    fn a_key_that_was_absent_is_found_once_it_is_added() {
        let first = table(&["a"]);
        let (found, absent) = first.at(Slot::UNKNOWN, "b");
        assert!(found.is_none());
        assert_eq!(first.at(absent, "b").1, absent);
        let mut second = first.clone();
        second.insert("b", entry("b"));
        assert!(second.at(absent, "b").0.is_some());
        assert!(first.at(absent, "b").0.is_none());
    }

    #[test]
    fn a_removed_key_is_not_found_and_comes_back_in_its_slot() {
        let mut table = table(&["a", "b"]);
        let (_, slot) = table.at(Slot::UNKNOWN, "a");
        assert!(table.remove("a").is_some() && table.remove("a").is_none());
        assert_eq!((table.len(), table.iter().count()), (1, 1));
        assert!(table.at(slot, "a").0.is_none());
        table.insert("a", entry("a"));
        assert!(table.at(slot, "a").0.is_some());
    }

    #[test]
    fn held_keys_come_in_byte_order_whatever_is_added_or_removed() {
        let sorted = |table: &Table<Flag>| table.iter_sorted().map(|(key, _)| key.to_string()).collect::<Vec<_>>();
        let mut first = table(&["b", "é", "a", "B", "ab"]);
        assert_eq!(sorted(&first), ["B", "a", "ab", "b", "é"]);
        let mut second = first.clone();
        second.insert("aa", entry("aa"));
        second.remove("b");
        assert_eq!(sorted(&second), ["B", "a", "aa", "ab", "é"]);
        assert_eq!(sorted(&first), ["B", "a", "ab", "b", "é"]);
        drop(second);
        first.insert("0", entry("0"));
        assert_eq!(sorted(&first), ["0", "B", "a", "ab", "b", "é"]);
    }

    #[test]
    fn slots_of_keys_that_went_away_are_given_up() {
        let keys: Vec<String> = (0..200).map(|number| format!("key-{number}")).collect();
        let mut table = table(&keys.iter().map(String::as_str).collect::<Vec<_>>());
        let (_, slot) = table.at(Slot::UNKNOWN, "key-199");
        keys.iter().take(150).for_each(|key| drop(table.remove(key)));
        table.compact();
        assert_eq!((table.slots(), table.len()), (50, 50));
        let (found, moved) = table.at(slot, "key-199");
        assert!(found.is_some());
        assert_ne!(moved, slot);
    }
}
