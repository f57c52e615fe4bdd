//! Every way to be told of changes, the order in which they are tried, and what each of them makes of what happens in Redis.
//!
//! Redis 8.8, which names the fields that changed, is *scripted* where no such server is at hand: a real, older server behind a
//! gate that gives it that version and configuration, and a writer who publishes in the transaction of his command what Redis
//! 8.8 would publish. So the order of what arrives is that of a real server. Where `REDIS8_SERVER`, or the path, leads to a real
//! one, that is used besides.

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

// The best rung: fields are named.

/// A server that names fields, scripted.
struct Scripted {
    server: RedisServer,
    gate: Gate,
}

impl Scripted {
    /// One that publishes these classes of notifications.
    fn publishing(classes: &str) -> Self {
        let server = RedisServer::start();
        let scripted = Self { gate: Gate::to(server.port()), server };
        let info = "# Server\r\nredis_version:8.8.0\r\nrun_id:0123456789\r\n";
        scripted.gate.rule_for_content("INFO\r\n$6\r\nserver", Rule::answer(&[info]));
        scripted.set_classes(classes);
        scripted
    }

    fn set_classes(&self, classes: &str) {
        self.gate.rule("CONFIG", Rule::answer(&["notify-keyspace-events", classes]));
    }

    /// Sends commands and, in the same turn of the server, what Redis 8.8 publishes for those that name fields.
    fn write(&self, build: impl FnOnce(&mut Pipeline)) {
        let mut pipeline = pipe();
        pipeline.atomic();
        build(&mut pipeline);
        self.server.send(&pipeline);
    }

    fn set_flag(&self, key: &str, text: &str) {
        self.write(|pipeline| hset(pipeline, "features", key, text));
    }

    /// How often anything was read whole, or in steps.
    fn full_reads(&self) -> u64 {
        let seen = self.gate.seen();
        seen.count("HGETALL") + seen.count("HSCAN")
    }
}

fn hset(pipeline: &mut Pipeline, part: &str, key: &str, text: &str) {
    pipeline.cmd("HSET").arg(format!("{PREFIX}:{part}")).arg(key).arg(text);
    publish(pipeline, part, &format!("hset|{}:{key}", key.len()));
}

fn hdel(pipeline: &mut Pipeline, part: &str, key: &str) {
    pipeline.cmd("HDEL").arg(format!("{PREFIX}:{part}")).arg(key);
    publish(pipeline, part, &format!("hdel|{}:{key}", key.len()));
}

fn publish(pipeline: &mut Pipeline, part: &str, payload: &str) {
    pipeline.cmd("PUBLISH").arg(format!("__subkeyspace@0__:{PREFIX}:{part}")).arg(payload);
}

/// So many flags that they are read in steps.
fn crowd() -> Vec<(&'static str, String)> {
    many_flags(1_200, 1, "one")
}

/// A client of a scripted server with many flags, once everything is read and proved.
fn of_crowd(scripted: &Scripted) -> Client {
    scripted.server.replace(&crowd(), &[("s", segment("s", 1, &["ada"]))]);
    let client = Config::at(&scripted.gate.url()).with("refresh.interval_ms", "600000").started();
    stands_on(&client, FIELDS);
    settled(&client);
    client
}

/// Waits until everything held is known to be true.
fn settled(client: &Client) {
    eventually("everything is read", || {
        client.state() == VALID && client.status()["verified_age_ms"].as_u64().is_some_and(|age| age < 1_500)
    });
}

#[test]
fn scripted_8_8_a_named_field_is_read_by_itself_and_nothing_else_is() {
    let scripted = Scripted::publishing("Sh");
    let client = of_crowd(&scripted);
    assert_eq!(client.status()["freshness_reason"], FIELDS);
    assert_eq!(client.status()["watch"]["reason"], Value::Null);
    assert_eq!(fate(&client, BROADCAST), ("not needed".into(), String::new()));
    let before = scripted.full_reads();
    scripted.set_flag("flag-7", &flag("flag-7", 2, "two"));
    assert_eq!(client.hears_change_of("flag-7"), (Some(1), Some(2)));
    scripted.set_flag("new", &flag("new", 1, "new"));
    client.serves("new", "new");
    scripted.write(|pipeline| hdel(pipeline, "features", "new"));
    client.serves("new", "FLAG_NOT_FOUND");
    scripted.write(|pipeline| {
        hset(pipeline, "features", "member", &Flag::new("member", 1, "in").for_segment("t").text());
        hset(pipeline, "segments", "t", &segment("t", 1, &["ada"]));
    });
    client.serves("member", "in");
    scripted.write(|pipeline| hset(pipeline, "segments", "t", &segment("t", 2, &[])));
    client.serves("member", OTHER);
    // Neither at once nor in its turn.
    throughout(Duration::from_millis(700), || assert_eq!(client.ask("flag-7"), "two"));
    assert_eq!(scripted.full_reads(), before);
    settled(&client);
    assert!(!client.detail("flag-7").stale);
    assert_eq!(client.status()["flags"], 1_201);
}

