//! The tree of what was looked at, for people and as JSON. What was not looked at is not there.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::eval::{BigSegmentsStatus, Detail, Reason};

/// A flag that was evaluated.
#[derive(Clone, Debug, Serialize)]
pub struct FlagStep {
    /// Its key.
    pub key: String,
    /// Its version.
    pub version: i64,
    /// Whether targeting is on.
    pub on: bool,
    /// It was evaluated before: what was looked at is told there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Its prerequisites, as far as they were looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prerequisites: Vec<PrerequisiteStep>,
    /// What the target lists say, if they were looked at and there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<TargetStep>,
    /// Its rules, as far as they were looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleStep>,
    /// How one of several variations was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutStep>,
    /// What came of it; none where something stopped the whole evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// What came of a flag.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The value, as it is written in the flag.
    pub value: Option<Box<RawValue>>,
    /// The index of the variation.
    pub variation: Option<u32>,
    /// Why.
    pub reason: ReasonJson,
}

/// A reason in LaunchDarkly's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReasonJson {
    /// `OFF`, `FALLTHROUGH`, `TARGET_MATCH`, `RULE_MATCH`, `PREREQUISITE_FAILED` or `ERROR`.
    pub kind: &'static str,
    /// The position of the rule, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_index: Option<u32>,
    /// The identifier of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<String>,
    /// The key of the prerequisite that is not met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prerequisite_key: Option<String>,
    /// True if the context is part of an experiment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_experiment: Option<bool>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_kind: Option<&'static str>,
    /// How the big-segment store fared, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub big_segments_status: Option<&'static str>,
}

/// A prerequisite that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct PrerequisiteStep {
    /// The key of the other flag.
    pub key: String,
    /// The index that it must serve.
    pub wanted: u32,
    /// Whether it is there, on, and serves it; none where something stopped the whole evaluation.
    pub met: Option<bool>,
    /// The other flag; none if there is no such flag.
    pub flag: Option<FlagStep>,
}

/// The target lists.
#[derive(Clone, Debug, Serialize)]
pub struct TargetStep {
    /// How many there are.
    pub lists: usize,
    /// The index of the variation of the list that names a key of the context.
    pub variation: Option<u32>,
    /// The kind of context of that list.
    pub kind: Option<String>,
}

/// A rule of a flag.
#[derive(Clone, Debug, Serialize)]
pub struct RuleStep {
    /// Its position, from 0.
    pub index: usize,
    /// Its identifier; empty if it has none.
    pub id: String,
    /// Its clauses, up to the first one that did not pass.
    pub clauses: Vec<ClauseStep>,
    /// How many clauses it has.
    pub clause_count: usize,
    /// Whether all of them passed; none where something stopped the whole evaluation.
    pub matched: Option<bool>,
}

/// A clause that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct ClauseStep {
    /// Its position in its rule, from 0.
    pub index: usize,
    /// The kind of context that it looks at.
    pub kind: String,
    /// The attribute, as a reference; empty for segments.
    pub attribute: String,
    /// The operator, such as `endsWith`; empty if it is not known here.
    pub op: String,
    /// The first values that the clause compares with, as they are written.
    pub values: Cut,
    /// Whether the result is inverted.
    pub negate: bool,
    /// The value of the context, as JSON; none without one. Of the attribute `kind` a list of all kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Box<RawValue>>,
    /// Whether there is a context of the kind.
    pub has_context: bool,
    /// Whether it passed; none where something stopped the whole evaluation.
    pub passed: Option<bool>,
    /// The segments that were looked at for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentStep>,
}

/// The beginning of a list that may be long.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Cut {
    /// The first ones.
    pub first: Vec<Box<RawValue>>,
    /// How many there are in all.
    pub count: usize,
}

/// A segment that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct SegmentStep {
    /// Its key, as it is named.
    pub key: String,
    /// Its version; none if there is no such segment.
    pub version: Option<i64>,
    /// Whether the context belongs to it; none where something stopped the whole evaluation.
    pub contains: Option<bool>,
    /// Why.
    pub because: BecauseOf,
    /// It was looked at before: its rules are told there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Its rules, as far as they were looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<BucketedRule>,
}

