//! What became of the nested segments that an evaluation visited, so that a lattice of them is walked once and not path by
//! path.
//!
//! A segment contains a context or does not, wherever it is named, so the answer may be used again. The first few are kept in
//! place. More are kept only once many nested segments have been visited, which no ordinary data do: then there is a table on
//! the heap. Depends on `model`.

use std::ops::Deref;

use hashbrown::HashMap;

use crate::model::Segment;

/// Answers kept in place. In a lattice the innermost segments come first.
const IN_PLACE: usize = 4;
/// Nested segments that are visited without a table.
const WITHOUT_TABLE: u32 = 64;

type Table<R> = HashMap<usize, (R, bool), foldhash::fast::RandomState>;

/// The answers by segment. The references are held, so that no other segment takes the place of one in memory meanwhile.
pub(super) struct Memo<R> {
    first: [Option<(R, bool)>; IN_PLACE],
    more: Option<Box<Table<R>>>,
    count: u32,
}

impl<R: Deref<Target = Segment>> Memo<R> {
    pub(super) fn new() -> Self {
        Self { first: [const { None }; IN_PLACE], more: None, count: 0 }
    }

    /// Whether the context belongs to this very segment, if that was found out before.
    pub(super) fn find(&self, segment: &Segment) -> Option<bool> {
        let is_it = |(known, contains): &(R, bool)| std::ptr::eq(&**known, segment).then_some(*contains);
        self.first
            .iter()
            .map_while(Option::as_ref)
            .find_map(is_it)
            .or_else(|| self.more.as_ref()?.get(&place(segment)).map(|(_, contains)| *contains))
    }

    pub(super) fn remember(&mut self, segment: R, contains: bool) {
        self.count = self.count.saturating_add(1);
        if let Some(free) = self.first.iter_mut().find(|kept| kept.is_none()) {
            *free = Some((segment, contains));
        } else if self.count > WITHOUT_TABLE {
            self.more.get_or_insert_default().insert(place(&segment), (segment, contains));
        }
    }
}

fn place(segment: &Segment) -> usize {
    std::ptr::from_ref(segment).addr()
}