#[test]
fn scripted_8_8_a_flag_and_a_segment_of_one_turn_are_read_at_one_moment() {
    let scripted = Scripted::publishing("Sh");
    let client = of_crowd(&scripted);
    let exchanges = || scripted.gate.seen().count("EXEC");
    let at_once = |version: i64| {
        let before = exchanges();
        scripted.write(|pipeline| {
            hset(pipeline, "segments", "s", &segment("s", version, &["ada"]));
            hset(pipeline, "features", "flag-7", &flag("flag-7", version, &version.to_string()));
        });
        client.serves("flag-7", &version.to_string());
        settled(&client);
        exchanges() - before == 1
    };
    // On a busy machine the second one may be told after the first one is read.
    assert!((2..202).any(at_once));
}

#[test]
fn scripted_8_8_what_names_no_fields_is_told_by_tracking_and_read_whole() {
    let scripted = Scripted::publishing("Sh");
    let client = of_crowd(&scripted);
    let held = || client.status()["flags"].as_u64();
    // The classes were taken away meanwhile.
    scripted.server.set_flag("flag-7", flag("flag-7", 2, "two"));
    client.serves("flag-7", "two");
    assert_eq!(client.hears_change_of("flag-7"), (Some(1), Some(2)));
    scripted.server.run::<()>(&["RENAME", "launchdarkly:features", "launchdarkly:other"]);
    scripted.server.replace(&[("flag-7", flag("flag-7", 3, "three"))], &[]);
    client.serves("flag-7", "three");
    eventually("the others are gone", || held() == Some(1));
    // And a name that cannot be that of a flag, or a form that nobody knows.
    for payload in ["hset|9:x", "nonsense", "hset|1:\u{ff}"] {
        scripted.write(|pipeline| {
            pipeline.cmd("HINCRBY").arg("launchdarkly:features").arg("count").arg(1);
            publish(pipeline, "features", payload);
        });
        eventually("it is counted", || scripted.server.text("features", "count").is_some());
    }
    client.serves("flag-7", "three");
    eventually("the odd one is seen", || client.status()["malformed"] == 1 || held() == Some(2));
}

#[test]
fn scripted_8_8_a_hash_that_is_replaced_in_the_turn_of_a_named_field_is_read_whole() {
    let scripted = Scripted::publishing("Sh");
    let client = of_crowd(&scripted);
    // One push, with a field before it that seems to explain it.
    scripted.write(|pipeline| {
        pipeline.cmd("DEL").arg("launchdarkly:segments");
        hset(pipeline, "segments", "u", &segment("u", 1, &["ada"]));
    });
    eventually("the old segment is gone", || client.status()["segments"] == 1);
    settled(&client);
    scripted.write(|pipeline| {
        pipeline.cmd("DEL").arg("launchdarkly:features");
        crowd().iter().skip(600).for_each(|(key, text)| hset(pipeline, "features", key, text));
        hset(pipeline, "features", "flag-7", &flag("flag-7", 9, "nine"));
    });
    client.serves("flag-7", "nine");
    client.serves("flag-8", "FLAG_NOT_FOUND");
    eventually("half of them are left", || client.status()["flags"] == 601);
    settled(&client);
    // Few fields, and as many as there were before.
    scripted.write(|pipeline| {
        pipeline.cmd("DEL").arg("launchdarkly:features");
        for number in 0..3 {
            hset(pipeline, "features", &format!("other-{number}"), &flag("other", 1, "other"));
        }
    });
    client.serves("other-2", "other");
    client.serves("flag-7", "FLAG_NOT_FOUND");
    assert_eq!(client.ask("flag-1199"), "FLAG_NOT_FOUND");
}

