//! The one command that writes: import.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

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
