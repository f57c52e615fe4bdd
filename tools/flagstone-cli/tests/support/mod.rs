//! Runs the program as a user would: real processes, a real Redis of their own.
#![allow(dead_code, reason = "each test uses some of it")]

use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use flagdata::PrivateRedis;
use serde_json::Value;

/// Nothing takes so long, even on a busy machine.
pub const LONG: Duration = Duration::from_secs(60);

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The flags of the examples.
pub fn examples() -> PathBuf {
    root().join("examples/cli/flags.yaml")
}

/// The program, with nothing of the environment that it heeds.
pub fn flagstone() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_flagstone")))
}

/// The same where signals are what is tested: whoever started the tests may have them ignored, as a shell in the background does.
pub fn flagstone_with_signals(option: &str) -> Command {
    let mut command = Command::new("env");
    command.args([option, env!("CARGO_BIN_EXE_flagstone")]);
    clean(command)
}

fn clean(mut command: Command) -> Command {
    for name in ["URL", "PREFIX", "USERNAME", "PASSWORD"] {
        command.env_remove(format!("FLAGSTONE_REDIS_{name}"));
    }
    command.env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// What a run printed, and its status.
#[derive(Debug)]
pub struct Ran {
    pub out: String,
    pub err: String,
    pub status: Option<i32>,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { out: text(output.stdout), err: text(output.stderr), status: output.status.code() }
    }

    /// What it printed; it must have ended like this.
    #[track_caller]
    pub fn ended(self, status: i32) -> String {
        assert_eq!(self.status, Some(status), "{self:?}");
        self.out
    }

    /// What it complained of; it must have ended like this.
    #[track_caller]
    pub fn complained(self, status: i32) -> String {
        assert_eq!(self.status, Some(status), "{self:?}");
        self.err
    }

    #[track_caller]
    pub fn json(self, status: i32) -> Value {
        let out = self.ended(status);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }
}

/// Runs it on a file of flags.
pub fn on_file(file: &Path, arguments: &[&str]) -> Ran {
    Ran::of(flagstone().args(arguments).arg("--file").arg(file).output().unwrap())
}

/// Runs it on the flags of the examples.
pub fn on_examples(arguments: &[&str]) -> Ran {
    on_file(&examples(), arguments)
}

/// Runs it on a Redis.
pub fn on_redis(redis: &PrivateRedis, arguments: &[&str]) -> Ran {
    Ran::of(flagstone().args(arguments).env("FLAGSTONE_REDIS_URL", redis.url()).output().unwrap())
}

/// A Redis of one's own, empty.
pub fn redis() -> PrivateRedis {
    PrivateRedis::start().expect("redis-server is needed (package redis-server)")
}

/// A Redis with the flags of the examples.
pub fn redis_with_examples() -> PrivateRedis {
    let redis = redis();
    on_redis(&redis, &["import", examples().to_str().unwrap(), "--yes"]).ended(0);
    redis
}

/// Sends a command.
pub fn send(redis: &PrivateRedis, words: &[&str]) {
    let mut command = redis::cmd(words[0]);
    words[1..].iter().for_each(|word| _ = command.arg(word));
    command.exec(&mut redis.connect().unwrap()).unwrap();
}

/// The text of a flag.
pub fn flag_text(redis: &PrivateRedis, key: &str) -> Option<String> {
    redis::cmd("HGET").arg("launchdarkly:features").arg(key).query(&mut redis.connect().unwrap()).unwrap()
}

/// A file with this text, in a folder of its own.
pub fn file(name: &str, text: &str) -> PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{}", std::process::id(), name.replace('.', "-")));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Sends a signal, unless it has ended already; the signal that ended it.
pub fn signal(name: &str, child: &mut Child) -> Option<i32> {
    // The number of what has ended may be that of another process.
    if let Some(ended) = child.try_wait().unwrap() {
        return ended.signal();
    }
    kill(name, &child.id().to_string());
    let mut ended = None;
    wait_until("it ends", || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    ended.and_then(|ended| ended.signal())
}

/// Sends a signal to a process.
pub fn kill(name: &str, process: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), process]).status().unwrap().success());
}

/// Waits until something holds.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A server that takes connections and never answers.
pub fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Runs a line of shell in a terminal of so many columns; what the terminal was sent. None where there is no `script`.
pub fn in_terminal(columns: usize, line: &str) -> Option<String> {
    let program = env!("CARGO_BIN_EXE_flagstone");
    let line = format!("stty rows 24 cols {columns}; {}", line.replace("PROGRAM", program));
    let output = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "script is needed (package bsdutils)");
        return None;
    };
    Some(String::from_utf8(output.stdout).unwrap().replace('\r', ""))
}
