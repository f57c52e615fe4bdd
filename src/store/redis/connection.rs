//! One connection to a server: commands out, replies in, pushes to whoever wants them.
//!
//! The redis crate packs commands and takes replies apart; the connection itself is ours, because that of the crate knows no
//! limit for a whole login, counts a silent read as a reply that is still owed, and trusts no certificate by itself. Depends on
//! `wire`, `framing`, `sockets`, `endpoints`, `tls` and `leash`.

use std::io::{self, Read, Write};
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::{Cmd, ConnectionLike, Parser, RedisError, RedisResult, Value, cmd};
use rustls::{ClientConnection, StreamOwned};

use super::asking::Asking;
use super::describe::io_error;
use super::endpoints::Address;
use super::framing::{Framing, refused};
use super::sockets::Remembered;
use super::wire::{Deadline, Patience, Socket, Wire};
use crate::store::leash::Leash;

/// Most pushes before a reply. A connection that reads gets none, one that watches as many as there are changes meanwhile.
const MOST_PUSHES: usize = 100_000;

/// Bytes to the server, encrypted or not.
#[derive(Debug)]
pub enum Channel {
    /// As they are.
    Plain(Wire),
    /// Encrypted.
    Tls(Box<StreamOwned<ClientConnection, Wire>>),
}

impl Channel {
    /// The wire that carries them.
    pub fn wire(&mut self) -> &mut Wire {
        match self {
            Self::Plain(wire) => wire,
            Self::Tls(stream) => stream.get_mut(),
        }
    }
}

impl Read for Channel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(wire) => wire.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// What comes over a channel, looked at before it is taken apart.
struct Framed<'a> {
    channel: &'a mut Channel,
    framing: &'a mut Framing,
}

impl Read for Framed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.channel.read(buffer)?;
        self.framing.note(buffer.get(..count).unwrap_or_default())?;
        Ok(count)
    }
}

/// How a connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// Such as `TLSv1_3`.
    pub protocol: String,
    /// Such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The certificate that the server has shown, in DER.
    pub certificate: Vec<u8>,
}

/// A connection to a server.
pub struct Connection {
    /// First, so that the socket is forgotten before it is closed.
    _remembered: Option<Remembered>,
    channel: Channel,
    parser: Parser,
    framing: Framing,
    database: i64,
    open: bool,
    /// Something was received.
    answered: bool,
    /// Where it leads to, where that may be another address each time.
    peer: Option<Address>,
    /// It leads to a node that owns nothing of what it is asked for.
    asking: Option<Box<Asking>>,
    /// The number of what logged in last, or was refused then.
    login: u64,
}

impl Connection {
    /// How the connection is encrypted, if it is.
    pub fn encryption(&self) -> Option<Encryption> {
        let Channel::Tls(stream) = &self.channel else { return None };
        let protocol = stream.conn.protocol_version().map(|protocol| format!("{protocol:?}"));
        let cipher = stream.conn.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
        let certificate = stream.conn.peer_certificates().and_then(|chain| chain.first());
        Some(Encryption {
            protocol: protocol.unwrap_or_default(),
            cipher: cipher.unwrap_or_default(),
            certificate: certificate.map(|certificate| certificate.to_vec()).unwrap_or_default(),
        })
    }

    /// Speaks over this channel.
    pub fn new(channel: Channel, remembered: Option<Remembered>, database: i64) -> Self {
        let parser = Parser::new();
        Self {
            _remembered: remembered,
            channel,
            parser,
            framing: Framing::new(),
            database,
            open: true,
            answered: false,
            peer: None,
            asking: None,
            login: 0,
        }
    }

    /// Each command from here on is for a key that is on its way to the node that it leads to. Nothing may be told on it.
    pub fn ask_always(&mut self) {
        self.asking.get_or_insert_default();
    }

    /// Nothing is told on it that was not asked for.
    pub fn expect_answers(&mut self) {
        self.channel.wire().expect_answers();
    }

    /// It leads to this address, and the next one may lead to another.
    pub fn set_peer(&mut self, peer: Address) {
        self.peer = Some(peer);
    }

    /// Where it leads to; `None` where all lead to the same address.
    pub fn peer(&self) -> Option<&Address> {
        self.peer.as_ref()
    }

    /// Whether the server has said anything on it that could be read.
    pub fn has_answered(&self) -> bool {
        self.answered
    }

