//! Connected mode and Redis: what a data source delivers is written in the layout that every SDK reads, never moves a version
//! backwards, and is put right again when others wrote something older or Redis lost it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::*;

/// A client of `server` that takes its items from `data` and writes them.
fn writing(server: &RedisServer, data: &TestData) -> Config {
    Config::of(server).with_data(data).with("store.write", "true").with("refresh.interval_ms", "500")
}

/// Starts a client and waits until its full data set is dealt with: from then on only single items are written. `name` is a
/// flag of its own.
fn settled(config: &Config, server: &RedisServer, data: &TestData, name: &str) -> Client {
    let client = config.started();
    data.set_flag(&flag(name, 1, "x"));
    redis_gets(server, name, 1);
    client
}

fn version_in_redis(server: &RedisServer, key: &str) -> Option<i64> {
    let text = server.text("features", key)?;
    serde_json::from_str::<Value>(&text).ok()?["version"].as_i64()
}

#[track_caller]
fn redis_gets(server: &RedisServer, key: &str, version: i64) {
    eventually(&format!("Redis has {key} in version {version}"), || version_in_redis(server, key) == Some(version));
}

#[test]
fn a_full_data_set_is_written_as_it_was_received() {
    let (server, data) = (RedisServer::start(), TestData::new());
    let odd = r#"{"key":"a","version":3,"on":true,"variations":["one"],"fallthrough":{"variation":0},  "unknown": [1, 2.50]}"#;
    data.set_flag(odd);
    data.set_segment(&segment("s", 1, &["ada"]));
    let client = writing(&server, &data).started();
    assert_eq!(client.ask("a"), "one");
    eventually("the data set is written", || server.is_inited());
    assert_eq!(server.text("features", "a").unwrap(), odd);
    assert_eq!(server.text("segments", "s").unwrap(), segment("s", 1, &["ada"]));
    assert_eq!(server.run::<String>(&["GET", &format!("{PREFIX}:$inited")]), "");
    eventually("the lock is given back", || server.run::<i64>(&["EXISTS", &format!("{PREFIX}:$flagstone_lock")]) == 0);
}

#[test]
fn a_patch_is_served_at_once_and_written_behind() {
    let (server, data) = (RedisServer::start(), TestData::new());
    data.set_flag(&flag("a", 1, "one"));
    let client = writing(&server, &data).started();
    data.set_flag(&flag("a", 2, "two"));
    assert_eq!(client.ask("a"), "two", "setting test data waits until the clients have them");
    redis_gets(&server, "a", 2);
    data.set_flag(&flag("new", 1, "fresh"));
    assert_eq!(client.ask("new"), "fresh");
    redis_gets(&server, "new", 1);
}

#[test]
fn a_deletion_is_written_as_a_mark_that_every_sdk_can_read() {
    let (server, data) = (RedisServer::start(), TestData::new());
    data.set_flag(&flag("a", 4, "one"));
    let client = writing(&server, &data).started();
    data.delete_flag("a");
    assert_eq!(client.ask("a"), "FLAG_NOT_FOUND");
    redis_gets(&server, "a", 5);
    let mark: Value = serde_json::from_str(&server.text("features", "a").unwrap()).unwrap();
    assert_eq!((&mark["key"], &mark["deleted"]), (&json!("a"), &json!(true)));
    for name in ["on", "variations", "rules", "targets", "prerequisites", "fallthrough", "salt"] {
        assert!(mark.get(name).is_some(), "{name} is missing: {mark}");
    }
}

#[test]
fn a_version_in_redis_is_never_moved_backwards_by_a_patch() {
    let (server, data) = (RedisServer::start(), TestData::new());
    data.set_flag(&flag("a", 1, "one"));
    let client = writing(&server, &data).started();
    redis_gets(&server, "a", 1);
    server.set_flag("a", flag("a", 100, "raised by another"));
    data.set_flag(&flag("a", 2, "two"));
    data.set_flag(&flag("a", 100, "hundred"));
    assert_eq!(client.ask("a"), "hundred");
    data.set_flag(&flag("other", 1, "x"));
    redis_gets(&server, "other", 1);
    assert!(server.text("features", "a").unwrap().contains("raised by another"));
    data.set_flag(&flag("a", 200, "two hundred"));
    redis_gets(&server, "a", 200);
}

