//! FDv2 from end to end: a client with Redis behind it, and a LaunchDarkly that is changed, killed, started again and that asks
//! for the former protocol. LaunchDarkly is a local server, Redis a real one.

use std::time::Duration;

use fakeld::{Action, Fake, Kind};
use serde_json::Value;

use crate::support::*;

/// For a client that speaks FDv2 with `fake` and keeps what it hears in memory.
fn speaking(fake: &Fake) -> Config {
    streaming(fake).with("source.kind", "fdv2").with("poll.interval_ms", "50").with("poll.allow_short", "true")
}

/// The same, and in Redis.
fn keeping(fake: &Fake, server: &RedisServer) -> Config {
    storing(fake, server).with("source.kind", "fdv2").with("poll.interval_ms", "50").with("poll.allow_short", "true")
}

/// A LaunchDarkly that has the flag `a` with this value.
fn holding(value: &str) -> Fake {
    launchdarkly(&[("a", flag("a", 1, value))])
}

fn in_redis(server: &RedisServer, key: &str) -> Option<Value> {
    server.text("features", key).map(|text| serde_json::from_str(&text).unwrap())
}

#[track_caller]
fn redis_gets(server: &RedisServer, key: &str, version: i64) {
    eventually(&format!("Redis has {key} in version {version}"), || {
        in_redis(server, key).is_some_and(|item| item["version"] == version)
    });
}

/// The paths that were asked for, without repetitions in a row.
fn paths(fake: &Fake) -> Vec<String> {
    let mut paths: Vec<String> = fake.requests().into_iter().map(|request| request.path).collect();
    paths.dedup();
    paths
}

#[test]
fn a_first_poll_and_then_a_stream_feed_memory_and_redis_and_every_other_client_of_it() {
    let (fake, server) = (holding("one"), RedisServer::start());
    fake.patch(Kind::Flag, &flag("b", 1, "one")).unwrap();
    let client = keeping(&fake, &server).started();
    assert_eq!(client.ask("a"), "one");
    assert_eq!((client.state(), client.detail("a").stale), (VALID, false));
    eventually("it is written", || server.is_inited());
    let reader = Config::of(&server).started();
    assert_eq!(reader.ask("a"), "one");
    assert!(fake.wait_for_streams(1, PATIENCE));
    fake.patch(Kind::Flag, &flag("a", 2, "two")).unwrap();
    client.serves("a", "two");
    reader.serves("a", "two");
    fake.delete(Kind::Flag, "b", 5);
    client.serves("b", "FLAG_NOT_FOUND");
    reader.serves("b", "FLAG_NOT_FOUND");
    let requests = fake.requests();
    assert_eq!(paths(&fake), ["/sdk/poll", "/sdk/stream"]);
    assert!(requests[0].basis().is_none() && requests[1].basis().is_some(), "the stream goes on from the poll");
    let notices = client.drain();
    assert!(notices.iter().any(|notice| matches!(notice, Notice::Changed { key, .. } if key == "b")));
}

#[test]
fn what_changed_in_an_outage_is_sent_afterwards_and_nothing_else() {
    let (fake, server) = (holding("one"), RedisServer::start());
    let client = keeping(&fake, &server).started();
    assert!(fake.wait_for_streams(1, PATIENCE));
    fake.kill();
    client.becomes(INTERRUPTED);
    fake.patch(Kind::Flag, &flag("a", 2, "two")).unwrap();
    fake.patch(Kind::Flag, &flag("b", 1, "new")).unwrap();
    assert_eq!(client.ask("a"), "one", "the last good data stay in force");
    fake.start_again().unwrap();
    client.serves("a", "two");
    client.serves("b", "new");
    client.becomes(VALID);
    redis_gets(&server, "b", 1);
    assert!(fake.requests().last().unwrap().basis().is_some());
}

#[test]
fn what_the_server_says_later_counts_in_memory_and_in_redis_the_higher_version_does() {
    let (fake, server) = (launchdarkly(&[("a", flag("a", 100, "one"))]), RedisServer::start());
    let client = keeping(&fake, &server).started();
    assert!(fake.wait_for_streams(1, PATIENCE));
    redis_gets(&server, "a", 100);
    fake.patch(Kind::Flag, &flag("a", 1, "back")).unwrap();
    client.serves("a", "back");
    fake.patch(Kind::Flag, &flag("a", 1, "the same again")).unwrap();
    client.serves("a", "the same again");
    fake.delete(Kind::Flag, "a", 1);
    client.serves("a", "FLAG_NOT_FOUND");
    fake.patch(Kind::Flag, &flag("b", 1, "x")).unwrap();
    redis_gets(&server, "b", 1);
    assert_eq!(in_redis(&server, "a").unwrap()["version"], 100, "others may have written it");
    // And it is not fetched back from there.
    throughout(Duration::from_millis(700), || assert_eq!(client.ask("a"), "FLAG_NOT_FOUND"));
    fake.patch(Kind::Flag, &flag("a", 101, "on")).unwrap();
    client.serves("a", "on");
    redis_gets(&server, "a", 101);
}

