//! A connection of a watch, in either version of the protocol: what the server tells, apart from what it answers. Depends on
//! `connection` and `connector`.

use std::time::Duration;

use redis::{Cmd, PushKind, RedisError, Value, cmd};

use super::super::connection::Connection;
use super::super::connector::Connector;
use super::super::values::error_of;
use super::super::wire::{Deadline, Socket};
use crate::store::leash::Leash;

/// On it the invalidations of a connection arrive that speaks RESP2.
pub const INVALIDATIONS: &str = "__redis__:invalidate";

/// Something that came in.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// These keys have changed; `None`: everything may have.
    Invalidated(Option<Vec<Vec<u8>>>),
    /// Something was published.
    Message {
        /// Where.
        channel: Vec<u8>,
        /// What.
        payload: Vec<u8>,
    },
    /// A subscription stands.
    Subscribed,
    /// What was to be told on another connection cannot be told any more.
    RedirectBroken,
    /// The answer to a command.
    Answer(Value),
    /// Something that nobody knows here, as servers tell of their maintenance.
    Other,
}

/// The connection.
pub struct Line {
    connection: Connection,
    /// It speaks RESP2 and was subscribed: what is told comes as arrays.
    tells_in_arrays: bool,
}

impl Line {
    /// Nothing was subscribed to on it.
    pub fn new(connection: Connection) -> Self {
        Self { connection, tells_in_arrays: false }
    }

    /// The connection itself, for what is asked before anything is told.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// All that is done from here on is to be done by then.
    pub fn set_deadline(&mut self, deadline: Deadline) {
        self.connection.set_deadline(deadline);
    }

    /// A pull of the leash ends waits for it from here on.
    pub fn tie(&mut self, leash: &Leash) -> Result<(), RedisError> {
        self.connection.tie(leash)
    }

    /// Where something arrives when the server tells something, or closes.
    pub fn socket(&mut self) -> &Socket {
        self.connection.socket()
    }

    /// So is called what has logged in on it.
    pub fn login(&self) -> u64 {
        self.connection.login()
    }

    /// Whether the server has closed it, found without waiting.
    pub fn is_closed(&mut self) -> bool {
        self.connection.is_closed()
    }

    /// The answer to a command; `told` gets what comes before it.
    pub fn ask(&mut self, command: &Cmd, told: &mut dyn FnMut(Heard)) -> Result<Value, RedisError> {
        self.connection.send_packed_command(&command.get_packed_command())?;
        loop {
            match self.receive()? {
                Heard::Answer(Value::ServerError(error)) => return Err(error_of(error)),
                Heard::Answer(answer) => return Ok(answer),
                other => told(other),
            }
        }
    }

    /// Subscribes to these channels; `told` gets what comes meanwhile.
    pub fn subscribe(
        &mut self,
        channels: &[String],
        is_resp3: bool,
        told: &mut dyn FnMut(Heard),
    ) -> Result<(), RedisError> {
        self.connection.send_packed_command(&cmd("SUBSCRIBE").arg(channels).get_packed_command())?;
        self.tells_in_arrays = !is_resp3;
        let mut standing = 0;
        while standing < channels.len() {
            match self.receive()? {
                Heard::Subscribed => standing += 1,
                Heard::Answer(Value::ServerError(error)) => return Err(error_of(error)),
                other => told(other),
            }
        }
        Ok(())
    }

    /// Asks for a sign of life; `told` gets what comes before it. Any answer is one, also a refusal.
    pub fn ping(&mut self, timeout: Duration, told: &mut dyn FnMut(Heard)) -> Result<(), RedisError> {
        self.connection.set_read_timeout(Some(timeout))?;
        self.connection.set_write_timeout(Some(timeout))?;
        self.connection.send_packed_command(&cmd("PING").get_packed_command())?;
        loop {
            match self.receive()? {
                Heard::Answer(_) => return Ok(()),
                other => told(other),
            }
        }
    }

    /// Logs in anew, if something else does by now; `told` gets what comes meanwhile. Not where things are told in arrays.
    pub fn renew_login(
        &mut self,
        connector: &Connector,
        timeout: Duration,
        told: &mut dyn FnMut(Heard),
    ) -> Result<(), RedisError> {
        self.connection.set_read_timeout(Some(timeout))?;
        self.connection.set_write_timeout(Some(timeout))?;
        connector.renew_login(&mut self.connection, &mut |push| told(heard(push, false)))
    }