#[test]
fn text_in_redis_that_is_no_item_is_overwritten() {
    let (server, data) = (RedisServer::start(), TestData::new());
    data.set_flag(&flag("a", 1, "one"));
    let _client = writing(&server, &data).started();
    redis_gets(&server, "a", 1);
    for (version, text) in [(2, "{oops"), (3, "[]"), (4, r#"{"version":"9"}"#), (5, "")] {
        server.set_flag("a", text);
        data.set_flag(&flag("a", version, "one"));
        redis_gets(&server, "a", version);
    }
}

#[test]
fn where_scripts_are_refused_versions_are_compared_by_watching() {
    let server = Setup::default().user("writer on >secret ~* &* +@all -@scripting").start();
    let data = TestData::new();
    data.set_flag(&flag("a", 1, "one"));
    let config = writing(&server, &data).with("redis.username", "writer").with("redis.password", "secret");
    let _client = config.started();
    redis_gets(&server, "a", 1);
    data.set_flag(&flag("a", 2, "two"));
    redis_gets(&server, "a", 2);
    server.set_flag("a", flag("a", 100, "raised by another"));
    data.set_flag(&flag("a", 3, "three"));
    data.set_flag(&flag("other", 1, "x"));
    redis_gets(&server, "other", 1);
    assert_eq!(version_in_redis(&server, "a"), Some(100));
    assert_eq!(server.run::<i64>(&["EXISTS", &format!("{PREFIX}:$flagstone_lock")]), 0, "the lock is given back");
    assert!(server.calls_of("watch") > 0);
}

#[test]
fn an_old_text_too_long_for_a_script_is_compared_outside_redis() {
    let (server, data) = (RedisServer::start(), TestData::new());
    data.set_flag(&big_flag("a", 1, "one", 100_000));
    let _client = writing(&server, &data).started();
    redis_gets(&server, "a", 1);
    data.set_flag(&flag("a", 2, "two"));
    redis_gets(&server, "a", 2);
    assert!(server.calls_of("watch") > 0);
    server.set_flag("a", big_flag("a", 100, "raised by another", 100_000));
    data.set_flag(&flag("a", 3, "three"));
    data.set_flag(&flag("other", 1, "x"));
    redis_gets(&server, "other", 1);
    assert_eq!(version_in_redis(&server, "a"), Some(100));
}

#[test]
fn writers_of_many_versions_at_once_leave_the_highest_and_all_serve_it() {
    for refused in [false, true] {
        let rules = if refused { "writer on >secret ~* &* +@all -@scripting" } else { "writer on >secret ~* &* +@all" };
        let server = Setup::default().user(rules).start();
        let sets: Vec<TestData> = (0..3).map(|_| TestData::new()).collect();
        sets.iter().for_each(|data| data.set_flag(&flag("a", 1, "1")));
        let config = |data| writing(&server, data).with("redis.username", "writer").with("redis.password", "secret");
        let start = |(number, data)| settled(&config(data), &server, data, &format!("of-{number}"));
        let clients: Vec<Client> = sets.iter().enumerate().map(start).collect();
        std::thread::scope(|scope| {
            for (number, data) in sets.iter().enumerate() {
                let number = number as i64;
                scope.spawn(move || {
                    for round in 1..40 {
                        let version = round * 3 + number;
                        data.set_flag(&flag("a", version, &version.to_string()));
                    }
                });
            }
            let mut highest = 0;
            throughout(Duration::from_millis(300), || {
                let version = version_in_redis(&server, "a").unwrap_or(0);
                assert!(version >= highest, "{version} after {highest}");
                highest = version;
            });
        });
        redis_gets(&server, "a", 39 * 3 + 2);
        drop(clients);
    }
}

#[test]
fn a_data_set_that_redis_holds_already_is_not_written_again() {
    let (server, data) = (RedisServer::start(), TestData::new());
    data.set_flag(&flag("a", 1, "one"));
    data.set_segment(&segment("s", 1, &[]));
    let first = writing(&server, &data).started();
    eventually("it is written", || server.is_inited());
    data.set_flag(&flag("gone", 1, "x"));
    data.delete_flag("gone");
    redis_gets(&server, "gone", 2);
    first.close(2_000);
    // A restart: the source names no deleted flag, Redis keeps the mark.
    let data = TestData::new();
    data.set_flag(&flag("a", 1, "one"));
    data.set_segment(&segment("s", 1, &[]));
    let (writes, scripts) = (server.calls_of("hset"), server.calls_of("eval"));
    let clients: Vec<Client> = (0..5).map(|_| writing(&server, &data).started()).collect();
    // Each compares under the lock, which it gives back by a script. Who had not yet would find the patch missing.
    eventually("all have compared", || server.calls_of("eval") >= scripts + 5);
    for client in &clients {
        client.reports("available", true);
    }
    data.set_flag(&flag("a", 2, "two"));
    redis_gets(&server, "a", 2);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.calls_of("hset"), writes + 1, "the patch was written once and the data set not at all");
}

