//! Where evaluation finds other flags and segments.
//!
//! The trait lives with the data so that the store can implement it without knowing evaluation, and evaluation can use
//! it without knowing the store.

use std::ops::Deref;

use super::{Flag, Segment};

/// The answer to a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// The item.
    Item(T),
    /// There is no such item, or it was deleted.
    Missing,
    /// The item cannot be read: its JSON does not parse, or the store failed. Evaluation then ends in an error.
    Unreadable,
}

/// Where evaluation finds flags and segments.
pub trait Lookup {
    /// A flag that stays valid while it is held.
    type FlagRef<'a>: Deref<Target = Flag>
    where
        Self: 'a;
    /// A segment that stays valid while it is held.
    type SegmentRef<'a>: Deref<Target = Segment>
    where
        Self: 'a;

    /// Finds a flag by key, to check a prerequisite.
    fn flag(&self, key: &str) -> Found<Self::FlagRef<'_>>;

    /// Finds a segment by key.
    fn segment(&self, key: &str) -> Found<Self::SegmentRef<'_>>;
}
