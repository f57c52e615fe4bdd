//! The fields that the watch named, as long as nothing else was told. Plain state; no I/O. Depends on `signal`.
//!
//! Whatever is told counts the generation up. If all of the way from the generation that was answered last to the present one is
//! due to named fields, they alone have to be read. Who reads them has to make sure that nothing was lost that names no fields:
//! see `following_part`.

use std::collections::HashSet;
use std::sync::Arc;

use crate::store::signal::Fields;

/// Fields that were named.
#[derive(Debug, Default)]
pub struct Named {
    /// Flags, none twice.
    pub flags: HashSet<Arc<str>>,
    /// Segments, none twice.
    pub segments: HashSet<Arc<str>>,
    /// The generation before the first of them, and the one after the last.
    span: Option<(u64, u64)>,
    /// Something else was told in between.
    is_broken: bool,
}

impl Named {
    /// These fields were named, which brought the generation to `now`.
    pub fn note(&mut self, fields: Fields, now: u64) {
        let (from, to) = self.span.unwrap_or((now - 1, now - 1));
        self.is_broken |= to + 1 != now;
        self.span = Some((from, now));
        self.flags.extend(fields.flags);
        self.segments.extend(fields.segments);
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.flags.len() + self.segments.len()
    }

    /// The generation before the first of them.
    pub fn since(&self) -> u64 {
        self.span.map_or(0, |(from, _)| from)
    }

    /// Takes them if they are everything that was told from generation `answered` to `present`; forgets them in any case.
    pub fn take(&mut self, answered: u64, present: u64) -> Option<Self> {
        let taken = std::mem::take(self);
        (taken.span == Some((answered, present)) && !taken.is_broken).then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    fn flags(names: &[&str]) -> Fields {
        Fields::of(Kind::Flag, names.iter().map(|name| Arc::from(*name)).collect())
    }

    #[test]
    fn fields_are_taken_if_they_are_all_that_was_told() {
        let mut named = Named::default();
        named.note(flags(&["a", "b"]), 8);
        named.note(flags(&["b"]), 9);
        named.note(Fields::of(Kind::Segment, vec![Arc::from("s")]), 10);
        let taken = named.take(7, 10).unwrap();
        assert_eq!((taken.count(), taken.since()), (3, 7));
        assert!(named.take(7, 10).is_none(), "they are taken once");
    }

    #[test]
    fn nothing_is_taken_where_something_else_was_told_before_between_or_after() {
        for (answered, numbers, present) in
            [(6, [8, 9], 9), (7, [8, 10], 10), (7, [8, 9], 10), (7, [9, 10], 10), (8, [8, 9], 9)]
        {
            let mut named = Named::default();
            numbers.into_iter().for_each(|now| named.note(flags(&["a"]), now));
            assert!(named.take(answered, present).is_none(), "{answered} {numbers:?} {present}");
            assert_eq!(named.count(), 0);
        }
    }
}
