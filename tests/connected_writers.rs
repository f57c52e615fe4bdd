//! Two processes that write the same Redis: what one of them wrote is never replaced by something older of the other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::thread;
use std::time::{Duration, Instant};

use fakeld::Kind;
use support::*;

/// Longer than a full data set waits for another writer.
const QUIET: Duration = Duration::from_secs(7);

#[test]
fn full_data_sets_in_quick_succession_never_move_a_reader_backwards() {
    thread::scope(|scope| {
        for residency in ["all", "lazy"] {
            scope.spawn(move || full_data_sets_never_go_backwards(residency));
        }
    });
}

fn full_data_sets_never_go_backwards(residency: &str) {
    let (fake, server) = (launchdarkly(&many_flags(40, 1, "1")), RedisServer::start());
    let writers = ["all", residency].map(|residency| {
        let writer = storing(&fake, &server).with("cache.residency", residency).started();
        eventually("it is written", || server.is_inited());
        writer
    });
    let reader = Config::of(&server).started();
    let mut last = 1;
    let mut look = || {
        let answer = reader.ask("flag-0");
        let value: i64 = answer.parse().unwrap_or_else(|_| panic!("{residency}: {answer} after {last}"));
        assert!(value >= last, "{residency}: {value} after {last}");
        last = value;
        value
    };
    for version in 2..30 {
        let flags = many_flags(40, version, &version.to_string());
        fake.edit(|environment| flags.iter().for_each(|(_, text)| _ = environment.set(Kind::Flag, text).unwrap()));
        fake.put();
        let deadline = Instant::now() + PATIENCE;
        while look() < version {
            assert!(Instant::now() < deadline, "{residency}: {version} does not arrive");
            thread::sleep(Duration::from_millis(1));
        }
    }
    throughout(QUIET, || assert_eq!(look(), 29));
    writers.iter().for_each(|writer| writer.serves("flag-0", "29"));
}
