//! The state of all flags over a real Redis, in every residency, and the secure mode hash, as a host gets them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::*;

const INVALID: &str = r#"{"$valid":false,"$flagsState":{}}"#;
const CLIENT_SIDE_ONLY: u32 = 1;
const WITH_REASONS: u32 = 2;
const DETAILS_ONLY_FOR_TRACKED: u32 = 4;

/// Text of the state of flags that serve variation 0 to `ada`.
fn state(flags: &[(&str, i64, &str)]) -> String {
    let values: Vec<String> = flags.iter().map(|(key, _, value)| format!("\"{key}\":\"{value}\",")).collect();
    let metadata: Vec<String> =
        flags.iter().map(|(key, version, _)| format!("\"{key}\":{{\"variation\":0,\"version\":{version}}}")).collect();
    format!("{{{}\"$flagsState\":{{{}}},\"$valid\":true}}", values.concat(), metadata.join(","))
}

fn with_residency(server: &RedisServer, residency: &str) -> Config {
    Config::of(server).with("cache.residency", residency)
}

#[test]
fn every_residency_gives_the_same_text() {
    let flags = [
        ("b", Flag::new("b", 2, "two").requires("a").text()),
        ("a", Flag::new("a", 1, "one").for_segment("s").with("clientSide", json!(true)).text()),
        ("gone", tombstones("gone", 3)[0].clone()),
        ("bad", "{oops".to_owned()),
    ];
    let server = RedisServer::holding(&flags, &[("s", segment("s", 1, &["ada"]))]);
    let bob = Context::user("bob");
    for residency in ["all", "lazy", "off"] {
        let client = with_residency(&server, residency).started();
        assert_eq!(
            client.all_flags(),
            concat!(
                r#"{"a":"one","b":"two","$flagsState":{"a":{"variation":0,"version":1},"#,
                r#""b":{"variation":0,"version":2,"prerequisites":["a"]}},"$valid":true}"#
            ),
            "{residency}"
        );
        assert_eq!(
            client.try_all_flags(Some(&bob), CLIENT_SIDE_ONLY | WITH_REASONS).unwrap(),
            r#"{"a":"other","$flagsState":{"a":{"variation":1,"version":1,"reason":{"kind":"FALLTHROUGH"}}},"$valid":true}"#,
            "{residency}"
        );
        assert_eq!(
            client.try_all_flags(Some(&bob), CLIENT_SIDE_ONLY | WITH_REASONS | DETAILS_ONLY_FOR_TRACKED).unwrap(),
            r#"{"a":"other","$flagsState":{"a":{"variation":1}},"$valid":true}"#,
            "{residency}"
        );
    }
}

#[test]
fn unknown_option_bits_are_refused() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
    let client = Config::of(&server).started();
    let refused = client.try_all_flags(Some(&Context::user("ada")), 8 | WITH_REASONS).unwrap_err();
    assert_eq!((refused.status, refused.message.contains("0x8")), (INVALID_ARGUMENT, true), "{}", refused.message);
}

#[test]
fn a_null_context_and_a_client_that_is_not_ready_give_an_invalid_state() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
    for residency in ["all", "lazy", "off"] {
        let client = with_residency(&server, residency).client();
        assert_eq!(client.all_flags(), INVALID, "{residency}");
        client.start(PATIENCE_MS).unwrap();
        assert_eq!(client.all_flags(), state(&[("a", 1, "one")]), "{residency}");
        assert_eq!(client.try_all_flags(None, 0).unwrap(), INVALID, "{residency}");
    }
}

#[test]
fn an_empty_store_is_a_valid_state_without_flags() {
    let server = RedisServer::start();
    for residency in ["all", "lazy", "off"] {
        assert_eq!(with_residency(&server, residency).started().all_flags(), state(&[]), "{residency}");
    }
}

#[test]
fn a_closed_client_says_so() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
    for residency in ["all", "lazy", "off"] {
        let client =
            with_residency(&server, residency).with("sdk.key", "sdk-1").with("events.enabled", "false").started();
        assert_eq!(client.close(PATIENCE_MS), OK);
        let ada = Context::user("ada");
        assert_eq!(client.try_all_flags(Some(&ada), 0).unwrap_err().status, CLOSED, "{residency}");
        assert_eq!(client.try_secure_mode_hash(Some(&ada)).unwrap_err().status, CLOSED, "{residency}");
    }
}

#[test]
fn changes_are_part_of_the_state_as_soon_as_they_are_held() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
    let client = Config::of(&server).started();
    assert_eq!(client.all_flags(), state(&[("a", 1, "one")]));
    server.set_flag("a", flag("a", 2, "two"));
    server.set_flag("0", flag("0", 7, "new"));
    let expected = state(&[("0", 7, "new"), ("a", 2, "two")]);
    eventually("the state has both changes", || client.all_flags() == expected);
    server.remove_flag("a");
    let expected = state(&[("0", 7, "new")]);
    eventually("the state has lost the flag", || client.all_flags() == expected);
}

