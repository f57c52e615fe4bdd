//! Flags, segments and contexts as somebody could write them, put together by choices: most of them make sense, and whatever may
//! be wrong with one is wrong with some. For fuzz targets. Depends on `choices`.

use serde_json::{Map, Value, json};

use super::choices::Choices;

/// Items as JSON, each under its key, and who asks.
#[derive(Debug, Default)]
pub struct World {
    /// Flags.
    pub flags: Vec<(String, String)>,
    /// Segments.
    pub segments: Vec<(String, String)>,
    /// Contexts.
    pub contexts: Vec<String>,
}

const FLAGS: [&str; 6] = ["f0", "f1", "f2", "f3", "f4", "f\u{e9} \"5\""];
const SEGMENTS: [&str; 4] = ["s0", "s1", "s2", "s3"];
const KINDS: [&str; 4] = ["user", "org", "device", ""];
const KEYS: [&str; 6] = ["a", "b", "ada", "x:y", "", "\u{1f980}"];
const SALTS: [&str; 3] = ["salt", "", "s.\u{e9}"];
const ATTRIBUTES: [&str; 14] = [
    "key",
    "kind",
    "name",
    "anonymous",
    "email",
    "/address/city",
    "/address/0",
    "n",
    "when",
    "version",
    "tags",
    "",
    "//",
    "/a~2",
];
const OPERATORS: [&str; 19] = [
    "in",
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "lessThan",
    "lessThanOrEqual",
    "greaterThan",
    "greaterThanOrEqual",
    "before",
    "after",
    "semVerEqual",
    "semVerLessThan",
    "semVerGreaterThan",
    "segmentMatch",
    "segmentMatch",
    "segmentMatch",
    "unheard",
    "In",
];
const TEXTS: [&str; 12] = [
    "a",
    "ada",
    "user",
    "ada@example.org",
    "^a.*[d-f]$",
    "(",
    "2017-12-06T00:00:00.000-07:00",
    "2.0.0-rc.1",
    "2",
    "",
    "true",
    "M\u{fc}nchen",
];
const NUMBERS: [f64; 8] = [0.0, 1.0, -1.5, 99_999.0, 100_000.0, 1_512_543_600_000.0, 1e300, 0.1];

impl World {
    /// A world by choices: few bytes make a small one.
    pub fn of(choices: &mut Choices<'_>) -> Self {
        let mut world = Self::default();
        for key in FLAGS.iter().take(1 + choices.below(FLAGS.len())) {
            world.flags.push(((*key).to_owned(), text(choices, key, flag)));
        }
        for key in SEGMENTS.iter().take(choices.below(SEGMENTS.len() + 1)) {
            world.segments.push(((*key).to_owned(), text(choices, key, segment)));
        }
        for _ in 0..=choices.below(3) {
            world.contexts.push(context(choices).to_string());
        }
        world
    }
}

/// An item under its key, unless it is deleted or broken.
fn text(choices: &mut Choices<'_>, key: &str, item: fn(&mut Choices<'_>) -> Map<String, Value>) -> String {
    match choices.below(24) {
        22 => json!({ "key": key, "version": 2, "deleted": true }).to_string(),
        23 => r#"{"version":"x"}"#.to_owned(),
        _ => {
            let mut item = item(choices);
            item.insert("key".to_owned(), key.into());
            Value::Object(item).to_string()
        }
    }
}

fn put(item: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    item.insert(name.to_owned(), value.into());
}

fn list<T: Into<Value>>(choices: &mut Choices<'_>, most: usize, one: impl Fn(&mut Choices<'_>) -> T) -> Value {
    let count = choices.below(most + 1);
    (0..count).map(|_| one(choices).into()).collect::<Vec<Value>>().into()
}

fn flag(choices: &mut Choices<'_>) -> Map<String, Value> {
    let mut flag = Map::new();
    put(&mut flag, "version", choices.below(9));
    put(&mut flag, "on", !choices.one_in(5));
    put(&mut flag, "variations", list(choices, 4, value));
    put(&mut flag, "fallthrough", serve(choices));
    put(&mut flag, "salt", choices.one_of(&SALTS));
    if !choices.one_in(3) {
        put(&mut flag, "offVariation", index(choices));
    }
    if choices.one_in(2) {
        put(&mut flag, "rules", list(choices, 3, rule));
    }
    if choices.one_in(3) {
        put(&mut flag, "prerequisites", list(choices, 3, prerequisite));
    }
    if choices.one_in(3) {
        put(&mut flag, "targets", list(choices, 3, target));
        put(&mut flag, "contextTargets", list(choices, 3, target));
    }
    if choices.one_in(3) {
        put(&mut flag, "clientSideAvailability", json!({ "usingEnvironmentId": choices.one_in(2) }));
        put(&mut flag, "trackEvents", choices.one_in(2));
        put(&mut flag, "trackEventsFallthrough", choices.one_in(2));
        put(&mut flag, "debugEventsUntilDate", choices.one_in(2).then_some(4_000_000_000_000_u64));
    }
    flag
}

fn segment(choices: &mut Choices<'_>) -> Map<String, Value> {
    let keys = |choices: &mut Choices<'_>| list(choices, 3, |choices| choices.one_of(&KEYS));
    let mut segment = Map::new();
    put(&mut segment, "version", choices.below(9));
    put(&mut segment, "salt", choices.one_of(&SALTS));
    put(&mut segment, "included", keys(choices));
    put(&mut segment, "excluded", keys(choices));
    if choices.one_in(3) {
        put(&mut segment, "includedContexts", list(choices, 2, target));
        put(&mut segment, "excludedContexts", list(choices, 2, target));
    }
    if choices.one_in(4) {
        put(&mut segment, "unbounded", true);
        put(&mut segment, "unboundedContextKind", choices.one_of(&KINDS));
        put(&mut segment, "generation", choices.one_in(2).then_some(1));
    }
    put(&mut segment, "rules", list(choices, 3, segment_rule));
    segment
}

