//! Other people's proxies between client and Redis: HAProxy, which cuts idle connections and leads elsewhere when a server dies,
//! and twemproxy, which knows few commands and spreads keys over servers.

use std::thread;
use std::time::Duration;

use fakeld::Kind;

use crate::support::*;

const RESIDENCIES: [&str; 3] = ["all", "lazy", "off"];

/// A client with this residency that looks after its data often.
fn config(url: &str, residency: &str) -> Config {
    let config = Config::at(url).with("cache.residency", residency).with("cache.ttl_ms", "200");
    config.with("refresh.interval_ms", "500").with("redis.ping_ms", "100")
}

/// Text of the flag `a`.
fn edit(version: i64) -> String {
    flag("a", version, &format!("edit {version}"))
}

/// A line of HAProxy's configuration that names a server.
fn backend(name: &str, server: &RedisServer, options: &str) -> String {
    format!("server {name} 127.0.0.1:{} {options}", server.port())
}

#[test]
fn an_haproxy_that_cuts_idle_connections_takes_nothing_from_a_client() {
    thread::scope(|scope| {
        // Pings that keep connections open, and pings that come too late.
        for ping in ["100", "5000"] {
            for residency in RESIDENCIES {
                scope.spawn(move || {
                    let what = format!("{residency}, pings each {ping} ms");
                    let server = RedisServer::holding(&[("a", edit(1))], &[]);
                    let cutting = ["timeout client 400ms", "timeout server 400ms", &backend("redis", &server, "")];
                    let Some(haproxy) = Haproxy::with(&cutting) else { return };
                    let client = config(&haproxy.url(), residency).with("redis.ping_ms", ping).started();
                    for version in 2..6 {
                        throughout(Duration::from_millis(900), || {
                            assert_eq!(client.ask("a"), format!("edit {}", version - 1), "{what}");
                        });
                        server.set_flag("a", edit(version));
                        let (_, took) = timed(|| client.serves("a", &format!("edit {version}")));
                        assert!(took < Duration::from_secs(5), "{what}: {took:?}");
                    }
                    // It may have been cut off just now.
                    client.becomes(VALID);
                });
            }
        }
    });
}

#[test]
fn a_writer_behind_an_haproxy_that_cuts_idle_connections_writes_everything_and_heals() {
    let server = RedisServer::start();
    let cutting = ["timeout client 300ms", "timeout server 300ms", &backend("redis", &server, "")];
    let Some(haproxy) = Haproxy::with(&cutting) else { return };
    let fake = launchdarkly(&[("a", edit(1))]);
    let client = storing(&fake, &server).with("redis.url", &haproxy.url()).started();
    eventually("the set is written", || server.is_inited());
    for version in 2..5 {
        throughout(Duration::from_millis(700), || assert_eq!(client.ask("a"), format!("edit {}", version - 1)));
        fake.patch(Kind::Flag, &edit(version)).unwrap();
        client.serves("a", &format!("edit {version}"));
        let is_written = || server.text("features", "a").is_some_and(|text| text.contains(&format!("edit {version}")));
        eventually("it is written", is_written);
    }
    server.flush();
    eventually("what was lost is written again", || server.is_inited());
    assert_eq!((client.ask("a"), client.state()), ("edit 4".into(), VALID));
}

#[test]
fn when_haproxy_leads_to_another_server_everything_follows() {
    thread::scope(|scope| {
        for options in SESSIONS {
            for residency in RESIDENCIES {
                scope.spawn(move || {
                    let mut first = RedisServer::holding(&[("a", edit(1))], &[]);
                    let second = RedisServer::holding(&[("a", edit(2))], &[]);
                    let check = format!("check inter 100ms fall 2 rise 2 {options}");
                    let lines =
                        [backend("first", &first, &check), backend("second", &second, &format!("{check} backup"))];
                    let Some(haproxy) = Haproxy::with(&[&lines[0], &lines[1]]) else { return };
                    let client = config(&haproxy.url(), residency).started();
                    client.serves("a", "edit 1");
                    first.kill();
                    client.serves("a", "edit 2");
                    client.becomes(VALID);
                    second.set_flag("a", edit(3));
                    client.serves("a", "edit 3");
                    if residency != "off" {
                        client.reports("freshness", "push");
                    }
                    // The first one is back: connections stay where they are until the second one dies, too.
                    first.restart();
                    first.replace(&[("a", edit(5))], &[]);
                    second.set_flag("a", edit(4));
                    client.serves("a", "edit 4");
                    drop(second);
                    client.serves("a", "edit 5");
                    client.becomes(VALID);
                });
            }
        }
    });
}

