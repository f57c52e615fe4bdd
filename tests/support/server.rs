//! A `redis-server` that belongs to one test: a port of its own, a directory of its own, nothing persistent, gone with the
//! value. Can be killed, stopped, continued and restarted on the same port.
#![allow(unsafe_code, reason = "signals")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use flagdata::free_port;
use redis::{Connection, FromRedisValue, Pipeline, ToRedisArgs, cmd, pipe};

use super::{Certificates, wait_until};

/// Prefix of the keys that the helpers write.
pub const PREFIX: &str = "launchdarkly";
const MISSING: &str = "these tests need the program redis-server (Debian and Ubuntu: package redis-server)";
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A directory that is removed with the value.
pub struct TempDir(PathBuf);

impl TempDir {
    /// A new directory; `what` is part of its name.
    pub fn new(what: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("flagstone-{what}-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // What is left is harmless.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How a server is to be.
#[derive(Default)]
pub struct Setup {
    /// What is run; [`program`] unless it is named.
    program: Option<PathBuf>,
    password: Option<String>,
    tls: Option<u16>,
    arguments: Vec<String>,
    /// The settings of a sentinel.
    sentinel: Option<String>,
}

impl Setup {
    /// Runs this program.
    pub fn program(mut self, program: &Path) -> Self {
        self.program = Some(program.to_owned());
        self
    }

    /// The default user needs this password.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.argument(&["--requirepass", password])
    }

    /// Adds command-line arguments.
    pub fn argument(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Adds an ACL user, for example `reader on >secret ~* +@read`.
    pub fn user(self, rules: &str) -> Self {
        let words: Vec<&str> = ["--user"].into_iter().chain(rules.split(' ')).collect();
        self.argument(&words)
    }

    /// Listens with TLS too; `clients` says whether client certificates are demanded.
    pub fn tls(mut self, certificates: &Certificates, clients: bool) -> Self {
        let port = free_port();
        self.tls = Some(port);
        self.argument(&["--tls-port", &port.to_string(), "--tls-auth-clients", if clients { "yes" } else { "no" }])
            .argument(&["--tls-ca-cert-file", &certificates.path("ca.pem")])
            .argument(&["--tls-cert-file", &certificates.path("server.pem")])
            .argument(&["--tls-key-file", &certificates.path("server.key")])
    }

    /// Is a sentinel with these settings, and holds no data.
    pub fn sentinel(mut self, settings: &str) -> Self {
        self.sentinel = Some(settings.to_owned());
        self
    }

    /// Starts the server and waits until it answers.
    pub fn start(self) -> RedisServer {
        let directory = TempDir::new("redis");
        for _ in 0..20 {
            let port = free_port();
            if let Some(process) = launch(&self, port, directory.path()) {
                return RedisServer { process, setup: self, port, directory };
            }
        }
        let log = fs::read_to_string(directory.path().join("log")).unwrap_or_default();
        panic!("redis-server does not start: {log}");
    }
}

/// What is run where a test does not care: `redis-server` of the PATH, or what `FLAGSTONE_TEST_SERVER` names, so that any test
/// can be run with any server.
fn program() -> PathBuf {
    std::env::var_os("FLAGSTONE_TEST_SERVER").map_or_else(|| "redis-server".into(), PathBuf::from)
}

/// A running server.
pub struct RedisServer {
    process: Child,
    setup: Setup,
    port: u16,
    directory: TempDir,
}

impl RedisServer {
    /// A server without any options.
    pub fn start() -> Self {
        Setup::default().start()
    }

    /// A server that holds a data set: these flags, these segments, `$inited`.
    pub fn holding(flags: &[(&str, String)], segments: &[(&str, String)]) -> Self {
        let server = Self::start();
        server.replace(flags, segments);
        server
    }

    /// Address without credentials.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Address of the TLS listener.
    pub fn tls_url(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.setup.tls.expect("set up with tls"))
    }

    /// Path of the unix socket, which every server has.
    pub fn socket(&self) -> String {
        self.directory.path().join("socket").display().to_string()
    }

    /// Port of the TLS listener.
    pub fn tls_port(&self) -> u16 {
        self.setup.tls.expect("set up with tls")
    }

    /// Port of the listener without TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new connection as the default user.
    pub fn connect(&self) -> Connection {
        connect(&self.setup, self.port).expect("the server answers")
    }

    /// Sends one command.
    pub fn run<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = cmd(words[0]);
        words[1..].iter().for_each(|word| _ = command.arg(word));
        command.query(&mut self.connect()).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Sends one command, if it answers soon.
    pub fn query<T: FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut command = cmd(words[0]);
        words[1..].iter().for_each(|word| _ = command.arg(word));
        // One that hangs takes a connection, too, and says nothing on it.
        command.query(&mut connect_within(&self.setup, self.port, Duration::from_secs(1))?)
    }

    /// Whether it listens on this port, with TLS or without.
    pub fn speaks_at(&self, port: u16) -> bool {
        self.port == port || self.setup.tls == Some(port)
    }

    /// Sends a pipeline.
    pub fn send(&self, pipeline: &Pipeline) {
        pipeline.query::<()>(&mut self.connect()).expect("the server takes the pipeline");
    }

    /// Sets a flag.
    pub fn set_flag(&self, key: impl ToRedisArgs, text: impl ToRedisArgs) {
        self.hset("features", key, text);
    }

    /// Sets a segment.
    pub fn set_segment(&self, key: impl ToRedisArgs, text: impl ToRedisArgs) {
        self.hset("segments", key, text);
    }

    /// The text of an item of `features` or `segments`.
    pub fn text(&self, part: &str, key: &str) -> Option<String> {
        self.run(&["HGET", &name(part), key])
    }

    /// Whether a full data set was written.
    pub fn is_inited(&self) -> bool {
        self.run::<i64>(&["EXISTS", &name("$inited")]) == 1
    }

    /// Removes a flag's field.
    pub fn remove_flag(&self, key: &str) {
        self.run::<()>(&["HDEL", &name("features"), key]);
    }

    /// Removes keys of the environment: `features`, `segments`, `$inited`.
    pub fn remove(&self, names: &[&str]) {
        let keys: Vec<String> = names.iter().map(|part| name(part)).collect();
        let words: Vec<&str> = ["DEL"].into_iter().chain(keys.iter().map(String::as_str)).collect();
        self.run::<()>(&words);
    }

    /// Writes the marker of a full data set.
    pub fn set_inited(&self) {
        self.run::<()>(&["SET", &name("$inited"), ""]);
    }

    /// Replaces the data set in one transaction, as SDKs and Relay Proxy do.
    pub fn replace(&self, flags: &[(&str, String)], segments: &[(&str, String)]) {
        self.replace_after(&mut pipe(), flags, segments);
    }

    /// The same, after everything else was flushed, at one moment.
    pub fn flush_and_replace(&self, flags: &[(&str, String)]) {
        self.replace_after(pipe().cmd("FLUSHALL"), flags, &[]);
    }

    fn replace_after(&self, pipeline: &mut Pipeline, flags: &[(&str, String)], segments: &[(&str, String)]) {
        pipeline.atomic();
        for (part, items) in [("features", flags), ("segments", segments)] {
            pipeline.cmd("DEL").arg(name(part));
            for (key, text) in items {
                pipeline.cmd("HSET").arg(name(part)).arg(key).arg(text);
            }
        }
        pipeline.cmd("SET").arg(name("$inited")).arg("");
        self.send(pipeline);
    }

    /// Removes everything.
    pub fn flush(&self) {
        self.run::<()>(&["FLUSHALL"]);
    }

    /// How often each command was called, by lower-case name; subcommands are `client|tracking`.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        let text: String = self.run(&["INFO", "commandstats"]);
        let lines = text.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="));
        lines.map(|(name, rest)| (name.to_owned(), rest.split(',').next().unwrap().parse().unwrap())).collect()
    }

