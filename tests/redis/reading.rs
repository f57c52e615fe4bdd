//! What is read from Redis: layout, damaged items, big data sets.

use redis::pipe;
use serde_json::json;

use crate::support::*;

const ERROR: i32 = 3;
#[test]
fn flags_and_segments_are_read_from_the_hashes_under_the_prefix() {
    let flags =
        [("plain", flag("plain", 3, "red")), ("members", Flag::new("members", 1, "in").for_segment("s").text())];
    let server = RedisServer::holding(&flags, &[("s", segment("s", 1, &["ada"]))]);
    let client = Config::of(&server).started();
    assert_eq!((client.ask("plain"), client.ask("members")), ("red".into(), "in".into()));
    assert_eq!(client.detail_for(&Context::user("bob"), "members").word(), OTHER);
    let status = client.status();
    assert_eq!(
        (&status["state"], &status["ready"], &status["available"]),
        (&json!("VALID"), &json!(true), &json!(true))
    );
    assert_eq!((&status["flags"], &status["segments"], &status["malformed"]), (&json!(2), &json!(1), &json!(0)));
}

#[test]
fn another_prefix_is_another_environment_and_an_empty_one_is_the_default() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "default"))], &[]);
    server.run::<i64>(&["HSET", "eu/{x}:prod:features", "a", &flag("a", 1, "eu")]);
    assert_eq!(Config::of(&server).with("redis.prefix", "eu/{x}:prod").started().ask("a"), "eu");
    assert_eq!(Config::of(&server).with("redis.prefix", "").started().ask("a"), "default");
    assert_eq!(Config::of(&server).with("redis.prefix", "none").started().ask("a"), "FLAG_NOT_FOUND");
}

#[test]
fn each_shape_of_tombstone_is_a_deleted_flag() {
    let server = RedisServer::holding(&[("alive", flag("alive", 1, "on"))], &[]);
    for (number, text) in tombstones("x", 7).into_iter().enumerate() {
        server.set_flag(format!("gone-{number}"), &text);
        server.set_segment(format!("gone-{number}"), &text);
    }
    let client = Config::of(&server).started();
    for number in 0..3 {
        assert_eq!(client.ask(&format!("gone-{number}")), "FLAG_NOT_FOUND");
    }
    let status = client.status();
    assert_eq!((&status["flags"], &status["segments"], &status["malformed"]), (&json!(1), &json!(0), &json!(0)));
}

#[test]
fn the_field_name_is_the_key_whatever_the_text_says() {
    let server = RedisServer::holding(&[("field", flag("inner", 1, "on"))], &[]);
    let client = Config::of(&server).started();
    assert_eq!((client.ask("field"), client.ask("inner")), ("on".into(), "FLAG_NOT_FOUND".into()));
}

#[test]
fn unknown_properties_do_no_harm() {
    let text = Flag::new("a", 1, "on").with("invented", json!({ "deep": [1, { "x": null }] })).text();
    let server = RedisServer::holding(&[("a", text)], &[]);
    assert_eq!(Config::of(&server).started().ask("a"), "on");
}