#[test]
fn a_server_that_is_away_at_the_start_is_read_through_haproxy_when_it_comes() {
    for residency in RESIDENCIES {
        let mut server = RedisServer::start();
        server.kill();
        let Some(haproxy) = Haproxy::with(&[&backend("redis", &server, "check inter 100ms fall 1 rise 1")]) else {
            return;
        };
        let client = config(&haproxy.url(), residency).client();
        let failure = client.start(1_000).expect_err("there is nobody");
        assert!(failure.message.contains("closed the connection"), "{failure:?}");
        assert_eq!(client.ask("a"), "CLIENT_NOT_READY");
        server.restart();
        server.replace(&[("a", edit(1))], &[]);
        client.serves("a", "edit 1");
        client.becomes(VALID);
    }
}

/// A primary with the flag `a`, its replica, and an HAProxy that leads to the one of both that says that it is the primary.
fn by_role(options: &str) -> Option<([RedisServer; 2], Haproxy)> {
    let primary = replicating(None);
    primary.replace(&[("a", edit(1))], &[]);
    let replica = replicating(Some(primary.port()));
    eventually("the replica has everything", || replica.is_inited());
    let check = format!("check inter 100ms fall 1 rise 1 {options}");
    let haproxy = Haproxy::with(&[
        "option tcp-check",
        "tcp-check send INFO\\ replication\\r\\n",
        "tcp-check expect string role:master",
        &backend("one", &primary, &check),
        &backend("two", &replica, &check),
    ])?;
    Some(([primary, replica], haproxy))
}

/// The one of the two takes office, and the other one follows it.
fn hand_over(old: &RedisServer, new: &RedisServer) {
    new.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    old.run::<()>(&["REPLICAOF", "127.0.0.1", &new.port().to_string()]);
}

/// Whether HAProxy ends the connections to a server that it gives up.
const SESSIONS: [&str; 2] = ["on-marked-down shutdown-sessions", ""];

#[test]
fn an_haproxy_that_seeks_the_primary_by_role_is_followed_through_failovers() {
    thread::scope(|scope| {
        for options in SESSIONS {
            for residency in RESIDENCIES {
                scope.spawn(move || {
                    let Some(([one, two], haproxy)) = by_role(options) else { return };
                    let client = config(&haproxy.url(), residency).started();
                    client.serves("a", "edit 1");
                    for (version, old, new) in [(2, &one, &two), (3, &two, &one)] {
                        hand_over(old, new);
                        new.set_flag("a", edit(version));
                        client.serves("a", &format!("edit {version}"));
                        client.becomes(VALID);
                        if residency != "off" {
                            client.reports("freshness", "push");
                        }
                    }
                });
            }
        }
    });
}

#[test]
fn what_a_primary_that_gave_up_its_office_refuses_is_written_to_the_new_one() {
    for options in SESSIONS {
        let Some(([one, two], haproxy)) = by_role(options) else { return };
        let fake = launchdarkly(&[("a", edit(1))]);
        let client = storing(&fake, &one).with("redis.url", &haproxy.url()).started();
        for (version, old, new) in [(2, &one, &two), (3, &two, &one)] {
            hand_over(old, new);
            fake.patch(Kind::Flag, &edit(version)).unwrap();
            client.serves("a", &format!("edit {version}"));
            let is_written = || new.text("features", "a").is_some_and(|text| text.contains(&format!("edit {version}")));
            eventually("the new one has it", is_written);
        }
    }
}

#[test]
fn behind_an_haproxy_that_takes_turns_changes_are_seen_wherever_a_connection_leads() {
    thread::scope(|scope| {
        for residency in RESIDENCIES {
            scope.spawn(move || {
                let primary = replicating(None);
                primary.replace(&[("a", edit(1))], &[]);
                let replicas = [replicating(Some(primary.port())), replicating(Some(primary.port()))];
                eventually("the replicas have everything", || replicas.iter().all(RedisServer::is_inited));
                let lines =
                    ["balance roundrobin", &backend("one", &replicas[0], ""), &backend("two", &replicas[1], "")];
                let Some(haproxy) = Haproxy::with(&lines) else { return };
                let client = config(&haproxy.url(), residency).started();
                for version in 2..6 {
                    primary.set_flag("a", edit(version));
                    client.serves("a", &format!("edit {version}"));
                }
                client.becomes(VALID);
            });
        }
    });
}

