//! Tests of the state of all flags: what the text holds, and what is left out.

use serde_json::{Value, json};

use super::*;
use crate::eval::NoMemberships;
use crate::model::{Interner, Segment};
use crate::store::Entry;

const PLAIN: AllFlagsOptions =
    AllFlagsOptions { client_side_only: false, with_reasons: false, details_only_for_tracked_flags: false };
const REASONS: AllFlagsOptions = AllFlagsOptions { with_reasons: true, ..PLAIN };
const TRACKED: AllFlagsOptions = AllFlagsOptions { details_only_for_tracked_flags: true, ..REASONS };

/// A flag that is on and serves variation 0, with more or other properties.
fn flag(version: i64, other: Value) -> Value {
    let mut flag = json!({
        "version": version, "on": true, "variations": ["a", "b"], "fallthrough": { "variation": 0 },
        "offVariation": 1, "salt": "s",
    });
    for (name, value) in other.as_object().unwrap() {
        flag[name] = value.clone();
    }
    flag
}

fn snapshot(flags: &[(&str, Value)]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (key, flag) in flags {
        let text = flag.as_str().map_or_else(|| flag.to_string(), str::to_owned);
        let (entry, _) = Entry::parse(key, text.into_bytes(), &mut Interner::default());
        snapshot.flags.insert(key, Arc::new(entry));
    }
    snapshot
}

fn text(flags: &[(&str, Value)], options: AllFlagsOptions) -> String {
    state_of(&snapshot(flags), &Context::from_key("user", "ada").unwrap(), options, &NoMemberships, None)
}

/// The metadata of flag `f`, whatever other flags there are.
fn metadata(flags: &[(&str, Value)], options: AllFlagsOptions) -> Value {
    let state: Value = serde_json::from_str(&text(flags, options)).unwrap();
    state["$flagsState"]["f"].clone()
}

fn prerequisites(keys: &[&str]) -> Value {
    keys.iter().map(|key| json!({ "key": key, "variation": 0 })).collect()
}

