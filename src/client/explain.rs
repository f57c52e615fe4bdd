//! Why a flag has the value that it has: one evaluation with everything that it looked at. May depend on `store`, `eval`,
//! `context`, `model`.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::members::{Consult, Remembering};
use super::{Client, ClientError};
use crate::context::Context;
use crate::eval::explain::{BucketedRule, Cut, FlagStep, Outcome, RuleStep, SegmentStep, explain};
use crate::eval::{Detail, ErrorKind};
use crate::model::repair;
use crate::store::{Snapshot, State, View};

/// How many values of a clause are shown.
const SHOWN_VALUES: usize = 20;

/// The result of an evaluation, and how it came about.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The key that was asked for.
    pub key: String,
    /// The result: what an evaluation without a wanted type gives.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The data are not known to be true any more.
    pub stale: bool,
    /// What was looked at; none where there is no such flag, or none that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<FlagStep>,
    /// What is wrong with the data, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<String>,
}

impl Client {
    /// Evaluates the flag `key` for `context`, and says what was looked at: targets, rules, clauses with the values that were
    /// compared, prerequisites, segments, buckets. The result is that of [`Client::evaluate`] at the same moment.
    ///
    /// For people, not for the path of requests: it copies what it looked at, makes no events, and does not count as a use
    /// of the flag. Under residency `lazy` and `off` everything is read from Redis, as for the state of all flags. Big segments
    /// are asked for as by any evaluation.
    ///
    /// # Errors
    ///
    /// [`ClientError::Closed`]. Everything else is a reason of the result.
    pub fn explain(&self, key: &str, context: &Context) -> Result<Explanation, ClientError> {
        if self.is_closed() {
            return Err(ClientError::Closed);
        }
        let stale = self.plant.shared.is_stale();
        Ok(match self.data() {
            Some(data) => explain_in(&data, key, context, stale, self),
            None => failed(key, ErrorKind::ClientNotReady, stale),
        })
    }
}

fn explain_in(data: &Snapshot, key: &str, context: &Context, stale: bool, client: &Client) -> Explanation {
    let Some(entry) = data.flags.get(key) else { return failed(key, ErrorKind::FlagNotFound, stale) };
    let flag = match entry.state() {
        State::Live(flag) => flag,
        State::Tombstone => return failed(key, ErrorKind::FlagNotFound, stale),
        State::Unreadable => return failed(key, ErrorKind::Exception, stale),
    };
    let (view, consult) = (View::new(data), Consult::new(client, true));
    let recorded = explain(flag, context, &view, &Remembering::new(&consult), &mut ());
    let mut steps = recorded.flag;
    if let Some(steps) = &mut steps {
        Written { data }.complete(steps, key);
    }
    Explanation {
        key: key.to_owned(),
        outcome: Outcome::of(&recorded.detail),
        stale: stale || entry.is_superseded() || view.is_superseded(),
        flag: steps,
        troubles: recorded.troubles,
    }
}

fn failed(key: &str, kind: ErrorKind, stale: bool) -> Explanation {
    let outcome = Outcome::of(&Detail::error(kind));
    Explanation { key: key.to_owned(), outcome, stale, flag: None, troubles: Vec::new() }
}

/// Items as they are written: clauses are compiled for evaluation, which forgets how their operators and values were spelled.
struct Written<'a> {
    data: &'a Snapshot,
}

impl Written<'_> {
    /// The key is the one by which the flag was found: what it calls itself may be another.
    fn complete(&self, step: &mut FlagStep, key: &str) {
        for prerequisite in &mut step.prerequisites {
            if let Some(flag) = &mut prerequisite.flag {
                self.complete(flag, &prerequisite.key);
            }
        }
        step.key = key.to_owned();
        let Some(entry) = self.data.flags.get(key) else { return };
        let rules = rules(entry.good_text());
        for rule in &mut step.rules {
            self.complete_rule(rule, &rules);
        }
        let State::Live(flag) = entry.state() else { return };
        for entry in step.rollout.iter_mut().flat_map(|rollout| &mut rollout.entries) {
            let variation = flag.variations.get(entry.variation as usize);
            entry.value = variation.and_then(|variation| RawValue::from_string(variation.json().to_owned()).ok());
        }
    }

    fn complete_segment(&self, step: &mut SegmentStep) {
        let Some(entry) = self.data.segments.get(&step.key) else { return };
        let rules = rules(entry.good_text());
        for BucketedRule { rule, .. } in &mut step.rules {
            self.complete_rule(rule, &rules);
        }
    }

    fn complete_rule(&self, rule: &mut RuleStep, rules: &[Vec<Spelled>]) {
        let clauses = rules.get(rule.index).map(Vec::as_slice).unwrap_or_default();
        for clause in &mut rule.clauses {
            if let Some(Spelled { op, values }) = clauses.get(clause.index) {
                (clause.op, clause.values) = (op.clone(), values.clone());
            }
            clause.segments.iter_mut().for_each(|segment| self.complete_segment(segment));
        }
    }
}

/// What compiling a clause forgets.
struct Spelled {
    op: String,
    values: Cut,
}

/// Of members of the same name the last one counts.
type Members<'a> = HashMap<Cow<'a, str>, &'a RawValue>;

/// The clauses of each rule.
fn rules(text: &[u8]) -> Vec<Vec<Spelled>> {
    let text = repair(text);
    let item: Members<'_> = serde_json::from_slice(&text).unwrap_or_default();
    let clauses = |rule: &RawValue| items(&members(rule), "clauses").into_iter().map(spelled).collect();
    items(&item, "rules").into_iter().map(clauses).collect()
}

fn members(json: &RawValue) -> Members<'_> {
    serde_json::from_str(json.get()).unwrap_or_default()
}

fn items<'a>(of: &Members<'a>, name: &str) -> Vec<&'a RawValue> {
    of.get(name).and_then(|list| serde_json::from_str(list.get()).ok()).unwrap_or_default()
}

fn spelled(clause: &RawValue) -> Spelled {
    let clause = members(clause);
    let values = items(&clause, "values");
    let first = values.iter().take(SHOWN_VALUES).map(|&value| value.to_owned()).collect();
    let op = clause.get("op").and_then(|op| serde_json::from_str(op.get()).ok()).unwrap_or_default();
    Spelled { op, values: Cut { first, count: values.len() } }
}
