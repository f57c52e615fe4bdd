//! Big segments in a real Redis, as the Relay Proxy writes them: what is asked and how often, how soon a change is seen, and what
//! becomes of evaluations when Redis refuses, hangs, dies or holds nonsense.

mod elsewhere;
mod trouble;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fakeld::Fake;
use flagdata::members;
use flagstone::big_segments::context_hash;
use serde_json::json;

use crate::support::*;

const NONE: i32 = 0;
const HEALTHY: i32 = 1;
const STALE: i32 = 2;
const NOT_CONFIGURED: i32 = 3;
const STORE_ERROR: i32 = 4;

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Text of a big segment of users; `rule` admits users of that name.
fn big(key: &str, generation: i64, kind: &str) -> String {
    json!({ "key": key, "version": 1, "unbounded": true, "generation": generation, "unboundedContextKind": kind, "salt": "s" })
        .to_string()
}

/// A server with the flag `vip` for the big segment `vip`, in generation 7, brought up to date just now.
fn server() -> RedisServer {
    with_vip(RedisServer::start())
}

fn with_vip(server: RedisServer) -> RedisServer {
    server.replace(&[("vip", Flag::new("vip", 1, "in").for_segment("vip").text())], &[("vip", big("vip", 7, "user"))]);
    bring_up_to_date(&server, now_ms());
    server
}

fn key(part: &str) -> String {
    format!("{PREFIX}:{part}")
}

fn bring_up_to_date(server: &RedisServer, at: i64) {
    server.run::<()>(&["SET", &key("big_segments_synchronized_on"), &at.to_string()]);
}

/// Adds references to the set `include` or `exclude` of a context.
fn add(server: &RedisServer, set: &str, context: &str, references: &[&str]) {
    let set = key(&format!("big_segment_{set}:{}", context_hash(context)));
    let words: Vec<&str> = ["SADD", &set].iter().chain(references).copied().collect();
    server.run::<i64>(&words);
}

/// The value and what became of the big segments.
fn asked(client: &Client, user: &str) -> (String, i32) {
    let detail = client.detail_for(&Context::user(user), "vip");
    (detail.word(), detail.big_segments)
}

#[track_caller]
fn gives(client: &Client, user: &str, value: &str, status: i32) {
    assert_eq!(asked(client, user), (value.to_owned(), status), "{user}: {:?}", client.try_status());
}

/// Waits until the flag has this value and status for the user.
#[track_caller]
fn becomes(client: &Client, user: &str, value: &str, status: i32) {
    let mut last = (String::new(), 0);
    eventually(&format!("{user} gets {value}, {status}"), || {
        last = asked(client, user);
        last == (value.to_owned(), status)
    });
}

/// Waits for the notification of a change of the status, past all others.
#[track_caller]
fn hears(client: &Client, available: bool, stale: bool) {
    eventually(&format!("available {available}, stale {stale} is told"), || {
        while let Ok(polled) = client.poll(0) {
            if matches!(polled.notice, Notice::BigSegments(told) if (told.available, told.stale) == (available, stale))
            {
                return true;
            }
        }
        false
    });
}

/// A client that remembers contexts, and whose polls come too seldom to count.
fn patient(server: &RedisServer) -> Config {
    Config::of(server).with("big_segments.cache_ms", "600000").with("big_segments.poll_interval_ms", "600000")
}

#[test]
fn a_listener_hears_of_its_members_and_an_outage_is_no_change() {
    let mut server = server();
    let client = Config::of(&server).with("big_segments.cache_ms", "200").started();
    let listener = client.listen("vip");
    let hears = |old: &str, new: &str| {
        eventually("a change is told", || {
            let Ok(polled) = client.poll(100) else { return false };
            let Notice::Value { listener: told, old: before, new: after, .. } = polled.notice else { return false };
            assert_eq!((told, before, after), (listener, json!(old), json!(new)));
            true
        });
    };
    add(&server, "include", "ada", &["vip.g7"]);
    hears(OTHER, "in");
    server.kill();
    client.hears_state(INTERRUPTED);
    becomes(&client, "ada", OTHER, STORE_ERROR);
    let is_value = |polled: Polled| matches!(polled.notice, Notice::Value { .. });
    assert!(!(0..6).any(|_| client.poll(100).is_ok_and(is_value)), "what is not known has not changed");
    server.restart();
    let server = with_vip(server);
    add(&server, "exclude", "ada", &["vip.g7"]);
    hears("in", OTHER);
}

