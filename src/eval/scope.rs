//! The state of one evaluation: what it reads, what it has found out, and what stops it.
//!
//! Flags refer to flags and segments to segments, so data could send an evaluation in circles, down a chain that
//! exhausts the stack, or through a lattice that takes years. The first two end in an abort; so does the third, unless it is one
//! of segments: what became of those is remembered. Nothing here allocates until a second context key is asked for in the
//! big-segment store, or many nested segments are visited.

use std::sync::Arc;

use super::memo::Memo;
use super::meter::Meter;
use super::{BigSegmentsStatus, ErrorKind, Look, Memberships, Observer, Trouble};
use crate::context::Context;
use crate::model::{Lookup, Membership, Segment};

/// The longest chain of prerequisites, and of nested segments.
pub const DEPTH_LIMIT: u32 = 100;
/// How many prerequisites and segments one evaluation may visit in all.
pub const VISIT_LIMIT: u32 = 100_000;

/// Visits before what became of nested segments is remembered: ordinary data are through by then.
const UNREMEMBERED: u32 = 4;

/// Ends the whole evaluation, however deep it was raised.
pub(super) type Abort = ErrorKind;

/// One evaluation.
pub(super) struct Scope<'e, L: Lookup + 'e, M, O> {
    pub(super) context: &'e Context,
    pub(super) lookup: &'e L,
    pub(super) observer: &'e mut O,
    memberships: &'e M,
    visits: u32,
    pub(super) meter: Meter,
    pub(super) big_segments: Option<BigSegmentsStatus>,
    /// What most evaluations never need, behind one word: it costs time to make room ready.
    extras: Option<Extras<'e, L::SegmentRef<'e>>>,
}

struct Extras<'e, R> {
    /// The nested segments that were visited, and whether the context belongs to them.
    memo: Memo<R>,
    /// Answers by context key; the keys are borrowed from the context.
    asked: Asked<'e>,
}

/// Memberships that were asked for; nearly always one.
struct Asked<'e> {
    first: Option<Answer<'e>>,
    more: Vec<Answer<'e>>,
}

struct Answer<'e> {
    key: &'e str,
    membership: Option<Arc<Membership>>,
}

/// A link of the chain of items that are being evaluated. The chain lives on the stack.
pub(super) struct Chain<'c> {
    key: &'c str,
    depth: u32,
    parent: Option<&'c Chain<'c>>,
}

impl<'c> Chain<'c> {
    /// Whether an item may be added.
    #[inline]
    pub(super) fn has_room(parent: Option<&Chain<'_>>) -> bool {
        parent.is_none_or(|parent| parent.depth + 1 < DEPTH_LIMIT)
    }

    /// Adds an item; none if the chain is too long.
    pub(super) fn link(key: &'c str, parent: Option<&'c Chain<'c>>) -> Option<Chain<'c>> {
        let depth = parent.map_or(0, |parent| parent.depth + 1);
        (depth < DEPTH_LIMIT).then_some(Chain { key, depth, parent })
    }

    /// Whether an item of this key is on the chain.
    pub(super) fn has(chain: Option<&Chain<'_>>, key: &str) -> bool {
        let mut rest = chain;
        while let Some(link) = rest {
            if link.key == key {
                return true;
            }
            rest = link.parent;
        }
        false
    }
}

impl<'e, L: Lookup, M: Memberships, O: Observer> Scope<'e, L, M, O> {
    pub(super) fn new(context: &'e Context, lookup: &'e L, memberships: &'e M, observer: &'e mut O) -> Self {
        Scope {
            context,
            lookup,
            observer,
            memberships,
            visits: 0,
            meter: Meter::new(),
            big_segments: None,
            extras: None,
        }
    }

    /// Counts a visit to a prerequisite or segment.
    pub(super) fn visit(&mut self) -> Result<(), Abort> {
        self.visits += 1;
        if self.visits > VISIT_LIMIT || self.meter.is_spent() { Err(self.abort(Trouble::TooMuchWork)) } else { Ok(()) }
    }

    /// Tells what is looked at, to an observer that wants to know. Keeps the frames of what recurs small: what is told is not in
    /// them.
    #[inline]
    pub(super) fn look<'l>(&mut self, look: impl FnOnce() -> Look<'l>) {
        if O::LOOKS {
            self.observer.look(look());
        }
    }

    /// Says what stops the evaluation.
    #[cold]
    pub(super) fn abort(&mut self, trouble: Trouble<'_>) -> Abort {
        self.observer.trouble(trouble);
        ErrorKind::MalformedFlag
    }

    /// Remembers a big-segment status; the worst one counts.
    pub(super) fn note(&mut self, status: BigSegmentsStatus) {
        self.big_segments = Some(self.big_segments.map_or(status, |known| known.combine(status)));
    }

    /// Whether a context key is in a big segment, as far as the store knows. Asks the store once per key.
    #[inline(never)]
    pub(super) fn in_big_segment(&mut self, key: &'e str, reference: &str) -> Option<bool> {
        if self.extras().asked.find(key).is_none() {
            let answer = self.memberships.membership(key);
            self.note(answer.status);
            self.extras().asked.add(Answer { key, membership: answer.membership });
        }
        self.extras().asked.find(key)?.membership.as_ref()?.get(reference)
    }

    /// Whether so much has been visited that it may come again.
    #[inline]
    pub(super) fn remembers(&self) -> bool {
        self.visits > UNREMEMBERED
    }

    /// Whether the context belongs to a nested segment, if that was found out before.
    #[inline(never)]
    pub(super) fn known(&self, segment: &Segment) -> Option<bool> {
        self.extras.as_ref()?.memo.find(segment)
    }

    /// Remembers whether the context belongs to a nested segment.
    #[inline(never)]
    pub(super) fn remember(&mut self, segment: L::SegmentRef<'e>, contains: bool) {
        self.extras().memo.remember(segment, contains);
    }

    fn extras(&mut self) -> &mut Extras<'e, L::SegmentRef<'e>> {
        let nothing = || Extras { memo: Memo::new(), asked: Asked { first: None, more: Vec::new() } };
        self.extras.get_or_insert_with(nothing)
    }
}

impl<'e> Asked<'e> {
    fn find(&self, key: &str) -> Option<&Answer<'e>> {
        self.first.iter().chain(&self.more).find(|answer| answer.key == key)
    }

    fn add(&mut self, answer: Answer<'e>) {
        if self.first.is_none() {
            self.first = Some(answer);
        } else {
            self.more.push(answer);
        }
    }
}
