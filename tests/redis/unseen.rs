//! Nobody could tell what happened to Redis: it was away, or emptied at once. What is missing right afterwards, be it ever so
//! little, may be what a refill has not come to yet, and stays in force until two reads agree.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use redis::pipe;

use crate::support::*;

const COUNT: usize = 10;
/// So many are missing at first: fewer than would be taken for a loss by their number.
const LATE: usize = 3;
/// The refill goes on before two reads can agree.
const REFILL: Duration = Duration::from_millis(1_000);
/// Reconnecting, and two reads that agree, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn client_of(url: &str, residency: &str, flags: &[(&'static str, String)]) -> Client {
    let client = Config::new().with("redis.url", url).with("cache.residency", residency).started();
    client.reports("freshness", "push");
    flags.iter().for_each(|(key, _)| client.serves(key, "one"));
    client
}

/// How Redis is asked, and what it is asked by.
fn each_way(scenario: impl Fn(&str, bool) + Sync) {
    thread::scope(|scope| {
        let scenario = &scenario;
        for residency in ["all", "lazy"] {
            for tells_who_it_is in [true, false] {
                scope.spawn(move || scenario(residency, tells_who_it_is));
            }
        }
    });
}

fn gate_to(server: &RedisServer, tells_who_it_is: bool) -> Gate {
    let gate = Gate::to(server.port());
    if !tells_who_it_is {
        gate.rule("INFO", Rule::error("NOPERM this user has no permissions to run the 'info' command"));
    }
    gate
}

