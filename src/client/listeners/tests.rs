//! Tests of listeners over test data: what is told, in which order, and what is not.

use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, Config, Event, Notification, Polled, TestData};
use crate::context::Context;
use crate::model::{Kind, lock};

const SOON: Duration = Duration::from_secs(30);

struct Host {
    client: Client,
    data: TestData,
}

/// What a listener was told: its number, the old value and the new one.
type Change = (u64, Value, Value);

impl Host {
    fn new(options: &[(&str, &str)]) -> Self {
        let (mut config, data) = (Config::default(), TestData::new());
        for (name, value) in options {
            config.set(name, value).unwrap();
        }
        config.set_test_data(data.clone());
        Self { client: Client::new(config.resolve().unwrap()).unwrap(), data }
    }

    fn started() -> Self {
        let host = Self::new(&[]);
        host.client.start(SOON).unwrap();
        host
    }

    /// A flag that serves `value`, or `for_bob` to user `bob`.
    fn set(&self, key: &str, value: impl Into<Value>, for_bob: impl Into<Value>) {
        let flag = json!({
            "key": key, "on": true, "variations": [value.into(), for_bob.into()], "fallthrough": { "variation": 0 },
            "targets": [{ "values": ["bob"], "variation": 1 }],
        });
        self.set_json(&flag);
    }

    fn set_json(&self, flag: &Value) {
        self.data.set_json(Kind::Flag, &flag.to_string()).unwrap();
    }

    fn listen(&self, key: &str, user: &str) -> u64 {
        self.client.listen(key, &Context::from_key("", user).unwrap()).unwrap()
    }

    /// Everything up to a wake that is called for now, without log lines.
    fn told(&self) -> Vec<Event> {
        let mut told = Vec::new();
        loop {
            match self.client.poll(Duration::ZERO) {
                Polled::Event(Notification { event: Event::Log { .. }, .. }) => {}
                Polled::Event(notification) => told.push(notification.event),
                Polled::Timeout | Polled::Closed => return told,
            }
        }
    }

    /// The changes of values among these.
    fn changes(&self) -> Vec<Change> {
        self.told().into_iter().filter_map(change).collect()
    }
}

fn change(event: Event) -> Option<Change> {
    let json = |text: Option<String>| text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    match event {
        Event::ValueChanged { listener, old, new, .. } => Some((listener, json(old), json(new))),
        _ => None,
    }
}

