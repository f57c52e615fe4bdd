//! Other people's proxies in front of servers: HAProxy as a TCP proxy, and twemproxy. Needs the programs `haproxy` and
//! `nutcracker`; what is to be tested with one that is missing says so and is left out.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use flagdata::free_port;

use super::{PREFIX, RedisServer, TempDir, say, wait_until};

/// A program with its configuration in a file, which listens on one port.
struct Process {
    child: Child,
    port: u16,
    _directory: TempDir,
}

impl Process {
    /// `None` where the program is missing; `configure` gives its arguments, and writes its configuration, for a port.
    fn start(program: &str, configure: impl Fn(&Path, u16) -> Vec<String>) -> Option<Self> {
        for _ in 0..20 {
            let (directory, port) = (TempDir::new(program), free_port());
            let mut command = Command::new(program);
            // Debian keeps them where only root looks for programs.
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{path}:/usr/sbin")).args(configure(directory.path(), port));
            let mut child = match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
                Ok(child) => child,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    say(&format!("{program} is not there, so nothing was tested with it"));
                    return None;
                }
                Err(error) => panic!("{program}: {error}"),
            };
            let mut ended = false;
            wait_until(super::PATIENCE, "the proxy listens", || {
                ended = child.try_wait().unwrap().is_some();
                ended || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
            });
            if !ended {
                return Some(Self { child, port, _directory: directory });
            }
        }
        panic!("{program} does not start");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has already ended, or it ends now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A twemproxy.
pub struct Twemproxy(Process);

impl Twemproxy {
    /// In front of these servers, over which it spreads the keys; `None` where the program is missing.
    pub fn before(servers: &[&RedisServer]) -> Option<Self> {
        let servers: String = servers.iter().map(|server| format!("   - 127.0.0.1:{}:1\n", server.port())).collect();
        let process = Process::start("nutcracker", |directory, port| {
            let (configuration, statistics) = (directory.join("nutcracker.yml"), free_port());
            let pool = format!(
                "pool:\n  listen: 127.0.0.1:{port}\n  hash: fnv1a_64\n  distribution: ketama\n  redis: true\n  \
                 servers:\n{servers}"
            );
            fs::write(&configuration, pool).unwrap();
            let words = ["--conf-file", configuration.to_str().unwrap(), "--stats-port", &statistics.to_string()];
            words.map(str::to_owned).to_vec()
        })?;
        Some(Self(process))
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port)
    }

    /// Sets an item through it. It closes connections on which a client says its name, so this is a bare one.
    pub fn hset(&self, part: &str, key: &str, text: &str) {
        let mut command = redis::cmd("HSET");
        command.arg(format!("{PREFIX}:{part}")).arg(key).arg(text);
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.0.port)).unwrap();
        stream.write_all(&command.get_packed_command()).unwrap();
        let mut reply = String::new();
        BufReader::new(stream).read_line(&mut reply).unwrap();
        assert!(reply.starts_with(':'), "{reply}");
    }
}

/// An HAProxy that forwards bytes.
pub struct Haproxy(Process);

impl Haproxy {
    /// With these lines of a `listen` section, among them its servers; `None` where the program is missing.
    pub fn with(lines: &[&str]) -> Option<Self> {
        let lines = lines.join("\n  ");
        let process = Process::start("haproxy", |directory, port| {
            let configuration = directory.join("haproxy.cfg");
            let text = format!(
                "defaults\n  mode tcp\n  timeout connect 1s\n  timeout client 60s\n  timeout server 60s\n\
                 listen redis\n  bind 127.0.0.1:{port}\n  {lines}\n"
            );
            fs::write(&configuration, text).unwrap();
            // In the foreground.
            ["-db", "-f", configuration.to_str().unwrap()].map(str::to_owned).to_vec()
        })?;
        Some(Self(process))
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port)
    }
}
