//! Compact lists and sets of strings for targets, segment members and clause values.
//!
//! Such keys make up most of a real flag, so a set only says where they stand in the text of their item, and all strings of
//! a list share one allocation, each behind its length. Depends on `text`, and on foldhash for hashing.

use std::hash::BuildHasher as _;
use std::ops::Range;

use foldhash::fast::RandomState;
use once_cell::race::OnceBox;

use super::text::Text;

/// Sets up to this size are searched linearly, which is then as fast as hashing.
const FEW: usize = 8;
/// Lists of so many bytes are cut off.
const LONGEST: usize = u32::MAX as usize;

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
        let mut next = 0;
        std::iter::from_fn(move || self.at(&mut next))
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
            if text.len() >= LONGEST {
                text.truncate(before);
                break;
            }
        }
        StringList { text: text.into_boxed_str() }
    }
}

/// An immutable set of strings, which are places in the text of an item.
#[derive(Clone, Debug)]
pub struct StringSet {
    text: Text,
    places: Places,
}

/// Where the strings are. Most items and strings are short: four bytes are enough for a place then.
#[derive(Clone, Debug)]
enum Places {
    Short(Box<[Short]>),
    Long(Box<[Long]>),
}

/// A place in a text of less than 64 kB. More than a few are found by hash, with linear probing: some are free then.
#[derive(Clone, Copy, Debug)]
struct Short {
    begin: u16,
    length: u8,
    /// Some bits of the hash, so that hardly any string is looked at in vain.
    mark: u8,
}

/// A place in any text.
#[derive(Clone, Copy, Debug)]
struct Long {
    begin: u32,
    length: u32,
    mark: u32,
}

impl StringSet {
    /// The set of these strings, read from this text. Those that were written with escapes are not part of it: then all are
    /// copied.
    pub(super) fn new<'s>(text: &Text, strings: impl Iterator<Item = &'s str> + Clone) -> StringSet {
        let places: Option<Vec<(u32, u32)>> = strings.clone().map(|string| text.place_of(string)).collect();
        match places {
            Some(places) => StringSet { text: text.clone(), places: Places::new(text, &places) },
            None => StringSet::copied(strings),
        }
    }

    fn copied<'s>(strings: impl Iterator<Item = &'s str> + Clone) -> StringSet {
        let text = Text::new(strings.clone().collect::<String>());
        let mut begin = 0;
        let place = |string: &str| {
            let length = u32::try_from(string.len()).unwrap_or_default();
            begin += length;
            (begin - length, length)
        };
        // The parser has refused items of 4 GB, and decoded strings are shorter than written ones.
        let places: Vec<(u32, u32)> = strings.map(place).collect();
        StringSet { places: Places::new(&text, &places), text }
    }

    /// True if the set has no strings.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match &self.places {
            Places::Short(places) => places.is_empty(),
            Places::Long(places) => places.is_empty(),
        }
    }

    /// True if the set holds exactly this string.
    #[inline]
    pub fn contains(&self, string: &str) -> bool {
        match &self.places {
            Places::Short(places) => find(places, &self.text, string).is_ok(),
            Places::Long(places) => find(places, &self.text, string).is_ok(),
        }
    }
}

impl Places {
    fn new(text: &str, places: &[(u32, u32)]) -> Places {
        let short: Option<Vec<Short>> = places.iter().map(|(begin, length)| Short::new(*begin, *length)).collect();
        match short {
            Some(short) => Places::Short(arranged(short, text)),
            None => {
                Places::Long(arranged(places.iter().filter_map(|(begin, length)| Long::new(*begin, *length)), text))
            }
        }
    }
}

/// A place of either width.
trait Place: Copy {
    /// No string is here: none begins at the end of the longest text.
    const FREE: Self;
    /// None where it does not fit.
    fn new(begin: u32, length: u32) -> Option<Self>;
    fn marked(self, hash: u64) -> Self;
    fn is_free(self) -> bool;
    fn has_mark(self, hash: u64) -> bool;
    fn range(self) -> Range<usize>;
}

impl Place for Short {
    const FREE: Self = Self { begin: u16::MAX, length: 0, mark: 0 };

    fn new(begin: u32, length: u32) -> Option<Self> {
        let begin = u16::try_from(begin).ok().filter(|begin| *begin != u16::MAX)?;
        Some(Self { begin, length: u8::try_from(length).ok()?, mark: 0 })
    }

    fn marked(self, hash: u64) -> Self {
        Self { mark: hash as u8, ..self }
    }

    #[inline]
    fn is_free(self) -> bool {
        self.begin == u16::MAX
    }

    #[inline]
    fn has_mark(self, hash: u64) -> bool {
        self.mark == hash as u8
    }

    #[inline]
    fn range(self) -> Range<usize> {
        usize::from(self.begin)..usize::from(self.begin) + usize::from(self.length)
    }
}

impl Place for Long {
    const FREE: Self = Self { begin: u32::MAX, length: 0, mark: 0 };

    fn new(begin: u32, length: u32) -> Option<Self> {
        (begin != u32::MAX).then_some(Self { begin, length, mark: 0 })
    }

