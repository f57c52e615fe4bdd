//! A Redis that is another one now, or of which a part is out of order: its name leads elsewhere, databases were swapped,
//! pushes are refused while reads work, writes are refused while reads work, it was stopped.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use fakeld::Kind;

use crate::support::*;

/// What is to happen soon may take this long on a busy machine. Whoever does not notice by himself reads everything again after
/// a minute.
const SOON: Duration = Duration::from_secs(20);

fn config(url: &str, residency: &str) -> Config {
    Config::new()
        .with("redis.url", url)
        // A server that a busy machine keeps from answering for a while is not away.
        .with("redis.connect_timeout_ms", "1000")
        .with("redis.command_timeout_ms", "5000")
        .with("redis.ping_ms", "200")
        .with("cache.residency", residency)
        .with("cache.ttl_ms", "300")
}

#[test]
fn when_the_name_leads_to_another_server_both_connections_follow_although_one_was_lost() {
    thread::scope(|scope| {
        for residency in ["all", "lazy", "off"] {
            for role in [Role::Watch, Role::Data, Role::Any] {
                scope.spawn(move || {
                    let old = RedisServer::holding(&[("a", flag("a", 1, "old")), ("gone", flag("gone", 1, "x"))], &[]);
                    let new = RedisServer::holding(&[("a", flag("a", 1, "new"))], &[]);
                    let gate = Gate::to(old.port());
                    let client = config(&gate.url(), residency).started();
                    client.reports("freshness", "push");
                    assert_eq!((client.ask("a"), client.ask("gone")), ("old".into(), "x".into()));
                    gate.lead_to(new.port());
                    assert!(gate.cut(role) > 0);
                    let what = format!("{residency}, {role:?} lost");
                    wait_until(SOON, &format!("{what}: the new server's value"), || client.ask("a") == "new");
                    let gone = || client.ask("gone") == "FLAG_NOT_FOUND";
                    wait_until(SOON, &format!("{what}: the new server's deletion"), gone);
                    let left = || gate.links(Role::Any, old.port()) == 0;
                    wait_until(SOON, &format!("{what}: nothing leads to the old server"), left);
                    wait_until(SOON, &format!("{what}: pushes of the new one"), || new.tracking_connections() == 1);
                    client.becomes(VALID);
                    old.set_flag("a", flag("a", 9, "of the past"));
                    new.set_flag("a", flag("a", 2, "newer"));
                    wait_until(SOON, &format!("{what}: a change"), || client.ask("a") == "newer");
                    throughout(Duration::from_millis(500), || assert_eq!(client.ask("a"), "newer", "{what}"));
                });
            }
        }
    });
}

#[test]
fn where_memory_leads_another_server_is_filled_although_one_connection_was_lost() {
    thread::scope(|scope| {
        for role in [Role::Watch, Role::Data] {
            scope.spawn(move || {
                let flags = many_flags(5, 3, "three");
                let (fake, old) = (launchdarkly(&flags), RedisServer::start());
                // It holds what was true some time ago.
                let new = RedisServer::holding(&many_flags(5, 1, "one"), &[]);
                let gate = Gate::to(old.port());
                let config = streaming(&fake).with("redis.url", &gate.url()).with("redis.ping_ms", "200");
                let client = config.started();
                eventually("the old server is filled", || old.is_inited());
                eventually("pushes are awaited", || old.tracking_connections() == 1);
                gate.lead_to(new.port());
                eventually("there is something to cut", || gate.cut(role) > 0);
                let has = |key: &str| new.text("features", key).is_some_and(|text| text.contains("three"));
                wait_until(SOON, &format!("{role:?} lost: the new server is filled"), || {
                    flags.iter().all(|(key, _)| has(key))
                });
                fake.patch(Kind::Flag, &flag("flag-0", 4, "four")).unwrap();
                client.serves("flag-0", "four");
                let written = || new.text("features", "flag-0").is_some_and(|text| text.contains("four"));
                wait_until(SOON, &format!("{role:?} lost: a patch is written there"), written);
            });
        }
    });
}

