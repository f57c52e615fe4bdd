//! A data set that is there in part: refilled field by field, lost alone, deleted again and again, replaced by a smaller one.
//! What is lost is told from what was deleted by how much of it is missing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use fakeld::Kind;

use crate::support::*;

const COUNT: usize = 40;
/// A flag that was deleted is gone at once: a push and a read. What is not believed at once takes two reads, two seconds
/// apart.
const AT_ONCE: Duration = Duration::from_millis(1_900);
/// What was lost is written again, also when another process holds the lock, which it does for 30 seconds, and is dead.
const HEALED: Duration = Duration::from_secs(20);

fn config(server: &RedisServer, residency: &str, freshness: &str) -> Config {
    let config = Config::of(server).with("cache.residency", residency).with("cache.freshness", freshness);
    config.with("cache.ttl_ms", "100").with("refresh.interval_ms", "300")
}

/// A client that has evaluated each of the flags.
fn knows(client: Client, flags: &[(&'static str, String)]) -> Client {
    flags.iter().for_each(|(key, _)| client.serves(key, "one"));
    client
}

/// Evaluates these flags until `work` is done; gives every answer that was none of the allowed ones.
fn wrong_answers(client: &Client, keys: &[&str], allowed: &[&str], work: impl FnOnce()) -> BTreeSet<String> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut wrong = BTreeSet::new();
            while !over.load(SeqCst) {
                let answers = keys.iter().map(|key| (key, client.ask(key)));
                let others = answers.filter(|(_, answer)| !allowed.contains(&answer.as_str()));
                wrong.extend(others.map(|(key, answer)| format!("{key}: {answer}")));
                thread::sleep(Duration::from_millis(2));
            }
            wrong
        });
        // The watching thread ends also when the work fails.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        over.store(true, SeqCst);
        let wrong = watching.join().unwrap();
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        wrong
    })
}

