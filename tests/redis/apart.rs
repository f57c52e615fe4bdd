//! Connections of one client that lead to different servers because one of them was made anew, and what another server lacks of
//! what was written, or has too much.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use fakeld::{Fake, Kind};

use crate::support::*;

/// Whoever does not notice by himself reads everything again after a minute.
const SOON: Duration = Duration::from_secs(20);

fn writing(fake: &Fake, gate: &Gate, residency: &str) -> Config {
    streaming(fake).with("redis.url", &gate.url()).with("redis.ping_ms", "200").with("cache.residency", residency)
}

/// How often a data source has connected.
fn streams(fake: &Fake) -> usize {
    fake.requests().iter().filter(|request| request.path.starts_with("/all")).count()
}

fn holds(server: &RedisServer, value: &str) -> bool {
    server.text("features", "flag-0").is_some_and(|text| text.contains(value))
}

#[test]
fn whichever_connection_is_made_anew_all_lead_to_the_next_server_and_edits_arrive_there() {
    thread::scope(|scope| {
        for residency in ["all", "lazy", "off"] {
            for role in [Role::Writer, Role::Reader, Role::Watch] {
                scope.spawn(move || {
                    let what = format!("{residency}, {role:?} lost");
                    let flags = many_flags(5, 3, "three");
                    let (fake, old) = (launchdarkly(&flags), RedisServer::start());
                    let new = RedisServer::holding(&flags, &[]);
                    let gate = Gate::to(old.port());
                    let client = writing(&fake, &gate, residency).started();
                    eventually("the old server is filled", || old.is_inited());
                    eventually("pushes are awaited", || old.tracking_connections() == 1);
                    fake.patch(Kind::Flag, &flag("flag-0", 4, "four")).unwrap();
                    eventually("the edit is written", || holds(&old, "four"));
                    client.serves("flag-0", "four");
                    // The old one lives on, and takes writes.
                    gate.lead_to(new.port());
                    eventually("there is something to cut", || gate.cut(role) > 0);
                    fake.patch(Kind::Flag, &flag("flag-0", 5, "five")).unwrap();
                    wait_until(SOON, &format!("{what}: a further edit"), || holds(&new, "five"));
                    let left = || gate.links(Role::Any, old.port()) == 0;
                    wait_until(SOON, &format!("{what}: nothing leads to the old server"), left);
                    client.becomes(VALID);
                    throughout(Duration::from_millis(300), || assert_eq!(client.ask("flag-0"), "five", "{what}"));
                });
            }
        }
    });
}

#[test]
fn servers_that_each_connection_finds_another_one_of_do_not_make_the_data_source_start_over_and_over() {
    let flags = many_flags(5, 3, "three");
    let (fake, servers) = (launchdarkly(&flags), [RedisServer::start(), RedisServer::start()]);
    let gate = Gate::to(servers[0].port());
    gate.lead_in_turn(&servers.each_ref().map(RedisServer::port));
    let client = writing(&fake, &gate, "lazy").started();
    client.serves("flag-0", "three");
    thread::sleep(Duration::from_secs(4));
    fake.patch(Kind::Flag, &flag("flag-0", 4, "four")).unwrap();
    client.serves("flag-0", "four");
    assert!(streams(&fake) <= 6, "{}", streams(&fake));
}

#[test]
fn where_servers_do_not_tell_who_they_are_lost_connections_do_not_make_the_data_source_start_over_and_over() {
    thread::scope(|scope| {
        for is_edited in [false, true] {
            scope.spawn(move || {
                let (fake, server) = (launchdarkly(&many_flags(5, 3, "three")), RedisServer::start());
                let gate = Gate::to(server.port());
                gate.rule("INFO", Rule::error("NOPERM no"));
                let client = writing(&fake, &gate, "lazy").started();
                eventually("the server is filled", || server.is_inited());
                client.serves("flag-0", "three");
                eventually("all is calm", || {
                    let before = streams(&fake);
                    thread::sleep(Duration::from_millis(1_500));
                    streams(&fake) == before
                });
                if is_edited {
                    fake.patch(Kind::Flag, &flag("flag-0", 4, "four")).unwrap();
                    eventually("the edit is written", || holds(&server, "four"));
                }
                let before = streams(&fake);
                for _ in 0..12 {
                    gate.cut(Role::Data);
                    thread::sleep(Duration::from_millis(300));
                }
                // Who has the last edit has everything. Of a full data set no part stands for the rest: then pauses grow.
                // A read that was under way when it was cut is a failure like any other.
                assert!(streams(&fake) - before <= 5, "{is_edited}: {} more", streams(&fake) - before);
                client.serves("flag-0", if is_edited { "four" } else { "three" });
            });
        }
    });
}

#[test]
fn where_servers_do_not_tell_who_they_are_the_watch_follows_a_lost_connection_for_reading() {
    let old = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    let new = RedisServer::holding(&[("a", flag("a", 2, "new"))], &[]);
    let gate = Gate::to(old.port());
    gate.rule("INFO", Rule::error("NOPERM no"));
    let client = Config::new().with("redis.url", &gate.url()).started();
    client.reports("freshness", "push");
    client.serves("a", "old");
    gate.lead_to(new.port());
    eventually("there is something to cut", || gate.cut(Role::Data) > 0);
    client.serves("a", "new");
    wait_until(SOON, "nothing leads to the old server", || gate.links(Role::Any, old.port()) == 0);
    new.set_flag("a", flag("a", 3, "newer"));
    client.serves("a", "newer");
}

