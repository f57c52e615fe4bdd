//! `flagstone eval`: what an evaluation gives, and why.

use super::*;

#[test]
fn an_evaluation_is_explained_clause_by_clause() {
    let told = on_examples(&["eval", "new-checkout", "--context", ADA, "--explain"]).ended(0);
    for words in [
        "true\nvariation 0: rule 1 matches\n",
        r#"✓ prerequisite "payments-v2" must be on and serve variation 0"#,
        r#"flag "payments-v2" (version 4) is on: "on" (variation 0), no target and no rule matches"#,
        "✗ no target names a key of the context",
        "✓ rule 1 (staff)",
        r#"✓ user email ends with "@example.org": it is "zoe@example.org""#,
        r#"✓ user country is none of "US", "CN": it is "DE""#,
    ] {
        assert!(told.contains(words), "{words} in {told}");
    }
    let rolled = on_examples(&["eval", "new-checkout", "--user", "zoe", "-e"]).ended(0);
    for words in [
        r#"✗ user email ends with "@example.org": it has none"#,
        "1 more clause was not looked at",
        r#"✗ the context is in segment "beta""#,
        r#"segment "beta" (version 3): it is not listed, and no rule matches"#,
        "rollout by user key: bucket 0.",
        "true (variation 0) takes 0 to 0.25",
        "false (variation 1) takes 0.25 to 1",
    ] {
        assert!(rolled.contains(words), "{words} in {rolled}");
    }
    let other = on_examples(&["eval", "new-checkout", "-e", "-c", r#"{"kind":"org","key":"o"}"#]).ended(0);
    assert!(other.contains(r#"there is no context of kind "user""#), "{other}");
}

#[test]
fn explanations_as_json_have_the_steps_only_if_asked() {
    let brief = on_examples(&["eval", "new-checkout", "--context", ADA, "--json"]).json(0);
    let reason = json!({"kind":"RULE_MATCH","ruleIndex":0,"ruleId":"staff"});
    assert_eq!(brief, json!({"key":"new-checkout","value":true,"variation":0,"reason":reason,"stale":false}));
    let full = on_examples(&["eval", "new-checkout", "--context", ADA, "--json", "--explain"]).json(0);
    let clause = &full["flag"]["rules"][0]["clauses"][0];
    assert_eq!(clause["actual"], "zoe@example.org");
    assert_eq!(clause["values"], json!({"first":["@example.org"],"count":1}));
    assert_eq!(full["reason"], brief["reason"]);
}

#[test]
fn contexts_that_are_none_are_refused_with_an_example() {
    for context in ["", "{", "[]", "7", r#"{"kind":"user"}"#, r#"{"kind":"","key":"a"}"#, r#"{"kind":"multi"}"#] {
        let complaint = on_examples(&["eval", "new-checkout", "--context", context]).complained(2);
        assert!(
            complaint.contains("no context") && complaint.contains(r#"{"kind":"user","key":"ada"}"#),
            "{complaint}"
        );
    }
    on_examples(&["eval", "new-checkout"]).complained(2);
    on_examples(&["eval", "new-checkout", "--context", "@/nowhere"]).complained(3);
    let context = file("context.json", ADA);
    let at = format!("@{}", context.display());
    assert!(on_examples(&["eval", "new-checkout", "-c", &at]).ended(0).starts_with("true\n"));
}

#[test]
fn an_explanation_tells_the_truth_of_what_is_odd() {
    let flag = |key: &str, more: &str| {
        format!(r#""{key}":{{"key":"{key}","version":1,"on":true,"variations":["a","b"],{more}}}"#)
    };
    let rule =
        |clause: &str| format!(r#""fallthrough":{{"variation":1}},"rules":[{{"variation":0,"clauses":[{clause}]}}]"#);
    let flags = [
        flag("unknown", &rule(r#"{"attribute":"key","op":"near","values":[1],"negate":true}"#)),
        flag("malformed", &rule(r#"{"contextKind":"user","attribute":"//","op":"in","values":[1]}"#)),
        flag("by", r#""fallthrough":{"rollout":{"bucketBy":"plan","variations":[{"variation":0,"weight":100000}]}}"#),
        flag("shared", &rule(r#"{"op":"segmentMatch","values":["share"]}"#)),
        flag(
            "short",
            r#""fallthrough":{"rollout":{"variations":[{"variation":0,"weight":1},{"variation":1,"weight":1}]}}"#,
        ),
        flag(
            "long",
            r#""fallthrough":{"rollout":{"variations":[{"variation":0,"weight":80000},{"variation":1,"weight":80000}]}}"#,
        ),
    ];
    let share = r#"{"version":1,"rules":[{"weight":1,"rolloutContextKind":"org","clauses":[]}]}"#;
    let text = format!(r#"{{"flags":{{{}}},"segments":{{"share":{share}}}}}"#, flags.join(","));
    let path = file("odd.json", &text);
    let told = |command: &str, key: &str| {
        let more: &[&str] = if command == "eval" { &["-e", "-u", "ada"] } else { &[] };
        let ran = on_file(&path, &[&[command, key], more].concat());
        ran.out
    };
    let unknown = r#"user key not "near" (an unknown operator: passes for whoever has the attribute) 1"#;
    assert!(told("eval", "unknown").contains(&format!("✓ {unknown}: it is \"ada\"\n")), "{}", told("eval", "unknown"));
    assert!(told("show", "unknown").contains(unknown));
    let malformed = told("eval", "malformed");
    assert!(malformed.contains("? ") && malformed.contains(": nothing can be named like that\n"), "{malformed}");
    assert!(told("eval", "by").contains("rollout by user plan: bucket 0, for it has none\n"), "{}", told("eval", "by"));
    let shared = told("eval", "shared");
    assert!(shared.contains("✗ share by org key: there is no context of kind org\n"), "{shared}");
    let short = told("eval", "short");
    assert!(short.contains("✓ \"b\" (variation 1) takes 0.00001 to 0.00002, and all that is above\n"), "{short}");
    assert!(told("show", "short").contains("0.001% \"a\" (0), 99.999% \"b\" (1)"), "{}", told("show", "short"));
    assert!(told("show", "long").contains("80% \"a\" (0), 20% \"b\" (1)"), "{}", told("show", "long"));
    let table = told("flags", "");
    assert!(table.contains("80% \"a\", 20% \"b\"") && table.contains("0.001% \"a\", 99.999% \"b\""), "{table}");
}

#[test]
fn targets_are_shown_in_the_order_in_which_they_are_tried_and_only_those() {
    let targets = r#""targets":[{"variation":0,"values":["never"]},{"variation":1,"values":["ada"]}],"contextTargets":[
        {"contextKind":"org","variation":0,"values":["acme"]},{"contextKind":"user","variation":1,"values":[]},
        {"variation":1,"values":[]},{"contextKind":"user","variation":0,"values":["bob"]}]"#;
    let flag = format!(r#"{{"version":1,"on":true,"variations":["a","b"],"fallthrough":{{"variation":1}},{targets}}}"#);
    let path = file("targets.json", &format!(r#"{{"flags":{{"f":{flag}}}}}"#));
    let told = on_file(&path, &["show", "f"]).ended(0);
    let expected =
        "Targets\n├ \"a\" (0) for org \"acme\"\n├ \"b\" (1) for user \"ada\"\n└ \"a\" (0) for user \"bob\"\nOtherwise";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn a_prerequisite_that_is_needed_again_is_told_once() {
    let flag = |level: u32| {
        let below = if level == 0 { String::new() } else { format!(r#"{{"key":"p{}","variation":0}}"#, level - 1) };
        let required = if level == 0 { String::new() } else { format!("{below},{below}") };
        let rule = r#"{"variation":0,"clauses":[{"attribute":"key","op":"in","values":["ada"]}]}"#;
        let serves = r#""variations":["a"],"fallthrough":{"variation":0}"#;
        format!(r#""p{level}":{{"version":1,"on":true,{serves},"prerequisites":[{required}],"rules":[{rule}]}}"#)
    };
    let flags: Vec<String> = (0..12).map(flag).collect();
    let path = file("lattice.json", &format!(r#"{{"flags":{{{}}}}}"#, flags.join(",")));
    let told = on_file(&path, &["eval", "p11", "-e", "-u", "ada"]).ended(0);
    assert_eq!(told.matches("✓ user key is \"ada\"").count(), 12, "{}", told.len());
    assert_eq!(told.matches(": \"a\" (variation 0), as above\n").count(), 11, "{told}");
}

#[test]
fn an_explanation_is_of_the_item_that_was_asked_for_whatever_it_calls_itself() {
    let redis = redis();
    let flag = |value: &str| {
        let clause = format!(r#"{{"attribute":"key","op":"in","values":["{value}"]}}"#);
        let rule = format!(r#"[{{"variation":0,"clauses":[{clause}]}}]"#);
        format!(
            r#"{{"key":"b","version":1,"on":true,"variations":[1],"fallthrough":{{"variation":0}},"rules":{rule}}}"#
        )
    };
    send(&redis, &["HSET", "launchdarkly:features", "a", &flag("of a"), "b", &flag("of b")]);
    let told = on_redis(&redis, &["eval", "a", "-e", "-u", "ada"]).ended(0);
    assert!(told.contains("flag \"a\" (version 1)") && told.contains("user key is \"of a\""), "{told}");
}

#[test]
fn weights_that_are_no_weights_hide_no_flag() {
    let weights = r#"[{"variation":0,"weight":1e300},{"variation":1,"weight":-1e300},{"variation":0,"weight":1},{"variation":1,"weight":1}]"#;
    let odd = format!(
        r#"{{"version":1,"on":true,"variations":[1,2],"fallthrough":{{"rollout":{{"variations":{weights}}}}}}}"#
    );
    let plain: String = (0..40).map(|number| format!(r#""f{number:02}":{{"version":1,"variations":[1]}},"#)).collect();
    let flags = file("weights.json", &format!(r#"{{"flags":{{{plain}"odd":{odd}}}}}"#));
    let rows = on_file(&flags, &["flags", "--json"]).json(0);
    assert_eq!(rows.as_array().unwrap().len(), 41);
    assert_eq!(on_file(&flags, &["flags", "odd", "--json"]).json(0)[0]["serves"], "100% 1");
    assert!(on_file(&flags, &["show", "odd"]).ended(0).contains("100% 1 (0)"));
}

#[test]
fn a_variation_that_is_not_there_is_named_with_what_serves_it() {
    let rule = r#""rules":[{"variation":7,"clauses":[{"attribute":"key","op":"in","values":["ada"]}]}]"#;
    let flag = format!(r#"{{"version":1,"on":true,"variations":["a","b"],"fallthrough":{{"variation":1}},{rule}}}"#);
    let path = file("missing-variation.json", &format!(r#"{{"flags":{{"f":{flag}}}}}"#));
    let why = r#"flag "f": rule 1 serves variation 7, which it does not have: it has 2"#;
    for more in [&["-e"][..], &[], &["--json"], &["-e", "--json"]] {
        let told = on_file(&path, &[&["eval", "f", "--user", "ada"], more].concat()).out;
        let why = if more.contains(&"--json") { why.replace('"', "\\\"") } else { why.to_owned() };
        assert_eq!(told.matches(&why).count(), 1, "{told}");
    }
    let fine = on_file(&path, &["eval", "f", "--user", "bob", "-e"]).ended(0);
    assert!(!fine.contains("does not have"), "{fine}");
}
