//! What a server is asked beside items: whether it lives, how many clients it has, whether it follows another one. Part of the
//! reader.

use redis::{ConnectionLike, RedisError, Value, cmd};

use super::abilities::is_denied;
use super::class::{Class, class};
use super::reader::{ReadError, Reader};
use super::role::{Standalone, standalone};
use super::server::peers;

impl Reader<'_> {
    /// Asks the server for a sign of life. Any answer is one, also that of a server whose rules forbid the command; but not
    /// that of one that says that it does not serve. In a cluster it is asked for what it is to own: only then does one that
    /// owns it no longer say so.
    pub fn ping(&mut self) -> Result<(), ReadError> {
        for key in self.keys.hashes() {
            let command = if self.owners.is_cluster() { cmd("HGET").arg(key).arg("").to_owned() } else { cmd("PING") };
            match self.owners.call(key, |connection| connection.req_command(&command)) {
                Ok(Value::ServerError(error)) => check_sign_of_life(RedisError::from(error))?,
                Ok(_) => {}
                Err(error) => check_sign_of_life(error)?,
            }
            if !self.is_spread() {
                break;
            }
        }
        Ok(())
    }

    /// How many clients share the server, where it tells who it is: no other one is asked, for there are proxies that close a
    /// connection at a question that they do not know.
    pub fn peers(&mut self) -> Result<Option<usize>, ReadError> {
        if self.server().is_none() {
            return Ok(None);
        }
        match self.owners.call(&self.keys.features, |connection| connection.req_command(cmd("INFO").arg("clients")))? {
            Value::BulkString(text) => Ok(peers(&String::from_utf8_lossy(&text))),
            _ => Ok(None),
        }
    }

    /// What the server is, where always the same address is read; only one that tells who it is may be asked.
    pub fn standalone(&mut self) -> Result<Standalone, ReadError> {
        let question = cmd("INFO").arg("replication").to_owned();
        match self.owners.call(&self.keys.features, |connection| connection.req_command(&question))? {
            Value::BulkString(text) => Ok(standalone(&String::from_utf8_lossy(&text))),
            Value::VerbatimString { text, .. } => Ok(standalone(&text)),
            _ => Ok(Standalone::Primary),
        }
    }
}

fn check_sign_of_life(error: RedisError) -> Result<(), ReadError> {
    if is_denied(&error) || class(&error) == Class::Data { Ok(()) } else { Err(error.into()) }
}
