//! Flags of a shop: on and off, targets, one rule, rollouts and experiments. Depends on `item` and `clauses`.

use serde_json::{Value, json};

use crate::clauses::clause;
use crate::item::{bool_flag, flag, rollout_rule, rule};

/// One flag for each plain way to arrive at a value, and one of each type.
pub fn flags() -> Vec<(String, Value)> {
    vec![
        bool_flag(
            "checkout.new-payment-form",
            json!({
                "targets": [{"variation": 0, "values": ["ada", "grace"]}, {"variation": 1, "values": ["mallory"]}],
                "fallthrough": {"variation": 1},
                "clientSideAvailability": {"usingMobileKey": true, "usingEnvironmentId": true},
                "clientSide": true,
            }),
        ),
        bool_flag("checkout.express-button", json!({"trackEventsFallthrough": true, "trackEvents": true})),
        bool_flag("checkout.gift-cards", json!({"on": false})),
        flag(
            "checkout.payment-providers",
            json!([["card"], ["card", "sepa", "giropay"], ["card", "pix", "boleto"]]),
            json!({
                "rules": [
                    rule("german-speaking", 1, json!([clause("user", "country", "in", json!(["AT", "CH", "DE"]))])),
                    rule("brazil", 2, json!([clause("user", "country", "in", json!(["BR"]))])),
                ],
                "offVariation": 0,
            }),
        ),
        flag(
            "checkout.button-color",
            json!(["green", "orange", "violet"]),
            json!({"rules": [rule("team-violet", 2, json!([clause("user", "favouriteColors", "in", json!(["violet"]))]))]}),
        ),
        flag(
            "checkout.retry-limit",
            json!([3, 5, 0]),
            json!({"offVariation": 2, "debugEventsUntilDate": 1_735_689_600_000_i64}),
        ),
        flag(
            "checkout.layout",
            json!([{"columns": 2, "sidebar": {"position": "right"}}, {"columns": 1, "sidebar": null}]),
            json!({"rules": [rule("small-screens", 1, json!([clause("device", "/screen/width", "lessThan", json!([768]))]))]}),
        ),
    ]
}

/// One flag for each kind of rollout.
pub fn rollouts() -> Vec<(String, Value)> {
    vec![
        flag(
            "search.ranking-model",
            json!(["bm25", "vectors", "hybrid"]),
            json!({"fallthrough": {"rollout": {"contextKind": "user", "variations": [
                {"variation": 0, "weight": 50_000},
                {"variation": 1, "weight": 30_000},
                {"variation": 2, "weight": 20_000},
            ]}}}),
        ),
        bool_flag(
            "search.instant-results",
            json!({"trackEventsFallthrough": true, "fallthrough": {"rollout": {
                "kind": "experiment", "contextKind": "user", "seed": 61, "variations": [
                    {"variation": 0, "weight": 45_000},
                    {"variation": 1, "weight": 45_000},
                    {"variation": 1, "weight": 10_000, "untracked": true},
                ],
            }}}),
        ),
        flag(
            "search.max-results",
            json!([10, 25, 50, 100]),
            json!({"fallthrough": {"rollout": {"contextKind": "org", "bucketBy": "/hosting/region", "seed": 7, "variations": [
                {"variation": 1, "weight": 99_999},
                {"variation": 3, "weight": 1},
            ]}}}),
        ),
        flag(
            "search.spelling",
            json!(["none", "dictionary", "model"]),
            json!({
                "rules": [rollout_rule(
                    "english-speaking",
                    json!({"kind": "rollout", "contextKind": "user", "bucketBy": "country", "variations": [
                        {"variation": 1, "weight": 33_333},
                        {"variation": 2, "weight": 66_667},
                    ]}),
                    json!([clause("user", "country", "in", json!(["CA", "GB", "IE", "US"]))]),
                )],
                "offVariation": 0,
            }),
        ),
    ]
}