#[test]
fn many_clients_that_start_on_an_empty_redis_write_the_data_set_once() {
    let (server, data) = (RedisServer::start(), TestData::new());
    (0..200).for_each(|number| data.set_flag(&flag(&format!("f{number}"), 1, "x")));
    let clients: Vec<Client> = (0..8).map(|_| writing(&server, &data).client()).collect();
    clients.iter().for_each(|client| client.start(0).unwrap());
    for client in &clients {
        client.start(PATIENCE_MS).unwrap();
        client.reports("available", true);
    }
    eventually("it is written", || server.is_inited());
    std::thread::sleep(Duration::from_millis(800));
    // 200 fields are four commands of fifty fields each.
    assert_eq!(server.calls_of("hset"), 4);
}

#[test]
fn the_echo_of_an_own_write_is_no_second_change() {
    let (server, data) = (RedisServer::start(), TestData::new());
    data.set_flag(&flag("a", 1, "one"));
    let client = writing(&server, &data).started();
    eventually("it is written", || server.is_inited());
    client.drain();
    data.set_flag(&flag("a", 2, "two"));
    redis_gets(&server, "a", 2);
    std::thread::sleep(Duration::from_millis(700));
    let changes: Vec<Notice> =
        client.drain().into_iter().filter(|notice| matches!(notice, Notice::Changed { .. })).collect();
    assert_eq!(changes, [Notice::Changed { key: "a".into(), old: Some(1), new: Some(2) }]);
}

#[test]
fn after_an_older_full_write_every_client_with_newer_items_writes_them_again() {
    let server = RedisServer::start();
    let data: Vec<TestData> = (0..3).map(|_| TestData::new()).collect();
    for data in &data {
        data.set_flag(&flag("a", 1, "one"));
        data.set_flag(&flag("b", 1, "one"));
    }
    let start = |(number, data)| settled(&writing(&server, data), &server, data, &format!("of-{number}"));
    let clients: Vec<Client> = data.iter().enumerate().map(start).collect();
    data[0].set_flag(&flag("a", 2, "two"));
    data[1].set_flag(&flag("a", 2, "two"));
    data[1].set_flag(&flag("b", 3, "three"));
    redis_gets(&server, "a", 2);
    redis_gets(&server, "b", 3);
    // A slow process: its full data set is the old one.
    server.replace(&[("a", flag("a", 1, "one")), ("b", flag("b", 1, "one"))], &[]);
    redis_gets(&server, "a", 2);
    redis_gets(&server, "b", 3);
    throughout(Duration::from_millis(600), || {
        assert_eq!((version_in_redis(&server, "a"), version_in_redis(&server, "b")), (Some(2), Some(3)));
    });
    assert_eq!([&clients[0], &clients[1]].map(|client| client.ask("a")), ["two", "two"]);
    assert_eq!((clients[1].ask("b"), clients[2].ask("b")), ("three".into(), "one".into()));
}

/// A data set of more than a megabyte and three clients that have all written one change of `f0`; only what others do makes
/// them look at Redis within the next minute.
fn large() -> (RedisServer, TestData, Vec<Client>) {
    let (server, data) = (RedisServer::start(), TestData::new());
    (0..400).for_each(|number| data.set_flag(&large_flag(number, 1)));
    let config = writing(&server, &data).with("refresh.interval_ms", "60000");
    let clients: Vec<Client> = (0..3).map(|_| config.started()).collect();
    // Each gives the lock back by a script.
    eventually("all have compared", || server.calls_of("eval") >= 3);
    data.set_flag(&large_flag(0, 2));
    redis_gets(&server, "f0", 2);
    quiet(&server);
    (server, data, clients)
}

fn large_flag(number: u32, version: i64) -> String {
    big_flag(&format!("f{number}"), version, "v", 4_000)
}

