//! A Redis server of one's own, for tests and measurements: a free port of the loopback interface, nothing on disk, gone
//! with the value. Depends on the `redis-server` program in `PATH`.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const STARTS: u32 = 5;
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A running `redis-server` that nobody else uses. Dropping it stops the server.
#[derive(Debug)]
pub struct PrivateRedis {
    process: Child,
    port: u16,
}

impl PrivateRedis {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] when there is no `redis-server` in `PATH`; other kinds when it does not start.
    pub fn start() -> io::Result<Self> {
        let mut last = io::Error::other("redis-server was not started");
        for _ in 0..STARTS {
            // Between finding the port and using it somebody else may take it; then the server exits.
            match Self::start_on(free_port()) {
                Ok(server) => return Ok(server),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn start_on(port: u16) -> io::Result<Self> {
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no", "--port"])
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Self { process, port };
        server.wait_until_it_answers()?;
        Ok(server)
    }

    fn wait_until_it_answers(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait()? {
                return Err(io::Error::other(format!("redis-server ended at once: {status}")));
            }
            // Somebody else's server may have the port: only this process counts.
            if self.answering_process().is_ok_and(|process| process == Some(self.process.id())) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "redis-server does not answer"))
    }

    /// The number of the process that answers on the port.
    fn answering_process(&self) -> redis::RedisResult<Option<u32>> {
        let info: String = redis::cmd("INFO").arg("server").query(&mut self.connect()?)?;
        let number = info.lines().find_map(|line| line.strip_prefix("process_id:"));
        Ok(number.and_then(|number| number.trim().parse().ok()))
    }

    /// The server's port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's address as a client takes it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A new connection.
    ///
    /// # Errors
    ///
    /// Those of the Redis client.
    pub fn connect(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(self.url())?.get_connection()
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        // It has already ended, or it ends now: in both cases nothing is left to report.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody listens on. Below the range from which systems choose ports for outgoing connections: one of those
/// could otherwise take the port of a server that is gone before it starts again, or a client that looks for the server
/// connect to itself.
pub fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 11_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Not the same ports in every process, and not the next ones in the next process.
    let own = u16::try_from((std::process::id().wrapping_mul(0x9E37_79B1) >> 8) % u32::from(COUNT)).unwrap_or(0);
    loop {
        let port = FIRST + (own + NEXT.fetch_add(1, Relaxed) % COUNT) % COUNT;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            // A child of another thread that is not yet another program holds it, too, and must not listen on.
            let _ = TcpStream::from(OwnedFd::from(listener)).shutdown(Shutdown::Both);
            return port;
        }
    }
}
