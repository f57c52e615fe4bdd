//! A client in connected mode that has nothing to do does nothing. In a program of its own: what its threads do is counted by
//! their name, and other tests have such threads too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use fakeld::Kind;
use support::*;

/// One after the other.
static ALONE: Mutex<()> = Mutex::new(());

/// How often the store threads of this process have waited for something so far.
fn waits_of_store_threads() -> u64 {
    let mut waits = 0;
    for task in fs::read_dir("/proc/self/task").unwrap().flatten() {
        let Ok(name) = fs::read_to_string(task.path().join("comm")) else { continue };
        let Ok(status) = fs::read_to_string(task.path().join("status")) else { continue };
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        if name.trim() == "flagstone-store" {
            waits += line.unwrap().trim().parse::<u64>().unwrap();
        }
    }
    waits
}

#[test]
fn a_redis_that_is_only_read_beside_a_source_is_watched_without_haste() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (fake, server) = (launchdarkly(&[("a", flag("a", 1, "one"))]), RedisServer::start());
    let client = impatient(&fake, &server).with("store.write", "false").started();
    assert_eq!(client.ask("a"), "one");
    sleep(Duration::from_secs(1));
    let before = waits_of_store_threads();
    sleep(Duration::from_secs(1));
    let waits = waits_of_store_threads() - before;
    assert!(waits < 100, "{waits} times awake in a second");
    eventually("Redis is known to be there", || client.info().store_available);
    server.stop();
    eventually("Redis is known to be away", || !client.info().store_available);
    server.cont();
    eventually("Redis is known to be back", || client.info().store_available);
    assert_eq!(server.calls_of("hset"), 0);
}

#[test]
fn what_waits_for_a_redis_that_is_away_waits_without_haste() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for residency in ["all", "lazy"] {
        let (fake, mut server) = (launchdarkly(&[("a", flag("a", 1, "one"))]), RedisServer::start());
        let client = storing(&fake, &server).with("cache.residency", residency).started();
        eventually("the server is filled", || server.is_inited());
        client.serves("a", "one");
        server.kill();
        fake.patch(Kind::Flag, &flag("a", 2, "two")).unwrap();
        client.serves("a", "two");
        eventually("Redis is known to be away", || !client.info().store_available);
        sleep(Duration::from_secs(4));
        let before = waits_of_store_threads();
        sleep(Duration::from_secs(4));
        let waits = waits_of_store_threads() - before;
        assert!(waits < 400, "{residency}: {waits} times awake in four seconds");
        server.restart();
        eventually("the edit is written", || server.text("features", "a").is_some_and(|text| text.contains("two")));
    }
}