#[test]
fn no_flags_are_a_valid_state() {
    assert_eq!(text(&[], PLAIN), r#"{"$flagsState":{},"$valid":true}"#);
}

#[test]
fn keys_come_in_byte_order_and_members_that_are_false_or_absent_are_left_out() {
    let flags = [("b", flag(2, json!({}))), ("a\"", flag(1, json!({}))), ("B", flag(3, json!({})))];
    assert_eq!(
        text(&flags, PLAIN),
        r#"{"B":"a","a\"":"a","b":"a","$flagsState":{"B":{"variation":0,"version":3},"a\"":{"variation":0,"version":1},"b":{"variation":0,"version":2}},"$valid":true}"#
    );
}

#[test]
fn values_stay_as_written_without_white_space_between_tokens() {
    let raw = r#"{"version":1,"on":true,"variations":[{"b" : 1.50, "a": [ "x y" ]}],"fallthrough":{"variation":0}}"#;
    let state = text(&[("f", Value::from(raw))], PLAIN);
    assert!(state.starts_with(r#"{"f":{"b":1.50,"a":["x y"]},"#), "{state}");
    for (value, written) in [(json!(null), "null"), (json!("a\nb"), r#""a\nb""#), (json!(1.5), "1.5")] {
        let state = text(&[("f", flag(1, json!({ "variations": [value] })))], PLAIN);
        assert!(state.starts_with(&format!("{{\"f\":{written},")), "{state}");
    }
}

#[test]
fn without_a_variation_the_value_is_null_and_there_is_no_index() {
    let off = flag(1, json!({ "on": false, "offVariation": null }));
    let broken = flag(1, json!({ "fallthrough": { "variation": 7 } }));
    for (flag, reason) in
        [(off, json!({ "kind": "OFF" })), (broken, json!({ "kind": "ERROR", "errorKind": "MALFORMED_FLAG" }))]
    {
        let flags = [("f", flag), ("g", self::flag(2, json!({})))];
        assert!(text(&flags, PLAIN).starts_with(r#"{"f":null,"g":"a","#));
        assert_eq!(metadata(&flags, REASONS), json!({ "version": 1, "reason": reason }));
    }
}

#[test]
fn deleted_flags_and_those_that_do_not_parse_are_left_out() {
    let flags = [
        ("deleted", json!({ "version": 1, "deleted": true })),
        ("bad", Value::from("{oops")),
        ("f", flag(1, json!({}))),
    ];
    assert_eq!(text(&flags, PLAIN), text(&flags[2..], PLAIN));
}

#[test]
fn client_side_only_goes_by_the_availability_and_without_one_by_the_older_member() {
    let flags = [
        ("new", flag(1, json!({ "clientSideAvailability": { "usingEnvironmentId": true }, "clientSide": false }))),
        ("old", flag(1, json!({ "clientSide": true }))),
        ("mobile", flag(1, json!({ "clientSideAvailability": { "usingMobileKey": true }, "clientSide": true }))),
        ("server", flag(1, json!({}))),
    ];
    let state = text(&flags, AllFlagsOptions { client_side_only: true, ..PLAIN });
    assert!(state.starts_with(r#"{"new":"a","old":"a","$flagsState":{"#), "{state}");
    assert!(text(&flags, PLAIN).starts_with(r#"{"mobile":"a","new":"a","old":"a","server":"a","#));
}

#[test]
fn reasons_are_written_when_asked_for() {
    let rule = |id: &str| {
        json!({ "rules": [{ "id": "other", "variation": 0, "clauses": [
        { "attribute": "key", "op": "in", "values": ["bob"] }] }, { "id": id, "variation": 1, "clauses": [] }] })
    };
    let failing = json!({ "prerequisites": prerequisites(&["missing"]) });
    for (properties, reason) in [
        (json!({}), r#"{"kind":"FALLTHROUGH"}"#),
        (json!({ "on": false }), r#"{"kind":"OFF"}"#),
        (json!({ "targets": [{ "variation": 1, "values": ["ada"] }] }), r#"{"kind":"TARGET_MATCH"}"#),
        (rule("r\"1"), r#"{"kind":"RULE_MATCH","ruleIndex":1,"ruleId":"r\"1"}"#),
        (rule(""), r#"{"kind":"RULE_MATCH","ruleIndex":1}"#),
        (failing, r#"{"kind":"PREREQUISITE_FAILED","prerequisiteKey":"missing"}"#),
    ] {
        let flags = [("f", flag(1, properties))];
        let state = text(&flags, REASONS);
        assert!(state.contains(&format!("\"version\":1,\"reason\":{reason}}}")), "{state}");
        assert_eq!(metadata(&flags, PLAIN)["reason"], Value::Null);
    }
}

#[test]
fn the_status_of_big_segments_is_part_of_the_reason() {
    let clause = json!({ "op": "segmentMatch", "values": ["big"] });
    let mut snapshot = snapshot(&[("f", flag(1, json!({ "rules": [{ "variation": 1, "clauses": [clause] }] })))]);
    let big = json!({ "version": 1, "unbounded": true, "generation": 1 }).to_string();
    let (entry, _) = Entry::<Segment>::parse("big", big.into_bytes(), &mut Interner::default());
    snapshot.segments.insert("big", Arc::new(entry));
    let state = state_of(&snapshot, &Context::from_key("user", "ada").unwrap(), REASONS, &NoMemberships, None);
    assert!(state.contains(r#"{"kind":"FALLTHROUGH","bigSegmentsStatus":"NOT_CONFIGURED"}"#), "{state}");
}

#[test]
fn flags_whose_events_are_tracked_say_so() {
    let tracked = metadata(&[("f", flag(1, json!({ "trackEvents": true })))], PLAIN);
    assert_eq!(tracked, json!({ "variation": 0, "version": 1, "trackEvents": true }));
}

#[test]
fn experiments_track_events_and_always_carry_their_reason() {
    let rollout = json!({ "kind": "experiment", "variations": [{ "variation": 0, "weight": 100_000 }] });
    let rule = |rule: Value| json!({ "rules": [rule] });
    let matched = |more: Value| {
        let mut reason = json!({ "kind": "RULE_MATCH", "ruleIndex": 0, "ruleId": "r" });
        reason.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        reason
    };
    for (properties, reason) in [
        (json!({ "trackEventsFallthrough": true }), json!({ "kind": "FALLTHROUGH" })),
        (json!({ "fallthrough": { "rollout": rollout } }), json!({ "kind": "FALLTHROUGH", "inExperiment": true })),
        (rule(json!({ "id": "r", "variation": 0, "trackEvents": true })), matched(json!({}))),
        (rule(json!({ "id": "r", "rollout": rollout })), matched(json!({ "inExperiment": true }))),
    ] {
        let flags = [("f", flag(1, properties))];
        let expected = json!({
            "variation": 0, "version": 1, "reason": reason, "trackEvents": true, "trackReason": true,
        });
        for options in [PLAIN, REASONS, AllFlagsOptions { with_reasons: false, ..TRACKED }] {
            assert_eq!(metadata(&flags, options), expected);
        }
    }
}

#[test]
fn what_counts_as_experiment_elsewhere_in_the_flag_does_not_count() {
    let elsewhere = json!({
        "trackEventsFallthrough": true,
        "rules": [{ "variation": 0, "clauses": [] }, { "variation": 0, "trackEvents": true, "clauses": [] }],
    });
    assert_eq!(metadata(&[("f", flag(1, elsewhere))], PLAIN), json!({ "variation": 0, "version": 1 }));
    let off = json!({ "on": false, "trackEventsFallthrough": true });
    assert_eq!(metadata(&[("f", flag(1, off))], PLAIN), json!({ "variation": 1, "version": 1 }));
}

#[test]
fn details_only_for_tracked_flags_leave_out_version_and_reason_of_the_others() {
    let details = |properties: Value| metadata(&[("f", flag(1, properties))], TRACKED);
    assert_eq!(details(json!({})), json!({ "variation": 0 }));
    assert_eq!(details(json!({ "on": false, "offVariation": null })), json!({}));
    let reason = json!({ "kind": "FALLTHROUGH" });
    assert_eq!(
        details(json!({ "trackEvents": true })),
        json!({ "variation": 0, "version": 1, "reason": reason, "trackEvents": true })
    );
}

#[test]
fn a_debug_date_is_always_told_and_asks_for_details_only_while_it_lies_ahead() {
    let later = unix_ms() + 60_000;
    let details = |until: i64| metadata(&[("f", flag(1, json!({ "debugEventsUntilDate": until })))], TRACKED);
    assert_eq!(details(1_000), json!({ "variation": 0, "debugEventsUntilDate": 1_000 }));
    assert_eq!(details(0), json!({ "variation": 0 }));
    let reason = json!({ "kind": "FALLTHROUGH" });
    let expected = json!({ "variation": 0, "version": 1, "reason": reason, "debugEventsUntilDate": later });
    assert_eq!(details(later), expected);
}

#[test]
fn prerequisites_are_those_evaluated_for_the_flag_itself_up_to_the_one_that_failed() {
    let flags = [
        ("f", flag(1, json!({ "prerequisites": prerequisites(&["p", "fails", "unreached"]) }))),
        ("p", flag(1, json!({ "prerequisites": prerequisites(&["deep"]) }))),
        ("deep", flag(1, json!({}))),
        ("fails", flag(1, json!({ "on": false }))),
        ("unreached", flag(1, json!({}))),
    ];
    assert_eq!(metadata(&flags, PLAIN)["prerequisites"], json!(["p", "fails"]));
}

#[test]
fn missing_prerequisites_and_those_of_flags_that_are_off_are_not_listed() {
    let listed = |properties: Value| {
        let flags = [("f", flag(1, properties)), ("p", flag(1, json!({})))];
        metadata(&flags, PLAIN)["prerequisites"].clone()
    };
    assert_eq!(listed(json!({ "prerequisites": prerequisites(&["missing", "p"]) })), Value::Null);
    assert_eq!(listed(json!({ "prerequisites": prerequisites(&["p", "missing"]) })), json!(["p"]));
    assert_eq!(listed(json!({ "on": false, "prerequisites": prerequisites(&["p"]) })), Value::Null);
}

#[test]
fn prerequisites_that_the_client_side_may_not_see_are_listed_all_the_same() {
    let flags = [
        ("f", flag(1, json!({ "clientSide": true, "prerequisites": prerequisites(&["p"]) }))),
        ("p", flag(1, json!({}))),
    ];
    let client_side = AllFlagsOptions { client_side_only: true, ..PLAIN };
    assert_eq!(
        text(&flags, client_side),
        r#"{"f":"a","$flagsState":{"f":{"variation":0,"version":1,"prerequisites":["p"]}},"$valid":true}"#
    );
}

#[test]
fn a_cycle_of_prerequisites_concerns_its_own_flags_only() {
    let flags = [
        ("a", flag(1, json!({ "prerequisites": prerequisites(&["c", "b"]) }))),
        ("b", flag(1, json!({ "prerequisites": prerequisites(&["a"]) }))),
        ("c", flag(1, json!({}))),
    ];
    let state: Value = serde_json::from_str(&text(&flags, REASONS)).unwrap();
    let error = json!({ "kind": "ERROR", "errorKind": "MALFORMED_FLAG" });
    assert_eq!((&state["a"], &state["b"], &state["c"]), (&Value::Null, &Value::Null, &json!("a")));
    let reason = error.clone();
    assert_eq!(state["$flagsState"]["a"], json!({ "version": 1, "reason": reason, "prerequisites": ["c"] }));
    assert_eq!(state["$flagsState"]["b"], json!({ "version": 1, "reason": error }));
}
