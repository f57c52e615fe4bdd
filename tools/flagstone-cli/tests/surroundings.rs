//! Every command where something around it is not as one would like: a narrow terminal, a reader that has gone, Ctrl-C, a
//! prefix without flags, a Redis that is away.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};

use support::{Ran, examples, file, flagstone, in_terminal, on_redis, redis, redis_with_examples, send, wait_until};

/// Each command that reads; `PLACE` is the folder that it may write to.
const COMMANDS: &[&str] = &[
    "flags",
    "show new-checkout",
    "eval new-checkout --user zoe --explain",
    "watch --for 0.1",
    "doctor",
    "diff nothing",
    "export PLACE/out.json",
    "verify",
    "bench --for 0.01",
];

fn words(command: &str) -> Vec<String> {
    let place = env!("CARGO_TARGET_TMPDIR");
    command.split(' ').map(|word| word.replace("PLACE", place)).collect()
}

fn run(command: &str, url: &str) -> Ran {
    Ran::of(flagstone().args(words(command)).env("FLAGSTONE_REDIS_URL", url).output().unwrap())
}

#[test]
fn every_command_fits_a_terminal_of_40_columns() {
    let redis = redis_with_examples();
    let bad = r#"{"version":1,"on":true,"variations":[1],"fallthrough":{"variation":7},"prerequisites":[{"key":"gone","variation":0}]}"#;
    send(&redis, &["HSET", "launchdarkly:features", "bad", bad, "worse", r#"{"on":"a word that is long enough"}"#]);
    let import = format!("import {} --yes --dry-run --force", examples().display());
    for command in COMMANDS.iter().copied().chain([import.as_str()]) {
        // Complaints are sentences, which terminals wrap themselves.
        let line = format!("FLAGSTONE_REDIS_URL={} PROGRAM {} 2>/dev/null", redis.url(), words(command).join(" "));
        let Some(told) = in_terminal(40, &line) else { return };
        let plain = console::strip_ansi_codes(&told);
        assert!(!plain.trim().is_empty(), "{command}");
        for line in plain.lines() {
            assert!(console::measure_text_width(line) <= 40, "{command}: {line:?} in\n{plain}");
        }
    }
}

#[test]
fn every_command_ends_quietly_when_its_reader_has_gone() {
    let redis = redis_with_examples();
    for command in
        COMMANDS.iter().filter(|command| !command.starts_with("export")).chain(&["export", "man", "completions bash"])
    {
        // Nobody reads from a pipe whose reader has ended.
        let mut reader = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
        let pipe = reader.stdin.take().unwrap();
        reader.wait().unwrap();
        let mut program = flagstone();
        let output =
            program.args(words(command)).env("FLAGSTONE_REDIS_URL", redis.url()).stdout(pipe).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{command}");
    }
}

#[test]
fn a_prefix_without_flags_and_a_redis_that_is_away_are_said_by_every_command() {
    let empty = redis();
    for command in COMMANDS.iter().filter(|command| !command.starts_with("watch")) {
        let ran = run(command, &empty.url());
        let (told, status) = (format!("{}{}", ran.out, ran.err), ran.status);
        let expected = match *command {
            // Something is to be looked at.
            "doctor" => 1,
            // It is as empty as what it is compared with.
            "diff nothing" => 0,
            _ => 4,
        };
        assert_eq!(status, Some(expected), "{command}: {told}");
        assert!(told.contains("no flag") || told.contains("no such flag") || told.contains("0 "), "{command}: {told}");
    }
    let away = empty.url();
    drop(empty);
    for command in COMMANDS.iter().filter(|command| !command.starts_with("watch")) {
        let ran = run(&format!("{command} --timeout 0.3"), &away);
        let told = format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.status, Some(3), "{command}: {told}");
        assert!(told.contains("refused"), "{command}: {told}");
    }
    let watched = run("watch --for 0.1 --timeout 0.2", &away).ended(0);
    assert!(watched.contains("waiting for it"), "{watched}");
}

/// A server that takes connections and never answers.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn interrupt(child: &mut Child) -> Option<i32> {
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let mut ended = None;
    wait_until("it ends", || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    ended.and_then(|ended| ended.signal())
}

#[test]
fn ctrl_c_ends_every_command_that_waits() {
    let (listener, url) = silent();
    let import = format!("import {} --yes", examples().display());
    for command in COMMANDS.iter().copied().chain([import.as_str()]) {
        let mut program = flagstone();
        program.args(words(command)).args(["--timeout", "60"]).env("FLAGSTONE_REDIS_URL", &url);
        let mut child = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // It has begun to wait once it has connected.
        let connection = listener.accept().unwrap();
        assert_eq!(interrupt(&mut child), Some(2), "{command}: which shells call 130");
        drop(connection);
        drain(&listener);
    }
}

/// Connections of what has ended are no connections of what comes next.
fn drain(listener: &TcpListener) {
    listener.set_nonblocking(true).unwrap();
    while listener.accept().is_ok() {}
    listener.set_nonblocking(false).unwrap();
}

#[test]
fn ctrl_c_leaves_the_old_file_and_nothing_beside_it() {
    let redis = redis();
    let big = "x".repeat(1 << 20);
    for number in 0..30 {
        let flag = format!(r#"{{"version":1,"variations":["{big}"]}}"#);
        send(&redis, &["HSET", "launchdarkly:features", &format!("flag-{number}"), &flag]);
    }
    let to = file("old.json", "old");
    let folder = to.parent().unwrap();
    let beside = || {
        std::fs::read_dir(folder)
            .unwrap()
            .filter(|entry| {
                entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|ending| ending == "tmp"))
            })
            .count()
    };
    let mut program = flagstone();
    let mut child =
        program.arg("export").arg(&to).env("FLAGSTONE_REDIS_URL", redis.url()).stdout(Stdio::null()).spawn().unwrap();
    wait_until("it writes", || beside() > 0 || child.try_wait().unwrap().is_some());
    let signal = interrupt(&mut child);
    assert_eq!(beside(), 0, "nothing is left beside it");
    let written = std::fs::read_to_string(&to).unwrap();
    let is_whole = serde_json::from_str::<serde_json::Value>(&written)
        .is_ok_and(|all| all["flags"].as_object().unwrap().len() == 30);
    assert!(written == "old" || is_whole, "it is the old file or the new one");
    assert!(signal == Some(2) || is_whole, "{signal:?}");
}

#[test]
fn ctrl_c_gives_the_lock_of_writers_back() {
    let redis = redis_with_examples();
    let more: String = (0..20_000).map(|number| format!(r#","f{number}":{{"version":1,"variations":[1]}}"#)).collect();
    let flags = format!(r#"{{"flags":{{"a":{{"version":1,"variations":[1]}}{more}}}}}"#);
    let from = file("many.json", &flags);
    let mut program = flagstone();
    program.args(["import", "--yes", "--replace", "--force"]).arg(&from).env("FLAGSTONE_REDIS_URL", redis.url());
    let mut child = program.stdout(Stdio::null()).spawn().unwrap();
    let keys = || -> Vec<String> { redis::cmd("KEYS").arg("*lock*").query(&mut redis.connect().unwrap()).unwrap() };
    wait_until("it holds the lock", || !keys().is_empty() || child.try_wait().unwrap().is_some());
    interrupt(&mut child);
    assert_eq!(keys(), Vec::<String>::new(), "the lock is given back");
    // Whoever comes next does not wait for it.
    on_redis(&redis, &["import", examples().to_str().unwrap(), "--yes", "--replace", "--force"]).ended(0);
}
