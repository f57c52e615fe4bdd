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
use flag::Outcome;
use meter::Meter;
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
    if !flag.on {
        flag::off(flag)
    } else if !flag.alone {
        evaluate_in_scope(flag, context, lookup, memberships, observer)
    } else if flag.rules.is_empty() {
        flag::outcome_without_rules(flag, context).detail(flag)
    } else {
        evaluate_alone(flag, context, observer)
    }
}

#[inline(always)]
fn detail(flag: &Flag, outcome: Result<Outcome, ErrorKind>) -> Detail<'_> {
    match outcome {
        Ok(outcome) => outcome.detail(flag),
        Err(kind) => Detail::error(kind),
    }
}

/// Evaluates a flag that needs nothing else, so that there is nothing to keep account of but the work.
#[inline(never)]
fn evaluate_alone<'f, O: Observer>(flag: &'f Flag, context: &Context, observer: &mut O) -> Detail<'f> {
    flag::outcome_alone(flag, context, &mut Meter::new(), |outcome, meter| match outcome {
        Ok(_) if meter.is_spent() => {
            observer.trouble(Trouble::TooMuchWork);
            Detail::error(ErrorKind::MalformedFlag)
        }
        outcome => detail(flag, outcome),
    })
}

#[inline(never)]
fn evaluate_in_scope<'f, L: Lookup, M: Memberships, O: Observer>(
    flag: &'f Flag,
    context: &Context,
    lookup: &L,
    memberships: &M,
    observer: &mut O,
) -> Detail<'f> {
    let mut scope = Scope::new(context, lookup, memberships, observer);
    let outcome = match flag::outcome(flag, &mut scope, None) {
        Ok(_) if scope.meter.is_spent() => Err(scope.abort(Trouble::TooMuchWork)),
        outcome => outcome,
    };
    let big_segments = scope.big_segments;
    drop(scope);
    Detail { big_segments, ..detail(flag, outcome) }
}

#[cfg(test)]
mod tests;
