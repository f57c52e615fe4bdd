//! Listeners in daemon mode: whoever polls hears when the value of a flag changes for a context, however Redis is followed.

use std::time::Duration;

use fakeld::Fake;
use serde_json::{Value, json};

use crate::support::*;

/// The next change of a value, past all other notices: its listener, the old value and the new one.
#[track_caller]
fn hears(client: &Client) -> (u64, Value, Value) {
    let mut heard = None;
    eventually("a change is told", || {
        while let Ok(polled) = client.poll(100) {
            if let Notice::Value { listener, old, new, .. } = polled.notice {
                heard = Some((listener, old, new));
                return true;
            }
        }
        false
    });
    heard.unwrap()
}

fn is_value(notice: &Notice) -> bool {
    matches!(notice, Notice::Value { .. })
}

#[test]
fn a_change_in_redis_is_told_by_push_and_by_age_and_whatever_is_held() {
    for (residency, freshness) in [("all", "push"), ("all", "ttl"), ("lazy", "push"), ("lazy", "ttl"), ("off", "push")]
    {
        let flags = [
            ("a", flag("a", 1, "old")),
            ("base", flag("base", 1, "x")),
            ("top", Flag::new("top", 1, "t").requires("base").text()),
        ];
        let server = RedisServer::holding(&flags, &[]);
        let config = Config::of(&server).with("cache.residency", residency).with("cache.freshness", freshness);
        let client = config.with("cache.ttl_ms", "150").started();
        let (a, top, added) = (client.listen("a"), client.listen("top"), client.listen("added"));
        let case = format!("{residency} {freshness}");
        server.set_flag("a", flag("a", 2, "new"));
        assert_eq!(hears(&client), (a, json!("old"), json!("new")), "{case}");
        server.set_flag("base", Flag::new("base", 2, "x").with("on", json!(false)).text());
        assert_eq!(hears(&client), (top, json!("t"), json!(OTHER)), "{case}");
        server.set_flag("added", flag("added", 1, "here"));
        assert_eq!(hears(&client), (added, Value::Null, json!("here")), "{case}");
        server.set_flag("a", json!({ "key": "a", "version": 3, "deleted": true }).to_string());
        assert_eq!(hears(&client), (a, json!("new"), Value::Null), "{case}");
        client.unlisten(a).expect("it listens");
        server.set_flag("a", flag("a", 4, "again"));
        client.serves("a", "again");
        server.set_flag("base", flag("base", 3, "x"));
        assert_eq!(hears(&client), (top, json!(OTHER), json!("t")), "{case}");
    }
}

#[test]
fn who_listens_to_more_than_is_held_hears_of_all_of_it() {
    let flags = many_flags(6, 1, "old");
    let server = RedisServer::holding(&flags, &[]);
    let config = Config::of(&server).with("cache.residency", "lazy").with("cache.capacity", "2");
    let client = config.with("cache.ttl_ms", "150").started();
    let mut listeners: Vec<u64> = flags.iter().map(|(key, _)| client.listen(key)).collect();
    server.replace(&many_flags(6, 2, "new"), &[]);
    let mut told: Vec<u64> = flags.iter().map(|_| hears(&client)).map(|(listener, ..)| listener).collect();
    told.sort_unstable();
    listeners.sort_unstable();
    assert_eq!(told, listeners);
}

#[test]
fn who_listens_before_redis_answers_hears_of_what_it_holds() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "here"))], &[]);
    for residency in ["all", "lazy", "off"] {
        let client = Config::of(&server).with("cache.residency", residency).client();
        let listener = client.listen("a");
        assert!(!client.drain().iter().any(is_value));
        client.start(PATIENCE_MS).expect("it becomes ready");
        assert_eq!(hears(&client), (listener, Value::Null, json!("here")), "{residency}");
    }
}

#[test]
fn an_outage_is_no_change_and_what_changed_meanwhile_is_told_after_it() {
    for residency in ["all", "lazy", "off"] {
        let mut server = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
        let config = Config::of(&server).with("cache.residency", residency).with("cache.ttl_ms", "100");
        let client = config.started();
        let listener = client.listen("a");
        server.kill();
        client.hears_state(INTERRUPTED);
        // Looked at once more while nobody answers.
        assert!(!(0..4).any(|_| client.poll(100).is_ok_and(|polled| is_value(&polled.notice))), "{residency}");
        server.restart();
        server.replace(&[("a", flag("a", 2, "new"))], &[]);
        assert_eq!(hears(&client), (listener, json!("old"), json!("new")), "{residency}");
    }
}

#[test]
fn a_redis_that_hangs_keeps_a_poller_for_one_command_however_many_listen() {
    let flags = many_flags(40, 1, "old");
    let server = RedisServer::holding(&flags, &[]);
    let config = Config::of(&server).with("cache.residency", "off").with("cache.ttl_ms", "100");
    let client = config.with("redis.command_timeout_ms", "1000").started();
    flags.iter().for_each(|(key, _)| _ = client.listen(key));
    client.drain();
    server.stop();
    for _ in 0..5 {
        let (_, took) = timed(|| client.poll(150));
        assert!(took < Duration::from_secs(20), "forty commands of a second each: {took:?}");
    }
    server.cont();
    server.replace(&many_flags(40, 2, "new"), &[]);
    assert_eq!(hears(&client).1, json!("old"));
}

#[test]
fn what_is_evaluated_for_listeners_leaves_no_events() {
    let fake = Fake::start().unwrap();
    let data = TestData::new();
    let tracked = |version: i64, value: &str| Flag::new("a", version, value).with("trackEvents", json!(true)).text();
    data.set_flag(&tracked(1, "old"));
    let client = telling(&fake).with_data(&data).started();
    let (listener, missing) = (client.listen("a"), client.listen("missing"));
    data.set_flag(&tracked(2, "new"));
    assert_eq!(hears(&client), (listener, json!("old"), json!("new")));
    data.set_flag(&flag("missing", 1, "here"));
    assert_eq!(hears(&client).0, missing);
    client.delivers();
    assert!(fake.payloads().is_empty(), "{:?}", fake.payloads());
    // As it would be told otherwise.
    assert_eq!(client.ask("a"), "new");
    client.delivers();
    assert_eq!(fake.payloads().len(), 1);
}

#[test]
fn a_poller_that_waits_already_hears_of_a_listener_that_comes_later() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    let client = Config::of(&server).with("cache.residency", "off").with("cache.ttl_ms", "100").started();
    client.hears_state(VALID);
    std::thread::scope(|scope| {
        let poller = scope.spawn(|| {
            loop {
                // One wait that no time ends.
                match client.poll(u32::MAX).expect("something is told").notice {
                    Notice::Value { listener, new, .. } => return (listener, new),
                    _ => continue,
                }
            }
        });
        let listener = client.listen("a");
        server.set_flag("a", flag("a", 2, "new"));
        assert_eq!(poller.join().unwrap(), (listener, json!("new")));
    });
}
