//! Everything that happens to a Redis, in random order: kills, hangs, replacements, wipes, partial refills, other servers behind
//! the same name. All the while every known flag is evaluated: each answer must be a value that was written for that flag, not
//! older than what the client has already served in quiet, and never a default. After each round every client must hold the truth.
//!
//! `CHAOS_ROUNDS` sets the number of rounds (`make chaos`: 200), without it there are twenty in at most twenty seconds;
//! `CHAOS_SEED` repeats a run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "chaos/dice.rs"]
mod dice;
mod support;
#[path = "chaos/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use support::*;
use world::{DEPENDENT, World};

const SHORT: (u32, Duration) = (20, Duration::from_secs(20));
/// How soon every client holds the truth when all is quiet, on a busy machine.
const CONVERGED: Duration = Duration::from_secs(30);

fn impatient_at(config: Config, gate: &Gate, residency: &str) -> Config {
    [
        ("redis.url", gate.url().as_str()),
        ("redis.connect_timeout_ms", "500"),
        ("redis.command_timeout_ms", "500"),
        ("redis.ping_ms", "200"),
        ("refresh.interval_ms", "300"),
        ("cache.ttl_ms", "300"),
        ("cache.residency", residency),
        ("cache.on_wipe", "keep"),
    ]
    .iter()
    .fold(config, |config, (name, value)| config.with(name, value))
}

/// Waits until every client holds the truth.
fn settle(world: &World, clients: &[(&str, Client)], what: &str) {
    for (name, client) in clients {
        let begin = Instant::now();
        while !world.truth.is_held_by(client) {
            let status = client.status();
            assert!(begin.elapsed() < CONVERGED, "{name} does not learn the truth after {what}: {status}");
            thread::sleep(Duration::from_millis(10));
        }
    }
    world.truth.settle();
}

/// Round after round, while every client is asked all the time.
fn chaos(mut world: World, seed: u64, clients: &[(&str, Client)]) {
    clients.iter().for_each(|(_, client)| DEPENDENT.iter().for_each(|key| client.serves(key, "in")));
    settle(&world, clients, "the start");
    let (truth, over) = (world.truth.clone(), AtomicBool::new(false));
    let (wrong, story) = (Mutex::new(BTreeSet::new()), Mutex::new(Vec::<String>::new()));
    let outcome = thread::scope(|scope| {
        for (name, client) in clients {
            let (truth, over, wrong, story) = (&truth, &over, &wrong, &story);
            scope.spawn(move || {
                while !over.load(SeqCst) {
                    for what in truth.wrong(client) {
                        let round = story.lock().unwrap().len() + 1;
                        wrong.lock().unwrap().insert(format!("round {round}: {name}: {what}"));
                    }
                    thread::sleep(Duration::from_millis(3));
                }
            });
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let (rounds, limit) = dice::rounds(SHORT);
            let began = Instant::now();
            for _ in 0..rounds {
                if began.elapsed() > limit {
                    break;
                }
                let what = world.round();
                story.lock().unwrap().push(what.clone());
                settle(&world, clients, &what);
            }
        }));
        over.store(true, SeqCst);
        outcome
    });
    let (wrong, story) = (wrong.into_inner().unwrap(), story.into_inner().unwrap());
    let told: Vec<&String> = wrong.iter().take(20).collect();
    assert!(wrong.is_empty(), "CHAOS_SEED={seed}: {} wrong answers: {told:#?} in {story:#?}", wrong.len());
    outcome.unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        match message {
            Some(message) => panic!("CHAOS_SEED={seed}: {message} in {story:#?}"),
            None => resume_unwind(panic),
        }
    });
}

#[test]
fn in_daemon_mode_whatever_happens_to_redis_every_answer_is_right() {
    let seed = dice::seed();
    let world = World::new(None, seed);
    let of = |residency: &str| impatient_at(Config::new(), &world.gate, residency).started();
    let clients = [("all", of("all")), ("lazy", of("lazy"))];
    chaos(world, seed, &clients);
}

#[test]
fn in_connected_mode_whatever_happens_to_redis_and_the_source_every_answer_is_right() {
    let seed = dice::seed();
    let world = World::new(Some(launchdarkly(&[])), seed);
    let of = |residency: &str| {
        let source = streaming(world.fake.as_ref().unwrap());
        impatient_at(source, &world.gate, residency).started()
    };
    let all = of("all");
    eventually("Redis is filled", || world.server().is_inited());
    let reader = impatient_at(Config::new(), &world.gate, "all").started();
    let clients = [("connected, all", all), ("connected, lazy", of("lazy")), ("daemon, all", reader)];
    chaos(world, seed, &clients);
}
