//! One connection that is opened when needed and dropped when it fails. What reader and writer share. Depends on `connector`.

use redis::RedisError;

use super::connection::Connection;
use super::connector::Connector;
use super::server::identity;

/// A connection, or the means to make one.
pub struct Session<'a> {
    connector: &'a Connector,
    connection: Option<Connection>,
    /// Which server the latest connection leads to, where it tells.
    server: Option<String>,
    /// The server has not broken off at the question who it is.
    may_ask: bool,
}

impl<'a> Session<'a> {
    /// Not connected yet.
    pub fn new(connector: &'a Connector) -> Self {
        Self { connector, connection: None, server: None, may_ask: true }
    }

    /// Sends over the connection. One that the server closed while it was idle is replaced once, so `send` may run again: it
    /// must be something that may be repeated.
    pub fn call<T>(&mut self, send: impl Fn(&mut Connection) -> Result<T, RedisError>) -> Result<T, RedisError> {
        loop {
            let (mut connection, was_idle) = match self.connection.take() {
                Some(connection) => (connection, true),
                None => (self.open()?, false),
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

    /// Which server the latest connection leads to; `None` where it did not tell.
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    fn open(&mut self) -> Result<Connection, RedisError> {
        let mut connection = self.connector.open()?;
        if self.may_ask {
            match identity(&mut connection) {
                Ok(server) => self.server = server,
                // There are proxies that close a connection at a question that they do not know.
                Err(error) if error.is_connection_dropped() && !error.is_timeout() => {
                    connection = self.connector.open()?;
                    self.may_ask = false;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(connection)
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
