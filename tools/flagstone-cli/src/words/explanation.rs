//! An explanation as a tree in words. It only tells what the evaluation itself has told.

use flagstone::client::Explanation;
use flagstone::eval::explain::{
    BecauseOf, BucketedRule, ClauseStep, FlagStep, Outcome, PrerequisiteStep, ReasonJson, RolloutStep, RuleStep,
    SegmentStep, ShareStep, TargetStep,
};
use serde_json::value::RawValue;

use super::clause::Clause;
use super::{json, quoted};
use crate::output::{Mark, Node, Output, plain};

/// The whole of it.
pub fn tree(explanation: &Explanation, output: &Output) -> Node {
    let mut root = match &explanation.flag {
        Some(step) => flag(step, output),
        None => Node::note(format!("flag {}", quoted(&explanation.key))),
    };
    for trouble in &explanation.troubles {
        root.push(Node::note(output.doubtful(plain(trouble))));
    }
    root
}

/// A reason in words.
pub fn reason(reason: &ReasonJson) -> String {
    let mut words = match reason.kind {
        "OFF" => "the flag is off".to_owned(),
        "FALLTHROUGH" => "no target and no rule matches".to_owned(),
        "TARGET_MATCH" => "the context is a target".to_owned(),
        "RULE_MATCH" => format!("rule {} matches", reason.rule_index.map_or(0, |index| index + 1)),
        "PREREQUISITE_FAILED" => {
            format!("prerequisite {} is not met", quoted(reason.prerequisite_key.as_deref().unwrap_or_default()))
        }
        _ => error(reason.error_kind.unwrap_or_default()).to_owned(),
    };
    if reason.in_experiment == Some(true) {
        words.push_str(", in an experiment");
    }
    if let Some(status) = reason.big_segments_status.filter(|status| *status != "HEALTHY") {
        words.push_str(&format!("; big segments: {status}"));
    }
    words
}

fn error(kind: &str) -> &'static str {
    match kind {
        "CLIENT_NOT_READY" => "there are no data yet",
        "FLAG_NOT_FOUND" => "there is no such flag",
        "MALFORMED_FLAG" => "the data make no sense, or refer to each other in a circle",
        "EXCEPTION" => "the flag, or something that it depends on, cannot be read",
        _ => "something went wrong",
    }
}

fn mark(passed: Option<bool>) -> Mark {
    match passed {
        Some(true) => Mark::Yes,
        Some(false) => Mark::No,
        None => Mark::Open,
    }
}

fn flag(step: &FlagStep, output: &Output) -> Node {
    let came_out = match &step.outcome {
        None => "it was not finished".to_owned(),
        Some(outcome) if step.again => format!("{}, as above", value(outcome)),
        Some(outcome) => format!("{}, {}", value(outcome), reason(&outcome.reason)),
    };
    let key = output.strong(quoted(&step.key));
    let on = if step.on { output.good("on") } else { output.doubtful("off") };
    let mut node = Node::note(format!("flag {key} (version {}) is {on}: {came_out}", step.version));
    step.prerequisites.iter().for_each(|step| node.push(prerequisite(step, output)));
    if let Some(step) = &step.targets {
        node.push(targets(step));
    }
    step.rules.iter().for_each(|step| node.push(rule("rule", step, output)));
    if let Some(step) = &step.rollout {
        node.push(rollout(step, output));
    }
    node
}

fn value(outcome: &Outcome) -> String {
    match (&outcome.value, outcome.variation) {
        (Some(value), Some(index)) => format!("{} (variation {index})", json(value.get())),
        _ => "no value".to_owned(),
    }
}

fn prerequisite(step: &PrerequisiteStep, output: &Output) -> Node {
    let mut node = Node::new(
        format!("prerequisite {} must be on and serve variation {}", quoted(&step.key), step.wanted),
        mark(step.met),
    );
    match &step.flag {
        Some(step) => node.push(flag(step, output)),
        None if step.met == Some(false) => node.push(Node::note("there is no such flag")),
        None => {}
    }
    node
}

fn targets(step: &TargetStep) -> Node {
    match (step.variation, &step.kind) {
        (Some(variation), Some(kind)) => {
            Node::new(format!("the key of the {} is a target for variation {variation}", plain(kind)), Mark::Yes)
        }
        _ => Node::new("no target names a key of the context", Mark::No),
    }
}

fn rule(noun: &str, step: &RuleStep, output: &Output) -> Node {
    let id = if step.id.is_empty() { String::new() } else { format!(" ({})", output.faint(plain(&step.id))) };
    let mut node = Node::new(format!("{noun} {}{id}", step.index + 1), mark(step.matched));
    step.clauses.iter().for_each(|step| node.push(clause(step, output)));
    let unseen = step.clause_count - step.clauses.len();
    if step.clause_count == 0 {
        node.push(Node::note("it has no clauses: everybody matches"));
    } else if unseen > 0 {
        let words = if unseen == 1 { "1 more clause was".to_owned() } else { format!("{unseen} more clauses were") };
        node.push(Node::note(output.faint(format!("{words} not looked at"))));
    }
    node
}

