//! Attribute references, kind clauses and every operator.

use super::*;

/// Evaluates one clause written as `[!] attribute op [values] [@kind]`, attribute and kind as JSON strings or `-`.
fn clause(text: &str) -> String {
    let (negate, text) = match text.strip_prefix("! ") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (text, kind) = match text.split_once(" @") {
        Some((text, kind)) => (text, format!(r#","contextKind":"{kind}""#)),
        None => (text, String::new()),
    };
    let mut parts = text.splitn(3, ' ');
    let (attribute, op, values) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let attribute = if attribute == "-" { String::new() } else { format!(r#""attribute":{attribute},"#) };
    format!(r#"{{{attribute}"op":"{op}","values":{values},"negate":{negate}{kind}}}"#)
}

fn check(table: &[(&str, &str, &str)]) {
    for (text, context, expected) in table {
        let context = if context.starts_with('{') {
            (*context).to_owned()
        } else {
            format!(r#"{{"kind":"user","key":"u","a":{context}}}"#)
        };
        let world = World::default().flag(&ruled(&clause(text)));
        assert_eq!(world.outcome(&context), *expected, "{text} for {context}");
    }
}

#[test]
fn references_find_attributes() {
    check(&[
        (r#""/a" in ["hit"] @user"#, r#""hit""#, MATCH),
        (r#""a" in ["hit"] @user"#, r#""hit""#, MATCH),
        (r#""/~01" in ["hit"] @user"#, r#"{"kind":"user","key":"u","~1":"hit"}"#, MATCH),
        (r#""~" in ["hit"] @user"#, r#"{"kind":"user","key":"u","~":"hit"}"#, MATCH),
        (r#""a~b" in ["hit"] @user"#, r#"{"kind":"user","key":"u","a~b":"hit"}"#, MATCH),
        (r#""/a/b" in ["hit"]"#, r#"{"kind":"user","key":"u","/a/b":"hit"}"#, MATCH),
        (r#""//" in ["hit"]"#, r#"{"kind":"user","key":"u","//":"hit"}"#, MATCH),
        (r#""/a/0" in ["x"] @user"#, r#"["x"]"#, FALL),
        (r#""/a/b" in ["x"] @user"#, r#"{"kind":"user","key":"u","a":{"b":["y","x"]}}"#, MATCH),
        (r#""/a/b/c" in [1] @user"#, r#"{"kind":"user","key":"u","a":{"b":{"c":1}}}"#, MATCH),
        (r#""/a/b/d" in [1] @user"#, r#"{"kind":"user","key":"u","a":{"b":{"c":1}}}"#, FALL),
        (r#"! "/name/x" in ["y"] @user"#, r#"{"kind":"user","key":"u","name":"n"}"#, FALL),
        (r#"! "/key/x" in ["y"] @user"#, USER, FALL),
        (r#""name" in [""]"#, r#"{"kind":"user","key":"u","name":""}"#, MATCH),
        (r#""/name" in ["n"] @org"#, r#"{"kind":"org","key":"o","name":"n"}"#, MATCH),
        (r#""custom" in ["x"]"#, r#"{"kind":"user","key":"u","custom":["x"]}"#, MATCH),
        (r#""A" in ["x"]"#, r#""x""#, FALL),
    ]);
}

#[test]
fn a_malformed_reference_ends_the_evaluation_when_it_is_reached() {
    for reference in ["/", "", "//", "//a", "/a/", "/a//b", "/a~2", "/a~"] {
        let text = format!(r#""{reference}" in ["hit"] @user"#);
        check(&[(&text, r#""hit""#, MALFORMED)]);
    }
    check(&[("- foo [1]", r#""x""#, MALFORMED), (r#"! "//" in [1] @org"#, r#""x""#, MALFORMED)]);
    let world = World::default().flag(&ruled(&format!(
        "{},{}",
        clause(r#""key" in ["zz"]"#),
        clause(r#""//" in ["x"] @user"#)
    )));
    assert_eq!(world.outcome(USER), FALL);
    let rule = r#"{"variation":2,"clauses":[{"attribute":"//","contextKind":"user","op":"in","values":[]}]}"#;
    let world =
        World::default().flag(&base("f", &format!(r#""targets":[{{"variation":0,"values":["u"]}}],"rules":[{rule}]"#)));
    assert_eq!(world.outcome(USER), "V0/0/TARGET_MATCH");
}

#[test]
fn kind_clauses_look_at_every_kind() {
    const MULTI: &str = r#"{"kind":"multi","user":{"key":"u","a":"x"},"org":{"key":"o"}}"#;
    check(&[
        (r#""kind" in ["org"]"#, MULTI, MATCH),
        (r#"! "kind" in ["org"]"#, MULTI, FALL),
        (r#""kind" in ["multi"]"#, MULTI, FALL),
        (r#"! "kind" matches ["^m"]"#, MULTI, MATCH),
        (r#""kind" startsWith ["us"]"#, MULTI, MATCH),
        (r#""kind" in ["user"] @org"#, USER, MATCH),
        (r#""/kind" in ["user"] @org"#, USER, MATCH),
        (r#"! "kind" in []"#, MULTI, MATCH),
        (r#""/kind" in ["user"]"#, USER, FALL),
        (r#"! "a" in ["x"] @org"#, r#""y""#, FALL),
        (r#"! "a" in ["x"]"#, r#"{"kind":"org","key":"o","a":"y"}"#, FALL),
        (r#""a" in ["x"]"#, MULTI, MATCH),
        (r#""key" in ["o"] @org"#, MULTI, MATCH),
    ]);
}

#[test]
fn in_compares_type_and_value() {
    check(&[
        (r#""a" in [1]"#, "true", FALL),
        (r#""a" in [true]"#, "true", MATCH),
        (r#""a" in [false]"#, "true", FALL),
        (r#""a" in [1.0]"#, "1", MATCH),
        (r#""a" in [0]"#, "-0.0", MATCH),
        (r#""a" in [-0.0]"#, "0", MATCH),
        (r#""a" in [9007199254740992]"#, "9007199254740993", MATCH),
        (r#""a" in [1]"#, r#""1""#, FALL),
        (r#""a" in [true,1,"1"]"#, r#""1""#, MATCH),
        (r#""a" in [5,4,3,2,1]"#, "3", MATCH),
        (r#""a" in ["e\u0301"]"#, r#""é""#, FALL),
        (r#""a" in ["\ud83d\ude00"]"#, r#""😀""#, MATCH),
        (r#""a" in [{"x":1}]"#, r#"[{"x":1}]"#, FALL),
        (r#"! "a" in ["z"]"#, r#"[{"x":1}]"#, MATCH),
        (r#""a" in ["x"]"#, "[]", FALL),
        (r#"! "a" in ["x"]"#, "[]", MATCH),
        (r#""a" in ["x"]"#, r#"[["y"],"x"]"#, MATCH),
        (r#"! "a" in ["zz"]"#, r#"[["x"]]"#, MATCH),
        (r#""a" in ["x"]"#, r#"[["x"]]"#, FALL),
        (r#""a" in [null]"#, "[null]", FALL),
        (r#"! "a" in ["x"]"#, "[null]", MATCH),
        (r#""a" in [null]"#, USER, FALL),
        (r#"! "a" in ["x"]"#, USER, FALL),
        (r#"! "a" in []"#, r#""x""#, MATCH),
        (r#""anonymous" in [false]"#, USER, MATCH),
        (r#"! "a" in ["c"]"#, r#"["b","c"]"#, FALL),
        (r#""a" in ["k0","k1","k2","k3","k4","k5","k6","k7","k8","k9"]"#, r#""k9""#, MATCH),
        (r#""a" in ["k0","k1","k2","k3","k4","k5","k6","k7","k8","k9"]"#, r#""k""#, FALL),
    ]);
    let object = r#"{"kind":"user","key":"u","a":{"x":1}}"#;
    check(&[(r#""a" in [{"x":1}]"#, object, FALL), (r#"! "a" in ["z"]"#, object, MATCH)]);
}

#[test]
fn string_operators_are_ordinal() {
    check(&[
        (r#""a" startsWith [""]"#, r#""abc""#, MATCH),
        (r#""a" startsWith ["ab"]"#, r#""abc""#, MATCH),
        (r#""a" startsWith ["AB"]"#, r#""abc""#, FALL),
        (r#""a" startsWith ["\u200d"]"#, r#""abc""#, FALL),
        (r#""a" startsWith ["e"]"#, r#""e\u0301x""#, MATCH),
        (r#""a" startsWith ["é"]"#, r#""e\u0301x""#, FALL),
        (r#"! "a" startsWith ["1"]"#, "123", MATCH),
        (r#""a" startsWith ["ab"]"#, r#"["zz","abc"]"#, MATCH),
        (r#""a" endsWith ["x","bc"]"#, r#""abc""#, MATCH),
        (r#""a" endsWith ["abcd"]"#, r#""abc""#, FALL),
        (r#""a" contains ["b"]"#, r#""abc""#, MATCH),
        (r#""a" contains ["ac"]"#, r#""abc""#, FALL),
        (r#""a" contains [1]"#, r#""1""#, FALL),
    ]);
}

#[test]
fn numeric_operators_take_numbers_only() {
    check(&[
        (r#""a" lessThan ["2"]"#, "1", FALL),
        (r#""a" lessThan [2]"#, "true", FALL),
        (r#"! "a" lessThan [2]"#, r#""1""#, MATCH),
        (r#""a" lessThan [2]"#, "[5,1]", MATCH),
        (r#""a" lessThan [2]"#, "2", FALL),
        (r#""a" lessThanOrEqual [2]"#, "2.0", MATCH),
        (r#""a" lessThanOrEqual [2]"#, "2.5", FALL),
        (r#""a" greaterThan [2]"#, "2.5", MATCH),
        (r#""a" greaterThan [2]"#, "2", FALL),
        (r#""a" greaterThanOrEqual [2]"#, "2", MATCH),
        (r#""a" greaterThanOrEqual [2]"#, "1", FALL),
        (r#""a" greaterThan [7,1]"#, "2", MATCH),
    ]);
}

#[test]
fn unknown_operators_never_pass() {
    check(&[
        (r#""a" unknownOp ["x"]"#, r#""x""#, FALL),
        (r#"! "a" unknownOp ["x"]"#, r#""x""#, MATCH),
        (r#"! "a" unknownOp ["x"]"#, USER, FALL),
        (r#""a" IN ["x"]"#, r#""x""#, FALL),
    ]);
}

#[test]
fn expressions_search_and_bad_ones_never_match() {
    check(&[
        (r#""a" matches ["***"]"#, r#""abc""#, FALL),
        (r#"! "a" matches ["***"]"#, r#""abc""#, MATCH),
        (r#""a" matches ["***","b"]"#, r#""abc""#, MATCH),
        (r#""a" matches ["abc"]"#, r#""xxabcxx""#, MATCH),
        (r#""a" matches [""]"#, r#""abc""#, MATCH),
        (r#""a" matches ["a(?=b)"]"#, r#""ab""#, FALL),
        (r#""a" matches ["^\\d$"]"#, r#""٣""#, FALL),
        (r#""a" matches ["abc$"]"#, r#""abc\n""#, FALL),
        (r#""a" matches [1]"#, r#""1""#, FALL),
        (r#""a" matches ["1"]"#, "1", FALL),
        (r#""a" matches ["^b"]"#, r#"["a","b"]"#, MATCH),
    ]);
}

#[test]
fn dates_compare_as_instants() {
    const NOON: &str = r#""2017-12-06T00:00:00.000-07:00""#;
    check(&[
        (r#""a" before [1512543601000]"#, NOON, MATCH),
        (r#""a" after [1512543599999]"#, NOON, MATCH),
        (r#""a" after ["2017-12-06"]"#, NOON, FALL),
        (r#""a" after ["1512543600000"]"#, NOON, FALL),
        (r#""a" after [""]"#, NOON, FALL),
        (r#""a" after ["2017-12-06T00:00:00"]"#, r#""2018-12-06T00:00:00Z""#, FALL),
        (r#""a" after [1.1]"#, "1.9", FALL),
        (r#""a" after [1.5]"#, "2.5", MATCH),
        (r#""a" after [0]"#, "10413792000000", MATCH),
        (r#""a" after [0]"#, "253402300800000", MATCH),
        (r#"! "a" after [0]"#, r#""zzz""#, MATCH),
        (r#""a" after [0]"#, "true", FALL),
        (r#""a" before ["2017-12-06T00:00:00Z"]"#, r#""2017-12-06T00:00:00+01:00""#, MATCH),
    ]);
    for spelling in [
        "1512543600000",
        r#""2017-12-06t07:00:00z""#,
        r#""2017-12-06T07:00:00.000000Z""#,
        r#""2017-12-06T08:00:00+01:00""#,
    ] {
        for op in ["before", "after"] {
            let text = format!(r#""a" {op} [{spelling}]"#);
            check(&[(&text, NOON, FALL)]);
        }
    }
}

#[test]
fn versions_compare_by_precedence() {
    check(&[
        (r#""a" semVerEqual ["2.0.0"]"#, r#""2""#, MATCH),
        (r#""a" semVerEqual ["2.0.0"]"#, r#""2.0""#, MATCH),
        (r#""a" semVerEqual ["2.0.0"]"#, r#""2.0.0+b""#, MATCH),
        (r#""a" semVerEqual ["2.0.0-rc"]"#, r#""2-rc""#, MATCH),
        (r#""a" semVerEqual ["2.0.0-rc"]"#, r#""2.0.0-rc+b""#, MATCH),
        (r#""a" semVerEqual ["2.0.0"]"#, r#""02.0.0""#, FALL),
        (r#""a" semVerEqual ["2.0.0"]"#, r#""v2.0.0""#, FALL),
        (r#""a" semVerEqual ["2.0.0"]"#, r#""2.0.0.0""#, FALL),
        (r#""a" semVerEqual ["2.0.0"]"#, "2", FALL),
        (r#""a" semVerLessThan ["2.0.0-rc.10.green"]"#, r#""2.0.0-rc.2.green""#, MATCH),
        (r#""a" semVerGreaterThan ["2.0.0-Alpha"]"#, r#""2.0.0-alpha""#, MATCH),
        (r#""a" semVerGreaterThan ["0.0.0-0"]"#, r#""2.0.0-rc..1""#, FALL),
        (r#""a" semVerGreaterThan ["0.0.0-0"]"#, r#""2.0.0-01""#, FALL),
        (r#""a" semVerGreaterThan ["0.0.0-0"]"#, r#""2147483648.0.0""#, MATCH),
        (r#""a" semVerLessThan ["2.0.0-100000000000"]"#, r#""2.0.0-99999999999""#, MATCH),
        (r#"! "a" semVerEqual ["2.0.0"]"#, r#""zz""#, MATCH),
        (r#""a" semVerLessThan ["1","3"]"#, r#""2""#, MATCH),
    ]);
}
