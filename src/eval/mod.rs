//! Evaluation: a pure function of a flag, a context and the items that the flag refers to.
//!
//! It borrows everything, allocates nothing and looks at no clock, so it can run on any thread, on a small stack, and
//! in any number at once. Depends on `model` and `context`.

mod bucket;
mod detail;
mod flag;
mod memberships;
mod memo;
mod meter;
mod operators;
mod rules;
mod scope;
mod segment;
mod trouble;

pub use detail::{BigSegmentsStatus, Detail, ErrorKind, Reason};
pub use memberships::{MembershipAnswer, Memberships, NoMemberships};
pub use scope::{DEPTH_LIMIT, VISIT_LIMIT};
pub use trouble::Trouble;

use crate::context::Context;
use crate::model::{Flag, Lookup};
use scope::Scope;

/// Told about every prerequisite that an evaluation evaluates, children before parents, and about what is wrong with the data.
pub trait Observer {
    /// `prerequisite` was evaluated because `owner` requires it. Also called when the evaluation ends in an error later.
    fn prerequisite(&mut self, owner: &Flag, prerequisite: &Flag, detail: &Detail<'_>) {
        let _ = (owner, prerequisite, detail);
    }

    /// Something is wrong with the data; the evaluation goes on only where a prerequisite is missing.
    fn trouble(&mut self, trouble: Trouble<'_>) {
        let _ = trouble;
    }
}

impl Observer for () {}

/// Evaluates a flag for a context. Never fails: what goes wrong is the reason of the detail.
#[inline]
pub fn evaluate<'f, L: Lookup, M: Memberships, O: Observer>(
    flag: &'f Flag,
    context: &Context,
    lookup: &L,
    memberships: &M,
    observer: &mut O,
) -> Detail<'f> {
    if let Some(outcome) = flag::plain_outcome(flag, context) {
        return outcome.detail(flag);
    }
    let mut scope = Scope::new(context, lookup, memberships, observer);
    let mut detail = match flag::outcome(flag, &mut scope, None) {
        Ok(_) if scope.meter.is_spent() => Detail::error(scope.abort(Trouble::TooMuchWork)),
        Ok(outcome) => outcome.detail(flag),
        Err(kind) => Detail::error(kind),
    };
    detail.big_segments = scope.big_segments;
    detail
}

#[cfg(test)]
mod tests;
