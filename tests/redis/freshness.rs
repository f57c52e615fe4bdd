//! What stands in where push is not to be had, and the other ways to hold items: `ttl`, `forever`, residency `lazy` and `off`.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::*;

const QUICK: Duration = Duration::from_millis(700);

/// A client that holds what it was asked for.
fn lazy(server: &RedisServer) -> Config {
    Config::of(server).with("cache.residency", "lazy")
}

#[test]
fn a_server_that_refuses_tracking_is_served_by_age_and_the_status_says_why() {
    let without_tracking = Setup::default().user("reader on nopass ~* &* +@all -client|tracking").start();
    let without_client = Setup::default().argument(&["--rename-command", "CLIENT", ""]).start();
    for (server, user) in [(without_tracking, "reader"), (without_client, "")] {
        for residency in ["all", "lazy"] {
            server.replace(&[("a", flag("a", 1, "old"))], &[]);
            let config = Config::of(&server).with("redis.username", user).with("redis.password", "any");
            let config = if user.is_empty() { Config::of(&server) } else { config };
            let client = config.with("cache.residency", residency).with("cache.ttl_ms", "200").started();
            assert_eq!(client.ask("a"), "old");
            client.reports("freshness", "ttl");
            let reason = client.status()["freshness_reason"].to_string();
            assert!(reason.contains("refuses every way to tell of changes"), "{reason}");
            let warned = |notice: &Notice| matches!(notice, Notice::Log { level: 2, text } if text.contains("ttl"));
            eventually("there is a warning", || client.drain().iter().any(warned));
            server.replace(&[("a", flag("a", 2, "new"))], &[]);
            client.serves("a", "new");
            assert_eq!(client.hears_change_of("a"), (Some(1), Some(2)));
            assert_eq!((client.state(), client.detail("a").stale), (VALID, false));
        }
    }
}

#[test]
fn by_age_every_kind_of_change_is_seen_and_the_status_says_configured() {
    let flags = [("a", flag("a", 1, "old")), ("gone", flag("gone", 1, "x"))];
    let server = RedisServer::holding(&flags, &[]);
    for residency in ["all", "lazy"] {
        server.replace(&flags, &[]);
        let config = Config::of(&server).with("cache.residency", residency).with("cache.freshness", "ttl");
        let client = config.with("cache.ttl_ms", "150").started();
        assert_eq!((client.ask("a"), client.ask("gone")), ("old".into(), "x".into()));
        assert_eq!(client.ask("added"), "FLAG_NOT_FOUND");
        server.replace(&[("a", flag("a", 2, "new")), ("added", flag("added", 1, "here"))], &[]);
        client.serves("a", "new");
        client.serves("gone", "FLAG_NOT_FOUND");
        client.serves("added", "here");
        let status = client.status();
        assert_eq!((&status["freshness"], &status["freshness_reason"]), (&"ttl".into(), &"configured".into()));
    }
    assert_eq!(server.calls_of("client|tracking"), 0);
}

/// A server that lets nobody read at one moment, and on which a flag is edited before each read of all flags. The other one is
/// served as `value`.
fn never_standing_still(value: &Arc<Mutex<&'static str>>) -> Scripted {
    let (value, edits) = (value.clone(), AtomicI64::new(0));
    let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
    Scripted::answering(move |words| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let reply = match words[..] {
            ["HGETALL", hash] if hash.ends_with("features") => {
                let busy = flag("busy", edits.fetch_add(1, SeqCst), "x");
                let calm = flag("calm", 1, *value.lock().unwrap());
                format!("*4\r\n{}{}{}{}", bulk("busy"), bulk(&busy), bulk("calm"), bulk(&calm))
            }
            ["HGETALL", _] => "*0\r\n".to_owned(),
            ["EXISTS", _] => ":1\r\n".to_owned(),
            _ => "-NOPERM no\r\n".to_owned(),
        };
        reply.into_bytes()
    })
}

#[test]
fn a_data_set_that_never_stands_still_and_is_not_read_at_one_moment_does_not_grow_old() {
    let value = Arc::new(Mutex::new("old"));
    let server = never_standing_still(&value);
    let config = Config::new().with("redis.url", &format!("redis://127.0.0.1:{}", server.port()));
    let client = config.with("cache.freshness", "ttl").with("cache.ttl_ms", "100").started();
    assert_eq!(client.ask("calm"), "old");
    *value.lock().unwrap() = "new";
    client.serves("calm", "new");
}