#[test]
fn scripted_8_8_no_edit_is_lost_among_many_named_and_unnamed_ones() {
    let scripted = Scripted::publishing("Sh");
    let client = of_crowd(&scripted);
    for version in 2..60 {
        let text = flag("flag-7", version, &version.to_string());
        match version % 4 {
            0 => scripted.server.set_flag("flag-7", text),
            1 => scripted.write(|pipeline| {
                pipeline.cmd("DEL").arg("launchdarkly:features");
                hset(pipeline, "features", "flag-7", &text);
            }),
            _ => scripted.set_flag("flag-7", &text),
        }
        if version % 3 == 0 {
            client.serves("flag-7", &version.to_string());
        }
    }
    client.serves("flag-7", "59");
    eventually("only what is there is held", || client.status()["flags"] == 1);
    client.becomes(VALID);
}

#[test]
fn scripted_8_8_every_residency_follows_where_fields_are_named() {
    for residency in RESIDENCIES {
        let scripted = Scripted::publishing("AKESh");
        fill(&scripted.server);
        let client = Config::at(&scripted.gate.url()).with("cache.residency", residency).started();
        stands_on(&client, FIELDS);
        assert_eq!((client.ask("a"), client.ask("member")), ("one".into(), "in".into()));
        scripted.set_flag("a", &flag("a", 5, "named"));
        client.serves("a", "named");
        scripted.set_flag("a", &flag("a", 1, "one"));
        client.serves("a", "one");
        follows(&scripted.server, &client, residency);
    }
}

#[test]
fn scripted_8_8_the_classes_are_looked_at_again_and_the_connection_stays() {
    let scripted = Scripted::publishing("AKE");
    fill(&scripted.server);
    let client = attentive(&scripted.gate.url()).started();
    stands_on(&client, BROADCAST);
    let (state, reason) = fate(&client, FIELDS);
    assert!(state == "refused" && reason.contains("\"AKE\" and lacks S"), "{state} {reason}");
    assert_eq!(client.status()["watch"]["reason"], reason);
    let connects = scripted.gate.seen().connects;
    scripted.set_classes("AKSE");
    stands_on(&client, FIELDS);
    client.reports("freshness_reason", FIELDS);
    scripted.set_flag("a", &flag("a", 2, "two"));
    client.serves("a", "two");
    scripted.set_classes("");
    stands_on(&client, BROADCAST);
    client.reports("freshness_reason", BROADCAST);
    scripted.server.set_flag("a", flag("a", 3, "three"));
    client.serves("a", "three");
    assert_eq!(scripted.gate.seen().connects, connects, "nothing was connected anew: {:?}", client.drain());
    assert_eq!(client.state(), VALID);
}

#[test]
fn scripted_8_8_a_server_that_refuses_or_closes_at_the_question_tracks_all_the_same() {
    for (rule, state) in [(Rule::error("NOPERM no"), "refused"), (Rule::Close, "lost"), (Rule::Hang, "lost")] {
        let scripted = Scripted::publishing("Sh");
        fill(&scripted.server);
        scripted.gate.rule("CONFIG", rule);
        let client = attentive(&scripted.gate.url()).with("redis.connect_timeout_ms", "300").started();
        stands_on(&client, BROADCAST);
        assert_eq!(fate(&client, FIELDS).0, state);
        scripted.set_flag("a", &flag("a", 2, "two"));
        client.serves("a", "two");
        follows_edits(&scripted.server, &client, 3);
        let assumes = Config::at(&scripted.gate.url()).with("redis.keyspace_notifications", "assume").started();
        stands_on(&assumes, FIELDS);
    }
}

fn follows_edits(server: &RedisServer, client: &Client, version: i64) {
    server.set_flag("a", flag("a", version, &version.to_string()));
    client.serves("a", &version.to_string());
}

#[test]
#[allow(clippy::print_stderr, reason = "what was measured is said")]
fn scripted_8_8_an_edit_of_a_large_set_costs_a_small_part_of_what_tracking_alone_costs() {
    let scripted = Scripted::publishing("Sh");
    let plain = Gate::to(scripted.server.port());
    let texts: Vec<(String, String)> = (0..2_000)
        .map(|number| format!("flag-{number}"))
        .map(|key| (big_flag(&key, 1, "one", 500), key))
        .map(|(text, key)| (key, text))
        .collect();
    let flags: Vec<(&str, String)> = texts.iter().map(|(key, text)| (key.as_str(), text.clone())).collect();
    scripted.server.replace(&flags, &[]);
    let quiet = |url: &str| Config::at(url).with("refresh.interval_ms", "600000").started();
    let (named, tracked) = (quiet(&scripted.gate.url()), quiet(&plain.url()));
    stands_on(&named, FIELDS);
    stands_on(&tracked, BROADCAST);
    [&named, &tracked].into_iter().for_each(settled);
    let before = [scripted.gate.seen().bytes_told, plain.seen().bytes_told];
    let spent = || [scripted.gate.seen().bytes_told - before[0], plain.seen().bytes_told - before[1]];
    scripted.set_flag("flag-1000", &big_flag("flag-1000", 2, "two", 500));
    named.serves("flag-1000", "two");
    tracked.serves("flag-1000", "two");
    eventually("the set is read in its turn", || spent()[1] > 1_000_000);
    throughout(Duration::from_millis(500), || assert!(spent()[0] < 20_000));
    let [of_named, of_tracked] = spent();
    eprintln!("one edit of 2,000 flags: {of_named} bytes where fields are named, {of_tracked} with tracking alone");
    assert!(of_named * 50 < of_tracked);
}

