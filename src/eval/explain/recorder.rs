//! Writes down what an evaluation tells: what is opened goes on a stack, what is closed goes into what is below it. An item that
//! comes again is written down without its parts, which are the same for one context: items that refer to each other in many
//! ways do not make a tree of all ways.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::steps::{
    BecauseOf, BucketedRule, ClauseStep, Cut, FlagStep, Outcome, PrerequisiteStep, RolloutEntry, RolloutStep, RuleStep,
    SegmentStep, ShareStep, TargetStep,
};
use crate::context::Attribute;
use crate::eval::{Belongs, Detail, Draw, Look, Observer, Subject, Trouble};
use crate::model::{
    AttributeRef, Clause, Flag, Kind, Prerequisite, Rollout, Rule, Segment, SegmentRule, Target, Test, write_string,
};

/// What is open.
enum Open {
    Flag(FlagStep, usize),
    Prerequisite(PrerequisiteStep),
    Rule(RuleStep),
    Clause(ClauseStep),
    Segment(SegmentStep),
    SegmentRule(BucketedRule),
}

/// The observer.
pub(super) struct Recorder<'o, O> {
    also: &'o mut O,
    open: Vec<Open>,
    /// The items that are written down.
    told: HashSet<(Kind, String)>,
    /// How many items are open from the one on that comes again; nothing is written down there.
    again: usize,
    flag: Option<FlagStep>,
    troubles: Vec<String>,
}

impl<'o, O: Observer> Recorder<'o, O> {
    pub(super) fn new(also: &'o mut O) -> Self {
        Self { also, open: Vec::new(), told: HashSet::new(), again: 0, flag: None, troubles: Vec::new() }
    }

    /// What was looked at, with what was open when something stopped the evaluation.
    pub(super) fn finish(mut self) -> (Option<FlagStep>, Vec<String>) {
        while !self.open.is_empty() {
            self.close();
        }
        (self.flag, self.troubles)
    }

    /// Puts what was opened last into what is below it.
    fn close(&mut self) {
        let Some(closed) = self.open.pop() else { return };
        match (closed, self.open.last_mut()) {
            (Open::Flag(flag, _), None) => self.flag = Some(flag),
            (Open::Flag(flag, _), Some(Open::Prerequisite(step))) => step.flag = Some(flag),
            (Open::Prerequisite(step), Some(Open::Flag(flag, _))) => flag.prerequisites.push(step),
            (Open::Rule(rule), Some(Open::Flag(flag, _))) => flag.rules.push(rule),
            (Open::Clause(clause), Some(Open::Rule(rule) | Open::SegmentRule(BucketedRule { rule, .. }))) => {
                rule.clauses.push(clause);
            }
            (Open::Segment(segment), Some(Open::Clause(clause))) => clause.segments.push(segment),
            (Open::SegmentRule(rule), Some(Open::Segment(segment))) => segment.rules.push(rule),
            // Nothing else is opened in anything else.
            _ => {}
        }
    }

    fn open_flag(&mut self, flag: &Flag) {
        let key = match self.open.last() {
            // What it is called by others is what it is known by.
            Some(Open::Prerequisite(step)) => step.key.clone(),
            _ => flag.key.to_string(),
        };
        let told = (Kind::Flag, key);
        let again = self.told.contains(&told);
        self.again = usize::from(again);
        self.open.push(Open::Flag(flag_step(told.1, flag, again), flag.targets.len()));
    }

    fn open_segment(&mut self, key: &str, segment: &Segment) {
        let again = self.told.contains(&(Kind::Segment, key.to_owned()));
        self.again = usize::from(again);
        self.open.push(Open::Segment(segment_step(key, segment, again)));
    }

    /// Whether this belongs to an item that comes again.
    fn is_known(&mut self, look: Look<'_>) -> bool {
        if self.again == 0 {
            return false;
        }
        match look {
            Look::Flag(_) | Look::Segment { .. } => self.again += 1,
            Look::FlagEnd(_) | Look::SegmentEnd(_) => self.again -= 1,
            _ => {}
        }
        self.again > 0
    }

