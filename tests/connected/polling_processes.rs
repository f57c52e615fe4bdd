//! Two processes that poll LaunchDarkly and write the same Redis: what was deleted does not come back from the one that has
//! not heard of it yet; what was lost does.

use std::thread;
use std::time::{Duration, Instant};

use fakeld::Kind;

use crate::support::*;

const EARLY_POLL: &str = "500";
/// Longer than anything waits before it writes a missing item again.
const LATE_POLL: Duration = Duration::from_secs(16);

fn polling(fake: &fakeld::Fake, server: &RedisServer, interval: &str) -> Config {
    storing(fake, server)
        .with("source.kind", "poll")
        .with("poll.interval_ms", interval)
        .with("poll.allow_short", "true")
}

/// The version of a flag in Redis that is no mark of a deletion.
fn live(server: &RedisServer, key: &str) -> Option<i64> {
    let item: serde_json::Value = serde_json::from_str(&server.text("features", key)?).unwrap();
    if item["deleted"] == true { None } else { item["version"].as_i64() }
}

#[test]
fn a_flag_that_was_deleted_does_not_come_back_from_a_process_that_has_not_polled_yet() {
    thread::scope(|scope| {
        for count in [1, 3] {
            scope.spawn(move || deleted_flags_stay_away(count));
        }
    });
}

fn deleted_flags_stay_away(count: usize) {
    let flags = many_flags(20, 1, "one");
    let (fake, server) = (launchdarkly(&flags), RedisServer::start());
    let late = polling(&fake, &server, &LATE_POLL.as_millis().to_string()).started();
    let began = Instant::now();
    eventually("it is written", || server.is_inited());
    let early = polling(&fake, &server, EARLY_POLL).started();
    let reader = Config::of(&server).started();
    assert_eq!((reader.ask("flag-0"), late.ask("flag-0")), ("one".into(), "one".into()));
    let gone: Vec<&str> = flags[..count].iter().map(|(key, _)| *key).collect();
    fake.edit(|environment| gone.iter().for_each(|key| environment.remove(Kind::Flag, key)));
    gone.iter().for_each(|key| early.serves(key, "FLAG_NOT_FOUND"));
    eventually("Redis has heard of it", || gone.iter().all(|key| live(&server, key).is_none()));
    gone.iter().for_each(|key| reader.serves(key, "FLAG_NOT_FOUND"));
    // Until the other one has polled, and for a while after that.
    while began.elapsed() < LATE_POLL + Duration::from_secs(4) {
        for key in &gone {
            let version = live(&server, key);
            assert_eq!(version, None, "{count}: {key} is back after {:?}", began.elapsed());
            assert_eq!(reader.ask(key), "FLAG_NOT_FOUND", "{count}: after {:?}", began.elapsed());
            assert_eq!(early.ask(key), "FLAG_NOT_FOUND", "{count}: after {:?}", began.elapsed());
        }
        thread::sleep(Duration::from_millis(5));
    }
    gone.iter().for_each(|key| late.serves(key, "FLAG_NOT_FOUND"));
    assert_eq!(reader.ask(flags[count].0), "one");
}

#[test]
fn a_single_flag_that_somebody_removed_is_written_again_after_the_next_answer_that_has_it() {
    // The answer is a 304 here.
    let flags = many_flags(20, 1, "one");
    let (fake, server) = (launchdarkly(&flags), RedisServer::start());
    let client = polling(&fake, &server, "1000").started();
    eventually("it is written", || server.is_inited());
    client.serves("flag-0", "one");
    server.remove_flag("flag-0");
    assert_eq!(client.ask("flag-0"), "one");
    eventually("it is written again", || live(&server, "flag-0") == Some(1));
    assert_eq!(client.ask("flag-0"), "one");
}
