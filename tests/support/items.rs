//! Flags and segments as JSON text, as LaunchDarkly's SDKs and Relay Proxy write them.

use serde_json::{Value, json};

/// What every flag made here gives where it does not give its own value.
pub const OTHER: &str = "other";

/// A string flag that is on. It serves its value (variation 0), or [`OTHER`] (variation 1) when a prerequisite fails or the
/// context is in none of the segments named.
#[derive(Clone)]
pub struct Flag {
    json: Value,
}

impl Flag {
    /// A flag that serves `value` to everybody.
    pub fn new(key: &str, version: i64, value: &str) -> Self {
        Self {
            json: json!({
                "key": key, "version": version, "on": true, "variations": [value, OTHER],
                "fallthrough": { "variation": 0 }, "offVariation": 1, "salt": key,
            }),
        }
    }

    /// Makes it depend on another flag's variation 0.
    pub fn requires(mut self, key: &str) -> Self {
        self.json["prerequisites"] = json!([{ "key": key, "variation": 0 }]);
        self
    }

    /// Serves the value to members of `segment` only.
    pub fn for_segment(mut self, segment: &str) -> Self {
        self.json["rules"] =
            json!([{ "id": "members", "variation": 0, "clauses": [{ "op": "segmentMatch", "values": [segment] }] }]);
        self.json["fallthrough"] = json!({ "variation": 1 });
        self
    }

    /// Sets any property.
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.json[name] = value;
        self
    }

    /// The JSON text.
    pub fn text(&self) -> String {
        self.json.to_string()
    }
}

/// Text of a flag that serves `value` to everybody.
pub fn flag(key: &str, version: i64, value: &str) -> String {
    Flag::new(key, version, value).text()
}

/// Text of a flag of about `bytes` bytes.
pub fn big_flag(key: &str, version: i64, value: &str, bytes: usize) -> String {
    Flag::new(key, version, value).with("description", json!("x".repeat(bytes))).text()
}

/// This many flags, `flag-0` and so on, that serve `value` to everybody. The keys live as long as the test binary.
pub fn many_flags(count: usize, version: i64, value: &str) -> Vec<(&'static str, String)> {
    let item = |number: usize| {
        let key: &'static str = format!("flag-{number}").leak();
        (key, flag(key, version, value))
    };
    (0..count).map(item).collect()
}

/// Text of a segment that includes these users.
pub fn segment(key: &str, version: i64, included: &[&str]) -> String {
    json!({ "key": key, "version": version, "included": included, "salt": key }).to_string()
}

/// The three shapes of a tombstone that writers leave behind.
pub fn tombstones(key: &str, version: i64) -> [String; 3] {
    [
        json!({ "version": version, "deleted": true }).to_string(),
        json!({ "key": key, "version": version, "deleted": true }).to_string(),
        json!({
            "key": "$deleted", "version": version, "deleted": true, "on": false, "prerequisites": [], "targets": [],
            "rules": [], "fallthrough": {}, "offVariation": null, "variations": [], "salt": "", "trackEvents": false,
        })
        .to_string(),
    ]
}