fn clause(step: &ClauseStep, output: &Output) -> Node {
    let values = step.values.first.iter().map(|value| json(value.get())).collect();
    let words = Clause {
        kind: step.kind.clone(),
        attribute: step.attribute.clone(),
        op: step.op.clone(),
        values,
        count: step.values.count,
        negate: step.negate,
    };
    let actual = if step.op == "segmentMatch" { String::new() } else { format!(": {}", actual(step)) };
    let mut node = Node::new(format!("{}{}", words.words(), output.strong(actual)), mark(step.passed));
    step.segments.iter().for_each(|step| node.push(segment(step, output)));
    node
}

fn actual(step: &ClauseStep) -> String {
    match &step.actual {
        Some(value) => format!("it is {}", json(RawValue::get(value))),
        // Nothing else stops an evaluation here.
        None if step.passed.is_none() => "nothing can be named like that".to_owned(),
        None if step.has_context => "it has none".to_owned(),
        None => format!("there is no context of kind {}", quoted(&step.kind)),
    }
}

fn segment(step: &SegmentStep, output: &Output) -> Node {
    let because = match (step.because, step.contains) {
        (BecauseOf::List, Some(true)) => "its key is included",
        (BecauseOf::List, _) => "its key is excluded",
        (BecauseOf::Store, _) => "the big-segment store says so",
        (BecauseOf::NotReady, _) => "it is a big segment without a generation: nobody is in it yet",
        (BecauseOf::NoContext, _) => "it is a big segment, and there is no context of its kind",
        (BecauseOf::Rules, Some(true)) => "a rule matches",
        (BecauseOf::Rules, _) => "it is not listed, and no rule matches",
        (BecauseOf::Earlier, _) => "as found out before",
        (BecauseOf::Missing, _) => "there is no such segment",
        (BecauseOf::Stopped, _) => "something stopped the evaluation here",
    };
    let version = step.version.map_or_else(String::new, |version| format!(" (version {version})"));
    let again = if step.again && step.because == BecauseOf::Rules { ", as above" } else { "" };
    let mut node = Node::new(format!("segment {}{version}: {because}{again}", quoted(&step.key)), mark(step.contains));
    for BucketedRule { rule: step, share } in &step.rules {
        let mut below = rule("rule", step, output);
        if let Some(share) = share {
            below.push(self::share(share));
        }
        node.push(below);
    }
    node
}

fn share(step: &ShareStep) -> Node {
    let (kind, attribute) = (plain(&step.kind), plain(&step.attribute));
    let (bucket, is_in) = match step.bucket {
        None => (format!("there is no context of kind {kind}"), false),
        Some(bucket) => {
            let of = hashed(&step.attribute, step.actual.as_deref());
            (format!("bucket {bucket}{of}, must be below {}", step.below), bucket < step.below)
        }
    };
    Node::new(format!("share by {kind} {attribute}: {bucket}"), mark(Some(is_in)))
}

/// Of what a bucket is; of keys that is no question.
fn hashed(attribute: &str, value: Option<&RawValue>) -> String {
    match value {
        _ if attribute == "key" => String::new(),
        Some(value) => format!(" of {}", json(value.get())),
        None => ", for it has none".to_owned(),
    }
}

fn rollout(step: &RolloutStep, output: &Output) -> Node {
    let what = if step.experiment { "experiment" } else { "rollout" };
    let seed = step.seed.map_or_else(String::new, |seed| format!(", seed {seed}"));
    let (kind, attribute) = (plain(&step.kind), plain(&step.attribute));
    let of = if step.has_context {
        hashed(&step.attribute, step.actual.as_deref())
    } else {
        format!(", for there is no context of kind {kind}")
    };
    let mut node = Node::note(format!("{what} by {kind} {attribute}{seed}: bucket {}{of}", step.bucket));
    for (position, entry) in step.entries.iter().enumerate() {
        let value = entry.value.as_ref().map_or_else(|| "nothing".to_owned(), |value| json(value.get()));
        let is_last = position + 1 == step.entries.len();
        let rest = if is_last && entry.to < 1.0 { ", and all that is above" } else { "" };
        let untracked = if entry.untracked { ", untracked" } else { "" };
        let variation = entry.variation;
        let text = format!("{value} (variation {variation}{untracked}) takes {} to {}{rest}", entry.from, entry.to);
        let text = if entry.chosen { output.strong(text) } else { output.faint(text) };
        node.push(Node::new(text, if entry.chosen { Mark::Yes } else { Mark::None }));
    }
    node
}
