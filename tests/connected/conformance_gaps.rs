//! What LaunchDarkly's contract tests cannot see: their test of versions waits for a value that nobody writes and so cannot
//! fail, marks of deleted items come in one shape, and the hash of segments is never looked at.

use fakeld::{Fake, Kind};
use serde_json::{Value, json};

use crate::support::*;

const RESIDENCIES: [&str; 3] = ["all", "lazy", "off"];

/// A LaunchDarkly that has flag and segment `x` in version 1, and a client that streams from it and writes to Redis.
fn connected(server: &RedisServer, residency: &str) -> (Fake, Client) {
    let fake = launchdarkly(&[("x", flag("x", 1, "one"))]);
    fake.edit(|environment| _ = environment.set(Kind::Segment, &segment("x", 1, &["ada"])).unwrap());
    let client = storing(&fake, server).with("cache.residency", residency).started();
    eventually("the data set is written", || server.is_inited());
    (fake, client)
}

fn hash(kind: Kind) -> String {
    format!("{PREFIX}:{}", if kind == Kind::Flag { "features" } else { "segments" })
}

fn item(server: &RedisServer, kind: Kind, key: &str) -> Option<Value> {
    let text: Option<String> = server.run(&["HGET", &hash(kind), key]);
    text.map(|text| serde_json::from_str(&text).unwrap())
}

#[track_caller]
fn redis_gets(server: &RedisServer, kind: Kind, key: &str, version: i64) {
    let found = || item(server, kind, key).and_then(|item| item["version"].as_i64());
    eventually(&format!("{} has {key} in version {version}", hash(kind)), || found() == Some(version));
}

fn text(kind: Kind, version: i64, value: &str) -> String {
    if kind == Kind::Flag { flag("x", version, value) } else { segment("x", version, &[value]) }
}

/// Waits until everything that LaunchDarkly has sent so far is dealt with in Redis.
#[track_caller]
fn everything_is_written(server: &RedisServer, fake: &Fake, number: i64) {
    fake.patch(Kind::Flag, &flag("marker", number, "x")).unwrap();
    redis_gets(server, Kind::Flag, "marker", number);
}

#[test]
fn an_item_that_another_has_raised_in_redis_takes_higher_versions_only() {
    for residency in RESIDENCIES {
        for kind in [Kind::Flag, Kind::Segment] {
            let server = RedisServer::start();
            let (fake, _client) = connected(&server, residency);
            redis_gets(&server, kind, "x", 1);
            let raised = text(kind, 100, "raised by another");
            server.run::<i64>(&["HSET", &hash(kind), "x", &raised]);
            let raised: Value = serde_json::from_str(&raised).unwrap();
            for (number, version) in [(1, 1), (2, 2), (3, 100)] {
                fake.patch(kind, &text(kind, version, "refused")).unwrap();
                everything_is_written(&server, &fake, number);
                assert_eq!(item(&server, kind, "x"), Some(raised.clone()), "{residency} {kind:?} patch {version}");
            }
            fake.delete(kind, "x", 100);
            everything_is_written(&server, &fake, 4);
            assert_eq!(item(&server, kind, "x"), Some(raised), "{residency} {kind:?} deletion");
            fake.patch(kind, &text(kind, 200, "accepted")).unwrap();
            redis_gets(&server, kind, "x", 200);
            let accepted: Value = serde_json::from_str(&text(kind, 200, "accepted")).unwrap();
            assert_eq!(item(&server, kind, "x"), Some(accepted), "{residency} {kind:?}");
        }
    }
}