#[test]
fn members_are_read_once_for_each_context_and_remembered() {
    let server = server();
    add(&server, "include", "ada", &["vip.g7", "other.g1"]);
    add(&server, "exclude", "bob", &["vip.g7"]);
    add(&server, "include", "both", &["vip.g7"]);
    add(&server, "exclude", "both", &["vip.g7"]);
    add(&server, "include", "old", &["vip.g6"]);
    for residency in ["all", "lazy", "off"] {
        let before = server.calls();
        let client = patient(&server).with("cache.residency", residency).started();
        assert!(client.may_wait());
        assert_eq!(server.calls_of("smembers"), before.get("smembers").copied().unwrap_or(0), "nobody has asked yet");
        for _ in 0..3 {
            gives(&client, "ada", "in", HEALTHY);
            gives(&client, "bob", OTHER, HEALTHY);
            gives(&client, "both", "in", HEALTHY);
            gives(&client, "old", OTHER, HEALTHY);
            gives(&client, "nobody", OTHER, HEALTHY);
        }
        let after = server.calls();
        assert_eq!(after["smembers"] - before.get("smembers").copied().unwrap_or(0), 10, "two sets for each context");
        assert_eq!(after["get"] - before.get("get").copied().unwrap_or(0), 1, "its age is asked for once");
        assert_eq!(client.big_segments(), (true, false));
        let status = &client.status()["big_segments"];
        assert_eq!(
            (&status["available"], &status["remembered"], &status["push"]),
            (&json!(true), &json!(5), &json!(true))
        );
        hears(&client, true, false);
        assert_eq!(client.close(PATIENCE_MS), OK);
        gives(
            &client,
            "ada",
            if residency == "off" { "CLIENT_NOT_READY" } else { OTHER },
            if residency == "off" { NONE } else { STORE_ERROR },
        );
        assert_eq!(client.try_big_segments().unwrap_err().status, CLOSED);
    }
}

#[test]
fn nothing_is_connected_for_big_segments_before_somebody_asks() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "x"))], &[]);
    let connections = || server.run::<String>(&["CLIENT", "LIST"]).lines().count();
    let client = Config::of(&server).with("big_segments.poll_interval_ms", "20").started();
    client.reports("freshness", "push");
    assert!(!client.may_wait(), "there is no big segment");
    let before = connections();
    let gets = server.calls_of("get");
    throughout(Duration::from_millis(300), || assert_eq!(client.ask("a"), "x"));
    assert_eq!((connections(), server.calls_of("get")), (before, gets));
    assert_eq!(client.status()["big_segments"]["available"], json!(null));
    assert_eq!(client.big_segments(), (true, true), "it was never brought up to date");
    eventually("it is polled from here on", || server.calls_of("get") > gets + 5);
    server.replace(&[("a", flag("a", 1, "x"))], &[("vip", big("vip", 7, "user"))]);
    eventually("a big segment is known", || client.may_wait());
    let unstarted = Config::of(&server).client();
    assert_eq!(unstarted.big_segments(), (false, false));
    assert_eq!(unstarted.drain(), []);
}

#[test]
fn a_change_is_seen_at_once_although_the_old_members_are_remembered() {
    let server = server();
    let client = patient(&server).started();
    gives(&client, "ada", OTHER, HEALTHY);
    gives(&client, "bob", OTHER, HEALTHY);
    add(&server, "include", "ada", &["vip.g7"]);
    becomes(&client, "ada", "in", HEALTHY);
    server.run::<()>(&["DEL", &key(&format!("big_segment_include:{}", context_hash("ada")))]);
    becomes(&client, "ada", OTHER, HEALTHY);
    let reads = server.calls_of("smembers");
    gives(&client, "bob", OTHER, HEALTHY);
    assert_eq!(server.calls_of("smembers"), reads, "nobody else is asked for again");
    bring_up_to_date(&server, 1_000);
    hears(&client, true, true);
    becomes(&client, "bob", OTHER, STALE);
    bring_up_to_date(&server, now_ms());
    hears(&client, true, false);
    becomes(&client, "bob", OTHER, HEALTHY);
    add(&server, "include", "bob", &["vip.g7"]);
    becomes(&client, "bob", "in", HEALTHY);
    server.flush();
    becomes(&client, "bob", OTHER, STALE);
}

#[test]
fn a_change_while_the_connection_was_lost_is_seen_when_it_is_back() {
    let server = server();
    let gate = Gate::to(server.port());
    let client = Config::at(&gate.url())
        .with("big_segments.cache_ms", "600000")
        .with("big_segments.poll_interval_ms", "100")
        .started();
    gives(&client, "ada", OTHER, HEALTHY);
    gate.set_dead(true);
    hears(&client, false, false);
    gives(&client, "ada", OTHER, HEALTHY);
    add(&server, "include", "ada", &["vip.g7"]);
    gate.set_dead(false);
    becomes(&client, "ada", "in", HEALTHY);
    hears(&client, true, false);
}

