//! One connection that is opened when needed and dropped when it fails. What reader and writer share. Depends on `connect`.

use redis::{Connection, RedisError};

use super::connect::Connector;

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

    /// Sends over the connection. One that the server closed while it was idle is replaced once, so `send` may run twice:
    /// it must be something that may be repeated.
    pub fn call<T>(&mut self, send: impl Fn(&mut Connection) -> Result<T, RedisError>) -> Result<T, RedisError> {
        if let Some(connection) = &mut self.connection {
            match send(connection) {
                Err(error) if error.is_connection_dropped() && !error.is_timeout() => self.connection = None,
                other => return self.keep_or_drop(other),
            }
        }
        let mut connection = self.connector.open()?;
        let result = send(&mut connection);
        self.connection = Some(connection);
        self.keep_or_drop(result)
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
