//! A lasting connection to one sentinel, which tells of failovers where it can (protocol 3), and is asked now and then. Depends on
//! `word`.

use std::sync::Arc;
use std::time::Duration;

use redis::{ErrorKind, PushKind, RedisError, Value, cmd};

use super::super::connection::Connection;
use super::super::login::{Courtesy, Protocol};
use super::super::wire::Deadline;
use super::word::Wanted;
use super::{Sentinel, Sentinels, Silence, Word, word};
use crate::store::leash::Leash;

/// On which sentinels tell that a service has another primary.
const CHANNEL: &str = "+switch-master";

/// A sentinel that is listened to.
pub struct Vigil {
    connection: Connection,
    sentinel: Arc<Sentinel>,
    /// How often another one was asked.
    opinions: usize,
}

impl Sentinels {
    /// Listens to the first sentinel that is of use; `None` when there is none.
    pub fn listen(&self, leash: &Leash) -> Option<Vigil> {
        for sentinel in self.roster.order() {
            match self.listen_to(&sentinel, leash) {
                Ok(vigil) => return Some(vigil),
                Err(silence) => self.note_word(&sentinel, &Err(silence)),
            }
        }
        None
    }

    fn listen_to(&self, sentinel: &Arc<Sentinel>, leash: &Leash) -> Result<Vigil, Silence> {
        let deadline = Deadline::after(self.connect_timeout);
        let connected = self.connect(sentinel, (Protocol::Resp3, Courtesy::Full), deadline, Some(leash));
        let mut connection = match connected {
            Ok(mut connection) => {
                subscribe(&mut connection)?;
                connection
            }
            // It is asked all the same.
            Err(Silence::Failed(error)) if error.kind() == ErrorKind::RESP3NotSupported => {
                self.connect(sentinel, (Protocol::Resp2, Courtesy::Full), deadline, Some(leash))?
            }
            Err(silence) => return Err(silence),
        };
        let word = word::ask(&mut connection, &self.service.name, Wanted { replicas: false, others: true })?;
        word.others.into_iter().for_each(|others| self.roster.learn(others));
        Ok(Vigil { connection, sentinel: sentinel.clone(), opinions: 0 })
    }
}

/// Asks to be told; a sentinel whose rules forbid that is asked all the same.
fn subscribe(connection: &mut Connection) -> Result<(), RedisError> {
    connection.send_packed_command(&cmd("SUBSCRIBE").arg(CHANNEL).get_packed_command())?;
    loop {
        match connection.recv_response()? {
            Value::Push { kind, .. } if kind != PushKind::Subscribe => {}
            _ => return Ok(()),
        }
    }
}

impl Vigil {
    /// Asks where the primary is.
    pub fn ask(&mut self, sentinels: &Sentinels, leash: &Leash) -> Result<Word, Silence> {
        self.connection.tie(leash)?;
        self.connection.set_read_timeout(Some(sentinels.patience()))?;
        let wanted = Wanted { replicas: sentinels.wants_replicas(), others: false };
        let word = word::ask(&mut self.connection, &sentinels.service.name, wanted);
        sentinels.note_word(&self.sentinel, &word);
        if word.as_ref().is_ok_and(|word| sentinels.is_later(word)) {
            // Others may not know yet, and connections ask, too.
            sentinels.roster.prefer(&self.sentinel);
        }
        word
    }

    /// What another sentinel says, each time the next one of the list; `None` where there is none, or it says nothing.
    pub fn second_opinion(&mut self, sentinels: &Sentinels, leash: &Leash) -> Option<Word> {
        let all = sentinels.roster.all();
        let others: Vec<_> = all.iter().filter(|one| one.is_listed && !Arc::ptr_eq(one, &self.sentinel)).collect();
        let other = others.get(self.opinions.checked_rem(others.len())?)?;
        self.opinions += 1;
        // One that hangs keeps nobody long from what the other one tells.
        let word = sentinels.ask(other, Deadline::after(sentinels.patience() / 2), Some(leash));
        word.ok().filter(|word| !sentinels.is_behind(word))
    }

    /// Waits until something is told of the primary of the service; false when nothing was within `wait`.
    pub fn hear(&mut self, sentinels: &Sentinels, wait: Duration, leash: &Leash) -> Result<bool, RedisError> {
        self.connection.tie(leash)?;
        self.connection.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        match self.connection.recv_response() {
            Err(error) if error.is_timeout() => Ok(false),
            Err(error) => Err(error),
            Ok(Value::Push { kind: PushKind::Message, data }) => Ok(is_about(data.last(), &sentinels.service.name)),
            Ok(_) => Ok(false),
        }
    }
}

/// Whether a message is about this service, whose name is its first word.
fn is_about(message: Option<&Value>, service: &str) -> bool {
    let Some(Value::BulkString(text)) = message else { return false };
    text.split(|byte| *byte == b' ').next() == Some(service.as_bytes())
}
