//! The servers that there are to test against: `redis-server` of the PATH, those whose programs `FLAGSTONE_TEST_SERVERS` lists
//! with colons in between, which `tools/servers.sh` installs, and the one that `REDIS8_SERVER` names.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::{RedisServer, Setup};

/// What the tests are written for, as the beginnings of names.
const WANTED: [&str; 7] =
    ["Redis 6.2.", "Redis 7.0.", "Redis 7.4.", "Redis 8.2.", "Redis 8.8.", "Valkey 8.1.", "Valkey 9.1."];

/// A server's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// `Redis 7.4.1`, as it says itself.
    pub name: String,
    /// Its first two numbers.
    pub version: (u32, u32),
    path: PathBuf,
}

impl Program {
    /// `None` where there is no such program.
    fn at(path: &Path) -> Option<Self> {
        let output = Command::new(path).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        // `Redis server v=7.0.15 sha=…`
        let (kind, rest) = text.split_once(" server v=")?;
        let number = rest.split(' ').next()?;
        let mut parts = number.split('.').map(|part| part.parse().ok());
        let version = (parts.next()??, parts.next()??);
        Some(Self { name: format!("{kind} {number}"), version, path: path.to_owned() })
    }

    /// A server of this program that is to be set up.
    pub fn setup(&self) -> Setup {
        Setup::default().program(&self.path)
    }

    /// A server of this program that holds these flags and segments.
    pub fn holding(&self, flags: &[(&str, String)], segments: &[(&str, String)]) -> RedisServer {
        let server = self.setup().start();
        server.replace(flags, segments);
        server
    }

    /// Whether it is Redis, and of this version or a newer one.
    pub fn is_redis(&self, version: (u32, u32)) -> bool {
        self.name.starts_with("Redis ") && self.version >= version
    }

    /// The same for Valkey.
    pub fn is_valkey(&self, version: (u32, u32)) -> bool {
        self.name.starts_with("Valkey ") && self.version >= version
    }

    /// Whether it can listen with TLS.
    pub fn has_tls(&self) -> bool {
        // Without a certificate it ends in any case.
        let output = Command::new(&self.path).args(["--port", "0", "--tls-port", "1"]).output().unwrap();
        let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        !told.contains("Failed finding TLS support") && !told.contains("Bad directive")
    }
}

/// All of them, each once, the oldest first.
pub fn programs() -> Vec<Program> {
    let listed = env::var_os("FLAGSTONE_TEST_SERVERS").unwrap_or_default();
    let (named, path) = (env::var_os("REDIS8_SERVER"), ["redis-server", "valkey-server"].map(OsString::from));
    let paths = path.into_iter().map(PathBuf::from).chain(env::split_paths(&listed)).chain(named.map(PathBuf::from));
    let mut programs: Vec<Program> = paths.filter_map(|path| Program::at(&path)).collect();
    programs.sort_by(|one, other| one.name.cmp(&other.name));
    programs.dedup_by(|one, other| one.name == other.name);
    assert!(!programs.is_empty(), "these tests need the program redis-server");
    programs
}

/// What is wanted and not there.
pub fn left_out(programs: &[Program]) -> Vec<&'static str> {
    let is_there = |wanted: &&str| programs.iter().any(|program| program.name.starts_with(wanted));
    WANTED.into_iter().filter(|wanted| !is_there(wanted)).map(|wanted| wanted.trim_end_matches('.')).collect()
}

/// Tries `check` with every server at the same time: most of it waits. A thread is named like its server, so a failure says
/// which one it was.
#[track_caller]
pub fn on_every_server(check: impl Fn(&Program) + Sync) {
    on(&programs(), check);
}

/// The same with those servers only of which `admit` says so.
#[track_caller]
pub fn those_with(admit: impl Fn(&Program) -> bool, check: impl Fn(&Program) + Sync) {
    on(&programs().into_iter().filter(admit).collect::<Vec<_>>(), check);
}

#[track_caller]
fn on(programs: &[Program], check: impl Fn(&Program) + Sync) {
    thread::scope(|scope| {
        for program in programs {
            let run = || check(program);
            thread::Builder::new().name(program.name.clone()).spawn_scoped(scope, run).unwrap();
        }
    });
}

/// Says something that whoever runs the tests is to see although they pass.
pub fn say(text: &str) {
    // What is printed by a macro is shown for failed tests only.
    let _ = writeln!(std::io::stderr(), "{text}");
}
