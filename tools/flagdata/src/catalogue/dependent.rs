//! Flags that depend on other flags and on segments. Depends on `item` and `clauses`.

use serde_json::{Value, json};

use crate::clauses::{clause, in_segment, not};
use crate::item::{bool_flag, flag, rule};

/// A chain that holds, and each reason for which a prerequisite fails.
pub fn prerequisites() -> Vec<(String, Value)> {
    let requires = |key: &str, variation: usize| json!([{"key": key, "variation": variation}]);
    vec![
        flag("billing.engine", json!(["v1", "v2"]), json!({"fallthrough": {"variation": 1}, "offVariation": 0})),
        bool_flag("billing.ledger", json!({"prerequisites": requires("billing.engine", 1)})),
        bool_flag(
            "billing.invoices",
            json!({"prerequisites": [
                {"key": "billing.ledger", "variation": 0},
                {"key": "checkout.express-button", "variation": 0},
            ]}),
        ),
        // Serves v2, and v1 is required.
        bool_flag("billing.usage-export", json!({"prerequisites": requires("billing.engine", 0)})),
        // Off: fails although its off variation is the required one.
        bool_flag("billing.gift-vouchers", json!({"prerequisites": requires("checkout.gift-cards", 1)})),
        // Only a tombstone is left of it.
        bool_flag("billing.pdf-archive", json!({"prerequisites": requires("billing.pdf-engine", 0)})),
        bool_flag(
            "billing.tax-preview",
            json!({"prerequisites": requires("billing.usage-export", 0), "offVariation": null}),
        ),
    ]
}

/// One flag for each kind of segment.
pub fn segments() -> Vec<(String, Value)> {
    let one = |key: &str, id: &str, segments: Value| {
        let rules = json!([rule(id, 0, json!([in_segment(segments)]))]);
        bool_flag(key, json!({"rules": rules, "fallthrough": {"variation": 1}}))
    };
    vec![
        one("reports.dashboard", "beta-testers", json!(["beta-testers"])),
        one("reports.audit-log", "enterprise", json!(["enterprise-orgs"])),
        one("reports.csv-export", "half-of-the-users", json!(["early-adopters"])),
        one("reports.live-charts", "canary-regions", json!(["canary-regions"])),
        one("reports.sharing", "vip-in-europe", json!(["vip-in-europe"])),
        one("reports.archive", "long-standing-or-gone", json!(["churned-customers", "long-standing"])),
        bool_flag(
            "reports.downloads",
            json!({
                "rules": [rule("trusted-devices", 0, json!([
                    not(in_segment(json!(["blocked-devices"]))),
                    clause("device", "anonymous", "in", json!([false])),
                ]))],
                "fallthrough": {"variation": 1},
            }),
        ),
    ]
}
