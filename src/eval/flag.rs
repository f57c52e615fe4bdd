//! One flag: off, prerequisites, targets, rules, fallthrough, in this order.
//!
//! Prerequisites are flags, so these functions recurse; their frames are kept small and the depth is limited.

use super::bucket::{Prefix, bucket};
use super::meter::Meter;
use super::rules::{all_pass, all_pass_alone};
use super::scope::{Abort, Chain, Scope};
use super::{Detail, Draw, ErrorKind, Look, Memberships, Observer, Part, Reason, Trouble};
use crate::context::{Attribute, Context};
use crate::model::{AttributeRef, Flag, Found, INVALID_VARIATION, Lookup, Prerequisite, Rollout, Serve, Target};

/// How a flag came out, small enough to be returned in registers; [`Outcome::detail`] says it in full.
#[derive(Clone, Copy)]
pub(super) struct Outcome {
    /// Index of the variation, checked; [`INVALID_VARIATION`] for none.
    variation: u32,
    /// Of the rule, or of the prerequisite that is not met.
    position: u32,
    why: Why,
    in_experiment: bool,
}

#[derive(Clone, Copy)]
enum Why {
    Off,
    Fallthrough,
    Target,
    Rule,
    Prerequisite,
    Malformed,
}

impl Outcome {
    const MALFORMED: Self =
        Self { variation: INVALID_VARIATION, position: 0, why: Why::Malformed, in_experiment: false };

    /// An index that the flag does not have makes the flag malformed.
    #[inline(always)]
    fn new(flag: &Flag, variation: u32, why: Why) -> Self {
        if (variation as usize) < flag.variations.len() {
            Self { variation, position: 0, why, in_experiment: false }
        } else {
            Self::MALFORMED
        }
    }

    /// What a flag serves that is off, or counts as off.
    fn off(flag: &Flag, why: Why) -> Self {
        match flag.off_variation {
            Some(variation) => Self::new(flag, variation, why),
            None => Self { variation: INVALID_VARIATION, position: 0, why, in_experiment: false },
        }
    }

    /// What a rule or the fallthrough serves.
    #[inline(always)]
    fn served(flag: &Flag, serve: &Serve, context: &Context, why: Why) -> Self {
        match chosen(flag, serve, context) {
            Some(Choice { variation, in_experiment }) => Self { in_experiment, ..Self::new(flag, variation, why) },
            None => Self::MALFORMED,
        }
    }

    fn at(self, position: usize) -> Self {
        Self { position: position as u32, ..self }
    }

    /// The result in full; `flag` is the one that came out like this.
    #[inline]
    pub(super) fn detail(self, flag: &Flag) -> Detail<'_> {
        let variation = flag.variations.get(self.variation as usize);
        let position = self.position as usize;
        let reason = match self.why {
            Why::Off => Reason::Off,
            Why::Fallthrough => Reason::Fallthrough { in_experiment: self.in_experiment },
            Why::Target => Reason::TargetMatch,
            Why::Rule => Reason::RuleMatch {
                index: self.position,
                id: flag.rules.get(position).map_or("", |rule| &rule.id),
                in_experiment: self.in_experiment,
            },
            Why::Prerequisite => Reason::PrerequisiteFailed {
                key: flag.prerequisites.get(position).map_or("", |required| &required.key),
            },
            Why::Malformed => Reason::Error(ErrorKind::MalformedFlag),
        };
        Detail { variation, index: variation.map(|_| self.variation), reason, big_segments: None }
    }

    fn serves(self, variation: u32) -> bool {
        self.variation == variation && variation != INVALID_VARIATION
    }
}

/// What a flag that is off evaluates to.
#[inline]
pub(super) fn off(flag: &Flag) -> Detail<'_> {
    Outcome::off(flag, Why::Off).detail(flag)
}

/// Evaluates a flag that is on, needs nothing else and has no rules.
#[inline(always)]
pub(super) fn outcome_without_rules(flag: &Flag, context: &Context) -> Outcome {
    match target(flag, context) {
        Some(target) => Outcome::new(flag, target.variation, Why::Target),
        None => Outcome::served(flag, &flag.fallthrough, context, Why::Fallthrough),
    }
}

