//! A TCP proxy that can spoil the connections that pass through it, and that remembers which commands were sent.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use flagdata::free_port;

use super::resp;

/// What happens to replies. Takes effect at once, for connections that are open too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They pass.
    Pass,
    /// They pass later.
    Delay(Duration),
    /// Each byte is sent by itself.
    Split,
    /// One byte at a time with this pause after each.
    Drip(Duration),
    /// So many bytes a second.
    Slow(usize),
    /// Connections are accepted and nothing passes, in either direction.
    BlackHole,
    /// The server seems to have closed its half after the next reply.
    HalfClose,
    /// Connections are closed as soon as they are accepted.
    Refuse,
}

struct State {
    mode: Mode,
    open: Vec<TcpStream>,
    commands: BTreeMap<String, u64>,
}

/// The proxy. Its threads end with their connections.
pub struct Proxy {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Forwards to `port`.
    pub fn to(port: u16) -> Self {
        let (listening, listener) = loop {
            let port = free_port();
            // Somebody else may take it at any moment.
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                break (port, listener);
            }
        };
        let state = Arc::new(Mutex::new(State { mode: Mode::Pass, open: Vec::new(), commands: BTreeMap::new() }));
        let proxy = Self { port: listening, state: state.clone() };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if state.lock().unwrap().mode != Mode::Refuse {
                    // A server that is away: the connection is dropped.
                    let _ = forward(client, port, &state);
                }
            }
        });
        proxy
    }

    /// Address for clients.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Changes what happens to replies.
    pub fn set(&self, mode: Mode) {
        self.state.lock().unwrap().mode = mode;
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        for stream in self.state.lock().unwrap().open.drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// How often each command was sent, by upper-case name; CLIENT has its subcommand with it.
    pub fn commands(&self) -> BTreeMap<String, u64> {
        self.state.lock().unwrap().commands.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
    }
}

fn forward(client: TcpStream, port: u16, state: &Arc<Mutex<State>>) -> std::io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    state.lock().unwrap().open.extend([client.try_clone()?, server.try_clone()?]);
    let (requests, replies) = ((client.try_clone()?, server.try_clone()?), (server, client));
    for ((from, to), is_reply) in [(requests, false), (replies, true)] {
        let state = state.clone();
        thread::spawn(move || {
            // Either side may go at any time: then both do.
            let _ = pump(&from, &to, is_reply, &state);
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}

fn pump(mut from: &TcpStream, mut to: &TcpStream, is_reply: bool, state: &Mutex<State>) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    let mut unparsed = Vec::new();
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let bytes = &buffer[..count];
        if !is_reply {
            unparsed.extend_from_slice(bytes);
            note_commands(&mut unparsed, state);
        }
        while state.lock().unwrap().mode == Mode::BlackHole {
            thread::sleep(Duration::from_millis(10));
        }
        let mode = state.lock().unwrap().mode;
        let pause = match mode {
            _ if !is_reply => None,
            Mode::Split => Some(Duration::ZERO),
            Mode::Drip(pause) => Some(pause),
            _ => None,
        };
        if let (true, Mode::Delay(pause)) = (is_reply, mode) {
            thread::sleep(pause);
        }
        match pause {
            None if is_reply && matches!(mode, Mode::Slow(_)) => pass_slowly(bytes, to, state)?,
            None => to.write_all(bytes)?,
            Some(pause) => bytes.iter().try_for_each(|byte| {
                thread::sleep(pause);
                to.write_all(&[*byte])
            })?,
        }
        if is_reply && mode == Mode::HalfClose {
            to.shutdown(Shutdown::Write)?;
        }
    }
}

/// As fast as the mode says at each moment.
fn pass_slowly(bytes: &[u8], mut to: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let mode = state.lock().unwrap().mode;
        let count = if let Mode::Slow(rate) = mode { rest.len().min((rate / 100).max(1)) } else { rest.len() };
        let (now, later) = rest.split_at(count);
        to.write_all(now)?;
        rest = later;
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Takes whole commands off the front of `bytes` and counts them.
fn note_commands(bytes: &mut Vec<u8>, state: &Mutex<State>) {
    while let Some((words, length)) = resp::command(bytes) {
        bytes.drain(..length);
        *state.lock().unwrap().commands.entry(resp::name(&words)).or_default() += 1;
    }
}
