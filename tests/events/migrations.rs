//! Migrations: which stage is in force, what an operation of one tells and when it tells nothing, and the environment that the
//! data come from.

mod rules;

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;

use fakeld::Fake;
use serde_json::{Value, json};

use crate::support::*;

const STAGES: [&str; 6] = ["off", "dualwrite", "shadow", "live", "rampdown", "complete"];
const SHADOW: i32 = 2;
const LIVE: i32 = 3;

/// A flag `m` of version 7 that serves this value to everybody.
fn stage_flag(value: &str) -> Flag {
    Flag::new("m", 7, value)
}

/// A client whose flag `m` is this one, and which tells of its events.
fn client_with(fake: &Fake, flag: &Flag) -> Client {
    let data = TestData::new();
    data.set_flag(&flag.text());
    telling(fake).with_data(&data).started()
}

/// The events of this kind that were delivered since the start, without their times.
fn events(fake: &Fake, kind: &str) -> Vec<Value> {
    let payloads = fake.payloads();
    let all = payloads.iter().flat_map(|payload| payload.json().unwrap().as_array().unwrap().clone());
    let mut events: Vec<Value> = all.filter(|event| event["kind"] == kind).collect();
    for event in &mut events {
        let at = event.as_object_mut().unwrap().remove("creationDate");
        assert!(kind == "summary" || at.unwrap().as_i64().unwrap() > 1_700_000_000_000);
    }
    events
}

/// The operations that were told, after a flush.
#[track_caller]
fn told(client: &Client, fake: &Fake) -> Vec<Value> {
    client.delivers();
    events(fake, "migration_op")
}

/// What is told of an operation for user `ada`, with these parts.
fn told_as(operation: &str, evaluation: &Value, measurements: &Value) -> Value {
    let context = json!({ "kind": "user", "key": "ada" });
    let (evaluation, measurements) = (evaluation.clone(), measurements.clone());
    json!({
        "kind": "migration_op", "context": context, "operation": operation, "evaluation": evaluation,
        "measurements": measurements,
    })
}

fn refusal(sentence: &str) -> Result<(), Failure> {
    Err(Failure { status: INVALID_ARGUMENT, message: sentence.to_owned() })
}

#[test]
fn the_stage_is_what_the_flag_serves_and_no_other_text_or_type_is_one() {
    let data = TestData::new();
    let client = Config::new().with_data(&data).started();
    for (code, name) in (0..).zip(STAGES) {
        data.set_flag(&stage_flag(name).text());
        let (migration, detail) = client.migration("m", (code + 1) % 6);
        assert_eq!((migration.stage(), detail.word().as_str(), detail.variation), (code, name, 0));
    }
    let others = [
        json!("Live"),
        json!("live "),
        json!(""),
        json!("ramp-down"),
        json!(true),
        json!(3),
        json!(null),
        json!(["live"]),
    ];
    for value in others {
        data.set_flag(&stage_flag("off").with("variations", json!([value])).text());
        let (migration, detail) = client.migration("m", LIVE);
        assert_eq!((migration.stage(), detail.word().as_str(), detail.variation), (LIVE, "WRONG_TYPE", -1), "{value}");
    }
}

#[test]
fn without_a_value_the_default_is_in_force_and_the_reason_stays() {
    let data = TestData::new();
    let config = Config::new().with_data(&data);
    let early = config.client();
    assert_eq!(stage_and_word(&early, "m"), (LIVE, "CLIENT_NOT_READY".into()));
    let client = config.started();
    assert_eq!(stage_and_word(&client, "m"), (LIVE, "FLAG_NOT_FOUND".into()));
    assert_eq!(stage_and_word(&client, ""), (LIVE, "FLAG_NOT_FOUND".into()));
    data.set_flag(&stage_flag("off").with("on", json!(false)).with("offVariation", json!(null)).text());
    assert_eq!(stage_and_word(&client, "m"), (LIVE, "NONE".into()), "off, and nothing to serve");
    data.set_flag(&stage_flag("off").with("fallthrough", json!({ "variation": 9 })).text());
    assert_eq!(stage_and_word(&client, "m"), (LIVE, "MALFORMED_FLAG".into()));
    let (nobody, detail) = client.try_migration(None, "m", LIVE);
    assert_eq!((nobody.unwrap().stage(), detail.word().as_str()), (LIVE, "USER_NOT_SPECIFIED"));
    data.set_flag(&stage_flag("shadow").text());
    assert_eq!(client.close(PATIENCE_MS), OK);
    assert_eq!(stage_and_word(&client, "m"), (SHADOW, "shadow".into()), "the last data held answer after close");
}

fn stage_and_word(client: &Client, key: &str) -> (i32, String) {
    let (migration, detail) = client.migration(key, LIVE);
    (migration.stage(), detail.word())
}

#[test]
fn a_value_that_is_no_stage_is_told_in_the_log_once() {
    let data = TestData::new();
    data.set_flag(&stage_flag("Shadow").text());
    let client = Config::new().with_data(&data).started();
    (0..3).for_each(|_| _ = client.migration("m", LIVE));
    let warnings = log_lines(&client.drain(), 2);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("\"m\" (version 7)") && warnings[0].contains("stage of a migration"), "{warnings:?}");
}

