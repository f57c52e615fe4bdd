//! How much of the texts of hosts is kept between two flushes.

use std::collections::BTreeSet;

/// Most bytes of what waits, roughly.
const MOST_BYTES: usize = 64 << 20;
/// What an entry takes beside its text, roughly.
const ENTRY: usize = 64;

/// Bytes that are left.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(MOST_BYTES)
    }
}

impl Room {
    #[cfg(test)]
    pub(super) fn of(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Whether there was room for so many bytes, which it is no more then.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// As [`Room::take`], for an entry with a text.
    pub(super) fn take_entry(&mut self, text: usize) -> bool {
        self.take(text.saturating_add(ENTRY))
    }

    /// A copy, if there is room.
    pub(super) fn keep(&mut self, text: Option<&str>) -> Option<Box<str>> {
        text.filter(|text| self.take(text.len())).map(Box::from)
    }

    /// Adds those names that are new, as long as there is room.
    pub(super) fn extend<'a>(&mut self, names: &mut BTreeSet<Box<str>>, others: impl Iterator<Item = &'a str>) {
        for name in others {
            if !names.contains(name) && self.take_entry(name.len()) {
                names.insert(Box::from(name));
            }
        }
    }
}
