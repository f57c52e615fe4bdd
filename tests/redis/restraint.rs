//! What the client does not do: repeat credentials, ask the same again and again, flood the log, give up on strict rules.

use std::time::{Duration, Instant};

use redis::pipe;

use crate::support::*;

/// Evaluates `key` without a pause for a while.
fn hammer(client: &Client, key: &str, span: Duration) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        client.ask(key);
    }
}

#[test]
fn a_server_that_repeats_the_login_in_its_refusal_does_not_bring_the_password_into_status_or_log() {
    let server = Setup::default().password("hunter2secret").argument(&["--rename-command", "HELLO", ""]).start();
    let client = Config::of(&server).with("redis.password", "hunter2secret").with("log.level", "debug").started();
    eventually("there is no RESP3", || client.status()["watch"]["reason"].is_string());
    let mut told = client.status().to_string();
    for notice in client.drain() {
        told.push_str(&format!("{notice:?}"));
    }
    assert!(told.contains("RESP3"), "{told}");
    assert!(!told.contains("hunter2secret"), "{told}");
}

#[test]
fn during_a_wipe_evaluations_do_not_send_one_read_after_the_other() {
    for residency in ["all", "lazy"] {
        let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
        let client = Config::of(&server).with("cache.residency", residency).started();
        client.serves("a", "one");
        server.flush();
        client.reports("wiped", true);
        let before = server.calls_of("hmget");
        hammer(&client, "a", Duration::from_secs(1));
        let sent = server.calls_of("hmget") - before;
        assert!(sent < 50, "{residency}: {sent} reads in a second");
        assert_eq!(client.ask("a"), "one");
    }
}

#[test]
fn an_unknown_key_is_asked_for_once_after_a_push_however_often_it_is_evaluated() {
    let server = RedisServer::start();
    let mut pipeline = pipe();
    for number in 0..1_200 {
        let key = format!("f{number}");
        pipeline.cmd("HSET").arg("launchdarkly:features").arg(&key).arg(big_flag(&key, 1, "v", 4_000));
    }
    server.send(&pipeline);
    server.set_inited();
    let client = Config::of(&server).started();
    client.serves("f1", "v");
    hammer(&client, "nosuch", Duration::from_millis(300));
    let before = server.calls_of("hmget");
    server.set_flag("f2", flag("f2", 2, "new"));
    hammer(&client, "nosuch", Duration::from_millis(700));
    client.serves("f2", "new");
    let sent = server.calls_of("hmget") - before;
    assert!(sent < 60, "{sent} reads after one push");
}

#[test]
fn with_a_time_to_live_shorter_than_a_round_of_reads_other_keys_are_still_read() {
    let server = RedisServer::start();
    let mut pipeline = pipe();
    for number in 0..3_000 {
        let key = format!("f{number}");
        pipeline.cmd("HSET").arg("launchdarkly:features").arg(&key).arg(flag(&key, 1, "v"));
    }
    server.send(&pipeline);
    let client = Config::of(&server)
        .with("cache.residency", "lazy")
        .with("cache.freshness", "ttl")
        .with("cache.ttl_ms", "5")
        .started();
    for number in 0..3_000 {
        assert_eq!(client.ask(&format!("f{number}")), "v");
    }
    assert_eq!(client.close(PATIENCE_MS), OK);
}

#[test]
fn a_user_who_may_not_ping_keeps_a_steady_link() {
    let server =
        Setup::default().user("reader on >secret ~* +@read +@transaction +client|tracking +hello -ping").start();
    server.set_flag("a", flag("a", 1, "one"));
    let client = Config::of(&server)
        .with("redis.username", "reader")
        .with("redis.password", "secret")
        .with("redis.ping_ms", "50")
        .started();
    client.reports("freshness", "push");
    client.hears_state(VALID);
    hammer(&client, "a", Duration::from_secs(1));
    let changes: Vec<Notice> =
        client.drain().into_iter().filter(|notice| matches!(notice, Notice::Status { .. })).collect();
    assert!(changes.is_empty(), "{changes:?}");
    server.set_flag("a", flag("a", 2, "two"));
    client.serves("a", "two");
}

#[test]
fn a_failure_that_goes_on_is_logged_once() {
    let server = Setup::default().password("right").start();
    let client = Config::of(&server).with("redis.password", "wrong").client();
    client.start(0).unwrap();
    let mut errors = 0;
    let mut look = || {
        let told = client.drain();
        errors += told
            .iter()
            .filter(|notice| matches!(notice, Notice::Log { level: 3, text } if text.contains("login was refused")))
            .count();
        errors
    };
    eventually("the failure is logged", || look() > 0);
    // It is tried again several times meanwhile.
    throughout(Duration::from_millis(1_500), || assert_eq!(look(), 1));
}

#[test]
fn a_flag_that_depends_on_a_segment_with_unreadable_newer_content_is_stale() {
    for residency in ["all", "lazy"] {
        let member = Flag::new("member", 1, "in").for_segment("s").text();
        let server = RedisServer::holding(&[("member", member)], &[("s", segment("s", 1, &["u"]))]);
        let client = Config::of(&server).with("cache.residency", residency).started();
        let before = client.detail("member");
        assert!(!before.stale, "{residency}");
        server.set_segment("s", "{broken");
        eventually("the flag is stale", || client.detail("member").stale);
        assert_eq!(client.detail("member").word(), before.word());
    }
}

#[test]
fn an_unknown_key_that_is_asked_for_makes_nobody_read_everything_out_of_turn_after_an_outage() {
    let server = RedisServer::start();
    let mut pipeline = pipe();
    for number in 0..250 {
        let key = format!("f{number}");
        pipeline.cmd("HSET").arg("launchdarkly:features").arg(&key).arg(big_flag(&key, 1, "v", 4_000));
    }
    server.send(&pipeline);
    server.set_inited();
    let gate = Gate::to(server.port());
    // All of them together take ten seconds.
    gate.rule("INFO", Rule::answer(&["run_id:1\r\nredis_version:7.0.0\r\nconnected_clients:1000\r\n"]));
    let clients: Vec<Client> = (0..8).map(|_| Config::new().with("redis.url", &gate.url()).started()).collect();
    clients.iter().for_each(|client| client.reports("freshness", "push"));
    clients.iter().for_each(|client| client.serves("f1", "v"));
    let before = gate.seen().count("HGETALL");
    assert!(gate.cut(Role::Watch) >= clients.len());
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        clients.iter().for_each(|client| assert_eq!(client.ask("nosuch"), "FLAG_NOT_FOUND"));
        std::thread::sleep(Duration::from_millis(5));
    }
    let read = (gate.seen().count("HGETALL") - before) / 2;
    assert!(read <= 6, "{read} of {} have read everything within two of ten seconds", clients.len());
}
