//! The hand-written segments of the mixed data set: each way to be in a segment occurs once and has a name that says so.
//! Depends on `item` and `clauses`.

use serde_json::{Value, json};

use crate::clauses::{clause, in_segment, not};
use crate::item::segment;

/// Segment keys with their segments. Nested ones come after those they ask for.
pub fn catalogue() -> Vec<(String, Value)> {
    let mut segments = lists();
    segments.extend(rules());
    segments.push(("churned-customers".to_owned(), json!({"version": 12, "deleted": true})));
    segments
}

fn lists() -> Vec<(String, Value)> {
    vec![
        segment(
            "beta-testers",
            json!({"included": ["ada", "grace", "linus"], "excluded": ["mallory"], "description": "Asked to see things early"}),
        ),
        segment(
            "enterprise-orgs",
            json!({
                "includedContexts": [{"contextKind": "org", "values": ["acme", "globex"]}],
                "excludedContexts": [{"contextKind": "org", "values": ["initech"]}],
            }),
        ),
        segment(
            "blocked-devices",
            json!({
                "includedContexts": [
                    {"contextKind": "device", "values": ["rooted-1", "rooted-2"]},
                    {"contextKind": "org", "values": ["umbrella"]},
                ],
            }),
        ),
    ]
}

fn rules() -> Vec<(String, Value)> {
    let eu = json!(["AT", "BE", "DE", "ES", "FR", "IE", "IT", "NL", "PL", "SE"]);
    vec![
        segment("eu-customers", json!({"rules": [only(clause("user", "country", "in", eu))]})),
        segment(
            "early-adopters",
            json!({"rules": [weighted(clause("user", "anonymous", "in", json!([false])), json!({"weight": 50_000}))]}),
        ),
        segment(
            "canary-regions",
            json!({"rules": [weighted(
                clause("org", "/hosting/region", "startsWith", json!(["eu-", "us-"])),
                json!({"weight": 80_000, "bucketBy": "/hosting/region", "rolloutContextKind": "org"}),
            )]}),
        ),
        segment(
            "long-standing",
            json!({
                "excluded": ["mallory"],
                "rules": [
                    only(clause("user", "signedUpAt", "before", json!(["2022-01-01T00:00:00Z"]))),
                    only(not(clause("user", "plan", "in", json!(["free"])))),
                ],
            }),
        ),
        segment("vip", json!({"rules": [only(in_segment(json!(["beta-testers"])))], "included": ["margaret"]})),
        segment(
            "vip-in-europe",
            json!({"rules": [{
                "id": "vip-and-eu",
                "clauses": [in_segment(json!(["vip"])), in_segment(json!(["eu-customers"]))],
            }]}),
        ),
    ]
}

fn only(clause: Value) -> Value {
    json!({"id": "everyone-who", "clauses": [clause]})
}

fn weighted(clause: Value, weight: Value) -> Value {
    let mut rule = only(clause);
    if let (Some(rule), Value::Object(weight)) = (rule.as_object_mut(), weight) {
        rule.extend(weight);
    }
    rule
}
