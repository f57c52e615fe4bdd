//! Bytes to and from a server, each way with a limit: a server that hangs must not hold a thread for ever. A signal that
//! interrupts a wait does not end it, and time-outs are called so. Depends on `leash`.

#[cfg_attr(unix, path = "wire/unix.rs")]
#[cfg_attr(windows, path = "wire/windows.rs")]
mod system;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use socket2::SockRef;

pub use system::{LocalStream, connect_local, pair};

use crate::store::leash::Breakable;

/// A wait that a signal or a stop of the process interrupted after its time gets so much more: what came meanwhile is there.
const GRACE: Duration = Duration::from_millis(100);
/// An answer may take as long as silence may, and longer by its size at this rate: one that comes in drops never ends otherwise.
const SLOWEST_BYTES_PER_MS: u64 = 10;

/// The end of something that takes several steps.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    until: Instant,
    total: Duration,
}

impl Deadline {
    /// So long from now.
    pub fn after(total: Duration) -> Self {
        Self { until: Instant::now() + total, total }
    }

    /// What is left: at least a millisecond, because systems take 0 for no limit.
    pub fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    /// The end of a part of it: of so many that are left, the first.
    pub fn share(&self, of: u32) -> Self {
        Self::after(self.left() / of.max(1))
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// After a step that could not be given a limit: some time is left for the others.
    pub fn leave_a_quarter(&mut self) {
        self.until = self.until.max(Instant::now() + self.total / 4);
    }

    /// The error of not having done it in time.
    pub fn passed(&self, what: &str) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, format!("{what} within {} ms", self.total.as_millis()))
    }
}

/// How long one way of the wire is waited for.
#[derive(Debug, Clone, Copy)]
pub enum Patience {
    /// Each piece by itself; `None`: without limit.
    Silence(Option<Duration>),
    /// Everything together.
    Until(Deadline),
}

impl Patience {
    /// The limit of a wait that began then; `None`: there is no limit.
    fn deadline(self, began: Instant) -> Option<Deadline> {
        match self {
            Self::Silence(total) => total.map(|total| Deadline { until: began + total, total }),
            Self::Until(deadline) => Some(deadline),
        }
    }
}

/// How many bytes went to and fro.
#[derive(Debug, Default)]
pub struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Traffic {
    /// Bytes received and bytes sent.
    pub fn total(&self) -> (u64, u64) {
        (self.received.load(Relaxed), self.sent.load(Relaxed))
    }
}

/// A socket, connected or about to be.
#[derive(Debug)]
pub enum Socket {
    /// Over the network.
    Tcp(TcpStream),
    /// On this machine.
    Local(LocalStream),
}

impl Socket {
    fn limit_read(&self, limit: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(limit),
            Self::Local(stream) => stream.set_read_timeout(limit),
        }
    }

    fn limit_write(&self, limit: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_write_timeout(limit),
            Self::Local(stream) => stream.set_write_timeout(limit),
        }
    }

    /// Its number, and what tells it from others that get the same number later; `None` where nothing inherits it.
    pub fn identity(&self) -> Option<(i32, u64)> {
        match self {
            Self::Tcp(stream) => system::identity(stream),
            Self::Local(stream) => system::identity(stream),
        }
    }

    /// A wait until there is something to read.
    pub fn readable(&self) -> PollFd<'_> {
        match self {
            Self::Tcp(stream) => PollFd::new(stream, PollFlags::IN),
            Self::Local(stream) => PollFd::new(stream, PollFlags::IN),
        }
    }

    /// Whether the other end has closed, found without waiting.
    fn is_closed(&self) -> bool {
        match system::peek(self) {
            Ok(count) => count == 0,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
    }

    /// Whether there is something to read, or the other end has closed.
    fn has_arrived(&self) -> bool {
        !system::peek(self).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// All that can be done with it.
    pub fn reference(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::Local(stream) => SockRef::from(stream),
        }
    }
}

impl Breakable for Socket {
    fn break_off(&self) {
        // The server may have left first.
        let _ = self.reference().shutdown(Shutdown::Both);
    }
}

/// The answer to what was written last.
#[derive(Debug)]
struct Answer {
    asked: Instant,
    received: u64,
}

impl Answer {
    fn begin() -> Self {
        Self { asked: Instant::now(), received: 0 }
    }