/// Evaluates a flag that needs nothing else. The outcome has no meaning once the meter is spent.
///
/// It is given to `done` where it comes about: what is made of it there need not be copied out of a result.
#[inline(always)]
pub(super) fn outcome_alone<R>(
    flag: &Flag,
    context: &Context,
    meter: &mut Meter,
    done: impl FnOnce(Result<Outcome, Abort>, &Meter) -> R,
) -> R {
    if !flag.on {
        return done(Ok(Outcome::off(flag, Why::Off)), meter);
    }
    if let Some(target) = target(flag, context) {
        return done(Ok(Outcome::new(flag, target.variation, Why::Target)), meter);
    }
    for (position, rule) in flag.rules.iter().enumerate() {
        match all_pass_alone(&rule.clauses, context, meter) {
            Ok(false) => {}
            Ok(true) => return done(Ok(Outcome::served(flag, &rule.serve, context, Why::Rule).at(position)), meter),
            Err(abort) => return done(Err(abort), meter),
        }
    }
    done(Ok(Outcome::served(flag, &flag.fallthrough, context, Why::Fallthrough)), meter)
}

/// Keeps the frames of what recurs small.
#[inline(never)]
fn outcome_apart(flag: &Flag, context: &Context, meter: &mut Meter) -> Result<Outcome, Abort> {
    outcome_alone(flag, context, meter, |outcome, _| outcome)
}

/// Evaluates a flag that may itself be a prerequisite.
pub(super) fn outcome<L: Lookup, M: Memberships, O: Observer>(
    flag: &Flag,
    scope: &mut Scope<'_, L, M, O>,
    parent: Option<&Chain<'_>>,
) -> Result<Outcome, Abort> {
    scope.look(|| Look::Flag(flag));
    if !flag.on {
        return ended(flag, Outcome::off(flag, Why::Off), Part::Off, scope);
    }
    if !flag.prerequisites.is_empty()
        && let Some(position) = failed_prerequisite(flag, scope, parent)?
    {
        return ended(flag, Outcome::off(flag, Why::Prerequisite).at(position), Part::Off, scope);
    }
    let target = target(flag, scope.context);
    scope.look(|| Look::Targets(target));
    if let Some(target) = target {
        let part = Part::Target { variation: target.variation };
        return ended(flag, Outcome::new(flag, target.variation, Why::Target), part, scope);
    }
    for (position, rule) in flag.rules.iter().enumerate() {
        scope.look(|| Look::Rule(rule));
        let matched = all_pass(&rule.clauses, scope, None)?;
        scope.look(|| Look::RuleEnd { matched });
        if matched {
            look_at_rollout(flag, &rule.serve, scope);
            let outcome = Outcome::served(flag, &rule.serve, scope.context, Why::Rule).at(position);
            return ended(flag, outcome, Part::Rule { index: position }, scope);
        }
    }
    look_at_rollout(flag, &flag.fallthrough, scope);
    ended(flag, Outcome::served(flag, &flag.fallthrough, scope.context, Why::Fallthrough), Part::Fallthrough, scope)
}

/// Tells what came of a part of a flag, and why nothing did.
#[inline]
fn ended<L: Lookup, M: Memberships, O: Observer>(
    flag: &Flag,
    outcome: Outcome,
    part: Part,
    scope: &mut Scope<'_, L, M, O>,
) -> Result<Outcome, Abort> {
    if O::LOOKS {
        if let (Why::Malformed, Some(fault)) = (outcome.why, fault(flag, part, scope.context)) {
            scope.observer.trouble(fault);
        }
        scope.observer.look(Look::FlagEnd(&outcome.detail(flag)));
    }
    Ok(outcome)
}

/// Why a part of a flag that makes no sense serves nothing.
fn fault<'f>(flag: &'f Flag, part: Part, context: &Context) -> Option<Trouble<'f>> {
    let missing = |variation| Some(Trouble::MissingVariation { flag, part, variation });
    let serve = match part {
        Part::Off => return flag.off_variation.and_then(missing),
        Part::Target { variation } => return missing(variation),
        Part::Rule { index } => &flag.rules.get(index)?.serve,
        Part::Fallthrough => &flag.fallthrough,
    };
    match serve {
        Serve::Variation(variation) => missing(*variation),
        Serve::Rollout(rollout) => match draw(flag, rollout, context) {
            Some(draw) => missing(draw.entry.variation),
            None if rollout.variations.is_empty() => Some(Trouble::NothingServed { flag, part }),
            None => Some(Trouble::NoAttribute { flag, part }),
        },
        Serve::Nothing => Some(Trouble::NothingServed { flag, part }),
    }
}

/// Tells of what is about to be served by bucket.
#[inline]
fn look_at_rollout<L: Lookup, M: Memberships, O: Observer>(flag: &Flag, serve: &Serve, scope: &mut Scope<'_, L, M, O>) {
    if O::LOOKS
        && let Serve::Rollout(rollout) = serve
        && let Some(draw) = draw(flag, rollout, scope.context)
    {
        scope.observer.look(Look::Rollout(rollout, draw));
    }
}