#[test]
fn without_residency_all_each_state_is_that_of_redis_at_that_time() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
    for (residency, freshness) in [("lazy", "forever"), ("lazy", "ttl"), ("off", "push")] {
        server.set_flag("a", flag("a", 1, "one"));
        let client = with_residency(&server, residency).with("cache.freshness", freshness).started();
        assert_eq!(client.ask("a"), "one");
        server.set_flag("a", flag("a", 2, "two"));
        server.set_flag("b", flag("b", 1, "new"));
        assert_eq!(client.all_flags(), state(&[("a", 2, "two"), ("b", 1, "new")]), "{residency} {freshness}");
        server.remove_flag("b");
        let reads = server.calls_of("hgetall");
        assert_eq!(client.all_flags(), state(&[("a", 2, "two")]), "{residency} {freshness}");
        assert_eq!(server.calls_of("hgetall"), reads + 2, "one read of each hash");
    }
}

#[test]
fn the_bounded_cache_keeps_what_it_holds_and_takes_nothing_in() {
    let flags: Vec<(String, String)> =
        (0..50).map(|n| format!("f{n:02}")).map(|key| (key.clone(), flag(&key, 1, "v"))).collect();
    let flags: Vec<(&str, String)> = flags.iter().map(|(key, text)| (key.as_str(), text.clone())).collect();
    let server = RedisServer::holding(&flags, &[]);
    let client =
        with_residency(&server, "lazy").with("cache.capacity", "5").with("cache.freshness", "forever").started();
    for key in ["f07", "f08"] {
        assert_eq!(client.ask(key), "v");
    }
    let held = client.status()["flags"].clone();
    let expected: Vec<(&str, i64, &str)> = flags.iter().map(|(key, _)| (*key, 1, "v")).collect();
    assert_eq!(client.all_flags(), state(&expected));
    assert_eq!((client.status()["flags"].clone(), held), (json!(2), json!(2)));
    // Still answered from the cache: Redis has something else by now.
    server.set_flag("f07", flag("f07", 2, "w"));
    assert_eq!(client.ask("f07"), "v");
}

#[test]
fn what_does_not_parse_is_counted_and_reported_once_however_often_everything_is_read() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "one")), ("bad", "{oops".into())], &[("bad", "{".into())]);
    for residency in ["lazy", "off"] {
        server.set_flag("bad", "{oops");
        let client = with_residency(&server, residency).with("log.level", "error").started();
        for _ in 0..3 {
            assert_eq!(client.all_flags(), state(&[("a", 1, "one")]), "{residency}");
        }
        assert_eq!(client.drain().iter().filter(|notice| matches!(notice, Notice::Log { .. })).count(), 2);
        assert_eq!(client.status()["malformed"], 2, "{residency}");
        server.remove_flag("bad");
        assert_eq!(client.all_flags(), state(&[("a", 1, "one")]), "{residency}");
        client.reports("malformed", 1);
    }
}

#[test]
fn a_large_set_is_read_whole_by_a_scan_as_by_one_read() {
    let keys: Vec<String> = (0..1_500).map(|number| format!("flag-{number:04}")).collect();
    let flags: Vec<(&str, String)> = keys.iter().map(|key| (key.as_str(), flag(key, 1, "v"))).collect();
    let server = RedisServer::holding(&flags, &[]);
    let expected: Vec<(&str, i64, &str)> = keys.iter().map(|key| (key.as_str(), 1, "v")).collect();
    for residency in ["lazy", "off"] {
        let client = with_residency(&server, residency).started();
        // The first read does not know how much there is; those after it scan.
        assert_eq!(client.all_flags(), state(&expected), "{residency}");
        let scans = server.calls_of("hscan");
        assert_eq!(client.all_flags(), state(&expected), "{residency}");
        assert!(server.calls_of("hscan") > scans + 1, "{residency}");
    }
}

#[test]
fn while_redis_is_away_residency_all_answers_from_memory_and_the_others_at_once_with_an_invalid_state() {
    for residency in ["all", "lazy", "off"] {
        let mut server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
        let client = with_residency(&server, residency).with("redis.ping_ms", "100").started();
        assert_eq!(client.ask("a"), "one");
        server.kill();
        client.becomes(INTERRUPTED);
        let (text, took) = timed(|| client.all_flags());
        let expected = if residency == "all" { state(&[("a", 1, "one")]) } else { INVALID.to_owned() };
        assert_eq!(text, expected, "{residency}");
        // Far from the timeouts.
        assert!(took < Duration::from_secs(5), "{residency}: {took:?}");
    }
}