/// Another writer's full write of the large data set.
fn write_all_of_large(server: &RedisServer, version: impl Fn(u32) -> i64) {
    let keys: Vec<String> = (0..400).map(|number| format!("f{number}")).collect();
    let flags: Vec<(&str, String)> =
        (0..).zip(&keys).map(|(number, key)| (key.as_str(), large_flag(number, version(number)))).collect();
    server.replace(&flags, &[]);
}

fn reads_of_everything(server: &RedisServer) -> u64 {
    server.calls_of("hgetall") + server.calls_of("hscan")
}

/// Waits until nobody has read everything for two hundred looks, which take a second at least. Looks and not time: while the
/// machine is held up nobody reads either.
fn quiet(server: &RedisServer) {
    let (mut seen, mut looks) = (reads_of_everything(server), 0);
    eventually("nobody reads everything any more", || {
        let now = reads_of_everything(server);
        looks = if now == seen { looks + 1 } else { 0 };
        seen = now;
        looks > 200
    });
}

#[test]
fn a_patch_among_a_large_data_set_makes_nobody_read_all_of_it() {
    let (server, data, _clients) = large();
    let before = reads_of_everything(&server);
    data.set_flag(&large_flag(1, 2));
    redis_gets(&server, "f1", 2);
    data.delete_flag("f2");
    redis_gets(&server, "f2", 2);
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(reads_of_everything(&server), before);
}

#[test]
fn an_older_full_write_of_a_large_data_set_is_put_right_by_what_was_delivered_last() {
    let (server, data, _clients) = large();
    data.set_flag(&large_flag(1, 2));
    redis_gets(&server, "f1", 2);
    write_all_of_large(&server, |_| 1);
    redis_gets(&server, "f0", 2);
    redis_gets(&server, "f1", 2);
}

#[test]
fn an_older_full_write_is_put_right_also_when_much_was_delivered_at_once() {
    let (server, data, _clients) = large();
    server.stop();
    (100..190).for_each(|number| data.set_flag(&large_flag(number, 2)));
    server.cont();
    (100..190).for_each(|number| redis_gets(&server, &format!("f{number}"), 2));
    quiet(&server);
    // It lacks one of them only.
    write_all_of_large(&server, |number| if number == 0 || (100..189).contains(&number) { 2 } else { 1 });
    redis_gets(&server, "f189", 2);
}

#[test]
fn a_field_that_vanishes_from_a_large_data_set_is_noticed_by_the_number_of_fields() {
    let (server, _data, clients) = large();
    server.run::<i64>(&["HDEL", &format!("{PREFIX}:features"), "f7"]);
    wait_until(Duration::from_secs(30), "the field is back", || version_in_redis(&server, "f7") == Some(1));
    assert_eq!(clients[0].ask("f7"), "v");
}

#[test]
fn memory_is_the_truth_and_takes_nothing_from_redis() {
    let (server, data) = (RedisServer::start(), TestData::new());
    data.set_flag(&flag("a", 1, "one"));
    let client = writing(&server, &data).started();
    eventually("it is written", || server.is_inited());
    server.set_flag("a", flag("a", 9, "of another"));
    server.set_flag("b", flag("b", 9, "of another"));
    throughout(Duration::from_millis(900), || {
        assert_eq!((client.ask("a"), client.ask("b")), ("one".into(), "FLAG_NOT_FOUND".into()));
    });
    assert_eq!(version_in_redis(&server, "a"), Some(9), "the data source will bring it here too");
}

/// Ways to lose the data set.
const LOSSES: [&[&str]; 4] = [&["$inited"], &["features"], &["segments"], &["features", "segments", "$inited"]];

#[test]
fn a_lost_data_set_is_rewritten_once_for_many_processes() {
    let (server, data) = (RedisServer::start(), TestData::new());
    (0..60).for_each(|number| data.set_flag(&flag(&format!("f{number}"), 1, "x")));
    data.set_segment(&segment("s", 1, &["ada"]));
    let clients: Vec<Client> = (0..5).map(|_| writing(&server, &data).started()).collect();
    eventually("it is written", || server.is_inited());
    std::thread::sleep(Duration::from_millis(300));
    for lost in LOSSES {
        let before = server.calls_of("hset");
        server.remove(lost);
        eventually(&format!("{lost:?} is back"), || {
            let there = server.run::<i64>(&["HLEN", &format!("{PREFIX}:features")]);
            server.is_inited() && there == 60 && server.text("segments", "s").is_some()
        });
        std::thread::sleep(Duration::from_millis(800));
        // Two commands for the flags, one for the segment.
        assert_eq!(server.calls_of("hset") - before, 3, "{lost:?}");
        for client in &clients {
            client.reports("wiped", false);
            assert_eq!((client.ask("f1"), client.state()), ("x".into(), VALID));
        }
    }
    server.flush();
    eventually("everything is back", || server.is_inited());
}

