//! Evaluation: a pure function of a flag, a context and the items that the flag refers to.
//!
//! It borrows everything, allocates nothing and looks at no clock, so it can run on any thread, on a small stack, and
//! in any number at once; [`explain`] writes down what it looked at, and does allocate. Depends on `model` and `context`.

mod bucket;
mod detail;
pub mod explain;
mod flag;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod look;
mod memberships;
mod memo;
mod meter;
mod operators;
mod rules;
mod scope;
mod segment;
mod trouble;

pub use detail::{BigSegmentsStatus, Detail, ErrorKind, Reason};
pub use look::{Belongs, Draw, Look, Subject};
pub use memberships::{MembershipAnswer, Memberships, NoMemberships};
pub use scope::{DEPTH_LIMIT, VISIT_LIMIT};
pub use trouble::{Part, Trouble};

use crate::context::Context;
use crate::model::{Flag, Lookup};
use flag::Outcome;
use meter::Meter;
use scope::Scope;

/// Told about every prerequisite that an evaluation evaluates, children before parents, and about what is wrong with the data; of
/// every step if it wants to.
pub trait Observer {
    /// Whether it is told what is looked at. An evaluation for one that is not is compiled without any of it.
    const LOOKS: bool = false;

    /// What the evaluation looks at, in order, if the observer [`LOOKS`](Self::LOOKS).
    fn look(&mut self, look: Look<'_>) {
        let _ = look;
    }

    /// `prerequisite` was evaluated because `owner` requires it. Also called when the evaluation ends in an error later.
    fn prerequisite(&mut self, owner: &Flag, prerequisite: &Flag, detail: &Detail<'_>) {
        let _ = (owner, prerequisite, detail);
    }

    /// Something is wrong with the data; the evaluation goes on only where a prerequisite is missing, never met, or serves
    /// nothing itself.
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
    if O::LOOKS {
        // What needs nothing else goes a shorter way below, on which there is nobody to tell.
        evaluate_in_scope(flag, context, lookup, memberships, observer)
    } else if !flag.on {
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
