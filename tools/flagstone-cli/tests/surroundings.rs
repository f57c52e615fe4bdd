//! Every command where something around it is not as one would like: a narrow terminal, a reader that has gone, Ctrl-C, a
//! prefix without flags, a Redis that is away.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use flagdata::PrivateRedis;
use support::{
    Ran, examples, file, flagstone, flagstone_with_signals, in_terminal, kill, on_redis, redis, redis_with_examples,
    send, signal, silent, wait_until,
};

/// What ends a program: Ctrl-C, a polite request, a terminal that was closed.
const ENDING: [(&str, i32); 3] = [("INT", 2), ("TERM", 15), ("HUP", 1)];
const HEARD: &str = "--default-signal=INT,TERM,HUP";

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

#[test]
fn doctor_says_that_a_login_is_missing_and_nothing_of_what_it_could_not_ask() {
    let redis = redis();
    send(&redis, &["CONFIG", "SET", "requirepass", "hunter2"]);
    let told = run("doctor", &redis.url());
    assert_eq!(told.status, Some(3), "{told:?}");
    let lines: Vec<_> = told.out.lines().collect();
    assert!(lines.len() == 2 && lines[1].starts_with("✗ connection  "), "{told:?}");
    assert!(lines[1].contains("NOAUTH") && lines[1].contains("FLAGSTONE_REDIS_PASSWORD"), "{told:?}");
}

#[test]
fn the_page_of_a_prefix_without_flags_is_announced_as_such() {
    let redis = redis();
    let mut program = flagstone();
    let mut child = program.args(["view", "--url", &redis.url()]).stdout(Stdio::piped()).spawn().unwrap();
    let told: Vec<_> = BufReader::new(child.stdout.take().unwrap()).lines().take(2).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(told[0].starts_with("http://") && told[1].starts_with("there are no flags: "), "{told:?}");
    assert!(told[1].contains("--prefix names another one"), "{told:?}");
}

