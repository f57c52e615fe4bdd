//! Two processes that write the same Redis: what one of them wrote is never replaced by something older of the
//! other.

use std::thread;
use std::time::{Duration, Instant};

use fakeld::{Action, Kind};

use crate::support::*;

/// Longer than a full data set waits for another writer.
const QUIET: Duration = Duration::from_secs(7);

/// All at once: these tests wait more than they work.
fn of_each_residency(test: impl Fn(&str) + Sync) {
    thread::scope(|scope| {
        for residency in ["all", "lazy", "off"] {
            let test = &test;
            scope.spawn(move || test(residency));
        }
    });
}

#[test]
fn full_data_sets_in_quick_succession_never_move_a_reader_backwards() {
    of_each_residency(full_data_sets_never_go_backwards);
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

/// The values of two flags in Redis.
fn in_redis(server: &RedisServer) -> [Option<String>; 2] {
    ["a", "b"].map(|key| server.text("features", key))
}

fn two(version: i64) -> [(&'static str, String); 2] {
    ["a", "b"].map(|key| (key, flag(key, version, &version.to_string())))
}

fn texts(version: i64) -> [Option<String>; 2] {
    two(version).map(|(_, text)| Some(text))
}

/// Other versions of both, without a word to the streams.
fn set_all(fake: &fakeld::Fake, version: i64) {
    fake.edit(|environment| two(version).iter().for_each(|(_, text)| _ = environment.set(Kind::Flag, text).unwrap()));
}

#[test]
fn a_full_data_set_that_could_not_be_written_gives_way_to_a_newer_one_of_another_writer() {
    of_each_residency(|residency| {
        let (fake, server) = (launchdarkly(&two(3)), RedisServer::start());
        let gate = Gate::to(server.port());
        gate.rule("SET", Rule::error("OOM command not allowed when used memory > 'maxmemory'."));
        let config = streaming(&fake).with("redis.url", &gate.url()).with("cache.residency", residency);
        let writer = config.client();
        _ = writer.start(2_000);
        eventually("it tries to write", || gate.seen().count("SET") > 0);
        // The other writer has heard of this already, and has written it.
        set_all(&fake, 5);
        server.replace(&two(5), &[]);
        gate.clear();
        writer.reports("last_error", serde_json::Value::Null);
        throughout(Duration::from_secs(3), || assert_eq!(in_redis(&server), texts(5), "{residency}"));
        set_all(&fake, 6);
        fake.put();
        eventually("what is newer is written", || in_redis(&server) == texts(6));
        writer.serves("a", "6");
    });
}

#[test]
fn of_two_full_data_sets_that_wait_for_a_lock_only_the_newer_one_is_written() {
    of_each_residency(|residency| {
        let (fake, server) = (launchdarkly(&two(3)), RedisServer::start());
        let lock = ["SET", "launchdarkly:$flagstone_lock", "somebody", "PX", "3000"];
        assert_eq!(server.run::<String>(&lock), "OK");
        let writer = storing(&fake, &server).with("cache.residency", residency).client();
        _ = writer.start(1_000);
        set_all(&fake, 4);
        fake.put();
        let mut seen = Vec::new();
        eventually("it is written", || {
            seen.push(in_redis(&server));
            in_redis(&server) == texts(4)
        });
        assert!(!seen.contains(&texts(3)), "{residency}: the older one was written, too");
        writer.serves("a", "4");
    });
}

#[test]
fn a_full_data_set_counts_although_its_versions_have_started_over() {
    of_each_residency(|residency| {
        let (fake, server) = (launchdarkly(&two(7)), RedisServer::start());
        let writer = storing(&fake, &server).with("cache.residency", residency).started();
        eventually("it is written", || in_redis(&server) == texts(7));
        // The pushes of these writes are over.
        throughout(Duration::from_millis(500), || writer.serves("a", "7"));
        set_all(&fake, 2);
        fake.put();
        eventually("the other versions are written", || in_redis(&server) == texts(2));
        writer.serves("a", "2");
    });
}

/// Versions have started over where the data source says the same twice; two old words are two old words.
#[test]
fn a_writer_that_is_behind_by_several_full_data_sets_takes_nothing_back() {
    of_each_residency(|residency| {
        let (fake, server) = (launchdarkly(&two(5)), RedisServer::start());
        server.replace(&two(5), &[]);
        for version in [3, 4] {
            let flags: Vec<String> = two(version).iter().map(|(key, text)| format!("{key:?}:{text}")).collect();
            let put = format!("event: put\ndata: {{\"data\":{{\"flags\":{{{}}}}}}}\n\n", flags.join(","));
            fake.script(Action::stream(vec![(Duration::ZERO, put.into_bytes())], PATIENCE));
        }
        let writer = storing(&fake, &server).with("cache.residency", residency).client();
        writer.start(0).unwrap();
        eventually("it has heard of all three", || {
            assert_eq!(in_redis(&server), texts(5), "{residency}");
            fake.requests().len() == 3
        });
        writer.serves("a", "5");
        throughout(Duration::from_millis(500), || assert_eq!(in_redis(&server), texts(5), "{residency}"));
    });
}

#[test]
fn a_lost_data_set_is_left_to_a_writer_whose_source_vouches_for_it_and_healed_without_one_in_the_end() {
    let (fake, server) = (launchdarkly(&two(3)), RedisServer::start());
    let writer = storing(&fake, &server).started();
    eventually("it is written", || in_redis(&server) == texts(3));
    fake.kill();
    writer.becomes(INTERRUPTED);
    server.flush();
    throughout(Duration::from_secs(1), || assert!(!server.is_inited(), "others may know more"));
    eventually("nobody else has healed it", || in_redis(&server) == texts(3));
    fake.start_again().unwrap();
    writer.becomes(VALID);
    server.flush();
    eventually("the source vouches for it", || in_redis(&server) == texts(3));
}

#[test]
fn what_others_write_between_the_look_at_redis_and_the_full_write_is_not_replaced_unseen() {
    of_each_residency(|residency| {
        let (fake, server) = (launchdarkly(&two(3)), RedisServer::start());
        let gate = Gate::to(server.port());
        // The first command of a full write that the server sees.
        gate.rule("DEL", Rule::Delay(Duration::from_secs(1)));
        let config = streaming(&fake).with("redis.url", &gate.url()).with("cache.residency", residency);
        let writer = config.client();
        _ = writer.start(2_000);
        eventually("it has looked, and is about to write", || gate.seen().count("DEL") > 0);
        set_all(&fake, 5);
        server.replace(&two(5), &[]);
        throughout(Duration::from_secs(3), || assert_eq!(in_redis(&server), texts(5), "{residency}"));
        writer.serves("a", "5");
    });
}