#[test]
fn a_flag_is_not_read_again_before_its_time() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    for residency in ["all", "lazy"] {
        let config = Config::of(&server).with("cache.residency", residency).with("cache.freshness", "ttl");
        let client = config.with("cache.ttl_ms", "60000").started();
        assert_eq!(client.ask("a"), "old");
        server.run::<()>(&["CONFIG", "RESETSTAT"]);
        throughout(QUICK, || assert_eq!(client.ask("a"), "old"));
        assert_eq!(server.calls_of("hmget") + server.calls_of("hgetall"), 0);
    }
}

#[test]
fn forever_never_reads_again_and_warns() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "first"))], &[]);
    for residency in ["all", "lazy"] {
        server.set_flag("a", flag("a", 1, "first"));
        let config = Config::of(&server).with("cache.residency", residency).with("cache.freshness", "forever");
        let client = config.with("refresh.interval_ms", "50").with("cache.ttl_ms", "50").started();
        assert_eq!(client.ask("a"), "first");
        let warned = |notice: &Notice| matches!(notice, Notice::Log { level: 2, text } if text.contains("forever"));
        eventually("there is a warning", || client.drain().iter().any(warned));
        client.reports("freshness", "forever");
        server.set_flag("a", flag("a", 2, "second"));
        server.run::<()>(&["CONFIG", "RESETSTAT"]);
        throughout(QUICK, || assert_eq!(client.ask("a"), "first"));
        assert_eq!(server.calls_of("hmget") + server.calls_of("hgetall"), 0);
        assert_eq!((client.state(), client.detail("a").stale), (VALID, false));
        // What is not held yet is read when it is asked for.
        if residency == "lazy" {
            server.set_flag("b", flag("b", 1, "late"));
            assert_eq!(client.ask("b"), "late");
        }
    }
}

#[test]
fn forever_goes_on_looking_while_nothing_was_ever_held() {
    let server = RedisServer::start();
    let client = Config::of(&server).with("cache.freshness", "forever").started();
    assert_eq!(client.ask("a"), "FLAG_NOT_FOUND");
    server.replace(&[("a", flag("a", 1, "on"))], &[]);
    client.serves("a", "on");
}

#[test]
fn a_push_reaches_held_items_of_a_lazy_client_and_no_others() {
    let flags = [
        ("a", flag("a", 1, "old")),
        ("base", flag("base", 1, "x")),
        ("m", Flag::new("m", 1, "in").for_segment("s").requires("base").text()),
    ];
    let server = RedisServer::holding(&flags, &[("s", segment("s", 1, &[]))]);
    let client = lazy(&server).started();
    assert_eq!(
        (client.ask("a"), client.ask("m"), client.ask("later")),
        ("old".into(), OTHER.into(), "FLAG_NOT_FOUND".into())
    );
    client.reports("freshness", "push");
    let status = client.status();
    assert_eq!((status["flags"].as_i64(), status["segments"].as_i64()), (Some(3), Some(1)));
    server.set_flag("a", flag("a", 2, "new"));
    assert_eq!(client.hears_change_of("a"), (Some(1), Some(2)));
    assert_eq!(client.ask("a"), "new");
    server.set_segment("s", segment("s", 2, &["ada"]));
    assert_eq!(client.hears_change_of("m"), (Some(1), Some(1)));
    assert_eq!(client.ask("m"), "in");
    server.set_flag("later", flag("later", 1, "here"));
    client.serves("later", "here");
    server.remove_flag("a");
    client.serves("a", "FLAG_NOT_FOUND");
    assert_eq!(client.status()["flags"], 3);
}

#[test]
fn a_lazy_client_that_was_unlinked_learns_what_it_missed() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "1"))], &[]);
    let client = lazy(&server).started();
    for round in 2..5 {
        server.kill_tracking_connections();
        server.set_flag("a", flag("a", round, &round.to_string()));
        client.serves("a", &round.to_string());
        client.becomes(VALID);
        eventually("the link is back", || server.tracking_connections() == 1);
    }
}

