//! One connection that is opened when needed and dropped when it fails. What reader and writer share. Depends on `connector`.

use redis::RedisError;

use crate::store::redis::connection::Connection;
use crate::store::redis::connector::Connector;

/// How often in a row something may be interrupted by signals before that counts as a failure.
pub const INTERRUPTIONS: usize = 5;

/// A connection, or the means to make one.
pub struct Session<'a> {
    connector: &'a Connector,
    connection: Option<Connection>,
}

impl<'a> Session<'a> {
    /// Not connected yet.
    pub fn new(connector: &'a Connector) -> Self {
        Self { connector, connection: None }
    }

    /// Sends over the connection. One that the server closed while it was idle is replaced once, so `send` may run again: it
    /// must be something that may be repeated.
    pub fn call<T>(&mut self, send: impl Fn(&mut Connection) -> Result<T, RedisError>) -> Result<T, RedisError> {
        loop {
            let (mut connection, was_idle) = match self.connection.take() {
                Some(connection) => (connection, true),
                None => (self.connector.open()?, false),
            };
            match send(&mut connection) {
                Err(error) if was_idle && error.is_connection_dropped() && !error.is_timeout() => {}
                // After an I/O error the connection is in an unknown state: a late reply would answer the next question.
                Err(error) => return Err(error),
                Ok(result) => {
                    self.connection = Some(connection);
                    return Ok(result);
                }
            }
        }
    }

    /// Sends over the very connection that was used last; `None` when it is gone.
    pub fn call_same<T>(
        &mut self,
        send: impl FnOnce(&mut Connection) -> Result<T, RedisError>,
    ) -> Option<Result<T, RedisError>> {
        let result = send(self.connection.as_mut()?);
        Some(self.keep_or_drop(result))
    }

    /// The next call opens another connection.
    pub fn drop_connection(&mut self) {
        self.connection = None;
    }

    /// After an I/O error the connection is in an unknown state: a late reply would answer the next question.
    fn keep_or_drop<T>(&mut self, result: Result<T, RedisError>) -> Result<T, RedisError> {
        if result.is_err() {
            self.connection = None;
        }
        result
    }
}
