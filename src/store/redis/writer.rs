//! Writes of one environment to Redis, in the layout that LaunchDarkly's SDKs and Relay Proxy share. Exists in connected mode
//! only. Used by the store thread alone; connections of its own, because WATCH is a state of the connection.
//!
//! A full data set is one MULTI that replaces both hashes and sets `$inited`; where a cluster has these on several servers, one
//! for each: segments, flags, `$inited`. A single item is compared by version with what
//! Redis holds at that moment: by a script in one round trip; by WATCH, HGET, MULTI, HSET, EXEC where scripts are refused or
//! the old text is too long to be decoded inside Redis, which would make all its clients wait.

use std::time::Duration;

use redis::{RedisError, ServerErrorKind, Value};

use super::class::{Class, class};
use super::cluster::Replies;
use super::connection::Connection;
use super::connector::{Connector, describe};
use super::large::is_large;
use super::layout::Keys;
use super::origin::Origins;
use super::owners::Owners;
use crate::model::{Jitter, Kind};

/// Why a write failed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Connection or server error.
    #[error("{}", describe(.0))]
    Redis(#[from] RedisError),
    /// A command inside the transaction failed.
    #[error("{command} failed: {reason}")]
    Command {
        /// Its name.
        command: &'static str,
        /// What the server said.
        reason: String,
        /// What kind of failure it is.
        class: Class,
    },
    /// A reply of a shape that Redis does not send.
    #[error("unexpected reply to {0}")]
    Reply(&'static str),
    /// Others changed the hash again and again.
    #[error("gave up after {0} conflicts with other writers")]
    Conflicts(usize),
}

impl WriteError {
    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Redis(error) => class(error),
            Self::Command { class, .. } => *class,
            Self::Reply(_) | Self::Conflicts(_) => Class::Later,
        }
    }
}

/// Kind, key and text of an item of a full data set.
pub type WrittenItem<'i> = (Kind, &'i str, &'i [u8]);

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upsert {
    /// It was written.
    Applied,
    /// Redis holds a version that is as new or newer.
    Refused,
    /// The hash is gone that must be there: nothing was written.
    Gone,
    /// The server does not take this item, whatever becomes of others; this is what it said.
    Rejected(String),
}

/// An item to be written.
#[derive(Debug, Clone, Copy)]
pub struct Upsertion<'i> {
    /// Flag or segment.
    pub kind: Kind,
    /// Its key.
    pub key: &'i str,
    /// Its version, or that of its deletion.
    pub version: i64,
    /// Its text.
    pub text: &'i [u8],
    /// Other items of its kind are there, as far as is known: a hash that is gone was lost.
    pub must_exist: bool,
}

/// Sends writes over connections that it opens when needed and drops when they fail.
pub struct Writer<'a> {
    pub(super) owners: Owners<'a>,
    pub(super) keys: &'a Keys,
    /// Longest silence while a reply is awaited.
    pub(super) timeout: Duration,
    /// The server runs scripts for us, as far as is known.
    pub(super) scripts: bool,
    /// The server lets us watch the data set, as far as is known.
    pub(super) watches: bool,
    /// The connections watch the data set.
    pub(super) is_watching: bool,
    pub(super) jitter: Jitter,
    /// The lock was given to us.
    pub(super) is_locked: bool,
    /// What the lock holds while it is ours: differs from that of every other process.
    pub(super) token: String,
}

impl<'a> Writer<'a> {
    /// A writer that is not connected yet.
    pub fn new(connector: &'a Connector, keys: &'a Keys) -> Self {
        let mut jitter = Jitter::new();
        let token = format!("{:016x}{:016x}", jitter.bits(), Jitter::new().bits());
        Self {
            owners: Owners::apart(connector),
            keys,
            timeout: connector.command_timeout(),
            scripts: true,
            watches: true,
            is_watching: false,
            jitter,
            is_locked: false,
            token,
        }
    }

    /// Writes items that are newer than what Redis holds; the outcomes are in the order of the items.
    pub fn upsert(&mut self, items: &[Upsertion<'_>]) -> Result<Vec<Upsert>, WriteError> {
        let outcomes = match self.try_upsert(items) {
            Err(error) if error.is_cut() && items.iter().any(|item| is_large(item.text)) => self.upsert_apart(items),
            outcomes => outcomes,
        };
        self.start_over_after(outcomes)
    }

    /// The next write opens another connection, and what was refused is tried again there.
    pub fn start_over(&mut self) {
        self.owners.drop_connections();
        (self.scripts, self.watches) = (true, true);
    }

    /// Which servers the connections for both hashes lead to, as far as there are any.
    pub fn origins(&self) -> Origins {
        self.keys.hashes().map(|key| self.owners.origin(key))
    }

    /// Logs in anew, if something else logs in by now.
    pub fn renew_login(&mut self) {
        self.owners.renew_login();
    }

    /// Drops connections that lead to another address than the next one would; true when there was one.
    pub fn leave_others(&mut self) -> bool {
        self.owners.leave_others()
    }

    /// A refused write leaves no connection behind: it may watch a key still, or lead to a server that only replicates by
    /// now, while another one has taken over its name.
    pub(super) fn start_over_after<T>(&mut self, outcome: Result<T, WriteError>) -> Result<T, WriteError> {
        if outcome.is_err() {
            self.owners.drop_connections();
        }
        outcome
    }

    /// Sends something about a key that may be repeated: everything here compares or replaces.
    pub(super) fn call<T: Replies>(
        &mut self,
        key: &str,
        send: impl Fn(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, WriteError> {
        let result = self.owners.call(key, send);
        self.note(result)
    }

    /// Sends over the connection that watches a key: another one would not.
    pub(super) fn call_watched<T>(
        &mut self,
        send: impl FnOnce(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, WriteError> {
        let result = self.owners.call_same(send).ok_or(WriteError::Reply("WATCH"))?;
        self.note(result)
    }

    pub(super) fn note<T>(&mut self, result: Result<T, RedisError>) -> Result<T, WriteError> {
        if result.is_err() {
            // Another server may answer next time.
            self.scripts = true;
        }
        Ok(result?)
    }
}

/// Finds the error among the replies of MULTI, commands, EXEC: also one inside the reply of EXEC, which others overlook.
pub(super) fn check_transaction(command: &'static str, replies: Vec<Value>) -> Result<(), WriteError> {
    let failed = |error: &redis::ServerError| {
        let error = RedisError::from(error.clone());
        Err(WriteError::Command { command, reason: describe(&error), class: class(&error) })
    };
    let Some((exec, queued)) = replies.split_last() else { return Err(WriteError::Reply("EXEC")) };
    for reply in queued {
        if let Value::ServerError(error) = reply {
            return failed(error);
        }
    }
    match exec {
        Value::Array(values) => match values.iter().find(|value| matches!(value, Value::ServerError(_))) {
            Some(Value::ServerError(error)) => failed(error),
            _ => Ok(()),
        },
        Value::ServerError(error) => failed(error),
        _ => Err(WriteError::Reply("EXEC")),
    }
}

/// Whether the server said that it does not run scripts for this user.
pub(super) fn refuses_scripts(error: &redis::ServerError) -> bool {
    error.kind() == Some(ServerErrorKind::NoPerm)
        || error.details().is_some_and(|text| text.contains("unknown command"))
}
