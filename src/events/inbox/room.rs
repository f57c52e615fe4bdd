//! How much of the texts of hosts is kept between two flushes.

use std::collections::BTreeSet;

/// Most bytes of what waits, roughly.
const MOST_BYTES: usize = 64 << 20;
/// What an entry takes beside its text, roughly.
pub(super) const ENTRY: usize = 64;

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

    /// Takes room for this many bytes; false, and nothing is taken, if there is not enough.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// As [`Room::take`], for an entry with a text.
    pub(super) fn take_entry(&mut self, text: usize) -> bool {
        self.take(text.saturating_add(ENTRY))
    }

    /// Gives back bytes that were taken since the latest flush.
    pub(super) fn give(&mut self, bytes: usize) {
        self.0 = self.0.saturating_add(bytes).min(MOST_BYTES);
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