#[test]
fn a_redis_that_does_not_answer_is_waited_for_no_longer_than_the_command_timeout() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
    let config = with_residency(&server, "off").with("redis.command_timeout_ms", "500");
    let client = config.with("redis.ping_ms", "60000").with("cache.freshness", "forever").started();
    server.stop();
    let (text, took) = timed(|| client.all_flags());
    assert_eq!(text, INVALID);
    assert!((Duration::from_millis(450)..Duration::from_secs(10)).contains(&took), "{took:?}");
    server.cont();
    eventually("the state is valid again", || client.all_flags() == state(&[("a", 1, "one")]));
}

#[test]
fn a_lost_data_set_is_held_under_residency_all_and_an_invalid_state_under_lazy() {
    for residency in ["all", "lazy"] {
        let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
        let client = with_residency(&server, residency).with("refresh.interval_ms", "200").started();
        assert_eq!(client.ask("a"), "one");
        server.remove(&["features", "$inited"]);
        client.becomes(INTERRUPTED);
        let expected = if residency == "all" { state(&[("a", 1, "one")]) } else { INVALID.to_owned() };
        assert_eq!(client.all_flags(), expected, "{residency}");
        let cleared = with_residency(&server, residency).with("cache.on_wipe", "clear").started();
        assert_eq!(cleared.all_flags(), state(&[]), "{residency}");
    }
}

#[test]
fn something_else_in_place_of_a_hash_is_an_invalid_state() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
    for residency in ["lazy", "off"] {
        let client = with_residency(&server, residency).started();
        server.remove(&["segments"]);
        server.run::<()>(&["SET", &format!("{PREFIX}:segments"), "text"]);
        assert_eq!(client.all_flags(), INVALID, "{residency}");
        server.remove(&["segments"]);
        eventually("the state is valid again", || client.all_flags() == state(&[("a", 1, "one")]));
    }
}

#[test]
fn threads_that_ask_at_once_all_get_the_state() {
    let keys: Vec<String> = (0..200).map(|number| format!("flag-{number:04}")).collect();
    let flags: Vec<(&str, String)> = keys.iter().map(|key| (key.as_str(), flag(key, 1, "v"))).collect();
    let server = RedisServer::holding(&flags, &[]);
    let expected: Vec<(&str, i64, &str)> = keys.iter().map(|key| (key.as_str(), 1, "v")).collect();
    let expected = state(&expected);
    for residency in ["all", "lazy", "off"] {
        let client = with_residency(&server, residency).started();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..5).for_each(|_| assert_eq!(client.all_flags(), expected, "{residency}")));
            }
        });
    }
}

#[test]
fn every_flag_says_what_its_own_evaluation_says() {
    let flags = [
        ("plain", flag("plain", 1, "v")),
        ("needs", Flag::new("needs", 2, "v").requires("missing").text()),
        ("broken", Flag::new("broken", 3, "v").with("fallthrough", json!({ "variation": 5 })).text()),
        ("off", Flag::new("off", 4, "v").with("on", json!(false)).with("offVariation", Value::Null).text()),
    ];
    let server = RedisServer::holding(&flags, &[]);
    let client = Config::of(&server).started();
    let all: Value =
        serde_json::from_str(&client.try_all_flags(Some(&Context::user("ada")), WITH_REASONS).unwrap()).unwrap();
    for (key, _) in flags {
        let (detail, metadata) = (client.detail(key), &all["$flagsState"][key]);
        assert_eq!(all[key].as_str(), detail.value.as_deref(), "{key}");
        assert_eq!(metadata["variation"].as_i64().unwrap_or(-1), i64::from(detail.variation), "{key}");
        assert_eq!(metadata["reason"]["prerequisiteKey"].as_str().unwrap_or_default(), detail.prerequisite, "{key}");
    }
}

#[test]
fn the_secure_mode_hash_needs_a_key_and_a_context_and_no_redis() {
    let ada = Context::user("user-key-123");
    let client = Config::new().with("sdk.key", "sdk-01234567-89ab-cdef-0123-456789abcdef").client();
    assert_eq!(
        client.try_secure_mode_hash(Some(&ada)).unwrap(),
        "73df666a13f2c474e50aa34ca5a761e89abb737fb139ff65fdde7fa85c9dcacd"
    );
    assert_eq!(client.try_secure_mode_hash(None).unwrap_err().status, NULL_ARGUMENT);
    let refused = Config::new().client().try_secure_mode_hash(Some(&ada)).unwrap_err();
    assert_eq!((refused.status, refused.message.contains("sdk.key")), (INVALID_ARGUMENT, true), "{}", refused.message);
}