#[test]
fn behind_a_twemproxy_that_spreads_keys_over_servers_flags_are_served_by_age_and_outlive_its_servers() {
    thread::scope(|scope| {
        for residency in RESIDENCIES {
            for count in [3, 1_200] {
                scope.spawn(move || {
                    let mut servers = [RedisServer::start(), RedisServer::start(), RedisServer::start()];
                    let Some(twemproxy) = Twemproxy::before(&[&servers[0], &servers[1], &servers[2]]) else { return };
                    let set = |part: &str, key: &str, text: &str| twemproxy.hset(part, key, text);
                    let fill = |value: &str| {
                        many_flags(count, 1, value).iter().for_each(|(key, text)| set("features", key, text));
                        set("features", "member", &Flag::new("member", 1, "in").for_segment("s").text());
                        set("segments", "s", &segment("s", 1, &["ada"]));
                    };
                    fill("one");
                    let client = config(&twemproxy.url(), residency).started();
                    assert_eq!((client.ask("flag-0"), client.ask("member")), ("one".into(), "in".into()));
                    set("features", "flag-0", &flag("flag-0", 2, "two"));
                    client.serves("flag-0", "two");
                    set("segments", "s", &segment("s", 2, &[]));
                    client.serves("member", OTHER);
                    client.reports("freshness", "ttl");
                    assert!(client.status()["freshness_reason"].as_str().unwrap().len() > 20, "{}", client.status());
                    client.becomes(VALID);
                    servers.iter_mut().for_each(RedisServer::kill);
                    client.becomes(INTERRUPTED);
                    assert_eq!(client.ask("flag-0"), if residency == "off" { "EXCEPTION" } else { "two" });
                    servers.iter_mut().for_each(RedisServer::restart);
                    fill("three");
                    client.serves("flag-0", "three");
                    client.becomes(VALID);
                });
            }
        }
    });
}

#[test]
fn behind_a_twemproxy_a_client_in_connected_mode_serves_and_says_that_nothing_is_written() {
    let server = RedisServer::start();
    let Some(twemproxy) = Twemproxy::before(&[&server]) else { return };
    let fake = launchdarkly(&[("a", edit(1))]);
    let client = storing(&fake, &server).with("redis.url", &twemproxy.url()).started();
    client.serves("a", "edit 1");
    fake.patch(Kind::Flag, &edit(2)).unwrap();
    client.serves("a", "edit 2");
    eventually("it is said", || {
        client.status()["last_error"].as_str().is_some_and(|error| error.starts_with("writing to Redis failed"))
    });
    assert_eq!((client.ask("a"), client.state(), server.is_inited()), ("edit 2".into(), VALID, false));
}

#[test]
fn an_haproxy_that_ends_tls_is_pushed_through() {
    let certificates = Certificates::new();
    let (directory, server) = (TempDir::new("haproxy-tls"), RedisServer::holding(&[("a", edit(1))], &[]));
    let both =
        ["server.pem", "server.key"].map(|name| std::fs::read_to_string(certificates.path(name)).unwrap()).concat();
    let file = directory.path().join("both.pem");
    std::fs::write(&file, both).unwrap();
    let port = free_port();
    let bind = format!("bind 127.0.0.1:{port} ssl crt {}", file.display());
    let Some(_haproxy) = Haproxy::with(&[&bind, &backend("redis", &server, "")]) else { return };
    let config = Config::at(&format!("rediss://127.0.0.1:{port}"));
    let client = config.with("redis.tls.ca_file", &certificates.path("ca.pem")).started();
    client.reports("freshness", "push");
    server.set_flag("a", edit(2));
    assert_eq!(client.hears_change_of("a"), (Some(1), Some(2)));
}

#[test]
fn the_only_connection_that_an_haproxy_lets_through_is_read_through() {
    thread::scope(|scope| {
        for residency in RESIDENCIES {
            scope.spawn(move || {
                let server = RedisServer::holding(&[("a", edit(1))], &[]);
                let Some(haproxy) = Haproxy::with(&[&backend("redis", &server, "maxconn 1")]) else { return };
                let config = config(&haproxy.url(), residency).with("redis.connect_timeout_ms", "500");
                let client = config.with("redis.command_timeout_ms", "500").started();
                for version in 2..5 {
                    client.serves("a", &format!("edit {}", version - 1));
                    server.set_flag("a", edit(version));
                }
            });
        }
    });
}
