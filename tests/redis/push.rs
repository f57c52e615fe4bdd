//! Freshness `push`: Redis tells what changed, and it is served without anybody asking for it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use redis::{Pipeline, pipe};
use serde_json::json;

use crate::support::*;

const FEATURES: &str = "launchdarkly:features";

/// Writes flags `flag-0` … that all serve `value`, of about `bytes` bytes each.
fn many(server: &RedisServer, count: usize, version: i64, value: &str, bytes: usize) {
    let mut pipeline = pipe();
    for number in 0..count {
        let key = format!("flag-{number}");
        pipeline.cmd("HSET").arg(FEATURES).arg(&key).arg(big_flag(&key, version, value, bytes));
    }
    server.send(&pipeline);
}

#[test]
fn a_change_is_seen_without_any_evaluation_in_between_and_told_with_both_versions() {
    let server = RedisServer::holding(&[("a", flag("a", 3, "old"))], &[]);
    let client = Config::of(&server).started();
    server.set_flag("a", flag("a", 4, "new"));
    assert_eq!(client.hears_change_of("a"), (Some(3), Some(4)));
    let detail = client.detail("a");
    assert_eq!((detail.word(), detail.stale), ("new".into(), false));
}

#[test]
fn the_first_read_tells_no_changes() {
    let server = RedisServer::holding(&[("a", flag("a", 3, "old"))], &[]);
    let client = Config::of(&server).started();
    client.becomes(VALID);
    assert!(!client.drain().iter().any(|notice| matches!(notice, Notice::Changed { .. })));
}

#[test]
fn a_change_is_told_for_everything_that_depends_on_it() {
    let flags = [
        ("base", flag("base", 1, "b")),
        ("middle", Flag::new("middle", 5, "m").requires("base").text()),
        ("top", Flag::new("top", 6, "t").requires("middle").text()),
        ("member", Flag::new("member", 7, "in").for_segment("outer").text()),
        ("apart", flag("apart", 8, "x")),
    ];
    let outer = json!({ "key": "outer", "version": 1, "salt": "o",
        "rules": [{ "clauses": [{ "op": "segmentMatch", "values": ["inner"] }] }] });
    let segments = [("outer", outer.to_string()), ("inner", segment("inner", 1, &[]))];
    let server = RedisServer::holding(&flags, &segments);
    let client = Config::of(&server).started();
    assert_eq!((client.ask("top"), client.ask("member")), ("t".into(), OTHER.into()));

    server.set_flag("base", Flag::new("base", 2, "b").with("on", json!(false)).text());
    assert_eq!(client.hears_change_of("base"), (Some(1), Some(2)));
    let rest = heard(&client, &["middle", "top"]);
    assert_eq!(rest, [("middle".into(), Some(5), Some(5)), ("top".into(), Some(6), Some(6))]);
    assert_eq!((client.ask("top"), client.detail("top").prerequisite), (OTHER.into(), "middle".into()));

    server.set_segment("inner", segment("inner", 2, &["ada"]));
    assert_eq!(heard(&client, &["member"]), [("member".into(), Some(7), Some(7))]);
    assert_eq!(client.ask("member"), "in");
}

/// The next change notices, sorted by key; they must be those of `keys` and no others.
fn heard(client: &Client, keys: &[&str]) -> Vec<(String, Option<i64>, Option<i64>)> {
    let mut changes = Vec::new();
    while changes.len() < keys.len() {
        match client.poll(PATIENCE_MS).expect("a change is told").notice {
            Notice::Changed { key, old, new } => changes.push((key, old, new)),
            _ => continue,
        }
    }
    changes.sort();
    assert_eq!(changes.iter().map(|(key, ..)| key.as_str()).collect::<Vec<_>>(), keys);
    changes
}

#[test]
fn a_new_flag_is_seen() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "x"))], &[]);
    let client = Config::of(&server).started();
    assert_eq!(client.ask("new"), "FLAG_NOT_FOUND");
    server.set_flag("new", flag("new", 1, "here"));
    assert_eq!(client.hears_change_of("new"), (None, Some(1)));
    assert_eq!(client.ask("new"), "here");
}

#[test]
fn a_flag_deleted_by_hdel_or_by_a_tombstone_is_seen() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "x")), ("b", flag("b", 1, "y"))], &[]);
    let client = Config::of(&server).started();
    assert_eq!((client.ask("a"), client.ask("b")), ("x".into(), "y".into()));
    server.remove_flag("a");
    assert_eq!(client.hears_change_of("a"), (Some(1), None));
    assert_eq!(client.ask("a"), "FLAG_NOT_FOUND");
    server.set_flag("b", &tombstones("b", 2)[0]);
    client.serves("b", "FLAG_NOT_FOUND");
    assert_eq!((client.state(), client.status()["flags"].as_i64()), (VALID, Some(0)));
}

