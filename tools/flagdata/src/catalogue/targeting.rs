//! Flags with rules, one or more per operator, and targets of other kinds than user. Depends on `item` and `clauses`.

use serde_json::{Value, json};

use crate::clauses::{clause, not};
use crate::item::{bool_flag, flag, rule};

/// Serves `true` to whoever matches the rule and `false` to everybody else.
pub fn when(key: &str, id: &str, clauses: Value) -> (String, Value) {
    bool_flag(key, json!({"rules": [rule(id, 0, clauses)], "fallthrough": {"variation": 1}}))
}

/// Operators on text, and paths into objects.
pub fn text() -> Vec<(String, Value)> {
    vec![
        when(
            "growth.student-discount",
            "students",
            json!([clause("user", "email", "endsWith", json!([".edu", ".ac.uk"]))]),
        ),
        when(
            "growth.agency-trial",
            "agencies",
            json!([clause("org", "name", "contains", json!(["Agency", "Studio"]))]),
        ),
        when(
            "growth.company-onboarding",
            "company-address",
            json!([clause("user", "email", "matches", json!(["^[a-z]+(\\.[a-z]+)?@(acme|globex)\\.example$"]))]),
        ),
        when(
            "growth.referral-banner",
            "not-germany",
            json!([not(clause("user", "country", "in", json!(["AT", "CH", "DE"])))]),
        ),
        when(
            "growth.city-guides",
            "european-capitals",
            json!([clause("user", "/address/city", "in", json!(["Berlin", "London", "Madrid", "Paris", "Rome"]))]),
        ),
        when(
            "support.internal-tools",
            "staff",
            json!([clause("user", "email", "startsWith", json!(["admin@", "root@", "support@"]))]),
        ),
        // Without a context kind the attribute is a plain name, and its slash no path.
        when(
            "support.chat",
            "legacy-clause",
            json!([{"attribute": "help/chat", "op": "in", "values": [true, 1, "yes"], "negate": false}]),
        ),
    ]
}

/// Operators on numbers and on instants.
pub fn numbers_and_dates() -> Vec<(String, Value)> {
    vec![
        when("account.youth-protection", "minors", json!([clause("user", "age", "lessThan", json!([18]))])),
        when("account.senior-support", "from-65", json!([clause("user", "age", "greaterThanOrEqual", json!([65]))])),
        when(
            "account.small-team-pricing",
            "up-to-5-seats",
            json!([clause("org", "seats", "lessThanOrEqual", json!([5]))]),
        ),
        when(
            "account.dedicated-manager",
            "over-1000-seats",
            json!([clause("org", "seats", "greaterThan", json!([1000]))]),
        ),
        when(
            "account.founder-badge",
            "before-2021",
            json!([clause("user", "signedUpAt", "before", json!(["2021-01-01T00:00:00Z"]))]),
        ),
        when(
            "account.welcome-tour",
            "since-2024",
            json!([clause("user", "signedUpAt", "after", json!([1_704_067_199_999_i64]))]),
        ),
        when(
            "account.renewal-reminder",
            "renews-in-2026",
            json!([
                clause("org", "/contract/renewsAt", "after", json!(["2025-12-31T23:59:59.999Z"])),
                clause("org", "/contract/renewsAt", "before", json!(["2027-01-01T00:00:00+00:00"])),
            ]),
        ),
    ]
}

/// Targets and clauses about several kinds of context.
pub fn kinds() -> Vec<(String, Value)> {
    vec![
        flag(
            "workspace.theme",
            json!(["light", "dark", "high-contrast"]),
            json!({
                "targets": [{"variation": 2, "values": ["grace"]}],
                "contextTargets": [
                    {"contextKind": "org", "variation": 1, "values": ["acme", "hooli"]},
                    {"contextKind": "user", "variation": 2, "values": []},
                ],
                "offVariation": 0,
            }),
        ),
        flag(
            "workspace.storage-gb",
            json!([5, 100, 2000, 0.5]),
            json!({
                "contextTargets": [{"contextKind": "device", "variation": 3, "values": ["kiosk-1"]}],
                "rules": [rule("paying-and-large", 2, json!([
                    clause("user", "plan", "in", json!(["enterprise", "pro"])),
                    clause("org", "seats", "greaterThan", json!([500])),
                ]))],
                "offVariation": 0,
            }),
        ),
        when("workspace.kiosk-mode", "any-device", json!([clause("user", "kind", "in", json!(["device"]))])),
        when(
            "workspace.single-sign-on",
            "no-lone-users",
            json!([
                clause("org", "kind", "startsWith", json!(["org"])),
                not(clause("org", "tier", "in", json!(["free"])))
            ]),
        ),
    ]
}
