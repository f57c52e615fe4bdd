//! Runs the shared evaluation vectors against the core.
//!
//! `evaluation-vectors.jsonl` holds inputs with the observed results of other engines. Where all of them agree, that
//! result is ours; where they do not, `evaluation-expectations.jsonl` says which result Flagstone returns and by which
//! rule. A vector without an expectation fails.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashMap;
use std::sync::Arc;

use flagstone::context::Context;
use flagstone::eval::explain::{Outcome, explain};
use flagstone::eval::{
    BigSegmentsStatus, Detail, ErrorKind, MembershipAnswer, Memberships, Observer, Reason, evaluate,
};
use flagstone::model::{
    Flag, Found, Interner, Lookup, Membership, Parsed, Segment, VariationValue, parse_flag, parse_segment,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

const VECTORS: &str = include_str!("data/evaluation-vectors.jsonl");
const EXPECTATIONS: &str = include_str!("data/evaluation-expectations.jsonl");

/// Items are kept as text: how a number is written matters.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector<'a> {
    id: u32,
    name: String,
    #[serde(borrow, default)]
    flags: HashMap<String, &'a RawValue>,
    #[serde(borrow, default)]
    segments: HashMap<String, &'a RawValue>,
    flag: Option<String>,
    #[serde(borrow)]
    context: &'a RawValue,
    big: Option<Big>,
    all_agree: bool,
    results: HashMap<String, Value>,
}

#[derive(Deserialize)]
struct Big {
    status: String,
    #[serde(default)]
    statuses: HashMap<String, String>,
    members: HashMap<String, HashMap<String, bool>>,
}

#[derive(Deserialize)]
struct Expectation {
    id: u32,
    rule: String,
    result: Value,
}

struct Items {
    flags: HashMap<String, Option<Flag>>,
    segments: HashMap<String, Option<Segment>>,
}

impl Items {
    /// Parses all items; those that do not parse are none, deleted ones are left out.
    fn parse(vector: &Vector<'_>) -> Items {
        let interner = &mut Interner::default();
        let mut items = Items { flags: HashMap::new(), segments: HashMap::new() };
        for (key, json) in &vector.flags {
            match parse_flag(key, json.get().as_bytes(), interner) {
                Ok(Parsed::Live(flag)) => _ = items.flags.insert(key.clone(), Some(flag)),
                Ok(Parsed::Tombstone { .. }) => {}
                Err(_) => _ = items.flags.insert(key.clone(), None),
            }
        }
        for (key, json) in &vector.segments {
            match parse_segment(key, json.get().as_bytes(), interner) {
                Ok(Parsed::Live(segment)) => _ = items.segments.insert(key.clone(), Some(segment)),
                Ok(Parsed::Tombstone { .. }) => {}
                Err(_) => _ = items.segments.insert(key.clone(), None),
            }
        }
        items
    }
}

fn found<'a, T>(items: &'a HashMap<String, Option<T>>, key: &str) -> Found<&'a T> {
    match items.get(key) {
        Some(Some(item)) => Found::Item(item),
        Some(None) => Found::Unreadable,
        None => Found::Missing,
    }
}

impl Lookup for Items {
    type FlagRef<'a> = &'a Flag;
    type SegmentRef<'a> = &'a Segment;

    fn flag(&self, key: &str) -> Found<&Flag> {
        found(&self.flags, key)
    }

    fn segment(&self, key: &str) -> Found<&Segment> {
        found(&self.segments, key)
    }
}

/// Big-segment answers of a vector; without any the store is not configured.
struct BigAnswers<'a>(Option<&'a Big>);

impl Memberships for BigAnswers<'_> {
    fn membership(&self, context_key: &str) -> MembershipAnswer {
        let Some(big) = self.0 else {
            return MembershipAnswer { membership: None, status: BigSegmentsStatus::NotConfigured };
        };
        let status = match big.statuses.get(context_key).unwrap_or(&big.status).as_str() {
            "HEALTHY" => BigSegmentsStatus::Healthy,
            "STALE" => BigSegmentsStatus::Stale,
            "STORE_ERROR" => BigSegmentsStatus::StoreError,
            other => panic!("unknown status {other}"),
        };
        let members = big.members.get(context_key).cloned().unwrap_or_default();
        let names = |wanted: bool| {
            let chosen = members.iter().filter(move |(_, included)| **included == wanted);
            chosen.map(|(name, _)| name.as_str())
        };
        let known = status != BigSegmentsStatus::StoreError;
        let membership = known.then(|| Arc::new(Membership::new(names(true), names(false))));
        MembershipAnswer { membership, status }
    }
}

#[derive(Default)]
struct Events(Vec<String>);

impl Observer for Events {
    fn prerequisite(&mut self, owner: &Flag, prerequisite: &Flag, detail: &Detail<'_>) {
        let reason = match detail.reason {
            Reason::Error(kind) => format!("ERROR({})", error_name(kind)),
            other => kind_name(&other).to_owned(),
        };
        self.0.push(format!("{}>{}={reason}", owner.key, prerequisite.key));
    }
}