#[test]
fn a_version_that_went_back_reaches_redis_with_the_next_full_data_set() {
    let (fake, server) = (launchdarkly(&[("a", flag("a", 100, "one"))]), RedisServer::start());
    let client = keeping(&fake, &server).started();
    assert!(fake.wait_for_streams(1, PATIENCE));
    redis_gets(&server, "a", 100);
    fake.patch(Kind::Flag, &flag("a", 1, "back")).unwrap();
    client.serves("a", "back");
    fake.put();
    redis_gets(&server, "a", 1);
    assert_eq!(client.ask("a"), "back");
}

#[test]
fn an_item_that_does_not_parse_disturbs_no_other_and_its_last_good_version_stays() {
    let fake = holding("one");
    let client = speaking(&fake).started();
    assert!(fake.wait_for_streams(1, PATIENCE));
    let put = |key: &str, object: &str| {
        fake.tell("put-object", &format!(r#"{{"kind":"flag","version":2,"key":"{key}","object":{object}}}"#));
    };
    put("a", r#"{"key":"a","version":2,"on":"perhaps"}"#);
    put("bad", r#"{"key":"bad",,}"#);
    put("b", &flag("b", 1, "new"));
    fake.tell("payload-transferred", r#"{"state":"later","version":2}"#);
    client.serves("b", "new");
    assert_eq!(client.ask("a"), "one");
    assert_ne!(client.ask("bad"), "new");
    assert_eq!(fake.streams(), 1, "the stream goes on");
}

#[test]
fn after_a_restart_the_last_known_flags_come_from_redis_while_the_server_is_away() {
    for residency in ["all", "lazy"] {
        let (fake, server) = (holding("one"), RedisServer::start());
        let first = keeping(&fake, &server).started();
        eventually("it is written", || server.is_inited());
        first.close(2_000);
        fake.kill();
        let asked = fake.requests().len();
        let client = keeping(&fake, &server).with("cache.residency", residency).client();
        assert_eq!(client.start(300).unwrap_err().status, TIMEOUT);
        client.serves("a", "one");
        assert!(client.detail("a").stale, "nobody vouches for it");
        fake.edit(|environment| _ = environment.set(Kind::Flag, &flag("a", 2, "two")).unwrap());
        fake.start_again().unwrap();
        client.serves("a", "two");
        client.becomes(VALID);
        assert_eq!(fake.requests()[asked].basis(), None, "no state outlives its process");
    }
}

#[test]
fn where_redis_is_the_truth_changes_pass_through_it() {
    let (fake, server) = (launchdarkly(&[("a", flag("a", 5, "one"))]), RedisServer::start());
    let client = keeping(&fake, &server).with("cache.residency", "lazy").started();
    assert!(fake.wait_for_streams(1, PATIENCE));
    client.serves("a", "one");
    fake.patch(Kind::Flag, &flag("a", 6, "two")).unwrap();
    client.serves("a", "two");
    redis_gets(&server, "a", 6);
    fake.patch(Kind::Flag, &flag("a", 1, "back")).unwrap();
    fake.patch(Kind::Flag, &flag("b", 1, "new")).unwrap();
    client.serves("b", "new");
    redis_gets(&server, "b", 1);
    assert_eq!(client.ask("a"), "two", "versions are compared there");
}

#[test]
fn a_redis_that_lost_everything_is_filled_again() {
    let (fake, server) = (holding("one"), RedisServer::start());
    let client = keeping(&fake, &server).started();
    redis_gets(&server, "a", 1);
    server.flush();
    redis_gets(&server, "a", 1);
    assert_eq!(client.ask("a"), "one");
}

#[test]
fn a_stream_that_does_not_come_back_gives_way_to_polls_and_is_tried_again_later() {
    let (fake, other) = (holding("one"), holding("elsewhere"));
    let client = speaking(&fake)
        .with("fdv2.synchronizers", &format!(r#"["stream", "poll {}"]"#, other.url()))
        .with("fdv2.fallback_after_ms", "300")
        .with("fdv2.recover_after_ms", "300")
        .started();
    assert!(fake.wait_for_streams(1, PATIENCE));
    fake.kill();
    client.becomes(INTERRUPTED);
    client.serves("a", "elsewhere");
    client.becomes(VALID);
    other.patch(Kind::Flag, &flag("a", 2, "polled")).unwrap();
    client.serves("a", "polled");
    fake.edit(|environment| _ = environment.set(Kind::Flag, &flag("a", 3, "streamed")).unwrap());
    fake.start_again().unwrap();
    client.serves("a", "streamed");
    client.becomes(VALID);
}

#[test]
fn a_stream_that_is_refused_is_left_for_polls_at_once_and_for_good() {
    let fake = holding("one");
    fake.always("/sdk/stream", Some(Action::Status(403)));
    let client = speaking(&fake).started();
    assert_eq!(client.ask("a"), "one");
    fake.patch(Kind::Flag, &flag("a", 2, "two")).unwrap();
    client.serves("a", "two");
    client.becomes(VALID);
    assert_eq!(fake.requests().into_iter().filter(|request| request.path == "/sdk/stream").count(), 1);
}

#[test]
fn where_everything_is_refused_the_source_is_off_or_waits_as_it_was_told() {
    let refusing = || {
        let fake = holding("one");
        fake.set_sdk_key("another");
        fake
    };
    let fake = refusing();
    let client = speaking(&fake).with("retry.mode", "legacy").client();
    assert!(client.start(PATIENCE_MS).is_err());
    client.becomes(OFF);
    assert_eq!(client.info().error_status, 401);
    assert_eq!(client.close(2_000), OK);

    let fake = refusing();
    let client = speaking(&fake).client();
    assert_eq!(client.start(500).unwrap_err().status, TIMEOUT);
    assert_eq!(client.state(), INIT, "nothing ends it");
    assert_eq!(client.close(2_000), OK);
}

#[test]
fn a_server_that_wants_the_former_protocol_gets_it_for_its_time() {
    let (fake, server) = (holding("one"), RedisServer::start());
    fake.set_directive(Some(Some("1")));
    let client = keeping(&fake, &server).started();
    assert_eq!(client.ask("a"), "one");
    eventually("it is polled", || paths(&fake).contains(&"/sdk/latest-all".to_owned()));
    fake.set_directive(None);
    fake.patch(Kind::Flag, &flag("a", 2, "two")).unwrap();
    client.serves("a", "two");
    redis_gets(&server, "a", 2);
    assert!(fake.wait_for_streams(1, PATIENCE), "the present protocol is spoken again");
    assert_eq!(paths(&fake), ["/sdk/poll", "/sdk/latest-all", "/sdk/stream"]);
    fake.patch(Kind::Flag, &flag("a", 3, "three")).unwrap();
    client.serves("a", "three");
    assert_eq!(client.state(), VALID);
}

#[test]
fn goodbyes_and_heartbeats_leave_the_client_valid() {
    let fake = holding("one");
    let client = speaking(&fake).started();
    assert!(fake.wait_for_streams(1, PATIENCE));
    client.drain();
    for version in 2..5 {
        let before = fake.requests().len();
        fake.tell("heartbeat", "{}");
        fake.tell("goodbye", r#"{"reason":"deploy"}"#);
        assert!(fake.wait_for_requests(before + 1, PATIENCE).len() > before);
        fake.patch(Kind::Flag, &flag("a", version, &version.to_string())).unwrap();
        client.serves("a", &version.to_string());
    }
    let notices = client.drain();
    assert!(!notices.iter().any(|notice| matches!(notice, Notice::Status { .. })), "{notices:?}");
}

#[test]
fn closing_ends_at_once_whatever_the_source_waits_for() {
    for (path, initializers) in [("/sdk/poll", r#"["poll"]"#), ("/sdk/stream", "[]"), ("/sdk/latest-all", "[]")] {
        let silent = holding("one");
        let directed = Action::Answer(500, vec![("X-LD-FD-Fallback".into(), "true".into())], Vec::new());
        if path == "/sdk/latest-all" {
            silent.script_for("/sdk/stream", directed);
        }
        silent.always(path, Some(Action::Hang(Duration::from_secs(3600))));
        let client = speaking(&silent).with("fdv2.initializers", initializers).client();
        assert_eq!(client.start(100).unwrap_err().status, TIMEOUT);
        eventually("it waits", || silent.requests().iter().any(|request| request.path == path));
        assert_eq!(client.close(5_000), OK, "{path}");
    }
    let fake = holding("one");
    let client = speaking(&fake).started();
    assert!(fake.wait_for_streams(1, PATIENCE));
    assert_eq!(client.close(5_000), OK);
    assert!(fake.wait_for_streams(0, PATIENCE), "the connection is closed, too");
}

#[test]
fn a_filter_is_said_to_do_nothing() {
    let fake = holding("one");
    let client = speaking(&fake).with("source.filter", "mine").started();
    assert_eq!(client.ask("a"), "one");
    assert!(fake.requests().iter().all(|request| !request.query.contains("filter")));
    let warnings = log_lines(&client.drain(), 2);
    assert!(warnings.iter().any(|line| line.contains("source.filter does nothing")), "{warnings:?}");
}
