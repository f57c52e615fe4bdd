//! Connected mode while LaunchDarkly, Redis or both are away: flags keep their values, updates go on, and what was missed is
//! made up for. LaunchDarkly is a local server that is killed and started again, Redis a real one.

mod refused;
mod snapshot;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use fakeld::Kind;
use serde_json::Value;

use crate::support::*;

fn field(server: &RedisServer, key: &str) -> Option<Value> {
    server.text("features", key).map(|text| serde_json::from_str(&text).unwrap())
}

fn version_in_redis(server: &RedisServer, key: &str) -> Option<i64> {
    field(server, key)?["version"].as_i64()
}

fn two_flags() -> [(&'static str, String); 2] {
    [("a", flag("a", 1, "one")), ("b", flag("b", 1, "one"))]
}

#[test]
fn a_stream_feeds_memory_and_redis_and_every_other_client_of_it() {
    let (fake, server) = (launchdarkly(&two_flags()), RedisServer::start());
    let client = storing(&fake, &server).started();
    assert_eq!(client.ask("a"), "one");
    eventually("LaunchDarkly vouches for it", || !client.detail("a").stale);
    eventually("it is written", || server.is_inited());
    let reader = Config::of(&server).started();
    assert_eq!(reader.ask("a"), "one");
    fake.patch(Kind::Flag, &flag("a", 2, "two")).unwrap();
    client.serves("a", "two");
    reader.serves("a", "two");
    fake.delete(Kind::Flag, "b", 5);
    client.serves("b", "FLAG_NOT_FOUND");
    reader.serves("b", "FLAG_NOT_FOUND");
}

#[test]
fn while_launchdarkly_is_away_at_the_start_the_last_known_flags_come_from_redis() {
    for residency in ["all", "lazy", "off"] {
        let (fake, server) = (launchdarkly(&two_flags()), RedisServer::start());
        let first = storing(&fake, &server).started();
        eventually("it is written", || server.is_inited());
        first.close(2_000);
        fake.kill();
        let client = storing(&fake, &server).with("cache.residency", residency).client();
        let failure = client.start(300).unwrap_err();
        assert_eq!(failure.status, TIMEOUT, "{failure:?}");
        client.serves("a", "one");
        assert!(client.detail("a").stale, "nobody vouches for it");
        assert_eq!(client.state(), INIT, "a failure before the first success");
        eventually("the failure is told, and that Redis answers", || {
            let info = client.info();
            (info.error_kind, info.store_available) == (1, true)
        });
        fake.edit(|environment| _ = environment.set(Kind::Flag, &flag("a", 2, "two")).unwrap());
        fake.start_again().unwrap();
        client.becomes(VALID);
        client.serves("a", "two");
        eventually("nothing is stale", || !client.detail("a").stale);
    }
}

#[test]
fn a_redis_that_nobody_has_filled_gives_no_last_known_flags() {
    for residency in ["all", "lazy"] {
        let (fake, server) = (launchdarkly(&[]), RedisServer::start());
        server.set_flag("a", flag("a", 1, "half written"));
        fake.kill();
        let client = storing(&fake, &server).with("cache.residency", residency).client();
        assert_eq!(client.start(300).unwrap_err().status, TIMEOUT);
        throughout(Duration::from_millis(300), || assert_eq!(client.ask("a"), "CLIENT_NOT_READY"));
        server.set_inited();
        client.serves("a", "half written");
    }
}

#[test]
fn updates_go_on_while_redis_is_down_and_are_written_to_the_empty_one_that_comes_back() {
    let (fake, mut server) = (launchdarkly(&two_flags()), RedisServer::start());
    let client = storing(&fake, &server).started();
    eventually("it is written", || server.is_inited());
    server.kill();
    fake.patch(Kind::Flag, &flag("a", 2, "two")).unwrap();
    client.serves("a", "two");
    client.reports("available", false);
    fake.delete(Kind::Flag, "b", 7);
    client.serves("b", "FLAG_NOT_FOUND");
    assert_eq!((client.state(), client.detail("a").stale), (VALID, false), "the data source is up to date");
    assert!(!client.info().store_available);
    server.restart();
    eventually("everything is there", || {
        version_in_redis(&server, "a") == Some(2) && version_in_redis(&server, "b") == Some(7) && server.is_inited()
    });
    assert_eq!(field(&server, "b").unwrap()["deleted"], true);
    client.reports("available", true);
}

#[test]
fn updates_made_while_redis_hangs_are_written_item_by_item_afterwards() {
    let (fake, server) = (launchdarkly(&two_flags()), RedisServer::start());
    let client = impatient(&fake, &server).started();
    eventually("it is written", || server.is_inited());
    let writes = server.calls_of("hset");
    server.stop();
    for version in 2..6 {
        fake.patch(Kind::Flag, &flag("a", version, &version.to_string())).unwrap();
        client.serves("a", &version.to_string());
    }
    fake.delete(Kind::Flag, "b", 7);
    client.serves("b", "FLAG_NOT_FOUND");
    client.reports("available", false);
    server.cont();
    eventually("both are there", || {
        version_in_redis(&server, "a") == Some(5) && version_in_redis(&server, "b") == Some(7)
    });
    client.reports("available", true);
    // A write that was sent before the server hung may have arrived as well.
    let made = server.calls_of("hset") - writes;
    assert!((2..=4).contains(&made), "{made} writes, and none of everything");
}

#[test]
fn a_full_data_set_missed_by_redis_is_written_whole_when_it_is_back() {
    let (fake, server) = (launchdarkly(&two_flags()), RedisServer::start());
    let client = impatient(&fake, &server).started();
    eventually("it is written", || server.is_inited());
    server.stop();
    fake.edit(|environment| {
        environment.clear();
        environment.set(Kind::Flag, &flag("c", 1, "new")).unwrap();
    });
    fake.put();
    client.serves("c", "new");
    assert_eq!(client.ask("a"), "FLAG_NOT_FOUND");
    client.reports("available", false);
    server.cont();
    eventually("the new data set is there", || field(&server, "c").is_some() && field(&server, "a").is_none());
}

#[test]
fn while_redis_is_the_truth_its_recovery_makes_the_source_deliver_everything_again() {
    for residency in ["lazy", "off"] {
        let (fake, mut server) = (launchdarkly(&two_flags()), RedisServer::start());
        let client = storing(&fake, &server).with("cache.residency", residency).started();
        client.serves("a", "one");
        eventually("it is written", || server.is_inited());
        let requests = fake.requests().len();
        server.kill();
        client.reports("available", false);
        fake.patch(Kind::Flag, &flag("a", 2, "two")).unwrap();
        if residency == "lazy" {
            client.serves("a", "two");
        }
        server.restart();
        eventually("the stream begins again", || fake.requests().len() > requests);
        eventually("everything is written", || version_in_redis(&server, "a") == Some(2) && server.is_inited());
        client.serves("a", "two");
        client.serves("b", "one");
    }
}

#[test]
fn polling_after_a_recovery_of_redis_sends_no_etag() {
    let (fake, mut server) = (launchdarkly(&two_flags()), RedisServer::start());
    let config = storing(&fake, &server)
        .with("source.kind", "poll")
        .with("poll.interval_ms", "100")
        .with("poll.allow_short", "true")
        .with("cache.residency", "lazy");
    let client = config.started();
    eventually("it is written", || server.is_inited());
    let tag = |request: &fakeld::Request| request.header("if-none-match").map(str::to_owned);
    eventually("polls carry the tag", || fake.requests().last().and_then(tag).is_some());
    server.kill();
    client.reports("available", false);
    server.restart();
    eventually("everything is written again", || version_in_redis(&server, "a") == Some(1) && server.is_inited());
    client.reports("available", true);
    let plain = fake.requests().iter().skip(1).filter(|request| tag(request).is_none()).count();
    assert!(plain >= 1, "one poll asked for everything");
}

#[test]
fn lazy_patches_are_seen_at_once_also_for_a_key_that_was_missing() {
    let (fake, server) = (launchdarkly(&two_flags()), RedisServer::start());
    let config = storing(&fake, &server).with("cache.residency", "lazy").with("cache.freshness", "ttl");
    let client = config.with("cache.ttl_ms", "600000").started();
    eventually("it is written", || server.is_inited());
    assert_eq!(client.ask("new"), "FLAG_NOT_FOUND");
    fake.patch(Kind::Flag, &flag("new", 1, "fresh")).unwrap();
    client.serves("new", "fresh");
    fake.patch(Kind::Flag, &flag("a", 2, "two")).unwrap();
    client.serves("a", "two");
    fake.delete(Kind::Flag, "a", 3);
    client.serves("a", "FLAG_NOT_FOUND");
    eventually("all is written", || {
        version_in_redis(&server, "new") == Some(1) && version_in_redis(&server, "a") == Some(3)
    });
}

#[test]
fn lazy_sees_what_others_did_to_redis_after_its_time_and_does_not_heal_it() {
    let (fake, server) = (launchdarkly(&two_flags()), RedisServer::start());
    let config = storing(&fake, &server)
        .with("cache.residency", "lazy")
        .with("cache.freshness", "ttl")
        .with("cache.ttl_ms", "300");
    let client = config.started();
    eventually("it is written", || server.is_inited());
    assert_eq!(client.ask("a"), "one");
    server.set_flag("a", flag("a", 1, "changed behind"));
    client.serves("a", "changed behind");
    server.flush();
    client.serves("a", "FLAG_NOT_FOUND");
    throughout(Duration::from_millis(800), || assert_eq!(server.run::<i64>(&["DBSIZE"]), 0));
}

#[test]
fn a_patch_that_redis_refuses_gives_way_to_what_redis_has_where_redis_is_the_truth() {
    let (fake, server) = (launchdarkly(&two_flags()), RedisServer::start());
    let client = storing(&fake, &server).with("cache.residency", "lazy").with("cache.freshness", "forever").started();
    eventually("it is written", || server.is_inited());
    assert_eq!(client.ask("a"), "one");
    server.set_flag("a", flag("a", 100, "hundred"));
    fake.patch(Kind::Flag, &flag("a", 2, "two")).unwrap();
    client.serves("a", "hundred");
    fake.patch(Kind::Flag, &flag("a", 200, "two hundred")).unwrap();
    client.serves("a", "two hundred");
}

#[test]
fn closing_closes_the_stream_and_returns_at_once() {
    let (fake, machine) = (launchdarkly(&two_flags()), Machine::watch());
    in_time(Duration::from_secs(1), || {
        let client = streaming(&fake).started();
        assert!(fake.wait_for_streams(1, PATIENCE));
        let (status, took) = machine.timed(|| client.close(PATIENCE_MS));
        assert_eq!(status, OK);
        assert!(fake.wait_for_streams(0, PATIENCE));
        assert_eq!((client.ask("a"), client.state()), ("one".into(), OFF));
        took
    });
}

#[test]
fn whatever_the_stream_sends_old_data_stay_and_the_error_shows() {
    let half = r#"{"path":"/","data":{"flags":{"a":{"key":"a","version":2,"#;
    let nothing = r#"{"path":"/","data":{}}"#;
    let number = r#"{"path":"/flags/a","data":7}"#;
    let fake = launchdarkly(&two_flags());
    let client = streaming(&fake).started();
    assert!(fake.wait_for_streams(1, PATIENCE));
    for (event, data) in
        [("put", half), ("put", nothing), ("patch", number), ("patch", "[]"), ("delete", "{}"), ("put", "<html>")]
    {
        let (before, asked) = (client.info().error_ms, fake.requests().len());
        std::thread::sleep(Duration::from_millis(3));
        fake.send_raw(format!("event: {event}\ndata: {data}\n\n").as_bytes());
        eventually("the error shows", || client.info().error_ms > before);
        assert_eq!(client.info().error_kind, 3, "INVALID_DATA: {:?}", client.info());
        assert_eq!([client.ask("a"), client.ask("b")], ["one", "one"]);
        eventually("it connects again", || fake.requests().len() > asked);
        client.becomes(VALID);
        assert!(fake.wait_for_streams(1, PATIENCE), "it has left the old stream");
    }
}

#[test]
fn an_answer_that_is_no_stream_leaves_the_last_known_flags_and_is_tried_again_with_pauses() {
    use fakeld::Action;
    let (fake, server) = (launchdarkly(&two_flags()), RedisServer::holding(&two_flags(), &[]));
    let html =
        Action::Answer(200, vec![("Content-Type".into(), "text/html".into())], b"<html>maintenance</html>".to_vec());
    (0..3).for_each(|_| fake.script(html.clone()));
    fake.script(Action::bytes("HTTP/1.1 200 OK\r\nX: ".to_owned() + &"y".repeat(1 << 20)));
    fake.script(Action::Redirect(302, format!("{}/all", fake.url())));
    let client = storing(&fake, &server).client();
    client.start(0).unwrap();
    client.serves("a", "one");
    client.becomes(VALID);
    let asked = fake.requests().len();
    assert!((6..40).contains(&asked), "{asked} requests: no busy loop");
    eventually("LaunchDarkly vouches for it", || !client.detail("a").stale);
}

#[test]
fn a_flood_of_logs_and_flag_changes_drops_no_status() {
    let data = TestData::new();
    data.set_flag(&flag("a", 1, "one"));
    let client = Config::new().with_data(&data).with("notifications.capacity", "20").started();
    client.hears_state(VALID);
    data.set_status(INTERRUPTED, 1, 0, "first").unwrap();
    data.set_status(VALID, 0, 0, "").unwrap();
    (2..200).for_each(|version| data.set_flag(&flag("a", version, "x")));
    data.set_status(INTERRUPTED, 2, 503, "second").unwrap();
    let told = client.drain();
    let states: Vec<i32> =
        told.iter().filter_map(|n| if let Notice::Status { state, .. } = n { Some(*state) } else { None }).collect();
    assert_eq!(states, [INTERRUPTED, VALID, INTERRUPTED]);
    let info = client.info();
    assert_eq!((info.error_kind, info.error_status, info.error.as_str()), (2, 503, "second"));
    assert_eq!(client.wait(VALID, 20), TIMEOUT);
    data.set_status(VALID, 0, 0, "").unwrap();
    assert_eq!(client.wait(VALID, PATIENCE_MS), OK);
    assert_eq!(client.info().error, "second", "the last error survives");
}

#[test]
fn a_client_that_is_closed_as_soon_as_it_has_flags_leaves_the_snapshot_file_behind() {
    let folder = TempDir::new("closed-at-once");
    let lacking: Vec<String> = std::thread::scope(|scope| {
        let lives = (0..16).map(|number| {
            let folder = &folder;
            scope.spawn(move || {
                let data = TestData::new();
                data.set_flag(&flag("a", 1, "one"));
                let paths = (0..16).map(|life| folder.path().join(format!("{number}-{life}")));
                let closed_at_once = paths.filter(|path| {
                    let config = Config::new().with_data(&data).with("snapshot.file", path.to_str().unwrap());
                    assert_eq!(config.started().close(PATIENCE_MS), OK);
                    !path.exists()
                });
                closed_at_once.map(|path| path.display().to_string()).collect::<Vec<_>>()
            })
        });
        lives.collect::<Vec<_>>().into_iter().flat_map(|life| life.join().unwrap()).collect()
    });
    assert!(lacking.is_empty(), "{} of 256 have none: {lacking:?}", lacking.len());
}

#[test]
fn an_offline_client_connects_to_nothing_and_gives_defaults() {
    let (fake, server) = (launchdarkly(&two_flags()), RedisServer::holding(&two_flags(), &[]));
    let connections = server.run::<String>(&["CLIENT", "LIST"]).lines().count();
    let client = storing(&fake, &server).with("offline", "true").started();
    assert_eq!((client.ask("a"), client.state()), ("CLIENT_NOT_READY".into(), VALID));
    assert_eq!(client.status()["ready"], true, "there is nothing to wait for");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(fake.requests().len(), 0);
    assert_eq!(server.run::<String>(&["CLIENT", "LIST"]).lines().count(), connections);
    assert_eq!(client.close(1_000), OK);
}

#[test]
fn no_secret_is_ever_told() {
    let secrets = [SDK_KEY, "proxy-hunter2", "redis-hunter2", "header-hunter2"];
    let folder = TempDir::new("secrets");
    let path = folder.path().join("flags").display().to_string();
    let fake = launchdarkly(&two_flags());
    let dead = free_port();
    let config = streaming(&fake)
        .with("http.proxy", &format!("http://user:proxy-hunter2@127.0.0.1:{dead}"))
        .with("http.headers", r#"{"X-Token": "header-hunter2"}"#)
        .with("redis.url", &format!("redis://user:redis-hunter2@127.0.0.1:{dead}"))
        .with("snapshot.file", &path)
        .with("log.level", "debug");
    let client = config.client();
    let failure = client.start(1_000).unwrap_err();
    std::thread::sleep(Duration::from_millis(500));
    let mut told = format!("{failure:?} {} {:?}", client.status(), client.info());
    told.push_str(&format!("{:?}", client.drain()));
    let good = streaming(&fake).with("snapshot.file", &path).with("log.level", "debug").started();
    eventually("the file is there", || fs::metadata(&path).is_ok());
    told.push_str(&format!("{} {:?}", good.status(), good.drain()));
    told.push_str(&fs::read_to_string(&path).unwrap());
    for (name, value) in [
        ("http.proxy", "http://u:proxy-hunter2@h h"),
        ("http.headers", r#"{"a": "header-hunter2", "b": 1}"#),
        ("endpoints.stream", "x://sdk-1234-secret@h"),
    ] {
        told.push_str(&Config::new().set(name, value).unwrap_err().message);
    }
    let bad = streaming(&fake).with("http.headers", "{\"bad name\": \"header-hunter2\"}").try_client().err();
    told.push_str(&format!("{bad:?}"));
    for secret in secrets {
        assert!(!told.contains(secret), "{secret} is told: {told}");
    }
}

#[test]
fn while_everything_is_away_no_call_takes_long() {
    let machine = Machine::watch();
    // One that waited would do so for as long as a connect or a command is given.
    in_time(Duration::from_secs(1), || {
        let (fake, server) = (launchdarkly(&two_flags()), RedisServer::start());
        let config = impatient(&fake, &server).with("redis.connect_timeout_ms", "2000");
        let client = config.with("redis.command_timeout_ms", "2000").started();
        eventually("it is written", || server.is_inited());
        server.stop();
        fake.kill();
        client.becomes(INTERRUPTED);
        let mut longest = Duration::ZERO;
        let end = Instant::now() + Duration::from_secs(3);
        while Instant::now() < end {
            let (value, took) = machine.timed(|| client.ask("a"));
            assert_eq!(value, "one");
            longest = longest.max(took);
        }
        longest
    });
}

#[test]
fn what_was_delivered_while_redis_took_no_writes_is_never_taken_back_for_what_redis_still_holds() {
    for answer in ["LOADING Redis is loading the dataset in memory", "BUSY Redis is busy running a script"] {
        let (fake, server) = (launchdarkly(&two_flags()), RedisServer::start());
        let gate = Gate::to(server.port());
        let config = streaming(&fake).with("redis.url", &gate.url()).with("cache.residency", "lazy");
        let client = config.with("redis.ping_ms", "200").started();
        client.serves("a", "one");
        eventually("it is written", || server.is_inited());
        gate.rule("EVAL", Rule::error(answer));
        fake.patch(Kind::Flag, &flag("a", 2, "two")).unwrap();
        client.serves("a", "two");
        fake.kill();
        eventually("it tries to write", || gate.seen().count("EVAL") > 0);
        // What is held is not known to be true any more.
        gate.cut(Role::Watch);
        throughout(Duration::from_secs(2), || assert_eq!(client.ask("a"), "two"));
        gate.clear();
        throughout(Duration::from_secs(3), || assert_eq!(client.ask("a"), "two"));
        eventually("it is written", || version_in_redis(&server, "a") == Some(2));
    }
}