#[test]
fn where_redis_does_not_tell_a_change_is_seen_by_age() {
    let without_tracking = Setup::default().user("reader on nopass ~* &* +@all -client|tracking").start();
    let without_hello = Setup::default().argument(&["--rename-command", "HELLO", ""]).start();
    for (server, user) in [(without_tracking, "reader"), (without_hello, "")] {
        let server = with_vip(server);
        let config = Config::of(&server).with("redis.username", user);
        let config = if user.is_empty() { config } else { config.with("redis.password", "any") };
        let client = config.with("big_segments.cache_ms", "300").with("big_segments.poll_interval_ms", "100").started();
        becomes(&client, "ada", OTHER, HEALTHY);
        assert_eq!(client.status()["big_segments"]["push"], json!(false));
        add(&server, "include", "ada", &["vip.g7"]);
        becomes(&client, "ada", "in", HEALTHY);
        bring_up_to_date(&server, 1_000);
        becomes(&client, "ada", "in", STALE);
    }
}

#[test]
fn members_that_nobody_brings_up_to_date_are_told_as_stale_in_time() {
    let server = server();
    let client = patient(&server).with("big_segments.stale_after_ms", "1500").started();
    bring_up_to_date(&server, now_ms());
    gives(&client, "ada", OTHER, HEALTHY);
    hears(&client, true, false);
    let began = now_ms();
    hears(&client, true, true);
    assert!(now_ms() - began < 20_000, "the next poll is in ten minutes");
    gives(&client, "ada", OTHER, STALE);
}