fn index(choices: &mut Choices<'_>) -> i64 {
    [0, 1, 2, 3, 4, -1, i64::MAX][choices.below(7)]
}

fn value(choices: &mut Choices<'_>) -> Value {
    match choices.below(6) {
        0 => true.into(),
        1 => choices.one_of(&TEXTS).into(),
        2 => NUMBERS[choices.below(NUMBERS.len())].into(),
        3 => json!({ "b": [1, null], "a": choices.one_of(&TEXTS) }),
        4 => Value::Null,
        _ => false.into(),
    }
}

fn serve(choices: &mut Choices<'_>) -> Value {
    match choices.below(8) {
        6 => json!({}),
        7 => json!({ "variation": null, "rollout": null }),
        5 => {
            json!({ "variation": index(choices), "rollout": { "variations": [{ "variation": 0, "weight": 100_000 }] } })
        }
        3 | 4 => json!({ "rollout": rollout(choices) }),
        _ => json!({ "variation": index(choices) }),
    }
}

fn rollout(choices: &mut Choices<'_>) -> Value {
    let mut rollout = Map::new();
    let weights = [50_000.0, 100_000.0, 0.0, 0.5, -3.0, 60_000.0];
    let weighted = |choices: &mut Choices<'_>| json!({ "variation": index(choices), "weight": weights[choices.below(6)], "untracked": choices.one_in(3) });
    put(&mut rollout, "variations", list(choices, 4, weighted));
    if choices.one_in(2) {
        put(&mut rollout, "kind", choices.one_of(&["experiment", "rollout", "?"]));
        put(&mut rollout, "seed", choices.one_in(2).then_some(61));
    }
    if choices.one_in(2) {
        put(&mut rollout, "contextKind", choices.one_of(&KINDS));
        put(&mut rollout, "bucketBy", choices.one_of(&ATTRIBUTES));
    }
    rollout.into()
}

fn prerequisite(choices: &mut Choices<'_>) -> Value {
    json!({ "key": choices.one_of(&FLAGS), "variation": index(choices) })
}

fn target(choices: &mut Choices<'_>) -> Value {
    let mut target = Map::new();
    put(&mut target, "variation", index(choices));
    put(&mut target, "values", list(choices, 3, |choices| choices.one_of(&KEYS)));
    if choices.one_in(2) {
        put(&mut target, "contextKind", choices.one_of(&KINDS));
    }
    target.into()
}

fn rule(choices: &mut Choices<'_>) -> Value {
    let mut rule = serve(choices);
    rule["id"] = choices.one_of(&["r", "", "\u{e9}"]).into();
    rule["clauses"] = list(choices, 3, clause);
    rule["trackEvents"] = choices.one_in(4).into();
    rule
}

fn segment_rule(choices: &mut Choices<'_>) -> Value {
    let mut rule = Map::new();
    put(&mut rule, "clauses", list(choices, 3, clause));
    if choices.one_in(2) {
        put(&mut rule, "weight", [0, 50_000, 100_000, -1][choices.below(4)]);
        put(&mut rule, "bucketBy", choices.one_of(&ATTRIBUTES));
        put(&mut rule, "rolloutContextKind", choices.one_of(&KINDS));
    }
    rule.into()
}

fn clause(choices: &mut Choices<'_>) -> Value {
    let mut clause = Map::new();
    let operator = choices.one_of(&OPERATORS);
    put(&mut clause, "op", operator);
    put(&mut clause, "negate", choices.one_in(3));
    if operator == "segmentMatch" {
        put(&mut clause, "values", list(choices, 2, |choices| choices.one_of(&SEGMENTS)));
        return clause.into();
    }
    put(&mut clause, "attribute", choices.one_of(&ATTRIBUTES));
    put(&mut clause, "values", list(choices, 3, value));
    if choices.one_in(2) {
        put(&mut clause, "contextKind", choices.one_of(&KINDS));
    }
    clause.into()
}

fn context(choices: &mut Choices<'_>) -> Value {
    match choices.below(4) {
        2 => {
            let (user, org) = (attributes(choices), attributes(choices));
            json!({ "kind": "multi", "user": user, "org": org })
        }
        3 => json!({ "key": choices.one_of(&KEYS), "email": choices.one_of(&TEXTS), "custom": attributes(choices) }),
        _ => {
            let mut single = attributes(choices);
            put(&mut single, "kind", choices.one_of(&["user", "org", "device"]));
            single.into()
        }
    }
}

fn attributes(choices: &mut Choices<'_>) -> Map<String, Value> {
    let mut attributes = Map::new();
    put(&mut attributes, "key", choices.one_of(&KEYS));
    for name in ["name", "email", "n", "when", "version", "tags", "address", "a/b"] {
        if !choices.one_in(3) {
            continue;
        }
        let value = match name {
            "name" => choices.one_of(&TEXTS).into(),
            "address" => json!({ "city": choices.one_of(&TEXTS), "0": value(choices) }),
            "tags" => list(choices, 3, value),
            _ => value(choices),
        };
        put(&mut attributes, name, value);
    }
    if choices.one_in(4) {
        put(&mut attributes, "anonymous", true);
        put(&mut attributes, "_meta", json!({ "privateAttributes": [choices.one_of(&ATTRIBUTES)] }));
    }
    attributes
}
