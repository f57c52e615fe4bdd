//! What somebody sees at a terminal, and what becomes of pipes and signals.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;
use support::{
    examples, flag_text, flagstone, flagstone_with_signals, in_terminal, on_examples, on_redis, redis,
    redis_with_examples, send, signal,
};

fn without_colours(text: &str) -> String {
    console::strip_ansi_codes(text).into_owned()
}

#[test]
fn tables_and_trees_fit_a_terminal_of_40_columns() {
    let file = examples().display().to_string();
    let Some(told) =
        in_terminal(40, &format!("PROGRAM flags --file {file}; PROGRAM eval new-checkout -u zoe -e --file {file}"))
    else {
        return;
    };
    assert!(told.contains("\u{1b}["), "there are colours: {told:?}");
    let plain = without_colours(&told);
    assert!(plain.contains("new-checkout") && plain.contains("rule 1"), "{plain}");
    for line in plain.lines() {
        assert!(console::measure_text_width(line) <= 40, "{line:?} in\n{plain}");
    }
}

#[test]
fn colours_are_for_terminals_and_may_be_switched_off() {
    let file = examples().display().to_string();
    assert!(!on_examples(&["flags"]).ended(0).contains('\u{1b}'));
    assert!(on_examples(&["flags", "--color", "always"]).ended(0).contains('\u{1b}'));
    for before in ["NO_COLOR=1", "TERM=dumb"] {
        let Some(told) = in_terminal(80, &format!("{before} PROGRAM flags --file {file}")) else { return };
        assert!(!told.contains('\u{1b}') && told.contains("new-checkout"), "{told:?}");
    }
    let json = in_terminal(80, &format!("PROGRAM flags --json --file {file}")).unwrap();
    assert!(!json.contains('\u{1b}') && serde_json::from_str::<Value>(&json).is_ok(), "{json}");
}

#[test]
fn what_data_say_never_steers_the_terminal() {
    let redis = redis();
    let key = "evil\u{1b}[2J\n\u{9b}\u{202e}";
    let json = Value::from(key);
    let flag = format!(
        r#"{{"key":{json},"version":1,"on":true,"name":{json},"variations":[{json}],"fallthrough":{{"variation":0}},
        "rules":[{{"id":{json},"variation":0,"clauses":[{{"attribute":{json},"op":{json},"values":[{json}]}}]}}],
        "prerequisites":[{{"key":{json},"variation":0}}]}}"#
    )
    .replace('\n', "");
    send(&redis, &["HSET", "launchdarkly:features", key, &flag]);
    send(&redis, &["HSET", "launchdarkly:features", "\u{1b}]0;bad", "{"]);
    for command in [
        &["flags"][..],
        &["flags", "-q"],
        &["show", key],
        &["eval", key, "--user", key, "-e"],
        &["verify"],
        &["doctor"],
        &["diff", "nothing"],
        &["show", "evil-\u{1b}[2J"],
        &["flags", "--json"],
        &["eval", key, "-u", "a", "-e", "--json"],
    ] {
        let ran = on_redis(&redis, command);
        for text in [&ran.out, &ran.err] {
            assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7}']), "{command:?}: {text:?}");
        }
        assert!(ran.status.is_some_and(|status| status <= 4), "{ran:?}");
    }
}

