//! Nobody could tell what happened to Redis: it was away, or emptied at once. What is missing right afterwards, be it ever so
//! little, may be what a refill has not come to yet, and stays in force until two reads agree.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use crate::support::*;

const COUNT: usize = 10;
/// So many are missing at first: fewer than would be taken for a loss by their number.
const LATE: usize = 3;
/// The refill goes on before two reads can agree.
const REFILL: Duration = Duration::from_millis(1_000);
/// Reconnecting, and two reads that agree, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// A client that holds flags of the value `one`, and how it came to them.
struct Scene {
    what: String,
    old: Vec<(&'static str, String)>,
    /// What a refill holds in the end, of the value `two`.
    new: Vec<(&'static str, String)>,
    server: RedisServer,
    gate: Gate,
    client: Client,
}

impl Scene {
    fn begin(residency: &str, freshness: &str, tells_who_it_is: bool) -> Self {
        let (old, new) = (many_flags(COUNT, 1, "one"), many_flags(COUNT, 2, "two"));
        let server = RedisServer::holding(&old, &[]);
        let gate = gate_to(&server, tells_who_it_is);
        let config = Config::new().with("redis.url", &gate.url()).with("cache.residency", residency);
        let client = config.with("cache.freshness", freshness).with("cache.ttl_ms", "200").started();
        client.reports("freshness", freshness);
        old.iter().for_each(|(key, _)| client.serves(key, "one"));
        Self { what: format!("{residency}, tells: {tells_who_it_is}"), old, new, server, gate, client }
    }

    /// The refill so far.
    fn in_part(&self) -> &[(&'static str, String)] {
        &self.new[..COUNT - LATE]
    }

    /// Happens while Redis is away.
    fn while_away(&self, happens: impl FnOnce(&Self)) {
        self.gate.set_dead(true);
        happens(self);
        self.gate.set_dead(false);
    }

    fn first_is_gone(&self) {
        let key = self.old[0].0;
        wait_until(SOON, &format!("{}: the deletion", self.what), || self.client.ask(key) == "FLAG_NOT_FOUND");
        self.client.becomes(VALID);
    }

    /// Every flag has one of both values all the time, while what is missing is written at last.
    fn is_refilled(&self, server: &RedisServer) {
        let Self { what, new, client, .. } = self;
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
}

/// With each way to hold what was read, whether Redis tells who it is or not.
fn each_way(freshness: &str, scenario: impl Fn(&Scene) + Sync) {
    thread::scope(|scope| {
        let scenario = &scenario;
        for residency in ["all", "lazy"] {
            for tells_who_it_is in [true, false] {
                scope.spawn(move || scenario(&Scene::begin(residency, freshness, tells_who_it_is)));
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

#[test]
fn what_an_emptied_server_lacks_still_when_it_is_reached_again_stays_in_force() {
    each_way("push", |scene| {
        scene.while_away(|scene| scene.server.replace(scene.in_part(), &[]));
        scene.is_refilled(&scene.server);
    });
}

#[test]
fn what_another_server_lacks_at_first_stays_in_force() {
    each_way("push", |scene| {
        let second = RedisServer::holding(scene.in_part(), &[]);
        scene.gate.lead_to(second.port());
        scene.gate.cut(Role::Data);
        scene.gate.cut(Role::Any);
        scene.is_refilled(&second);
    });
}

#[test]
fn what_another_server_lacks_at_first_stays_in_force_where_items_are_read_again_by_age() {
    each_way("ttl", |scene| {
        let second = RedisServer::holding(scene.in_part(), &[]);
        scene.gate.lead_to(second.port());
        scene.gate.cut(Role::Any);
        scene.is_refilled(&second);
    });
}

#[test]
fn what_is_missing_after_a_flush_and_the_greater_part_of_a_refill_stays_in_force() {
    each_way("push", |scene| {
        scene.server.flush_and_replace(scene.in_part());
        scene.is_refilled(&scene.server);
    });
}

#[test]
fn what_was_deleted_while_redis_was_away_is_gone_soon_after_it_is_back() {
    each_way("push", |scene| {
        let Scene { what, old, server, client, .. } = scene;
        scene.while_away(|scene| scene.server.remove_flag(scene.old[0].0));
        scene.first_is_gone();
        // From then on it is told what happens.
        let mut in_time = false;
        for (key, _) in &old[1..4] {
            server.remove_flag(key);
            let ((), took) = timed(|| client.serves(key, "FLAG_NOT_FOUND"));
            in_time |= took < Duration::from_millis(1_900);
        }
        assert!(in_time, "{what}: a deletion waits although nothing was missed");
    });
}

#[test]
fn what_was_deleted_while_redis_was_away_is_gone_soon_also_where_something_is_edited_all_the_time() {
    each_way("push", |scene| {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let _end = OverAtTheEnd(&over);
            scope.spawn(|| {
                let (key, mut version) = (scene.old[1].0, 1);
                while !over.load(SeqCst) {
                    version += 1;
                    scene.server.set_flag(key, flag(key, version, "one"));
                    thread::sleep(Duration::from_millis(300));
                }
            });
            scene.while_away(|scene| scene.server.remove_flag(scene.old[0].0));
            scene.first_is_gone();
        });
    });
}

#[test]
fn what_is_missing_after_the_data_set_was_removed_and_the_greater_part_of_a_refill_stays_in_force() {
    each_way("push", |scene| {
        let Scene { old, server, client, .. } = scene;
        server.remove(&["features", "$inited"]);
        client.reports("wiped", true);
        old.iter().for_each(|(key, _)| client.serves(key, "one"));
        server.replace(scene.in_part(), &[]);
        scene.is_refilled(server);
    });
}
