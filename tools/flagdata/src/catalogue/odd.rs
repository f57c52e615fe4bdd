//! What real environments hold besides tidy flags: null values, properties of newer versions, broken references,
//! tombstones. Depends on `item` and `clauses`.

use serde_json::{Value, json};

use crate::clauses::clause;
use crate::item::{bool_flag, flag, rule};

/// Odd but well-formed.
pub fn served() -> Vec<(String, Value)> {
    vec![
        flag(
            "home.announcement",
            json!([null, {"title": "We are moving", "until": "2026-02-01"}]),
            json!({"rules": [rule("customers", 1, json!([clause("user", "plan", "in", json!(["pro"]))]))], "offVariation": 0}),
        ),
        // Off without an off variation: the caller's default is served, and it is no error.
        bool_flag("home.cookie-notice", json!({"on": false, "offVariation": null})),
        bool_flag(
            "home.recommendations",
            json!({
                "$schema": "2027-01",
                "experiments": {"layers": [{"id": "layer-1", "share": 0.25}], "holdout": null},
                "fallthrough": {"variation": 0, "comment": "everyone"},
                "rules": [{
                    "id": "rule-of-a-newer-version", "ref": "b1946ac9", "variation": 1, "trackEvents": true,
                    "clauses": [{
                        "contextKind": "user", "attribute": "key", "op": "in", "values": ["mallory"],
                        "negate": false, "caseInsensitive": true,
                    }],
                }],
            }),
        ),
        // An operator that nobody knows matches nobody.
        bool_flag(
            "home.weather",
            json!({"rules": [rule("near-the-coast", 1, json!([clause("user", "position", "withinPolygon", json!(["coast"]))]))]}),
        ),
        flag(
            "storage.orders-migration",
            json!(["off", "dualwrite", "shadow", "live", "rampdown", "complete"]),
            json!({"fallthrough": {"variation": 2}, "offVariation": 0, "migration": {"checkRatio": 10},
                "samplingRatio": 10, "excludeFromSummaries": true}),
        ),
    ]
}

/// Each ends in `MALFORMED_FLAG`.
pub fn malformed() -> Vec<(String, Value)> {
    vec![
        bool_flag("ops.variation-out-of-range", json!({"fallthrough": {"variation": 9}})),
        bool_flag("ops.nothing-to-serve", json!({"fallthrough": {}})),
        bool_flag("ops.empty-rollout", json!({"fallthrough": {"rollout": {"contextKind": "user", "variations": []}}})),
        bool_flag(
            "ops.clause-without-attribute",
            json!({"rules": [rule("broken", 0, json!([clause("user", "", "in", json!([1]))]))]}),
        ),
        bool_flag("ops.hen", json!({"prerequisites": [{"key": "ops.egg", "variation": 0}]})),
        bool_flag("ops.egg", json!({"prerequisites": [{"key": "ops.hen", "variation": 0}]})),
    ]
}

/// The three shapes of a deleted flag: with the version alone, with its key, and a complete flag called `$deleted`.
pub fn tombstones() -> Vec<(String, Value)> {
    let special =
        json!({"deleted": true, "on": false, "variations": [], "fallthrough": {}, "offVariation": null, "salt": ""});
    let (_, full) = bool_flag("$deleted", special);
    vec![
        ("retired.one-click-order".to_owned(), json!({"version": 41, "deleted": true})),
        ("retired.beacons".to_owned(), json!({"key": "retired.beacons", "version": 7, "deleted": true})),
        ("billing.pdf-engine".to_owned(), full),
    ]
}