fn kind_name(reason: &Reason<'_>) -> &'static str {
    match reason {
        Reason::Off => "OFF",
        Reason::Fallthrough { .. } => "FALLTHROUGH",
        Reason::TargetMatch => "TARGET_MATCH",
        Reason::RuleMatch { .. } => "RULE_MATCH",
        Reason::PrerequisiteFailed { .. } => "PREREQUISITE_FAILED",
        Reason::Error(_) => "ERROR",
    }
}

fn error_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ClientNotReady => "CLIENT_NOT_READY",
        ErrorKind::FlagNotFound => "FLAG_NOT_FOUND",
        ErrorKind::UserNotSpecified => "USER_NOT_SPECIFIED",
        ErrorKind::MalformedFlag => "MALFORMED_FLAG",
        ErrorKind::WrongType => "WRONG_TYPE",
        ErrorKind::Exception => "EXCEPTION",
    }
}

fn status_name(status: BigSegmentsStatus) -> &'static str {
    match status {
        BigSegmentsStatus::Healthy => "HEALTHY",
        BigSegmentsStatus::Stale => "STALE",
        BigSegmentsStatus::StoreError => "STORE_ERROR",
        BigSegmentsStatus::NotConfigured => "NOT_CONFIGURED",
    }
}

fn value_json(detail: &Detail<'_>) -> Value {
    let Some(variation) = detail.variation else { return Value::Null };
    let typed = match variation.value() {
        VariationValue::Null => Value::Null,
        VariationValue::Bool(value) => json!(value),
        VariationValue::Number(number) => json!(number),
        VariationValue::String(text) => json!(text),
        VariationValue::Json(text) => serde_json::from_str(text).unwrap(),
    };
    let written: Value = serde_json::from_str(variation.json()).unwrap();
    assert_eq!(canonical(&typed), canonical(&written), "value and text of a variation");
    written
}

fn detail_json(detail: &Detail<'_>, events: &Events) -> Value {
    let mut reason = json!({ "kind": kind_name(&detail.reason) });
    match detail.reason {
        Reason::RuleMatch { index, id, in_experiment } => {
            reason["ruleIndex"] = json!(index);
            if !id.is_empty() {
                reason["ruleId"] = json!(id);
            }
            if in_experiment {
                reason["inExperiment"] = json!(true);
            }
        }
        Reason::Fallthrough { in_experiment: true } => reason["inExperiment"] = json!(true),
        Reason::PrerequisiteFailed { key } => reason["prerequisiteKey"] = json!(key),
        Reason::Error(kind) => reason["errorKind"] = json!(error_name(kind)),
        _ => {}
    }
    if let Some(status) = detail.big_segments {
        reason["bigSegmentsStatus"] = json!(status_name(status));
    }
    let mut result = json!({
        "value": value_json(detail),
        "variationIndex": detail.index,
        "reason": reason,
    });
    if !events.0.is_empty() {
        result["prereqEvents"] = json!(events.0);
    }
    result
}

fn run(vector: &Vector<'_>) -> Value {
    let Ok(context) = Context::from_json(vector.context.get()) else {
        return json!("REJECT_CONTEXT");
    };
    let Some(flag_key) = &vector.flag else {
        let form: Value = serde_json::from_str(&context.to_json()).unwrap();
        let again = Context::from_json(&context.to_json());
        assert!(context.canonical_key().is_empty() || again.is_ok(), "the JSON form reads back");
        return json!({ "contextJson": form, "fullyQualifiedKey": context.canonical_key() });
    };
    let items = Items::parse(vector);
    let Found::Item(flag) = items.flag(flag_key) else { return json!("REJECT_FLAG") };
    let mut events = Events::default();
    let detail = evaluate(flag, &context, &items, &BigAnswers(vector.big.as_ref()), &mut events);
    if items.segments.values().any(Option::is_none) {
        assert_eq!(detail.reason, Reason::Error(ErrorKind::Exception), "an unreadable segment");
        return json!("REJECT_SEGMENT");
    }
    detail_json(&detail, &events)
}

/// Makes equal numbers look equal, however they are written.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap() + 0.0),
        Value::Array(items) => items.iter().map(canonical).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), canonical(value)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

fn vectors() -> Vec<Vector<'static>> {
    VECTORS.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn expectations() -> HashMap<u32, Expectation> {
    let read = EXPECTATIONS.lines().map(|line| serde_json::from_str::<Expectation>(line).unwrap());
    read.map(|expectation| (expectation.id, expectation)).collect()
}

