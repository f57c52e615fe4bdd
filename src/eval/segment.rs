//! Whether a context belongs to a segment.
//!
//! Segments may refer to segments, so these functions recurse; their frames are kept small and the depth is limited.

use super::bucket::{Prefix, bucket};
use super::meter::Meter;
use super::rules::{all_pass, all_pass_apart};
use super::scope::{Abort, Chain, Scope};
use super::{Belongs, BigSegmentsStatus, ErrorKind, Look, Memberships, Observer, Trouble};
use crate::context::{Attribute, Context};
use crate::model::{
    AttributeRef, ContextKind, Found, Lookup, Segment, SegmentMembers, SegmentRule, StringList, StringSet, Unbounded,
};

/// Whether the context belongs to one of these segments. Missing segments are skipped.
pub(super) fn in_any_segment<L: Lookup, M: Memberships, O: Observer>(
    keys: &StringList,
    scope: &mut Scope<'_, L, M, O>,
    chain: Option<&Chain<'_>>,
) -> Result<bool, Abort> {
    for key in keys.iter() {
        let lookup = scope.lookup;
        match lookup.segment(key) {
            Found::Item(segment) => {
                scope.visit()?;
                // What a flag names itself is bounded by the length of its rules; what segments name is found out once.
                let remembers = chain.is_some() && scope.remembers();
                scope.look(|| Look::Segment { key, segment: &segment });
                let contains = match if remembers { scope.known(&segment) } else { None } {
                    Some(known) => {
                        scope.look(|| Look::SegmentEnd(Belongs::Known(known)));
                        known
                    }
                    None => {
                        let contains = contains(&segment, scope, chain)?;
                        if remembers {
                            scope.remember(segment, contains);
                        }
                        contains
                    }
                };
                if contains {
                    return Ok(true);
                }
            }
            Found::Missing => scope.look(|| Look::NoSegment { key }),
            Found::Unreadable => return Err(ErrorKind::Exception),
        }
    }
    Ok(false)
}

#[inline]
fn contains<L: Lookup, M: Memberships, O: Observer>(
    segment: &Segment,
    scope: &mut Scope<'_, L, M, O>,
    parent: Option<&Chain<'_>>,
) -> Result<bool, Abort> {
    scope.meter.spend(segment.weight as usize);
    // One that leads nowhere is in no circle.
    if segment.alone && !O::LOOKS && Chain::has_room(parent) {
        contains_alone(segment, scope.context, &mut scope.meter)
    } else {
        contains_in_scope(segment, scope, parent)
    }
}