fn keys(flags: &[(&'static str, String)]) -> Vec<&'static str> {
    flags.iter().map(|(key, _)| *key).collect()
}

#[test]
fn a_hash_that_is_refilled_field_by_field_turns_no_known_flag_into_a_default() {
    let losses: [(&str, &[&str]); 2] =
        [("features", &["features"]), ("all, the marker first", &["features", "segments", "$inited"])];
    thread::scope(|scope| {
        for (what, lost) in losses {
            for (residency, freshness) in [("all", "push"), ("lazy", "push"), ("all", "ttl"), ("lazy", "ttl")] {
                scope.spawn(move || {
                    let old = many_flags(COUNT, 1, "one");
                    let server = RedisServer::holding(&old, &[]);
                    let client = knows(config(&server, residency, freshness).started(), &old);
                    let new = many_flags(COUNT, 2, "two");
                    let wrong = wrong_answers(&client, &keys(&old), &["one", "two"], || {
                        server.remove(lost);
                        server.set_inited();
                        for (key, text) in &new {
                            server.set_flag(*key, text);
                            thread::sleep(Duration::from_millis(50));
                        }
                    });
                    assert!(wrong.is_empty(), "{what}, {residency}, {freshness}: {wrong:?}");
                    new.iter().for_each(|(key, _)| client.serves(key, "two"));
                    client.becomes(VALID);
                    eventually("nothing is stale", || !client.detail("flag-0").stale);
                });
            }
        }
    });
}

#[test]
fn a_big_set_that_is_refilled_in_steps_turns_no_known_flag_into_a_default() {
    for residency in ["all", "lazy"] {
        let old = many_flags(1_500, 1, "one");
        let server = RedisServer::holding(&old, &[]);
        let client = knows(config(&server, residency, "push").started(), &old);
        let new = many_flags(1_500, 2, "two");
        let sample: Vec<&str> = keys(&old).into_iter().step_by(50).collect();
        let wrong = wrong_answers(&client, &sample, &["one", "two"], || {
            server.remove(&["features"]);
            for step in new.chunks(100) {
                let mut pipeline = redis::pipe();
                step.iter()
                    .for_each(|(key, text)| _ = pipeline.cmd("HSET").arg("launchdarkly:features").arg(key).arg(text));
                server.send(&pipeline);
                thread::sleep(Duration::from_millis(100));
            }
        });
        assert!(wrong.is_empty(), "{residency}: {wrong:?}");
        sample.iter().for_each(|key| client.serves(key, "two"));
        client.reports("flags", 1_500);
        client.becomes(VALID);
    }
}

#[test]
fn a_hash_that_is_lost_alone_is_healed_although_a_patch_makes_it_anew() {
    let lock = format!("{PREFIX}:$flagstone_lock");
    thread::scope(|scope| {
        for dead_holder in [false, true] {
            for residency in ["all", "lazy"] {
                let lock = &lock;
                scope.spawn(move || {
                    let flags = many_flags(COUNT, 1, "one");
                    let (fake, server) = (launchdarkly(&flags), RedisServer::start());
                    let writer = storing(&fake, &server).started();
                    eventually("it is written", || server.is_inited());
                    fake.patch(Kind::Flag, &flag("flag-1", 2, "two")).unwrap();
                    let in_redis = || server.run::<usize>(&["HLEN", "launchdarkly:features"]);
                    eventually("the lock is given back", || server.run::<i64>(&["EXISTS", lock]) == 0);
                    let reader = config(&server, residency, "push").started();
                    reader.serves("flag-1", "two");
                    let flags: Vec<_> = flags.into_iter().filter(|(key, _)| *key != "flag-1").collect();
                    let reader = knows(reader, &flags);
                    let wrong = wrong_answers(&reader, &keys(&flags), &["one", "three"], || {
                        if dead_holder {
                            server.run::<()>(&["SET", lock, "a process that died", "PX", "30000"]);
                        }
                        server.remove(&["features"]);
                        fake.patch(Kind::Flag, &flag("flag-0", 3, "three")).unwrap();
                        wait_until(HEALED, "every flag is there again", || in_redis() == COUNT);
                    });
                    assert!(wrong.is_empty(), "dead holder: {dead_holder}, {residency}: {wrong:?}");
                    reader.serves("flag-0", "three");
                    writer.serves("flag-0", "three");
                    reader.becomes(VALID);
                });
            }
        }
    });
}

#[test]
fn many_flags_that_are_lost_while_the_hash_stays_are_healed() {
    let flags = many_flags(COUNT, 1, "one");
    let (fake, server) = (launchdarkly(&flags), RedisServer::start());
    let client = storing(&fake, &server).started();
    eventually("it is written", || server.is_inited());
    client.serves("flag-0", "one");
    let mut words = vec!["HDEL", "launchdarkly:features"];
    words.extend(keys(&flags).iter().take(COUNT / 2));
    server.run::<i64>(&words);
    wait_until(HEALED, "they are there again", || server.run::<usize>(&["HLEN", "launchdarkly:features"]) == COUNT);
}

#[test]
fn something_that_deletes_the_hash_for_ever_does_not_have_it_written_again_and_again() {
    let flags: Vec<_> =
        many_flags(200, 1, "one").into_iter().map(|(key, _)| (key, big_flag(key, 1, "one", 2_000))).collect();
    let size: usize = flags.iter().map(|(_, text)| text.len()).sum();
    let (fake, server) = (launchdarkly(&flags), RedisServer::start());
    let gate = Gate::to(server.port());
    let config = streaming(&fake).with("redis.url", &gate.url()).with("refresh.interval_ms", "500");
    let client = config.with("redis.command_timeout_ms", "15000").started();
    eventually("it is written", || server.is_inited());
    client.serves("flag-7", "one");
    client.drain();
    let before = gate.seen().bytes_asked;
    let end = Instant::now() + Duration::from_secs(5);
    let mut deleted = 0;
    while Instant::now() < end {
        deleted += server.run::<u32>(&["DEL", "launchdarkly:features"]);
        thread::sleep(Duration::from_millis(20));
    }
    let rewrites = (gate.seen().bytes_asked - before) as f64 / size as f64;
    assert!(deleted >= 1, "it was written again at least once");
    assert!(rewrites <= 6.5, "{rewrites} full writes in five seconds");
    assert!(!log_lines(&client.drain(), 2).is_empty(), "it is said that somebody deletes what is written");
    assert_eq!(client.ask("flag-7"), "one");
    eventually("it is healed", || server.run::<usize>(&["HLEN", "launchdarkly:features"]) == 200);
}

#[test]
fn a_data_set_that_is_replaced_by_a_much_smaller_one_takes_effect_soon() {
    thread::scope(|scope| {
        for (residency, freshness) in [("all", "push"), ("lazy", "push"), ("all", "ttl"), ("lazy", "ttl")] {
            scope.spawn(move || {
                let old = many_flags(COUNT, 1, "one");
                let what = format!("{residency}, {freshness}");
                in_time(AT_ONCE, || {
                    let server = RedisServer::holding(&old, &[]);
                    let client = knows(config(&server, residency, freshness).started(), &old);
                    server.replace(&many_flags(2, 2, "two"), &[]);
                    // What is there replaces at once; what is not is believed later.
                    let ((), took) = timed(|| client.serves("flag-1", "two"));
                    old[2..].iter().for_each(|(key, _)| client.serves(key, "FLAG_NOT_FOUND"));
                    assert_eq!(client.ask("flag-0"), "two", "{what}");
                    client.becomes(VALID);
                    eventually("nothing is stale", || !client.detail("flag-0").stale);
                    assert_eq!(client.status()["wiped"], false, "{what}");
                    took
                });
            });
        }
    });
}

#[test]
fn single_flags_that_are_deleted_are_gone_at_once() {
    for residency in ["all", "lazy"] {
        for (count, deleted) in [(COUNT, 1), (COUNT, 3), (5, 3), (60, 6)] {
            let flags = many_flags(count, 1, "one");
            in_time(AT_ONCE, || {
                let server = RedisServer::holding(&flags, &[]);
                let client = knows(Config::of(&server).with("cache.residency", residency).started(), &flags);
                let gone = &keys(&flags)[..deleted];
                let mut words = vec!["HDEL", "launchdarkly:features"];
                words.extend(gone);
                server.run::<i64>(&words);
                let ((), took) = timed(|| gone.iter().for_each(|key| client.serves(key, "FLAG_NOT_FOUND")));
                assert_eq!(client.ask(flags[deleted].0), "one", "{residency}: {deleted} of {count}");
                assert_eq!(client.state(), VALID, "{residency}: {deleted} of {count}");
                took
            });
        }
    }
}

#[test]
fn a_flag_that_nobody_evaluates_is_gone_soon_although_others_are_edited_all_the_time() {
    let server = RedisServer::start();
    let mut pipeline = redis::pipe();
    for number in 0..3_000 {
        let key = format!("f{number}");
        pipeline.cmd("HSET").arg("launchdarkly:features").arg(&key).arg(big_flag(&key, 1, "v", 1_000));
    }
    server.send(&pipeline);
    server.set_inited();
    let client = Config::of(&server).started();
    client.serves("f0", "v");
    client.reports("flags", 3_000);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _end = OverAtTheEnd(&over);
        scope.spawn(|| {
            let mut version = 2;
            while !over.load(SeqCst) {
                server.set_flag("f0", flag("f0", version, "edited"));
                version += 1;
                thread::sleep(Duration::from_millis(1));
            }
        });
        client.serves("f0", "edited");
        server.remove_flag("f2999");
        wait_until(Duration::from_secs(20), "the deletion is noticed", || client.status()["flags"] == 2_999);
    });
    client.becomes(VALID);
}
