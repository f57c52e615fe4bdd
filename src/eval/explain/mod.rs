//! What an evaluation looked at, kept as a tree. The evaluation that is recorded is the one that everybody gets: it tells an
//! observer what it does, and the observer writes it down. Depends on `model` and `context`.

mod recorder;
mod steps;

pub use steps::{
    BecauseOf, BucketedRule, ClauseStep, Cut, FlagStep, Outcome, PrerequisiteStep, ReasonJson, RolloutEntry,
    RolloutStep, RuleStep, SegmentStep, ShareStep, TargetStep,
};

use super::{Detail, Memberships, Observer, evaluate};
use crate::context::Context;
use crate::model::{Flag, Lookup};
use recorder::Recorder;

/// What a recorded evaluation found out.
#[derive(Debug)]
pub struct Recorded<'f> {
    /// The result.
    pub detail: Detail<'f>,
    /// What was looked at.
    pub flag: Option<FlagStep>,
    /// What is wrong with the data, in words.
    pub troubles: Vec<String>,
}

/// Evaluates a flag for a context as [`evaluate`] does, and keeps what was looked at. `also` is told what it would be told there.
pub fn explain<'f, L: Lookup, M: Memberships, O: Observer>(
    flag: &'f Flag,
    context: &Context,
    lookup: &L,
    memberships: &M,
    also: &mut O,
) -> Recorded<'f> {
    let mut recorder = Recorder::new(also);
    let detail = evaluate(flag, context, lookup, memberships, &mut recorder);
    let (flag, troubles) = recorder.finish();
    Recorded { detail, flag, troubles }
}