#[test]
fn a_bad_item_is_an_error_of_its_own_and_leaves_its_neighbours_alone() {
    let server = RedisServer::holding(&[("good", flag("good", 1, "on"))], &[]);
    let deep = format!(r#"{{"version":1,"x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let bad = ["", "{", "null", "[]", "not json", r#"{"version":"x"}"#, deep.as_str(), "\u{0}\u{1}"];
    for (number, text) in bad.iter().enumerate() {
        server.set_flag(format!("bad-{number}"), text);
    }
    server.set_flag("bytes", b"\xff\xfe{\x80".as_slice());
    server.set_segment("bad", "{");
    server.set_flag("via-segment", Flag::new("via-segment", 1, "in").for_segment("bad").text());
    server.set_flag("via-flag", Flag::new("via-flag", 1, "in").requires("bad-1").text());
    let client = Config::of(&server).started();
    assert_eq!(client.ask("good"), "on");
    for (number, text) in bad.iter().enumerate() {
        assert_eq!(client.ask(&format!("bad-{number}")), "EXCEPTION", "{text:?}");
    }
    for key in ["bytes", "via-segment", "via-flag"] {
        assert_eq!(client.ask(key), "EXCEPTION", "{key}");
    }
    let status = client.status();
    assert_eq!((&status["state"], &status["malformed"]), (&json!("VALID"), &json!(bad.len() + 2)));
    assert!(!client.detail("good").stale);
}

#[test]
fn what_a_large_first_read_did_not_parse_is_judged_before_long_and_answers_at_once() {
    let large = |key: &str, version: i64, value: &str| big_flag(key, version, value, 3_000);
    let mut items: Vec<(&'static str, String)> = many_flags(600, 1, "on");
    items.iter_mut().for_each(|(key, text)| *text = large(key, 1, "on"));
    // By their outline these are items; they do not parse nevertheless.
    let deep = format!(r#"{{"version":1,"x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let bad = [r#"{"version":1,"rules":7}"#, r#"{"version":1,"variations":[tru]}"#, r#"{"version":1,"on":}"#, &deep];
    let bad_keys: Vec<&'static str> = (0..40).map(|number| &*format!("bad-{number}").leak()).collect();
    items.extend(bad_keys.iter().zip(bad.iter().cycle()).map(|(key, text)| (*key, (*text).to_owned())));
    items.push(("via", Flag::new("via", 1, "in").requires("bad-1").text()));
    items.push(("in-segment", Flag::new("in-segment", 1, "in").for_segment("s").text()));
    let server = RedisServer::holding(&items, &[("s", segment("s", 1, &["ada"]))]);

    let client = Config::of(&server).with("log.level", "error").started();
    for key in bad_keys.iter().chain(&["via"]) {
        assert_eq!(client.ask(key), "EXCEPTION", "{key}");
    }
    assert_eq!((client.ask("flag-599"), client.ask("in-segment")), ("on".into(), "in".into()));
    client.reports("malformed", bad_keys.len());
    let notices = client.drain();
    for key in &bad_keys {
        let about = format!("{key:?} in Redis does not parse");
        assert_eq!(log_lines(&notices, ERROR).iter().filter(|line| line.contains(&about)).count(), 1, "{key}");
    }

    // What was not parsed at first takes changes as everything does.
    server.set_flag("flag-0", large("flag-0", 2, "new"));
    client.serves("flag-0", "new");
    server.set_flag("flag-1", "{broken");
    eventually("the bad content is noticed", || client.detail("flag-1").stale);
    assert_eq!(client.ask("flag-1"), "on");
    server.set_flag("bad-1", flag("bad-1", 2, "on"));
    client.serves("via", "in");
    server.set_segment("s", segment("s", 2, &[]));
    assert_eq!(client.hears_change_of("in-segment"), (Some(1), Some(1)));
    client.reports("malformed", bad_keys.len());
}

#[test]
fn a_good_version_stays_in_force_over_a_bad_one_and_each_bad_content_is_reported_once() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "good")), ("b", flag("b", 1, "b"))], &[]);
    let client = Config::of(&server).with("log.level", "error").started();
    server.set_flag("a", "{broken");
    eventually("the bad content is noticed", || client.detail("a").stale);
    assert_eq!((client.ask("a"), client.detail("b").stale), ("good".into(), false));
    client.reports("malformed", 1);
    // Each change of a neighbour makes the client read the bad content again.
    for version in 2..6 {
        server.set_flag("b", flag("b", version, &format!("b{version}")));
        client.serves("b", &format!("b{version}"));
    }
    let lines = |text: &str| {
        client
            .drain()
            .iter()
            .filter(|notice| matches!(notice, Notice::Log { text: line, .. } if line.contains(text)))
            .count()
    };
    assert_eq!(lines("\"a\""), 1);
    assert_eq!(client.state(), VALID);
    server.set_flag("a", "{broken otherwise");
    let mut second = 0;
    eventually("the second bad content is reported", || {
        second += lines("\"a\"");
        second == 1
    });
    server.set_flag("a", flag("a", 2, "mended"));
    client.serves("a", "mended");
    assert!(!client.detail("a").stale);
    client.reports("malformed", 0);
}

#[test]
fn bad_content_is_reported_once_although_it_is_evicted_and_read_again() {
    let server = RedisServer::holding(&[("bad", "{broken".into()), ("good", flag("good", 1, "on"))], &[]);
    let config = Config::of(&server).with("cache.residency", "lazy").with("cache.capacity", "1");
    let client = config.with("log.level", "error").started();
    for _ in 0..5 {
        assert_eq!((client.ask("bad"), client.ask("good")), ("EXCEPTION".into(), "on".into()));
    }
    let told = client.drain();
    assert_eq!(told.iter().filter(|notice| matches!(notice, Notice::Log { .. })).count(), 1, "{told:?}");
    assert_eq!(client.status()["malformed"], 1);
    server.remove_flag("bad");
    assert_eq!(client.ask("bad"), "FLAG_NOT_FOUND");
    client.reports("malformed", 0);
}

#[test]
fn a_permission_that_is_taken_away_loses_nothing() {
    for residency in ["all", "lazy"] {
        let server = Setup::default().user("reader on nopass ~* &* +@all").start();
        server.replace(&[("a", flag("a", 1, "old"))], &[]);
        let config = Config::of(&server).with("redis.username", "reader").with("redis.password", "any");
        let client = config.with("cache.residency", residency).started();
        assert_eq!(client.ask("a"), "old");
        server.run::<()>(&["ACL", "SETUSER", "reader", "-hmget", "-hget", "-hgetall"]);
        server.set_flag("a", flag("a", 2, "new"));
        client.becomes(INTERRUPTED);
        assert_eq!((client.ask("a"), client.detail("a").stale), ("old".into(), true));
        let error = client.status()["last_error"].to_string();
        assert!(error.to_lowercase().contains("permission"), "{error}");
        server.run::<()>(&["ACL", "SETUSER", "reader", "+@all"]);
        client.becomes(VALID);
        client.serves("a", "new");
    }
}

