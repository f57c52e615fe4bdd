//! Data that a test sets.

use super::*;
use crate::source::{Failure, TestData, TestDataError};

fn attach(data: &TestData) -> Running {
    let data = data.clone();
    Running::start(move |outlet| data.run(outlet))
}

#[test]
fn a_client_begins_with_everything_and_then_gets_each_change() {
    let data = TestData::new();
    data.set_json(Kind::Flag, r#"{"key":"a","version":1}"#).unwrap();
    let mut running = attach(&data);
    running.wait_for(r#"full: flag a {"key":"a","version":1}"#);
    data.set_json(Kind::Segment, r#"{"key":"s","version":4}"#).unwrap();
    data.delete(Kind::Flag, "a");
    // No waiting: setting returns when it was taken.
    let lines = running.sink.lines();
    assert_eq!(lines[1..], [r#"part: segment s {"key":"s","version":4}"#, "part: flag a deleted 2"]);
    assert!(running.stop() < AT_ONCE);
}

#[test]
fn a_version_that_is_not_newer_is_raised_and_nothing_else_is_touched() {
    let data = TestData::new();
    let running = attach(&data);
    running.wait_for("full: ");
    for json in [
        r#"{"key":"a", "version": 5, "x": 1.0}"#,
        r#"{"key":"a", "version": 5, "x": 1.0}"#,
        r#"{"key":"a","x":{"version":1}}"#,
        r#"{"x":{"version":1},"version":-3,"key":"a"}"#,
        r#"{"key":"a","version":20}"#,
    ] {
        data.set_json(Kind::Flag, json).unwrap();
    }
    assert_eq!(
        running.sink.lines()[1..],
        [
            r#"part: flag a {"key":"a", "version": 5, "x": 1.0}"#,
            r#"part: flag a {"key":"a", "version": 6, "x": 1.0}"#,
            r#"part: flag a {"version":7,"key":"a","x":{"version":1}}"#,
            r#"part: flag a {"x":{"version":1},"version":8,"key":"a"}"#,
            r#"part: flag a {"key":"a","version":20}"#,
        ]
    );
}

#[test]
fn a_version_beyond_what_everybody_can_hold_is_refused() {
    let data = TestData::new();
    for version in [i64::MAX, (1 << 53) + 1] {
        assert!(data.set_json(Kind::Flag, &format!(r#"{{"key":"a","version":{version}}}"#)).is_err(), "{version}");
    }
    data.set_json(Kind::Flag, &format!(r#"{{"key":"a","version":{}}}"#, 1_i64 << 53)).unwrap();
    assert!(data.set_json(Kind::Flag, r#"{"key":"a","version":1}"#).is_err(), "a client would not take it");
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let data = TestData::new();
    let running = attach(&data);
    running.wait_for("full: ");
    for json in
        ["", "[]", "{}", r#"{"key":""}"#, r#"{"key":1}"#, r#"{"key":"a","version":"1"}"#, r#"{"key":"a","on":3}"#]
    {
        assert!(data.set_json(Kind::Flag, json).is_err(), "{json}");
    }
    assert_eq!(data.set_json(Kind::Flag, r#"{"version":1}"#), Err(TestDataError::NoKey));
    assert_eq!(running.sink.lines().len(), 1);
}

#[test]
fn any_number_of_clients_share_the_data() {
    let data = TestData::new();
    let (mut first, second) = (attach(&data), attach(&data));
    first.wait_for("full: ");
    second.wait_for("full: ");
    data.delete(Kind::Flag, "a");
    first.stop();
    data.delete(Kind::Flag, "a");
    assert_eq!(first.sink.lines()[1..], ["part: flag a deleted 1"]);
    assert_eq!(second.sink.lines()[1..], ["part: flag a deleted 1", "part: flag a deleted 2"]);
    let third = attach(&data);
    third.wait_for("full: flag a deleted 2");
}

#[test]
fn a_status_can_be_played_and_does_not_stop_changes() {
    let data = TestData::new();
    let running = attach(&data);
    running.wait_for("full: ");
    let failure = Failure { kind: FailureKind::ErrorResponse, status: 503, message: "played".to_owned() };
    data.set_status(&Report::Interrupted(failure.clone()));
    data.set_status(&Report::Off(failure));
    data.delete(Kind::Flag, "a");
    data.set_status(&Report::Valid);
    assert_eq!(
        running.sink.lines()[1..],
        ["interrupted ErrorResponse 503: played", "off ErrorResponse 503: played", "part: flag a deleted 1", "valid"]
    );
}

#[test]
fn a_restart_brings_everything_anew() {
    let data = TestData::new();
    data.set_json(Kind::Flag, r#"{"key":"a","version":1}"#).unwrap();
    let running = attach(&data);
    let first = running.wait_for("full: flag a");
    running.control.restart();
    running.wait_for_next("full: flag a", first);
}

#[test]
fn setting_data_waits_for_no_client_that_is_gone() {
    let data = TestData::new();
    let mut running = attach(&data);
    running.wait_for("full: ");
    running.stop();
    // A wait would last a second each time; a busy machine holds up one or the other.
    let is_quick = |_| {
        let begin = Instant::now();
        data.delete(Kind::Flag, "a");
        begin.elapsed() < Duration::from_millis(500)
    };
    assert!((0..3).any(is_quick));
}