    fn open_clause(&mut self, clause: &Clause, subject: Subject<'_>) {
        let (Some(Open::Rule(rule)) | Some(Open::SegmentRule(BucketedRule { rule, .. }))) = self.open.last() else {
            return;
        };
        let index = rule.clauses.len();
        self.open.push(Open::Clause(clause_step(index, clause, subject)));
    }
}

impl<O: Observer> Observer for Recorder<'_, O> {
    const LOOKS: bool = true;

    fn look(&mut self, look: Look<'_>) {
        if self.is_known(look) {
            return;
        }
        match (look, self.open.last_mut()) {
            (Look::Flag(flag), _) => self.open_flag(flag),
            (Look::FlagEnd(detail), Some(Open::Flag(flag, _))) => {
                flag.outcome = Some(Outcome::of(detail));
                self.told.insert((Kind::Flag, flag.key.clone()));
                self.close();
            }
            (Look::Prerequisite(required), _) => self.open.push(Open::Prerequisite(prerequisite_step(required))),
            (Look::PrerequisiteEnd { met }, Some(Open::Prerequisite(step))) => {
                step.met = Some(met);
                self.close();
            }
            (Look::Targets(target), Some(Open::Flag(flag, lists))) => flag.targets = target_step(*lists, target),
            (Look::Rule(rule), Some(Open::Flag(flag, _))) => {
                let step = rule_step(flag.rules.len(), rule);
                self.open.push(Open::Rule(step));
            }
            (Look::RuleEnd { matched }, Some(Open::Rule(rule))) => {
                rule.matched = Some(matched);
                self.close();
            }
            (Look::Clause(clause, subject), _) => self.open_clause(clause, subject),
            (Look::ClauseEnd { passed }, Some(Open::Clause(clause))) => {
                clause.passed = Some(passed);
                self.close();
            }
            (Look::NoSegment { key }, Some(Open::Clause(clause))) => clause.segments.push(missing_segment(key)),
            (Look::Segment { key, segment }, _) => self.open_segment(key, segment),
            (Look::SegmentEnd(belongs), Some(Open::Segment(segment))) => {
                segment.contains = Some(belongs.contains());
                segment.because = because_of(belongs);
                self.told.insert((Kind::Segment, segment.key.clone()));
                self.close();
            }
            (Look::SegmentRule(rule), Some(Open::Segment(segment))) => {
                let step = segment_rule_step(segment.rules.len(), rule);
                self.open.push(Open::SegmentRule(step));
            }
            (Look::Share { rule, bucket, value, bound }, Some(Open::SegmentRule(step))) => {
                step.share = Some(ShareStep {
                    kind: rule.context_kind.as_str().to_owned(),
                    attribute: hashed(&rule.bucket_by),
                    actual: json(value),
                    bucket,
                    below: bound,
                });
            }
            (Look::SegmentRuleEnd { matched }, Some(Open::SegmentRule(step))) => {
                step.rule.matched = Some(matched);
                self.close();
            }
            (Look::Rollout(rollout, draw), Some(Open::Flag(flag, _))) => {
                flag.rollout = Some(rollout_step(rollout, draw))
            }
            // Nothing else is told there.
            _ => {}
        }
    }

    fn prerequisite(&mut self, owner: &Flag, prerequisite: &Flag, detail: &Detail<'_>) {
        self.also.prerequisite(owner, prerequisite, detail);
    }

    fn trouble(&mut self, trouble: Trouble<'_>) {
        self.troubles.push(trouble.to_string());
        if O::LOOKS || !trouble.is_for_lookers() {
            self.also.trouble(trouble);
        }
    }
}

fn flag_step(key: String, flag: &Flag, again: bool) -> FlagStep {
    FlagStep {
        key,
        version: flag.version,
        on: flag.on,
        again,
        prerequisites: Vec::new(),
        targets: None,
        rules: Vec::new(),
        rollout: None,
        outcome: None,
    }
}

fn prerequisite_step(required: &Prerequisite) -> PrerequisiteStep {
    PrerequisiteStep { key: required.key.to_string(), wanted: required.variation, met: None, flag: None }
}

