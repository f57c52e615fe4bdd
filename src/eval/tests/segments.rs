//! Segments and big segments.

use super::*;

const ALL: &str = r#""rules":[{"clauses":[]}]"#;
const MULTI: &str = r#"{"kind":"multi","user":{"key":"u"},"org":{"key":"o"}}"#;

/// `f` with one rule that tests membership in `s`.
fn world(segment: &str) -> World {
    tested("").segment(&format!(r#"{{"key":"s","version":1,"salt":"salty",{segment}}}"#))
}

/// `f` with one rule that tests membership in `s`, with more properties in its clause.
fn tested(clause: &str) -> World {
    World::default().flag(&ruled(&format!(r#"{{"op":"segmentMatch","values":["s"]{clause}}}"#)))
}

fn test_of(keys: &str) -> String {
    format!(r#"{{"op":"segmentMatch","values":{keys}}}"#)
}

#[test]
fn lists_decide_in_order_before_rules() {
    for (segment, context, expected) in [
        (r#""included":["u"],"excluded":["u"]"#, USER, MATCH),
        (r#""included":["u"]"#, r#"{"kind":"org","key":"u"}"#, FALL),
        (r#""excluded":["u"],"rules":[{}]"#, USER, FALL),
        (r#""excluded":["x"],"rules":[{}]"#, USER, MATCH),
        (r#""excluded":["u"],"includedContexts":[{"contextKind":"org","values":["o"]}]"#, MULTI, MATCH),
        (r#""includedContexts":[{"contextKind":"user","values":["u"]}]"#, USER, MATCH),
        (r#""includedContexts":[{"values":["u"]}]"#, USER, MATCH),
        (r#""excludedContexts":[{"contextKind":"org","values":["o"]}],"rules":[{}]"#, MULTI, FALL),
        (r#""excludedContexts":[{"contextKind":"org","values":["o"]}],"rules":[{}]"#, USER, MATCH),
        (r#""included":null,"excluded":null,"rules":null"#, USER, FALL),
        (r#""rules":[{"clauses":[{"attribute":"key","op":"in","values":["x"]}]},{"clauses":[]}]"#, USER, MATCH),
    ] {
        assert_eq!(world(segment).outcome(context), expected, "{segment}");
    }
}

#[test]
fn missing_segments_are_skipped_and_unreadable_ones_are_an_exception() {
    assert_eq!(tested("").outcome(USER), FALL);
    assert_eq!(tested(r#","negate":true"#).outcome(USER), MATCH);
    let several =
        World::default().flag(&ruled(&test_of(r#"[3,"nope","s"]"#))).segment(r#"{"key":"s","included":["u"]}"#);
    assert_eq!(several.outcome(USER), MATCH);
    assert_eq!(tested("").unreadable("s").outcome(USER), EXCEPTION);
    assert_eq!(tested(r#","negate":true"#).unreadable("s").outcome(USER), EXCEPTION);
    let nested = world(&format!(r#""rules":[{{"clauses":[{}]}}]"#, test_of(r#"["t"]"#))).unreadable("t");
    assert_eq!(nested.outcome(USER), EXCEPTION);
}

#[test]
fn attribute_and_kind_of_a_segment_test_do_not_matter() {
    let clause = tested(r#","attribute":"//","contextKind":"org""#).segment(r#"{"key":"s","included":["u"]}"#);
    assert_eq!(clause.outcome(USER), MATCH);
}

#[test]
fn cycles_of_segments_are_malformed_where_they_are_reached() {
    let rule = |clauses: &str| format!(r#""rules":[{{"clauses":[{clauses}]}}]"#);
    let own = test_of(r#"["s"]"#);
    assert_eq!(world(&rule(&own)).outcome(USER), MALFORMED);
    let ring = world(&rule(&test_of(r#"["t"]"#))).segment(&format!(r#"{{"key":"t",{}}}"#, rule(&own)));
    assert_eq!(ring.outcome(USER), MALFORMED);
    let guarded = rule(&format!(r#"{{"attribute":"key","op":"in","values":["x"]}},{own}"#));
    assert_eq!(world(&guarded).outcome(USER), FALL);
    assert_eq!(world(&format!(r#""included":["u"],{}"#, rule(&own))).outcome(USER), MATCH);
    let listed =
        world(&rule(&test_of(r#"["t"]"#))).segment(&format!(r#"{{"key":"t","included":["u"],{}}}"#, rule(&own)));
    assert_eq!(listed.outcome(USER), MATCH);
    let diamond = world(&rule(&format!("{},{}", test_of(r#"["t"]"#), test_of(r#"["v"]"#))))
        .segment(&format!(r#"{{"key":"t",{}}}"#, rule(&test_of(r#"["z"]"#))))
        .segment(&format!(r#"{{"key":"v",{}}}"#, rule(&test_of(r#"["z"]"#))))
        .segment(r#"{"key":"z","included":["u"]}"#);
    assert_eq!(diamond.outcome(USER), MATCH);
}

#[test]
fn a_bad_reference_in_a_segment_rule_ends_the_evaluation() {
    let rule = r#""rules":[{"clauses":[{"attribute":"//","contextKind":"user","op":"in","values":[1]}]}]"#;
    assert_eq!(world(rule).outcome(USER), MALFORMED);
    assert_eq!(world(&format!(r#""included":["u"],{rule}"#)).outcome(USER), MATCH);
}

#[test]
fn weighted_rules_take_a_share() {
    for (rule, context, expected) in [
        (r#"{"weight":0}"#, USER, FALL),
        (r#"{"weight":100000}"#, USER, MATCH),
        (r#"{"weight":null}"#, USER, MATCH),
        (r#"{"weight":-1}"#, USER, FALL),
        (r#"{"weight":50000,"rolloutContextKind":"org"}"#, USER, FALL),
        (r#"{"weight":0,"rolloutContextKind":"org"}"#, USER, FALL),
        (r#"{"weight":100000,"rolloutContextKind":"org"}"#, MULTI, MATCH),
        (r#"{"weight":1,"bucketBy":"missing"}"#, USER, MATCH),
        (r#"{"weight":0,"bucketBy":"missing"}"#, USER, FALL),
        (r#"{"weight":100000,"bucketBy":"//","rolloutContextKind":"user"}"#, USER, MALFORMED),
        (r#"{"weight":100000,"bucketBy":"//","rolloutContextKind":"org"}"#, USER, FALL),
        (r#"{"weight":1,"bucketBy":"//"}"#, USER, MATCH),
    ] {
        assert_eq!(world(&format!(r#""rules":[{rule}]"#)).outcome(context), expected, "{rule}");
    }
}

#[test]
fn known_keys_fall_into_the_known_share_of_a_segment() {
    let segment = r#"{"key":"segment3","salt":"salty","rules":[{"weight":14955}]}"#;
    let world = World::default().flag(&ruled(&test_of(r#"["segment3"]"#))).segment(segment);
    assert_eq!(world.outcome(r#"{"kind":"user","key":"user-key"}"#), MATCH);
    assert_eq!(world.outcome(r#"{"kind":"user","key":"unmatching-key"}"#), FALL);
}

use BigSegmentsStatus::{Healthy, Stale, StoreError};

fn big(rest: &str) -> World {
    world(&format!(r#""unbounded":true,"generation":7,{rest}"#))
}

#[test]
fn the_store_decides_and_rules_only_where_it_knows_nothing() {
    for (references, rules, expected) in [
        (&["+s.g7"][..], "\"rules\":[]", format!("{MATCH}+Healthy")),
        (&["-s.g7"], "\"rules\":[]", format!("{FALL}+Healthy")),
        (&["+s.g6"], "\"rules\":[]", format!("{FALL}+Healthy")),
        (&["-s.g7"], ALL, format!("{FALL}+Healthy")),
        (&[], ALL, format!("{MATCH}+Healthy")),
    ] {
        assert_eq!(big(rules).big("u", Healthy, references).outcome(USER), expected, "{references:?}");
    }
    let zero = world(r#""unbounded":true,"generation":0"#).big("u", Stale, &["+s.g0"]);
    assert_eq!(zero.outcome(USER), format!("{MATCH}+Stale"));
}

#[test]
fn without_a_store_or_a_generation_the_status_says_so() {
    assert_eq!(big(r#""included":["u"]"#).outcome(USER), format!("{FALL}+NotConfigured"));
    assert_eq!(big(ALL).outcome(USER), format!("{MATCH}+NotConfigured"));
    let none = world(&format!(r#""unbounded":true,{ALL}"#)).big("u", Healthy, &["+s.g0"]);
    assert_eq!(none.outcome(USER), format!("{FALL}+NotConfigured"));
    assert!(none.queries.borrow().is_empty());
}

#[test]
fn a_context_without_the_kind_is_out_and_not_asked_for() {
    let world = big(&format!(r#""unboundedContextKind":"org",{ALL}"#)).big("u", Healthy, &["+s.g7"]);
    assert_eq!(world.outcome(USER), FALL);
    assert!(world.queries.borrow().is_empty());
    let world = big(r#""unboundedContextKind":"org""#).big("o", Healthy, &["+s.g7"]);
    assert_eq!(world.outcome(MULTI), format!("{MATCH}+Healthy"));
}

#[test]
fn a_failing_store_leaves_the_rules() {
    let world = big(ALL).big("u", StoreError, &[]);
    assert_eq!(world.outcome(USER), format!("{MATCH}+StoreError"));
}

#[test]
fn of_several_statuses_the_worst_counts_and_each_key_is_asked_once() {
    let two = |users: BigSegmentsStatus, orgs: BigSegmentsStatus| {
        World::default()
            .flag(&ruled(&test_of(r#"["s","t","s2"]"#)))
            .segment(r#"{"key":"s","unbounded":true,"generation":1}"#)
            .segment(r#"{"key":"s2","unbounded":true,"generation":1}"#)
            .segment(r#"{"key":"t","unbounded":true,"generation":1,"unboundedContextKind":"org"}"#)
            .big("u", users, &[])
            .big("o", orgs, &[])
    };
    for (users, orgs, worst) in
        [(Stale, Healthy, "Stale"), (Healthy, Stale, "Stale"), (StoreError, Stale, "StoreError")]
    {
        let world = two(users, orgs);
        assert_eq!(world.outcome(MULTI), format!("{FALL}+{worst}"));
        assert_eq!(*world.queries.borrow(), ["u", "o"]);
    }
    let same = two(Healthy, Healthy);
    same.outcome(r#"{"kind":"multi","user":{"key":"u"},"org":{"key":"u"}}"#);
    assert_eq!(*same.queries.borrow(), ["u"]);
}

#[test]
fn a_status_is_kept_across_prerequisites_and_errors() {
    let test = test_of(r#"["s"]"#);
    let world = World::default()
        .flag(&base("f", r#""prerequisites":[{"key":"p","variation":1}]"#))
        .flag(&ruled(&test).replace(r#""key":"f""#, r#""key":"p""#))
        .segment(r#"{"key":"s","unbounded":true,"generation":1}"#)
        .big("u", Stale, &[]);
    assert_eq!(world.outcome(USER), format!("{FALL}+Stale f>p={FALL}"));
    let bad = r#"{"attribute":"//","contextKind":"user","op":"in","values":[]}"#;
    let world = World::default()
        .flag(&ruled(&format!("{test},{bad}")))
        .segment(r#"{"key":"s","unbounded":true,"generation":1}"#)
        .big("u", Healthy, &["+s.g1"]);
    assert_eq!(world.outcome(USER), format!("{MALFORMED}+Healthy"));
}