    fn marked(self, hash: u64) -> Self {
        Self { mark: hash as u32, ..self }
    }

    #[inline]
    fn is_free(self) -> bool {
        self.begin == u32::MAX
    }

    #[inline]
    fn has_mark(self, hash: u64) -> bool {
        self.mark == hash as u32
    }

    #[inline]
    fn range(self) -> Range<usize> {
        self.begin as usize..self.begin as usize + self.length as usize
    }
}

/// True if the string is at this place.
#[inline]
fn is_at<P: Place>(place: P, text: &str, string: &str) -> bool {
    let range = place.range();
    range.len() == string.len() && text.as_bytes().get(range) == Some(string.as_bytes())
}

/// Few places as they are, more of them where [`find`] looks for their strings.
fn arranged<P: Place>(places: impl IntoIterator<Item = P>, text: &str) -> Box<[P]> {
    let places: Box<[P]> = places.into_iter().collect();
    if places.len() <= FEW {
        return places;
    }
    // A third stays free, so every search ends.
    let mut slots = vec![P::FREE; places.len() + places.len() / 2 + 1].into_boxed_slice();
    for place in places {
        let string = text.get(place.range()).unwrap_or_default();
        if let Err(Some(free)) = find(&slots, text, string)
            && let Some(slot) = slots.get_mut(free)
        {
            *slot = place.marked(hash(string));
        }
    }
    slots
}

/// Looks for a string; the error is the free slot for it, if there are slots.
#[inline]
fn find<P: Place>(places: &[P], text: &str, string: &str) -> Result<(), Option<usize>> {
    if places.len() <= FEW {
        return if places.iter().any(|place| is_at(*place, text, string)) { Ok(()) } else { Err(None) };
    }
    let hash = hash(string);
    // The upper half of the hash, scaled to the number of slots.
    let first = (((hash >> 32) * places.len() as u64) >> 32) as usize;
    let (before, after) = places.split_at_checked(first).unwrap_or_default();
    for (distance, place) in after.iter().chain(before).enumerate() {
        if place.is_free() {
            return Err(Some((first + distance) % places.len()));
        }
        if place.has_mark(hash) && is_at(*place, text, string) {
            return Ok(());
        }
    }
    Err(None)
}

/// All sets of the process hash alike; no other process does.
#[inline]
fn hash(string: &str) -> u64 {
    static STATE: OnceBox<RandomState> = OnceBox::new();
    STATE.get_or_init(Box::default).hash_one(string)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The set of the strings of a JSON array, as the parser makes it.
    fn set(keys: &[impl AsRef<str>]) -> StringSet {
        let text = Text::new(keys.iter().map(|key| format!("{:?},", key.as_ref())).collect::<String>());
        let mut end = 0;
        let parts: Vec<&str> = keys
            .iter()
            .map(|key| {
                let begin = end + 1;
                end = begin + key.as_ref().len() + 2;
                text.get(begin..end - 2).unwrap()
            })
            .collect();
        StringSet::new(&text, parts.into_iter())
    }

    #[test]
    fn small_and_large_sets_find_exactly_their_members_read_or_copied() {
        for size in [0, 1, 8, 9, 10, 100, 1000, 10_000] {
            let keys: Vec<String> = (0..size).map(|number| format!("key-{number}")).collect();
            let elsewhere = StringSet::new(&Text::new(""), keys.iter().map(|key| &**key));
            for set in [set(&keys), elsewhere] {
                assert_eq!(set.is_empty(), size == 0);
                assert!(keys.iter().all(|key| set.contains(key)));
                for absent in ["", "key-", "key-10000", "key-0key-1", "ey-1", "key-0\",\"key-1", "\"key-0\""] {
                    assert!(!set.contains(absent), "{absent} in a set of {size}");
                }
            }
        }
    }

    #[test]
    fn empty_and_repeated_strings_are_members_too() {
        let set = set(&["", "a", "a", "é"]);
        assert!(set.contains("") && set.contains("a") && set.contains("é"));
        assert!(!set.contains("aa"));
        let repeated = self::set(&vec!["a"; 10_000]);
        assert!(repeated.contains("a") && !repeated.contains("b"));
    }

    #[test]
    fn strings_of_any_length_are_kept() {
        for length in [0, 1, 63, 64, 65, 4095, 4096, 65_534, 65_535, 300_000] {
            let text = "é".repeat(length / 2) + if length % 2 == 1 { "x" } else { "" };
            let list: StringList = ["a", &text, "", "b"].into_iter().collect();
            assert_eq!(list.iter().collect::<Vec<_>>(), ["a", &text, "", "b"], "{length}");
            let keys: Vec<String> = (0..20).map(|number| format!("{text}{number}")).collect();
            let set = set(&keys);
            assert!(set.contains(&format!("{text}19")) && !set.contains(&format!("{text}20")));
        }
    }

    #[test]
    fn a_set_takes_little_beside_the_text() {
        let large = set(&(0..1000).map(|number| format!("{number:036}")).collect::<Vec<_>>());
        assert!(matches!(large.places, Places::Short(places) if places.len() == 1501 && size_of_val(&*places) == 6004));
        assert_eq!(size_of::<StringSet>(), 32);
    }
}
