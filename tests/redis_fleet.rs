//! Many clients at one Redis: what they read of it after edits and after an outage, and how often they seek one that is away.
//! The large ones are measurements: `make fleet` runs them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "measurements are printed")]

mod support;

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use support::*;

/// What a fleet may read in a second, as the documentation says.
const BYTES_PER_SECOND: f64 = 100e6;
const USED: &str = "flag-0";
const IDLE: &str = "flag-1";
/// `Notice::Log` levels.
const WARN: i32 = 2;
const ERROR: i32 = 3;

/// So many flags of one kilobyte each, and their bytes.
fn data_set(count: usize) -> (Vec<(&'static str, String)>, usize) {
    let sized = |(key, _): (&'static str, String)| (key, big_flag(key, 1, "1", 900));
    let flags: Vec<_> = many_flags(count, 1, "1").into_iter().map(sized).collect();
    let bytes = flags.iter().map(|(key, text)| key.len() + text.len()).sum();
    (flags, bytes)
}

fn edit(server: &RedisServer, key: &str, version: i64) {
    server.set_flag(key, big_flag(key, version, &version.to_string(), 900));
}

fn start(config: &Config, count: usize) -> Vec<Client> {
    let clients: Vec<Client> = (0..count).map(|_| config.client()).collect();
    clients.iter().for_each(|client| client.start(0).unwrap());
    clients.iter().for_each(|client| client.start(PATIENCE_MS).unwrap());
    clients
}

/// Five edits of a flag that every client evaluates: what Redis sent until the last was served everywhere, how long that
/// was, and what it had sent when every client held the change of a flag that none evaluates.
fn five_edits(server: &RedisServer, clients: &[Client], pause: Duration) -> (u64, Duration, u64) {
    clients.iter().for_each(|client| client.serves(USED, "1"));
    clients.iter().for_each(|client| _ = client.drain());
    let (before, began) = (server.bytes_sent(), Instant::now());
    edit(server, IDLE, 2);
    for version in 2..7 {
        edit(server, USED, version);
        clients.iter().for_each(|client| client.serves(USED, &version.to_string()));
        thread::sleep(pause);
    }
    let (during, span) = (server.bytes_sent() - before, began.elapsed());
    clients.iter().for_each(|client| _ = client.hears_change_of(IDLE));
    (during, span, server.bytes_sent() - before)
}

#[test]
fn a_fleet_reads_everything_once_after_a_burst_of_edits_and_what_is_in_use_at_once() {
    let (flags, bytes) = data_set(600);
    let server = RedisServer::holding(&flags, &[]);
    let _others = server.tracked_by(190);
    let clients = start(&Config::of(&server), 10);
    let (during, span, all) = five_edits(&server, &clients, Duration::from_millis(150));
    // Edits further apart than this are no burst: a slow machine may make them so.
    let window = bytes as f64 * 200.0 / BYTES_PER_SECOND;
    let passes = (span.as_secs_f64() / window).floor();
    let of_all = (clients.len() * bytes) as f64;
    let (during, all) = (during as f64 / of_all, all as f64 / of_all);
    assert!(during < passes + 0.3, "{during} sets each during the edits, which took {span:?}");
    assert!(all < passes + 1.3, "{all} sets each in all");
    assert!(all > 0.9, "the idle flag came with everything else");
}

#[test]
fn a_client_whose_host_subscribes_to_changes_of_flags_hears_of_all_of_them_at_once() {
    let (flags, _) = data_set(600);
    let server = RedisServer::holding(&flags, &[]);
    // With so many others, everybody else waits for many seconds.
    let _others = server.tracked_by(3_000);
    let config = Config::of(&server).with("refresh.interval_ms", "60000");
    let (listener, other) = (config.started(), config.started());
    listener.subscribe(true).unwrap();
    edit(&server, IDLE, 2);
    assert_eq!(listener.hears_change_of(IDLE), (Some(1), Some(2)));
    let heard = other.drain();
    assert!(!heard.iter().any(|notice| matches!(notice, Notice::Changed { .. })), "{heard:?}");
    // Who evaluates it does not wait either.
    other.serves(IDLE, "2");
    listener.subscribe(false).unwrap();
    assert_eq!(listener.close(PATIENCE_MS), OK);
    assert_eq!(listener.subscribe(true).unwrap_err().status, CLOSED);
}

#[test]
fn after_an_outage_what_is_in_use_is_read_at_once_and_everything_else_in_turn() {
    let (flags, bytes) = data_set(600);
    let server = RedisServer::holding(&flags, &[]);
    let _others = server.tracked_by(190);
    let gate = Gate::to(server.port());
    let clients = start(&Config::at(&gate.url()), 10);
    clients.iter().for_each(|client| client.serves(USED, "1"));
    gate.set_dead(true);
    clients.iter().for_each(|client| client.becomes(INTERRUPTED));
    edit(&server, USED, 2);
    edit(&server, IDLE, 2);
    clients.iter().for_each(|client| _ = client.drain());
    let before = server.bytes_sent();
    gate.set_dead(false);
    clients.iter().for_each(|client| client.serves(USED, "2"));
    clients.iter().for_each(|client| client.becomes(VALID));
    clients.iter().for_each(|client| _ = client.hears_change_of(IDLE));
    let sent = (server.bytes_sent() - before) as f64 / (clients.len() * bytes) as f64;
    assert!(sent > 0.9 && sent < 1.4, "{sent} sets each");
}

/// Where a killed server was: takes connections, ends them, and counts.
fn dead_end(port: u16) -> Arc<AtomicU64> {
    let mut listener = None;
    eventually("the port is free", || {
        listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok();
        listener.is_some()
    });
    let (listener, count) = (listener.unwrap(), Arc::new(AtomicU64::new(0)));
    let counted = count.clone();
    thread::spawn(move || listener.incoming().flatten().for_each(|_| _ = counted.fetch_add(1, Relaxed)));
    count
}

/// Idle clients whose Redis is killed: connects so far, about each second and with the time since the kill, and lines of
/// each client's log.
fn dead_redis(count: usize, seconds: usize) -> (Vec<(u64, Duration)>, Vec<Vec<Notice>>) {
    let (flags, _) = data_set(5);
    let mut server = RedisServer::holding(&flags, &[]);
    let clients = start(&Config::of(&server), count);
    clients.iter().for_each(|client| _ = client.hears_state(VALID));
    clients.iter().for_each(|client| _ = client.drain());
    let killed = Instant::now();
    server.kill();
    let connects = dead_end(server.port());
    let each = |_| {
        thread::sleep(Duration::from_secs(1));
        (connects.load(Relaxed), killed.elapsed())
    };
    let seconds = (0..seconds).map(each).collect();
    (seconds, clients.iter().map(Client::drain).collect())
}

#[test]
fn idle_clients_of_a_dead_redis_seek_it_once_a_second_at_most_and_say_so_once() {
    let (seconds, told) = dead_redis(20, 8);
    // At once, and then no more than one a second. Two threads of a client notice the loss: the one that does first tries once or
    // twice more where a stalled machine has the other one wait.
    let is_rare = |(connects, since): &(u64, Duration)| *connects <= 20 * (since.as_secs() + 3);
    assert!(seconds.iter().all(is_rare), "{seconds:?} connects of 20 clients");
    for told in told {
        let lines: Vec<String> = [WARN, ERROR].iter().flat_map(|level| log_lines(&told, *level)).collect();
        assert_eq!(lines.len(), 1, "{told:#?}");
    }
}

/// What this process has had of processors so far, in steps of a hundredth of a second.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name is in brackets; user and system time are the 12th and 13th field after it.
    let fields = text.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
    fields.map(|ticks| Duration::from_millis(ticks.parse::<u64>().unwrap() * 10)).sum()
}

#[test]
#[ignore = "a measurement: make fleet"]
fn two_hundred_clients_and_five_edits_in_five_seconds() {
    let (flags, bytes) = data_set(820);
    let server = RedisServer::holding(&flags, &[]);
    let clients = start(&Config::of(&server), 200);
    clients.iter().for_each(|client| client.serves(USED, "1"));
    clients.iter().for_each(|client| _ = client.drain());
    let in_use: Vec<String> = (2..22).map(|number| format!("flag-{number}")).collect();
    let (before, began, spent) = (server.bytes_sent(), Instant::now(), processor_time());
    edit(&server, IDLE, 2);
    let mut delays = Vec::new();
    for version in 2..7 {
        for key in &in_use {
            clients.iter().for_each(|client| _ = client.ask(key));
        }
        let (text, written) = (version.to_string(), Instant::now());
        edit(&server, USED, version);
        let mut waiting: Vec<&Client> = clients.iter().collect();
        while !waiting.is_empty() {
            waiting.retain(|client| {
                let served = client.ask(USED) == text;
                if served {
                    delays.push(written.elapsed());
                }
                !served
            });
            thread::sleep(Duration::from_micros(200));
        }
        thread::sleep(Duration::from_secs(1).saturating_sub(written.elapsed()));
    }
    let (during, span, spent) = (server.bytes_sent() - before, began.elapsed(), processor_time() - spent);
    clients.iter().for_each(|client| _ = client.hears_change_of(IDLE));
    let (all, settled) = (server.bytes_sent() - before, began.elapsed());
    delays.sort_unstable();
    let quantile = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    let mb = |bytes: u64| bytes as f64 / 1e6;
    eprintln!("200 clients, {bytes} bytes, five edits in {span:?}");
    eprintln!(
        "out of Redis: {:.1} MB during the edits, {:.1} MB until all was read after {settled:?}",
        mb(during),
        mb(all)
    );
    eprintln!("processor time of clients and measurement during the edits: {spent:?}");
    eprintln!("edit written to served: p50 {:?}, p99 {:?}, longest {:?}", quantile(0.5), quantile(0.99), quantile(1.0));
}

#[test]
#[ignore = "a measurement: make fleet"]
fn a_thousand_idle_clients_and_a_dead_redis() {
    let (seconds, told) = dead_redis(1_000, 20);
    let lines = |level| told.iter().map(|told| log_lines(told, level).len()).sum::<usize>();
    let mut last = 0;
    let each: Vec<u64> =
        seconds.iter().map(|(connects, _)| connects - std::mem::replace(&mut last, *connects)).collect();
    eprintln!("connects of 1,000 clients in each second: {each:?}");
    eprintln!("log lines of all: {} warnings, {} errors", lines(WARN), lines(ERROR));
}