#[test]
fn a_full_replacement_counts_although_its_versions_are_lower() {
    let server = RedisServer::holding(&[("a", flag("a", 9, "new")), ("gone", flag("gone", 9, "x"))], &[]);
    let client = Config::of(&server).started();
    assert_eq!((client.ask("a"), client.ask("gone")), ("new".into(), "x".into()));
    server.replace(&[("a", flag("a", 2, "restored"))], &[]);
    assert_eq!(client.hears_change_of("a"), (Some(9), Some(2)));
    client.serves("gone", "FLAG_NOT_FOUND");
    assert_eq!((client.ask("a"), client.state()), ("restored".into(), VALID));
}

#[test]
fn a_prepared_flag_follows_changes_additions_and_deletions() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
    let client = Config::of(&server).started();
    let (known, unknown) = (client.prepare("a").unwrap(), client.prepare("b").unwrap());
    assert_eq!((known.ask(), unknown.ask()), ("one".into(), "FLAG_NOT_FOUND".into()));
    server.replace(&[("b", flag("b", 1, "two"))], &[]);
    eventually("both follow", || (known.ask(), unknown.ask()) == ("FLAG_NOT_FOUND".into(), "two".into()));
}

#[test]
fn no_change_is_lost_between_the_first_read_and_the_subscription() {
    let server = RedisServer::holding(&[("a", flag("a", 0, "0"))], &[]);
    let (version, stop) = (AtomicI64::new(0), AtomicBool::new(false));
    let clients: Vec<Client> = thread::scope(|scope| {
        scope.spawn(|| {
            let mut connection = server.connect();
            while !stop.load(SeqCst) {
                let next = version.load(SeqCst) + 1;
                redis::cmd("HSET")
                    .arg(FEATURES)
                    .arg("a")
                    .arg(flag("a", next, &next.to_string()))
                    .exec(&mut connection)
                    .unwrap();
                version.store(next, SeqCst);
            }
        });
        let clients = (0..20).map(|_| Config::of(&server).started()).collect();
        stop.store(true, SeqCst);
        clients
    });
    let last = version.load(SeqCst);
    assert!(last > 20, "{last}");
    clients.iter().for_each(|client| client.serves("a", &last.to_string()));
}

#[test]
fn a_storm_of_pushes_is_answered_by_few_reads_and_the_last_change_wins() {
    let server = RedisServer::holding(&[("a", flag("a", 0, "0"))], &[]);
    let client = Config::of(&server).started();
    assert_eq!(client.ask("a"), "0");
    server.run::<()>(&["CONFIG", "RESETSTAT"]);
    const WRITES: u64 = 3_000;
    let mut pipeline = Pipeline::new();
    for version in 1..=WRITES {
        let text = flag("a", version.try_into().unwrap(), &version.to_string());
        pipeline.cmd("HSET").arg(FEATURES).arg("a").arg(text).ignore();
    }
    server.send(&pipeline);
    client.serves("a", &WRITES.to_string());
    let reads = server.calls_of("hmget") + server.calls_of("hgetall");
    assert!(reads < WRITES / 5, "{reads} reads for {WRITES} writes");
}

#[test]
fn changes_made_while_the_link_is_cut_are_seen_when_it_is_back() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "old")), ("gone", flag("gone", 1, "x"))], &[]);
    let client = Config::of(&server).started();
    assert_eq!((client.ask("a"), client.ask("gone")), ("old".into(), "x".into()));
    for round in 2..5 {
        server.kill_tracking_connections();
        server
            .replace(&[("a", flag("a", round, &round.to_string())), (&format!("new-{round}"), flag("n", 1, "n"))], &[]);
        client.serves("a", &round.to_string());
        client.serves(&format!("new-{round}"), "n");
        client.serves("gone", "FLAG_NOT_FOUND");
        client.becomes(VALID);
        eventually("the link is back", || server.tracking_connections() == 1);
    }
    client.reports("freshness", "push");
}

#[test]
fn a_link_that_died_without_a_word_is_noticed_and_replaced() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    let proxy = Proxy::to(server.port());
    let config = Config::at(&proxy.url()).with("redis.ping_ms", "100");
    let client = config.with("redis.command_timeout_ms", "300").with("redis.connect_timeout_ms", "1000").started();
    proxy.set(Mode::BlackHole);
    client.becomes(INTERRUPTED);
    server.set_flag("a", flag("a", 2, "new"));
    assert_eq!((client.ask("a"), client.detail("a").stale), ("old".into(), true));
    proxy.cut();
    proxy.set(Mode::Pass);
    client.becomes(VALID);
    client.serves("a", "new");
    client.reports("freshness", "push");
}

