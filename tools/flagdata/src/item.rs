//! Skeletons of flags, rules and segments with every property that LaunchDarkly sends, so that the places which use
//! them state only what is special. Depends on nothing but JSON.

use serde_json::{Map, Value, json};

/// A flag with LaunchDarkly's defaults, on, serving its first variation; the properties in `special` replace them.
pub fn flag(key: &str, variations: Value, special: Value) -> (String, Value) {
    let mut flag = json!({
        "key": key,
        "on": true,
        "prerequisites": [],
        "targets": [],
        "contextTargets": [],
        "rules": [],
        "fallthrough": {"variation": 0},
        "offVariation": 1,
        "variations": variations,
        "clientSideAvailability": {"usingMobileKey": false, "usingEnvironmentId": false},
        "clientSide": false,
        "salt": salt(key),
        "trackEvents": false,
        "trackEventsFallthrough": false,
        "debugEventsUntilDate": null,
        "version": 1 + key.len(),
        "deleted": false,
    });
    overlay(&mut flag, special);
    (key.to_owned(), flag)
}

/// A flag that serves `true` (its variation 0) or `false` (1), and `false` when off.
pub fn bool_flag(key: &str, special: Value) -> (String, Value) {
    flag(key, json!([true, false]), special)
}

/// A segment with LaunchDarkly's defaults and nobody in it; the properties in `special` replace them.
pub fn segment(key: &str, special: Value) -> (String, Value) {
    let mut segment = json!({
        "key": key,
        "included": [],
        "excluded": [],
        "includedContexts": [],
        "excludedContexts": [],
        "rules": [],
        "salt": salt(key),
        "unbounded": false,
        "version": 1 + key.len(),
        "deleted": false,
    });
    overlay(&mut segment, special);
    (key.to_owned(), segment)
}

/// A rule that serves one variation.
pub fn rule(id: &str, variation: usize, clauses: Value) -> Value {
    json!({"id": id, "variation": variation, "clauses": clauses, "trackEvents": false})
}

/// A rule that serves a rollout.
pub fn rollout_rule(id: &str, rollout: Value, clauses: Value) -> Value {
    json!({"id": id, "rollout": rollout, "clauses": clauses, "trackEvents": false})
}

/// Whether `item` is a tombstone.
pub fn is_deleted(item: &Value) -> bool {
    item.get("deleted") == Some(&Value::Bool(true))
}

/// The list `property` of `item`, created when it is missing; `None` if it is something else.
pub fn list<'a>(item: &'a mut Map<String, Value>, property: &str) -> Option<&'a mut Vec<Value>> {
    item.entry(property).or_insert_with(|| json!([])).as_array_mut()
}

/// 32 hex digits that depend on the key alone: adding a flag must not move anybody between buckets of another.
fn salt(key: &str) -> String {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in key.bytes() {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let mut rng = fastrand::Rng::with_seed(state);
    format!("{:016x}{:016x}", rng.u64(..), rng.u64(..))
}

fn overlay(item: &mut Value, special: Value) {
    if let (Some(item), Value::Object(special)) = (item.as_object_mut(), special) {
        item.extend(special);
    }
}
