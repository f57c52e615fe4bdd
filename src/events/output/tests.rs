//! What is sent, to the byte.

use std::sync::Arc;

use super::*;
use crate::events::event::{Measurement, Migration, Operation, Origins};
use crate::events::options::Privacy;
use crate::events::testing::{context, flag};

const USER: &str = r#"{"kind":"user","key":"a"}"#;
const ANONYMOUS: &str = r#"{"kind":"user","key":"a","anonymous":true,"name":"N","plan":"x"}"#;
/// How index, identify and debug events tell of it.
const SHOWN: &str = r#"{"kind":"user","key":"a","anonymous":true,"name":"N","plan":"x"}"#;
/// How all others do.
const HIDDEN: &str = r#"{"kind":"user","key":"a","anonymous":true,"_meta":{"redactedAttributes":["name","plan"]}}"#;

fn batch(events: Vec<Event>) -> Batch {
    Batch { events, summary: Summary::default(), dropped: 0, deduplicated: 0 }
}

fn text(batch: &Batch) -> (String, usize) {
    let written = write(batch, &Redaction::new(&Privacy::default()));
    (String::from_utf8(written.json).unwrap(), written.elements)
}

/// The one element that an event becomes.
fn one(event: Event) -> String {
    let (text, elements) = text(&batch(vec![event]));
    assert_eq!(elements, 1);
    text.strip_prefix('[').unwrap().strip_suffix(']').unwrap().to_owned()
}

