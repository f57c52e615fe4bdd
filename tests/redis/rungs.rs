//! Every way to be told of changes, the order in which they are tried, and what each of them makes of what happens in Redis.
//!
//! Redis 8.8, which names the fields that changed, is *scripted* where no such server is at hand: a real, older server behind a
//! gate that gives it that version and configuration, and a writer who publishes in the transaction of his command what Redis
//! 8.8 would publish. So the order of what arrives is that of a real server. Where `REDIS8_SERVER`, or the path, leads to a real
//! one, that is used besides.

mod fields;
mod keyspace;
mod redirect;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use redis::{Pipeline, pipe};
use serde_json::Value;

use crate::support::*;

const FIELDS: &str = "hash-field notifications";
const BROADCAST: &str = "RESP3 broadcast tracking";
const REDIRECT: &str = "RESP2 tracking with redirect";
const KEYSPACE: &str = "keyspace notifications";
const RESIDENCIES: [&str; 3] = ["all", "lazy", "off"];

/// The rung in force, by the status.
fn rung(client: &Client) -> Value {
    client.status()["watch"]["rung"].clone()
}

#[track_caller]
fn stands_on(client: &Client, expected: &str) {
    eventually(&format!("{expected} is in force: {}", client.status()["watch"]), || rung(client) == expected);
}

/// State and reason of a rung, by the status.
fn fate(client: &Client, rung: &str) -> (String, String) {
    let status = client.status();
    let ladder = status["watch"]["ladder"].as_array().unwrap();
    let step = ladder.iter().find(|step| step["rung"] == rung).unwrap();
    (step["state"].as_str().unwrap().to_owned(), step["reason"].as_str().unwrap_or_default().to_owned())
}

/// A client that looks for a better rung about once a second.
fn attentive(url: &str) -> Config {
    Config::at(url).with("redis.ping_ms", "20")
}

/// Whatever happens to the data set is seen, by a client that follows Redis.
fn follows(server: &RedisServer, client: &Client, what: &str) {
    sees_every_edit(server, client, "a", what);
    server.replace(&[("a", flag("a", 1, "restored"))], &[]);
    client.serves("a", "restored");
    client.serves("member", "FLAG_NOT_FOUND");
    assert_eq!((client.state(), client.detail("a").stale), (VALID, false), "{what}: {:?}", client.status());
}

fn fill(server: &RedisServer) {
    let flags = [("a", flag("a", 1, "one")), ("member", Flag::new("member", 1, "in").for_segment("s").text())];
    server.replace(&flags, &[("s", segment("s", 1, &["ada"]))]);
}

/// Waits until everything held is known to be true.
fn settled(client: &Client) {
    eventually("everything is read", || {
        client.state() == VALID && client.status()["verified_age_ms"].as_u64().is_some_and(|age| age < 1_500)
    });
}

fn follows_edits(server: &RedisServer, client: &Client, version: i64) {
    server.set_flag("a", flag("a", version, &version.to_string()));
    client.serves("a", &version.to_string());
}

#[test]
fn a_server_that_hangs_closes_or_refuses_at_hello_is_watched_otherwise_and_a_better_rung_is_taken_later() {
    let hello = [Rule::Hang, Rule::Close, Rule::error("ERR unknown command 'HELLO'")];
    thread::scope(|scope| {
        for rule in hello {
            scope.spawn(move || steps_down_and_climbs(rule));
        }
    });
}

