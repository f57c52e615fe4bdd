//! Tests of reading items: what is tolerated, what is refused and what is remembered.

use super::*;

fn flag(json: &str) -> Result<Parsed<Flag>, ParseError> {
    parse_flag("field", json.as_bytes(), &mut Interner::default())
}

fn live(json: &str) -> Flag {
    match flag(json) {
        Ok(Parsed::Live(flag)) => flag,
        other => panic!("{json}: {other:?}"),
    }
}

fn segment(json: &str) -> Segment {
    match parse_segment("field", json.as_bytes(), &mut Interner::default()) {
        Ok(Parsed::Live(segment)) => segment,
        other => panic!("{json}: {other:?}"),
    }
}

#[test]
fn an_empty_object_is_a_flag_named_like_its_field() {
    let flag = live("{}");
    assert_eq!((&*flag.key, flag.version, flag.on), ("field", 0, false));
    assert_eq!((flag.sampling_ratio, flag.off_variation), (1, None));
    assert!(flag.variations.is_empty() && flag.rules.is_empty() && flag.targets.is_empty());
    assert!(matches!(flag.fallthrough, Serve::Nothing));
    assert!(!flag.client_side && flag.mobile && flag.migration_check_ratio.is_none());
    let segment = segment("{}");
    assert_eq!((&*segment.key, segment.version), ("field", 0));
    assert!(segment.unbounded.is_none());
}

#[test]
fn null_is_absent_everywhere_except_for_key_version_and_op() {
    let flag = live(
        r#"{"deleted":null,"on":null,"prerequisites":null,"targets":null,"contextTargets":null,"rules":null,
        "fallthrough":null,"offVariation":null,"variations":null,"salt":null,"trackEvents":null,
        "trackEventsFallthrough":null,"debugEventsUntilDate":null,"clientSideAvailability":null,"clientSide":null,
        "samplingRatio":null,"excludeFromSummaries":null,"migration":null}"#,
    );
    assert_eq!(flag.sampling_ratio, 1);
    live(
        r#"{"prerequisites":[{"key":null,"variation":null}],"targets":[{"variation":null,"values":null,"contextKind":null}],
        "rules":[{"id":null,"clauses":[{"contextKind":null,"attribute":null,"op":"in","values":null,"negate":null}],
        "variation":null,"rollout":{"kind":null,"contextKind":null,"bucketBy":null,"seed":null,
        "variations":[{"variation":null,"weight":null,"untracked":null}]}}],"migration":{"checkRatio":null}}"#,
    );
    for json in [r#"{"key":null}"#, r#"{"version":null}"#, r#"{"rules":[{"clauses":[{"op":null}]}]}"#] {
        assert!(matches!(flag_error(json), ParseError::Field { .. }), "{json}");
    }
}

fn flag_error(json: &str) -> ParseError {
    flag(json).map(|_| ()).unwrap_err()
}