    /// How often one command was called.
    pub fn calls_of(&self, command: &str) -> u64 {
        self.calls().get(command).copied().unwrap_or(0)
    }

    /// Number of bytes that the server has sent.
    pub fn bytes_sent(&self) -> u64 {
        let text: String = self.run(&["INFO", "stats"]);
        let count = text.lines().find_map(|line| line.strip_prefix("total_net_output_bytes:"));
        count.and_then(|count| count.trim().parse().ok()).expect("the server counts")
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.kill().expect("the server runs");
        self.process.wait().expect("the server ends");
    }

    /// Starts it again, empty, on the same port.
    pub fn restart(&mut self) {
        wait_until(START_TIMEOUT, "the server starts again", || {
            match launch(&self.setup, self.port, self.directory.path()) {
                Some(process) => {
                    self.process = process;
                    true
                }
                None => false,
            }
        });
    }

    /// The same after it has ended by itself.
    pub fn reap_and_restart(&mut self) {
        self.process.wait().expect("the server has ended");
        self.restart();
    }

    /// Stops it: connections stay, nothing is answered. Returns once it has stopped.
    pub fn stop(&self) {
        self.signal(libc::SIGSTOP);
        let status = format!("/proc/{}/stat", self.process.id());
        wait_until(START_TIMEOUT, "the server stops", || {
            // The state follows the name, which is in brackets.
            fs::read_to_string(&status).unwrap().rsplit(')').next().is_some_and(|rest| rest.starts_with(" T"))
        });
    }

