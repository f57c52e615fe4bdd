//! Flags of an app: semantic versions and devices. Depends on `item` and `clauses`.

use serde_json::{Value, json};

use super::targeting::when;
use crate::clauses::clause;
use crate::item::{flag, rule};

/// Operators on semantic versions.
pub fn flags() -> Vec<(String, Value)> {
    let app = |op: &str, version: &str| clause("device", "appVersion", op, json!([version]));
    vec![
        when("mobile.offline-sync", "since-3.2", json!([app("semVerGreaterThan", "3.2.0-rc.1")])),
        when("mobile.upgrade-prompt", "before-3", json!([app("semVerLessThan", "3")])),
        when("mobile.crash-workaround", "exactly-3.1.4", json!([app("semVerEqual", "3.1.4+hotfix")])),
        flag(
            "mobile.push-provider",
            json!(["none", "fcm", "apns"]),
            json!({
                "rules": [
                    rule("android", 1, json!([clause("device", "os", "in", json!(["android"]))])),
                    rule("ios", 2, json!([clause("device", "os", "in", json!(["ios", "ipados"]))])),
                ],
                "offVariation": 0,
            }),
        ),
    ]
}
