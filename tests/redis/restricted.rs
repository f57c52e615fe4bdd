//! Redis servers that allow less than everything: full, without transactions, with few commands, behind a proxy that knows
//! few. What they allow is enough for true flags; a change is seen by push, or by age where there can be no push.

use std::thread;

use crate::support::*;

const RESIDENCIES: [&str; 3] = ["all", "lazy", "off"];
/// Above the number of flags from which a set is read in steps.
const SCANNED: usize = 1_200;

/// Options for a client of the server at `url`, which sees a change by age soon.
fn options(url: &str, residency: &str) -> Config {
    Config::at(url).with("cache.residency", residency).with("cache.ttl_ms", "200").with("refresh.interval_ms", "500")
}

/// The same for a user `reader`.
fn as_reader(server: &RedisServer, residency: &str) -> Config {
    options(&server.url(), residency).with("redis.username", "reader").with("redis.password", "secret")
}

/// A user `reader` with these rules.
fn reader(rules: &str) -> Setup {
    Setup::default().user(&format!("reader on >secret ~launchdarkly:* {rules}"))
}

/// Sets a flag also where memory is exhausted.
fn set_in_spite(server: &RedisServer, key: &str, text: &str) {
    let script = "#!lua flags=allow-oom\nreturn redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])";
    server.run::<i64>(&["EVAL", script, "1", "launchdarkly:features", key, text]);
}

/// A client of this server is ready, serves known flags, says of others that they are unknown, and follows every kind of
/// change, among `count` flags.
fn follows(server: &RedisServer, config: &Config, what: &str) {
    let client = config.client();
    assert_eq!(client.start(10_000), Ok(()), "{what}: {:?}", client.try_status());
    assert_eq!(client.ask("flag-0"), "one", "{what}");
    assert_eq!(client.ask("member"), "in", "{what}");
    assert_eq!(client.ask("none"), "FLAG_NOT_FOUND", "{what}");
    let all = client.all_flags();
    assert!(all.contains("\"flag-0\":\"one\"") && all.contains("\"member\":\"in\""), "{what}: {all}");
    set_in_spite(server, "flag-0", &flag("flag-0", 2, "two"));
    client.serves("flag-0", "two");
    set_in_spite(server, "none", &flag("none", 1, "new"));
    client.serves("none", "new");
    server.remove_flag("none");
    client.serves("none", "FLAG_NOT_FOUND");
    assert_eq!(client.state(), VALID, "{what}: {:?}", client.status());
    assert!(!client.detail("flag-0").stale, "{what}");
    assert_eq!(client.close(PATIENCE_MS), OK);
}

/// Fills the server with `count` flags and one that needs a segment.
fn fill(server: &RedisServer, count: usize) {
    let mut flags = many_flags(count, 1, "one");
    flags.push(("member", Flag::new("member", 1, "in").for_segment("s").text()));
    server.replace(&flags, &[("s", segment("s", 1, &["ada"]))]);
}

/// Clients of every residency follow what happens in servers of this kind, with few flags and with many.
#[track_caller]
fn every_residency_follows(setup: impl Fn() -> Setup + Sync, config: impl Fn(&RedisServer, &str) -> Config + Sync) {
    thread::scope(|scope| {
        for residency in RESIDENCIES {
            for count in [3, SCANNED] {
                let (setup, config) = (&setup, &config);
                scope.spawn(move || {
                    let server = setup().start();
                    fill(&server, count);
                    follows(&server, &config(&server, residency), &format!("{residency}, {count} flags"));
                });
            }
        }
    });
}

#[test]
fn a_redis_without_restrictions_is_followed() {
    every_residency_follows(Setup::default, |server, residency| options(&server.url(), residency));
}

#[test]
fn a_full_redis_is_read() {
    thread::scope(|scope| {
        for residency in RESIDENCIES {
            for count in [3, SCANNED] {
                scope.spawn(move || {
                    let server = RedisServer::start();
                    fill(&server, count);
                    server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
                    follows(&server, &options(&server.url(), residency), &format!("{residency}, {count} flags"));
                });
            }
        }
    });
}