#[test]
fn where_servers_do_not_tell_who_they_are_an_outage_ends_with_as_many_connections_as_are_needed() {
    thread::scope(|scope| {
        // What is read may arrive before the watch is armed anew, or after it.
        for delay in [0, 10, 60] {
            scope.spawn(move || {
                let server = RedisServer::holding(&many_flags(5, 1, "one"), &[]);
                let gate = Gate::to(server.port());
                gate.rule("INFO", Rule::error("NOPERM no"));
                let client = Config::new().with("redis.url", &gate.url()).started();
                client.reports("freshness", "push");
                client.serves("flag-0", "one");
                // The watch is there all the time.
                gate.rule("EXEC", Rule::error("BUSY Redis is busy running a script."));
                server.set_flag("flag-0", flag("flag-0", 2, "two"));
                eventually("nothing is read", || client.detail("flag-0").stale);
                gate.rule("EXEC", Rule::Delay(Duration::from_millis(delay)));
                client.serves("flag-0", "two");
                // What is in use is read again whenever something may have changed.
                let ask_for = |span| throughout(span, || assert_eq!(client.ask("flag-0"), "two"));
                ask_for(Duration::from_secs(3));
                let before = gate.seen().connects;
                ask_for(Duration::from_secs(4));
                let connects = gate.seen().connects - before;
                assert!(connects <= 3, "{delay} ms: {connects} connects");
                server.set_flag("flag-0", flag("flag-0", 3, "three"));
                client.serves("flag-0", "three");
            });
        }
    });
}

#[test]
fn a_watch_that_logs_in_anew_elsewhere_is_not_taken_for_the_one_before() {
    let old = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    let new = RedisServer::holding(&[("a", flag("a", 2, "new"))], &[]);
    for server in [&old, &new] {
        server.run::<()>(&["ACL", "SETUSER", "ada", "on", ">first", ">second", "~*", "&*", "+@all"]);
    }
    let gate = Gate::to(old.port());
    // A connection that is subscribed in the older protocol cannot log in anew: the watch is another one then.
    gate.rule("HELLO", Rule::error("ERR unknown command"));
    let client = Config::new().with("redis.url", &gate.url()).client();
    client.set_credentials("ada", "first", 0).unwrap();
    assert_eq!(client.start(PATIENCE_MS), Ok(()));
    client.reports("freshness", "push");
    client.serves("a", "old");
    gate.lead_to(new.port());
    client.set_credentials("ada", "second", 0).unwrap();
    let is_split = || gate.links(Role::Any, old.port()) > 0 && gate.links(Role::Any, new.port()) > 0;
    eventually("the watch leads to the new server", || gate.links(Role::Any, new.port()) > 0);
    wait_until(SOON, "all lead to one server", || !is_split());
    client.serves("a", "new");
    new.set_flag("a", flag("a", 3, "newer"));
    client.serves("a", "newer");
}

#[test]
fn what_redis_has_too_much_is_removed_after_a_while_where_memory_leads() {
    let (fake, server) = (launchdarkly(&many_flags(5, 3, "three")), RedisServer::start());
    let client = storing(&fake, &server).started();
    eventually("the server is filled", || server.is_inited());
    // As an old state brings it back that a server was started with.
    server.set_flag("of-the-past", flag("of-the-past", 1, "x"));
    wait_until(Duration::from_secs(60), "it is removed", || server.text("features", "of-the-past").is_none());
    assert!(streams(&fake) <= 3, "{}", streams(&fake));
    client.serves("flag-0", "three");
    client.becomes(VALID);
}

#[test]
fn a_source_that_delivers_without_a_pause_keeps_nobody_from_reading() {
    let (fake, server) = (launchdarkly(&many_flags(50, 1, "one")), RedisServer::start());
    let gate = Gate::to(server.port());
    let client = writing(&fake, &gate, "off").with("redis.command_timeout_ms", "10000").started();
    eventually("the server is filled", || server.is_inited());
    gate.rule("EVAL", Rule::Delay(Duration::from_millis(30)));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _end = OverAtTheEnd(&over);
        scope.spawn(|| {
            let mut version = 1;
            while !over.load(SeqCst) {
                version += 1;
                fake.patch(Kind::Flag, &flag("flag-0", version, "busy")).unwrap();
                thread::sleep(Duration::from_millis(3));
            }
        });
        thread::sleep(Duration::from_millis(500));
        for number in 1..30 {
            assert_eq!(client.ask(&format!("flag-{number}")), "one");
        }
    });
}

#[test]
fn where_the_watch_that_led_elsewhere_cannot_be_had_any_more_what_is_read_counts() {
    let old = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    let new = RedisServer::holding(&[("a", flag("a", 2, "new"))], &[]);
    let gate = Gate::to(old.port());
    let client = Config::new().with("redis.url", &gate.url()).with("cache.ttl_ms", "200").started();
    client.reports("freshness", "push");
    client.serves("a", "old");
    for command in ["CLIENT", "CONFIG", "SUBSCRIBE"] {
        gate.rule(command, Rule::error("NOPERM no"));
    }
    gate.lead_to(new.port());
    eventually("there is something to cut", || gate.cut(Role::Data) > 0);
    client.serves("a", "new");
    client.reports("freshness", "ttl");
    client.becomes(VALID);
    new.set_flag("a", flag("a", 3, "newer"));
    client.serves("a", "newer");
    client.becomes(VALID);
}

#[test]
fn what_redis_has_too_much_is_removed_after_ten_seconds_however_seldom_everything_is_looked_at() {
    let (fake, server) = (launchdarkly(&many_flags(5, 3, "three")), RedisServer::start());
    let client = streaming(&fake).with("redis.url", &server.url()).started();
    eventually("the server is filled", || server.is_inited());
    server.set_flag("of-the-past", flag("of-the-past", 1, "x"));
    wait_until(Duration::from_secs(30), "it is removed", || server.text("features", "of-the-past").is_none());
    client.serves("flag-0", "three");
}