    fn is_too_slow(&self, silence: Duration) -> bool {
        self.asked.elapsed() > silence + Duration::from_millis(self.received / SLOWEST_BYTES_PER_MS)
    }
}

/// A socket with its limits.
#[derive(Debug)]
pub struct Wire {
    socket: Arc<Socket>,
    /// Nothing is waited for that is to be read.
    takes_what_arrived: bool,
    /// What is read are answers and nothing else.
    answer: Option<Answer>,
    read: Way,
    write: Way,
    traffic: Arc<Traffic>,
}

/// One way of the wire.
#[derive(Debug)]
struct Way {
    patience: Patience,
    /// The limit that the system knows of.
    armed: Option<Duration>,
}

impl Way {
    fn new(patience: Patience) -> Self {
        Self { patience, armed: None }
    }

    /// Does something that may wait, again when it is interrupted.
    fn wait(
        &mut self,
        what: &str,
        arm: impl Fn(Option<Duration>) -> io::Result<()>,
        mut act: impl FnMut() -> io::Result<usize>,
    ) -> io::Result<usize> {
        let deadline = self.patience.deadline(Instant::now());
        // Silence is armed once and not for each piece.
        let mut limit = match self.patience {
            Patience::Silence(total) => total,
            Patience::Until(deadline) => Some(deadline.left()),
        };
        let mut is_last = false;
        loop {
            if self.armed != limit {
                arm(limit)?;
                self.armed = limit;
            }
            match (act(), deadline) {
                (Err(error), Some(deadline)) if error.kind() == io::ErrorKind::Interrupted => {
                    if is_last {
                        return Err(deadline.passed(what));
                    }
                    is_last = deadline.is_over();
                    limit = Some(if is_last { GRACE.min(deadline.total) } else { deadline.left() });
                }
                (Err(error), None) if error.kind() == io::ErrorKind::Interrupted => {}
                (Err(error), Some(deadline))
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
                {
                    return Err(deadline.passed(what));
                }
                (outcome, _) => return outcome,
            }
        }
    }
}

impl Wire {
    /// Everything that is done over it is to be done by then, until other limits are set.
    pub fn new(socket: Arc<Socket>, deadline: Deadline, traffic: Arc<Traffic>) -> Self {
        let until = Patience::Until(deadline);
        Self { socket, takes_what_arrived: false, answer: None, read: Way::new(until), write: Way::new(until), traffic }
    }

    /// The socket.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The same, for who may have to end a wait for it.
    pub fn shared_socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    /// Whether the other end has closed, found without waiting.
    pub fn is_closed(&self) -> bool {
        self.socket.is_closed()
    }

    /// From here on reads time out at once where nothing has arrived, or wait as they did before.
    pub fn take_what_arrived(&mut self, takes: bool) {
        self.takes_what_arrived = takes;
    }

    /// From here on nothing is told that was not asked for: each answer has to come to an end.
    pub fn expect_answers(&mut self) {
        self.answer = Some(Answer::begin());
    }

    /// Sets how long data are waited for.
    pub fn set_read(&mut self, patience: Patience) {
        self.read.patience = patience;
    }

    /// Sets how long the server may take no data.
    pub fn set_write(&mut self, patience: Patience) {
        self.write.patience = patience;
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let socket = &*self.socket;
        if self.takes_what_arrived && !socket.has_arrived() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let count = self.read.wait(
            "no answer",
            |limit| socket.limit_read(limit),
            || match socket {
                Socket::Tcp(stream) => (&*stream).read(buffer),
                Socket::Local(stream) => (&*stream).read(buffer),
            },
        )?;
        self.traffic.received.fetch_add(count as u64, Relaxed);
        if let (Some(answer), Patience::Silence(Some(total))) = (&mut self.answer, self.read.patience) {
            answer.received += count as u64;
            if answer.is_too_slow(total) {
                return Err(Deadline::after(total).passed("no whole answer"));
            }
        }
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let socket = &*self.socket;
        let count = self.write.wait(
            "the server took nothing",
            |limit| socket.limit_write(limit),
            || match socket {
                Socket::Tcp(stream) => (&*stream).write(bytes),
                Socket::Local(stream) => (&*stream).write(bytes),
            },
        )?;
        self.traffic.sent.fetch_add(count as u64, Relaxed);
        if let Some(answer) = &mut self.answer {
            *answer = Answer::begin();
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // A forked child may hold the socket open: the server is told nevertheless.
        self.socket.break_off();
    }
}