#[test]
fn a_big_set_is_scanned_and_every_kind_of_change_is_seen() {
    let server = RedisServer::holding(&[], &[]);
    many(&server, 2_500, 1, "old", 600);
    let client = Config::of(&server).started();
    assert_eq!((client.ask("flag-7"), client.ask("flag-8")), ("old".into(), "old".into()));
    server.run::<()>(&["CONFIG", "RESETSTAT"]);
    let mut pipeline = pipe();
    pipeline.atomic().cmd("HSET").arg(FEATURES).arg("flag-7").arg(flag("flag-7", 2, "new"));
    pipeline.cmd("HSET").arg(FEATURES).arg("added").arg(flag("added", 1, "here"));
    pipeline.cmd("HDEL").arg(FEATURES).arg("flag-8").arg("flag-9");
    pipeline.cmd("HSET").arg(FEATURES).arg("flag-2000").arg(flag("flag-2000", 2, "never asked"));
    server.send(&pipeline);
    // In use: at once. Never asked for: by the pass over everything.
    client.serves("flag-7", "new");
    client.serves("flag-8", "FLAG_NOT_FOUND");
    let mut told = Vec::new();
    eventually("all changes are told", || {
        told.extend(client.drain().into_iter().filter_map(|notice| match notice {
            Notice::Changed { key, old, new } => Some((key, old, new)),
            _ => None,
        }));
        told.len() >= 5
    });
    told.sort();
    let expected = [
        ("added", None, Some(1)),
        ("flag-2000", Some(1), Some(2)),
        ("flag-7", Some(1), Some(2)),
        ("flag-8", Some(1), None),
        ("flag-9", Some(1), None),
    ];
    assert_eq!(told, expected.map(|(key, old, new)| (key.to_owned(), old, new)));
    assert_eq!((client.ask("added"), client.ask("flag-2000")), ("here".into(), "never asked".into()));
    assert!(server.calls_of("hscan") > 0);
    assert_eq!(server.calls_of("hgetall"), 0);
    assert_eq!((client.status()["flags"].as_i64(), client.state()), (Some(2_499), VALID));
}

#[test]
fn a_steady_stream_of_changes_delays_neither_other_changes_nor_the_end() {
    let server = RedisServer::holding(&[], &[]);
    many(&server, 1_200, 1, "old", 100);
    // A wait for an answer that does not come would last as long as the command timeout.
    let client = Config::of(&server).with("redis.command_timeout_ms", "40000").started();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut connection = server.connect();
            let mut version = 2;
            while !stop.load(SeqCst) {
                let text = flag("flag-0", version, "busy");
                redis::cmd("HSET").arg(FEATURES).arg("flag-0").arg(text).exec(&mut connection).unwrap();
                version += 1;
                thread::sleep(Duration::from_millis(2));
            }
        });
        assert_eq!(client.ask("flag-7"), "old");
        for round in 2..22 {
            server.set_flag("flag-7", flag("flag-7", round, &round.to_string()));
            let (_, took) = timed(|| client.serves("flag-7", &round.to_string()));
            assert!(took < Duration::from_secs(15), "round {round} took {took:?}");
        }
        let closed = client.close(15_000);
        stop.store(true, SeqCst);
        assert_eq!(closed, OK);
    });
}

#[test]
fn the_first_evaluation_of_an_unverified_flag_has_it_read_again() {
    // Over 20 MB the pass over everything comes later than the test waits for one flag, most of the time: with it put off
    // by a slow server, what is asked for must not wait for it.
    let server = RedisServer::holding(&[], &[]);
    many(&server, 1_200, 1, "old", 20_000);
    let client = Config::of(&server).started();
    for round in 2..12 {
        let key = format!("flag-{}", 100 * round);
        server.run::<()>(&["CONFIG", "RESETSTAT"]);
        server.set_flag(&key, flag(&key, round, "new"));
        client.serves(&key, "new");
        let by_itself = server.calls_of("hmget") > 0;
        assert!(by_itself || server.calls_of("hscan") > 0);
        if by_itself && server.calls_of("hscan") == 0 {
            return;
        }
    }
    panic!("the flag asked for was never read before the pass over everything");
}

