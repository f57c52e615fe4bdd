//! What is kept private, and how the rest says so.

use super::*;
use crate::model::Value;

fn privacy(all: bool, references: &[&str]) -> Privacy {
    Privacy { all, references: references.iter().map(|reference| (*reference).to_owned()).collect() }
}

fn written(redaction: &Redaction, context: &Context, hides_anonymous: bool) -> String {
    let mut out = String::new();
    redaction.write(context, hides_anonymous, &mut out);
    out
}

/// How a context is told with these private references configured.
fn told(references: &[&str], context: &str) -> String {
    written(&Redaction::new(&privacy(false, references)), &Context::from_json(context).unwrap(), false)
}

/// A user who is told as `attributes` (with a comma in front), of whom `redacted` was left out.
fn user(attributes: &str, redacted: &[&str]) -> String {
    let items: Vec<String> = redacted.iter().map(|reference| format!("{reference:?}")).collect();
    let meta = format!(r#","_meta":{{"redactedAttributes":[{}]}}"#, items.join(","));
    format!(r#"{{"kind":"user","key":"k"{attributes}{}}}"#, if redacted.is_empty() { "" } else { &meta })
}

/// What is left of a user with `attributes`, whoever keeps the `references` private: the configuration, the context, one of
/// them each, or both all of them.
fn assert_left(attributes: &str, references: &[&str], left: &str, redacted: &[&str]) {
    let quoted = |references: &[&str]| references.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(",");
    let (some, others) = references.split_at(references.len() / 2);
    for (configured, own) in [(references, &[][..]), (&[], references), (some, others), (references, references)] {
        let meta = format!(r#""_meta":{{"privateAttributes":[{}]}}"#, quoted(own));
        let context = format!(r#"{{"kind":"user","key":"k",{meta}{attributes}}}"#);
        assert_eq!(told(configured, &context), user(left, redacted), "{configured:?} {own:?} of {attributes}");
    }
}

#[test]
fn without_anything_private_a_context_is_told_as_it_is() {
    for context in [
        r#"{"kind":"user","key":"k"}"#,
        r#"{"kind":"org","key":"k","anonymous":true,"name":"n","a":1,"b":[{"c":null}],"d":{"e":{}},"f":"","g":1.5,"h":false}"#,
        r#"{"kind":"multi","org":{"key":"o","name":"n"},"user":{"key":"u","anonymous":true,"a":{"b":"c"}}}"#,
    ] {
        assert_eq!(told(&[], context), context);
        assert_eq!(told(&["absent", "/absent/too", "/a/absent", "/d/absent", "/b/c", "/b/0"], context), context);
    }
}

#[test]
fn attributes_are_left_out_by_name_and_by_path() {
    let attributes = r#","name":"n","a":1,"b":{"c":{"d":1,"e":2},"f":3},"g":{"h":1}"#;
    for (references, left, redacted) in [
        (&["a"][..], r#","name":"n","b":{"c":{"d":1,"e":2},"f":3},"g":{"h":1}"#, &["a"][..]),
        (&["/a", "a"], r#","name":"n","b":{"c":{"d":1,"e":2},"f":3},"g":{"h":1}"#, &["a"]),
        (&["name"], r#","a":1,"b":{"c":{"d":1,"e":2},"f":3},"g":{"h":1}"#, &["name"]),
        (&["/name"], r#","a":1,"b":{"c":{"d":1,"e":2},"f":3},"g":{"h":1}"#, &["name"]),
        (&["/b/c"], r#","name":"n","a":1,"b":{"f":3},"g":{"h":1}"#, &["/b/c"]),
        (&["/b/c/e", "/b/f"], r#","name":"n","a":1,"b":{"c":{"d":1}},"g":{"h":1}"#, &["/b/c/e", "/b/f"]),
        (&["/b/f", "/b/c/e"], r#","name":"n","a":1,"b":{"c":{"d":1}},"g":{"h":1}"#, &["/b/c/e", "/b/f"]),
        (&["/b/c/e", "/b/c", "/b/c/d"], r#","name":"n","a":1,"b":{"f":3},"g":{"h":1}"#, &["/b/c"]),
        (&["/b/c/e", "b"], r#","name":"n","a":1,"g":{"h":1}"#, &["b"]),
        (&["/g/h", "a", "name"], r#","b":{"c":{"d":1,"e":2},"f":3},"g":{}"#, &["name", "a", "/g/h"]),
    ] {
        assert_left(attributes, references, left, redacted);
    }
}

#[test]
fn what_identifies_somebody_stays_whatever_is_private() {
    let all =
        ["kind", "key", "anonymous", "_meta", "/kind", "/key", "/anonymous", "/_meta", "/_meta/privateAttributes"];
    assert_left(r#","anonymous":true,"a":1"#, &all, r#","anonymous":true,"a":1"#, &[]);
    let context = Context::from_json(r#"{"kind":"org","key":"k","anonymous":true}"#).unwrap();
    assert_eq!(
        written(&Redaction::new(&privacy(true, &all)), &context, true),
        r#"{"kind":"org","key":"k","anonymous":true}"#
    );
}

#[test]
fn references_that_are_none_or_that_nothing_has_are_ignored() {
    let attributes = r#","name":"n","a":{"b":1},"/":1,"//":2,"/a":3"#;
    for reference in ["", "/", "//", "//a", "/a/", "/a//b", "/a~2", "/a~", "/name/x", "/a/b/c", "/a/b/"] {
        assert_left(attributes, &[reference], attributes, &[]);
    }
}

#[test]
fn paths_do_not_descend_into_arrays_or_scalars() {
    let attributes = r#","a":[{"b":1}],"c":"text","d":{"e":[{"f":1}]}"#;
    assert_left(attributes, &["/a/0", "/a/b", "/a/0/b", "/c/0", "/d/e/f", "/d/e/0"], attributes, &[]);
    assert_left(attributes, &["/d/e", "/a"], r#","c":"text","d":{}"#, &["a", "/d/e"]);
}

#[test]
fn names_with_slashes_and_tildes_are_told_as_references_that_lead_back_to_them() {
    let attributes = r#","/a":1,"b/c":2,"d~e":3,"~0":4,"/f~g/":5,"h":{"/i":1,"j~k":2,"l":3}"#;
    for (references, left, redacted) in [
        (&["/~1a"][..], r#","b/c":2,"d~e":3,"~0":4,"/f~g/":5,"h":{"/i":1,"j~k":2,"l":3}"#, &["/~1a"][..]),
        (&["/a"], attributes, &[]),
        (&["b/c"], r#","/a":1,"d~e":3,"~0":4,"/f~g/":5,"h":{"/i":1,"j~k":2,"l":3}"#, &["b/c"]),
        (&["/b~1c"], r#","/a":1,"d~e":3,"~0":4,"/f~g/":5,"h":{"/i":1,"j~k":2,"l":3}"#, &["b/c"]),
        (&["d~e", "~0"], r#","/a":1,"b/c":2,"/f~g/":5,"h":{"/i":1,"j~k":2,"l":3}"#, &["d~e", "~0"]),
        (&["/~00"], r#","/a":1,"b/c":2,"d~e":3,"/f~g/":5,"h":{"/i":1,"j~k":2,"l":3}"#, &["~0"]),
        (&["/~1f~0g~1"], r#","/a":1,"b/c":2,"d~e":3,"~0":4,"h":{"/i":1,"j~k":2,"l":3}"#, &["/~1f~0g~1"]),
        (&["/h/~1i", "/h/j~0k"], r#","/a":1,"b/c":2,"d~e":3,"~0":4,"/f~g/":5,"h":{"l":3}"#, &["/h/~1i", "/h/j~0k"]),
    ] {
        assert_left(attributes, references, left, redacted);
    }
    let all = written(
        &Redaction::new(&privacy(true, &[])),
        &Context::from_json(&format!(r#"{{"kind":"user","key":"k"{attributes}}}"#)).unwrap(),
        false,
    );
    assert_eq!(all, user("", &["/~1a", "b/c", "d~e", "~0", "/~1f~0g~1", "h"]));
}

#[test]
fn private_names_of_legacy_users_are_literal() {
    let legacy = r#"{"key":"k","custom":{"/a":1,"b":{"c":1}},"privateAttributeNames":["/a","/b/c","b/c"]}"#;
    assert_eq!(told(&[], legacy), user(r#","b":{"c":1}"#, &["/~1a"]));
}

#[test]
fn what_one_kind_keeps_private_concerns_it_alone_and_what_the_configuration_does_concerns_all() {
    let context = r#"{"kind":"multi","org":{"key":"o","a":1,"b":2,"_meta":{"privateAttributes":["a"]}},"user":{"key":"u","name":"n","a":1,"b":2}}"#;
    assert_eq!(
        told(&["b"], context),
        r#"{"kind":"multi","org":{"key":"o","_meta":{"redactedAttributes":["a","b"]}},"user":{"key":"u","name":"n","a":1,"_meta":{"redactedAttributes":["b"]}}}"#
    );
}

#[test]
fn of_anonymous_individuals_nothing_is_told_but_who_they_are_and_of_the_others_everything() {
    let redaction = Redaction::new(&privacy(false, &["p"]));
    let multi = r#"{"kind":"multi","org":{"key":"o","a":1,"p":2},"user":{"key":"u","anonymous":true,"name":"n","a":{"b":1},"/c":1,"p":2}}"#;
    let multi = Context::from_json(multi).unwrap();
    let org = r#""org":{"key":"o","a":1,"_meta":{"redactedAttributes":["p"]}}"#;
    assert_eq!(
        written(&redaction, &multi, true),
        format!(
            r#"{{"kind":"multi",{org},"user":{{"key":"u","anonymous":true,"_meta":{{"redactedAttributes":["name","a","/~1c","p"]}}}}}}"#
        )
    );
    assert_eq!(
        written(&redaction, &multi, false),
        format!(
            r#"{{"kind":"multi",{org},"user":{{"key":"u","anonymous":true,"name":"n","a":{{"b":1}},"/c":1,"_meta":{{"redactedAttributes":["p"]}}}}}}"#
        )
    );
    for (json, hidden) in [
        (
            r#"{"kind":"user","key":"k","anonymous":true,"a":1}"#,
            r#"{"kind":"user","key":"k","anonymous":true,"_meta":{"redactedAttributes":["a"]}}"#,
        ),
        (r#"{"kind":"user","key":"k","anonymous":true}"#, r#"{"kind":"user","key":"k","anonymous":true}"#),
        (r#"{"kind":"user","key":"k","anonymous":false,"a":1}"#, r#"{"kind":"user","key":"k","a":1}"#),
    ] {
        assert_eq!(written(&redaction, &Context::from_json(json).unwrap(), true), hidden);
    }
}

#[test]
fn everything_is_private_if_the_configuration_says_so() {
    let context = r#"{"kind":"multi","org":{"key":"o"},"user":{"key":"u","name":"n","a":{"b":1},"c":[]}}"#;
    assert_eq!(
        written(&Redaction::new(&privacy(true, &["/a/b"])), &Context::from_json(context).unwrap(), false),
        r#"{"kind":"multi","org":{"key":"o"},"user":{"key":"u","_meta":{"redactedAttributes":["name","a","c"]}}}"#
    );
}

#[test]
fn hostile_names_and_values_stay_what_they_are() {
    let hostile = "\"\\\u{0}\u{1f}\u{7f}\u{2028}\u{2029}\u{feff}😀</script>\r\n";
    let quoted = serde_json::to_string(hostile).unwrap();
    let context = format!(
        r#"{{"kind":"user","key":{quoted},"name":{quoted},{quoted}:{quoted},"a":{{"":1,{quoted}:{{"":{quoted}}}}}}}"#
    );
    let expected: serde_json::Value = serde_json::from_str(&context).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&told(&[], &context)).unwrap(), expected);

    let path = format!("/a/{}", hostile.replace('~', "~0").replace('/', "~1"));
    let told: serde_json::Value = serde_json::from_str(&told(&[hostile, &path], &context)).unwrap();
    assert_eq!(told["_meta"]["redactedAttributes"], serde_json::json!([hostile, path]));
    assert_eq!((&told["a"], told.get(hostile)), (&serde_json::json!({"": 1}), None));
}

#[test]
fn large_and_deep_contexts_are_told_whole_and_in_little_time() {
    let text = "x\n".repeat(500_000);
    let mut builder = Context::builder("user", "k");
    builder.set_string("text", &text);
    let deep = (0..100).fold(Value::Number(1.0), |value, _| Value::object(vec![(Box::from("d"), value)]));
    builder.set("deep", deep);
    let names: Vec<String> = (0..20_000).map(|number| format!("n{number}")).collect();
    let members = names.iter().map(|name| (Box::from(&**name), Value::Bool(true))).collect();
    builder.set("wide", Value::object(members));
    names.iter().for_each(|name| {
        builder.set(name, Value::Null).set(name, Value::Bool(true)).private(&format!("/wide/{name}"));
    });
    builder.private(&"/d".repeat(100).replacen("/d", "/deep", 1));
    let configured: Vec<&str> = names.iter().map(|name| &**name).collect();
    let context = builder.build().unwrap();
    let begin = std::time::Instant::now();
    let told = written(&Redaction::new(&privacy(false, &configured)), &context, false);
    // Searching one by one would take 800 million comparisons.
    assert!(begin.elapsed() < std::time::Duration::from_secs(5), "{:?}", begin.elapsed());
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["text"].as_str(), Some(&*text));
    assert_eq!((told["wide"].as_object().unwrap().len(), told.as_object().unwrap().len()), (0, 6));
    assert_eq!(told["_meta"]["redactedAttributes"].as_array().unwrap().len(), 40_001);
    assert_eq!(told["deep"].to_string().matches('d').count(), 98);
}