/// Whether the context belongs to a segment that needs nothing else.
#[inline(never)]
fn contains_alone(segment: &Segment, context: &Context, meter: &mut Meter) -> Result<bool, Abort> {
    if let Some(listed) = listed(segment, context) {
        return Ok(listed);
    }
    for rule in &segment.rules {
        if all_pass_apart(&rule.clauses, context, meter)? && in_share(segment, rule, context)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[inline(never)]
fn contains_in_scope<L: Lookup, M: Memberships, O: Observer>(
    segment: &Segment,
    scope: &mut Scope<'_, L, M, O>,
    parent: Option<&Chain<'_>>,
) -> Result<bool, Abort> {
    if !segment.alone && Chain::has(parent, &segment.key) {
        return Err(scope.abort(Trouble::SegmentCycle { key: &segment.key }));
    }
    let Some(chain) = Chain::link(&segment.key, parent) else {
        return Err(scope.abort(Trouble::TooDeep { key: &segment.key }));
    };
    let listed = match &segment.unbounded {
        Some(unbounded) => big_segment(unbounded, scope),
        None => listed(segment, scope.context),
    };
    if let Some(listed) = listed {
        let context = scope.context;
        scope.look(|| Look::SegmentEnd(because_of_lists(segment, context, listed)));
        return Ok(listed);
    }
    for rule in &segment.rules {
        scope.look(|| Look::SegmentRule(rule));
        let matched = all_pass(&rule.clauses, scope, Some(&chain))? && in_share_in_scope(segment, rule, scope)?;
        scope.look(|| Look::SegmentRuleEnd { matched });
        if matched {
            scope.look(|| Look::SegmentEnd(Belongs::ByRule));
            return Ok(true);
        }
    }
    scope.look(|| Look::SegmentEnd(Belongs::No));
    Ok(false)
}

/// What the lists of keys say; inclusion comes before exclusion. None: the rules decide.
#[inline]
fn listed(segment: &Segment, context: &Context) -> Option<bool> {
    let user = context.of_kind(&ContextKind::User).map(|user| user.key());
    let user_in = |keys: &StringSet| user.is_some_and(|user| keys.contains(user));
    let any_in = |lists: &[SegmentMembers]| {
        let member = |list: &SegmentMembers| {
            context.of_kind(&list.context_kind).is_some_and(|single| list.values.contains(single.key()))
        };
        lists.iter().any(member)
    };
    if user_in(&segment.included) || any_in(&segment.included_contexts) {
        Some(true)
    } else if user_in(&segment.excluded) || any_in(&segment.excluded_contexts) {
        Some(false)
    } else {
        None
    }
}

/// What the big-segment store says. None: the rules decide.
#[inline(never)]
fn big_segment<L: Lookup, M: Memberships, O: Observer>(
    unbounded: &Unbounded,
    scope: &mut Scope<'_, L, M, O>,
) -> Option<bool> {
    let Some(reference) = &unbounded.reference else {
        scope.note(BigSegmentsStatus::NotConfigured);
        return Some(false);
    };
    let context = scope.context;
    match context.of_kind(&unbounded.context_kind) {
        Some(single) => scope.in_big_segment(single.key(), reference),
        None => Some(false),
    }
}

/// Which list it was that says so.
fn because_of_lists(segment: &Segment, context: &Context, listed: bool) -> Belongs {
    match segment.unbounded.as_deref() {
        None => Belongs::Listed(listed),
        Some(Unbounded { reference: None, .. }) => Belongs::NotReady,
        Some(Unbounded { context_kind, .. }) if context.of_kind(context_kind).is_none() => Belongs::NoContext,
        Some(_) => Belongs::Stored(listed),
    }
}

/// As [`in_share`], told to an observer that wants to know.
#[inline]
fn in_share_in_scope<L: Lookup, M: Memberships, O: Observer>(
    segment: &Segment,
    rule: &SegmentRule,
    scope: &mut Scope<'_, L, M, O>,
) -> Result<bool, Abort> {
    match rule.bound {
        Some(bound) if O::LOOKS => {
            let observer = &mut *scope.observer;
            let seen = |bucket, value: Attribute<'_>| observer.look(Look::Share { rule, bucket, value, bound });
            bucket_is_below(bound, segment, rule, scope.context, seen)
        }
        _ => in_share(segment, rule, scope.context),
    }
}

/// Whether the context is in the share of a weighted rule.
#[inline(always)]
fn in_share(segment: &Segment, rule: &SegmentRule, context: &Context) -> Result<bool, Abort> {
    rule.bound.map_or(Ok(true), |bound| is_below(bound, segment, rule, context))
}

#[inline(never)]
fn is_below(bound: f32, segment: &Segment, rule: &SegmentRule, context: &Context) -> Result<bool, Abort> {
    bucket_is_below(bound, segment, rule, context, |_, _| {})
}

/// A context without the rule's kind has no bucket, and is in no share. The bucket, and what was hashed, are handed to `seen`.
#[inline(always)]
fn bucket_is_below(
    bound: f32,
    segment: &Segment,
    rule: &SegmentRule,
    context: &Context,
    seen: impl FnOnce(Option<f32>, Attribute<'_>),
) -> Result<bool, Abort> {
    let Some(single) = context.of_kind(&rule.context_kind) else {
        seen(None, Attribute::Null);
        return Ok(false);
    };
    if rule.bucket_by == AttributeRef::Invalid {
        return Err(ErrorKind::MalformedFlag);
    }
    let prefix = Prefix::Salted { key: &segment.key, salt: &segment.salt };
    let value = single.get(&rule.bucket_by);
    let bucket = bucket(&prefix, value);
    seen(Some(bucket), value);
    Ok(bucket < bound)
}
