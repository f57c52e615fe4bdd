//! One connection that is opened when needed and dropped when it fails. What reader and writer share. Depends on `connector`.

use std::time::{Duration, Instant};

use redis::RedisError;

use super::class::is_cut;
use super::connection::Connection;
use super::connector::Connector;
use super::endpoints::Address;
use super::origin::Origin;
use super::server::identity;
use crate::store::backoff::Backoff;
use crate::store::leash::Leash;

/// A server that broke off is asked who it is again after this time.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// A connection, or the means to make one.
pub struct Session<'a> {
    connector: Connector,
    /// Ends what is waited for.
    leash: Option<&'a Leash>,
    connection: Option<Connection>,
    /// Which server the latest connection leads to, where it tells.
    server: Option<String>,
    /// How many connections were made.
    opened: u64,
    /// The server broke off at the question who it is, or at something else at that moment: not before then again.
    ask_at: Option<Instant>,
    /// It did so at the latest attempt: once may be chance.
    cut_while_asking: bool,
    /// The latest failure came from a server that had let us in.
    was_in: bool,
    /// The server is away.
    away: Option<Away>,
    pauses: Backoff,
}

/// A server that was away at the latest attempt.
struct Away {
    place: Option<Address>,
    until: Instant,
    error: RedisError,
}

impl<'a> Session<'a> {
    /// Not connected yet. Connections are on the leash, if there is one.
    pub fn new(connector: Connector, leash: Option<&'a Leash>) -> Self {
        Self {
            connector,
            leash,
            connection: None,
            server: None,
            opened: 0,
            ask_at: None,
            cut_while_asking: false,
            was_in: false,
            away: None,
            pauses: Backoff::new(),
        }
    }

    /// Sends over the connection; for a while after a failure it fails at once, unless the next connection leads elsewhere.
    pub fn call_unless_away<T>(
        &mut self,
        send: impl Fn(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, RedisError> {
        let place = self.place();
        if let Some(away) = self.away.as_ref().filter(|away| away.place == place && Instant::now() < away.until) {
            return Err(away.error.clone());
        }
        let outcome = self.call(send);
        self.away = match &outcome {
            Ok(_) => {
                self.pauses.reset();
                None
            }
            Err(error) => Some(Away { place, until: Instant::now() + self.pauses.next_pause(), error: error.clone() }),
        };
        outcome
    }

    /// Sends over the connection. One that the server closed while it was idle is replaced once, so `send` may run again: it
    /// must be something that may be repeated.
    pub fn call<T>(&mut self, send: impl Fn(&mut Connection) -> Result<T, RedisError>) -> Result<T, RedisError> {
        loop {
            let (mut connection, was_idle) = match self.connection.take() {
                Some(connection) => (connection, true),
                None => (self.open()?, false),
            };
            let sent = self.connector.renew_login(&mut connection, &mut drop).and_then(|()| send(&mut connection));
            match sent {
                Err(error) if was_idle && is_cut(&error) => {}
                // After an I/O error the connection is in an unknown state: a late reply would answer the next question.
                Err(error) => return Err(self.connector.explain(&connection, error)),
                Ok(result) => {
                    self.connection = Some(connection);
                    return Ok(result);
                }
            }
        }
    }

    /// Where the next connection would lead to, as far as that is known.
    pub fn place(&self) -> Option<Address> {
        self.connector.place()
    }

    /// Where the connection leads to, where that may be another address each time.
    pub fn peer(&self) -> Option<&Address> {
        self.connection.as_ref()?.peer()
    }

    /// Which server the latest connection leads to; `None` where it did not tell.
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// The same, also where it did not tell; `None` where there is no connection.
    pub fn origin(&self) -> Option<Origin> {
        self.connection.as_ref()?;
        Some(self.server.clone().map_or(Origin::Connection(self.opened), Origin::Server))
    }

    /// Whether the latest call came so far that its commands were sent.
    pub fn was_in(&self) -> bool {
        self.was_in
    }

    /// Logs in anew on a connection that nobody uses just now, if something else logs in by now.
    pub fn renew_login(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        // One that the server has closed is found closed by whoever looks.
        if self.connector.renew_login(connection, &mut drop).is_err_and(|error| !is_cut(&error)) {
            self.connection = None;
        }
    }

    /// Drops a connection that the server has closed; true when there was one.
    pub fn drop_if_closed(&mut self) -> bool {
        let closed = self.connection.as_mut().is_some_and(Connection::is_closed);
        if closed {
            self.connection = None;
        }
        closed
    }

    /// Drops a connection that leads to another address than the next one would; true when there was one.
    pub fn leave_others(&mut self) -> bool {
        let place = self.connector.place();
        let leads_elsewhere = place.is_some_and(|place| {
            self.connection.as_ref().and_then(Connection::peer).is_some_and(|peer| *peer != place)
        });
        if leads_elsewhere {
            self.drop_connection();
        }
        leads_elsewhere
    }

    fn open(&mut self) -> Result<Connection, RedisError> {
        self.was_in = false;
        let mut connection = match self.leash {
            Some(leash) => self.connector.open_on(leash)?,
            None => self.connector.open()?,
        };
        if self.ask_at.is_none_or(|at| at <= Instant::now()) {
            self.ask_at = None;
            match identity(&mut connection) {
                Ok(server) => (self.server, self.cut_while_asking) = (server, false),
                Err(error) => {
                    // There are proxies that close a connection at a question that they do not know.
                    self.server = None;
                    let is_cut = is_cut(&error);
                    if is_cut && self.cut_while_asking {
                        self.ask_at = Some(Instant::now() + ASK_AGAIN);
                    }
                    self.cut_while_asking = is_cut;
                    return Err(self.connector.explain(&connection, error));
                }
            }
        } else {
            self.server = connection.peer().map(Address::to_string);
        }
        connection.expect_answers();
        self.was_in = true;
        self.opened += 1;
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
        (self.connection, self.server) = (None, None);
    }

    /// After an I/O error the connection is in an unknown state: a late reply would answer the next question.
    fn keep_or_drop<T>(&mut self, result: Result<T, RedisError>) -> Result<T, RedisError> {
        if result.is_err() {
            self.connection = None;
        }
        result
    }
}