#[test]
fn codes_and_handles_that_are_none_are_refused() {
    let client = Config::new().with_data(&TestData::new()).started();
    for code in [-1, 6, i32::MIN, i32::MAX] {
        let (refused, detail) = client.try_migration(Some(&Context::user("ada")), "m", code);
        let failure = refused.err().unwrap();
        assert_eq!((failure.status, detail.word().as_str()), (INVALID_ARGUMENT, "EXCEPTION"));
        assert_eq!(failure.message, format!("default_stage is not one of its values: {code}"));
    }
    let (migration, _) = client.migration("m", LIVE);
    for code in [-1, 2, i32::MIN, i32::MAX] {
        assert_eq!(migration.set_operation(code), refusal(&format!("operation is not one of its values: {code}")));
        let outcomes = [migration.set_invoked(code), migration.set_failed(code), migration.set_latency(code, 1.0)];
        assert_eq!(outcomes, [(); 3].map(|()| refusal(&format!("origin is not one of its values: {code}"))));
    }
    for milliseconds in [-0.001, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(migration.set_latency(OLD, milliseconds), refusal("milliseconds is negative, or no finite number"));
    }
    let none = Migration::null();
    let outcomes = [
        none.set_operation(READ),
        none.set_invoked(OLD),
        none.set_failed(OLD),
        none.set_latency(OLD, 1.0),
        none.set_consistent(true),
        client.track_migration(&none),
    ];
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().unwrap_err().status == NULL_ARGUMENT), "{outcomes:?}");
    assert_eq!((none.stage(), none.wants_check(), none.clone().stage()), (-1, false, -1));
}

#[test]
fn an_operation_tells_its_evaluation_and_everything_that_was_measured() {
    let fake = Fake::start().unwrap();
    let rule =
        json!([{ "id": "r", "variation": 0, "clauses": [{ "attribute": "key", "op": "in", "values": ["ada"] }] }]);
    let flag = stage_flag("live").with("rules", rule).with("migration", json!({ "checkRatio": 1 }));
    let client = client_with(&fake, &flag);
    let (migration, _) = client.migration("m", 0);
    assert!(migration.wants_check());
    migration.set_operation(READ).unwrap();
    for origin in [OLD, NEW] {
        migration.set_invoked(origin).unwrap();
        migration.set_failed(origin).unwrap();
    }
    migration.set_latency(OLD, 12.5).unwrap();
    migration.set_latency(NEW, 0.0).unwrap();
    migration.set_consistent(false).unwrap();
    client.track_migration(&migration).unwrap();
    let reason = json!({ "kind": "RULE_MATCH", "ruleIndex": 0, "ruleId": "r" });
    let evaluation =
        json!({ "key": "m", "version": 7, "variation": 0, "value": "live", "default": "off", "reason": reason });
    let measurements = json!([
        { "key": "invoked", "values": { "old": true, "new": true } },
        { "key": "consistent", "value": false },
        { "key": "latency_ms", "values": { "old": 12.5, "new": 0 } },
        { "key": "error", "values": { "old": true, "new": true } },
    ]);
    assert_eq!(told(&client, &fake), [told_as("read", &evaluation, &measurements)]);
}

#[test]
fn an_operation_tells_no_more_than_is_known() {
    let fake = Fake::start().unwrap();
    let client = client_with(&fake, &stage_flag("Complete"));
    let (wrong, _) = client.migration("m", SHADOW);
    let (missing, _) = client.migration("none", SHADOW);
    for migration in [&wrong, &missing] {
        migration.set_operation(WRITE).unwrap();
        migration.set_invoked(NEW).unwrap();
        client.track_migration(migration).unwrap();
    }
    let invoked = json!([{ "key": "invoked", "values": { "new": true } }]);
    let reason = |kind: &str| json!({ "kind": "ERROR", "errorKind": kind });
    let wrong =
        json!({ "key": "m", "version": 7, "value": "shadow", "default": "shadow", "reason": reason("WRONG_TYPE") });
    let missing = json!({ "key": "none", "value": "shadow", "default": "shadow", "reason": reason("FLAG_NOT_FOUND") });
    assert_eq!(told(&client, &fake), [told_as("write", &wrong, &invoked), told_as("write", &missing, &invoked)]);
}

#[test]
fn an_operation_is_of_the_evaluation_that_began_it_whatever_happens_to_flag_and_client() {
    let server = RedisServer::holding(&[("m", stage_flag("shadow").text().clone())], &[]);
    for residency in ["all", "lazy", "off"] {
        let fake = Fake::start().unwrap();
        server.set_flag("m", stage_flag("shadow").text());
        let config = Config::of(&server)
            .with("cache.residency", residency)
            .with("sdk.key", SDK_KEY)
            .with("endpoints.events", &fake.url())
            .with("events.diagnostics", "false");
        let client = config.started();
        let (migration, _) = client.migration("m", 0);
        server.set_flag("m", Flag::new("m", 8, "live").text());
        client.serves("m", "live");
        drop(client);
        let other = config.started();
        assert_eq!(migration.stage(), SHADOW, "{residency}");
        migration.set_operation(READ).unwrap();
        migration.set_invoked(OLD).unwrap();
        other.track_migration(&migration).unwrap();
        let reason = json!({ "kind": "FALLTHROUGH" });
        let evaluation =
            json!({ "key": "m", "version": 7, "variation": 0, "value": "shadow", "default": "off", "reason": reason });
        let invoked = json!([{ "key": "invoked", "values": { "old": true } }]);
        assert_eq!(told(&other, &fake), [told_as("read", &evaluation, &invoked)], "{residency}");
    }
}