#[test]
fn a_good_version_that_comes_back_unchanged_is_not_stale_any_more() {
    let good = flag("a", 1, "good");
    let server = RedisServer::holding(&[("a", good.clone())], &[]);
    let client = Config::of(&server).started();
    server.set_flag("a", "{broken");
    eventually("the bad content is noticed", || client.detail("a").stale);
    server.set_flag("a", good);
    eventually("the good content is back", || !client.detail("a").stale);
    client.reports("malformed", 0);
}

#[test]
fn keys_may_be_any_text_and_fields_that_are_no_text_are_counted() {
    let server = RedisServer::holding(&[], &[]);
    let keys = ["", " ", "ключ", "a\nb\r\n", "nul\u{0}", "*", "$deleted", "🚩"];
    keys.iter().for_each(|key| server.set_flag(*key, flag(key, 1, &format!("<{key}>"))));
    server.set_flag(b"\xff\xfe".as_slice(), flag("x", 1, "x"));
    for residency in ["all", "lazy", "off"] {
        let client = Config::of(&server).with("cache.residency", residency).started();
        for key in keys {
            assert_eq!(client.ask(key), format!("<{key}>"), "{residency}");
        }
        if residency == "all" {
            assert_eq!(client.status()["malformed"], 1);
        }
    }
}

#[test]
fn a_hash_of_50_megabytes_is_read() {
    let server = RedisServer::holding(&[], &[]);
    for chunk in 0..10 {
        let mut pipeline = pipe();
        for number in chunk * 50..chunk * 50 + 50 {
            let key = format!("flag-{number}");
            pipeline.cmd("HSET").arg("launchdarkly:features").arg(&key).arg(big_flag(&key, 1, &key, 100_000));
        }
        server.send(&pipeline);
    }
    let client = Config::of(&server).client();
    client.start(2 * PATIENCE_MS).unwrap();
    assert_eq!((client.ask("flag-0"), client.ask("flag-499")), ("flag-0".into(), "flag-499".into()));
    assert_eq!(client.status()["flags"], 500);
}

#[test]
fn ten_thousand_flags_are_read() {
    let server = RedisServer::holding(&[], &[]);
    let mut pipeline = pipe();
    for number in 0..10_000 {
        let key = format!("flag-{number}");
        pipeline.cmd("HSET").arg("launchdarkly:features").arg(&key).arg(flag(&key, 1, &key));
    }
    server.send(&pipeline);
    let client = Config::of(&server).client();
    client.start(2 * PATIENCE_MS).unwrap();
    assert_eq!(client.status()["flags"], 10_000);
    for number in (0..10_000).step_by(997) {
        assert_eq!(client.ask(&format!("flag-{number}")), format!("flag-{number}"));
    }
}

#[test]
fn a_key_of_a_wrong_type_at_the_start_is_reported_and_read_when_it_is_mended() {
    for residency in ["all", "lazy"] {
        let server = RedisServer::start();
        server.run::<()>(&["SET", "launchdarkly:features", "text"]);
        let client = Config::of(&server).with("cache.residency", residency).client();
        eventually("the reason is told", || {
            let failure = client.start(300).unwrap_err();
            assert_eq!(failure.status, TIMEOUT);
            failure.message.contains("WRONGTYPE")
        });
        server.replace(&[("a", flag("a", 1, "on"))], &[]);
        client.becomes(VALID);
        client.serves("a", "on");
    }
}

#[test]
fn a_key_that_becomes_of_a_wrong_type_loses_nothing() {
    for (residency, hash) in [("all", "features"), ("all", "segments"), ("lazy", "features"), ("lazy", "segments")] {
        let flags = [("a", flag("a", 1, "on")), ("m", Flag::new("m", 1, "in").for_segment("s").text())];
        let segments = [("s", segment("s", 1, &["ada"]))];
        let server = RedisServer::holding(&flags, &segments);
        let client = Config::of(&server).with("cache.residency", residency).started();
        assert_eq!((client.ask("a"), client.ask("m")), ("on".into(), "in".into()));
        let mut pipeline = pipe();
        pipeline.atomic().cmd("DEL").arg(format!("launchdarkly:{hash}"));
        pipeline.cmd("SET").arg(format!("launchdarkly:{hash}")).arg("text");
        server.send(&pipeline);
        client.becomes(INTERRUPTED);
        client.reports("wiped", true);
        assert_eq!((client.ask("a"), client.ask("m")), ("on".into(), "in".into()), "{residency} {hash}");
        assert!(client.detail("a").stale);
        server.replace(&flags, &segments);
        client.becomes(VALID);
        assert_eq!((client.ask("a"), client.ask("m"), client.detail("a").stale), ("on".into(), "in".into(), false));
    }
}
