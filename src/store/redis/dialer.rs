//! Opens one connection to one address: TCP, TLS or unix socket, logged in, named, with every deadline set.
//!
//! A connection without a limit would let a hung server hold a thread for ever, so none leaves this module without. Depends on
//! `endpoints`, `tls`, `wire`, `sockets`, `connection` and `login`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::{ErrorKind, RedisError};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::connection::{Channel, Connection};
use super::endpoints::Address;
use super::login::{Courtesy, Login, Protocol};
use super::sockets::Sockets;
use super::tls::Tls;
use super::wire::{Deadline, Wire};
use crate::store::leash::Leash;

/// How servers of one kind are spoken to.
#[derive(Debug)]
pub struct Dialer {
    /// `None`: the connection is not encrypted.
    pub tls: Option<Tls>,
    /// Who logs in.
    pub login: Login,
    /// Longest silence while a reply is awaited.
    pub command_timeout: Duration,
    /// Where open sockets are remembered.
    pub sockets: Arc<Sockets>,
}

impl Dialer {
    /// A connection to this address, by then. Given a leash, it is on it from the first packet on.
    pub fn dial(
        &self,
        address: &Address,
        (protocol, courtesy): (Protocol, Courtesy),
        mut deadline: Deadline,
        leash: Option<&Leash>,
    ) -> Result<Connection, RedisError> {
        let grant = self.login.credentials.for_connect()?;
        let tls = match (&self.tls, address) {
            (Some(tls), Address::Tcp { host, .. }) => {
                let unusable = |error: super::connector::ConnectError| io::Error::other(error.to_string());
                Some((tls.name_for(host).map_err(unusable)?, tls.config().map_err(unusable)?))
            }
            _ => None,
        };
        let socket = address.connect(&mut deadline, leash)?;
        let remembered = Sockets::remember(&self.sockets, &socket);
        let wire = Wire::new(socket, deadline, self.sockets.traffic.clone());
        let channel = match tls {
            Some((name, config)) => encrypt(name, config, wire)?,
            None => Channel::Plain(wire),
        };
        let mut connection = Connection::new(channel, remembered, self.login.database);
        let outcome = self.login.run(&grant, &mut connection, (protocol, courtesy));
        outcome.map_err(|error| self.explain(address, error))?;
        connection.set_read_timeout(Some(self.command_timeout))?;
        connection.set_write_timeout(Some(self.command_timeout))?;
        Ok(connection)
    }

    /// What an unencrypted connection meets at a port that expects TLS: an alert, or the end.
    pub fn explain(&self, address: &Address, error: RedisError) -> RedisError {
        let hint = match error.kind() {
            _ if self.tls.is_some() || !matches!(address, Address::Tcp { .. }) => return error,
            ErrorKind::Parse => "what answers is no Redis, or expects TLS on this port (rediss://)",
            _ if error.is_connection_dropped() => {
                "the server closed the connection before it answered; if it expects TLS on this port, use rediss://"
            }
            _ => return error,
        };
        io::Error::new(io::ErrorKind::UnexpectedEof, format!("{address}: {hint}")).into()
    }
}

/// The handshake. Whatever fails in it says that TLS was being spoken.
fn encrypt(name: ServerName<'static>, config: Arc<ClientConfig>, mut wire: Wire) -> Result<Channel, RedisError> {
    let mut session = ClientConnection::new(config, name).map_err(io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut wire).map_err(|error| handshake_failure(&error))?;
    }
    Ok(Channel::Tls(Box::new(StreamOwned::new(session, wire))))
}

fn handshake_failure(error: &io::Error) -> io::Error {
    let no_tls = "what answers does not speak TLS on this port (redis:// is without TLS)";
    let said = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let text = match (said, error.kind()) {
        (Some(rustls::Error::InvalidMessage(_)), _) => no_tls.to_owned(),
        (Some(error), _) => format!("TLS: {error}"),
        (None, io::ErrorKind::TimedOut) => {
            format!("TLS handshake: {error}; does the server speak TLS on this port?")
        }
        (None, _) => {
            "the server closed the connection during the TLS handshake; does it speak TLS on this port?".to_owned()
        }
    };
    io::Error::new(error.kind(), text)
}
