//! Redis loses its data set without going away: held items stay in force until it has one again, or, where that is
//! configured, Redis counts as it is.

use std::thread;
use std::time::Duration;

use redis::pipe;

use crate::support::*;

type Items = Vec<(&'static str, String)>;

fn data() -> (Items, Items) {
    let flags = vec![
        ("a", flag("a", 1, "one")),
        ("b", flag("b", 1, "two")),
        ("member", Flag::new("member", 1, "in").for_segment("s").text()),
    ];
    (flags, vec![("s", segment("s", 1, &["ada"]))])
}

/// A client that has evaluated every flag, and looks at Redis often: `$inited` alone changes without a push.
fn client_of(server: &RedisServer, residency: &str, on_wipe: &str) -> Client {
    let config = Config::of(server).with("cache.residency", residency).with("cache.on_wipe", on_wipe);
    let client = config.with("refresh.interval_ms", "200").started();
    assert_eq!(values(&client), ["one", "two", "in"]);
    client
}

fn values(client: &Client) -> [String; 3] {
    ["a", "b", "member"].map(|key| client.ask(key))
}

/// How a data set gets lost, and how the client calls it.
const LOSSES: [(&str, &[&str]); 4] = [
    ("$inited is gone", &["$inited"]),
    ("features hash is gone", &["features"]),
    ("segments hash is gone", &["segments"]),
    ("$inited is gone", &["features", "segments", "$inited"]),
];

#[test]
fn each_way_to_lose_the_data_set_keeps_every_held_item_until_it_is_whole_again() {
    for residency in ["all", "lazy"] {
        for (why, lost) in LOSSES {
            let (flags, segments) = data();
            let server = RedisServer::holding(&flags, &segments);
            let client = client_of(&server, residency, "keep");
            client.drain();
            server.remove(lost);
            client.becomes(INTERRUPTED);
            client.reports("wiped", true);
            throughout(Duration::from_millis(300), || {
                assert_eq!(values(&client), ["one", "two", "in"], "{residency} {lost:?}");
                assert!(client.detail("a").stale);
            });
            let status = client.status();
            assert_eq!(status["available"], true);
            assert!(status["stale_since_ms"].is_i64());
            let told = client.drain();
            let says_why = |n: &Notice| matches!(n, Notice::Status { state: INTERRUPTED, text } if text.contains(why));
            assert!(told.iter().any(says_why), "{told:?}");
            assert!(!told.iter().any(|notice| matches!(notice, Notice::Changed { .. })), "{told:?}");

            // Whole again, without b: from now on missing means deleted.
            let rest: Items = flags.iter().filter(|(key, _)| *key != "b").cloned().collect();
            server.replace(&rest, &segments);
            client.becomes(VALID);
            client.serves("b", "FLAG_NOT_FOUND");
            assert_eq!(values(&client), ["one", "FLAG_NOT_FOUND", "in"]);
            eventually("nothing is stale", || !client.detail("a").stale);
            client.reports("wiped", false);
        }
    }
}

#[test]
fn while_redis_is_half_written_what_is_there_replaces_and_what_is_missing_stays() {
    for residency in ["all", "lazy"] {
        let (flags, segments) = data();
        let server = RedisServer::holding(&flags, &segments);
        let client = client_of(&server, residency, "keep");
        server.flush();
        client.reports("wiped", true);
        server.set_flag("a", flag("a", 1, "rewritten"));
        client.serves("a", "rewritten");
        assert_eq!((client.ask("b"), client.ask("member")), ("two".into(), "in".into()), "{residency}");
        assert_eq!((client.state(), client.detail("a").stale), (INTERRUPTED, true));
        server.set_flag("b", &tombstones("b", 2)[1]);
        client.serves("b", "FLAG_NOT_FOUND");
        assert_eq!(client.ask("member"), "in");
        server.set_segment("s", segment("s", 2, &[]));
        client.serves("member", OTHER);
        server.set_inited();
        client.becomes(VALID);
        client.serves("member", "FLAG_NOT_FOUND");
        assert_eq!((client.ask("a"), client.ask("b")), ("rewritten".into(), "FLAG_NOT_FOUND".into()));
    }
}

#[test]
fn a_flag_that_was_never_held_is_not_taken_for_deleted_after_a_wipe() {
    let (mut flags, segments) = data();
    flags.push(("late", flag("late", 1, "late")));
    let server = RedisServer::holding(&flags, &segments);
    let client = client_of(&server, "lazy", "keep");
    server.flush();
    client.reports("wiped", true);
    assert_eq!(client.ask("late"), "FLAG_NOT_FOUND");
    server.replace(&flags, &segments);
    client.becomes(VALID);
    assert_eq!(client.ask("late"), "late");
}

#[test]
fn where_it_is_configured_redis_counts_as_it_is() {
    for residency in ["all", "lazy", "off"] {
        for (_, lost) in LOSSES {
            let (flags, segments) = data();
            let server = RedisServer::holding(&flags, &segments);
            let client = client_of(&server, residency, if residency == "off" { "keep" } else { "clear" });
            server.remove(lost);
            if lost.contains(&"features") {
                client.serves("a", "FLAG_NOT_FOUND");
                client.serves("member", "FLAG_NOT_FOUND");
            } else if lost.contains(&"segments") {
                client.serves("member", OTHER);
                assert_eq!(client.ask("a"), "one");
            }
            throughout(Duration::from_millis(300), || assert_eq!(client.state(), VALID, "{residency} {lost:?}"));
            let status = client.status();
            assert_eq!((&status["wiped"], &status["stale_since_ms"]), (&false.into(), &serde_json::Value::Null));
            assert!(!client.detail("a").stale);
            server.replace(&flags, &segments);
            client.serves("member", "in");
            client.serves("a", "one");
        }
    }
}

#[test]
fn a_wrong_type_counts_as_it_is_where_that_is_configured_and_heals() {
    let (flags, segments) = data();
    let server = RedisServer::holding(&flags, &segments);
    let client = client_of(&server, "all", "clear");
    let mut pipeline = pipe();
    pipeline.atomic().cmd("DEL").arg("launchdarkly:features");
    pipeline.cmd("SET").arg("launchdarkly:features").arg("text");
    server.send(&pipeline);
    client.serves("a", "FLAG_NOT_FOUND");
    assert!(client.status()["last_error"].as_str().unwrap().contains("WRONGTYPE"));
    server.replace(&flags, &segments);
    client.serves("a", "one");
}

#[test]
fn a_data_set_whose_marker_was_never_seen_is_held_too_when_it_is_lost() {
    for residency in ["all", "lazy"] {
        for (why, lost) in &LOSSES[1..] {
            let (flags, segments) = data();
            let server = RedisServer::holding(&flags, &segments);
            // An eviction takes what nobody reads often: the marker first, and the rest later.
            server.remove(&["$inited"]);
            let client = client_of(&server, residency, "keep");
            server.remove(lost);
            client.becomes(INTERRUPTED);
            client.reports("wiped", true);
            // Longer than it takes for two reads to agree that many items are gone.
            throughout(Duration::from_secs(3), || {
                assert_eq!(values(&client), ["one", "two", "in"], "{residency} {why} {lost:?}");
                assert!(client.detail("a").stale);
            });
            server.replace(&[("a", flag("a", 2, "new"))], &[]);
            client.serves("a", "new");
            client.serves("b", "FLAG_NOT_FOUND");
            client.becomes(VALID);
            client.reports("wiped", false);
        }
    }
}

#[test]
fn without_a_marker_single_items_and_segments_that_no_flag_names_may_go() {
    for residency in ["all", "lazy"] {
        let (flags, segments) = data();
        let server = RedisServer::holding(&flags, &segments);
        server.remove(&["$inited"]);
        let client = client_of(&server, residency, "keep");
        server.remove_flag("a");
        client.serves("a", "FLAG_NOT_FOUND");
        server.remove_flag("member");
        client.serves("member", "FLAG_NOT_FOUND");
        server.remove(&["segments"]);
        client.serves("b", "two");
        assert_eq!((client.state(), &client.status()["wiped"]), (VALID, &false.into()));
    }
}

#[test]
fn segments_that_no_flag_names_may_go() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[("unused", segment("unused", 1, &[]))]);
    let client = Config::of(&server).started();
    assert_eq!((client.ask("a"), client.status()["segments"].as_i64()), ("one".into(), Some(1)));
    server.remove(&["segments"]);
    client.reports("segments", 0);
    assert_eq!((client.state(), &client.status()["wiped"]), (VALID, &false.into()));
}