#[test]
fn every_vector_gives_the_expected_result() {
    let mut expectations = expectations();
    let mut failures = Vec::new();
    let vectors = vectors();
    for vector in &vectors {
        let (rule, expected) = if vector.all_agree {
            ("all engines agree".to_owned(), vector.results["all"].clone())
        } else {
            match expectations.remove(&vector.id) {
                Some(expectation) => (expectation.rule, expectation.result),
                None => ("NO EXPECTATION".to_owned(), json!("NO EXPECTATION")),
            }
        };
        let actual = run(vector);
        if canonical(&actual) != canonical(&expected) {
            let Vector { id, name, .. } = vector;
            failures.push(format!("{id} {name} ({rule})\n  expected {expected}\n  actual   {actual}"));
        }
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(expectations.is_empty(), "expectations without a vector");
    assert_eq!(vectors.len(), 409);
}

#[test]
fn every_expectation_is_the_result_of_at_least_one_engine() {
    let expectations = expectations();
    for vector in vectors().iter().filter(|vector| !vector.all_agree) {
        let expected = canonical(&expectations[&vector.id].result);
        let known = vector.results.values().any(|result| canonical(result) == expected);
        assert!(known, "{} {}", vector.id, vector.name);
        assert!(!expectations[&vector.id].rule.is_empty());
    }
}

/// Evaluates a vector as everybody does and once more with everything written down; both must agree. Whether there was something
/// to evaluate.
fn is_explained(vector: &Vector<'_>, json: &[u8], context: &Context) -> bool {
    let items = Items::parse(vector);
    let Ok(Parsed::Live(flag)) = parse_flag("f", json, &mut Interner::default()) else { return false };
    let big = BigAnswers(vector.big.as_ref());
    let (mut events, mut told) = (Events::default(), Events::default());
    let detail = evaluate(&flag, context, &items, &big, &mut events);
    let recorded = explain(&flag, context, &items, &big, &mut told);
    assert_eq!(detail_json(&detail, &events), detail_json(&recorded.detail, &told), "{} {}", vector.id, vector.name);
    // What the tree says of the flag is what came out, unless something stopped the evaluation.
    let steps = recorded.flag.unwrap();
    match &steps.outcome {
        Some(outcome) => {
            let expected = Outcome::of(&Detail { big_segments: None, ..detail });
            assert_eq!(json!(outcome), json!(expected), "{} {}", vector.id, vector.name);
            let matched: Vec<usize> =
                steps.rules.iter().filter(|rule| rule.matched == Some(true)).map(|rule| rule.index).collect();
            let by_rule = match detail.reason {
                Reason::RuleMatch { index, .. } => vec![index as usize],
                // A rule matched, and what it serves makes no sense.
                Reason::Error(ErrorKind::MalformedFlag) => matched.clone(),
                _ => Vec::new(),
            };
            assert_eq!(matched, by_rule, "{} {}", vector.id, vector.name);
            let chosen = steps.rollout.iter().flat_map(|rollout| &rollout.entries).find(|entry| entry.chosen);
            if let (Some(entry), Some(index)) = (chosen, detail.index) {
                assert_eq!(entry.variation, index, "{} {}", vector.id, vector.name);
            }
        }
        None => assert!(matches!(detail.reason, Reason::Error(_)), "{} {}", vector.id, vector.name),
    }
    true
}

#[test]
fn an_explanation_comes_to_the_same_result_as_the_evaluation() {
    let mut explained = 0;
    for vector in vectors() {
        let (Some(key), Ok(context)) = (&vector.flag, Context::from_json(vector.context.get())) else { continue };
        let json = vector.flags[key].get().as_bytes();
        explained += usize::from(is_explained(&vector, json, &context));
        // The same flag for others, and for everybody turned on.
        for other in [r#"{"kind":"user","key":"x"}"#, r#"{"kind":"multi","org":{"key":"o"},"user":{"key":"u","n":3}}"#]
        {
            explained += usize::from(is_explained(&vector, json, &Context::from_json(other).unwrap()));
        }
    }
    assert!(explained > 800, "{explained}");
}

#[test]
fn damaged_items_and_contexts_never_panic() {
    let mut state = 3u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let pieces = ["null", "-1", "1e18", "\"\"", "[]", "{}", "true", "]", "}", "\"", "\\", ",", "\u{ff}", "0.5"];
    let mut evaluated = 0;
    for vector in vectors().iter().filter(|vector| vector.flag.is_some()) {
        for _ in 0..40 {
            let mut damage = |text: &str| {
                let mut bytes = text.as_bytes().to_vec();
                let start = random(bytes.len());
                let end = (start + random(8)).min(bytes.len());
                bytes.splice(start..end, pieces[random(pieces.len())].bytes());
                bytes
            };
            let interner = &mut Interner::default();
            let json = vector.flags[vector.flag.as_ref().unwrap()].get();
            let context = String::from_utf8_lossy(&damage(vector.context.get())).into_owned();
            let context = Context::from_json(&context).or_else(|_| Context::from_key("", "u")).unwrap();
            let damaged = damage(json);
            if let Ok(Parsed::Live(flag)) = parse_flag("f", &damaged, interner) {
                evaluate(&flag, &context, &Items::parse(vector), &BigAnswers(None), &mut ());
                evaluated += 1;
                is_explained(vector, &damaged, &context);
            }
        }
    }
    assert!(evaluated > 1000, "{evaluated}");
}
