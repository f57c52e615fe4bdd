//! How much one Redis sends to a fleet, and how soon an edit is served: docs/scale.md rests on this. The formulas of that page
//! are checked in small; the large measurement, with a thousand clients in ten processes, is `make fleet`.
//!
//! `FLEET_CLIENTS` and `FLEET_FLAGS` say what is measured, as lists with commas; `FLEET_REPEATS` how often.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "measurements are printed")]

#[path = "scale/model.rs"]
mod model;
#[path = "scale/process.rs"]
mod process;
#[path = "scale/redis.rs"]
mod server;
mod support;

use std::thread;
use std::time::{Duration, Instant};

use process::{EDITED, Fleet, USED, now};
use server::{Spent, Watch};
use support::*;

/// Nobody evaluates it.
const IDLE: &str = "flag-100";
/// Bytes of a flag beside its name and what every flag has.
const PADDING: usize = 900;

/// So many flags of about a kilobyte each, all giving "1".
fn data_set(count: usize) -> Vec<(&'static str, String)> {
    let sized = |(key, _): (&'static str, String)| (key, big_flag(key, 1, "1", PADDING));
    many_flags(count, 1, "1").into_iter().map(sized).collect()
}

fn bytes_of(flags: &[(&str, String)]) -> usize {
    flags.iter().map(|(key, text)| key.len() + text.len()).sum()
}

fn fleet_of(clients: usize, flags: &[(&str, String)]) -> model::Fleet {
    let used = &flags[..USED];
    let used_bytes = used.iter().map(|(_, text)| text.len()).sum();
    model::Fleet { clients, items: flags.len(), bytes: bytes_of(flags), used_items: USED, used_bytes }
}

/// Clients in this process, which have used what is in use.
fn small_fleet(server: &RedisServer, count: usize) -> Vec<Client> {
    let config = Config::of(server).with("refresh.interval_ms", "600000");
    let clients: Vec<Client> = (0..count).map(|_| config.started()).collect();
    clients.iter().for_each(|client| client.reports("freshness", "push"));
    clients
}

/// Edits one flag and waits until all serve it. What is in use is evaluated before and meanwhile.
fn edit(server: &RedisServer, clients: &[Client], version: i64) {
    let text = version.to_string();
    server.set_flag(EDITED, big_flag(EDITED, version, &text, PADDING));
    eventually("all serve it", || {
        clients.iter().for_each(|client| (1..USED).for_each(|flag| _ = client.ask(&format!("flag-{flag}"))));
        clients.iter().all(|client| client.ask(EDITED) == text)
    });
}

/// What the model says is what is measured, but for a seventh.
#[track_caller]
fn is_near(measured: f64, predicted: f64, what: &str) {
    let ratio = measured / predicted;
    assert!((0.87..1.15).contains(&ratio), "{what}: {measured} bytes, {predicted} by the formula: {ratio}");
}

#[test]
fn what_redis_sends_at_once_after_an_edit_is_what_the_documented_formula_says() {
    let flags = data_set(200);
    let server = RedisServer::holding(&flags, &[]);
    // With so many others everything else is read much later.
    let _others = server.tracked_by(3_000);
    let clients = small_fleet(&server, 20);
    let fleet = fleet_of(clients.len(), &flags);
    // The first edits tell the clients how many they are.
    (2..4).for_each(|version| edit(&server, &clients, version));
    let before = server.bytes_sent();
    (4..14).for_each(|version| edit(&server, &clients, version));
    let measured = server.bytes_sent() - before;
    is_near(measured as f64 / 10.0, fleet.at_once(), "an edit");
}

#[test]
fn what_redis_sends_when_everything_is_read_after_an_edit_is_what_the_documented_formula_says() {
    let flags = data_set(200);
    let server = RedisServer::holding(&flags, &[]);
    let clients = small_fleet(&server, 20);
    let fleet = fleet_of(clients.len(), &flags);
    // The first one tells the clients how many they are.
    let mut measured: Vec<f64> = (2..7).map(|version| bytes_of_edit(&server, &clients, version)).skip(1).collect();
    measured.sort_by(f64::total_cmp);
    is_near(measured[2], fleet.per_edit(Duration::from_secs(60)), "an edit, and everything after it");
}

/// Bytes from an edit of what nobody evaluates until everybody has it.
fn bytes_of_edit(server: &RedisServer, clients: &[Client], version: i64) -> f64 {
    for client in clients {
        client.drain();
        (0..USED).for_each(|flag| _ = client.ask(&format!("flag-{flag}")));
    }
    let before = server.bytes_sent();
    server.set_flag(IDLE, big_flag(IDLE, version, &version.to_string(), PADDING));
    clients.iter().for_each(|client| _ = client.hears_change_of(IDLE));
    (server.bytes_sent() - before) as f64
}

#[test]
#[ignore = "started by the measurement"]
fn one_process_of_a_fleet() {
    process::run();
}

/// What was measured of one fleet.
#[derive(Default)]
struct Row {
    connections: f64,
    idle_bytes: f64,
    edits: usize,
    span: Duration,
    bytes: f64,
    rest: f64,
    rest_within: Duration,
    processor: Duration,
    delays: Vec<u64>,
    buffers: (u64, u64),
}

const PROCESSES: usize = 10;
const EDITS: usize = 20;

/// One edit after the other, each when all serve the one before, and what is read afterwards.
fn measure(clients: usize, flags: &[(&str, String)]) -> Row {
    let server = RedisServer::holding(flags, &[]);
    server.run::<()>(&["CONFIG", "SET", "maxclients", "10000"]);
    let processes = PROCESSES.min(clients);
    let fleet = Fleet::start(&server.url(), processes, clients / processes);
    let mut watch = Watch::of(&server);
    let mut connection = server.connect();
    let mut row = Row { connections: watch.connections() - 1.0, ..Row::default() };
    let mut edit = |delays: &mut Vec<u64>| {
        let value = now().to_string();
        let text = big_flag(EDITED, i64::try_from(now() / 1_000).unwrap(), &value, PADDING);
        redis::cmd("HSET").arg("launchdarkly:features").arg(EDITED).arg(text).exec(&mut connection).unwrap();
        delays.extend(fleet.await_all(&value));
    };
    // The first one tells the clients how many they are.
    edit(&mut Vec::new());
    // Nobody reads everything before there has been quiet for a window.
    let pause = QUIET + fleet_of(clients, flags).window();
    quiet(&mut watch, pause);
    let (before, began) = (watch.spent(), Instant::now());
    thread::sleep(Duration::from_secs(2));
    row.idle_bytes = (watch.spent().bytes - before.bytes) / began.elapsed().as_secs_f64() / clients as f64;
    watch.restart();
    let (before, began) = (watch.spent(), Instant::now());
    (0..EDITS).for_each(|_| edit(&mut row.delays));
    let during = watch.spent();
    row.span = began.elapsed();
    (row.edits, row.bytes) = (EDITS, during.bytes - before.bytes);
    row.processor = during.processor - before.processor;
    row.buffers = watch.buffers();
    let (ended, rest) = (Instant::now(), quiet(&mut watch, pause));
    (row.rest, row.rest_within) = (rest.bytes - during.bytes, ended.elapsed() - pause);
    row
}

/// Nobody reads everything any more when less than this was sent in a window and so long a time.
const QUIET: Duration = Duration::from_secs(3);
const LITTLE: f64 = 500e3;

fn quiet(watch: &mut Watch, pause: Duration) -> Spent {
    let mut last = watch.spent();
    loop {
        thread::sleep(pause);
        let spent = watch.spent();
        if spent.bytes - last.bytes < LITTLE {
            return spent;
        }
        last = spent;
    }
}

fn list_of(variable: &str, otherwise: &[usize]) -> Vec<usize> {
    match std::env::var(variable) {
        Ok(list) => list.split(',').map(|number| number.parse().expect("a number")).collect(),
        Err(_) => otherwise.to_vec(),
    }
}

#[test]
#[ignore = "a measurement: make fleet"]
fn a_fleet_of_processes_on_one_redis() {
    let load = || std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    eprintln!("{PROCESSES} processes, {EDITS} edits one after the other; {USED} flags in use; load {}", load().trim());
    eprintln!(
        "clients flags  conns  idle B/s | edits/s  kB/edit  model | p50 ms  p99 ms  max ms | Redis ms/edit | buffers MB | rest MB  model  within s"
    );
    for count in list_of("FLEET_FLAGS", &[100, 1_000]) {
        let flags = data_set(count);
        for clients in list_of("FLEET_CLIENTS", &[100, 300, 1_000]) {
            for _ in 0..list_of("FLEET_REPEATS", &[1])[0] {
                print(&fleet_of(clients, &flags), measure(clients, &flags));
            }
        }
    }
    eprintln!("load {}", load().trim());
}

fn print(fleet: &model::Fleet, mut row: Row) {
    row.delays.sort_unstable();
    let delay = |share: f64| row.delays[((row.delays.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    let edits = row.edits as f64;
    let apart = row.span.div_f64(edits);
    eprintln!(
        "{:7} {:5} {:6} {:9.0} | {:7.1} {:8.0} {:6.0} | {:6.1} {:7.1} {:7.1} | {:13.2} | {:10.1} | {:7.1} {:6.1} {:9.1}",
        fleet.clients,
        fleet.items,
        row.connections,
        row.idle_bytes,
        edits / row.span.as_secs_f64(),
        row.bytes / edits / 1e3,
        fleet.per_edit(apart) / 1e3,
        delay(0.5),
        delay(0.99),
        delay(1.0),
        row.processor.as_secs_f64() * 1e3 / edits,
        (row.buffers.1 - row.buffers.0) as f64 / 1e6,
        row.rest / 1e6,
        fleet.everything() / 1e6,
        row.rest_within.as_secs_f64(),
    );
}