/// Why a context belongs to a segment, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BecauseOf {
    /// Its key is listed.
    List,
    /// The big-segment store says so.
    Store,
    /// It is a big segment that has no generation yet: nobody is in it, and the store was not asked.
    NotReady,
    /// It is a big segment, and there is no context of its kind: the store was not asked.
    NoContext,
    /// A rule matches, or none does.
    Rules,
    /// It was found out before in the same evaluation.
    Earlier,
    /// There is no such segment.
    Missing,
    /// It did not come so far.
    Stopped,
}

/// A rule of a segment.
#[derive(Clone, Debug, Serialize)]
pub struct BucketedRule {
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleStep,
    /// The share that decides, if the rule takes one and its clauses pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<ShareStep>,
}

/// The share of a segment's rule.
#[derive(Clone, Debug, Serialize)]
pub struct ShareStep {
    /// The kind of context that is bucketed.
    pub kind: String,
    /// The attribute that is hashed.
    pub attribute: String,
    /// Its value, as JSON; none where there is none. Other values than texts and whole numbers have bucket 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Box<RawValue>>,
    /// From 0 to 1; none without a context of the rule's kind, which is in no share.
    pub bucket: Option<f32>,
    /// The share takes the buckets below.
    pub below: f32,
}

/// A choice by bucket.
#[derive(Clone, Debug, Serialize)]
pub struct RolloutStep {
    /// Whether it is an experiment.
    pub experiment: bool,
    /// The kind of context that is bucketed.
    pub kind: String,
    /// The attribute that is hashed.
    pub attribute: String,
    /// Its value, as JSON; none where there is none. Other values than texts and whole numbers have bucket 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Box<RawValue>>,
    /// What replaces key and salt of the flag in the hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Whether there is a context of that kind; without it the bucket is 0.
    pub has_context: bool,
    /// From 0 to 1.
    pub bucket: f32,
    /// The entries, in order.
    pub entries: Vec<RolloutEntry>,
}

/// An entry of a rollout.
#[derive(Clone, Debug, Serialize)]
pub struct RolloutEntry {
    /// The index of the variation.
    pub variation: u32,
    /// Its value; none where the flag does not have it, or only the steps are recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<RawValue>>,
    /// The lowest bucket that it takes.
    pub from: f32,
    /// It takes the buckets below.
    pub to: f32,
    /// Whoever gets it is in no experiment.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untracked: bool,
    /// Whether it was chosen. The last one is, where the bucket is above all bounds.
    pub chosen: bool,
}

impl Outcome {
    /// Of a detail.
    pub fn of(detail: &Detail<'_>) -> Self {
        let raw = |json: &str| RawValue::from_string(json.to_owned()).ok();
        Self {
            value: detail.variation.and_then(|variation| raw(variation.json())),
            variation: detail.index,
            reason: ReasonJson::of(detail.reason, detail.big_segments),
        }
    }
}

impl ReasonJson {
    /// Of a reason, and of how the big-segment store fared.
    pub fn of(reason: Reason<'_>, big_segments: Option<BigSegmentsStatus>) -> Self {
        let mut json = Self {
            kind: reason.kind(),
            rule_index: None,
            rule_id: None,
            prerequisite_key: None,
            in_experiment: None,
            error_kind: None,
            big_segments_status: big_segments.map(BigSegmentsStatus::name),
        };
        match reason {
            Reason::Off | Reason::TargetMatch => {}
            Reason::Fallthrough { in_experiment } => json.in_experiment = in_experiment.then_some(true),
            Reason::RuleMatch { index, id, in_experiment } => {
                json.rule_index = Some(index);
                json.rule_id = (!id.is_empty()).then(|| id.to_owned());
                json.in_experiment = in_experiment.then_some(true);
            }
            Reason::PrerequisiteFailed { key } => json.prerequisite_key = Some(key.to_owned()),
            Reason::Error(kind) => json.error_kind = Some(kind.name()),
        }
        json
    }
}
