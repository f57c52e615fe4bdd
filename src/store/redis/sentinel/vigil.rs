//! A lasting connection to one sentinel, which tells of failovers where it can (protocol 3), and is asked now and then. Depends on
//! `word`.

use std::time::Duration;

use redis::{ErrorKind, PushKind, RedisError, Value, cmd};

use super::super::connection::Connection;
use super::super::login::Protocol;
use super::super::wire::Deadline;
use super::{Sentinels, Silence, Word, word};
use crate::store::leash::Leash;

/// On which sentinels tell that a service has another primary. The one that leads a failover knows it a second and more before
/// the first of them, which it keeps back until every replica was told.
const CHANNELS: [&str; 2] = ["+switch-master", "+failover-state-reconf-slaves"];

/// A sentinel that is listened to.
pub struct Vigil {
    connection: Connection,
    position: usize,
}

impl Sentinels {
    /// Listens to the first sentinel that is of use; `None` when there is none.
    pub fn listen(&self, leash: &Leash) -> Option<Vigil> {
        for position in self.order() {
            match self.listen_to(position, leash) {
                Ok(vigil) => return Some(vigil),
                Err(silence) => self.note_word(position, &Err(silence)),
            }
        }
        None
    }

    fn listen_to(&self, position: usize, leash: &Leash) -> Result<Vigil, Silence> {
        let deadline = Deadline::after(self.connect_timeout);
        let connected = self.connect(position, Protocol::Resp3, deadline, Some(leash));
        let mut connection = match connected {
            Ok(mut connection) => {
                subscribe(&mut connection)?;
                connection
            }
            // It is asked all the same.
            Err(Silence::Failed(error)) if error.kind() == ErrorKind::RESP3NotSupported => {
                self.connect(position, Protocol::Resp2, deadline, Some(leash))?
            }
            Err(silence) => return Err(silence),
        };
        word::ask(&mut connection, &self.service.name, false)?;
        Ok(Vigil { connection, position })
    }
}

/// Asks to be told; a sentinel whose rules forbid that is asked all the same.
fn subscribe(connection: &mut Connection) -> Result<(), RedisError> {
    CHANNELS.iter().try_for_each(|channel| subscribe_to(connection, channel))
}

/// One by one: rules may allow one of them only.
fn subscribe_to(connection: &mut Connection, channel: &str) -> Result<(), RedisError> {
    connection.send_packed_command(&cmd("SUBSCRIBE").arg(channel).get_packed_command())?;
    loop {
        match connection.recv_response()? {
            Value::Push { kind: PushKind::Subscribe, .. } | Value::ServerError(_) => return Ok(()),
            _ => {}
        }
    }
}

impl Vigil {
    /// Asks where the primary is.
    pub fn ask(&mut self, sentinels: &Sentinels, leash: &Leash) -> Result<Word, Silence> {
        self.connection.tie(leash)?;
        self.connection.set_read_timeout(Some(sentinels.connect_timeout))?;
        let word = word::ask(&mut self.connection, &sentinels.service.name, sentinels.wants_replicas());
        sentinels.note_word(self.position, &word);
        word
    }

    /// Waits until something is told of a primary, of whichever service; false when nothing was within `wait`.
    pub fn hear(&mut self, wait: Duration, leash: &Leash) -> Result<bool, RedisError> {
        self.connection.tie(leash)?;
        self.connection.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        match self.connection.recv_response() {
            Err(error) if error.is_timeout() => Ok(false),
            Err(error) => Err(error),
            Ok(value) => Ok(matches!(value, Value::Push { kind: PushKind::Message, .. })),
        }
    }
}