    /// Lets it go on.
    pub fn cont(&self) {
        self.signal(libc::SIGCONT);
    }

    /// Ends the connection on which tracking is switched on, and waits until it is gone.
    pub fn kill_tracking_connections(&self) {
        let list: String = self.run(&["CLIENT", "LIST"]);
        let tracking = list.lines().filter(|line| line.split(' ').any(is_tracking));
        let ids: Vec<&str> = tracking.filter_map(|line| line.split(' ').find_map(|w| w.strip_prefix("id="))).collect();
        assert!(!ids.is_empty(), "nobody tracks: {list}");
        ids.iter().for_each(|id| _ = self.run::<i64>(&["CLIENT", "KILL", "ID", id]));
    }

    /// Number of connections on which tracking is switched on.
    pub fn tracking_connections(&self) -> usize {
        let list: String = self.run(&["CLIENT", "LIST"]);
        list.lines().filter(|line| line.split(' ').any(is_tracking)).count()
    }

    /// Further connections that count among those that are told of changes, and are told of none.
    pub fn tracked_by(&self, count: usize) -> Vec<TcpStream> {
        let tracking = |_| {
            let mut stream =
                TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("the server takes connections");
            stream.write_all(b"HELLO 3\r\nCLIENT TRACKING ON\r\n").expect("the server listens");
            stream
        };
        let connections: Vec<TcpStream> = (0..count).map(tracking).collect();
        wait_until(START_TIMEOUT, "all track", || self.tracking_connections() >= count);
        connections
    }

    fn hset(&self, part: &str, key: impl ToRedisArgs, text: impl ToRedisArgs) {
        cmd("HSET").arg(name(part)).arg(key).arg(text).exec(&mut self.connect()).expect("the server takes the item");
    }

    fn signal(&self, signal: i32) {
        let process = i32::try_from(self.process.id()).unwrap();
        // SAFETY: the process is a child that was not waited for, so the number is its own.
        assert_eq!(unsafe { libc::kill(process, signal) }, 0);
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It has already ended, or it ends now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_tracking(word: &str) -> bool {
    word.strip_prefix("flags=").is_some_and(|flags| flags.contains('t'))
}

/// Full name of a key of the environment.
fn name(part: &str) -> String {
    format!("{PREFIX}:{part}")
}

fn connect(setup: &Setup, port: u16) -> redis::RedisResult<Connection> {
    connect_within(setup, port, Duration::from_secs(30))
}

fn connect_within(setup: &Setup, port: u16, limit: Duration) -> redis::RedisResult<Connection> {
    let login = setup.password.as_ref().map_or_else(String::new, |password| format!(":{password}@"));
    let client = redis::Client::open(format!("redis://{login}127.0.0.1:{port}"))?;
    let connection = client.get_connection_with_timeout(limit)?;
    connection.set_read_timeout(Some(limit))?;
    Ok(connection)
}

/// Starts a server on this port; `None` when it ends at once, as it does when somebody else has the port.
fn launch(setup: &Setup, port: u16, directory: &Path) -> Option<Child> {
    let log = File::create(directory.join("log")).expect("the server's directory is writable");
    let mut command = Command::new(setup.program.clone().unwrap_or_else(program));
    if let Some(settings) = &setup.sentinel {
        // It keeps in there what it finds out.
        let file = directory.join("sentinel.conf");
        if !file.exists() {
            fs::write(&file, settings).expect("the server's directory is writable");
        }
        command.args(["sentinel.conf", "--sentinel"]);
    }
    let mut process = command
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"])
        .args(["--unixsocket", "socket", "--port", &port.to_string()])
        .args(&setup.arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => panic!("{MISSING}"),
            _ => panic!("redis-server: {error}"),
        });
    let mut ended = false;
    wait_until(START_TIMEOUT, "redis-server answers", || {
        ended = process.try_wait().expect("the server is a child").is_some();
        // Another test's server may have taken the port: only one that is this process counts.
        ended || server_process(setup, port) == Some(process.id())
    });
    (!ended).then_some(process)
}

fn server_process(setup: &Setup, port: u16) -> Option<u32> {
    let info: String = cmd("INFO").arg("server").query(&mut connect(setup, port).ok()?).ok()?;
    info.lines().find_map(|line| line.strip_prefix("process_id:"))?.trim().parse().ok()
}
