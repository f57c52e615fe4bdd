//! Compact lists and sets of strings for targets, segment members and clause values.
//!
//! Such keys make up most of a real flag, so all strings of a list share one allocation, each behind its length, and a
//! set of more than a few adds only a table of where they start. Depends on foldhash for hashing.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

/// Sets up to this size are searched linearly, which is then as fast as hashing.
const FEW: usize = 8;
/// Marks a free slot; no string starts here, as lists are shorter.
const FREE: u32 = u32::MAX;

/// Bits of a length in one byte, and the flag that another byte follows. Both keep the byte ASCII and so the text UTF-8.
const LENGTH_BITS: u32 = 6;
const MORE: u8 = 0x40;

/// An immutable list of strings in one allocation of up to 4 GB.
#[derive(Clone, Debug, Default)]
pub struct StringList {
    /// Each string behind its length.
    text: Box<str>,
}

impl StringList {
    /// True if there are no strings.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The bytes of all strings, and one or more for each.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The strings in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.starts().map(|(_, item)| item)
    }

    /// The strings and where their entries start.
    #[inline]
    fn starts(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let start = next;
            let item = self.at(&mut next)?;
            Some((start, item))
        })
    }

    /// Reads the entry at `position` and moves it behind that entry.
    #[inline]
    fn at(&self, position: &mut usize) -> Option<&str> {
        let bytes = self.text.as_bytes();
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = *bytes.get(*position)?;
            *position += 1;
            length |= usize::from(byte & (MORE - 1)) << shift;
            if byte & MORE == 0 {
                break;
            }
            shift += LENGTH_BITS;
        }
        let start = *position;
        *position += length;
        self.text.get(start..*position)
    }
}

fn push(text: &mut String, item: &str) {
    let mut length = item.len();
    loop {
        let low = (length % usize::from(MORE)) as u8;
        length >>= LENGTH_BITS;
        if length == 0 {
            text.push(char::from(low));
            break;
        }
        text.push(char::from(low | MORE));
    }
    text.push_str(item);
}

impl<S: AsRef<str>> FromIterator<S> for StringList {
    /// Collects strings. The parser has refused items of 4 GB; should there be more text, the rest is left out.
    fn from_iter<I: IntoIterator<Item = S>>(items: I) -> Self {
        let items = items.into_iter();
        // Keys are about this long; a good guess spares most of the growing.
        let mut text = String::with_capacity(items.size_hint().0.saturating_mul(20).min(1 << 20));
        for item in items {
            let before = text.len();
            push(&mut text, item.as_ref());
            if text.len() >= FREE as usize {
                text.truncate(before);
                break;
            }
        }
        StringList { text: text.into_boxed_str() }
    }
}

/// An immutable set of strings.
#[derive(Clone, Debug, Default)]
pub struct StringSet {
    list: StringList,
    index: Index,
}

/// Where the strings of a list start, by hash, with linear probing. Without slots for short lists.
#[derive(Clone, Debug, Default)]
struct Index {
    hasher: RandomState,
    /// The low bits say where a string starts, as many as the list needs; the others are bits of its hash, so that hardly
    /// any string is looked at in vain.
    slots: Box<[u32]>,
}

impl StringSet {
    /// True if the set has no strings.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The strings in the order in which they were written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.list.iter()
    }

    /// True if the set holds exactly this string.
    #[inline]
    pub fn contains(&self, text: &str) -> bool {
        if self.index.slots.is_empty() {
            self.list.iter().any(|item| item == text)
        } else {
            self.index.find(&self.list, text).is_ok()
        }
    }
}

impl Index {
    fn new(list: &StringList, count: usize) -> Index {
        // A third of the slots stays free, so every search ends.
        let slots = vec![FREE; count + count / 2 + 1].into_boxed_slice();
        let mut index = Index { hasher: RandomState::default(), slots };
        for (start, text) in list.starts() {
            if let Err(Some((free, mark))) = index.find(list, text)
                && let Some(slot) = index.slots.get_mut(free)
            {
                *slot = mark | start as u32;
            }
        }
        index
    }

    /// Nothing for a string that is there, or else the slot for it and the bits of its hash.
    #[inline]
    fn find(&self, list: &StringList, text: &str) -> Result<(), Option<(usize, u32)>> {
        let hash = self.hasher.hash_one(text);
        // No string starts at the end of the list, so that no slot in use looks free.
        let starts = u32::MAX.checked_shr(list.text.len().leading_zeros() - (usize::BITS - u32::BITS)).unwrap_or(0);
        let mark = hash as u32 & !starts;
        // The upper half of the hash, scaled to the number of slots.
        let first = (((hash >> 32) * self.slots.len() as u64) >> 32) as usize;
        let (before, after) = self.slots.split_at_checked(first).unwrap_or_default();
        for (distance, slot) in after.iter().chain(before).enumerate() {
            if *slot == FREE {
                return Err(Some(((first + distance) % self.slots.len(), mark)));
            }
            if *slot & !starts == mark && list.at(&mut ((*slot & starts) as usize)) == Some(text) {
                return Ok(());
            }
        }
        Err(None)
    }
}

impl<S: AsRef<str>> FromIterator<S> for StringSet {
    fn from_iter<I: IntoIterator<Item = S>>(items: I) -> Self {
        let list = StringList::from_iter(items);
        let count = list.iter().count();
        let index = if count > FEW { Index::new(&list, count) } else { Index::default() };
        StringSet { list, index }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_sets_find_exactly_their_members() {
        for size in [0, 1, 8, 9, 10, 100, 1000] {
            let keys: Vec<String> = (0..size).map(|number| format!("key-{number}")).collect();
            let set: StringSet = keys.iter().collect();
            assert_eq!(set.iter().collect::<Vec<_>>(), keys);
            assert!(keys.iter().all(|key| set.contains(key)));
            for absent in ["", "key-", "key-1000", "key-0key-1", "ey-1"] {
                assert!(!set.contains(absent), "{absent} in a set of {size}");
            }
        }
    }

    #[test]
    fn empty_and_repeated_strings_are_members_too() {
        let set: StringSet = ["", "a", "a", "é"].into_iter().collect();
        assert!(set.contains("") && set.contains("a") && set.contains("é"));
        assert!(!set.contains("aa"));
    }

    #[test]
    fn strings_of_any_length_are_kept() {
        for length in [0, 1, 63, 64, 65, 4095, 4096, 300_000] {
            let text = "é".repeat(length / 2) + if length % 2 == 1 { "x" } else { "" };
            let list: StringList = ["a", &text, "", "b"].into_iter().collect();
            assert_eq!(list.iter().collect::<Vec<_>>(), ["a", &text, "", "b"], "{length}");
            let keys = (0..20).map(|number| format!("{text}{number}"));
            let set: StringSet = keys.collect();
            assert!(set.contains(&format!("{text}19")) && !set.contains(&format!("{text}20")));
        }
    }

    #[test]
    fn a_large_set_takes_little_more_than_its_text() {
        let set: StringSet = (0..1000).map(|number| format!("{number:036}")).collect();
        assert_eq!(set.list.text.len(), 1000 * 37);
        assert_eq!(set.index.slots.len(), 1501);
    }
}