#[test]
fn a_redis_that_fills_up_later_is_read_and_its_changes_arrive() {
    for residency in RESIDENCIES {
        let server = RedisServer::start();
        fill(&server, 3);
        let client = options(&server.url(), residency).started();
        assert_eq!(client.ask("flag-0"), "one");
        server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
        set_in_spite(&server, "flag-0", &flag("flag-0", 2, "two"));
        client.serves("flag-0", "two");
        assert_eq!(client.ask("member"), "in", "{residency}");
        server.remove_flag("flag-1");
        client.serves("flag-1", "FLAG_NOT_FOUND");
        assert_eq!((client.state(), client.detail("flag-0").stale), (VALID, false), "{residency}");
    }
}

#[test]
fn last_known_flags_come_from_a_full_redis_too() {
    for residency in RESIDENCIES {
        let (fake, server) = (launchdarkly(&[]), RedisServer::start());
        fill(&server, 3);
        server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
        fake.kill();
        let client = storing(&fake, &server).with("cache.residency", residency).client();
        client.start(0).unwrap();
        client.serves("flag-0", "one");
        client.serves("member", "in");
        assert_eq!(client.ask("none"), "FLAG_NOT_FOUND");
    }
}

#[test]
fn a_user_who_may_not_use_transactions_is_enough() {
    every_residency_follows(|| reader("+@read +@connection"), as_reader);
}

#[test]
fn a_user_who_may_send_nothing_but_hgetall_and_hget_is_enough() {
    every_residency_follows(|| reader("+hgetall +hget"), as_reader);
}

#[test]
fn a_server_without_multi_is_enough() {
    let without_multi = || Setup::default().argument(&["--rename-command", "MULTI", ""]);
    // The server is filled before it forgets the command: by steps, then.
    thread::scope(|scope| {
        for residency in RESIDENCIES {
            scope.spawn(move || {
                let server = without_multi().start();
                many_flags(3, 1, "one").iter().for_each(|(key, text)| server.set_flag(*key, text));
                server.set_flag("member", Flag::new("member", 1, "in").for_segment("s").text());
                server.set_segment("s", segment("s", 1, &["ada"]));
                server.set_inited();
                follows(&server, &options(&server.url(), residency), residency);
            });
        }
    });
}

#[test]
fn a_server_that_refuses_single_reading_commands_is_read_by_others() {
    thread::scope(|scope| {
        for refused in ["-hscan", "-exists", "-hlen", "-hmget", "-ping", "-select", "-info", "-hscan -exists -hlen"] {
            scope.spawn(move || {
                for residency in RESIDENCIES {
                    for count in [3, SCANNED] {
                        let server = reader(&format!("+@read +@connection +@transaction {refused}")).start();
                        fill(&server, count);
                        let what = format!("{refused}, {residency}, {count} flags");
                        follows(&server, &as_reader(&server, residency), &what);
                    }
                }
            });
        }
    });
}

#[test]
fn behind_twemproxy_flags_are_served_and_changes_seen() {
    thread::scope(|scope| {
        for residency in RESIDENCIES {
            for count in [3, SCANNED] {
                scope.spawn(move || {
                    let server = RedisServer::start();
                    fill(&server, count);
                    let Some(twemproxy) = Twemproxy::before(&[&server]) else { return };
                    let config = options(&twemproxy.url(), residency);
                    follows(&server, &config, &format!("{residency}, {count} flags"));
                    assert_eq!(config.started().status()["freshness"], "ttl");
                });
            }
        }
    });
}

#[test]
fn behind_twemproxy_members_of_big_segments_are_read_and_changes_seen_by_age() {
    let server = RedisServer::start();
    let segment = r#"{"key":"s","version":1,"unbounded":true,"generation":2}"#;
    server.replace(&[("member", Flag::new("member", 1, "in").for_segment("s").text())], &[("s", segment.to_owned())]);
    let Some(twemproxy) = Twemproxy::before(&[&server]) else { return };
    let client = options(&twemproxy.url(), "all").with("big_segments.cache_ms", "200").started();
    eventually("members are read", || {
        client.big_segments() == (true, true) && client.detail("member").big_segments == 2
    });
    assert_eq!(client.ask("member"), OTHER);
    let hash = flagstone::big_segments::context_hash("ada");
    server.run::<()>(&["SADD", &format!("launchdarkly:big_segment_include:{hash}"), "s.g2"]);
    client.serves("member", "in");
    assert_eq!(client.status()["big_segments"]["push"], false);
}