fn steps_down_and_climbs(rule: Rule) {
    let server = RedisServer::start();
    fill(&server);
    let gate = Gate::to(server.port());
    gate.rule("HELLO", rule.clone());
    let config = attentive(&gate.url()).with("redis.connect_timeout_ms", "500").with("cache.ttl_ms", "600000");
    // A connect time-out, and what a busy machine adds.
    in_time(Duration::from_millis(500 + 1_500), || timed(|| config.started()).1);
    let client = config.started();
    stands_on(&client, REDIRECT);
    let expected = if matches!(rule, Rule::Error(_)) { "refused" } else { "lost" };
    assert_eq!(fate(&client, BROADCAST).0, expected, "{rule:?}");
    let (version, over) = (AtomicI64::new(1), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut connection = server.connect();
            while !over.load(SeqCst) {
                let next = version.load(SeqCst) + 1;
                let text = flag("a", next, &next.to_string());
                redis::cmd("HSET").arg("launchdarkly:features").arg("a").arg(text).exec(&mut connection).unwrap();
                version.store(next, SeqCst);
                thread::sleep(Duration::from_millis(3));
            }
        });
        let _over = OverAtTheEnd(&over);
        let told = client.status()["verified_age_ms"].clone();
        assert!(told.is_number());
        gate.clear();
        stands_on(&client, BROADCAST);
        // It was never without a watch.
        let lost = |notice: &Notice| matches!(notice, Notice::Log { text, .. } if text.contains("lost"));
        assert!(!client.drain().iter().any(lost), "{rule:?}");
    });
    client.serves("a", &version.load(SeqCst).to_string());
    let (_, reason) = fate(&client, FIELDS);
    let is_new = reason.is_empty() || reason.contains("notify-keyspace-events");
    assert!(is_new || reason.contains("hash-field notifications came with Redis 8.8"), "{reason}");
    client.reports("freshness_reason", BROADCAST);
    eventually("the others are closed", || gate.links(Role::Watch, server.port()) == 1);
    assert_eq!(client.close(PATIENCE_MS), OK);
}

#[test]
fn pushes_of_a_kind_that_nobody_knows_are_no_harm() {
    let server = RedisServer::start();
    fill(&server);
    let gate = Gate::to(server.port());
    // A server that announces its maintenance, before its answer.
    let moving = b">4\r\n$6\r\nMOVING\r\n:1\r\n:15\r\n$9\r\nhost:6379\r\n+PONG\r\n".to_vec();
    gate.rule("PING", Rule::Answer(moving));
    let client = attentive(&gate.url()).started();
    stands_on(&client, BROADCAST);
    follows(&server, &client, "maintenance");
    assert_eq!(rung(&client), BROADCAST);
}

#[test]
fn on_every_rung_data_and_watch_lead_to_the_same_server() {
    thread::scope(|scope| {
        for (rung, query) in [(BROADCAST, ""), (REDIRECT, "?protocol=2"), (KEYSPACE, "?protocol=2")] {
            for role in [Role::Watch, Role::Data, Role::Any] {
                scope.spawn(move || is_led_elsewhere(rung, query, role));
            }
        }
    });
}

fn is_led_elsewhere(rung: &str, query: &str, role: Role) {
    let what = format!("{rung}, {role:?}");
    let holding = |value: &str| {
        let server = Setup::default().argument(&["--notify-keyspace-events", "KA"]).start();
        server.replace(&[("a", flag("a", 1, value))], &[]);
        server
    };
    let (old, new) = (holding("old"), holding("new"));
    let gate = Gate::to(old.port());
    if rung == KEYSPACE {
        gate.rule("CLIENT TRACKING", Rule::error("NOPERM no"));
    }
    let config = Config::at(&format!("{}{query}", gate.url())).with("redis.ping_ms", "200");
    let client = config.with("cache.ttl_ms", "600000").started();
    stands_on(&client, rung);
    assert_eq!(client.ask("a"), "old", "{what}");
    gate.lead_to(new.port());
    assert!(gate.cut(role) > 0, "{what}");
    client.serves("a", "new");
    eventually(&format!("{what}: nothing leads to the old server"), || gate.links(Role::Any, old.port()) == 0);
    client.becomes(VALID);
    old.set_flag("a", flag("a", 9, "of the past"));
    new.set_flag("a", flag("a", 2, "newer"));
    client.serves("a", "newer");
    stands_on(&client, rung);
}

#[test]
fn under_sentinels_a_watch_of_two_connections_moves_with_the_primary() {
    let mut deployment = Deployment::holding(&[("a", flag("a", 1, "one"))]);
    let url = format!("{}?protocol=2", deployment.url());
    let client = Config::at(&url).with("redis.ping_ms", "200").with("cache.ttl_ms", "600000").started();
    stands_on(&client, REDIRECT);
    let old = deployment.primary_by(0);
    deployment.servers.iter_mut().find(|server| server.port() == old).unwrap().kill();
    let new = deployment.elect_other_than(old, &[0, 1, 2]);
    deployment.at(new).set_flag("a", flag("a", 2, "two"));
    client.serves("a", "two");
    stands_on(&client, REDIRECT);
    deployment.at(new).set_flag("a", flag("a", 3, "three"));
    client.serves("a", "three");
    client.becomes(VALID);
    assert!(client.status()["redis"]["address"].to_string().contains(&new.to_string()));
}
