//! Opens connections to one standalone Redis: TCP, TLS or unix socket, logged in, named, with every deadline set.
//!
//! A connection without a limit would let a hung server hold a thread for ever, so none leaves this module without. Depends on
//! `endpoints`, `tls`, `wire`, `sockets`, `connection` and `url`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use redis::{ErrorKind, RedisError};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

pub use super::describe::describe;

use super::class::is_cut;
use super::connection::{Channel, Connection};
use super::endpoints::Address;
use super::login::{Courtesy, Login, Protocol};
use super::sockets::Sockets;
use super::tls::{Tls, TlsOptions};
use super::url::{RedisUrl, UrlError};
use super::wire::{Deadline, Wire};
use crate::model::Jitter;
use crate::store::leash::Leash;

/// Time-out of connecting and of commands when nothing is configured.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where Redis is and how to speak to it.
#[derive(Clone)]
pub struct RedisOptions {
    /// Where the server is.
    pub address: Address,
    /// The URL asks for TLS.
    pub encrypted: bool,
    /// What options say of TLS.
    pub tls: TlsOptions,
    /// Who logs in.
    pub username: Option<String>,
    /// With what; without it nobody does.
    pub password: Option<String>,
    /// Which database.
    pub database: i64,
    /// Longest time to establish a connection, TLS and login included.
    pub connect_timeout: Duration,
    /// Longest silence while a reply is awaited.
    pub command_timeout: Duration,
    /// How connections are called, instead of a name of our own.
    pub client_name: Option<String>,
    /// Protocol 3, which pushes need, is not spoken.
    pub resp2_only: bool,
}

impl RedisOptions {
    /// All that a URL says, and defaults for the rest.
    pub fn at(url: &str) -> Result<Self, ConnectError> {
        let url = RedisUrl::parse(url)?;
        Ok(Self {
            address: url.address,
            encrypted: url.tls,
            tls: TlsOptions {
                ca_file: url.ca_file,
                cert_file: url.cert_file,
                key_file: url.key_file,
                server_name: None,
                skip_verify: url.skip_verify.unwrap_or(false),
            },
            username: url.username,
            password: url.password,
            database: url.database.unwrap_or(0),
            connect_timeout: url.connect_timeout.unwrap_or(DEFAULT_TIMEOUT),
            command_timeout: url.command_timeout.unwrap_or(DEFAULT_TIMEOUT),
            client_name: url.client_name,
            resp2_only: url.resp2_only,
        })
    }
}