fn evaluation() -> Evaluation {
    Evaluation {
        at: 1_700_000_000_123,
        debug: false,
        context: context(USER),
        flag: Arc::clone(flag(r#"{"key":"f","version":7,"variations":[false,{"a": 1.0}]}"#).tally()),
        variation: Some(1),
        default: Some(Box::from("0")),
        reason: None,
        prerequisite_of: None,
    }
}

fn custom() -> Custom {
    Custom { at: 5, context: context(USER), key: Box::from("k"), data: None, metric: None }
}

fn migration() -> Migration {
    Migration {
        at: 5,
        context: context(ANONYMOUS),
        operation: Operation::Write,
        key: Box::from("m"),
        version: Some(2),
        variation: Some(3),
        value: Box::from("\"live\""),
        default: Some(Box::from("\"off\"")),
        reason: Box::from(r#"{"kind":"OFF"}"#),
        sampling_ratio: 1,
        measurements: vec![Measurement::Invoked(Origins { old: true, new: false })],
    }
}

#[test]
fn index_and_identify_events_tell_of_a_context_and_nothing_else() {
    let context = context(ANONYMOUS);
    assert_eq!(
        one(Event::Index { at: 1, context: Arc::clone(&context) }),
        format!(r#"{{"kind":"index","creationDate":1,"context":{SHOWN}}}"#)
    );
    assert_eq!(
        one(Event::Identify { at: 2, context }),
        format!(r#"{{"kind":"identify","creationDate":2,"context":{SHOWN}}}"#)
    );
}

#[test]
fn a_feature_event_has_what_its_evaluation_had() {
    assert_eq!(
        one(Event::Evaluation(Box::new(evaluation()))),
        r#"{"kind":"feature","creationDate":1700000000123,"key":"f","context":{"kind":"user","key":"a"},"version":7,"variation":1,"value":{"a": 1.0},"default":0}"#
    );
    let full = Evaluation {
        flag: Arc::clone(flag(r#"{"key":"f","version":7,"samplingRatio":10,"variations":[null]}"#).tally()),
        variation: Some(0),
        reason: Some(Box::from(r#"{"kind":"FALLTHROUGH","inExperiment":true}"#)),
        prerequisite_of: Some(Box::from("p\"")),
        ..evaluation()
    };
    assert_eq!(
        one(Event::Evaluation(Box::new(full))),
        r#"{"kind":"feature","creationDate":1700000000123,"key":"f","context":{"kind":"user","key":"a"},"samplingRatio":10,"version":7,"variation":0,"value":null,"default":0,"prereqOf":"p\"","reason":{"kind":"FALLTHROUGH","inExperiment":true}}"#
    );
}

#[test]
fn a_served_default_is_the_value_and_one_that_is_null_or_was_not_given_is_told_as_value_alone() {
    let served = Evaluation { variation: None, ..evaluation() };
    assert_eq!(
        one(Event::Evaluation(Box::new(served))),
        r#"{"kind":"feature","creationDate":1700000000123,"key":"f","context":{"kind":"user","key":"a"},"version":7,"value":0,"default":0}"#
    );
    for default in [None, Some(Box::from("null"))] {
        let served = Evaluation { variation: None, default, ..evaluation() };
        assert_eq!(
            one(Event::Evaluation(Box::new(served))),
            r#"{"kind":"feature","creationDate":1700000000123,"key":"f","context":{"kind":"user","key":"a"},"version":7,"value":null}"#
        );
    }
}

#[test]
fn debug_events_show_anonymous_contexts_and_feature_events_do_not() {
    let event = |debug| Event::Evaluation(Box::new(Evaluation { debug, context: context(ANONYMOUS), ..evaluation() }));
    let rest = r#""version":7,"variation":1,"value":{"a": 1.0},"default":0}"#;
    assert_eq!(
        one(event(true)),
        format!(r#"{{"kind":"debug","creationDate":1700000000123,"key":"f","context":{SHOWN},{rest}"#)
    );
    assert_eq!(
        one(event(false)),
        format!(r#"{{"kind":"feature","creationDate":1700000000123,"key":"f","context":{HIDDEN},{rest}"#)
    );
}

#[test]
fn a_custom_event_has_data_and_metric_only_when_they_were_given() {
    let begin = r#"{"kind":"custom","creationDate":5,"key":"k","context":{"kind":"user","key":"a"}"#;
    assert_eq!(one(Event::Custom(Box::new(custom()))), format!("{begin}}}"));
    for (data, metric, rest) in [
        (Some("[1,{}]"), None, r#","data":[1,{}]"#),
        (Some("false"), Some(0.0), r#","data":false,"metricValue":0"#),
        (None, Some(2.0), r#","metricValue":2"#),
        (None, Some(-2.5), r#","metricValue":-2.5"#),
        (None, Some(f64::NAN), ""),
        (None, Some(f64::INFINITY), ""),
    ] {
        let event = Custom { data: data.map(Box::from), metric, ..custom() };
        assert_eq!(one(Event::Custom(Box::new(event))), format!("{begin}{rest}}}"));
    }
    let hidden = Custom { context: context(ANONYMOUS), ..custom() };
    assert_eq!(
        one(Event::Custom(Box::new(hidden))),
        format!(r#"{{"kind":"custom","creationDate":5,"key":"k","context":{HIDDEN}}}"#)
    );
}

#[test]
fn a_step_of_a_migration_tells_its_evaluation_and_what_was_measured() {
    assert_eq!(
        one(Event::Migration(Box::new(migration()))),
        format!(
            r#"{{"kind":"migration_op","creationDate":5,"context":{HIDDEN},"operation":"write","evaluation":{{"key":"m","version":2,"variation":3,"value":"live","default":"off","reason":{{"kind":"OFF"}}}},"measurements":[{{"key":"invoked","values":{{"old":true}}}}]}}"#
        )
    );
    let least = Migration {
        operation: Operation::Read,
        version: None,
        variation: None,
        default: None,
        sampling_ratio: 4,
        measurements: Vec::new(),
        ..migration()
    };
    assert_eq!(
        one(Event::Migration(Box::new(least))),
        format!(
            r#"{{"kind":"migration_op","creationDate":5,"context":{HIDDEN},"samplingRatio":4,"operation":"read","evaluation":{{"key":"m","value":"live","reason":{{"kind":"OFF"}}}},"measurements":[]}}"#
        )
    );
}

#[test]
fn measurements_say_what_is_known_and_those_that_say_nothing_are_left_out() {
    let sides = |old, new| Origins { old, new };
    let cases = [
        (Measurement::Invoked(sides(true, true)), r#"{"key":"invoked","values":{"old":true,"new":true}}"#),
        (Measurement::Invoked(sides(false, false)), ""),
        (Measurement::Errors(sides(false, true)), r#"{"key":"error","values":{"new":true}}"#),
        (Measurement::Errors(sides(false, false)), ""),
        (
            Measurement::Latency(Origins { old: Some(3.0), new: Some(0.25) }),
            r#"{"key":"latency_ms","values":{"old":3,"new":0.25}}"#,
        ),
        (
            Measurement::Latency(Origins { old: Some(f64::NAN), new: Some(1.0) }),
            r#"{"key":"latency_ms","values":{"new":1}}"#,
        ),
        (Measurement::Latency(Origins { old: None, new: None }), ""),
        (Measurement::Consistent { is_consistent: true, sampling_ratio: 1 }, r#"{"key":"consistent","value":true}"#),
        (
            Measurement::Consistent { is_consistent: false, sampling_ratio: 3 },
            r#"{"key":"consistent","value":false,"samplingRatio":3}"#,
        ),
    ];
    let told = |measurements: Vec<Measurement>| {
        let text = one(Event::Migration(Box::new(Migration { measurements, ..migration() })));
        text.split_once("\"measurements\":").unwrap().1.strip_suffix('}').unwrap().to_owned()
    };
    for (measurement, expected) in &cases {
        assert_eq!(told(vec![measurement.clone()]), format!("[{expected}]"));
    }
    let all: Vec<&str> = cases.iter().map(|(_, text)| *text).filter(|text| !text.is_empty()).collect();
    assert_eq!(
        told(cases.iter().map(|(measurement, _)| measurement.clone()).collect()),
        format!("[{}]", all.join(","))
    );
}

#[test]
fn a_summary_tells_every_flag_with_its_default_its_kinds_and_its_counters() {
    let mut summary = Summary::default();
    summary.reach(20);
    summary.reach(10);
    let known = summary.flag("b", 10, Some("\"d\""));
    known.kinds.extend(["user", "org"].map(Box::from));
    known.add(Some(3), Some(1), Some("[1, 2]"), 2);
    known.add(Some(3), None, Some("\"d\""), 4);
    known.add(Some(4), Some(1), None, 1);
    known.add(Some(3), Some(1), Some("ignored"), 5);
    let unknown = summary.flag("a", 20, None);
    unknown.kinds.insert(Box::from("user"));
    unknown.add(None, None, None, 18_446_744_073_709_551_615);
    let _ = summary.flag("never counted", 10, None);
    let batch = Batch { summary, ..batch(vec![Event::Index { at: 1, context: context(USER) }]) };
    let expected = concat!(
        r#"[{"kind":"index","creationDate":1,"context":{"kind":"user","key":"a"}},"#,
        r#"{"kind":"summary","startDate":10,"endDate":20,"features":{"#,
        r#""a":{"default":null,"contextKinds":["user"],"counters":[{"value":null,"unknown":true,"count":18446744073709551615}]},"#,
        r#""b":{"default":"d","contextKinds":["org","user"],"counters":["#,
        r#"{"value":"d","version":3,"count":4},{"value":[1, 2],"version":3,"variation":1,"count":7},{"value":null,"version":4,"variation":1,"count":1}]}}}]"#,
    );
    assert_eq!(text(&batch), (expected.to_owned(), 2));
}

#[test]
fn without_counters_there_is_no_summary_and_without_anything_an_empty_array() {
    let mut empty = batch(Vec::new());
    assert_eq!(text(&empty), ("[]".to_owned(), 0));
    let _ = empty.summary.flag("a", 20, None);
    assert_eq!(text(&empty), ("[]".to_owned(), 0));
}

#[test]
fn hostile_texts_stay_what_they_are() {
    let hostile = "\"\\\u{0}\u{1f}\u{7f}\u{2028}\u{2029}😀</script>\r\n";
    let quoted: Box<str> = serde_json::to_string(hostile).unwrap().into();
    let flag = flag(&format!(r#"{{"key":{quoted},"version":1,"variations":[{quoted}]}}"#));
    let mut summary = Summary::default();
    summary.flag(hostile, 1, Some(&*quoted)).add(None, None, Some(&*quoted), 1);
    let user = context(&format!(r#"{{"kind":"user","key":{quoted}}}"#));
    let evaluated = Evaluation {
        context: Arc::clone(&user),
        flag: Arc::clone(flag.tally()),
        variation: Some(0),
        default: Some(quoted.clone()),
        prerequisite_of: Some(Box::from(hostile)),
        ..evaluation()
    };
    let events = vec![
        Event::Index { at: 1, context: user },
        Event::Evaluation(Box::new(evaluated)),
        Event::Custom(Box::new(Custom { key: Box::from(hostile), data: Some(quoted.clone()), ..custom() })),
        Event::Migration(Box::new(Migration { key: Box::from(hostile), value: quoted.clone(), ..migration() })),
    ];
    let (text, elements) = text(&Batch { summary, ..batch(events) });
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((told.as_array().unwrap().len(), elements), (5, 5));
    for value in [
        &told[0]["context"]["key"],
        &told[1]["key"],
        &told[1]["value"],
        &told[1]["default"],
        &told[1]["prereqOf"],
        &told[2]["key"],
        &told[2]["data"],
        &told[3]["evaluation"]["key"],
        &told[3]["evaluation"]["value"],
        &told[4]["features"][hostile]["default"],
        &told[4]["features"][hostile]["counters"][0]["value"],
    ] {
        assert_eq!(value.as_str(), Some(hostile));
    }
}

#[test]
fn large_batches_are_written_whole_and_in_little_time() {
    let (data, deep): (String, String) = (format!("\"{}\"", "x".repeat(1 << 20)), "[".repeat(120) + &"]".repeat(120));
    let mut events: Vec<Event> = [data, deep]
        .into_iter()
        .map(|data| Event::Custom(Box::new(Custom { data: Some(data.into()), ..custom() })))
        .collect();
    let user = context(USER);
    events.extend((0..20_000).map(|at| Event::Index { at, context: Arc::clone(&user) }));
    let mut summary = Summary::default();
    for key in 0..10_000 {
        summary.flag(&format!("f{key}"), 1, None).add(Some(1), Some(0), Some("true"), 1);
    }
    for version in 0..20_000 {
        summary.flag("changing", 1, None).add(Some(version), Some(0), Some("true"), 1);
    }
    let begin = std::time::Instant::now();
    let (text, elements) = text(&Batch { summary, ..batch(events) });
    assert!(begin.elapsed() < std::time::Duration::from_secs(5), "{:?}", begin.elapsed());
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((told.as_array().unwrap().len(), elements), (20_003, 20_003));
    let features = &told[20_002]["features"];
    assert_eq!(features.as_object().unwrap().len(), 10_001);
    assert_eq!(features["changing"]["counters"].as_array().unwrap().len(), 20_000);
}