#[test]
fn a_lazy_client_holds_no_more_than_its_capacity() {
    let server = RedisServer::holding(&[], &[]);
    (0..30).for_each(|number| server.set_flag(format!("f{number}"), flag("f", 1, &number.to_string())));
    let client = lazy(&server).with("cache.capacity", "5").started();
    for _ in 0..2 {
        for number in 0..30 {
            assert_eq!(client.ask(&format!("f{number}")), number.to_string());
        }
    }
    assert_eq!(client.status()["flags"], 5);
    // The least recently used went first.
    server.run::<()>(&["CONFIG", "RESETSTAT"]);
    (25..30).for_each(|number| assert_eq!(client.ask(&format!("f{number}")), number.to_string()));
    assert_eq!(server.calls_of("hmget"), 0);
    assert_eq!(client.ask("f24"), "24");
    assert_eq!(server.calls_of("hmget"), 1);
}

#[test]
fn a_lazy_client_remembers_that_a_flag_does_not_exist() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "x"))], &[]);
    let client = lazy(&server).started();
    assert_eq!(client.ask("none"), "FLAG_NOT_FOUND");
    server.run::<()>(&["CONFIG", "RESETSTAT"]);
    (0..100).for_each(|_| assert_eq!(client.ask("none"), "FLAG_NOT_FOUND"));
    assert_eq!(server.calls_of("hmget"), 0);
}

#[test]
fn many_threads_that_miss_one_key_cause_one_read() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "x"))], &[]);
    let client = lazy(&server).started();
    server.run::<()>(&["CONFIG", "RESETSTAT"]);
    let begun = Barrier::new(25);
    // No reply before all have asked.
    server.run::<()>(&["CLIENT", "PAUSE", "1500", "ALL"]);
    thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                begun.wait();
                assert_eq!(client.ask("a"), "x");
            });
        }
        begun.wait();
    });
    assert_eq!(server.calls_of("hmget"), 1);
}

#[test]
fn an_expired_item_is_served_at_once_and_reloaded_in_the_background() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    let config = lazy(&server).with("cache.freshness", "ttl").with("cache.ttl_ms", "100");
    let client = config.started();
    assert_eq!(client.ask("a"), "old");
    server.set_flag("a", flag("a", 2, "new"));
    let machine = Machine::watch();
    server.run::<()>(&["CLIENT", "PAUSE", "3000", "ALL"]);
    throughout(QUICK, || {
        let (value, took) = machine.timed(|| client.ask("a"));
        assert!(value == "old" || value == "new");
        // One that waited for the reload would wait until the server goes on.
        assert!(took < Duration::from_millis(1_500), "{took:?}");
    });
    client.serves("a", "new");
}

#[test]
fn nothing_is_served_past_its_time_to_live() {
    const TTL: Duration = Duration::from_secs(5);
    let server = RedisServer::holding(&[], &[]);
    let (mut late, machine) = (Vec::new(), Machine::watch());
    // Reloads begin half a second before the time is over, or earlier. A machine that is held up for longer may make them
    // late: where this is seen it does not count, and if only Redis was held up, not every round is late.
    for round in 0..3 {
        let client = lazy(&server).with("cache.freshness", "ttl").with("cache.ttl_ms", "5000").started();
        // That a flag does not exist goes by age like everything else. The reads lie apart, so that none helps another.
        let mut asked = Vec::new();
        for number in 0..12 {
            let key = format!("f{number}-{round}");
            assert_eq!(client.ask(&key), "FLAG_NOT_FOUND");
            asked.push((key.clone(), Instant::now()));
            server.set_flag(&key, flag(&key, 1, "here"));
            thread::sleep(Duration::from_millis(110));
        }
        late.clear();
        for (key, read) in asked {
            thread::sleep((read + TTL).saturating_duration_since(Instant::now()));
            if client.ask(&key) != "here" && machine.longest_since(read) < Duration::from_millis(250) {
                late.push(key);
            }
        }
        if late.is_empty() {
            return;
        }
    }
    panic!("served past their time in every round, last {late:?}");
}

#[test]
fn items_that_nobody_asks_for_are_reloaded_too() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    let client = lazy(&server).with("cache.freshness", "ttl").with("cache.ttl_ms", "100").started();
    assert_eq!(client.ask("a"), "old");
    server.set_flag("a", flag("a", 2, "new"));
    assert_eq!(client.hears_change_of("a"), (Some(1), Some(2)));
    assert_eq!(client.ask("a"), "new");
}