/// Every flag has one of both values all the time, while what is missing is written at last.
fn is_refilled(client: &Client, server: &RedisServer, new: &[(&'static str, String)], what: &str) {
    wait_until(SOON, &format!("{what}: what is there"), || client.ask(new[0].0) == "two");
    throughout(REFILL, || {
        for (key, _) in new {
            let answer = client.ask(key);
            assert!(["one", "two"].contains(&answer.as_str()), "{what}: {key} is {answer}");
        }
    });
    new[COUNT - LATE..].iter().for_each(|(key, text)| server.set_flag(*key, text));
    new.iter().for_each(|(key, _)| client.serves(key, "two"));
    client.becomes(VALID);
    eventually("nothing is stale", || !client.detail(new[0].0).stale);
}

#[test]
fn what_an_emptied_server_lacks_still_when_it_is_reached_again_stays_in_force() {
    each_way(|residency, tells_who_it_is| {
        let what = format!("{residency}, tells: {tells_who_it_is}");
        let (old, new) = (many_flags(COUNT, 1, "one"), many_flags(COUNT, 2, "two"));
        let server = RedisServer::holding(&old, &[]);
        let gate = gate_to(&server, tells_who_it_is);
        let client = client_of(&gate.url(), residency, &old);
        gate.set_dead(true);
        server.replace(&new[..COUNT - LATE], &[]);
        gate.set_dead(false);
        is_refilled(&client, &server, &new, &what);
    });
}

#[test]
fn what_another_server_lacks_at_first_stays_in_force() {
    each_way(|residency, tells_who_it_is| {
        let what = format!("{residency}, tells: {tells_who_it_is}");
        let (old, new) = (many_flags(COUNT, 1, "one"), many_flags(COUNT, 2, "two"));
        let (first, second) = (RedisServer::holding(&old, &[]), RedisServer::holding(&new[..COUNT - LATE], &[]));
        let gate = gate_to(&first, tells_who_it_is);
        let client = client_of(&gate.url(), residency, &old);
        gate.lead_to(second.port());
        gate.cut(Role::Data);
        gate.cut(Role::Any);
        is_refilled(&client, &second, &new, &what);
    });
}

#[test]
fn what_another_server_lacks_at_first_stays_in_force_where_items_are_read_again_by_age() {
    each_way(|residency, tells_who_it_is| {
        let what = format!("{residency}, tells: {tells_who_it_is}");
        let (old, new) = (many_flags(COUNT, 1, "one"), many_flags(COUNT, 2, "two"));
        let (first, second) = (RedisServer::holding(&old, &[]), RedisServer::holding(&new[..COUNT - LATE], &[]));
        let gate = gate_to(&first, tells_who_it_is);
        let config = Config::new().with("redis.url", &gate.url()).with("cache.residency", residency);
        let client = config.with("cache.freshness", "ttl").with("cache.ttl_ms", "200").started();
        old.iter().for_each(|(key, _)| client.serves(key, "one"));
        gate.lead_to(second.port());
        gate.cut(Role::Any);
        is_refilled(&client, &second, &new, &what);
    });
}

#[test]
fn what_is_missing_after_a_flush_and_the_greater_part_of_a_refill_stays_in_force() {
    each_way(|residency, tells_who_it_is| {
        let what = format!("{residency}, tells: {tells_who_it_is}");
        let (old, new) = (many_flags(COUNT, 1, "one"), many_flags(COUNT, 2, "two"));
        let server = RedisServer::holding(&old, &[]);
        let gate = gate_to(&server, tells_who_it_is);
        let client = client_of(&gate.url(), residency, &old);
        let mut pipeline = pipe();
        pipeline.atomic().cmd("FLUSHALL").cmd("SET").arg("launchdarkly:$inited").arg("");
        for (key, text) in &new[..COUNT - LATE] {
            pipeline.cmd("HSET").arg("launchdarkly:features").arg(key).arg(text);
        }
        server.send(&pipeline);
        is_refilled(&client, &server, &new, &what);
    });
}

#[test]
fn what_was_deleted_while_redis_was_away_is_gone_soon_after_it_is_back() {
    each_way(|residency, tells_who_it_is| {
        let what = format!("{residency}, tells: {tells_who_it_is}");
        let flags = many_flags(COUNT, 1, "one");
        let server = RedisServer::holding(&flags, &[]);
        let gate = gate_to(&server, tells_who_it_is);
        let client = client_of(&gate.url(), residency, &flags);
        gate.set_dead(true);
        server.remove_flag(flags[0].0);
        gate.set_dead(false);
        wait_until(SOON, &format!("{what}: the deletion"), || client.ask(flags[0].0) == "FLAG_NOT_FOUND");
        client.becomes(VALID);
        // From then on it is told what happens.
        let mut in_time = false;
        for (key, _) in &flags[1..4] {
            server.remove_flag(key);
            let ((), took) = timed(|| client.serves(key, "FLAG_NOT_FOUND"));
            in_time |= took < Duration::from_millis(1_900);
        }
        assert!(in_time, "{what}: a deletion waits although nothing was missed");
    });
}

#[test]
fn what_was_deleted_while_redis_was_away_is_gone_soon_also_where_something_is_edited_all_the_time() {
    each_way(|residency, tells_who_it_is| {
        let what = format!("{residency}, tells: {tells_who_it_is}");
        let flags = many_flags(COUNT, 1, "one");
        let server = RedisServer::holding(&flags, &[]);
        let gate = gate_to(&server, tells_who_it_is);
        let client = client_of(&gate.url(), residency, &flags);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let _end = OverAtTheEnd(&over);
            scope.spawn(|| {
                let (key, mut version) = (flags[1].0, 1);
                while !over.load(SeqCst) {
                    version += 1;
                    server.set_flag(key, flag(key, version, "one"));
                    thread::sleep(Duration::from_millis(300));
                }
            });
            gate.set_dead(true);
            server.remove_flag(flags[0].0);
            gate.set_dead(false);
            wait_until(SOON, &format!("{what}: the deletion"), || client.ask(flags[0].0) == "FLAG_NOT_FOUND");
            client.becomes(VALID);
        });
    });
}

#[test]
fn what_is_missing_after_the_data_set_was_removed_and_the_greater_part_of_a_refill_stays_in_force() {
    each_way(|residency, tells_who_it_is| {
        let what = format!("{residency}, tells: {tells_who_it_is}");
        let (old, new) = (many_flags(COUNT, 1, "one"), many_flags(COUNT, 2, "two"));
        let server = RedisServer::holding(&old, &[]);
        let gate = gate_to(&server, tells_who_it_is);
        let client = client_of(&gate.url(), residency, &old);
        server.remove(&["features", "$inited"]);
        client.reports("wiped", true);
        old.iter().for_each(|(key, _)| client.serves(key, "one"));
        server.replace(&new[..COUNT - LATE], &[]);
        is_refilled(&client, &server, &new, &what);
    });
}
