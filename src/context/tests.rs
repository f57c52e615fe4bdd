//! Tests of contexts: what is accepted, what they look like as JSON, and their canonical keys.

use super::*;
use crate::model::{AttributeRef, Value};

/// JSON form and canonical key.
fn forms(json: &str) -> (String, String) {
    let context = Context::from_json(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    (context.to_json(), context.canonical_key().to_owned())
}

fn error(json: &str) -> ContextError {
    Context::from_json(json).map(|_| ()).expect_err(json)
}

#[test]
fn canonical_keys_escape_separators_except_for_users() {
    for (json, key) in [
        (r#"{"kind":"user","key":"x:y"}"#, "x:y"),
        (r#"{"kind":"org","key":"a:b%c"}"#, "org:a%3Ab%25c"),
        (
            r#"{"kind":"multi","user":{"key":"u"},"org":{"key":"o"},"Zed":{"key":"z"},"_x":{"key":"1"}}"#,
            "Zed:z:_x:1:org:o:user:u",
        ),
        (r#"{"kind":"multi","user":{"key":"a:b"},"org":{"key":"o"}}"#, "org:o:user:a%3Ab"),
        (r#"{"kind":"multi","org":{"key":"o"}}"#, "org:o"),
        (r#"{"kind":"multi","user":{"key":"a:b"}}"#, "a:b"),
        (r#"{"key":""}"#, ""),
        (r#"{"key":"x:y"}"#, "x:y"),
    ] {
        assert_eq!(forms(json).1, key, "{json}");
    }
}

#[test]
fn json_is_written_in_order_and_reads_back() {
    for (json, written) in [
        (
            r#"{"key":"k","kind":"org","b":1.0,"a":"é","name":"n"}"#,
            r#"{"kind":"org","key":"k","name":"n","b":1,"a":"é"}"#,
        ),
        (r#"{"kind":"user","key":"u","anonymous":false}"#, r#"{"kind":"user","key":"u"}"#),
        (r#"{"kind":"user","key":"u","anonymous":true,"name":null}"#, r#"{"kind":"user","key":"u","anonymous":true}"#),
        (r#"{"kind":"user","key":"u","name":""}"#, r#"{"kind":"user","key":"u","name":""}"#),
        (
            r#"{"kind":"multi","user":{"key":"u","a":1},"org":{"key":"o"}}"#,
            r#"{"kind":"multi","org":{"key":"o"},"user":{"key":"u","a":1}}"#,
        ),
        (r#"{"kind":"multi","org":{"key":"o","name":"n"}}"#, r#"{"kind":"org","key":"o","name":"n"}"#),
        (
            r#"{"kind":"user","key":"u","a":null,"b":[null],"c":{"d":null}}"#,
            r#"{"kind":"user","key":"u","b":[null],"c":{"d":null}}"#,
        ),
        (r#"{"kind":"user","key":"u","a":1,"b":2,"a":3}"#, r#"{"kind":"user","key":"u","a":3,"b":2}"#),
        (r#"{"kind":"user","key":"u","a":1,"a":null}"#, r#"{"kind":"user","key":"u"}"#),
        (r#"{"kind":"user","key":"u","":"x"}"#, r#"{"kind":"user","key":"u"}"#),
        (
            r#"{"kind":"user","key":"u","_meta":{"privateAttributes":["/a/b","///",""],"secondary":3}}"#,
            r#"{"kind":"user","key":"u","_meta":{"privateAttributes":["/a/b","///",""]}}"#,
        ),
        (r#"{"kind":"user","key":"u","_meta":{"privateAttributes":null}}"#, r#"{"kind":"user","key":"u"}"#),
        (r#"{"kind":"user","key":"u","_meta":null}"#, r#"{"kind":"user","key":"u"}"#),
        (
            r#"{"kind":"user","key":"u","custom":{"x":1},"ip":2}"#,
            r#"{"kind":"user","key":"u","custom":{"x":1},"ip":2}"#,
        ),
        (r#"{"kind":"Kind","key":"k"}"#, r#"{"kind":"Kind","key":"k"}"#),
        (r#"{"kind":"MULTI","key":"k"}"#, r#"{"kind":"MULTI","key":"k"}"#),
        (
            r#"{"kind":"multi","org":{"key":"o","kind":"other"},"user":{"key":"u"}}"#,
            r#"{"kind":"multi","other":{"key":"o"},"user":{"key":"u"}}"#,
        ),
    ] {
        assert_eq!(forms(json).0, written, "{json}");
        assert_eq!(forms(written).0, written);
    }
}

#[test]
fn legacy_users_become_contexts() {
    for (json, written) in [
        (r#"{"key":""}"#, r#"{"kind":"user","key":""}"#),
        (
            r#"{"key":"u","name":null,"anonymous":null,"email":null,"firstName":"F","ip":"1"}"#,
            r#"{"kind":"user","key":"u","firstName":"F","ip":"1"}"#,
        ),
        (
            r#"{"key":"u","custom":{"key":"k2","name":"N","kind":"x","anonymous":true,"_meta":{},"a":[1],"b":null}}"#,
            r#"{"kind":"user","key":"u","a":[1]}"#,
        ),
        (r#"{"custom":{"email":"custom"},"email":"top","key":"u"}"#, r#"{"kind":"user","key":"u","email":"custom"}"#),
        (
            r#"{"key":"u","privateAttributeNames":["/a","b~c","/~"]}"#,
            r#"{"kind":"user","key":"u","_meta":{"privateAttributes":["/~1a","b~c","/~1~0"]}}"#,
        ),
        (r#"{"key":"u","foo":1,"secondary":"s","_meta":3,"custom":null}"#, r#"{"kind":"user","key":"u"}"#),
        (r#"{"key":"u","anonymous":true}"#, r#"{"kind":"user","key":"u","anonymous":true}"#),
    ] {
        assert_eq!(forms(json).0, written, "{json}");
    }
    for json in [
        "{}",
        r#"{"key":null}"#,
        r#"{"key":3}"#,
        r#"{"key":"u","name":3}"#,
        r#"{"key":"u","anonymous":"x"}"#,
        r#"{"key":"u","email":3}"#,
        r#"{"key":"u","custom":[]}"#,
        r#"{"key":"u","privateAttributeNames":"a"}"#,
        r#"{"key":"u","privateAttributeNames":[3]}"#,
    ] {
        error(json);
    }
}

#[test]
fn invalid_contexts_say_what_is_wrong() {
    use ContextError::*;
    for (json, expected) in [
        ("[]", NotAnObject),
        ("null", NotAnObject),
        (r#"{"kind":"org"}"#, KeyMissing),
        (r#"{"kind":"org","key":null}"#, KeyMissing),
        (r#"{"kind":"user","key":""}"#, KeyEmpty),
        (r#"{"kind":"","key":"k"}"#, KindEmpty),
        (r#"{"kind":"kind","key":"k"}"#, KindIsKind),
        (r#"{"kind":"a b","key":"k"}"#, KindCharacters("a b".into())),
        (r#"{"kind":"é","key":"k"}"#, KindCharacters("é".into())),
        (r#"{"kind":"multi"}"#, MultiEmpty),
        (r#"{"kind":"multi","a":{"key":"k"},"b":{"key":"k","kind":"a"}}"#, MultiDuplicate("a".into())),
        (r#"{"kind":"multi","multi":{"key":"k"}}"#, Members(vec![("multi".into(), KindIsMulti)])),
        (
            r#"{"kind":"multi","org":{"key":""},"user":{"key":"u"},"x y":{"key":"k"}}"#,
            Members(vec![("org".into(), KeyEmpty), ("x y".into(), KindCharacters("x y".into()))]),
        ),
    ] {
        assert_eq!(error(json), expected, "{json}");
    }
    for (json, wrong) in [
        (r#"{"kind":null,"key":"k"}"#, "kind"),
        (r#"{"kind":true,"key":"k"}"#, "kind"),
        (r#"{"kind":"org","key":3}"#, "key"),
        (r#"{"kind":"org","key":"k","name":3}"#, "name"),
        (r#"{"kind":"org","key":"k","anonymous":null}"#, "anonymous"),
        (r#"{"kind":"org","key":"k","anonymous":"true"}"#, "anonymous"),
        (r#"{"kind":"org","key":"k","_meta":3}"#, "_meta"),
        (r#"{"kind":"org","key":"k","_meta":{"privateAttributes":[3]}}"#, "privateAttributes"),
        (r#"{"kind":"org","key":"k","_meta":{"privateAttributes":"a"}}"#, "privateAttributes"),
    ] {
        assert!(matches!(error(json), WrongType { property, .. } if &*property == wrong), "{json}");
    }
    assert!(matches!(error(r#"{"kind":"multi","org":null}"#), Members(_)));
    for json in ["", "{", r#"{"kind":"user","key":"u","a":1e999}"#, "{\"key\":\"\\ud800\"}"] {
        assert!(matches!(error(json), Json(_)), "{json}");
    }
}

#[test]
fn messages_start_in_lower_case_and_name_the_kind() {
    let text = error(r#"{"kind":"multi","org":{"key":""},"x y":{"key":"k"}}"#).to_string();
    assert!(text.starts_with("in kind \"org\": the context key is empty; in kind \"x y\": "), "{text}");
}

#[test]
fn builders_treat_built_in_names_as_such() {
    let context = Context::builder("", "u")
        .set("name", Value::String("n".into()))
        .set("anonymous", Value::Bool(true))
        .set("a", Value::Number(1.0))
        .set("gone", Value::Bool(true))
        .set("gone", Value::Null)
        .set("", Value::Bool(true))
        .private("a")
        .build()
        .unwrap();
    assert_eq!(
        context.to_json(),
        r#"{"kind":"user","key":"u","name":"n","anonymous":true,"a":1,"_meta":{"privateAttributes":["a"]}}"#
    );
    let moved = Context::builder("user", "u")
        .set("kind", Value::String("org".into()))
        .set("key", Value::String("o".into()))
        .build();
    assert_eq!(moved.unwrap().canonical_key(), "org:o");
    for (name, value) in [
        ("name", Value::Number(1.0)),
        ("anonymous", Value::Null),
        ("kind", Value::Bool(true)),
        ("kind", Value::String("".into())),
        ("key", Value::Null),
        ("_meta", Value::Bool(true)),
    ] {
        assert!(Context::builder("user", "u").set(name, value).build().is_err(), "{name}");
    }
    assert_eq!(Context::builder("user", "").build().map(|_| ()), Err(ContextError::KeyEmpty));
    assert_eq!(Context::from_key("multi", "k").map(|_| ()), Err(ContextError::KindIsMulti));
    assert_eq!(Context::from_key("", "k").unwrap().to_json(), r#"{"kind":"user","key":"k"}"#);
}

#[test]
fn merging_flattens_and_refuses_duplicates() {
    let (user, org) = (Context::from_key("", "u").unwrap(), Context::from_key("org", "o").unwrap());
    let both = Context::merge(&[&user, &org]).unwrap();
    assert!(both.is_multi());
    assert_eq!(both.kinds().collect::<Vec<_>>(), ["org", "user"]);
    assert_eq!(both.individual("org").map(SingleContext::key), Some("o"));
    assert!(both.individual("multi").is_none());
    let team = Context::from_key("team", "t").unwrap();
    assert_eq!(Context::merge(&[&team, &both]).unwrap().canonical_key(), "org:o:team:t:user:u");
    assert_eq!(Context::merge(&[&org]).unwrap().canonical_key(), "org:o");
    assert_eq!(Context::merge(&[]).map(|_| ()), Err(ContextError::MultiEmpty));
    assert_eq!(Context::merge(&[&both, &user]).map(|_| ()), Err(ContextError::MultiDuplicate("user".into())));
}

#[test]
fn references_find_built_in_and_custom_attributes() {
    let context = Context::from_json(r#"{"kind":"org","key":"k","anonymous":true,"a":{"b":{"c":[1]}},"n":5}"#).unwrap();
    let single = context.individual("org").unwrap();
    let get = |text: &str| single.get(&AttributeRef::parse(text));
    assert_eq!(get("kind"), Attribute::String("org"));
    assert_eq!(get("/key"), Attribute::String("k"));
    assert_eq!(get("name"), Attribute::Null);
    assert_eq!(get("anonymous"), Attribute::Bool(true));
    assert_eq!(get("n"), Attribute::Number(5.0));
    assert_eq!(get("/a/b/c"), Attribute::Array(&[Value::Number(1.0)]));
    for nothing in ["/a/b/c/0", "/a/x", "/x/b", "/n/x", "/key/x", "_meta", "N", "//"] {
        assert_eq!(get(nothing), Attribute::Null, "{nothing}");
    }
}

#[test]
fn contexts_can_be_shared_between_threads() {
    fn shareable<T: Send + Sync + 'static>() {}
    shareable::<Context>();
    shareable::<crate::model::Flag>();
    shareable::<crate::model::Segment>();
}

#[test]
fn any_bytes_are_a_context_or_an_error() {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"kind\"",
        "\"multi\"",
        "\"user\"",
        "\"key\"",
        "\"u\"",
        "null",
        "1",
        "true",
        "\"_meta\"",
    ];
    let mut state = 7u64;
    for _ in 0..50_000 {
        let mut json = String::from("{\"kind\":");
        for _ in 0..10 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            json.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        if let Ok(context) = Context::from_json(&json) {
            assert!(Context::from_json(&context.to_json()).is_ok(), "{json}");
        }
    }
}