fn target_step(lists: usize, target: Option<&Target>) -> Option<TargetStep> {
    (lists > 0).then(|| TargetStep {
        lists,
        variation: target.map(|target| target.variation),
        kind: target.map(|target| target.context_kind.as_str().to_owned()),
    })
}

fn rule_step(index: usize, rule: &Rule) -> RuleStep {
    RuleStep { index, id: rule.id.to_string(), clauses: Vec::new(), clause_count: rule.clauses.len(), matched: None }
}

fn segment_rule_step(index: usize, rule: &SegmentRule) -> BucketedRule {
    let clause_count = rule.clauses.len();
    let rule = RuleStep { index, id: String::new(), clauses: Vec::new(), clause_count, matched: None };
    BucketedRule { rule, share: None }
}

fn segment_step(key: &str, segment: &Segment, again: bool) -> SegmentStep {
    let (key, version) = (key.to_owned(), Some(segment.version));
    SegmentStep { key, version, contains: None, because: BecauseOf::Stopped, again, rules: Vec::new() }
}

fn missing_segment(key: &str) -> SegmentStep {
    let key = key.to_owned();
    let because = BecauseOf::Missing;
    SegmentStep { key, version: None, contains: Some(false), because, again: false, rules: Vec::new() }
}

fn because_of(belongs: Belongs) -> BecauseOf {
    match belongs {
        Belongs::Listed(_) => BecauseOf::List,
        Belongs::Stored(_) => BecauseOf::Store,
        Belongs::NotReady => BecauseOf::NotReady,
        Belongs::NoContext => BecauseOf::NoContext,
        Belongs::ByRule | Belongs::No => BecauseOf::Rules,
        Belongs::Known(_) => BecauseOf::Earlier,
    }
}

fn clause_step(index: usize, clause: &Clause, subject: Subject<'_>) -> ClauseStep {
    let actual = match subject {
        Subject::Value(value) => json(value),
        Subject::Kinds(context) => strings(context.kinds()),
        _ => None,
    };
    let is_about_segments = matches!(clause.test, Test::Segment(_));
    ClauseStep {
        index,
        kind: clause.context_kind.as_str().to_owned(),
        attribute: if is_about_segments { String::new() } else { clause.attribute.to_string() },
        op: String::new(),
        values: Cut::default(),
        negate: clause.negate,
        actual,
        has_context: !matches!(subject, Subject::NoContext),
        passed: None,
        segments: Vec::new(),
    }
}

/// A value; none for null.
fn json(value: Attribute<'_>) -> Option<Box<RawValue>> {
    if value == Attribute::Null {
        return None;
    }
    let mut out = String::new();
    value.write_json(&mut out);
    RawValue::from_string(out).ok()
}

fn strings<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Box<RawValue>> {
    let mut out = String::new();
    for text in texts {
        out.push(if out.is_empty() { '[' } else { ',' });
        write_string(text, &mut out);
    }
    out.push(']');
    RawValue::from_string(out).ok()
}

/// The attribute that is hashed where this one is named.
fn hashed(attribute: &AttributeRef) -> String {
    match attribute {
        AttributeRef::Undefined => AttributeRef::Key.to_string(),
        other => other.to_string(),
    }
}

fn rollout_step(rollout: &Rollout, draw: Draw<'_>) -> RolloutStep {
    let mut from = 0.0;
    let entries = rollout.variations.iter().map(|entry| RolloutEntry {
        variation: entry.variation,
        value: None,
        from: std::mem::replace(&mut from, entry.bound),
        to: entry.bound,
        untracked: entry.untracked,
        chosen: std::ptr::eq(entry, draw.entry),
    });
    RolloutStep {
        experiment: rollout.experiment,
        kind: rollout.context_kind.as_str().to_owned(),
        attribute: hashed(&rollout.bucket_by),
        actual: json(draw.value),
        seed: rollout.seed,
        has_context: draw.has_context,
        bucket: draw.bucket,
        entries: entries.collect(),
    }
}