/// A real Redis that names fields.
fn redis_8_8() -> Option<PathBuf> {
    let named = std::env::var_os("REDIS8_SERVER").map(PathBuf::from);
    let program = named.unwrap_or_else(|| PathBuf::from("redis-server"));
    let output = Command::new(&program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split("v=").nth(1)?.split(' ').next()?.to_owned();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    ((numbers.next()?, numbers.next()?) >= (8, 8)).then_some(program)
}

#[test]
#[allow(clippy::print_stderr, reason = "what is left out is said")]
fn on_a_real_redis_8_8_named_fields_are_read_by_themselves() {
    let Some(program) = redis_8_8() else {
        eprintln!(
            "no Redis 8.8 is at hand (REDIS8_SERVER), so hash-field notifications were only tested with a scripted server"
        );
        return;
    };
    let server = Setup::default().program(&program).argument(&["--notify-keyspace-events", "Sh"]).start();
    let gate = Gate::to(server.port());
    server.replace(&crowd(), &[]);
    let client = Config::at(&gate.url()).with("refresh.interval_ms", "600000").started();
    stands_on(&client, FIELDS);
    settled(&client);
    let full_reads = || gate.seen().count("HGETALL") + gate.seen().count("HSCAN");
    let before = full_reads();
    server.set_flag("flag-7", flag("flag-7", 2, "two"));
    client.serves("flag-7", "two");
    server.remove_flag("flag-8");
    client.serves("flag-8", "FLAG_NOT_FOUND");
    throughout(Duration::from_millis(500), || assert_eq!(client.ask("flag-7"), "two"));
    assert_eq!(full_reads(), before);
    fill(&server);
    client.serves("a", "one");
    follows(&server, &client, "a real Redis 8.8");
}

// Tracking with redirect.

#[test]
fn without_resp3_changes_are_told_on_a_second_connection() {
    for residency in RESIDENCIES {
        let server = RedisServer::start();
        fill(&server);
        let url = format!("{}?protocol=2", server.url());
        let client = Config::at(&url).with("cache.residency", residency).started();
        stands_on(&client, REDIRECT);
        client.reports("freshness", "push");
        client.reports("freshness_reason", REDIRECT);
        assert_eq!(client.status()["watch"]["reason"], "redis.url says protocol=2");
        assert_eq!(fate(&client, BROADCAST).0, "refused");
        assert_eq!(fate(&client, KEYSPACE).0, "not needed");
        follows(&server, &client, residency);
        server.flush();
        fill(&server);
        client.serves("a", "one");
    }
    let server = RedisServer::start();
    let client = Config::at(&format!("{}?protocol=2", server.url())).with("cache.freshness", "ttl").started();
    assert_eq!(client.status()["watch"], Value::Null);
}

/// Numbers of connections in whose line of `CLIENT LIST` this occurs.
fn connections(server: &RedisServer, mark: &str) -> Vec<String> {
    let list: String = server.run(&["CLIENT", "LIST"]);
    let marked = list.lines().filter(|line| line.contains(mark));
    marked.filter_map(|line| line.split(' ').find_map(|word| word.strip_prefix("id=")).map(str::to_owned)).collect()
}

#[test]
fn the_loss_of_either_connection_is_the_loss_of_the_watch_and_nothing_is_missed() {
    let server = RedisServer::start();
    fill(&server);
    let client = Config::at(&format!("{}?protocol=2", server.url())).with("cache.ttl_ms", "600000").started();
    stands_on(&client, REDIRECT);
    let mut version = 2;
    for mark in [" sub=1 ", " flags=tB "] {
        for _ in 0..2 {
            eventually("both connections are there", || {
                rung(&client) == REDIRECT
                    && connections(&server, " sub=1 ").len() == 1
                    && connections(&server, " flags=tB ").len() == 1
            });
            let killed = connections(&server, mark);
            killed.iter().for_each(|id| _ = server.run::<i64>(&["CLIENT", "KILL", "ID", id]));
            version += 1;
            follows_edits(&server, &client, version);
            eventually("there are new ones", || connections(&server, mark).iter().any(|id| !killed.contains(id)));
            version += 1;
            follows_edits(&server, &client, version);
        }
    }
    assert_eq!(client.close(PATIENCE_MS), OK);
}

#[test]
fn a_close_waits_for_neither_of_two_connections_that_hang() {
    let server = RedisServer::start();
    fill(&server);
    for command in ["CLIENT TRACKINGINFO", "PING"] {
        let gate = Gate::to(server.port());
        let url = format!("{}?protocol=2", gate.url());
        let client = attentive(&url).with("redis.command_timeout_ms", "20000").started();
        stands_on(&client, REDIRECT);
        gate.rule(command, Rule::Hang);
        let before = gate.seen().count(command);
        eventually("it hangs", || gate.seen().count(command) > before);
        let began = Instant::now();
        assert_eq!(client.close(PATIENCE_MS), OK);
        assert!(began.elapsed() < Duration::from_secs(10), "{command}: {:?}", began.elapsed());
    }
}

#[test]
fn a_server_that_does_not_number_connections_or_does_not_redirect_is_told_so_in_the_status() {
    let server = Setup::default().argument(&["--notify-keyspace-events", "KA"]).start();
    for (command, content) in [("CLIENT ID", ""), ("", "REDIRECT"), ("SUBSCRIBE", "__redis__:invalidate")] {
        fill(&server);
        let gate = Gate::to(server.port());
        let refusal = Rule::error("ERR not here");
        if content.is_empty() {
            gate.rule(command, refusal)
        } else {
            gate.rule_for_content(content, refusal)
        }
        let client = Config::at(&format!("{}?protocol=2", gate.url())).started();
        stands_on(&client, KEYSPACE);
        assert_eq!(fate(&client, REDIRECT), ("refused".into(), "not here".into()));
        assert_eq!(client.status()["watch"]["reason"], "not here");
        follows(&server, &client, content);
    }
}

#[test]
fn two_connections_prove_that_they_lead_to_the_same_server_where_servers_do_not_say_who_they_are() {
    let servers = [RedisServer::start(), RedisServer::start()];
    servers.iter().for_each(fill);
    // On the second one the numbers of the first one's connections are those of others.
    let _others: Vec<_> = (0..200).map(|_| servers[1].connect()).collect();
    let gate = Gate::to(servers[0].port());
    gate.rule("INFO", Rule::error("NOPERM no"));
    let config = attentive(&format!("{}?protocol=2", gate.url())).with("cache.ttl_ms", "200");
    let alone = config.started();
    stands_on(&alone, REDIRECT);
    follows(&servers[0], &alone, "one server");
    drop(alone);
    gate.lead_in_turn(&[servers[0].port(), servers[1].port()]);
    let between = config.started();
    throughout(Duration::from_secs(3), || assert_ne!(rung(&between), REDIRECT));
    drop(between);
    gate.lead_to(servers[0].port());
    gate.rule("PUBSUB", Rule::error("NOPERM no"));
    let unproved = config.client();
    unproved.start(PATIENCE_MS).unwrap();
    eventually("the way is refused", || fate(&unproved, REDIRECT) == ("refused".into(), "NOPERM no".into()));
}

// Keyspace notifications.

/// A server that publishes these classes, and a user `reader` who may do all but this.
fn publishing(classes: &str, forbidden: &str) -> RedisServer {
    let rules = format!("reader on >secret ~* &* +@all {forbidden}");
    let server = Setup::default().user(&rules).argument(&["--notify-keyspace-events", classes]).start();
    fill(&server);
    server
}

fn as_reader(server: &RedisServer) -> Config {
    Config::of(server).with("redis.username", "reader").with("redis.password", "secret")
}

#[test]
fn without_tracking_changes_are_published_where_the_server_is_configured_to() {
    for residency in RESIDENCIES {
        let server = publishing("KA", "-client|tracking");
        let client = as_reader(&server).with("cache.residency", residency).with("cache.ttl_ms", "600000").started();
        stands_on(&client, KEYSPACE);
        client.reports("freshness", "push");
        client.reports("freshness_reason", KEYSPACE);
        follows(&server, &client, residency);
    }
}

#[test]
fn a_subscription_alone_proves_nothing() {
    let published = |classes: &str, option: &str| {
        let server = publishing(classes, "-client|tracking");
        let client =
            as_reader(&server).with("cache.ttl_ms", "200").with("redis.keyspace_notifications", option).started();
        client.reports("freshness", if option == "ask" { "ttl" } else { "push" });
        follows_edits(&server, &client, 2);
        fate(&client, KEYSPACE)
    };
    for (classes, lacking) in [("", "is empty and lacks Kghxe"), ("KEg$", "lacks hxe"), ("Egh", "lacks Kxe")] {
        let (state, reason) = published(classes, "ask");
        assert!(state == "refused" && reason.contains(lacking), "{state} {reason}");
    }
    assert_eq!(published("Kghxe", "assume"), ("in force".into(), String::new()));

    let silent = publishing("KA", "-client|tracking -config");
    let client = as_reader(&silent).with("cache.ttl_ms", "200").started();
    client.reports("freshness", "ttl");
    let (state, reason) = fate(&client, KEYSPACE);
    assert!(state == "refused" && reason.contains("CONFIG GET") && reason.contains("assume"), "{state} {reason}");
    let reason = client.status()["freshness_reason"].to_string();
    assert!([BROADCAST, REDIRECT, KEYSPACE].iter().all(|rung| reason.contains(rung)), "{reason}");
    assert_eq!(rung(&client), Value::Null);
    let assuming = as_reader(&silent).with("redis.keyspace_notifications", "assume").started();
    stands_on(&assuming, KEYSPACE);
    follows(&silent, &assuming, "assumed");
}

#[test]
fn where_every_way_is_refused_they_are_tried_again_after_growing_pauses_and_at_once_with_another_login() {
    let server = publishing("", "-client|tracking -subscribe");
    let (tries, hurried) = (|| server.calls_of("client|id"), as_reader(&server).with("redis.ping_ms", "20").started());
    hurried.reports("freshness", "ttl");
    let begin = tries();
    throughout(Duration::from_millis(2_500), || assert!(tries() <= begin + 7, "{} tries", tries() - begin));
    eventually("they are tried again", || tries() > begin);
    drop(hurried);

    let client = as_reader(&server).started();
    client.reports("freshness", "ttl");
    server.run::<()>(&["ACL", "SETUSER", "other", "on", ">secret", "~*", "&*", "+@all"]);
    let began = Instant::now();
    client.set_credentials("other", "secret", 0).unwrap();
    client.reports("freshness", "push");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn reads_of_what_is_not_there_are_no_changes() {
    let server = publishing("KAm", "-client|tracking");
    server.replace(&[("a", flag("a", 1, "one"))], &[]);
    let client = as_reader(&server).started();
    stands_on(&client, KEYSPACE);
    settled(&client);
    server.run::<()>(&["CONFIG", "RESETSTAT"]);
    throughout(Duration::from_millis(700), || assert_eq!(client.ask("a"), "one"));
    let reads = server.calls_of("hgetall") + server.calls_of("hmget") + server.calls_of("hscan");
    assert!(reads <= 4, "{reads} reads of a set that does not change");
}

#[test]
fn a_server_that_stops_publishing_is_not_believed_any_longer() {
    let server = publishing("KA", "-client|tracking");
    let client = as_reader(&server).with("redis.ping_ms", "20").with("cache.ttl_ms", "200").started();
    stands_on(&client, KEYSPACE);
    server.run::<()>(&["CONFIG", "SET", "notify-keyspace-events", ""]);
    client.reports("freshness", "ttl");
    follows_edits(&server, &client, 2);
    assert!(fate(&client, KEYSPACE).1.contains("lacks"));
}

#[test]
fn a_server_from_before_tracking_publishes_all_the_same() {
    let server = Setup::default().argument(&["--notify-keyspace-events", "KEA"]).start();
    fill(&server);
    let gate = Gate::to(server.port());
    gate.rule("HELLO", Rule::error("ERR unknown command `HELLO`, with args beginning with: `3`, "));
    gate.rule("CLIENT TRACKING", Rule::error("ERR Unknown subcommand or wrong number of arguments for 'TRACKING'"));
    let client = Config::at(&gate.url()).started();
    stands_on(&client, KEYSPACE);
    assert!(fate(&client, BROADCAST).1.contains("RESP3"));
    follows(&server, &client, "an old server");
}

// The ladder.

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