#[test]
fn segments_are_kept_in_a_hash_of_their_own() {
    for residency in RESIDENCIES {
        let server = RedisServer::start();
        let (fake, _client) = connected(&server, residency);
        let names = || server.run::<Vec<String>>(&["HKEYS", &hash(Kind::Segment)]);
        assert_eq!(names(), ["x"], "{residency}");
        let first = serde_json::from_str::<Value>(&segment("x", 1, &["ada"])).unwrap();
        assert_eq!(item(&server, Kind::Segment, "x"), Some(first));
        // What this version knows nothing of is kept.
        let patched = json!({"key": "x", "version": 2, "included": ["bob"], "salt": "x", "unknown": [1, {"a": 2.5}]});
        fake.patch(Kind::Segment, &patched.to_string()).unwrap();
        redis_gets(&server, Kind::Segment, "x", 2);
        assert_eq!(item(&server, Kind::Segment, "x"), Some(patched));
        fake.delete(Kind::Segment, "x", 3);
        redis_gets(&server, Kind::Segment, "x", 3);
        let mark = item(&server, Kind::Segment, "x").unwrap();
        assert_eq!((&mark["key"], &mark["deleted"]), (&json!("x"), &json!(true)), "{residency}: {mark}");
        // The flag of the same name is not concerned.
        assert_eq!(item(&server, Kind::Flag, "x").unwrap()["version"], 1);
        // A new data set replaces the hash.
        fake.edit(|environment| {
            environment.remove(Kind::Segment, "x");
            _ = environment.set(Kind::Segment, &segment("y", 1, &[])).unwrap();
        });
        fake.put();
        redis_gets(&server, Kind::Segment, "y", 1);
        eventually("the old segment is gone or marked", || {
            item(&server, Kind::Segment, "x").is_none_or(|item| item["deleted"] == true)
        });
    }
}

/// The shapes of a tombstone, and one that still has what made the item serve.
fn marks(alive: &str) -> Vec<String> {
    let mut leftover: Value = serde_json::from_str(alive).unwrap();
    (leftover["deleted"], leftover["version"]) = (json!(true), json!(7));
    let mut marks = tombstones("gone", 7).to_vec();
    marks.push(leftover.to_string());
    marks
}

#[test]
fn every_shape_of_tombstone_reads_as_not_found() {
    let alive = flag("gone", 1, "on");
    for residency in RESIDENCIES {
        for mark in marks(&alive) {
            let server = RedisServer::holding(&[("gone", mark.clone())], &[]);
            server.set_flag("needs", Flag::new("needs", 1, "met").requires("gone").text());
            let client = Config::of(&server).with("cache.residency", residency).started();
            assert_eq!(client.ask("gone"), "FLAG_NOT_FOUND", "{residency}: {mark}");
            assert_eq!(client.ask("needs"), OTHER, "{residency}: {mark}");
            assert!(!client.all_flags().contains("\"gone\""), "{residency}: {mark}");
        }
    }
}

#[test]
fn every_shape_of_tombstone_reads_as_no_segment() {
    let alive = segment("gone", 1, &["ada"]);
    for residency in RESIDENCIES {
        for mark in marks(&alive) {
            let server = RedisServer::holding(&[], &[("gone", mark.clone())]);
            server.set_flag("members", Flag::new("members", 1, "in").for_segment("gone").text());
            let client = Config::of(&server).with("cache.residency", residency).started();
            assert_eq!(client.ask("members"), OTHER, "{residency}: {mark}");
            assert_eq!(client.status()["malformed"], 0, "{residency}: {mark}");
        }
    }
}

#[test]
fn an_item_that_is_held_goes_with_every_shape_of_tombstone() {
    for residency in RESIDENCIES {
        for (flag_mark, segment_mark) in
            marks(&flag("gone", 1, "on")).into_iter().zip(marks(&segment("s", 1, &["ada"])))
        {
            let server = RedisServer::holding(&[("gone", flag("gone", 1, "on"))], &[("s", segment("s", 1, &["ada"]))]);
            server.set_flag("members", Flag::new("members", 1, "in").for_segment("s").text());
            let client = Config::of(&server).with("cache.residency", residency).started();
            assert_eq!((client.ask("gone"), client.ask("members")), ("on".into(), "in".into()), "{residency}");
            server.set_flag("gone", &flag_mark);
            server.set_segment("s", &segment_mark);
            client.serves("gone", "FLAG_NOT_FOUND");
            client.serves("members", OTHER);
        }
    }
}
