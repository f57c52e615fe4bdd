//! The connected event streams, and what is broadcast to them.

use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::lock;
use crate::wire::chunk;

/// How often a silent stream is looked at, whether its client is still there.
const GLANCE: Duration = Duration::from_millis(20);

/// All connected streams.
#[derive(Default)]
pub(crate) struct Streams {
    open: Mutex<Vec<(u64, Sender<Vec<u8>>)>>,
}

impl Streams {
    /// Joins under a number; what is sent from now on is received.
    pub(crate) fn join(&self, number: u64, first: Vec<u8>) -> Receiver<Vec<u8>> {
        let (sender, receiver) = channel();
        // The receiver is still here.
        let _ = sender.send(first);
        lock(&self.open).push((number, sender));
        receiver
    }

    pub(crate) fn leave(&self, number: u64) {
        lock(&self.open).retain(|(own, _)| *own != number);
    }

    /// Sends bytes to all.
    pub(crate) fn send(&self, bytes: &[u8]) {
        lock(&self.open).retain(|(_, sender)| sender.send(bytes.to_vec()).is_ok());
    }

    /// Ends all.
    pub(crate) fn close(&self) {
        lock(&self.open).clear();
    }

    pub(crate) fn count(&self) -> usize {
        lock(&self.open).len()
    }
}

/// Writes what is received, until the stream is closed by either side.
pub(crate) fn pump(output: &mut impl Write, peer: &TcpStream, events: &Receiver<Vec<u8>>) -> io::Result<()> {
    loop {
        match events.recv_timeout(GLANCE) {
            Ok(bytes) => chunk(output, &bytes)?,
            Err(RecvTimeoutError::Timeout) if is_gone(peer) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return output.write_all(b"0\r\n\r\n"),
        }
    }
}

fn is_gone(peer: &TcpStream) -> bool {
    let _ = peer.set_read_timeout(Some(Duration::from_millis(1)));
    // An event-stream client sends nothing, so whatever is there is its farewell.
    match peer.peek(&mut [0]) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), WouldBlock | TimedOut | Interrupted),
    }
}

/// The bytes of one event.
pub(crate) fn event(name: &str, data: &str) -> Vec<u8> {
    format!("event: {name}\ndata: {data}\n\n").into_bytes()
}
