//! A client explains its evaluations: the result is that of the evaluation, and clauses are told as they are written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod native;

use std::time::Duration;

use flagstone::client::{Ask, Client, Config, DefaultValue, TestData, Wanted};
use flagstone::context::Context;
use flagstone::eval::explain::Outcome;
use flagstone::model::Kind;
use flagstone::store::StoreState;
use serde_json::{Value, json};

fn client(flags: &[&str], segments: &[&str], options: &[(&str, &str)]) -> Client {
    let data = TestData::new();
    flags.iter().for_each(|flag| data.set_json(Kind::Flag, flag).unwrap());
    segments.iter().for_each(|segment| data.set_json(Kind::Segment, segment).unwrap());
    let mut config = Config::default();
    config.set_test_data(data);
    options.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    let client = Client::new(config.resolve().unwrap()).unwrap();
    client.start(Duration::from_secs(10)).unwrap();
    client
}

fn user(json: &str) -> Context {
    Context::from_json(json).unwrap()
}

/// The explanation; its result must be that of an evaluation.
#[track_caller]
fn explained(client: &Client, key: &str, context: &Context) -> Value {
    let explanation = client.explain(key, context).unwrap();
    let ask = Ask::detail(Wanted::Any, DefaultValue::None);
    let evaluated = client
        .evaluate(key, Some(context), ask, |evaluation| (json!(Outcome::of(&evaluation.detail)), evaluation.stale));
    assert_eq!((json!(explanation.outcome), explanation.stale), evaluated, "{key}");
    json!(explanation)
}

/// The one in the book.
#[test]
fn the_example_in_rust_prints_a_value_and_what_was_looked_at() {
    let redis = flagdata::PrivateRedis::start().expect("redis-server is needed (package redis-server)");
    let flag = r#"{"key":"new-checkout","version":7,"on":true,"variations":[true,false],"targets":[{"values":["ada"],"variation":0}]}"#;
    let words = ["launchdarkly:features", "new-checkout", flag];
    redis::cmd("HSET").arg(&words).exec(&mut redis.connect().unwrap()).unwrap();
    let printed = native::run(native::cargo().args(["run", "--quiet", "--example", "rust", "--", &redis.url()]));
    assert!(printed.starts_with("true, TargetMatch\n"), "{printed}");
    let told: Value = serde_json::from_str(printed.split_once('\n').unwrap().1).unwrap();
    assert_eq!((&told["value"], &told["flag"]["version"]), (&json!(true), &json!(7)), "{printed}");
}

const FLAG: &str = r#"{"key":"f","version":3,"on":true,"variations":["a","b"],"offVariation":0,"fallthrough":{"variation":0},
    "rules":[{"id":"r","variation":1,"clauses":[
        {"attribute":"at","op":"after","values":["2026-01-01T00:00:00Z","no date"]},
        {"attribute":"","op":"segmentMatch","values":["s"]}]}]}"#;
const SEGMENT: &str = r#"{"key":"s","version":1,"rules":[{"clauses":[{"attribute":"v","op":"semVerGreaterThan","values":["1.2"],"negate":true}]}]}"#;

