//! What a generated data set must contain, checked on the JSON itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use flagdata::{BASE_FLAG, CONTEXT_JSON, DataSet, Options, Shape, generate};
use serde_json::Value;

fn mixed() -> DataSet {
    generate(&Options::default())
}

/// Every object of the data set that has the property, wherever it is.
fn having<'a>(value: &'a Value, property: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) => {
            if members.contains_key(property) {
                found.push(value);
            }
            members.values().for_each(|member| having(member, property, found));
        }
        Value::Array(elements) => elements.iter().for_each(|element| having(element, property, found)),
        _ => {}
    }
}

/// Calls `check` with all objects of the mixed data set that have `property`.
fn with_all<T>(property: &str, check: impl Fn(&[&Value]) -> T) -> T {
    let json = mixed().to_json();
    let mut found = Vec::new();
    having(&json, property, &mut found);
    check(&found)
}

fn texts(objects: &[&Value], property: &str) -> BTreeSet<String> {
    objects.iter().filter_map(|object| object[property].as_str()).map(str::to_owned).collect()
}

#[test]
fn the_same_options_give_the_same_bytes() {
    for shape in Shape::ONE_KIND.into_iter().chain([Shape::Mixed]) {
        let options = Options { flags: 300, bytes: Some(2000), shape, ..Options::default() };
        assert_eq!(generate(&options).to_json().to_string(), generate(&options).to_json().to_string(), "{shape:?}");
    }
}

#[test]
fn another_seed_gives_other_data() {
    let other = Options { seed: 1, ..Options::default() };
    assert_ne!(generate(&other).flags, mixed().flags);
    assert_ne!(generate(&other).segments, mixed().segments);
}

#[test]
fn there_are_as_many_items_as_wanted() {
    for (flags, segments) in [(0, 0), (1, 1), (7, 3), (200, 20), (3000, 200)] {
        let data = generate(&Options { flags, segments, ..Options::default() });
        assert_eq!((data.flags.len(), data.segments.len()), (flags, segments));
    }
}

#[test]
fn every_operator_occurs() {
    let known = [
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
    ];
    let used = with_all("op", |clauses| texts(clauses, "op"));
    for op in known {
        assert!(used.contains(op), "no clause uses {op}");
    }
}

#[test]
fn clauses_negate_and_ask_for_paths_and_kinds_and_several_kinds_of_context() {
    let (attributes, kinds, negated) = with_all("op", |clauses| {
        let negated = clauses.iter().filter(|clause| clause["negate"] == true).count();
        (texts(clauses, "attribute"), texts(clauses, "contextKind"), negated)
    });
    assert!(negated > 3);
    assert!(attributes.contains("kind"));
    assert!(attributes.iter().any(|attribute| attribute.starts_with('/') && attribute.matches('/').count() > 1));
    assert_eq!(kinds, BTreeSet::from(["device", "org", "user"].map(str::to_owned)));
}

#[test]
fn every_type_of_variation_occurs() {
    let data = mixed();
    let all: Vec<&Value> = data.flags.values().filter_map(|flag| flag["variations"].as_array()).flatten().collect();
    let is = |test: fn(&Value) -> bool| assert!(all.iter().any(|value| test(value)));
    is(Value::is_boolean);
    is(Value::is_string);
    is(Value::is_i64);
    is(Value::is_f64);
    is(Value::is_object);
    is(Value::is_array);
    is(Value::is_null);
}

#[test]
fn every_kind_of_target_occurs() {
    let data = mixed();
    let any = |test: &dyn Fn(&Value) -> bool| assert!(data.flags.values().any(test));
    any(&|flag| flag["targets"][0]["values"].as_array().is_some_and(|values| !values.is_empty()));
    any(&|flag| flag["contextTargets"][0]["contextKind"] == "org");
    any(&|flag| {
        let placeholders = flag["contextTargets"].as_array().into_iter().flatten();
        let mut placeholders = placeholders.filter(|target| target["contextKind"] == "user");
        placeholders.any(|target| target["values"] == serde_json::json!([]))
    });
}