#[test]
fn a_change_is_told_right_after_that_of_the_flag_and_before_what_came_later() {
    let host = Host::started();
    host.set("a", 1, 2);
    host.set("b", 1, 2);
    let (ada, bob) = (host.listen("a", "ada"), host.listen("a", "bob"));
    host.told();
    host.set("a", 3, 4);
    host.set("b", 3, 4);
    let told: Vec<_> = host
        .told()
        .into_iter()
        .map(|event| match event {
            Event::FlagChanged { key, .. } => key,
            Event::ValueChanged { key, listener, old, new } => {
                format!("{key} {listener} {} {}", old.unwrap(), new.unwrap())
            }
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(told, ["a", &format!("a {ada} 1 3"), &format!("a {bob} 2 4"), "b"]);
}

#[test]
fn whoever_gets_the_same_value_as_before_hears_nothing() {
    let host = Host::started();
    host.set("a", json!({ "x": 1, "y": [] }), 1);
    let (ada, bob) = (host.listen("a", "ada"), host.listen("a", "bob"));
    host.set("a", json!({ "x": 1, "y": [] }), 2);
    assert_eq!(host.changes(), [(bob, json!(1), json!(2))]);
    // The same JSON, written in another way.
    let text = r#"{"key":"a","on":true,"variations":[{ "y":[ ], "x":1.0 },2.0],"fallthrough":{"variation":0},"targets":[{"values":["bob"],"variation":1}]}"#;
    host.data.set_json(Kind::Flag, text).unwrap();
    assert_eq!(host.changes(), []);
    host.set("a", json!({ "x": 2, "y": [] }), 2);
    assert_eq!(
        host.changes(),
        [(ada, json!({ "x": 1, "y": [] }), json!({ "x": 2, "y": [] }))].map(|(id, mut old, new)| {
            old["x"] = json!(1.0);
            (id, old, new)
        })
    );
}

#[test]
fn what_does_not_exist_has_no_value_and_neither_has_null_or_what_makes_no_sense() {
    let host = Host::started();
    let ada = host.listen("a", "ada");
    assert_eq!(host.changes(), []);
    host.set("a", "here", 1);
    assert_eq!(host.changes(), [(ada, Value::Null, json!("here"))]);
    host.data.delete(Kind::Flag, "a");
    assert_eq!(host.changes(), [(ada, json!("here"), Value::Null)]);
    host.set("a", Value::Null, 1);
    assert_eq!(host.changes(), []);
    host.set("a", "back", 1);
    assert_eq!(host.changes(), [(ada, Value::Null, json!("back"))]);
    // It serves a variation that it does not have.
    host.set_json(&json!({ "key": "a", "on": true, "variations": [], "fallthrough": { "variation": 7 } }));
    assert_eq!(host.changes(), [(ada, json!("back"), Value::Null)]);
}

#[test]
fn a_flag_that_depends_on_what_changed_is_told_as_well() {
    let host = Host::started();
    let flag = |key: &str, prerequisites: Value| {
        json!({ "key": key, "on": true, "variations": ["on", "off"], "offVariation": 1, "prerequisites": prerequisites,
            "fallthrough": { "variation": 0 } })
    };
    host.set_json(&flag("base", json!([])));
    host.set_json(&flag("top", json!([{ "key": "base", "variation": 0 }])));
    let ada = host.listen("top", "ada");
    let mut off = flag("base", json!([]));
    off["on"] = json!(false);
    host.set_json(&off);
    assert_eq!(host.changes(), [(ada, json!("on"), json!("off"))]);
}

#[test]
fn who_listens_before_there_are_data_hears_of_the_first_ones() {
    let host = Host::new(&[]);
    host.set("a", 1, 2);
    let ada = host.listen("a", "ada");
    assert_eq!(host.changes(), []);
    host.client.start(SOON).unwrap();
    assert_eq!(host.changes(), [(ada, Value::Null, json!(1))]);
}

#[test]
fn who_listens_no_more_hears_nothing_even_of_what_is_being_told() {
    let host = Host::started();
    host.set("a", 1, 2);
    let listeners: Vec<u64> = (0..3).map(|_| host.listen("a", "ada")).collect();
    host.told();
    host.set("a", 2, 2);
    let first = loop {
        if let Polled::Event(notification) = host.client.poll(SOON)
            && let Some((listener, ..)) = change(notification.event)
        {
            break listener;
        }
    };
    assert_eq!(first, listeners[0]);
    assert!(host.client.unlisten(listeners[1]).unwrap() && host.client.unlisten(first).unwrap());
    assert!(!host.client.unlisten(first).unwrap() && !host.client.unlisten(99).unwrap());
    assert_eq!(host.changes(), [(listeners[2], json!(1), json!(2))]);
}

#[test]
fn what_was_dropped_because_nobody_polled_is_made_up_for() {
    let host = Host::new(&[("notifications.capacity", "1")]);
    host.client.start(SOON).unwrap();
    let listeners: Vec<u64> = ["a", "b", "c"].map(|key| host.listen(key, "ada")).into();
    host.told();
    for key in ["a", "b", "c", "a"] {
        host.set(key, key, 2);
    }
    let mut changes = host.changes();
    changes.sort_by_key(|change| change.0);
    let expected = listeners.iter().zip(["a", "b", "c"]).map(|(id, key)| (*id, Value::Null, json!(key)));
    assert!(changes.into_iter().eq(expected));
}

#[test]
fn only_the_host_and_listeners_make_the_store_hurry() {
    let host = Host::started();
    let hurries = || host.client.plant.shared.hears_flag_changes();
    assert!(!hurries());
    let (one, other) = (host.listen("a", "ada"), host.listen("a", "ada"));
    assert!(hurries() && host.client.unlisten(one).unwrap() && hurries());
    host.client.hear_flag_changes(true);
    host.client.hear_flag_changes(true);
    assert!(host.client.unlisten(other).unwrap() && hurries());
    host.client.hear_flag_changes(false);
    assert!(!hurries());
}

#[test]
fn a_closed_client_tells_what_is_left_and_takes_no_listeners() {
    let host = Host::started();
    host.set("a", 1, 2);
    let ada = host.listen("a", "ada");
    host.told();
    host.set("a", 2, 2);
    host.client.close(SOON);
    assert_eq!(host.changes(), [(ada, json!(1), json!(2))]);
    assert_eq!(host.client.poll(SOON), Polled::Closed);
    assert!(host.client.listen("a", &Context::from_key("", "ada").unwrap()).is_err());
    assert!(host.client.unlisten(ada).is_err());
}

#[test]
fn a_file_that_changes_is_told_too() {
    let path = std::env::temp_dir().join(format!("flagstone-listen-{}.yaml", std::process::id()));
    std::fs::write(&path, "flagValues: {a: {x: 1}}").unwrap();
    let mut config = Config::default();
    let paths = json!([path]).to_string();
    for (name, value) in [("source.kind", "file"), ("file.paths", &*paths), ("file.auto_reload", "true")] {
        config.set(name, value).unwrap();
    }
    let host = Host { client: Client::new(config.resolve().unwrap()).unwrap(), data: TestData::new() };
    host.client.start(SOON).unwrap();
    let ada = host.listen("a", "ada");
    std::fs::write(&path, "flagValues:\n  a: {x: 2.50}").unwrap();
    let told = loop {
        if let Polled::Event(notification) = host.client.poll(SOON)
            && let Event::ValueChanged { listener, old, new, .. } = notification.event
        {
            break (listener, old, new);
        }
    };
    assert_eq!(told, (ada, Some("{\"x\":1}".to_owned()), Some("{\"x\":2.50}".to_owned())));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn several_pollers_tell_each_change_once_and_none_is_lost() {
    let host = Host::started();
    host.set("a", 0, 0);
    let listeners: Vec<u64> = (0..20).map(|_| host.listen("a", "ada")).collect();
    let heard: Mutex<HashMap<u64, Vec<(i64, i64)>>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    match host.client.poll(SOON) {
                        Polled::Event(notification) => {
                            if let Some((listener, old, new)) = change(notification.event) {
                                let step = (old.as_i64().unwrap(), new.as_i64().unwrap());
                                lock(&heard).entry(listener).or_default().push(step);
                            }
                        }
                        Polled::Timeout => panic!("nobody closed the client"),
                        Polled::Closed => return,
                    }
                }
            });
        }
        for number in 1..=300 {
            host.set("a", number, 0);
        }
        host.client.close(SOON);
    });
    let heard = lock(&heard);
    assert_eq!(heard.len(), listeners.len());
    for (listener, steps) in &*heard {
        // Pollers write them down in any order; each begins where another one ended.
        let mut steps = steps.clone();
        steps.sort_unstable();
        let ends = std::iter::once(0).chain(steps.iter().map(|step| step.1));
        assert!(steps.iter().map(|step| step.0).eq(ends.take(steps.len())), "listener {listener}: {steps:?}");
        assert_eq!(steps.last().unwrap().1, 300);
    }
}

#[test]
fn ten_thousand_listeners_to_one_flag_are_told_one_after_the_other() {
    let host = Host::started();
    let big = "x".repeat(2_000);
    host.set("a", json!([big, 1]), 1);
    let listeners: Vec<u64> = (0..10_000).map(|_| host.listen("a", "ada")).collect();
    host.told();
    // Compared as JSON once, not ten thousand times.
    host.set("a", json!([big, 2]), 1);
    let mut count = 0;
    while let Polled::Event(notification) = host.client.poll(Duration::ZERO) {
        let Event::ValueChanged { listener, .. } = notification.event else { continue };
        assert_eq!(listener, listeners[count]);
        count += 1;
    }
    assert_eq!(count, 10_000);
}