/// Why the options cannot be used. Messages never contain the URL: it may carry a password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is not one of the supported forms.
    #[error("not usable: {0}")]
    Url(#[from] UrlError),
    /// A certificate or key file cannot be read.
    #[error("{option}: cannot read {path}: {source}")]
    File {
        /// Name of the option.
        option: &'static str,
        /// The path as given.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Certificate options that do not fit together.
    #[error("{0}")]
    Tls(String),
}

/// Says whether `url` has one of the supported forms, without opening anything.
pub fn check_url(url: &str) -> Result<(), ConnectError> {
    RedisUrl::parse(url)?;
    Ok(())
}

/// Makes connections.
#[derive(Debug)]
pub struct Connector {
    address: Address,
    tls: Option<Tls>,
    login: Login,
    connect_timeout: Duration,
    command_timeout: Duration,
    resp2_only: bool,
    sockets: Arc<Sockets>,
    /// The server closes a connection on which it is told who is there.
    tells_little: AtomicBool,
}

impl Connector {
    /// Checks the options and the certificate files; opens nothing yet.
    pub fn new(options: &RedisOptions) -> Result<Self, ConnectError> {
        let tls = match &options.address {
            Address::Tcp { host, .. } if options.encrypted => Some(Tls::new(&options.tls, host)?),
            _ if options.tls != TlsOptions::default() => {
                return Err(ConnectError::Tls("redis.tls.* options need a rediss:// URL".to_owned()));
            }
            _ => None,
        };
        let name = options.client_name.clone();
        Ok(Self {
            address: options.address.clone(),
            tls,
            login: Login {
                username: options.username.clone(),
                password: options.password.clone(),
                database: options.database,
                name: name.unwrap_or_else(|| format!("flagstone-{:08x}", Jitter::new().bits() >> 32)),
            },
            connect_timeout: options.connect_timeout,
            command_timeout: options.command_timeout,
            resp2_only: options.resp2_only,
            sockets: Arc::default(),
            tells_little: AtomicBool::new(false),
        })
    }

    /// Opens a connection for commands (RESP2, which every server version speaks). There are proxies that close a connection at
    /// a command that they do not know: after such an end the next attempt tells no more than it must, and so on in turn.
    pub fn open(&self) -> Result<Connection, RedisError> {
        self.open_politely(None)
    }

    /// The same; from the first packet on it is on the leash.
    pub fn open_on(&self, leash: &Leash) -> Result<Connection, RedisError> {
        self.open_politely(Some(leash))
    }

    fn open_politely(&self, leash: Option<&Leash>) -> Result<Connection, RedisError> {
        let courtesy = if self.tells_little.load(Relaxed) { Courtesy::None } else { Courtesy::Full };
        let outcome = self.connect(Protocol::Resp2, courtesy, leash);
        if outcome.as_ref().is_err_and(is_cut) {
            self.tells_little.store(courtesy == Courtesy::Full, Relaxed);
        }
        outcome
    }

    /// Opens a connection that can receive pushes. From the first packet on it is on the leash.
    pub fn open_resp3(&self, leash: &Leash) -> Result<Connection, RedisError> {
        if self.resp2_only {
            return Err((ErrorKind::RESP3NotSupported, "redis.url says protocol=2").into());
        }
        self.connect(Protocol::Resp3, Courtesy::Full, Some(leash))
    }

    /// Longest silence while a reply is awaited.
    pub fn command_timeout(&self) -> Duration {
        self.command_timeout
    }

    /// Where the server is, for people: without user and password.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Number of the database.
    pub fn database(&self) -> i64 {
        self.login.database
    }

    /// Sockets that are open.
    pub fn sockets(&self) -> &Arc<Sockets> {
        &self.sockets
    }

    fn connect(&self, protocol: Protocol, courtesy: Courtesy, leash: Option<&Leash>) -> Result<Connection, RedisError> {
        let tls = self.tls.as_ref().map(|tls| Ok::<_, ConnectError>((tls, tls.config()?))).transpose();
        let tls = tls.map_err(|error| io::Error::other(error.to_string()))?;
        let mut deadline = Deadline::after(self.connect_timeout);
        let socket = self.address.connect(&mut deadline, leash)?;
        let remembered = Sockets::remember(&self.sockets, &socket);
        let wire = Wire::new(socket, deadline);
        let channel = match tls {
            Some((tls, config)) => encrypt(tls, config, wire)?,
            None => Channel::Plain(wire),
        };
        let mut connection = Connection::new(channel, remembered, self.login.database);
        self.login.run(&mut connection, protocol, courtesy).map_err(|error| self.explain(error))?;
        connection.set_read_timeout(Some(self.command_timeout))?;
        connection.set_write_timeout(Some(self.command_timeout))?;
        Ok(connection)
    }

    /// What an unencrypted connection meets at a port that expects TLS: an alert, or the end.
    fn explain(&self, error: RedisError) -> RedisError {
        let hint = match error.kind() {
            _ if self.tls.is_some() || !matches!(self.address, Address::Tcp { .. }) => return error,
            ErrorKind::Parse => "what answers is no Redis, or expects TLS on this port (rediss://)",
            _ if error.is_connection_dropped() => {
                "the server closed the connection before it answered; if it expects TLS on this port, use rediss://"
            }
            _ => return error,
        };
        io::Error::new(io::ErrorKind::UnexpectedEof, format!("{}: {hint}", self.address)).into()
    }
}

/// The handshake. Whatever fails in it says that TLS was being spoken.
fn encrypt(tls: &Tls, config: Arc<ClientConfig>, mut wire: Wire) -> Result<Channel, RedisError> {
    let mut session = ClientConnection::new(config, tls.name.clone()).map_err(io::Error::other)?;
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