#[test]
fn an_unknown_key_is_looked_for_while_the_set_is_unverified() {
    let server = RedisServer::holding(&[], &[]);
    many(&server, 1_200, 1, "old", 20_000);
    let client = Config::of(&server).started();
    let (_, waited) = Machine::watch().timed(|| {
        server.set_flag("added", flag("added", 1, "here"));
        client.serves("added", "here");
    });
    assert!(waited < Duration::from_secs(5), "{waited:?}");
}

#[test]
fn what_a_changed_flag_newly_names_is_there_when_the_change_is_served() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    many(&server, 1_200, 1, "x", 2_000);
    let client = Config::of(&server).started();
    assert_eq!(client.ask("a"), "old");
    for round in 0..5 {
        let names = [format!("base-{round}"), format!("deep-{round}"), format!("seg-{round}")];
        let [base, deep, seg] = &names;
        let text = Flag::new("a", 2 + round, &format!("value-{round}")).requires(base).for_segment(seg).text();
        let mut pipeline = pipe();
        pipeline.atomic().cmd("HSET").arg("launchdarkly:segments").arg(seg).arg(segment(seg, 1, &["ada"]));
        pipeline.cmd("HSET").arg(FEATURES).arg("a").arg(text);
        pipeline.cmd("HSET").arg(FEATURES).arg(base).arg(Flag::new(base, 1, "b").requires(deep).text());
        pipeline.cmd("HSET").arg(FEATURES).arg(deep).arg(flag(deep, 1, "d"));
        server.send(&pipeline);
        let (before, after) =
            (if round == 0 { "old".into() } else { format!("value-{}", round - 1) }, format!("value-{round}"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let detail = client.detail("a");
            if detail.word() == after {
                break;
            }
            assert_eq!(detail.word(), before, "a was served without what it names: {detail:?}");
            assert!(Instant::now() < deadline, "the change is not served");
        }
    }
}

#[test]
fn a_flush_is_noticed_by_its_push() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "kept"))], &[]);
    let client = Config::of(&server).started();
    server.flush();
    client.becomes(INTERRUPTED);
    client.reports("wiped", true);
    assert_eq!((client.ask("a"), client.detail("a").stale), ("kept".into(), true));
}

#[test]
fn keys_that_merely_begin_like_ours_cause_no_reads() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "x"))], &[]);
    let client = Config::of(&server).started();
    assert_eq!(client.ask("a"), "x");
    let before = client.status()["verified_age_ms"].as_u64();
    assert!(before.is_some());
    server.run::<()>(&["CONFIG", "RESETSTAT"]);
    for number in 0..50 {
        server.run::<()>(&["SET", &format!("launchdarkly:features-of-others:{number}"), "x"]);
        server.run::<()>(&["SET", &format!("launchdarkly:big_segments:{number}"), "x"]);
    }
    // A change that counts comes through after them, so they were looked at by then.
    server.set_flag("a", flag("a", 2, "y"));
    client.serves("a", "y");
    let reads = server.calls_of("hgetall");
    // Each of them would cause two; the arming of the watch and the change may.
    assert!(reads <= 6, "{reads}");
}

#[test]
fn the_safety_poll_finds_what_no_push_told() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    let client = Config::of(&server).with("refresh.interval_ms", "300").started();
    assert_eq!(client.ask("a"), "old");
    let mut other = server.connect();
    redis::cmd("SELECT").arg(1).exec(&mut other).unwrap();
    redis::cmd("HSET").arg(FEATURES).arg("a").arg(flag("a", 2, "swapped")).exec(&mut other).unwrap();
    server.run::<()>(&["SWAPDB", "0", "1"]);
    client.serves("a", "swapped");
}

#[test]
fn verified_age_stays_small_while_the_link_is_alive() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "x"))], &[]);
    let client = Config::of(&server).with("redis.ping_ms", "50").started();
    let began = Instant::now();
    thread::sleep(Duration::from_millis(1_500));
    // Without the link's pings the age would be above the time that has passed.
    eventually("the age is small", || {
        let passed = began.elapsed();
        let age = client.status()["verified_age_ms"].as_u64().unwrap();
        Duration::from_millis(age + 1_000) < passed
    });
}

#[test]
fn a_server_that_is_full_is_asked_again_soon() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    let mut admin = server.connect();
    redis::cmd("CONFIG").arg("SET").arg("maxclients").arg(1).exec(&mut admin).unwrap();
    let client = Config::of(&server).client();
    assert_eq!(client.start(500).unwrap_err().status, TIMEOUT);
    redis::cmd("CONFIG").arg("SET").arg("maxclients").arg(100).exec(&mut admin).unwrap();
    client.becomes(VALID);
    client.reports("freshness", "push");
    server.set_flag("a", flag("a", 2, "new"));
    client.serves("a", "new");
}