#[test]
fn where_redis_leads_another_server_gets_again_what_the_one_before_took() {
    thread::scope(|scope| {
        for residency in ["lazy", "off"] {
            for role in [Role::Watch, Role::Data, Role::Writer, Role::Any] {
                scope.spawn(move || {
                    let what = format!("{residency}, {role:?} lost");
                    let (fake, old) = (launchdarkly(&many_flags(5, 3, "three")), RedisServer::start());
                    // It has not got what the old one took last.
                    let new = RedisServer::holding(&many_flags(5, 3, "three"), &[]);
                    let gate = Gate::to(old.port());
                    let config = streaming(&fake).with("redis.url", &gate.url()).with("redis.ping_ms", "200");
                    let client = config.with("cache.residency", residency).started();
                    eventually("the old server is filled", || old.is_inited());
                    eventually("pushes are awaited", || old.tracking_connections() == 1);
                    fake.patch(Kind::Flag, &flag("flag-0", 4, "four")).unwrap();
                    let is_in = |server: &RedisServer| {
                        server.text("features", "flag-0").is_some_and(|text| text.contains("four"))
                    };
                    eventually("the edit is written", || is_in(&old));
                    client.serves("flag-0", "four");
                    gate.lead_to(new.port());
                    eventually("there is something to cut", || gate.cut(role) > 0);
                    // What the new one takes by itself does not show that it has what came before.
                    fake.patch(Kind::Flag, &flag("flag-1", 4, "other")).unwrap();
                    wait_until(SOON, &format!("{what}: the edit is written again"), || is_in(&new));
                    client.serves("flag-0", "four");
                });
            }
        }
    });
}

#[test]
fn where_pushes_are_not_to_be_had_reads_work_by_age_until_they_are() {
    let rules = [Rule::error("ERR refused"), Rule::error("NOPERM refused"), Rule::Close, Rule::Hang];
    thread::scope(|scope| {
        for commands in [&["CLIENT TRACKING"][..], &["HELLO", "CLIENT TRACKING"]] {
            for rule in &rules {
                for residency in ["all", "lazy", "off"] {
                    scope.spawn(move || pushes_come_and_go(commands, rule, residency));
                }
            }
        }
    });
}

fn pushes_come_and_go(commands: &[&str], rule: &Rule, residency: &str) {
    let what = format!("{commands:?} {rule:?}, {residency}");
    let server = RedisServer::holding(&[("a", flag("a", 1, "one")), ("b", flag("b", 1, "one"))], &[]);
    let gate = Gate::to(server.port());
    commands.iter().for_each(|command| gate.rule(command, rule.clone()));
    let client = config(&gate.url(), residency).client();
    assert_eq!(client.start(PATIENCE_MS), Ok(()), "{what}: {:?}", client.try_status());
    assert_eq!((client.ask("a"), client.ask("none")), ("one".into(), "FLAG_NOT_FOUND".into()), "{what}");
    let version = Cell::new(1);
    // Its time to live, a connect that hangs, and what a busy machine adds.
    let patience = Duration::from_millis(300 + 1_000 + 1_500);
    let follows = || {
        in_time(patience, || {
            version.set(version.get() + 1);
            let value = version.get().to_string();
            server.set_flag("a", flag("a", version.get(), &value));
            timed(|| client.serves("a", &value)).1
        });
    };
    follows();
    assert_eq!(client.status()["freshness"], "ttl", "{what}");
    throughout(Duration::from_secs(1), || assert_eq!(client.ask("b"), "one", "{what}"));
    follows();
    gate.clear();
    client.reports("freshness", "push");
    follows();
    client.becomes(VALID);

    // Lost and refused in the middle of life.
    commands.iter().for_each(|command| gate.rule(command, rule.clone()));
    assert!(gate.cut(Role::Watch) > 0, "{what}");
    client.reports("freshness", "ttl");
    follows();
    throughout(Duration::from_secs(1), || assert_eq!(client.ask("b"), "one", "{what}"));
    follows();
    gate.clear();
    client.reports("freshness", "push");
    follows();
    eventually("nothing is stale", || !client.detail("a").stale);
}