    /// The next thing that comes in; `None` when nothing did within `wait`.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Heard>, RedisError> {
        self.connection.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        match self.receive() {
            Err(error) if error.is_timeout() => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    /// The next thing that is there already.
    pub fn next_arrived(&mut self) -> Result<Option<Heard>, RedisError> {
        Ok(self.connection.recv_arrived()?.map(|value| heard(value, self.tells_in_arrays)))
    }

    fn receive(&mut self) -> Result<Heard, RedisError> {
        Ok(heard(self.connection.recv_response()?, self.tells_in_arrays))
    }
}

/// What came in, in either version of the protocol.
pub(super) fn heard(value: Value, tells_in_arrays: bool) -> Heard {
    match value {
        Value::Push { kind: PushKind::Invalidate, data } => {
            data.into_iter().next().map_or(Heard::Invalidated(None), invalidated)
        }
        Value::Push { kind: PushKind::Message, data } => message(data),
        Value::Push { kind: PushKind::Subscribe, .. } => Heard::Subscribed,
        Value::Push { kind: PushKind::Other(kind), .. } if kind == "tracking-redir-broken" => Heard::RedirectBroken,
        Value::Push { .. } => Heard::Other,
        Value::Array(mut parts) if tells_in_arrays => match parts.first() {
            Some(Value::BulkString(kind)) if kind == b"message" => message(parts.split_off(1)),
            Some(Value::BulkString(kind)) if kind == b"subscribe" => Heard::Subscribed,
            Some(Value::BulkString(kind)) if kind == b"pong" => Heard::Answer(Value::Array(parts)),
            _ => Heard::Other,
        },
        answer => Heard::Answer(answer),
    }
}

fn message(parts: Vec<Value>) -> Heard {
    let mut parts = parts.into_iter();
    match (parts.next(), parts.next()) {
        (Some(Value::BulkString(channel)), Some(payload)) if channel == INVALIDATIONS.as_bytes() => {
            invalidated(payload)
        }
        (Some(Value::BulkString(channel)), Some(Value::BulkString(payload))) => Heard::Message { channel, payload },
        _ => Heard::Other,
    }
}

/// Names of keys; anything else, nothing above all, stands for everything.
fn invalidated(names: Value) -> Heard {
    let Value::Array(names) = names else { return Heard::Invalidated(None) };
    let name = |name| match name {
        Value::BulkString(name) => Some(name),
        _ => None,
    };
    Heard::Invalidated(names.into_iter().map(name).collect())
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    fn of(text: &str, tells_in_arrays: bool) -> Heard {
        heard(parse_redis_value(text.as_bytes()).unwrap(), tells_in_arrays)
    }

    fn named(names: &[&str]) -> Heard {
        Heard::Invalidated(Some(names.iter().map(|name| name.as_bytes().to_vec()).collect()))
    }

    #[test]
    fn invalidations_are_understood_in_both_versions_of_the_protocol() {
        assert_eq!(of(">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n", false), named(&["a", "b"]));
        assert_eq!(of(">2\r\n$10\r\ninvalidate\r\n_\r\n", false), Heard::Invalidated(None));
        let start = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n";
        assert_eq!(of(&format!("{start}*1\r\n$1\r\na\r\n"), true), named(&["a"]));
        assert_eq!(of(&format!("{start}*-1\r\n"), true), Heard::Invalidated(None));
        assert_eq!(of(&format!("{start}$-1\r\n"), true), Heard::Invalidated(None));
    }

    #[test]
    fn messages_and_signs_of_life_are_told_apart_and_what_nobody_knows_is_neither() {
        let message = Heard::Message { channel: b"c".to_vec(), payload: b"p".to_vec() };
        assert_eq!(of(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\np\r\n", false), message);
        assert_eq!(of("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\np\r\n", true), message);
        assert!(matches!(of("*2\r\n$4\r\npong\r\n$0\r\n\r\n", true), Heard::Answer(_)));
        assert!(matches!(of("+PONG\r\n", false), Heard::Answer(_)));
        assert!(matches!(of("*2\r\n$7\r\nmessage\r\n$1\r\nx\r\n", false), Heard::Answer(_)), "nobody subscribed");
        assert_eq!(of(">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n", false), Heard::Subscribed);
        assert_eq!(of("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n", true), Heard::Subscribed);
        assert_eq!(of(">1\r\n$21\r\ntracking-redir-broken\r\n", false), Heard::RedirectBroken);
        assert_eq!(of(">4\r\n$6\r\nMOVING\r\n:1\r\n:15\r\n$9\r\nhost:6379\r\n", false), Heard::Other);
        assert_eq!(of("*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$1\r\np\r\n", true), Heard::Other);
    }
}