#[test]
fn every_kind_of_rollout_occurs() {
    let rollouts: Vec<Value> = with_all("rollout", |holders| holders.iter().map(|it| it["rollout"].clone()).collect());
    let any = |what: &str, test: &dyn Fn(&Value) -> bool| assert!(rollouts.iter().any(test), "{what}");
    any("plain", &|rollout| rollout["kind"].is_null());
    any("experiment", &|rollout| rollout["kind"] == "experiment");
    any("seed", &|rollout| rollout["seed"].is_number());
    any("bucketBy", &|rollout| rollout["bucketBy"].is_string());
    any("untracked", &|rollout| rollout["variations"].to_string().contains(r#""untracked":true"#));
    any("several", &|rollout| rollout["variations"].as_array().is_some_and(|weights| weights.len() > 2));
    let weights = with_all("rolloutContextKind", |rules| rules.iter().filter(|rule| rule["weight"].is_u64()).count());
    assert!(weights > 0, "weighted segment rule");
}

/// As LaunchDarkly's own are: its SDK for .NET reads no others, and takes the whole store for broken.
#[test]
fn seeds_are_numbers_of_32_bits_with_a_sign() {
    with_all("seed", |rollouts| {
        assert!(rollouts.len() > 10);
        for rollout in rollouts {
            let seed = rollout["seed"].as_i64().unwrap();
            assert!(i32::try_from(seed).is_ok(), "{rollout}");
        }
    });
}

#[test]
fn prerequisites_are_chained_and_some_fail() {
    let flags = mixed().flags;
    let required = |key: &str| flags[key]["prerequisites"][0]["key"].as_str().unwrap().to_owned();
    assert_eq!(required(&required("billing.invoices")), "billing.engine");
    let off = flags.values().filter_map(|flag| flag["prerequisites"].as_array()).flatten();
    assert!(off.clone().any(|it| flags[it["key"].as_str().unwrap()]["on"] == false), "a prerequisite that is off");
    assert!(off.clone().any(|it| flags[it["key"].as_str().unwrap()]["deleted"] == true), "a deleted prerequisite");
}

#[test]
fn all_references_lead_somewhere() {
    let data = mixed();
    for (key, flag) in &data.flags {
        for required in flag["prerequisites"].as_array().into_iter().flatten() {
            assert!(data.flags.contains_key(required["key"].as_str().unwrap()), "{key} requires {required}");
        }
    }
    with_all("op", |clauses| {
        for clause in clauses.iter().filter(|clause| clause["op"] == "segmentMatch") {
            let key = clause["values"][0].as_str().unwrap();
            assert!(data.segments.contains_key(key), "{key}");
        }
    });
}

#[test]
fn segments_include_exclude_nest_and_weigh() {
    let segments = mixed().segments;
    let any = |test: &dyn Fn(&Value) -> bool| assert!(segments.values().any(test));
    let filled = |segment: &Value, list: &str| segment[list].as_array().is_some_and(|list| !list.is_empty());
    for list in ["included", "excluded", "includedContexts", "excludedContexts", "rules"] {
        any(&|segment| filled(segment, list));
    }
    any(&|segment| segment["rules"].to_string().contains("segmentMatch"));
    any(&|segment| segment["rules"][0]["weight"].is_u64());
    any(&|segment| segment["deleted"] == true);
}

#[test]
fn tombstones_come_in_three_shapes() {
    let flags = mixed().flags;
    let dead: Vec<_> = flags.iter().filter(|(_, flag)| flag["deleted"] == true).collect();
    assert!(dead.iter().any(|(_, flag)| flag.get("key").is_none()), "without a key");
    assert!(dead.iter().any(|(key, flag)| flag["key"].as_str() == Some(key)), "with its key");
    assert!(dead.iter().any(|(_, flag)| flag["key"] == "$deleted" && flag["salt"].is_string()), "complete");
}

#[test]
fn live_items_carry_their_own_key_and_a_version() {
    let data = mixed();
    for (key, item) in data.flags.iter().chain(&data.segments).filter(|(_, item)| item["deleted"] != true) {
        assert_eq!(item["key"].as_str(), Some(key.as_str()));
        assert!(item["version"].as_i64().is_some_and(|version| version > 0), "{key}");
    }
}

#[test]
fn one_flag_has_properties_that_nobody_knows() {
    let flag = &mixed().flags["home.recommendations"];
    assert!(flag.get("$schema").is_some());
    assert!(flag["rules"][0]["clauses"][0].get("caseInsensitive").is_some());
}

#[test]
fn padding_reaches_the_wanted_size_and_little_more() {
    for shape in [Shape::Mixed, Shape::Rule, Shape::Target] {
        let data = generate(&Options { flags: 400, bytes: Some(2000), shape, ..Options::default() });
        let live: Vec<usize> =
            data.flags.values().filter(|it| it["deleted"] != true).map(|it| it.to_string().len()).collect();
        assert!(live.iter().all(|length| *length >= 2000), "{shape:?}: too short");
        let snug = live.iter().filter(|length| **length < 2150).count();
        assert!(snug * 100 >= live.len() * 95, "{shape:?}: {snug} of {} fit", live.len());
    }
}

#[test]
fn padding_keeps_what_was_there_in_front() {
    let options = Options { shape: Shape::Rule, flags: 50, ..Options::default() };
    let bare = generate(&options);
    let padded = generate(&Options { bytes: Some(4000), ..options });
    for (key, flag) in &bare.flags {
        assert_eq!(padded.flags[key]["rules"][0], flag["rules"][0]);
        assert_eq!(padded.flags[key]["fallthrough"], flag["fallthrough"]);
    }
}

#[test]
fn without_regex_no_clause_matches_patterns() {
    for shape in [Shape::Mixed, Shape::Rule] {
        let options = Options { flags: 600, bytes: Some(3000), shape, ..Options::default() };
        let count = |regex| {
            generate(&Options { regex, ..options.clone() }).to_json().to_string().matches(r#""matches""#).count()
        };
        assert!(count(true) > 10, "{shape:?}");
        assert_eq!(count(false), 0, "{shape:?}");
    }
}

#[test]
fn a_shape_makes_only_its_own_kind_of_flags() {
    let context: Value = serde_json::from_str(CONTEXT_JSON).unwrap();
    let user = context["key"].as_str().unwrap();
    for shape in Shape::ONE_KIND {
        let data = generate(&Options { flags: 100, shape, ..Options::default() });
        let own: Vec<&Value> = data.flags.iter().filter(|(key, _)| *key != BASE_FLAG).map(|(_, flag)| flag).collect();
        assert_eq!(own.len(), 100, "{shape:?}");
        for flag in own {
            assert_eq!(flag["variations"], serde_json::json!([true, false]));
            assert_eq!(flag["on"], shape != Shape::Off);
            let targets = flag["targets"].to_string();
            assert_eq!(targets.contains(user), shape == Shape::Target, "{shape:?}");
            assert_eq!(flag["rules"] != serde_json::json!([]), matches!(shape, Shape::Rule | Shape::Segment));
            assert_eq!(flag["prerequisites"][0]["key"] == BASE_FLAG, shape == Shape::Prerequisite);
            assert_eq!(flag["fallthrough"]["rollout"].is_object(), shape == Shape::Rollout);
        }
        assert_eq!(data.segments.values().any(|it| it["included"].to_string().contains(user)), shape == Shape::Segment);
        assert_eq!(data.flags.contains_key(BASE_FLAG), shape == Shape::Prerequisite);
    }
}
