//! A client in connected mode that has nothing to do does nothing. In a program of its own: what its threads do is counted by
//! their name, and other tests have such threads too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use support::*;

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
