//! What the Redis tests share: a private server, a host that enters through the exported C functions, items as JSON, a proxy
//! that spoils connections and a gate that spoils commands. Each test binary uses a part of it. Needs the programs `redis-server` and `openssl`.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod certificates;
mod cluster;
mod edits;
mod gate;
mod host;
mod items;
mod launchdarkly;
mod machine;
mod proxies;
mod proxy;
mod resp;
mod scripted;
mod sentinel;
mod server;
mod servers;

pub use certificates::Certificates;
pub use cluster::{RedisCluster, SPREAD, TAGGED, as_node};
pub use edits::sees_every_edit;
pub use flagdata::free_port;
pub use gate::{Gate, Role, Rule, Seen};
pub use host::*;
pub use items::*;
pub use launchdarkly::{SDK_KEY, impatient, launchdarkly, storing, streaming, telling, telling_at};
pub use machine::{Machine, in_time};
pub use proxies::{Haproxy, Twemproxy};
pub use proxy::{Mode, Proxy};
pub use scripted::{Scripted, ScriptedSentinel, bulk};
pub use sentinel::{Deployment, SERVICE, hurry, replicating, watching};
pub use server::{PREFIX, RedisServer, Setup, TempDir};
pub use servers::{Program, left_out, on_every_server, programs, say, those_with};

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for something that is to happen: a slow and busy machine must not fail a test.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The same in milliseconds, for calls into the library.
pub const PATIENCE_MS: u32 = 30_000;

/// Waits until `condition` holds; fails the test when it does not within [`PATIENCE`].
#[track_caller]
pub fn eventually(what: &str, condition: impl FnMut() -> bool) {
    wait_until(PATIENCE, what, condition);
}

/// Waits until `condition` holds; fails the test when it does not within `patience`.
#[track_caller]
pub fn wait_until(patience: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs `check` again and again for `span`: for what must hold all the time.
pub fn throughout(span: Duration, mut check: impl FnMut()) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        check();
        thread::sleep(Duration::from_millis(2));
    }
}

/// Says that it is over when it ends, however that is: threads that go on until then must not keep a failed test from ending.
pub struct OverAtTheEnd<'a>(pub &'a AtomicBool);

impl Drop for OverAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// How long `action` took, beside its result.
pub fn timed<T>(action: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let result = action();
    (result, began.elapsed())
}

/// The texts of the log lines of this level among `notices`: 0 is debug, 3 is error.
pub fn log_lines(notices: &[Notice], level: i32) -> Vec<String> {
    let text = |notice: &Notice| match notice {
        Notice::Log { level: told, text } if *told == level => Some(text.clone()),
        _ => None,
    };
    notices.iter().filter_map(text).collect()
}