#[test]
fn one_evaluation_asks_once_for_each_key_whatever_the_segments_and_kinds() {
    let server = RedisServer::start();
    let values: Vec<String> = (0..50).map(|number| format!("s{number}")).collect();
    let clause = json!({ "op": "segmentMatch", "values": values });
    let rules = json!([{ "variation": 0, "clauses": [clause] }]);
    let needed = Flag::new("needed", 1, OTHER).for_segment("s0").with("variations", json!([OTHER, "x"]));
    let needed = needed.with("rules", json!([])).with("fallthrough", json!({ "variation": 0 }));
    let mut outer = Flag::new("vip", 1, "in").requires("needed").with("fallthrough", json!({ "variation": 1 }));
    outer = outer.with("rules", rules);
    let segments: Vec<(String, String)> = values
        .iter()
        .enumerate()
        .map(|(number, key)| (key.clone(), big(key, 1, if number % 2 == 0 { "user" } else { "org" })))
        .collect();
    let segments: Vec<(&str, String)> = segments.iter().map(|(key, text)| (key.as_str(), text.clone())).collect();
    server.replace(&[("vip", outer.text()), ("needed", needed.text())], &segments);
    bring_up_to_date(&server, now_ms());
    add(&server, "include", "globex", &["s49.g1"]);
    let client = patient(&server).started();
    let ask = |context: &str, queries: u64| {
        let before = server.calls_of("smembers");
        let detail = client.detail_for_json(context, "vip");
        assert_eq!(server.calls_of("smembers") - before, 2 * queries, "{context}");
        (detail.word(), detail.big_segments)
    };
    assert_eq!(ask(r#"{"kind":"multi","user":{"key":"ada"},"org":{"key":"ada"}}"#, 1), (OTHER.into(), HEALTHY));
    assert_eq!(ask(r#"{"kind":"multi","user":{"key":"bob"},"org":{"key":"globex"}}"#, 2), ("in".into(), HEALTHY));
    assert_eq!(ask(r#"{"kind":"device","key":"phone"}"#, 0), (OTHER.into(), NONE));
}

#[test]
fn ten_thousand_big_segments_in_one_flag_are_one_query() {
    let server = RedisServer::start();
    let keys: Vec<String> = (0..10_000).map(|number| format!("s{number}")).collect();
    let rules = json!([{ "variation": 0, "clauses": [{ "op": "segmentMatch", "values": keys }] }]);
    let flag = Flag::new("vip", 1, "in").with("rules", rules).with("fallthrough", json!({ "variation": 1 }));
    let segments: Vec<(&str, String)> = keys.iter().map(|key| (key.as_str(), big(key, 1, "user"))).collect();
    server.replace(&[("vip", flag.text())], &segments);
    bring_up_to_date(&server, now_ms());
    let references: Vec<String> = keys.iter().map(|key| format!("{key}.g1")).collect();
    let references: Vec<&str> = references.iter().map(String::as_str).collect();
    add(&server, "exclude", "ada", &references[..9_999]);
    add(&server, "include", "ada", &references[9_999..]);
    let client = patient(&server).started();
    let (_, took) = timed(|| gives(&client, "ada", "in", HEALTHY));
    gives(&client, "bob", OTHER, HEALTHY);
    assert_eq!(server.calls_of("smembers"), 4);
    assert!(took < Duration::from_secs(10), "{took:?}");
    let (_, took) = timed(|| gives(&client, "ada", "in", HEALTHY));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn all_flags_ask_once_also_where_nobody_can_answer() {
    let server = RedisServer::start();
    let flags: Vec<(String, String)> =
        (0..500).map(|number| (format!("f{number}"), Flag::new("f", 1, "in").for_segment("vip").text())).collect();
    let flags: Vec<(&str, String)> = flags.iter().map(|(key, text)| (key.as_str(), text.clone())).collect();
    server.replace(&flags, &[("vip", big("vip", 7, "user"))]);
    bring_up_to_date(&server, now_ms());
    add(&server, "include", "ada", &["vip.g7"]);
    let gate = Gate::to(server.port());
    let client = Config::at(&gate.url()).with("big_segments.cache_size", "1").started();
    let reasons = |status: &str| {
        let all = client.try_all_flags(Some(&Context::user("ada")), 2).unwrap();
        all.matches(&format!("\"bigSegmentsStatus\":\"{status}\"")).count()
    };
    assert_eq!(reasons("HEALTHY"), 500);
    assert_eq!(gate.seen().count("SMEMBERS"), 2);
    gate.rule("SMEMBERS", Rule::error("NOPERM no"));
    let refused = Config::at(&gate.url()).started();
    let all = refused.try_all_flags(Some(&Context::user("ada")), 2).unwrap();
    assert_eq!(all.matches("\"bigSegmentsStatus\":\"STORE_ERROR\"").count(), 500);
    assert_eq!(gate.seen().count("SMEMBERS"), 4);
}

#[test]
fn threads_that_want_the_same_context_ask_once() {
    let server = server();
    add(&server, "include", "ada", &["vip.g7"]);
    let gate = Gate::to(server.port());
    gate.rule("SMEMBERS", Rule::Delay(Duration::from_millis(300)));
    let client = Config::at(&gate.url()).started();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| gives(&client, "ada", "in", HEALTHY));
        }
    });
    assert_eq!(gate.seen().count("SMEMBERS"), 2);
}

/// How often each flag was evaluated, as LaunchDarkly was told.
fn counted(fake: &Fake) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for payload in fake.payloads() {
        for event in payload.json().unwrap().as_array().unwrap().iter().filter(|event| event["kind"] == "summary") {
            for (flag, summary) in event["features"].as_object().unwrap() {
                let counters = summary["counters"].as_array().unwrap().iter();
                let count: u64 = counters.map(|counter| counter["count"].as_u64().unwrap()).sum();
                *counts.entry(flag.clone()).or_default() += count;
            }
        }
    }
    counts
}

#[test]
fn what_may_not_wait_tells_so_and_is_not_counted_twice() {
    let server = server();
    add(&server, "include", "ada", &["vip.g7"]);
    let flag = |key: &str| Flag::new(key, 1, "x").with("variations", json!([true, false]));
    let outer = flag("outer").requires("needed").for_segment("vip").text();
    server.replace(&[("needed", flag("needed").text()), ("outer", outer)], &[("vip", big("vip", 7, "user"))]);
    for residency in ["all", "lazy"] {
        let fake = Fake::start().unwrap();
        let config = patient(&server)
            .with("cache.residency", residency)
            .with("sdk.key", SDK_KEY)
            .with("endpoints.events", &fake.url())
            .with("events.diagnostics", "false");
        let client = config.started();
        let prepared = client.prepare("outer").unwrap();
        // Residency lazy holds the items from here on, and knows the members for somebody else.
        assert!(!client.bool_for(&Context::user("bob"), "outer", true));
        (0..3).for_each(|_| assert_eq!(prepared.bool_try(), -1, "{residency}"));
        assert!(client.bool("outer", false));
        assert_eq!(prepared.bool_try(), 1, "{residency}");
        client.delivers();
        let counts = [("needed".to_owned(), 3), ("outer".to_owned(), 3)];
        assert_eq!(counted(&fake), BTreeMap::from(counts), "{residency}");
        assert_eq!(client.close(PATIENCE_MS), OK);
    }
}
