//! Redis goes away and comes back: what was held stays in force, nobody waits, and the client says how it is.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::*;

const KEYS: [(&str, &str); 3] = [("a", "one"), ("dependent", "two"), ("member", "three")];

type Items = Vec<(&'static str, String)>;

fn data(version: i64, prefix: &str) -> (Items, Items) {
    let value = |value: &str| format!("{prefix}{value}");
    let flags = vec![
        ("a", flag("a", version, &value("one"))),
        ("dependent", Flag::new("dependent", version, &value("two")).requires("a").text()),
        ("member", Flag::new("member", version, &value("three")).for_segment("s").text()),
    ];
    (flags, vec![("s", segment("s", version, &["ada"]))])
}

/// A client that notices an outage within a second or two.
fn client_of(server: &RedisServer, residency: &str, freshness: &str) -> Client {
    let config = Config::of(server).with("cache.residency", residency).with("cache.freshness", freshness);
    let config = config.with("cache.ttl_ms", "150").with("redis.ping_ms", "100");
    let client = config.with("redis.command_timeout_ms", "2000").with("redis.connect_timeout_ms", "1000").started();
    KEYS.iter().for_each(|(key, value)| client.serves(key, value));
    client
}

/// Every held flag keeps its value and none waits. A machine under load may hold up a thread now and then; a wait for Redis
/// would last at least as long as the connect timeout, or come each time.
fn assert_in_force(client: &Client, span: Duration) {
    let (mut slow, mut count, machine) = (0, 0, Machine::watch());
    throughout(span, || {
        for (key, value) in KEYS {
            let (detail, took) = machine.timed(|| client.detail(key));
            assert_eq!(detail.word(), value, "{key}");
            assert!(took < Duration::from_millis(900), "{key} took {took:?}");
            count += 1;
            slow += u32::from(took > Duration::from_millis(100));
        }
    });
    assert!(slow * 50 <= count, "{slow} of {count} evaluations took longer than 100 ms");
}

/// An outage from its beginning to its end.
fn scenario(residency: &str, freshness: &str, begin: fn(&mut RedisServer), end: fn(&mut RedisServer)) {
    let (flags, segments) = data(1, "");
    let mut server = RedisServer::holding(&flags, &segments);
    let client = client_of(&server, residency, freshness);
    client.reports("stale_since_ms", Value::Null);

    begin(&mut server);
    assert_in_force(&client, Duration::from_millis(300));
    // Noticed within one ping interval and two timeouts (of the ping, and of giving up the connection), with some reserve:
    // a wait of one timeout for each of several replies would take longer.
    assert_eq!(client.wait(INTERRUPTED, 9_000), OK, "{residency} {freshness}: {}", client.status());
    assert_in_force(&client, Duration::from_millis(700));
    let name = format!("{residency} {freshness}");
    for (key, _) in KEYS {
        assert!(client.detail(key).stale, "{name}: {key}");
    }
    // The watch may be the first to notice; the data connection finds out by itself.
    client.reports("available", false);
    let status = client.status();
    assert_eq!(status["state"].as_str(), Some("INTERRUPTED"), "{name}");
    assert!(status["stale_since_ms"].as_i64().unwrap() > 1_700_000_000_000, "{name}: {status}");
    assert!(status["last_error"].is_string(), "{name}: {status}");
    let age = status["verified_age_ms"].as_u64().unwrap();
    eventually("the age of the data grows", || client.status()["verified_age_ms"].as_u64().unwrap() > age + 20);
    let (value, took) = Machine::watch().timed(|| client.ask("never"));
    assert_eq!(value, if residency == "all" { "FLAG_NOT_FOUND" } else { "EXCEPTION" });
    assert!(took < Duration::from_secs(1), "{name}: {took:?}");

    end(&mut server);
    let (flags, segments) = data(2, "new ");
    server.replace(&flags, &segments);
    client.becomes(VALID);
    for (key, value) in KEYS {
        let expected = if freshness == "forever" { value.to_owned() } else { format!("new {value}") };
        client.serves(key, &expected);
    }
    client.becomes(VALID);
    eventually("nothing is stale any more", || KEYS.iter().all(|(key, _)| !client.detail(key).stale));
    client.reports("stale_since_ms", Value::Null);
    if freshness == "push" {
        client.reports("freshness", "push");
    }
    let mut states = Vec::new();
    eventually("it is told that all is well again", || {
        let told = client.drain().into_iter();
        states.extend(told.filter_map(|n| if let Notice::Status { state, .. } = n { Some(state) } else { None }));
        states.last() == Some(&VALID)
    });
    assert_eq!(states.first(), Some(&VALID), "{name}: {states:?}");
    assert!(states.contains(&INTERRUPTED), "{name}: {states:?}");
}

fn every_combination(begin: fn(&mut RedisServer), end: fn(&mut RedisServer)) {
    thread::scope(|scope| {
        for residency in ["all", "lazy"] {
            for freshness in ["push", "ttl", "forever"] {
                scope.spawn(move || scenario(residency, freshness, begin, end));
            }
        }
    });
}

#[test]
fn flags_stay_in_force_while_redis_is_killed_and_heal_when_it_is_restarted_and_filled() {
    every_combination(RedisServer::kill, RedisServer::restart);
}

#[test]
fn flags_stay_in_force_while_redis_hangs_and_heal_when_it_goes_on() {
    every_combination(|server| server.stop(), |server| server.cont());
}

#[test]
fn a_server_that_comes_back_empty_counts_as_wiped_and_not_as_deletions() {
    for residency in ["all", "lazy"] {
        let (flags, segments) = data(1, "");
        let mut server = RedisServer::holding(&flags, &segments);
        let client = client_of(&server, residency, "push");
        server.kill();
        client.becomes(INTERRUPTED);
        server.restart();
        client.reports("wiped", true);
        client.reports("freshness", "push");
        assert_in_force(&client, Duration::from_millis(300));
        assert_eq!(client.state(), INTERRUPTED);
        server.replace(&flags[..1], &[]);
        client.becomes(VALID);
        client.serves("member", "FLAG_NOT_FOUND");
        client.serves("a", "one");
    }
}

#[test]
fn without_residency_an_outage_gives_the_default_and_heals() {
    let (flags, segments) = data(1, "");
    let mut server = RedisServer::holding(&flags, &segments);
    let client = client_of(&server, "off", "push");
    server.kill();
    client.becomes(INTERRUPTED);
    assert_eq!((client.ask("a"), client.bool("a", true)), ("EXCEPTION".into(), true));
    server.restart();
    server.replace(&flags, &segments);
    client.becomes(VALID);
    client.serves("member", "three");
}

#[test]
fn a_connection_of_single_bytes_and_one_that_is_slow_are_read_right() {
    let (flags, segments) = data(1, "");
    let server = RedisServer::holding(&flags, &segments);
    for mode in [Mode::Split, Mode::Drip(Duration::from_micros(200)), Mode::Delay(Duration::from_millis(50))] {
        for residency in ["all", "lazy"] {
            let proxy = Proxy::to(server.port());
            proxy.set(mode);
            let client = Config::at(&proxy.url()).with("cache.residency", residency).started();
            KEYS.iter().for_each(|(key, value)| assert_eq!(client.ask(key), *value, "{mode:?}"));
            server.set_flag("a", flag("a", 2, "changed"));
            client.serves("a", "changed");
            server.set_flag("a", flag("a", 3, "one"));
            client.serves("a", "one");
        }
    }
}

#[test]
fn connections_that_are_cut_or_half_closed_again_and_again_lose_nothing() {
    let (flags, segments) = data(1, "");
    let server = RedisServer::holding(&flags, &segments);
    for residency in ["all", "lazy"] {
        let proxy = Proxy::to(server.port());
        let config = Config::at(&proxy.url()).with("cache.residency", residency);
        let client = config.with("redis.ping_ms", "100").started();
        KEYS.iter().for_each(|(key, value)| assert_eq!(client.ask(key), *value));
        for round in 0..6 {
            proxy.set(if round % 2 == 0 { Mode::HalfClose } else { Mode::Refuse });
            proxy.cut();
            assert_in_force(&client, Duration::from_millis(150));
        }
        client.becomes(INTERRUPTED);
        proxy.cut();
        proxy.set(Mode::Pass);
        client.becomes(VALID);
        server.set_flag("a", flag("a", 2, "after"));
        client.serves("a", "after");
        server.set_flag("a", flag("a", 1, "one"));
    }
}

/// How many clients of each kind seek Redis.
const SEEKERS: u64 = 5;

/// Two ways to one Redis, so that the attempts of two kinds of clients are counted apart.
struct Ways {
    /// Of those that have an answer.
    content: Gate,
    /// Of those that have none without Redis.
    needy: Gate,
}

impl Ways {
    fn to(server: &RedisServer) -> Self {
        Self { content: Gate::to(server.port()), needy: Gate::to(server.port()) }
    }

    fn clients(gate: &Gate, residency: &str) -> Vec<Client> {
        let config = Config::at(&gate.url()).with("cache.residency", residency);
        (0..SEEKERS).map(|_| config.client()).collect()
    }

    fn set_dead(&self, dead: bool) {
        self.content.set_dead(dead);
        self.needy.set_dead(dead);
    }

    /// Redis goes away: attempts of those that have an answer, until the others, whom `seek` makes seek, have made so many.
    fn attempts_beside(&self, others: u64, seek: impl Fn()) -> u64 {
        let attempts = || (self.content.seen().connects, self.needy.seen().connects);
        let before = attempts();
        self.set_dead(true);
        eventually("Redis is sought", || {
            seek();
            attempts().1 - before.1 >= others
        });
        attempts().0 - before.0
    }
}

/// Every client is connected, also for pushes.
fn settle(clients: &[Client]) {
    clients.iter().for_each(|client| client.start(PATIENCE_MS).unwrap());
    clients.iter().for_each(|client| client.becomes(VALID));
    clients.iter().for_each(|client| client.reports("freshness", "push"));
}

/// Runs a scenario until those that have an answer made at most two attempts each in it, three times at most.
fn stay_behind(what: &str, mut scenario: impl FnMut() -> u64) {
    let mut attempts = Vec::new();
    while attempts.last().is_none_or(|attempts| *attempts > 2 * SEEKERS) {
        assert!(attempts.len() < 3, "{what}: {attempts:?} attempts of {SEEKERS} clients that have an answer");
        attempts.push(scenario());
    }
}

/// Redis is sought at once and then, where an answer is held, once a second at most; where none is, twice more within about a
/// second. A busy machine delays both kinds, so what counts is who is ahead.
#[test]
fn who_has_no_answer_without_redis_seeks_it_more_often_than_others_and_finds_it() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
    let asking = &|residency: &str| {
        let ways = Ways::to(&server);
        let content = Ways::clients(&ways.content, "all");
        stay_behind(residency, || {
            let needy = Ways::clients(&ways.needy, residency);
            [&content, &needy].into_iter().for_each(|clients| settle(clients));
            let attempts =
                ways.attempts_beside(3 * SEEKERS, || needy.iter().for_each(|client| _ = client.ask("never")));
            assert!(needy.iter().all(|client| client.ask("never") == "EXCEPTION"), "{residency}");
            ways.set_dead(false);
            needy.iter().for_each(|client| client.serves("never", "FLAG_NOT_FOUND"));
            attempts
        });
    };
    let starting = &|residency: &str| {
        let ways = Ways::to(&server);
        let content = Ways::clients(&ways.content, "all");
        stay_behind(residency, || {
            let needy = Ways::clients(&ways.needy, residency);
            settle(&content);
            // A client begins with two connections at once.
            let attempts =
                ways.attempts_beside(4 * SEEKERS, || needy.iter().for_each(|client| client.start(0).unwrap()));
            assert!(needy.iter().all(|client| client.ask("a") == "CLIENT_NOT_READY"), "{residency}");
            ways.set_dead(false);
            needy.iter().for_each(|client| client.start(PATIENCE_MS).unwrap());
            attempts
        });
    };
    thread::scope(|scope| {
        ["lazy", "off"].into_iter().for_each(|residency| _ = scope.spawn(move || asking(residency)));
        ["all", "lazy", "off"].into_iter().for_each(|residency| _ = scope.spawn(move || starting(residency)));
    });
}

#[test]
fn an_answer_that_comes_in_drops_is_not_waited_for_without_end() {
    let server = RedisServer::holding(&many_flags(50, 1, "one"), &[]);
    let proxy = Proxy::to(server.port());
    let config = Config::new().with("redis.url", &proxy.url()).with("redis.command_timeout_ms", "1000");
    let client = config.with("cache.freshness", "ttl").with("cache.ttl_ms", "200").started();
    client.serves("flag-1", "one");
    client.becomes(VALID);
    // A second without a byte never passes, and everything would take half an hour.
    proxy.set(Mode::Drip(Duration::from_millis(100)));
    client.becomes(INTERRUPTED);
    assert!(client.status()["last_error"].to_string().contains("no whole answer"), "{}", client.status());
    assert_eq!(client.ask("flag-1"), "one");
    proxy.set(Mode::Pass);
    server.set_flag("flag-1", flag("flag-1", 2, "two"));
    client.serves("flag-1", "two");
    client.becomes(VALID);
}