#[test]
fn an_item_that_was_often_evicted_is_reloaded_no_more_often_than_others() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "a")), ("b", big_flag("b", 1, "b", 10_000))], &[]);
    let config = lazy(&server).with("cache.capacity", "1").with("cache.freshness", "ttl");
    let client = config.with("cache.ttl_ms", "500").started();
    for _ in 0..300 {
        assert_eq!((client.ask("a"), client.ask("b")), ("a".into(), "b".into()));
    }
    // From here on b is held, and one reload in its time to live keeps it fresh.
    let (before, began) = (server.bytes_sent(), Instant::now());
    let reloads = || (server.bytes_sent() - before) / 10_000;
    throughout(Duration::from_millis(2_000), || assert_eq!(client.ask("b"), "b"));
    eventually("it is reloaded", || reloads() >= 2);
    let (reloads, lives) = (reloads(), began.elapsed().as_millis() / 500);
    assert!(u128::from(reloads) <= 2 * lives, "{reloads} reloads of one item in {lives} times its time to live");
}

#[test]
fn a_key_never_held_waits_for_a_hanging_server_no_longer_than_the_command_timeout() {
    let machine = Machine::watch();
    for residency in ["lazy", "off"] {
        let server = RedisServer::holding(&[("a", flag("a", 1, "x"))], &[]);
        let config = Config::of(&server).with("cache.residency", residency).with("redis.command_timeout_ms", "400");
        let client = config.with("redis.connect_timeout_ms", "400").with("redis.ping_ms", "100").started();
        client.serves("a", "x");
        server.stop();
        let (value, took) = machine.timed(|| client.ask("never"));
        assert_eq!(value, "EXCEPTION");
        assert!(took < Duration::from_secs(2), "{took:?}");
        // From here on Redis is known to be away. A hundred waits would take half a minute.
        client.becomes(INTERRUPTED);
        let (values, took) = machine.timed(|| (0..100).map(|n| client.ask(&format!("never-{n}"))).collect::<Vec<_>>());
        assert!(values.iter().all(|value| value == "EXCEPTION"));
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert!(client.detail("never").stale);
        server.cont();
        client.becomes(VALID);
        client.serves("never", "FLAG_NOT_FOUND");
    }
}

#[test]
fn a_prepared_flag_of_a_lazy_client_says_when_it_would_have_to_wait() {
    let text = Flag::new("a", 1, "").with("variations", serde_json::json!([true, false])).text();
    let server = RedisServer::holding(&[("a", text)], &[]);
    let client = lazy(&server).started();
    let prepared = client.prepare("a").unwrap();
    assert_eq!(prepared.bool_try(), -1);
    assert!(client.bool("a", false));
    assert_eq!(prepared.bool_try(), 1);
}

#[test]
fn without_residency_every_write_is_seen_by_the_next_evaluation() {
    let server = RedisServer::holding(&[("a", flag("a", 0, "0"))], &[]);
    let client = Config::of(&server).with("cache.residency", "off").started();
    let mut connection = server.connect();
    for version in 1..200 {
        let text = flag("a", version, &version.to_string());
        redis::cmd("HSET").arg("launchdarkly:features").arg("a").arg(text).exec(&mut connection).unwrap();
        assert_eq!(client.ask("a"), version.to_string());
    }
    assert_eq!(client.status()["flags"], 0);
}

#[test]
fn without_residency_no_thread_gets_what_was_overwritten_before_it_asked() {
    let server = RedisServer::holding(&[("a", flag("a", 0, "0"))], &[]);
    let client = Config::of(&server).with("cache.residency", "off").started();
    let (written, stop) = (AtomicI64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(SeqCst) {
                    let before = written.load(SeqCst);
                    let seen: i64 = client.ask("a").parse().expect("a version");
                    assert!(seen >= before, "{seen} after {before} was written");
                }
            });
        }
        let mut connection = server.connect();
        for version in 1..400 {
            let text = flag("a", version, &version.to_string());
            redis::cmd("HSET").arg("launchdarkly:features").arg("a").arg(text).exec(&mut connection).unwrap();
            written.store(version, SeqCst);
        }
        stop.store(true, SeqCst);
    });
}
