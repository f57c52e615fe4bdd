//! The immutable set of items that an evaluation reads. Publishing a change copies one vector of pointers and nothing of the items
//! themselves. May depend on `model` only.

use std::cell::Cell;
use std::sync::Arc;

use crate::model::{Flag, Found, Lookup, Segment};
use crate::store::memory::entry::{Entry, State};

pub use super::table::{Slot, Table};

/// Everything an evaluation may read.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Flags by key.
    pub flags: Table<Flag>,
    /// Segments by key.
    pub segments: Table<Segment>,
}

/// One evaluation's view of a snapshot.
#[derive(Debug)]
pub struct View<'a> {
    snapshot: &'a Snapshot,
    superseded: Cell<bool>,
}

impl<'a> View<'a> {
    /// A view for one evaluation.
    #[inline]
    pub fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, superseded: Cell::new(false) }
    }

    /// Whether there is newer content, which does not parse, of something that was looked up.
    #[inline]
    pub fn is_superseded(&self) -> bool {
        self.superseded.get()
    }

    fn found<T>(&self, entry: Option<&'a Arc<Entry<T>>>) -> Found<&'a T> {
        let Some(entry) = entry else { return Found::Missing };
        if entry.is_superseded() {
            self.superseded.set(true);
        }
        match entry.state() {
            State::Live(item) => Found::Item(item),
            State::Unreadable => Found::Unreadable,
            State::Tombstone => Found::Missing,
        }
    }
}

impl<'s> Lookup for View<'s> {
    type FlagRef<'a>
        = &'s Flag
    where
        Self: 'a;
    type SegmentRef<'a>
        = &'s Segment
    where
        Self: 'a;

    fn flag(&self, key: &str) -> Found<&'s Flag> {
        self.found(self.snapshot.flags.get(key))
    }

    fn segment(&self, key: &str) -> Found<&'s Segment> {
        self.found(self.snapshot.segments.get(key))
    }
}