#[test]
fn an_evaluation_counts_as_one_of_a_string_with_the_default_stage() {
    let fake = Fake::start().unwrap();
    let client = client_with(&fake, &stage_flag("live"));
    (0..3).for_each(|_| _ = client.migration("m", SHADOW));
    (0..2).for_each(|_| _ = client.migration("none", LIVE));
    client.delivers();
    let expected = json!({
        "m": { "default": "shadow", "contextKinds": ["user"], "counters": [
            { "value": "live", "version": 7, "variation": 0, "count": 3 },
        ] },
        "none": { "default": "live", "contextKinds": ["user"], "counters": [
            { "value": "live", "unknown": true, "count": 2 },
        ] },
    });
    assert_eq!(events(&fake, "summary")[0]["features"], expected);
    assert!(events(&fake, "migration_op").is_empty(), "an operation that is not tracked is told to nobody");
}

#[test]
fn the_sampling_ratio_of_the_flag_leaves_operations_out() {
    let operations = 400;
    for (ratio, expected) in [(0, 0..=0), (-3, 0..=0), (1, operations..=operations), (4, 50..=200)] {
        let fake = Fake::start().unwrap();
        let client = client_with(&fake, &stage_flag("live").with("samplingRatio", json!(ratio)));
        for _ in 0..operations {
            let (migration, _) = client.migration("m", 0);
            migration.set_operation(READ).unwrap();
            migration.set_invoked(NEW).unwrap();
            assert_eq!(client.track_migration(&migration), Ok(()));
        }
        let told = told(&client, &fake);
        assert!(expected.contains(&told.len()), "{} of {operations} with {ratio}", told.len());
        let shown = if ratio == 1 { Value::Null } else { json!(ratio) };
        assert!(told.iter().all(|event| event["samplingRatio"] == shown));
    }
}

#[test]
fn the_check_ratio_draws_once_for_each_operation_and_is_told_with_the_comparison() {
    let operations = 400;
    let cases = [
        (json!(null), operations..=operations),
        (json!({}), operations..=operations),
        (json!({ "checkRatio": 1 }), operations..=operations),
        (json!({ "checkRatio": 0 }), 0..=0),
        (json!({ "checkRatio": -1 }), 0..=0),
        (json!({ "checkRatio": 4 }), 50..=200),
    ];
    for (migration, expected) in cases {
        let fake = Fake::start().unwrap();
        let client = client_with(&fake, &stage_flag("live").with("migration", migration.clone()));
        let begun: Vec<Migration> = (0..operations).map(|_| client.migration("m", 0).0).collect();
        let wanted = begun.iter().filter(|operation| operation.wants_check()).count();
        assert!(expected.contains(&wanted), "{wanted} of {operations} with {migration}");
        for operation in &begun {
            let wants = operation.wants_check();
            assert!((0..10).all(|_| operation.wants_check() == wants), "always the same answer");
        }
        let ratio = &migration["checkRatio"];
        if let Some(drawn) = begun.iter().find(|operation| operation.wants_check()) {
            drawn.set_operation(READ).unwrap();
            drawn.set_invoked(OLD).unwrap();
            drawn.set_invoked(NEW).unwrap();
            drawn.set_consistent(true).unwrap();
            client.track_migration(drawn).unwrap();
            let comparison = &told(&client, &fake)[0]["measurements"][1];
            let mut expected = json!({ "key": "consistent", "value": true });
            if *ratio == 4 {
                expected["samplingRatio"] = ratio.clone();
            }
            assert_eq!(*comparison, expected);
        }
    }
}

#[test]
fn the_environment_is_known_from_the_first_answer_on_that_names_it() {
    let fake = launchdarkly(&[("m", stage_flag("live").text())]);
    fake.set_environment_id("env-7");
    let client = streaming(&fake).client();
    let unknown = Failure { status: NOT_FOUND, message: "no environment is known".to_owned() };
    assert_eq!(client.environment_id().unwrap_err(), unknown);
    client.start(PATIENCE_MS).unwrap();
    eventually("it is known", || client.environment_id().is_ok());
    assert_eq!(client.environment_id().unwrap(), "env-7");
    assert_eq!(client.close(PATIENCE_MS), OK);
    assert_eq!(client.environment_id().unwrap(), "env-7", "also after close");
    let daemon = Config::new().with_data(&TestData::new()).started();
    assert_eq!(daemon.environment_id().unwrap_err(), unknown);
}
