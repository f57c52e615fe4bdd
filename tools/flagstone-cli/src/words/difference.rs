//! What differs between two versions of an item, in words.

use flagstone::model::Kind;
use serde_json::Value;

use super::outline::Served;
use super::serve::{named, served};
use super::written::Written;
use crate::item::Item;
use crate::output::count;

/// Members that are told in words of their own, or not at all.
const TOLD: &[&str] = &[
    "key",
    "version",
    "deleted",
    "on",
    "variations",
    "offVariation",
    "fallthrough",
    "prerequisites",
    "targets",
    "contextTargets",
    "rules",
    "included",
    "excluded",
    "includedContexts",
    "excludedContexts",
];

/// What is new about an item of which these are the texts, in words; empty where one of both is missing.
pub fn changes(kind: Kind, key: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> Vec<String> {
    let json = |text: &[u8]| Item::new(kind, key.into(), text.to_vec()).json();
    match (before, after) {
        (Some(before), Some(after)) => words(&json(before), &json(after)),
        _ => Vec::new(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// What is new in `after`; empty where only the version differs, or nothing.
pub fn words(before: &Value, after: &Value) -> Vec<String> {
    let mut words = Vec::new();
    match (before["deleted"].as_bool() == Some(true), after["deleted"].as_bool() == Some(true)) {
        (false, true) => return vec!["deleted".to_owned()],
        (true, false) => words.push("no longer deleted".to_owned()),
        _ => {}
    }
    match (before["on"].as_bool(), after["on"].as_bool()) {
        (Some(false) | None, Some(true)) => words.push("turned on".to_owned()),
        (Some(true), Some(false) | None) => words.push("turned off".to_owned()),
        _ => {}
    }
    let of = |item: &Value| list(&item["variations"]).iter().map(Value::to_string).collect::<Vec<_>>();
    let variations = [of(before), of(after)];
    if before["variations"] != after["variations"] {
        words.push(changed("variation", &before["variations"], &after["variations"]));
    }
    if before["offVariation"] != after["offVariation"] {
        let name = |item: &Value, variations: &[String]| {
            item["offVariation"].as_i64().map_or_else(|| "the default".to_owned(), |index| named(index, variations))
        };
        let [before, after] = [name(before, &variations[0]), name(after, &variations[1])];
        words.push(format!("when off {before} → {after}"));
    }
    if before["fallthrough"] != after["fallthrough"] {
        let [old, new] = [(before, &variations[0]), (after, &variations[1])];
        let [old, new] = [old, new].map(|(item, variations)| {
            let json = item["fallthrough"].to_string();
            served(&Served::of(Written::of(&json)), variations)
        });
        words.push(format!("otherwise {old} → {new}"));
    }
    for (name, noun) in [
        ("prerequisites", "prerequisite"),
        ("targets", "target list"),
        ("contextTargets", "context target list"),
        ("rules", "rule"),
        ("included", "included key"),
        ("excluded", "excluded key"),
        ("includedContexts", "list of included contexts"),
        ("excludedContexts", "list of excluded contexts"),
    ] {
        if list(&before[name]) != list(&after[name]) {
            words.push(changed(noun, &before[name], &after[name]));
        }
    }
    let others = others(before, after);
    if !others.is_empty() {
        words.push(format!("{} changed", others.join(", ")));
    }
    words
}

fn changed(noun: &str, before: &Value, after: &Value) -> String {
    let [before, after] = [list(before).len(), list(after).len()];
    if before == after {
        format!("{} changed", count(after, noun))
    } else {
        format!("{before} → {}", count(after, noun))
    }
}

fn others(before: &Value, after: &Value) -> Vec<String> {
    let names = |item: &Value| item.as_object().map(|members| members.keys().cloned().collect::<Vec<_>>());
    let mut all = names(before).unwrap_or_default();
    all.extend(names(after).unwrap_or_default());
    all.sort();
    all.dedup();
    all.retain(|name| !TOLD.contains(&name.as_str()) && before[name.as_str()] != after[name.as_str()]);
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::words;

    #[test]
    fn what_differs_is_named() {
        let before =
            json!({"version":1,"on":true,"variations":[true,false],"rules":[],"fallthrough":{"variation":0},"x":1});
        let after =
            json!({"version":2,"on":false,"variations":[true,false],"rules":[{}],"fallthrough":{"variation":1},"x":2});
        let expected = ["turned off", "otherwise true (0) → false (1)", "0 → 1 rule", "x changed"];
        assert_eq!(words(&before, &after), expected);
        assert_eq!(words(&before, &json!({"version":3,"deleted":true})), ["deleted"]);
        assert!(words(&before, &before).is_empty());
    }
}
