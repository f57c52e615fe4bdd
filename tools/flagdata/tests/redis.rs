//! The program and the library against a Redis server that the test starts for itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Output};
use std::thread;

use flagdata::members;
use flagdata::store::{self, Change, StoreError};
use flagdata::{Options, PrivateRedis, free_port, generate};
use redis::{Commands, Connection};
use serde_json::{Value, json};

/// A server, or `None` on a machine that has none; any other failure fails the test.
fn server() -> Option<PrivateRedis> {
    match PrivateRedis::start() {
        Ok(server) => Some(server),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("SKIPPED: there is no redis-server in PATH, so nothing was tested here");
            None
        }
        Err(error) => panic!("redis-server does not start: {error}"),
    }
}

fn flagdata(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flagdata")).args(words).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn flag(connection: &mut Connection, prefix: &str, key: &str) -> Value {
    let text: String = connection.hget(store::features_key(prefix), key).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn fill_replaces_everything_under_its_prefix_and_nothing_else() {
    let Some(server) = server() else { return };
    let mut connection = server.connect().unwrap();
    let () = connection.hset("p:features", "leftover", "{}").unwrap();
    let () = connection.hset("p:segments", "leftover", "{}").unwrap();
    let () = connection.hset("other:features", "untouched", "{}").unwrap();

    let output = flagdata(&["fill", "--redis", &server.url(), "--prefix", "p", "--flags", "120", "--seed", "5"]);
    assert_eq!(stdout(&output), "120 flags and 20 segments written under p:\n");

    let data = generate(&Options { flags: 120, seed: 5, ..Options::default() });
    for (hash, items) in [("p:features", &data.flags), ("p:segments", &data.segments)] {
        let held: HashMap<String, String> = connection.hgetall(hash).unwrap();
        let wanted: HashMap<String, String> = items.iter().map(|(key, item)| (key.clone(), item.to_string())).collect();
        assert_eq!(held, wanted);
    }
    assert_eq!(connection.get::<_, String>("p:$inited").unwrap(), "");
    assert_eq!(connection.hlen::<_, u32>("other:features").unwrap(), 1);
    assert_eq!(connection.dbsize(), 4);
}

#[test]
fn more_flags_than_fit_one_command_are_all_written() {
    let Some(server) = server() else { return };
    let mut connection = server.connect().unwrap();
    let data = generate(&Options { flags: 1234, bytes: Some(500), ..Options::default() });
    store::fill(&mut connection, "many", &data).unwrap();
    assert_eq!(connection.hlen::<_, usize>("many:features").unwrap(), 1234);
}

#[test]
fn set_changes_one_flag_and_says_when() {
    let Some(server) = server() else { return };
    let mut connection = server.connect().unwrap();
    store::fill(&mut connection, "p", &generate(&Options::default())).unwrap();
    let before = flag(&mut connection, "p", "checkout.gift-cards");
    let url = server.url();
    let words = ["set", "--redis", &url, "--prefix", "p", "checkout.gift-cards", "--json-patch", r#"{"on":true}"#];

    let earliest = store::unix_micros();
    let answer = stdout(&flagdata(&words));
    let (version, micros) = answer.trim().split_once(' ').unwrap();

    let mut wanted = before.clone();
    wanted["on"] = json!(true);
    wanted["version"] = json!(before["version"].as_i64().unwrap() + 1);
    assert_eq!(flag(&mut connection, "p", "checkout.gift-cards"), wanted);
    assert_eq!(version, wanted["version"].to_string());
    let micros: u128 = micros.parse().unwrap();
    assert!((earliest..=store::unix_micros()).contains(&micros));

    stdout(&flagdata(&["set", "--redis", &url, "--prefix", "p", "checkout.gift-cards", "--fallthrough", "1"]));
    assert_eq!(flag(&mut connection, "p", "checkout.gift-cards")["fallthrough"], json!({"variation": 1}));
}

#[test]
fn delete_leaves_a_tombstone_of_the_next_version() {
    let Some(server) = server() else { return };
    let mut connection = server.connect().unwrap();
    store::fill(&mut connection, "p", &generate(&Options::default())).unwrap();
    let version = flag(&mut connection, "p", "billing.engine")["version"].as_i64().unwrap();
    stdout(&flagdata(&["delete", "--redis", &server.url(), "--prefix", "p", "billing.engine"]));
    let tombstone = json!({"key": "billing.engine", "deleted": true, "version": version + 1});
    assert_eq!(flag(&mut connection, "p", "billing.engine"), tombstone);
}

#[test]
fn a_flag_that_is_missing_or_deleted_is_not_made() {
    let Some(server) = server() else { return };
    let mut connection = server.connect().unwrap();
    store::fill(&mut connection, "p", &generate(&Options::default())).unwrap();
    for key in ["no.such-flag", "retired.beacons"] {
        let output = flagdata(&["set", "--redis", &server.url(), "--prefix", "p", key, "--fallthrough", "0"]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8_lossy(&output.stderr), format!("flagdata: there is no flag `{key}`\n"));
    }
    assert!(!connection.hexists::<_, _, bool>("p:features", "no.such-flag").unwrap());
}

#[test]
fn a_hash_of_a_wrong_type_is_an_error() {
    let Some(server) = server() else { return };
    let mut connection = server.connect().unwrap();
    let () = connection.set("p:features", "text").unwrap();
    let error = store::change(&mut connection, "p", "any", &Change::Delete).unwrap_err();
    assert!(matches!(error, StoreError::Redis(_)), "{error}");
}

#[test]
fn concurrent_changes_are_all_counted() {
    let Some(server) = server() else { return };
    let mut connection = server.connect().unwrap();
    store::fill(&mut connection, "p", &generate(&Options::default())).unwrap();
    let start = flag(&mut connection, "p", "billing.engine")["version"].as_i64().unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = server.connect().unwrap();
                for turn in 0..25 {
                    store::change(&mut connection, "p", "billing.engine", &Change::Fallthrough(turn % 2)).unwrap();
                }
            });
        }
    });
    assert_eq!(flag(&mut connection, "p", "billing.engine")["version"], json!(start + 100));
}