    /// So is called what logged in last, or was refused then.
    pub fn login(&self) -> u64 {
        self.login
    }

    /// This has logged in, or was refused.
    pub fn set_login(&mut self, number: u64) {
        self.login = number;
    }

    /// Sends commands; their replies are to be received.
    pub fn send_packed_command(&mut self, packed: &[u8]) -> RedisResult<()> {
        let asked = self.asking.as_mut().map(|asking| asking.rewrite(packed));
        let packed = asked.as_deref().unwrap_or(packed);
        let sent = self.channel.write_all(packed).and_then(|()| self.channel.flush());
        self.open &= sent.is_ok();
        Ok(sent?)
    }

    /// The next reply or push. After a time-out the wait may be taken up again: nothing is lost.
    pub fn recv_response(&mut self) -> RedisResult<Value> {
        if self.asking.as_mut().is_some_and(|asking| asking.leaves_one_out()) {
            self.receive()?;
        }
        let reply = self.receive()?;
        if let Some(asking) = &mut self.asking {
            asking.replied();
        }
        Ok(reply)
    }

    fn receive(&mut self) -> RedisResult<Value> {
        let framed = Framed { channel: &mut self.channel, framing: &mut self.framing };
        let reply = self.parser.parse_value(framed).map_err(|error| self.failure(error))?;
        self.framing.begin();
        self.answered = true;
        Ok(reply)
    }

    /// The next reply or push that is there already.
    pub fn recv_arrived(&mut self) -> RedisResult<Option<Value>> {
        self.channel.wire().take_what_arrived(true);
        let outcome = self.recv_response();
        self.channel.wire().take_what_arrived(false);
        match outcome {
            Err(error) if error.is_timeout() => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    /// The socket that carries it.
    pub fn socket(&mut self) -> &Socket {
        self.channel.wire().socket()
    }

    fn failure(&mut self, error: RedisError) -> RedisError {
        self.open &= error.is_timeout();
        match io_error(&error).map(io::Error::kind) {
            Some(io::ErrorKind::UnexpectedEof) => {
                io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection").into()
            }
            _ => error,
        }
    }

    /// From here on a pull of the leash ends what is waited for here.
    pub fn tie(&mut self, leash: &Leash) -> RedisResult<()> {
        let waited_for: Weak<Socket> = Arc::downgrade(self.channel.wire().shared_socket());
        Ok(leash.hold(waited_for)?)
    }

    /// Whether the server has closed the connection while it was idle.
    pub fn is_closed(&mut self) -> bool {
        self.channel.wire().is_closed()
    }

    /// Sets the longest silence while a reply is awaited.
    pub fn set_read_timeout(&mut self, limit: Option<Duration>) -> RedisResult<()> {
        self.channel.wire().set_read(Patience::Silence(limit));
        Ok(())
    }

    /// All that is done from here on is to be done by then, until other limits are set.
    pub fn set_deadline(&mut self, deadline: Deadline) {
        self.channel.wire().set_read(Patience::Until(deadline));
        self.channel.wire().set_write(Patience::Until(deadline));
    }

    /// Sets how long the server may take nothing of what is sent.
    pub fn set_write_timeout(&mut self, limit: Option<Duration>) -> RedisResult<()> {
        self.channel.wire().set_write(Patience::Silence(limit));
        Ok(())
    }

    /// The next reply, past pushes.
    fn reply(&mut self) -> RedisResult<Value> {
        for _ in 0..MOST_PUSHES {
            match self.recv_response()? {
                Value::Push { .. } => {}
                value => return Ok(value),
            }
        }
        self.open = false;
        Err(refused("pushes without an end").into())
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command(&mut self, packed: &[u8]) -> RedisResult<Value> {
        self.send_packed_command(packed)?;
        self.reply()
    }

    fn req_packed_commands(&mut self, packed: &[u8], offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        self.send_packed_command(packed)?;
        for _ in 0..offset {
            self.reply()?.extract_error()?;
        }
        (0..count).map(|_| self.reply()).collect()
    }

    fn req_command(&mut self, command: &Cmd) -> RedisResult<Value> {
        self.req_packed_command(&command.get_packed_command())
    }

    fn get_db(&self) -> i64 {
        self.database
    }

    fn check_connection(&mut self) -> bool {
        self.req_command(&cmd("PING")).is_ok()
    }

    fn is_open(&self) -> bool {
        self.open
    }
}