#[test]
fn a_replacement_without_segments_is_no_wipe_when_no_flag_of_it_names_one() {
    for residency in ["all", "lazy"] {
        let (flags, segments) = data();
        let server = RedisServer::holding(&flags, &segments);
        let client = client_of(&server, residency, "keep");
        let mut rest = vec![flags[0].clone()];
        server.replace(&rest, &[]);
        client.serves("member", "FLAG_NOT_FOUND");
        client.serves("b", "FLAG_NOT_FOUND");
        client.becomes(VALID);
        eventually("the segment is dropped", || client.status()["segments"] == 0);
        server.replace(&flags, &segments);
        client.serves("member", "in");
        rest.push(("member", flag("member", 2, "for all")));
        server.replace(&rest, &[]);
        client.serves("member", "for all");
        client.becomes(VALID);
        assert_eq!(client.status()["wiped"], false, "{residency}");
    }
}

#[test]
fn an_environment_whose_last_flag_is_deleted_on_purpose_by_a_tombstone_is_no_wipe() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
    let client = Config::of(&server).started();
    assert_eq!(client.ask("a"), "one");
    server.set_flag("a", &tombstones("a", 2)[2]);
    client.serves("a", "FLAG_NOT_FOUND");
    assert_eq!((client.state(), &client.status()["wiped"]), (VALID, &false.into()));
}

