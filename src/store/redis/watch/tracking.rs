//! RESP3 broadcast tracking on the two hash names: Redis pushes the name of a hash that changed.

use std::time::Duration;

use super::super::connection::Connection;
use redis::{ConnectionLike, PushKind, RedisError, Value, cmd};

use super::super::connector::Connector;
use super::super::layout::Keys;
use super::super::server::identity;
use super::super::wire::Socket;
use super::{Watch, WatchError};
use crate::model::Kind;
use crate::store::leash::Leash;
use crate::store::signal::Signal;

/// Arms tracking on a connection of its own, which is on the leash.
pub fn arm(connector: &Connector, keys: &Keys, leash: &Leash) -> Result<Box<dyn Watch>, WatchError> {
    match try_arm(connector, keys, leash) {
        Ok(tracking) => Ok(Box::new(tracking)),
        Err(error) => Err(WatchError::of(&error)),
    }
}

fn try_arm(connector: &Connector, keys: &Keys, leash: &Leash) -> Result<Tracking, RedisError> {
    let mut connection = connector.open_resp3(leash)?;
    // Whole hash names, never "<prefix>:": other keys of the environment would be broadcast as well.
    let tracking = cmd("CLIENT")
        .arg(&["TRACKING", "ON", "BCAST"])
        .arg(&["PREFIX", &keys.features])
        .arg(&["PREFIX", &keys.segments])
        .arg("NOLOOP")
        .to_owned();
    if let Value::ServerError(error) = connection.req_command(&tracking)? {
        return Err(error.into());
    }
    let server = identity(&mut connection)?;
    Ok(Tracking { connection, keys: keys.clone(), server })
}

struct Tracking {
    connection: Connection,
    keys: Keys,
    server: Option<String>,
}

impl Tracking {
    fn signal(&self, value: Value) -> Option<Signal> {
        let Value::Push { kind: PushKind::Invalidate, data } = value else { return None };
        let Some(Value::Array(names)) = data.into_iter().next() else { return Some(Signal::All) };
        let told = |hash: &str| {
            names.iter().any(|name| matches!(name, Value::BulkString(name) if name.as_slice() == hash.as_bytes()))
        };
        match (told(&self.keys.features), told(&self.keys.segments)) {
            (true, true) => Some(Signal::All),
            (true, false) => Some(Signal::Kind(Kind::Flag)),
            (false, true) => Some(Signal::Kind(Kind::Segment)),
            (false, false) => None,
        }
    }

    fn wait_for_pong(&mut self, timeout: Duration, told: &mut dyn FnMut(Signal)) -> Result<(), RedisError> {
        self.connection.set_read_timeout(Some(timeout))?;
        self.connection.send_packed_command(&cmd("PING").get_packed_command())?;
        loop {
            match self.connection.recv_response()? {
                value @ Value::Push { .. } => {
                    if let Some(signal) = self.signal(value) {
                        told(signal);
                    }
                }
                // Any answer is a sign of life, also that of a server whose rules forbid the command.
                _ => return Ok(()),
            }
        }
    }
}

impl Watch for Tracking {
    fn next(&mut self, wait: Duration) -> Result<Option<Signal>, WatchError> {
        let wait = wait.max(Duration::from_millis(1));
        self.connection.set_read_timeout(Some(wait)).map_err(|error| WatchError::of(&error))?;
        match self.connection.recv_response() {
            Err(error) if error.is_timeout() => Ok(None),
            Err(error) => Err(WatchError::of(&error)),
            Ok(value) => Ok(self.signal(value)),
        }
    }

    fn drain(&mut self, timeout: Duration, told: &mut dyn FnMut(Signal)) -> Result<(), WatchError> {
        self.wait_for_pong(timeout, told).map_err(|error| WatchError::of(&error))
    }

    fn sockets(&mut self) -> Vec<&Socket> {
        vec![self.connection.socket()]
    }

    fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }
}