#[test]
fn ctrl_c_ends_every_command_that_waits() {
    let (listener, url) = silent();
    let import = format!("import {} --yes", examples().display());
    for command in COMMANDS.iter().copied().chain([import.as_str()]) {
        let mut program = flagstone_with_signals(HEARD);
        program.args(words(command)).args(["--timeout", "600"]).env("FLAGSTONE_REDIS_URL", &url);
        let mut child = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // It has begun to wait once it has connected.
        let connection = listener.accept().unwrap();
        assert_eq!(signal("INT", &mut child), Some(2), "{command}: which shells call 130");
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

/// So many, of a megabyte each: writing them takes a moment.
const FLAGS: usize = 15;

#[test]
fn ctrl_c_and_a_terminal_that_is_closed_leave_the_old_file_and_nothing_beside_it() {
    let redis = redis();
    let big = "x".repeat(1 << 20);
    for number in 0..FLAGS {
        let flag = format!(r#"{{"version":1,"variations":["{big}"]}}"#);
        send(&redis, &["HSET", "launchdarkly:features", &format!("flag-{number}"), &flag]);
    }
    for (name, number) in [("INT", 2), ("HUP", 1)] {
        export_and_end(&redis, name, number);
    }
}

fn export_and_end(redis: &PrivateRedis, name: &str, number: i32) {
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
    let mut program = flagstone_with_signals(HEARD);
    let mut child =
        program.arg("export").arg(&to).env("FLAGSTONE_REDIS_URL", redis.url()).stdout(Stdio::null()).spawn().unwrap();
    wait_until("it writes", || beside() > 0 || child.try_wait().unwrap().is_some());
    let signal = signal(name, &mut child);
    assert_eq!(beside(), 0, "nothing is left beside it");
    let written = std::fs::read_to_string(&to).unwrap();
    let is_whole = serde_json::from_str::<serde_json::Value>(&written)
        .is_ok_and(|all| all["flags"].as_object().unwrap().len() == FLAGS);
    assert!(written == "old" || is_whole, "it is the old file or the new one");
    assert!(signal == Some(number) || is_whole, "{signal:?}");
}

#[test]
fn ctrl_c_gives_the_lock_of_writers_back() {
    let redis = redis_with_examples();
    let more: String = (0..20_000).map(|number| format!(r#","f{number}":{{"version":1,"variations":[1]}}"#)).collect();
    let flags = format!(r#"{{"flags":{{"a":{{"version":1,"variations":[1]}}{more}}}}}"#);
    let from = file("many.json", &flags);
    let mut program = flagstone_with_signals(HEARD);
    program.args(["import", "--yes", "--replace", "--force"]).arg(&from).env("FLAGSTONE_REDIS_URL", redis.url());
    let mut child = program.stdout(Stdio::null()).spawn().unwrap();
    let keys = || -> Vec<String> { redis::cmd("KEYS").arg("*lock*").query(&mut redis.connect().unwrap()).unwrap() };
    wait_until("it holds the lock", || !keys().is_empty() || child.try_wait().unwrap().is_some());
    signal("INT", &mut child);
    assert_eq!(keys(), Vec::<String>::new(), "the lock is given back");
    // Whoever comes next does not wait for it.
    on_redis(&redis, &["import", examples().to_str().unwrap(), "--yes", "--replace", "--force"]).ended(0);
}

#[test]
fn ctrl_c_ends_an_import_that_waits_for_the_lock_of_somebody_else_and_says_what_was_written() {
    let redis = redis_with_examples();
    send(&redis, &["SET", "launchdarkly:$flagstone_lock", "somebody"]);
    let from = file("later.json", r#"{"flags":{"a":{"version":1,"variations":[1]}}}"#);
    let mut program = flagstone_with_signals(HEARD);
    program.args(["import", "--yes", "--replace", "--force"]).arg(&from).env("FLAGSTONE_REDIS_URL", redis.url());
    let mut child = program.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let tries = || -> String { redis::cmd("INFO").arg("commandstats").query(&mut redis.connect().unwrap()).unwrap() };
    let before = lock_tries(&tries());
    wait_until("it waits", || lock_tries(&tries()) > before + 1 || child.try_wait().unwrap().is_some());
    let began = Instant::now();
    assert_eq!(signal("INT", &mut child), Some(2));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(support::flag_text(&redis, "a").is_none(), "nothing was written");
    let lock: String =
        redis::cmd("GET").arg("launchdarkly:$flagstone_lock").query(&mut redis.connect().unwrap()).unwrap();
    assert_eq!(lock, "somebody");
}

#[test]
fn an_end_that_takes_long_is_told_of_and_another_ctrl_c_does_not_wait_for_it() {
    let redis = redis_with_examples();
    let from = file("never.json", r#"{"flags":{"a":{"version":1,"variations":[1]}}}"#);
    // It answers reads, and keeps whoever writes waiting.
    send(&redis, &["CLIENT", "PAUSE", "60000", "WRITE"]);
    let mut program = flagstone_with_signals(HEARD);
    program.args(["import", "--yes", "--replace", "--force", "--timeout", "600"]).arg(&from);
    program.env("FLAGSTONE_REDIS_URL", redis.url()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let clients = || -> String { redis::cmd("CLIENT").arg("LIST").query(&mut redis.connect().unwrap()).unwrap() };
    wait_until("it waits", || clients().contains("flags=b") || child.try_wait().unwrap().is_some());
    kill("INT", &child.id().to_string());
    let mut told = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut told).unwrap();
    assert!(told.contains("Ctrl-C again ends it at once"), "{told}");
    assert_eq!(signal("INT", &mut child), Some(2));
}

/// The page of the examples, once it is there.
fn page(signals: &str) -> (Child, BufReader<ChildStdout>) {
    let mut program = flagstone_with_signals(signals);
    program.args(["view", "--json", "--file"]).arg(examples()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = program.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(line.contains("viewing"), "{line}");
    (child, out)
}

#[test]
fn each_signal_that_ends_programs_ends_the_page_by_itself() {
    for (name, number) in ENDING {
        let (mut child, _out) = page(HEARD);
        assert_eq!(signal(name, &mut child), Some(number), "{name}: which shells call {}", 128 + number);
    }
}

#[test]
fn what_nohup_or_a_shell_has_ignored_stays_ignored() {
    let (mut child, _out) = page("--ignore-signal=INT,HUP");
    let id = child.id().to_string();
    // Those with a lower number arrive first.
    for name in ["HUP", "INT"] {
        kill(name, &id);
    }
    assert_eq!(signal("TERM", &mut child), Some(15));
}

#[test]
fn a_signal_leaves_no_sign_of_work_on_the_terminal() {
    let (_listener, url) = silent();
    let program = env!("CARGO_BIN_EXE_flagstone");
    let line = format!("echo $$; exec env {HEARD} {program} flags --url {url} --timeout 600");
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").env("SHELL", "/bin/sh");
    let Ok(mut child) = script.stdin(Stdio::null()).stdout(Stdio::piped()).spawn() else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "script is needed (package bsdutils)");
        return;
    };
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut id = String::new();
    out.read_line(&mut id).unwrap();
    let (mut told, mut part) = (String::new(), [0; 1 << 10]);
    while !told.contains("reading") {
        let count = out.read(&mut part).unwrap();
        assert!(count > 0, "{told:?}");
        told.push_str(&String::from_utf8_lossy(&part[..count]));
    }
    kill("INT", id.trim());
    out.read_to_string(&mut told).unwrap();
    child.wait().unwrap();
    assert!(told.ends_with("\r\u{1b}[2K"), "{told:?}");
}

/// How often `SET` was asked for.
fn lock_tries(statistics: &str) -> u64 {
    let line = statistics.lines().find_map(|line| line.strip_prefix("cmdstat_set:calls="));
    line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().unwrap())
}