#[test]
fn a_big_data_set_survives_a_wipe_while_it_is_written_anew_step_by_step() {
    let server = RedisServer::start();
    let write = |range: std::ops::Range<usize>, version: i64| {
        let mut pipeline = pipe();
        for number in range {
            let key = format!("flag-{number}");
            pipeline.cmd("HSET").arg("launchdarkly:features").arg(&key).arg(flag(&key, version, &version.to_string()));
        }
        server.send(&pipeline);
    };
    write(0..3_000, 1);
    server.set_inited();
    let client = Config::of(&server).started();
    assert_eq!((client.ask("flag-0"), client.ask("flag-2999")), ("1".into(), "1".into()));
    server.flush();
    client.reports("wiped", true);
    for step in 0..5 {
        write(step * 500..step * 500 + 500, 2);
        client.serves(&format!("flag-{}", step * 500), "2");
        assert_eq!((client.ask("flag-2999"), client.state()), ("1".into(), INTERRUPTED));
        assert_eq!(client.status()["flags"], 3_000);
    }
    server.set_inited();
    client.becomes(VALID);
    client.serves("flag-2999", "FLAG_NOT_FOUND");
    client.reports("flags", 2_500);
}

#[test]
fn a_data_set_that_was_doubtful_before_it_was_lost_is_not_read_again_and_again() {
    thread::scope(|scope| {
        for residency in ["all", "lazy"] {
            scope.spawn(move || {
                let flags = many_flags(40, 1, "one");
                let server = RedisServer::holding(&flags, &[]);
                let client = Config::of(&server).with("cache.residency", residency).started();
                flags.iter().for_each(|(key, _)| client.serves(key, "one"));
                let mut pipeline = pipe();
                pipeline.atomic();
                flags[..10].iter().for_each(|(key, _)| _ = pipeline.hdel("launchdarkly:features", key));
                server.send(&pipeline);
                client.becomes(INTERRUPTED);
                server.remove(&["$inited"]);
                // Longer than it takes for two reads to agree that many items are gone.
                thread::sleep(Duration::from_millis(2_500));
                client.reports("wiped", true);
                let before = server.calls_of("exec");
                thread::sleep(Duration::from_secs(3));
                let reads = server.calls_of("exec") - before;
                assert!(reads <= 8, "{residency}: {reads} reads in three seconds");
                flags.iter().for_each(|(key, _)| assert_eq!(client.ask(key), "one", "{residency}"));
            });
        }
    });
}
