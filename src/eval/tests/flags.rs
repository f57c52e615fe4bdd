//! The order of a flag's parts: off, prerequisites, targets, rules, fallthrough; rollouts and experiments.

use super::*;

fn required(keys: &[&str]) -> String {
    let entries: Vec<String> = keys.iter().map(|key| format!(r#"{{"key":"{key}","variation":1}}"#)).collect();
    format!(r#""prerequisites":[{}]"#, entries.join(","))
}

/// `f` requires `p`, which has these other properties.
fn with_prerequisite(properties: &str) -> World {
    World::default().flag(&base("f", &required(&["p"]))).flag(&base("p", properties))
}

#[test]
fn an_off_flag_serves_its_off_variation_and_looks_at_nothing_else() {
    let off = |properties: &str| World::default().flag(&base("f", &format!(r#""on":false,{properties}"#)));
    assert_eq!(off(&required(&["missing"])).outcome(USER), "V0/0/OFF");
    assert_eq!(off(r#""offVariation":null"#).outcome(USER), "default/-/OFF");
    assert_eq!(off(r#""offVariation":-1"#).outcome(USER), MALFORMED);
    assert_eq!(off(r#""offVariation":3"#).outcome(USER), MALFORMED);
    assert_eq!(off(r#""offVariation":4294967295"#).outcome(USER), MALFORMED);
}

#[test]
fn a_prerequisite_must_be_on_and_serve_the_required_variation() {
    for (properties, expected) in [
        ("", "V1/1/FALLTHROUGH f>p=V1/1/FALLTHROUGH"),
        (r#""on":false,"offVariation":1"#, "V0/0/PREREQUISITE_FAILED(p) f>p=V1/1/OFF"),
        (r#""fallthrough":{"variation":0}"#, "V0/0/PREREQUISITE_FAILED(p) f>p=V0/0/FALLTHROUGH"),
        (r#""fallthrough":{"variation":9}"#, "V0/0/PREREQUISITE_FAILED(p) f>p=default/-/MalformedFlag"),
        (r#""fallthrough":{}"#, "V0/0/PREREQUISITE_FAILED(p) f>p=default/-/MalformedFlag"),
        (r#""on":false,"offVariation":9"#, "V0/0/PREREQUISITE_FAILED(p) f>p=default/-/MalformedFlag"),
        (
            r#""fallthrough":{"rollout":{"contextKind":"user","bucketBy":"//","variations":[{"variation":1,"weight":1}]}}"#,
            "V0/0/PREREQUISITE_FAILED(p) f>p=default/-/MalformedFlag",
        ),
        (
            r#""rules":[{"variation":1,"clauses":[{"attribute":"//","contextKind":"user","op":"in","values":[]}]}]"#,
            MALFORMED,
        ),
        (r#""on":false,"prerequisites":[{"key":"f"}]"#, "V0/0/PREREQUISITE_FAILED(p) f>p=V0/0/OFF"),
    ] {
        assert_eq!(with_prerequisite(properties).outcome(USER), expected, "{properties}");
    }
    let missing = World::default().flag(&base("f", &required(&["p"])));
    assert_eq!(missing.outcome(USER), "V0/0/PREREQUISITE_FAILED(p)");
}

#[test]
fn a_required_index_that_no_flag_can_serve_is_never_met() {
    for index in ["-1", "4294967295", "99"] {
        let world = World::default()
            .flag(&base("f", &format!(r#""prerequisites":[{{"key":"p","variation":{index}}}]"#)))
            .flag(&base("p", r#""fallthrough":{}"#));
        assert!(world.outcome(USER).starts_with("V0/0/PREREQUISITE_FAILED(p)"), "{index}");
    }
}

#[test]
fn a_failed_prerequisite_comes_before_targets_and_needs_a_valid_off_variation() {
    let failing = |properties: &str| World::default().flag(&base("f", &format!("{},{properties}", required(&["p"]))));
    let target = r#""targets":[{"variation":2,"values":["u"]}]"#;
    assert_eq!(failing(target).outcome(USER), "V0/0/PREREQUISITE_FAILED(p)");
    assert_eq!(failing(r#""offVariation":null"#).outcome(USER), "default/-/PREREQUISITE_FAILED(p)");
    assert_eq!(failing(r#""offVariation":9"#).outcome(USER), MALFORMED);
}

#[test]
fn the_reason_names_the_direct_prerequisite() {
    let world = World::default().flag(&base("f", &required(&["p"]))).flag(&base("p", &required(&["missing"])));
    assert_eq!(world.outcome(USER), "V0/0/PREREQUISITE_FAILED(p) f>p=V0/0/PREREQUISITE_FAILED(missing)");
}

#[test]
fn cycles_of_prerequisites_are_malformed_however_long() {
    let own = World::default().flag(&base("f", &required(&["f"])));
    assert_eq!(own.outcome(USER), MALFORMED);
    assert_eq!(with_prerequisite(&required(&["f"])).outcome(USER), MALFORMED);
    let three = with_prerequisite(&required(&["q"])).flag(&base("q", &required(&["p"])));
    assert_eq!(three.outcome(USER), MALFORMED);
    let later = World::default()
        .flag(&base("f", &required(&["p", "q"])))
        .flag(&base("p", r#""fallthrough":{"variation":0}"#))
        .flag(&base("q", &required(&["f"])));
    assert_eq!(later.outcome(USER), "V0/0/PREREQUISITE_FAILED(p) f>p=V0/0/FALLTHROUGH");
}

#[test]
fn prerequisite_events_come_children_first_and_survive_an_abort() {
    let diamond = World::default()
        .flag(&base("f", &required(&["p", "q"])))
        .flag(&base("p", &required(&["z"])))
        .flag(&base("q", &required(&["z"])))
        .flag(&base("z", ""));
    let event = |names: &str| format!(" {names}=V1/1/FALLTHROUGH");
    let events: String = ["p>z", "f>p", "q>z", "f>q"].map(event).concat();
    assert_eq!(diamond.outcome(USER), format!("{FALL}{events}"));
    let aborted = World::default()
        .flag(&base("f", &required(&["p", "q"])))
        .flag(&base("p", ""))
        .flag(&base("q", &required(&["f"])));
    assert_eq!(aborted.outcome(USER), format!("{MALFORMED}{}", event("f>p")));
}

#[test]
fn an_unreadable_prerequisite_is_an_exception() {
    let world = World::default().flag(&base("f", &required(&["p"]))).unreadable("p");
    assert_eq!(world.outcome(USER), EXCEPTION);
    let nested = with_prerequisite(&required(&["q"])).unreadable("q");
    assert_eq!(nested.outcome(USER), EXCEPTION);
}

#[test]
fn targets_are_tried_in_the_order_that_context_targets_give() {
    const MULTI: &str = r#"{"kind":"multi","user":{"key":"u"},"org":{"key":"o"}}"#;
    for (properties, context, expected) in [
        (r#""targets":[{"variation":0,"values":["u"]},{"variation":2,"values":["u"]}]"#, USER, "V0/0/TARGET_MATCH"),
        (r#""targets":[{"variation":0,"values":["u"]}]"#, MULTI, "V0/0/TARGET_MATCH"),
        (r#""targets":[{"variation":0,"values":["o"]}]"#, MULTI, FALL),
        (
            r#""targets":[{"variation":0,"values":["u"]}],"contextTargets":[{"contextKind":"org","variation":2,"values":["o"]},{"contextKind":"user","variation":0,"values":[]}]"#,
            MULTI,
            "V2/2/TARGET_MATCH",
        ),
        (
            r#""targets":[{"variation":0,"values":["u"]}],"contextTargets":[{"contextKind":"user","variation":0,"values":[]},{"contextKind":"org","variation":2,"values":["o"]}]"#,
            MULTI,
            "V0/0/TARGET_MATCH",
        ),
        (
            r#""targets":[{"variation":0,"values":["u"]}],"contextTargets":[{"contextKind":"org","variation":2,"values":["x"]}]"#,
            USER,
            FALL,
        ),
        (
            r#""targets":[{"variation":0,"values":["u"]}],"contextTargets":[{"variation":0,"values":[]}]"#,
            USER,
            "V0/0/TARGET_MATCH",
        ),
        (
            r#""targets":[],"contextTargets":[{"contextKind":"user","variation":0,"values":["u"]}]"#,
            USER,
            "V0/0/TARGET_MATCH",
        ),
        (
            r#""targets":[{"variation":0,"values":["x"]},{"variation":0,"values":["u"]}],"contextTargets":[{"variation":0},{"variation":0}]"#,
            USER,
            FALL,
        ),
        (r#""targets":[{"variation":-1,"values":["u"]}]"#, USER, MALFORMED),
        (r#""targets":[{"variation":3,"values":["u"]}]"#, USER, MALFORMED),
    ] {
        let world = World::default().flag(&base("f", properties));
        assert_eq!(world.outcome(context), expected, "{properties}");
    }
}

#[test]
fn rules_serve_in_order_and_bad_data_is_malformed() {
    for (properties, expected) in [
        (r#""rules":[{"id":"r","variation":2}]"#, MATCH),
        (r#""rules":[{"variation":2,"clauses":[]}]"#, "V2/2/RULE_MATCH(0,)"),
        (r#""rules":[{"variation":2,"clauss":[{"attribute":"key"}]}]"#, "V2/2/RULE_MATCH(0,)"),
        (r#""rules":[{"id":"r","variation":2,"rollout":{"variations":[{"variation":0,"weight":100000}]}}]"#, MATCH),
        (r#""rules":[{"id":"r"}]"#, MALFORMED),
        (r#""rules":[{"id":"r","rollout":{"variations":[]}}]"#, MALFORMED),
        (r#""rules":[{"id":"r","variation":3}]"#, MALFORMED),
        (r#""rules":[{"id":"r","variation":-1}]"#, MALFORMED),
        (r#""rules":[{"id":"r","variation":2.0}]"#, MATCH),
        (r#""fallthrough":{}"#, MALFORMED),
        (r#""fallthrough":null"#, MALFORMED),
        (r#""variations":[]"#, MALFORMED),
        (r#""variations":["a",null]"#, "Null/1/FALLTHROUGH"),
    ] {
        assert_eq!(World::default().flag(&base("f", properties)).outcome(USER), expected, "{properties}");
    }
    let second = r#""rules":[{"id":"a","variation":0,"clauses":[{"attribute":"key","op":"in","values":["x"]}]},{"id":"b","variation":2}]"#;
    assert_eq!(World::default().flag(&base("f", second)).outcome(USER), "V2/2/RULE_MATCH(1,b)");
}

fn rollout(rollout: &str, context: &str) -> String {
    World::default().flag(&base("f", &format!(r#""fallthrough":{{"rollout":{rollout}}}"#))).outcome(context)
}

fn weights(weights: &[i64]) -> String {
    let entries: Vec<String> = weights
        .iter()
        .enumerate()
        .map(|(index, weight)| format!(r#"{{"variation":{index},"weight":{weight}}}"#))
        .collect();
    format!(r#""variations":[{}]"#, entries.join(","))
}

#[test]
fn the_first_entry_above_the_bucket_wins_and_else_the_last() {
    // The bucket of `u` in this flag is 0.18749441.
    for (list, index) in [
        (&[18749, 81251][..], 1),
        (&[18750, 81250], 0),
        (&[99999, 1], 0),
        (&[1, 99999], 1),
        (&[1, 1], 1),
        (&[0, 0, 0], 2),
        (&[-100000, 200000], 1),
        (&[200000, 1], 0),
    ] {
        let outcome = rollout(&format!("{{{}}}", weights(list)), USER);
        assert_eq!(outcome, format!("V{index}/{index}/FALLTHROUGH"), "{list:?}");
    }
    assert_eq!(rollout(r#"{"variations":[{"variation":9,"weight":1}]}"#, USER), MALFORMED);
}

#[test]
fn a_context_without_the_kind_has_bucket_zero_and_is_in_no_experiment() {
    for (kind, list, index) in [
        ("rollout", &[1, 99999][..], 0),
        ("rollout", &[0, 100000], 1),
        ("experiment", &[1, 99999], 0),
        ("experiment", &[0, 0], 1),
    ] {
        let text = format!(r#"{{"kind":"{kind}","contextKind":"org",{}}}"#, weights(list));
        assert_eq!(rollout(&text, USER), format!("V{index}/{index}/FALLTHROUGH"), "{text}");
    }
}

#[test]
fn experiments_bucket_by_key_and_leave_untracked_entries_out() {
    let experiment = |rest: &str| format!(r#"{{"kind":"experiment","contextKind":"user",{rest}}}"#);
    let tracked = "V1/1/FALLTHROUGH(experiment)";
    assert_eq!(rollout(&experiment(&weights(&[1, 99999])), USER), tracked);
    assert_eq!(rollout(&experiment(&weights(&[0, 0])), USER), tracked);
    assert_eq!(rollout(&experiment(&format!(r#""bucketBy":"//",{}"#, weights(&[1, 99999]))), USER), tracked);
    assert_eq!(rollout(&experiment(&format!(r#""bucketBy":"missing",{}"#, weights(&[1, 99999]))), USER), tracked);
    let untracked = r#""variations":[{"variation":1,"weight":100000,"untracked":true}]"#;
    assert_eq!(rollout(&experiment(untracked), USER), FALL);
    assert_eq!(rollout(&experiment(r#""variations":[{"variation":9,"weight":100000}]"#), USER), MALFORMED);
    let rule = base("f", &format!(r#""rules":[{{"id":"r","rollout":{}}}]"#, experiment(&weights(&[0, 0, 100000]))));
    assert_eq!(World::default().flag(&rule).outcome(USER), "V2/2/RULE_MATCH(0,r,experiment)");
}

#[test]
fn bucket_by_takes_strings_and_whole_numbers() {
    for (value, index) in [
        (r#""x""#, 1),
        ("33333", 1),
        ("33333.0", 1),
        ("2147483648", 1),
        ("-0.0", 1),
        ("9007199254740992", 1),
        ("1234567890123456789", 1),
        ("9223372036854775807", 1),
        ("-9223372036854775808", 1),
        ("9223372036854777856", 0),
        ("1e300", 0),
        ("1.00000001", 0),
        ("1.5", 0),
        ("true", 0),
        (r#"["x"]"#, 0),
        (r#"{"x":"y"}"#, 0),
        ("null", 0),
    ] {
        let context = format!(r#"{{"kind":"user","key":"u","a":{value}}}"#);
        let outcome = rollout(&format!(r#"{{"bucketBy":"a",{}}}"#, weights(&[1, 99999])), &context);
        assert_eq!(outcome, format!("V{index}/{index}/FALLTHROUGH"), "{value}");
    }
    let text = |rest: &str| format!("{{{rest},{}}}", weights(&[1, 99999]));
    assert_eq!(rollout(&text(r#""contextKind":"user","bucketBy":"//""#), USER), MALFORMED);
    assert_eq!(rollout(&text(r#""contextKind":"org","bucketBy":"//""#), USER), "V0/0/FALLTHROUGH");
    assert_eq!(rollout(&text(r#""bucketBy":"//""#), USER), "V0/0/FALLTHROUGH");
    assert_eq!(rollout(&text(r#""bucketBy":"""#), USER), FALL);
    assert_eq!(rollout(&text(r#""kind":"weird""#), USER), FALL);
    let nested = r#"{"kind":"user","key":"u","a":{"b":"x"}}"#;
    assert_eq!(rollout(&text(r#""contextKind":"user","bucketBy":"/a/b""#), nested), FALL);
}

#[test]
fn known_keys_fall_into_their_known_buckets() {
    let world = |key: &str, salt: &str, rollout: &str| {
        let names: Vec<String> = (0..10).map(|number| format!("\"V{number}\"")).collect();
        World::default().flag(&format!(
            r#"{{"key":"{key}","on":true,"salt":"{salt}","variations":[{}],"fallthrough":{{"rollout":{{{rollout}}}}}}}"#,
            names.join(",")
        ))
    };
    let served = |world: World, key: &str| {
        let flag = world.flags.values().next().unwrap().as_ref().unwrap();
        let context = Context::from_key("", key).unwrap();
        evaluate(flag, &context, &world, &NoMemberships, &mut ()).index.unwrap()
    };
    let four = weights(&[20000, 20000, 20000, 40000]);
    for (key, plain, seeded) in [("userKeyA", 2, 0), ("userKeyB", 3, 0), ("userKeyC", 0, 3)] {
        assert_eq!(served(world("hashKey", "saltyA", &four), key), plain, "{key}");
        let seed = format!(r#""seed":61,{four}"#);
        assert_eq!(served(world("hashKey", "saltyA", &seed), key), seeded, "{key}");
    }
    for (list, key, index) in [
        (&[10000; 10][..], "u4361061", 8),
        (&[10000; 10], "u21393341", 2),
        (&[33333, 33333, 33334], "u4789440", 1),
        (&[50000, 50000], "u58804886", 1),
    ] {
        assert_eq!(served(world("f", "salt", &weights(list)), key), index, "{key}");
    }
    for seed in ["0", "-5", "9223372036854775807"] {
        let flag = |key: &str| world(key, "x", &format!(r#""seed":{seed},{}"#, weights(&[10000; 10])));
        assert_eq!(served(flag("a"), "k"), served(flag("b"), "k"), "a seed replaces key and salt");
    }
}