#[test]
fn what_is_printed_as_it_is_does_not_steer_a_terminal_either() {
    let redis = redis();
    let (bad, good) = ("{\u{1b}[2J", "{\"version\":1,\"name\":\"\u{9b}2J \",\"variations\":[\"\u{202e}\"]}");
    send(&redis, &["HSET", "launchdarkly:features", "bad", bad, "good", good]);
    let line =
        format!("for what in 'show bad --raw' export; do PROGRAM $what --url {} --color never; done", redis.url());
    let Some(told) = in_terminal(80, &line) else { return };
    assert!(told.contains("{\\u001b[2J") && told.contains("\"\\u009b2J "), "{told:?}");
    assert!(!told.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{told:?}");
    assert_eq!(on_redis(&redis, &["show", "bad", "--raw"]).ended(0), format!("{bad}\n"), "in a pipe it is as it is");
}

#[test]
fn whoever_has_read_enough_ends_it_quietly() {
    let redis = redis();
    let keys: Vec<String> = (0..5_000).map(|number| format!("a-flag-with-a-long-name-{number}")).collect();
    let flag = r#"{"version":1,"on":true,"variations":[1],"fallthrough":{"variation":0}}"#;
    let words: Vec<&str> =
        ["HSET", "launchdarkly:features"].into_iter().chain(keys.iter().flat_map(|key| [key.as_str(), flag])).collect();
    send(&redis, &words);
    let mut child = flagstone()
        .arg("flags")
        .env("FLAGSTONE_REDIS_URL", redis.url())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

/// A watch that runs, and what it prints.
struct Watching {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Watching {
    fn start(url: &str, arguments: &[&str]) -> Self {
        let mut command = flagstone_with_signals("--default-signal=INT");
        command.arg("watch").args(arguments).env("FLAGSTONE_REDIS_URL", url).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn changes_are_told_as_they_happen_with_both_versions() {
    let redis = redis_with_examples();
    let mut watching = Watching::start(&redis.url(), &["--count", "3"]);
    let first = watching.line();
    assert!(first.starts_with("watching 3 flags in ") && first.ends_with("(push)\n"), "{first}");
    let text = flag_text(&redis, "search-engine").unwrap();
    let changed = text.replace("\"version\":31", "\"version\":32").replace("\"on\":false", "\"on\":true");
    send(&redis, &["HSET", "launchdarkly:features", "search-engine", &changed]);
    let line = watching.line();
    assert!(line.contains("search-engine  version 31 → 32  turned on\n") && line.contains(" ms ago  "), "{line}");
    send(&redis, &["HSET", "launchdarkly:features", "fresh", r#"{"version":1,"variations":[1]}"#]);
    let line = watching.line();
    assert!(line.contains("fresh  new, version 1\n"), "{line}");
    send(&redis, &["HSET", "launchdarkly:features", "fresh", r#"{"version":2,"deleted":true}"#]);
    let line = watching.line();
    assert!(line.contains("fresh  version 1 → 2  deleted\n"), "{line}");
    assert!(watching.child.wait().unwrap().success());
}

#[test]
fn a_watch_outlives_its_redis_and_says_so() {
    let redis = redis();
    let url = redis.url();
    drop(redis);
    let mut watching = Watching::start(&url, &["--json", "--timeout", "0.2"]);
    let first: Value = serde_json::from_str(&watching.line()).unwrap();
    assert!(first["event"] == "watching" && first["error"].is_string(), "{first}");
    // It goes on: only a signal ends it.
    assert!(watching.child.try_wait().unwrap().is_none());
}

#[test]
fn ctrl_c_ends_a_watch_at_once() {
    let redis = redis_with_examples();
    let mut watching = Watching::start(&redis.url(), &[]);
    watching.line();
    assert_eq!(signal("INT", &mut watching.child), Some(2), "which shells call 130");
}

#[test]
fn a_watch_of_a_file_tells_of_its_changes_and_ends_in_time() {
    let flags = |on| {
        format!(r#"{{"flags":{{"a":{{"version":1,"on":{on},"variations":[1],"fallthrough":{{"variation":0}}}}}}}}"#)
    };
    let path = support::file("watched.json", &flags(false));
    let mut command = flagstone();
    command.args(["watch", "--count", "1", "--for", "60", "--file"]).arg(&path).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(line.starts_with("watching 1 flag in "), "{line}");
    let beside = path.with_extension("new");
    std::fs::write(&beside, flags(true)).unwrap();
    std::fs::rename(&beside, &path).unwrap();
    line.clear();
    out.read_line(&mut line).unwrap();
    assert!(line.contains("a  still version 1  ") && line.contains("turned on"), "{line}");
    assert!(child.wait().unwrap().success());
    assert!(on_examples(&["watch", "--for", "0.1"]).ended(0).starts_with("watching 3 flags"));
}