#[test]
fn a_hash_of_a_wrong_type_is_replaced() {
    let (server, data) = (RedisServer::start(), TestData::new());
    data.set_flag(&flag("a", 1, "one"));
    let client = writing(&server, &data).started();
    eventually("it is written", || server.is_inited());
    let name = format!("{PREFIX}:features");
    server.run::<()>(&["DEL", &name]);
    server.run::<()>(&["SET", &name, "text"]);
    eventually("it is a hash again", || server.run::<String>(&["TYPE", &name]) == "hash");
    assert_eq!((client.ask("a"), version_in_redis(&server, "a")), ("one".into(), Some(1)));
}

#[test]
fn a_single_missing_field_is_written_again_after_ten_seconds_if_the_source_vouches_for_it() {
    let server = RedisServer::start();
    let (good, bad) = (TestData::new(), TestData::new());
    good.set_flag(&flag("a", 1, "one"));
    good.set_flag(&flag("b", 1, "one"));
    bad.set_flag(&flag("b", 1, "one"));
    bad.set_flag(&flag("c", 1, "one"));
    let vouches = writing(&server, &good).started();
    redis_gets(&server, "a", 1);
    let began = Instant::now();
    let doubts = writing(&server, &bad).started();
    redis_gets(&server, "c", 1);
    bad.set_status(INTERRUPTED, 1, 0, "no network").unwrap();
    doubts.becomes(INTERRUPTED);
    // The second full write has removed a, which the first client notices.
    server.remove_flag("c");
    redis_gets(&server, "a", 1);
    assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
    throughout(Duration::from_secs(3), || assert_eq!(version_in_redis(&server, "c"), None));
    assert_eq!((vouches.ask("a"), doubts.ask("c")), ("one".into(), "one".into()));
}

#[test]
fn a_write_that_fails_inside_the_transaction_is_an_error_and_is_tried_again() {
    let server = Setup::default().user("writer on >secret ~* &* +@all -hset").start();
    let data = TestData::new();
    data.set_flag(&flag("a", 1, "one"));
    let config = writing(&server, &data).with("redis.username", "writer").with("redis.password", "secret");
    let client = config.started();
    assert_eq!((client.ask("a"), client.state()), ("one".into(), VALID), "ready, stored or not");
    let says = || client.status()["last_error"].as_str().is_some_and(|error| error.contains("writing to Redis failed"));
    eventually("the failure shows", says);
    assert!(client.info().store_available, "reads go on");
    eventually("what is held is said to lead", || client.status()["stale_since_ms"].is_number());
    assert!(!server.is_inited());
    server.run::<()>(&["ACL", "SETUSER", "writer", "+hset"]);
    redis_gets(&server, "a", 1);
    client.reports("stale_since_ms", Value::Null);
}

#[test]
fn without_redis_memory_is_all_there_is() {
    let data = TestData::new();
    data.set_flag(&flag("a", 1, "one"));
    let client = Config::new().with_data(&data).started();
    assert_eq!(client.ask("a"), "one");
    let info = client.info();
    assert!(info.store_available && info.source_state == VALID && info.store_stale_since_ms == 0);
    assert!(!client.detail("a").stale);
    data.set_flag(&flag("a", 2, "two"));
    assert_eq!(client.ask("a"), "two");
    assert_eq!(client.close(PATIENCE_MS), OK);
    assert_eq!((client.ask("a"), client.state()), ("two".into(), OFF));
}

#[test]
fn test_data_fill_memory_only_unless_told_otherwise() {
    let (server, data) = (RedisServer::start(), TestData::new());
    data.set_flag(&flag("a", 1, "one"));
    let client = Config::of(&server).with_data(&data).started();
    assert_eq!(client.ask("a"), "one");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.run::<i64>(&["DBSIZE"]), 0);
}
