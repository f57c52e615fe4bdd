//! Whether a context passes the clauses of a rule. Shared by the rules of flags and of segments.

use super::meter::Meter;
use super::operators::{passes, string_passes};
use super::scope::{Abort, Chain, Scope};
use super::segment::in_any_segment;
use super::{ErrorKind, Look, Memberships, Observer, Subject};
use crate::context::{Attribute, Context};
use crate::model::{AttributeRef, Clause, Lookup, Test};

/// Whether all clauses pass, in order; those behind the first that fails are not looked at.
#[inline]
pub(super) fn all_pass<L: Lookup, M: Memberships, O: Observer>(
    clauses: &[Clause],
    scope: &mut Scope<'_, L, M, O>,
    segments: Option<&Chain<'_>>,
) -> Result<bool, Abort> {
    for clause in clauses {
        let passed = match &clause.test {
            Test::Segment(keys) => {
                scope.look(|| Look::Clause(clause, Subject::Segments));
                in_any_segment(keys, scope, segments)? != clause.negate
            }
            _ if O::LOOKS => passes_in_sight(clause, scope)?,
            _ => passes_apart(clause, scope.context, &mut scope.meter)?,
        };
        scope.look(|| Look::ClauseEnd { passed });
        if !passed {
            return Ok(false);
        }
    }
    Ok(true)
}

/// As [`all_pass`], for clauses of which none is about segments.
#[inline(always)]
pub(super) fn all_pass_alone(clauses: &[Clause], context: &Context, meter: &mut Meter) -> Result<bool, Abort> {
    for clause in clauses {
        if !clause_passes(clause, context, meter, |_| {})? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// As [`all_pass_alone`], for segments: what calls them stays small, which is faster by more than a call.
#[inline(never)]
pub(super) fn all_pass_apart(clauses: &[Clause], context: &Context, meter: &mut Meter) -> Result<bool, Abort> {
    all_pass_alone(clauses, context, meter)
}

/// Keeps [`all_pass`], which recurs, small.
#[inline(never)]
fn passes_apart(clause: &Clause, context: &Context, meter: &mut Meter) -> Result<bool, Abort> {
    clause_passes(clause, context, meter, |_| {})
}

/// As [`passes_apart`], told to an observer that wants to know.
#[inline(never)]
fn passes_in_sight<L: Lookup, M: Memberships, O: Observer>(
    clause: &Clause,
    scope: &mut Scope<'_, L, M, O>,
) -> Result<bool, Abort> {
    let Scope { context, meter, observer, .. } = scope;
    clause_passes(clause, context, meter, |subject| observer.look(Look::Clause(clause, subject)))
}

/// A clause about an attribute. Without a context of the kind, or without a value, it fails even if negated. What is compared is
/// handed to `seen`.
#[inline(always)]
fn clause_passes(
    clause: &Clause,
    context: &Context,
    meter: &mut Meter,
    seen: impl FnOnce(Subject<'_>),
) -> Result<bool, Abort> {
    match clause.attribute {
        AttributeRef::Undefined | AttributeRef::Invalid => {
            seen(Subject::Malformed);
            return Err(ErrorKind::MalformedFlag);
        }
        AttributeRef::Kind => {
            seen(Subject::Kinds(context));
            return Ok(context.kinds().any(|kind| string_passes(&clause.test, kind, meter)) != clause.negate);
        }
        _ => {}
    }
    let Some(single) = context.of_kind(&clause.context_kind) else {
        seen(Subject::NoContext);
        return Ok(false);
    };
    let value = single.get(&clause.attribute);
    seen(Subject::Value(value));
    match value {
        Attribute::Null => Ok(false),
        value => Ok(passes(&clause.test, value, meter) != clause.negate),
    }
}
