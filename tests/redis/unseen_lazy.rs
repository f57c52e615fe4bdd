//! Nobody could tell what happened to Redis, and the numbers of fields say nothing: it has as many others as are missing, or does
//! not tell how many there are. With residency `lazy` each held item that is missing stays in force until a second look.

use std::thread;
use std::time::Duration;

use crate::support::*;

/// More than are read at once.
const COUNT: usize = 230;
/// So many are missing at first. They were evaluated first, and are read last.
const LATE: usize = 3;
/// The refill goes on before a second look.
const REFILL: Duration = Duration::from_millis(1_000);
/// A deletion that nobody doubts takes a push, or a time to live, and a read.
const AT_ONCE: Duration = Duration::from_millis(1_900);
/// Reconnecting, and a second look, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// What a client may do, and what freshness it gets by that.
const WAYS: [(&str, &str); 5] = [
    ("+@all", "push"),
    ("+@all", "ttl"),
    ("+@all -hlen", "push"),
    ("+@all -hlen -info", "ttl"),
    ("+hgetall +hget", "ttl"),
];

type Items = Vec<(&'static str, String)>;

/// Each way, with as many others as are missing, and with one more.
fn each_way(scenario: impl Fn(&Way, usize) + Sync) {
    for others in [LATE, LATE + 1] {
        thread::scope(|scope| {
            let scenario = &scenario;
            for (rights, freshness) in WAYS {
                scope.spawn(move || scenario(&Way { rights, freshness }, others));
            }
        });
    }
}

#[derive(Debug)]
struct Way {
    rights: &'static str,
    freshness: &'static str,
}

impl Way {
    fn server(&self, flags: &[(&'static str, String)]) -> RedisServer {
        let server = Setup::default().user(&format!("reader on >secret ~* &* {}", self.rights)).start();
        server.replace(flags, &[]);
        server
    }

    fn config(&self, gate: &Gate) -> Config {
        let config = Config::at(&gate.url()).with("redis.username", "reader").with("redis.password", "secret");
        let config = config.with("cache.residency", "lazy").with("cache.freshness", self.freshness);
        config.with("cache.ttl_ms", "200")
    }

    /// A client that holds all of these, and is certain of it.
    fn client(&self, gate: &Gate, flags: &[(&'static str, String)]) -> Client {
        let client = self.config(gate).started();
        client.reports("freshness", self.freshness);
        flags.iter().for_each(|(key, _)| client.serves(key, "one"));
        client.becomes(VALID);
        client
    }

    /// Flags, the server that holds them, the way to it, and a client that holds them.
    fn all_is_well(&self) -> (Items, RedisServer, Gate, Client) {
        let flags = many_flags(COUNT, 1, "one");
        let server = self.server(&flags);
        let gate = Gate::to(server.port());
        let client = self.client(&gate, &flags);
        (flags, server, gate, client)
    }
}

/// What a second server holds: the first flags are missing, and others are there in their place.
fn refilled_in_part(others: usize) -> Items {
    let mut flags = many_flags(COUNT, 2, "two").split_off(LATE);
    flags
        .extend(["other-0", "other-1", "other-2", "other-3"][..others].iter().map(|key| (*key, flag(key, 1, "other"))));
    flags
}

/// Every flag has one of both values all the time, while what is missing is written at last.
fn is_refilled(client: &Client, server: &RedisServer, what: &str) {
    let new = many_flags(COUNT, 2, "two");
    wait_until(SOON, &format!("{what}: what is there"), || client.ask(new[COUNT - 1].0) == "two");
    throughout(REFILL, || {
        for (key, _) in &new[..LATE + 2] {
            let answer = client.ask(key);
            assert!(["one", "two"].contains(&answer.as_str()), "{what}: {key} is {answer}");
        }
    });
    assert_eq!(client.state(), INTERRUPTED, "{what}: something is missing");
    new[..LATE].iter().for_each(|(key, text)| server.set_flag(*key, text));
    new.iter().for_each(|(key, _)| client.serves(key, "two"));
    client.becomes(VALID);
}

#[test]
fn what_another_server_with_others_in_its_place_lacks_at_first_stays_in_force() {
    each_way(|way, others| {
        let what = format!("{way:?}, {others} others");
        let old = many_flags(COUNT, 1, "one");
        let (first, second) = (way.server(&old), way.server(&refilled_in_part(others)));
        let gate = Gate::to(first.port());
        let client = way.client(&gate, &old);
        gate.lead_to(second.port());
        gate.cut(Role::Data);
        gate.cut(Role::Any);
        is_refilled(&client, &second, &what);
    });
}

#[test]
fn what_an_emptied_server_with_others_in_its_place_lacks_at_first_stays_in_force() {
    each_way(|way, others| {
        if (way.rights, way.freshness) == ("+@all", "ttl") {
            // It is the same server, as it says, and nobody ever tells of changes.
            return;
        }
        let what = format!("{way:?}, {others} others");
        let (_old, server, gate, client) = way.all_is_well();
        gate.set_dead(true);
        server.replace(&refilled_in_part(others), &[]);
        gate.set_dead(false);
        is_refilled(&client, &server, &what);
    });
}

#[test]
fn what_is_missing_after_a_flush_and_a_refill_with_others_in_its_place_stays_in_force() {
    for rights in ["+@all", "+@all -hlen"] {
        let way = Way { rights, freshness: "push" };
        let (_old, server, _gate, client) = way.all_is_well();
        server.flush_and_replace(&refilled_in_part(LATE));
        is_refilled(&client, &server, rights);
    }
}

#[test]
fn what_is_missing_after_the_hash_was_gone_and_came_back_with_others_in_its_place_stays_in_force() {
    for (rights, freshness) in [("+@all", "push"), ("+@all", "ttl"), ("+@all -hlen", "push")] {
        let way = Way { rights, freshness };
        let (_old, server, _gate, client) = way.all_is_well();
        server.remove(&["features", "$inited"]);
        client.reports("wiped", true);
        server.replace(&refilled_in_part(LATE), &[]);
        is_refilled(&client, &server, &format!("{way:?}"));
    }
}

#[test]
fn what_was_deleted_while_redis_was_away_is_gone_soon_also_where_another_took_its_place() {
    each_way(|way, others| {
        let what = format!("{way:?}, {others} others");
        let (old, server, gate, client) = way.all_is_well();
        gate.set_dead(true);
        let mut after = many_flags(COUNT, 1, "one").split_off(LATE);
        after.push(("other", flag("other", 1, "other")));
        server.replace(&after, &[]);
        gate.set_dead(false);
        for (key, _) in &old[..LATE] {
            wait_until(SOON, &format!("{what}: the deletion of {key}"), || client.ask(key) == "FLAG_NOT_FOUND");
        }
        client.becomes(VALID);
        assert_eq!((client.ask("other"), client.ask(after[0].0)), ("other".into(), "one".into()), "{what}");
        is_deleted_at_once(&client, &server, &old[LATE..], &what);
    });
}

#[test]
fn what_is_deleted_while_all_is_well_is_gone_at_once() {
    each_way(|way, others| {
        let (old, server, _gate, client) = way.all_is_well();
        is_deleted_at_once(&client, &server, &old, &format!("{way:?}, {others}"));
    });
}

/// One flag after the other is deleted, until one was gone at once: the machine may be busy.
fn is_deleted_at_once(client: &Client, server: &RedisServer, flags: &[(&'static str, String)], what: &str) {
    let mut flags = flags.iter();
    in_time(AT_ONCE, || {
        let key = flags.next().unwrap().0;
        server.remove_flag(key);
        let ((), took) = timed(|| client.serves(key, "FLAG_NOT_FOUND"));
        assert_eq!(client.state(), VALID, "{what}");
        took
    });
}

#[test]
fn what_was_never_held_is_no_reason_for_doubt_after_an_outage() {
    for (rights, freshness) in WAYS {
        let way = Way { rights, freshness };
        let flags = many_flags(3, 1, "one");
        let server = way.server(&flags);
        let gate = Gate::to(server.port());
        let client = way.client(&gate, &flags);
        assert_eq!(client.ask("none"), "FLAG_NOT_FOUND");
        gate.set_dead(true);
        client.becomes(INTERRUPTED);
        gate.set_dead(false);
        client.becomes(VALID);
        assert_eq!((client.ask("none"), client.ask("neither")), ("FLAG_NOT_FOUND".into(), "FLAG_NOT_FOUND".into()));
        throughout(Duration::from_millis(500), || assert_eq!(client.state(), VALID, "{way:?}"));
    }
}

#[test]
fn what_is_missing_after_an_outage_is_not_read_again_and_again() {
    for (rights, freshness) in [("+@all", "push"), ("+@all -hlen", "push")] {
        let way = Way { rights, freshness };
        let (old, server, gate, client) = way.all_is_well();
        gate.set_dead(true);
        server.replace(&refilled_in_part(LATE), &[]);
        gate.set_dead(false);
        wait_until(SOON, "what is there", || client.ask(old[COUNT - 1].0) == "two");
        thread::sleep(Duration::from_millis(300));
        let before = server.calls_of("hmget");
        throughout(REFILL, || assert_eq!(client.ask(old[0].0), "one"));
        let reads = server.calls_of("hmget") - before;
        assert!(reads <= 6, "{rights}: {reads} reads in a second");
        client.serves(old[0].0, "FLAG_NOT_FOUND");
        client.becomes(VALID);
    }
}

#[test]
fn where_it_is_configured_what_is_missing_after_an_outage_is_gone() {
    for (rights, freshness) in WAYS {
        let way = Way { rights, freshness };
        let old = many_flags(COUNT, 1, "one");
        let (first, second) = (way.server(&old), way.server(&refilled_in_part(LATE)));
        in_time(AT_ONCE, || {
            let gate = Gate::to(first.port());
            let client = way.config(&gate).with("cache.on_wipe", "clear").started();
            old.iter().for_each(|(key, _)| client.serves(key, "one"));
            gate.lead_to(second.port());
            gate.cut(Role::Any);
            wait_until(SOON, "what is there", || client.ask(old[COUNT - 1].0) == "two");
            let ((), took) = timed(|| client.serves(old[0].0, "FLAG_NOT_FOUND"));
            took
        });
    }
}

#[test]
fn what_is_missing_and_not_held_any_more_is_in_doubt_no_more() {
    let way = Way { rights: "+@all", freshness: "push" };
    let old = many_flags(3, 1, "one");
    let server = way.server(&old);
    let gate = Gate::to(server.port());
    let client = way.config(&gate).with("cache.capacity", "3").started();
    client.reports("freshness", "push");
    old.iter().for_each(|(key, _)| client.serves(key, "one"));
    gate.set_dead(true);
    client.becomes(INTERRUPTED);
    server.replace(&[("other", flag("other", 1, "other")), old[1].clone(), old[2].clone()], &[]);
    gate.set_dead(false);
    eventually("it is there again", || client.status()["available"] == true);
    eventually("the second is confirmed", || client.ask(old[1].0) == "one" && client.ask("other") == "other");
    ["none", "neither", "nothing"].iter().for_each(|key| client.serves(key, "FLAG_NOT_FOUND"));
    client.serves(old[0].0, "FLAG_NOT_FOUND");
    client.becomes(VALID);
    assert_eq!(client.ask(old[0].0), "FLAG_NOT_FOUND");
}