#[test]
fn a_wrong_type_is_reported_with_the_path_of_the_property() {
    for (json, path) in [
        (r#"{"on":"yes"}"#, "`on`"),
        (r#"{"version":"1"}"#, "`version`"),
        (r#"{"key":3}"#, "`key`"),
        (r#"{"variations":{}}"#, "`variations`"),
        (r#"{"targets":[{"values":[1]}]}"#, "`targets.values`"),
        (r#"{"targets":[{"values":[null]}]}"#, "`targets.values`"),
        (r#"{"rules":[{"clauses":[{"op":1}]}]}"#, "`rules.clauses.op`"),
        (r#"{"rules":[{"rollout":{"variations":[{"weight":"1"}]}}]}"#, "`rules.rollout.variations.weight`"),
        (r#"{"rules":[{"clauses":[{"op":"in","values":"x"}]}]}"#, "`rules.clauses.values`"),
        (r#"{"fallthrough":[1]}"#, "`fallthrough`"),
        (r#"{"debugEventsUntilDate":true}"#, "`debugEventsUntilDate`"),
        (r#"{"clientSideAvailability":{"usingMobileKey":1}}"#, "`clientSideAvailability.usingMobileKey`"),
    ] {
        let text = flag_error(json).to_string();
        assert!(text.starts_with(&format!("{path}: ")), "{json}: {text}");
    }
    let error = parse_segment("s", br#"{"included":[1]}"#, &mut Interner::default()).unwrap_err();
    assert!(error.to_string().starts_with("`included`: invalid type"), "{error}");
}

#[test]
fn whole_numbers_may_be_written_in_any_way_but_must_fit() {
    for (number, value) in [
        ("1", 1),
        ("1.0", 1),
        ("1e3", 1000),
        ("-0.0", 0),
        ("9223372036854775807", i64::MAX),
        ("3000000000", 3_000_000_000),
    ] {
        assert_eq!(live(&format!(r#"{{"version":{number}}}"#)).version, value, "{number}");
    }
    for number in ["1.5", "0.9", "1e30", "-1e30", "9223372036854775808", "18446744073709551615", "1e999"] {
        assert!(flag(&format!(r#"{{"version":{number}}}"#)).is_err(), "{number}");
    }
}

#[test]
fn text_that_is_no_json_object_is_refused() {
    for json in
        ["", " ", "{", "nul", r#"{"a":}"#, r#"{"a":1"#, r#"{"a":1}}"#, r#"{"on":tru}"#, "{\"rules\":[{\"id\":\"\n\"}]}"]
    {
        assert!(matches!(flag_error(json), ParseError::Json(_)), "{json:?}");
    }
    for json in ["null", "true", "1", "\"x\"", "[]", "[1]"] {
        assert!(matches!(flag_error(json), ParseError::Field { .. }), "{json:?}");
    }
    let bytes = parse_flag("f", b"{\"key\":\"\xff\"}", &mut Interner::default());
    assert_eq!(bytes.map(|_| ()).unwrap_err(), ParseError::NotUtf8);
}

#[test]
fn every_known_shape_of_a_tombstone_is_one() {
    for (json, expected) in [
        (r#"{"version":7,"deleted":true}"#, 7),
        (r#"{"key":"f","version":7,"deleted":true}"#, 7),
        (
            r#"{"key":"$deleted","version":7,"deleted":true,"on":false,"rules":[],"fallthrough":{},"offVariation":null}"#,
            7,
        ),
        (r#"{"deleted":true}"#, 0),
        (r#"{"deleted":true,"version":null}"#, 0),
        (r#"{"deleted":true,"version":"x"}"#, 0),
        (r#"{"deleted":true,"version":7.0,"key":null,"rules":3}"#, 7),
        (r#"{"variations":["\ud800"],"deleted":true,"version":7}"#, 7),
    ] {
        for parsed in [
            flag(json).map(|parsed| matches!(parsed, Parsed::Tombstone { version } if version == expected)),
            parse_segment("s", json.as_bytes(), &mut Interner::default())
                .map(|parsed| matches!(parsed, Parsed::Tombstone { version } if version == expected)),
        ] {
            assert_eq!(parsed, Ok(true), "{json}");
        }
    }
    assert!(flag(r#"{"deleted":"true"}"#).is_err());
    assert!(flag(r#"{"deleted":false,"rules":3}"#).is_err());
}

#[test]
fn unknown_properties_are_skipped_and_repeated_ones_replaced() {
    let flag =
        live(r#"{"x":{"y":[1,{"z":null}]},"version":1,"rules":[{"x":1,"clauses":[{"x":[],"op":"in"}]}],"version":2}"#);
    assert_eq!(flag.version, 2);
    assert_eq!(flag.rules.len(), 1);
}

#[test]
fn client_visibility_comes_from_the_object_if_there_is_one() {
    for (properties, client_side, mobile) in [
        ("", false, true),
        (r#""clientSide":true"#, true, true),
        (r#""clientSide":true,"clientSideAvailability":{}"#, false, false),
        (r#""clientSide":false,"clientSideAvailability":{"usingEnvironmentId":true}"#, true, false),
        (r#""clientSide":true,"clientSideAvailability":{"usingMobileKey":true}"#, false, true),
        (r#""clientSide":true,"clientSideAvailability":null"#, true, true),
    ] {
        let flag = live(&format!("{{{properties}}}"));
        assert_eq!((flag.client_side, flag.mobile), (client_side, mobile), "{properties}");
    }
}

#[test]
fn properties_for_events_are_kept() {
    let flag = live(
        r#"{"trackEvents":true,"trackEventsFallthrough":true,"debugEventsUntilDate":1700000000000.5,"samplingRatio":-2,
        "excludeFromSummaries":true,"migration":{"checkRatio":5},"rules":[{"trackEvents":true},{}]}"#,
    );
    assert!(flag.track_events && flag.track_events_fallthrough && flag.exclude_from_summaries);
    assert_eq!(flag.debug_events_until, Some(1_700_000_000_000.5));
    assert_eq!((flag.sampling_ratio, flag.migration_check_ratio), (-2, Some(5)));
    assert_eq!([flag.rules[0].track_events, flag.rules[1].track_events], [true, false]);
    assert_eq!(live(r#"{"migration":{}}"#).migration_check_ratio, Some(1));
}

#[test]
fn items_know_what_they_refer_to() {
    let test = |keys: &str| {
        format!(r#"{{"clauses":[{{"op":"in","values":["no"]}},{{"op":"segmentMatch","values":{keys}}}]}}"#)
    };
    let rules = format!(r#""rules":[{},{{}},{}]"#, test(r#"["a","b"]"#), test(r#"["c",3]"#));
    let flag = live(&format!(r#"{{"prerequisites":[{{"key":"p"}},{{"key":"q"}}],{rules}}}"#));
    assert_eq!(flag.prerequisite_keys().collect::<Vec<_>>(), ["p", "q"]);
    assert_eq!(flag.segments().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(segment(&format!("{{{rules}}}")).segments().collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn equal_patterns_of_different_flags_share_one_expression() {
    let json = r#"{"rules":[{"clauses":[{"attribute":"key","op":"matches","values":["^a$","***"]}]}]}"#;
    let mut interner = Interner::default();
    let expressions: Vec<_> = (0..2)
        .map(|_| match parse_flag("f", json.as_bytes(), &mut interner) {
            Ok(Parsed::Live(flag)) => match &flag.rules[0].clauses[0].test {
                Test::Matches(expressions) => expressions.clone(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(expressions[0].len(), 1);
    assert!(std::sync::Arc::ptr_eq(&expressions[0][0], &expressions[1][0]));
}

#[test]
fn variations_keep_their_text() {
    let flag = live(r#"{"variations":[ 1.50 , "a" , {"a" : 1} ,null]}"#);
    let texts: Vec<_> = flag.variations.iter().map(Variation::json).collect();
    assert_eq!(texts, ["1.50", "\"a\"", "{\"a\" : 1}", "null"]);
}

#[test]
fn a_string_with_brackets_is_not_deep() {
    let brackets = "[{".repeat(1000);
    live(&format!(r#"{{"salt":"{brackets}","variations":["\"{brackets}\\"]}}"#));
    let wide = vec!["[]"; 1000].join(",");
    live(&format!(r#"{{"variations":[{wide}]}}"#));
}