/// Sends commands over a connection that stays.
fn one_connection_of(server: &RedisServer) -> impl FnMut(&[&str]) -> redis::Value + use<> {
    let mut own = server.connect();
    move |words| {
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| _ = command.arg(word));
        command.query::<redis::Value>(&mut own).unwrap()
    }
}

fn lines(text: &redis::Value) -> usize {
    match text {
        redis::Value::BulkString(text) => text.iter().filter(|byte| **byte == b'\n').count(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_only_connection_that_a_server_takes_is_read_through() {
    for residency in ["all", "lazy", "off"] {
        let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
        let mut say = one_connection_of(&server);
        eventually("every other connection has ended", || lines(&say(&["CLIENT", "LIST"])) == 1);
        say(&["CONFIG", "SET", "maxclients", "2"]);
        let client = config(&server.url(), residency).started();
        assert_eq!(client.ask("a"), "one", "{residency}");
        for version in 2..5 {
            say(&["HSET", "launchdarkly:features", "a", &flag("a", version, &version.to_string())]);
            client.serves("a", &version.to_string());
        }
        say(&["CONFIG", "SET", "maxclients", "1000"]);
        client.reports("freshness", "push");
    }
}

#[test]
fn a_server_that_takes_no_further_connections_is_read_through_the_one_that_is_left() {
    for residency in ["all", "lazy", "off"] {
        let server = RedisServer::holding(&[("a", flag("a", 1, "one")), ("b", flag("b", 1, "one"))], &[]);
        let gate = Gate::to(server.port());
        let client = config(&gate.url(), residency).started();
        client.reports("freshness", "push");
        assert_eq!((client.ask("a"), client.ask("b")), ("one".into(), "one".into()));
        let mut say = one_connection_of(&server);
        eventually("every other connection has ended", || lines(&say(&["CLIENT", "LIST"])) == 3);
        say(&["CONFIG", "SET", "maxclients", "2"]);
        assert_eq!(gate.cut(Role::Watch), 1);
        client.reports("freshness", "ttl");
        for version in 2..5 {
            say(&["HSET", "launchdarkly:features", "a", &flag("a", version, &version.to_string())]);
            let sees = || client.ask("a") == version.to_string();
            wait_until(SOON, &format!("{residency}: version {version}"), sees);
            assert_eq!(client.ask("b"), "one");
        }
        say(&["CONFIG", "SET", "maxclients", "1000"]);
        client.reports("freshness", "push");
    }
}

#[test]
fn where_writes_are_refused_reads_go_on_answering() {
    let refusals: [&[(&str, &str)]; 3] = [
        &[("min-replicas-to-write", "1"), ("min-replicas-to-write", "0")],
        &[("maxmemory", "1"), ("maxmemory", "0")],
        &[("replicaof", "127.0.0.1 1"), ("replicaof", "no one")],
    ];
    thread::scope(|scope| {
        for refusal in refusals {
            for residency in ["lazy", "off"] {
                scope.spawn(move || writes_are_refused(refusal, residency));
            }
        }
    });
}

fn writes_are_refused(refusal: &[(&str, &str)], residency: &str) {
    let flags = many_flags(20, 1, "one");
    let (fake, server) = (launchdarkly(&flags), RedisServer::start());
    let client = storing(&fake, &server).with("cache.residency", residency).started();
    eventually("it is written", || server.is_inited());
    client.serves("flag-0", "one");
    let set = |(name, value): (&str, &str)| match name {
        "replicaof" => {
            let (host, port) = value.split_once(' ').unwrap();
            server.run::<()>(&["REPLICAOF", host, port]);
        }
        _ => server.run::<()>(&["CONFIG", "SET", name, value]),
    };
    set(refusal[0]);
    fake.patch(Kind::Flag, &flag("flag-0", 2, "two")).unwrap();
    thread::sleep(Duration::from_millis(300));
    // Not asked for before: lazy does not hold it.
    for number in 1..20 {
        let answer = client.ask(&format!("flag-{number}"));
        assert_eq!(answer, "one", "{refusal:?}, {residency}: {:?}", client.status());
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(client.ask("none"), "FLAG_NOT_FOUND", "{refusal:?}, {residency}");
    set(refusal[1]);
    client.serves("flag-0", "two");
}

#[test]
fn databases_that_were_swapped_are_noticed_by_the_safety_poll() {
    thread::scope(|scope| {
        for residency in ["all", "lazy"] {
            scope.spawn(move || {
                let flags = many_flags(20, 1, "one");
                let server = RedisServer::holding(&flags, &[]);
                server.set_flag("bad", flag("bad", 1, "one"));
                server.run::<i64>(&["COPY", "launchdarkly:$inited", "launchdarkly:$inited", "DB", "1"]);
                let mut other = redis::pipe();
                other.cmd("SELECT").arg(1);
                for (key, text) in many_flags(20, 2, "two") {
                    other.cmd("HSET").arg("launchdarkly:features").arg(key).arg(text);
                }
                other.cmd("HSET").arg("launchdarkly:features").arg("bad").arg("{");
                server.send(&other);
                let client = config(&server.url(), residency).with("refresh.interval_ms", "100").started();
                flags.iter().for_each(|(key, _)| client.serves(key, "one"));
                // One of which nothing can be read keeps nobody from looking at the others.
                client.serves("bad", "one");
                server.set_flag("bad", "{");
                eventually("it is met", || client.status()["malformed"] == 1);
                eventually("everything was read again since", || {
                    let before = server.calls_of("hgetall");
                    thread::sleep(Duration::from_secs(1));
                    server.calls_of("hgetall") == before
                });
                server.run::<()>(&["SWAPDB", "0", "1"]);
                for (key, _) in &flags {
                    wait_until(SOON, &format!("{residency}: {key} of the other database"), || client.ask(key) == "two");
                }
                client.becomes(VALID);
            });
        }
    });
}

#[test]
fn a_server_that_takes_another_ones_data_as_its_replica_is_noticed() {
    thread::scope(|scope| {
        for residency in ["all", "lazy"] {
            scope.spawn(move || {
                let flags = many_flags(20, 1, "one");
                let (server, primary) = (RedisServer::holding(&flags, &[]), RedisServer::start());
                primary.replace(&many_flags(20, 2, "two"), &[]);
                // The old data stay until the new ones are complete, and are exchanged then: nothing is pushed.
                server.run::<()>(&["CONFIG", "SET", "repl-diskless-load", "swapdb"]);
                primary.run::<()>(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
                let client = config(&server.url(), residency).with("refresh.interval_ms", "100").started();
                flags.iter().for_each(|(key, _)| client.serves(key, "one"));
                server.run::<()>(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
                for (key, _) in &flags {
                    wait_until(PATIENCE, &format!("{residency}: {key} of the primary"), || client.ask(key) == "two");
                }
                client.becomes(VALID);
                // What the primary is told arrives, too.
                primary.set_flag("flag-0", flag("flag-0", 3, "three"));
                client.serves("flag-0", "three");
            });
        }
    });
}

#[test]
fn a_server_that_was_stopped_is_reported_within_a_ping_and_a_time_out() {
    let machine = Machine::watch();
    // Defaults: a ping each second, two seconds for its answer.
    let allowed = Duration::from_millis(1_000 + 2_000 + 100 + 1_000);
    for residency in ["all", "lazy"] {
        in_time(allowed, || {
            let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
            let client = Config::new().with("redis.url", &server.url()).with("cache.residency", residency).started();
            client.reports("freshness", "push");
            assert_eq!((client.ask("a"), client.detail("a").stale), ("one".into(), false));
            // So that the wait does not always begin with a ping.
            thread::sleep(Duration::from_millis(1_300));
            server.stop();
            let began = Instant::now();
            eventually("it is reported", || client.info().store_stale_since_ms != 0 && client.detail("a").stale);
            let took = began.elapsed().saturating_sub(machine.longest_since(began));
            server.cont();
            client.becomes(VALID);
            took
        });
    }
}
