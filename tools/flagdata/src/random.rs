//! Fills a mixed data set up to its wanted size with generated flags and segments, in the proportions of a large
//! environment. Depends on `item` and `clauses`.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::clauses::{any_clauses, clause, in_segment, pick, user_key, uuid};
use crate::item::{bool_flag, flag, is_deleted, segment};
use crate::{DataSet, Options};

const AREAS: [&str; 14] = [
    "account",
    "admin",
    "billing",
    "catalog",
    "checkout",
    "editor",
    "growth",
    "home",
    "mobile",
    "payments",
    "reports",
    "search",
    "storage",
    "workspace",
];
const QUALITIES: [&str; 16] = [
    "adaptive", "async", "batched", "cached", "compact", "enhanced", "faster", "grouped", "inline", "lazy", "new",
    "paged", "shared", "smart", "strict", "unified",
];
const THINGS: [&str; 20] = [
    "avatars",
    "calendar",
    "comments",
    "digest",
    "exports",
    "filters",
    "gallery",
    "imports",
    "labels",
    "mentions",
    "navigation",
    "onboarding",
    "permissions",
    "previews",
    "quotas",
    "reviews",
    "sessions",
    "shortcuts",
    "uploads",
    "webhooks",
];

/// Generated segments, until there are as many as wanted. Only earlier ones are nested, so there is no cycle.
pub fn add_segments(segments: &mut Map<String, Value>, options: &Options, rng: &mut Rng) {
    while segments.len() < options.segments {
        let key = unused_key(segments, "-", rng);
        let mut clauses = any_clauses(rng, options.regex);
        if let (Some(nested), Some(clauses)) = (any_live(segments, rng), clauses.as_array_mut())
            && rng.u8(..5) == 0
        {
            clauses.push(in_segment(json!([nested])));
        }
        let mut rule = json!({"id": uuid(rng), "clauses": clauses});
        if rng.u8(..3) == 0 {
            rule["weight"] = json!(rng.u32(1..20) * 5_000);
            rule["rolloutContextKind"] = json!("user");
        }
        segments.extend([segment(
            &key,
            json!({"included": keys(rng, 12), "excluded": keys(rng, 4), "rules": [rule], "version": rng.u16(1..400)}),
        )]);
    }
}

/// Generated flags, until there are as many as wanted. Only earlier ones are prerequisites, so there is no cycle.
pub fn add_flags(data: &mut DataSet, options: &Options, rng: &mut Rng) {
    while data.flags.len() < options.flags {
        let key = unused_key(&data.flags, ".", rng);
        let (variations, count) = any_variations(rng);
        let mut special = json!({
            "on": rng.u8(..100) < 85,
            "targets": targets(count, rng),
            "rules": rules(data, count, options.regex, rng),
            "fallthrough": serve(count, rng),
            "offVariation": count - 1,
            "trackEvents": rng.u8(..10) == 0,
            "version": rng.u16(1..900),
        });
        if rng.u8(..8) == 0
            && let Some(required) = any_live(&data.flags, rng)
        {
            special["prerequisites"] = json!([{"key": required, "variation": 0}]);
        }
        if rng.u8(..6) == 0 {
            special["contextTargets"] = json!([
                {"contextKind": "org", "variation": 0, "values": keys(rng, 5)},
                {"contextKind": "user", "variation": 0, "values": []},
            ]);
        }
        let made = match variations {
            Some(variations) => flag(&key, variations, special),
            None => bool_flag(&key, special),
        };
        data.flags.extend([made]);
    }
}

/// The values of a flag and how many they are; `None` means true and false.
fn any_variations(rng: &mut Rng) -> (Option<Value>, usize) {
    match rng.u8(..20) {
        ..12 => (None, 2),
        12..15 => (Some(json!(["control", "variant-a", "variant-b"])), 3),
        15..17 => {
            let unit = rng.u32(1..40);
            (Some(json!([unit * 10, unit * 25, f64::from(unit) / 8.0])), 3)
        }
        _ => {
            let size = rng.u32(1..100);
            let value = |enabled: bool| json!({"enabled": enabled, "limits": {"size": size, "ratio": 0.25}, "hosts": ["a", "b"]});
            (Some(json!([value(true), value(false)])), 2)
        }
    }
}

fn targets(variations: usize, rng: &mut Rng) -> Value {
    let lists = if rng.u8(..3) == 0 { variations } else { 0 };
    (0..lists).map(|variation| json!({"variation": variation, "values": keys(rng, 8), "contextKind": "user"})).collect()
}

fn rules(data: &DataSet, variations: usize, regex: bool, rng: &mut Rng) -> Value {
    let mut rules = Vec::new();
    for _ in 0..pick(rng, &[0, 0, 1, 1, 2, 3, 4]) {
        let mut rule = json!({"id": uuid(rng), "clauses": any_clauses(rng, regex), "trackEvents": false});
        if rng.u8(..5) == 0
            && let Some(segment) = any_live(&data.segments, rng)
        {
            rule["clauses"] =
                json!([in_segment(json!([segment])), clause("user", "plan", "in", json!(["pro", "team"]))]);
        }
        if let (Some(rule), Value::Object(served)) = (rule.as_object_mut(), serve(variations, rng)) {
            rule.extend(served);
        }
        rules.push(rule);
    }
    Value::Array(rules)
}

/// What a rule or a fallthrough serves: mostly one variation, sometimes a rollout or an experiment.
fn serve(variations: usize, rng: &mut Rng) -> Value {
    let first = rng.u32(1..20) * 5_000;
    let split = |tracked: bool| {
        json!([
            {"variation": 0, "weight": first},
            {"variation": variations - 1, "weight": 100_000 - first, "untracked": !tracked},
        ])
    };
    match rng.u8(..10) {
        ..7 => json!({"variation": rng.usize(..variations)}),
        7 => {
            json!({"rollout": {"kind": "experiment", "contextKind": "user", "seed": rng.u32(..) >> 1, "variations": split(false)}})
        }
        8 => json!({"rollout": {"contextKind": "user", "bucketBy": "country", "variations": split(true)}}),
        _ => json!({"rollout": {"contextKind": "user", "variations": split(true)}}),
    }
}

fn keys(rng: &mut Rng, most: usize) -> Vec<String> {
    (0..rng.usize(..=most)).map(|_| user_key(rng)).collect()
}

/// The key of an item that is no tombstone.
fn any_live(items: &Map<String, Value>, rng: &mut Rng) -> Option<String> {
    let live: Vec<&String> = items.iter().filter(|(_, item)| !is_deleted(item)).map(|(key, _)| key).collect();
    rng.choice(live).cloned()
}

/// A name such as `editor.smart-previews`; numbered once the plain names run short.
fn unused_key(taken: &Map<String, Value>, separator: &str, rng: &mut Rng) -> String {
    loop {
        let (area, quality, thing) = (pick(rng, &AREAS), pick(rng, &QUALITIES), pick(rng, &THINGS));
        let mut key = format!("{area}{separator}{quality}-{thing}");
        if taken.len() > 1_000 {
            key = format!("{key}-{}", taken.len());
        }
        if !taken.contains_key(&key) {
            return key;
        }
    }
}