trait KeyCount {
    fn dbsize(&mut self) -> usize;
}

impl KeyCount for Connection {
    fn dbsize(&mut self) -> usize {
        redis::cmd("DBSIZE").query(self).unwrap()
    }
}

#[test]
fn a_senseless_command_line_ends_with_2() {
    let output = flagdata(&["generate", "--flags", "many"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("flagdata: --flags: `many`"));
    assert!(stdout(&flagdata(&["--help"])).contains("flagdata fill --redis URL"));
}

/// A child has what its parent has open until it has become another program.
#[test]
fn a_free_port_refuses_connections_while_processes_are_started() {
    let processes = thread::spawn(|| (0..200).for_each(|_| _ = Command::new("true").status().unwrap()));
    while !processes.is_finished() {
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, free_port())).is_err());
    }
    processes.join().unwrap();
}

/// The references in a set, sorted.
fn references(connection: &mut Connection, which: &str, context: &str) -> Vec<String> {
    let mut references: Vec<String> = connection.smembers(members::set_key("p", which, context)).unwrap();
    references.sort();
    references
}

#[test]
fn members_are_in_sets_by_the_hash_of_their_key_with_cursor_and_moment() {
    let Some(server) = server() else { return };
    let mut connection = server.connect().unwrap();
    let member = |words: &[&str]| {
        let redis = ["member", "--redis", &server.url(), "--prefix", "p"].map(str::to_owned);
        let words: Vec<&str> = redis.iter().map(String::as_str).chain(words.iter().copied()).collect();
        assert_eq!(stdout(&flagdata(&words)), "");
    };
    member(&["user-key", "--of", "vip.g7"]);
    assert_eq!(
        members::set_key("p", "include", "user-key"),
        "p:big_segment_include:CEXjZY7cHJG/ydFy7q4+YEFwVrG3/pkJwA4FAjrbfx0="
    );
    assert_eq!(references(&mut connection, "include", "user-key"), ["vip.g7"]);
    member(&["user-key", "--of", "vip.g7", "--exclude"]);
    assert_eq!(references(&mut connection, "include", "user-key"), [""; 0]);
    assert_eq!(references(&mut connection, "exclude", "user-key"), ["vip.g7"]);
    member(&["user-key", "--of", "vip.g7", "--forget"]);
    assert_eq!(references(&mut connection, "exclude", "user-key"), [""; 0]);
    assert_eq!(connection.get::<_, u64>("p:big_segments_cursor").unwrap(), 3);
    let moment: u128 = connection.get(members::synchronized_on_key("p")).unwrap();
    assert!(store::unix_micros() / 1_000 - moment < 600_000, "{moment}");
}

#[test]
fn big_segments_are_added_with_the_same_members_each_time_and_nothing_else_is_touched() {
    let Some(server) = server() else { return };
    let mut connection = server.connect().unwrap();
    let () = connection.hset("p:features", "kept", "{}").unwrap();
    let words = |contexts: &str| {
        let words =
            ["big-segments", "--redis", &server.url(), "--prefix", "p", "--segments", "3", "--contexts", contexts];
        stdout(&flagdata(&words))
    };
    assert_eq!(words("400"), "3 big segments with members among 400 users written under p:\n");
    let sets = |connection: &mut Connection, which: &str| -> Vec<Vec<String>> {
        (0..400).map(|number| references(connection, which, &format!("user-{number}"))).collect()
    };
    let (included, excluded) = (sets(&mut connection, "include"), sets(&mut connection, "exclude"));
    let count = |sets: &[Vec<String>]| sets.iter().map(Vec::len).sum::<usize>();
    assert!((500..700).contains(&count(&included)) && (200..400).contains(&count(&excluded)), "of 1200");
    assert!(included.iter().zip(&excluded).all(|(in_, out)| in_.iter().all(|reference| !out.contains(reference))));
    words("400");
    assert_eq!((sets(&mut connection, "include"), sets(&mut connection, "exclude")), (included, excluded));
    assert_eq!(connection.hlen::<_, u32>("p:features").unwrap(), 4);
    assert_eq!(flag(&mut connection, "p", "in-big-2")["rules"][0]["clauses"][0]["values"], json!(["big-2"]));
}