#[test]
fn clauses_are_told_as_they_are_written_also_those_of_segments() {
    let client = client(&[FLAG], &[SEGMENT], &[]);
    let told = explained(&client, "f", &user(r#"{"kind":"user","key":"u","at":"2026-06-01T00:00:00Z","v":"1.1.0"}"#));
    assert_eq!((&told["value"], &told["reason"]["ruleId"]), (&json!("b"), &json!("r")));
    let [after, segment] = [0, 1].map(|clause: usize| &told["flag"]["rules"][0]["clauses"][clause]);
    assert_eq!(after["op"], json!("after"));
    assert_eq!(after["values"], json!({"first":["2026-01-01T00:00:00Z","no date"],"count":2}));
    assert_eq!(segment["op"], json!("segmentMatch"));
    let inner = &segment["segments"][0]["rules"][0]["clauses"][0];
    assert_eq!(
        (&inner["op"], &inner["negate"], &inner["actual"]),
        (&json!("semVerGreaterThan"), &json!(true), &json!("1.1.0"))
    );
}

#[test]
fn what_cannot_be_evaluated_is_a_reason_and_no_error() {
    let client =
        client(&[r#"{"key":"bad","version":1,"on":true,"variations":[1],"fallthrough":{"variation":7}}"#], &[], &[]);
    let ada = user(r#"{"kind":"user","key":"ada"}"#);
    for (key, kind) in [("none", "FLAG_NOT_FOUND"), ("bad", "MALFORMED_FLAG")] {
        let told = explained(&client, key, &ada);
        assert_eq!((&told["reason"]["errorKind"], &told["value"]), (&json!(kind), &Value::Null));
    }
    assert!(client.close(Duration::from_secs(10)));
    assert!(client.explain("bad", &ada).is_err(), "the client is closed");
}

#[test]
fn before_the_first_data_there_is_nothing_to_explain() {
    let mut config = Config::default();
    config.set("redis.url", "redis://127.0.0.1:1").unwrap();
    let client = Client::new(config.resolve().unwrap()).unwrap();
    let told = explained(&client, "f", &user(r#"{"kind":"user","key":"ada"}"#));
    assert_eq!(told["reason"]["errorKind"], json!("CLIENT_NOT_READY"));
    assert!(client.data().is_none());
}

#[test]
fn the_entries_of_a_rollout_have_their_values() {
    let rollout = r#""fallthrough":{"rollout":{"variations":[{"variation":1,"weight":1},{"variation":7,"weight":0}]}}"#;
    let flag = format!(r#"{{"key":"f","version":1,"on":true,"variations":["a",{{"b":1.5}}],{rollout}}}"#);
    let told = explained(&client(&[&flag], &[], &[]), "f", &user(r#"{"kind":"org","key":"o"}"#));
    let entries = &told["flag"]["rollout"]["entries"];
    assert_eq!((&entries[0]["value"], &entries[1]["value"]), (&json!({"b":1.5}), &Value::Null));
    let written = r#"{"b":1e2,"a":12345678901234567890123}"#;
    let other = client(&[&flag.replace(r#"{"b":1.5}"#, written)], &[], &[]);
    let told = other.explain("f", &user(r#"{"kind":"org","key":"o"}"#)).unwrap();
    let value = told.flag.unwrap().rollout.unwrap().entries[0].value.clone().unwrap();
    assert_eq!(value.get(), written, "as the result has it");
}

#[test]
fn many_values_are_cut_and_counted() {
    let values = (0..500).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    let clause = format!(r#"{{"attribute":"n","op":"in","values":[{values}]}}"#);
    let flag = format!(
        r#"{{"key":"f","version":1,"on":true,"variations":[1],"fallthrough":{{"variation":0}},"rules":[{{"variation":0,"clauses":[{clause}]}}]}}"#
    );
    let client = client(&[&flag], &[], &[]);
    let told = explained(&client, "f", &user(r#"{"kind":"user","key":"u","n":499}"#));
    let values = &told["flag"]["rules"][0]["clauses"][0]["values"];
    assert_eq!((values["first"].as_array().unwrap().len(), &values["count"]), (20, &json!(500)));
}

#[test]
fn whoever_sees_that_a_source_is_valid_sees_no_evaluation_that_is_stale() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("valid-{}.json", std::process::id()));
    std::fs::write(&path, r#"{"flagValues":{"f":1}}"#).unwrap();
    let ada = user(r#"{"kind":"user","key":"ada"}"#);
    for _ in 0..100 {
        let mut config = Config::default();
        config.set("source.kind", "file").unwrap();
        config.set("file.paths", &json!([path]).to_string()).unwrap();
        let client = Client::new(config.resolve().unwrap()).unwrap();
        client.start(Duration::ZERO).unwrap();
        while client.state() != StoreState::Valid {
            std::hint::spin_loop();
        }
        assert!(!client.explain("f", &ada).unwrap().stale);
    }
}
