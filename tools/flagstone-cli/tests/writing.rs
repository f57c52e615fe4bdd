//! The one command that writes: import.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::{Ran, examples, file, flag_text, flagstone, on_redis, redis, redis_with_examples, send};

fn version(redis: &flagdata::PrivateRedis, key: &str) -> Option<i64> {
    let text: Value = serde_json::from_str(&flag_text(redis, key)?).unwrap();
    text["version"].as_i64()
}

fn flags(items: &[(&str, i64)]) -> String {
    let item = |(key, version): &(&str, i64)| {
        format!(r#""{key}":{{"version":{version},"on":true,"variations":[1],"fallthrough":{{"variation":0}}}}"#)
    };
    format!(r#"{{"flags":{{{}}}}}"#, items.iter().map(item).collect::<Vec<_>>().join(","))
}

#[test]
fn nothing_is_written_unless_somebody_agrees() {
    let redis = redis();
    let from = examples().display().to_string();
    let complaint = on_redis(&redis, &["import", &from]).complained(2);
    assert!(complaint.contains("nothing was written") && complaint.contains("--yes"), "{complaint}");
    let told = on_redis(&redis, &["import", &from, "--dry-run"]).ended(0);
    assert!(told.contains("+ flag new-checkout  version 12\n") && told.contains("a dry run"), "{told}");
    assert_eq!(flag_text(&redis, "new-checkout"), None);
    let told = on_redis(&redis, &["import", &from, "--yes"]).ended(0);
    assert!(told.contains("4 new\n4 items written\n"), "{told}");
    let inited: bool = redis::cmd("EXISTS").arg("launchdarkly:$inited").query(&mut redis.connect().unwrap()).unwrap();
    assert!(inited, "what was written whole says so");
    assert!(on_redis(&redis, &["import", &from, "--yes"]).ended(0).contains("nothing to write"));
}

#[test]
fn a_version_is_lowered_only_by_force_and_nothing_else_goes() {
    let redis = redis_with_examples();
    let older = file("older.json", &flags(&[("search-engine", 7), ("payments-v2", 9), ("fresh", 1)]));
    let older = older.display().to_string();
    let told = on_redis(&redis, &["import", &older, "--yes"]).ended(1);
    for words in [
        "= flag search-engine  version 31 stays: 7 is no newer (--force)\n",
        "~ flag payments-v2  version 4 → 9\n",
        "+ flag fresh  version 1\n",
        "2 items written\n",
    ] {
        assert!(told.contains(words), "{words} in {told}");
    }
    assert_eq!((version(&redis, "search-engine"), version(&redis, "payments-v2")), (Some(31), Some(9)));
    let json = on_redis(&redis, &["import", &older, "--yes", "--force", "--json"]).json(0);
    assert_eq!(json["written"], true);
    assert_eq!((version(&redis, "search-engine"), version(&redis, "new-checkout")), (Some(7), Some(12)));
}

#[test]
fn a_replaced_data_set_is_the_file_and_keeps_what_is_newer() {
    let redis = redis_with_examples();
    let only = file("only.json", &flags(&[("search-engine", 7)])).display().to_string();
    let told = on_redis(&redis, &["import", &only, "--yes", "--replace"]).ended(1);
    assert!(told.contains("− flag new-checkout  version 12 is removed\n"), "{told}");
    assert_eq!(on_redis(&redis, &["flags", "-q"]).ended(0), "search-engine\n");
    assert_eq!(version(&redis, "search-engine"), Some(31), "it is newer than that of the file");
}

#[test]
fn what_clients_could_not_read_is_not_imported() {
    let redis = redis_with_examples();
    let bad = file("bad.json", r#"{"flags":{"bad":{"on":"yes"}}}"#).display().to_string();
    let complaint = on_redis(&redis, &["import", &bad, "--yes"]).complained(2);
    assert!(complaint.contains(r#"flag "bad" cannot be imported: `on`"#), "{complaint}");
    on_redis(&redis, &["import", "/nowhere.json", "--yes"]).complained(3);
    // What cannot be read in Redis is older than everything, and mended.
    send(&redis, &["HSET", "launchdarkly:features", "search-engine", "{"]);
    on_redis(&redis, &["import", examples().to_str().unwrap(), "--yes"]).ended(0);
    assert_eq!(version(&redis, "search-engine"), Some(31));
}

#[test]
fn a_user_who_may_not_write_is_told_and_nothing_is_half_written() {
    let redis = redis_with_examples();
    send(
        &redis,
        &["ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@read", "+@connection", "+multi", "+exec", "+info"],
    );
    let newer = file("newer.json", &flags(&[("search-engine", 99)])).display().to_string();
    for more in [&[][..], &["--force"]] {
        let mut command = flagstone();
        command.args(["import", &newer, "--yes", "--url", &redis.url(), "--username", "reader"]).args(more);
        let complaint = Ran::of(command.env("FLAGSTONE_REDIS_PASSWORD", "pw").output().unwrap()).complained(3);
        assert!(complaint.contains("permissions"), "{complaint}");
    }
    assert_eq!(version(&redis, "search-engine"), Some(31));
}

#[test]
fn hundreds_of_items_are_written_in_batches() {
    let redis = redis_with_examples();
    let keys: Vec<String> = (0..250).map(|number| format!("flag-{number}")).collect();
    let items: Vec<(&str, i64)> = keys.iter().map(|key| (key.as_str(), 1)).collect();
    let many = file("many.json", &flags(&items)).display().to_string();
    assert!(on_redis(&redis, &["import", &many, "--yes"]).ended(0).contains("250 items written"));
    assert!(on_redis(&redis, &["flags"]).ended(0).ends_with("253 flags\n"));
}

/// Imports at a terminal, and agrees once `meanwhile` has been done; what was printed, and the status. None where there is no
/// `script`.
fn agreed(redis: &flagdata::PrivateRedis, arguments: &str, meanwhile: impl FnOnce()) -> Option<(String, Option<i32>)> {
    let program = env!("CARGO_BIN_EXE_flagstone");
    let line = format!("{program} import {arguments} --color never --url {}", redis.url());
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = script.spawn() else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "script is needed (package bsdutils)");
        return None;
    };
    let (mut to, mut from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut told, mut part) = (Vec::new(), [0; 1024]);
    let mut read = || match from.read(&mut part).unwrap() {
        0 => None,
        count => {
            told.extend_from_slice(&part[..count]);
            Some(String::from_utf8_lossy(&told).replace('\r', ""))
        }
    };
    while !read().expect("it asks").contains("[y/N] ") {}
    meanwhile();
    to.write_all(b"y\n").unwrap();
    let mut text = String::new();
    while let Some(more) = read() {
        text = more;
    }
    Some((text, child.wait().unwrap().code()))
}

#[test]
fn what_others_write_while_it_asks_is_neither_lost_nor_said_to_be_written() {
    let newer = file("newer-agreed.json", &flags(&[("search-engine", 40), ("payments-v2", 5)])).display().to_string();
    let theirs = |redis: &flagdata::PrivateRedis| {
        let text = |version| format!(r#"{{"version":{version},"variations":[1],"fallthrough":{{"variation":0}}}}"#);
        send(redis, &["HSET", "launchdarkly:features", "search-engine", &text(50), "unseen", &text(1)]);
    };
    let redis = redis_with_examples();
    let Some((told, status)) = agreed(&redis, &newer, || theirs(&redis)) else { return };
    assert!(told.contains("= flag search-engine  stays") && told.contains("\n1 item written\n"), "{told}");
    assert_eq!(
        (status, version(&redis, "search-engine"), version(&redis, "payments-v2")),
        (Some(1), Some(50), Some(5))
    );
    for option in ["--force", "--replace"] {
        let redis = redis_with_examples();
        let (told, status) = agreed(&redis, &format!("{newer} {option}"), || theirs(&redis)).unwrap();
        assert!(told.contains("nothing was written") && told.contains("meanwhile"), "{told}");
        let versions = ["search-engine", "payments-v2", "unseen"].map(|key| version(&redis, key));
        assert_eq!((status, versions), (Some(1), [Some(50), Some(4), Some(1)]), "{option}");
    }
}

#[test]
fn a_file_without_flags_empties_nothing() {
    let redis = redis_with_examples();
    for (name, text) in [("nothing.json", "{}"), ("no-flags.json", r#"{"flags":{},"segments":{}}"#)] {
        let nothing = file(name, text).display().to_string();
        let complaint = on_redis(&redis, &["import", &nothing, "--replace", "--yes"]).complained(4);
        assert!(complaint.contains("there are no flags in it: nothing was written"), "{complaint}");
    }
    assert!(on_redis(&redis, &["flags"]).ended(0).ends_with("3 flags\n"));
}

#[test]
fn an_export_is_imported_through_a_pipe() {
    let redis = redis_with_examples();
    let exported = on_redis(&redis, &["export"]).ended(0);
    let mut command = flagstone();
    command.args(["import", "-", "--yes", "--prefix", "other", "--url", &redis.url(), "--timeout", "1"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Whoever writes there may take longer than Redis may.
    std::thread::sleep(Duration::from_millis(1_300));
    child.stdin.take().unwrap().write_all(exported.as_bytes()).unwrap();
    assert!(Ran::of(child.wait_with_output().unwrap()).ended(0).contains("4 items written"));
    assert_eq!(on_redis(&redis, &["export", "--prefix", "other"]).ended(0), exported);
}