/// The position of the first prerequisite that is not met.
fn failed_prerequisite<L: Lookup, M: Memberships, O: Observer>(
    flag: &Flag,
    scope: &mut Scope<'_, L, M, O>,
    parent: Option<&Chain<'_>>,
) -> Result<Option<usize>, Abort> {
    let Some(chain) = Chain::link(&flag.key, parent) else {
        return Err(scope.abort(Trouble::TooDeep { key: &flag.key }));
    };
    for (position, required) in flag.prerequisites.iter().enumerate() {
        scope.look(|| Look::Prerequisite(required));
        let met = is_met(flag, required, scope, &chain)?;
        scope.look(|| Look::PrerequisiteEnd { met });
        if !met {
            return Ok(Some(position));
        }
    }
    Ok(None)
}

fn is_met<L: Lookup, M: Memberships, O: Observer>(
    owner: &Flag,
    required: &Prerequisite,
    scope: &mut Scope<'_, L, M, O>,
    chain: &Chain<'_>,
) -> Result<bool, Abort> {
    scope.visit()?;
    if Chain::has(Some(chain), &required.key) {
        return Err(scope.abort(Trouble::PrerequisiteCycle { key: &required.key }));
    }
    let lookup = scope.lookup;
    match lookup.flag(&required.key) {
        Found::Item(flag) => {
            scope.meter.spend(flag.weight as usize);
            let outcome = if flag.alone && !O::LOOKS {
                outcome_apart(&flag, scope.context, &mut scope.meter)
            } else {
                outcome(&flag, scope, Some(chain))
            }?;
            if scope.meter.is_spent() {
                return Err(scope.abort(Trouble::TooMuchWork));
            }
            scope.observer.prerequisite(owner, &flag, &outcome.detail(&flag));
            let variation = required.variation;
            if O::LOOKS && variation as usize >= flag.variations.len() {
                scope.observer.trouble(Trouble::UnmeetablePrerequisite { owner, prerequisite: &flag, variation });
            }
            Ok(flag.on && outcome.serves(required.variation))
        }
        Found::Missing => {
            scope.observer.trouble(Trouble::MissingPrerequisite { owner, key: &required.key });
            Ok(false)
        }
        Found::Unreadable => Err(ErrorKind::Exception),
    }
}

/// The first target that names a key of the context.
#[inline(always)]
fn target<'f>(flag: &'f Flag, context: &Context) -> Option<&'f Target> {
    if flag.targets.is_empty() { None } else { listed(&flag.targets, context) }
}

#[inline(never)]
fn listed<'f>(targets: &'f [Target], context: &Context) -> Option<&'f Target> {
    let named = |target: &&Target| {
        context.of_kind(&target.context_kind).is_some_and(|single| target.values.contains(single.key()))
    };
    targets.iter().find(named)
}

/// What is served.
struct Choice {
    variation: u32,
    in_experiment: bool,
}

/// What is served; none if the data do not say, or name a malformed attribute to bucket by.
#[inline]
fn chosen(flag: &Flag, serve: &Serve, context: &Context) -> Option<Choice> {
    match serve {
        Serve::Nothing => None,
        Serve::Variation(variation) => Some(Choice { variation: *variation, in_experiment: false }),
        Serve::Rollout(rollout) => rolled_out(flag, rollout, context),
    }
}

#[inline(never)]
fn rolled_out(flag: &Flag, rollout: &Rollout, context: &Context) -> Option<Choice> {
    let Draw { has_context, entry, .. } = draw(flag, rollout, context)?;
    Some(Choice { variation: entry.variation, in_experiment: rollout.experiment && !entry.untracked && has_context })
}

/// The first entry whose bound is above the bucket, or else the last one. A context without the rollout's kind has
/// bucket 0 and is in no experiment.
#[inline(always)]
fn draw<'d>(flag: &Flag, rollout: &'d Rollout, context: &'d Context) -> Option<Draw<'d>> {
    let single = context.of_kind(&rollout.context_kind);
    let (bucket, value) = match single {
        None => (0.0, Attribute::Null),
        Some(_) if rollout.bucket_by == AttributeRef::Invalid => return None,
        Some(single) => {
            let prefix = match rollout.seed {
                Some(seed) => Prefix::Seed(seed),
                None => Prefix::Salted { key: &flag.key, salt: &flag.salt },
            };
            let value = single.get(&rollout.bucket_by);
            (bucket(&prefix, value), value)
        }
    };
    let entry = rollout.variations.iter().find(|entry| bucket < entry.bound).or(rollout.variations.last())?;
    Some(Draw { bucket, value, has_context: single.is_some(), entry })
}
