//! Opens connections to one standalone Redis: TCP, TLS or unix socket, with every deadline set.
//!
//! The redis crate's types stay inside `store`. A connection without a read timeout would let a hung server hold a thread
//! for ever, so none leaves this module without one.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::io::tcp::TcpSettings;
use redis::{
    Client, ClientTlsConfig, Connection, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion,
    RedisError, TlsCertificates, Value, pipe,
};

use crate::model::excerpt;

/// Where Redis is and how to speak to it.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://`, `rediss://` or `unix://` URL; may carry user, password and database.
    pub url: String,
    /// Wins over the URL's user.
    pub username: Option<String>,
    /// Wins over the URL's password.
    pub password: Option<String>,
    /// Wins over the URL's database.
    pub database: Option<i64>,
    /// Longest time to establish a connection, TLS and login included.
    pub connect_timeout: Duration,
    /// Longest silence while a reply is awaited.
    pub command_timeout: Duration,
    /// PEM file of the certificate authorities to trust instead of the built-in ones.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the client certificate; needs `key_file`.
    pub cert_file: Option<PathBuf>,
    /// PEM file of the client certificate's private key.
    pub key_file: Option<PathBuf>,
}

/// Why the options cannot be used. Messages never contain the URL: it may carry a password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is not one of the supported forms.
    #[error("redis.url is not usable: {0}")]
    Url(String),
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

/// Makes connections.
#[derive(Debug)]
pub struct Connector {
    client: Client,
    connect_timeout: Duration,
    command_timeout: Duration,
}

impl Connector {
    /// Checks the options and reads the certificate files; opens nothing yet.
    pub fn new(options: &RedisOptions) -> Result<Self, ConnectError> {
        let info = connection_info(options)?;
        let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        let client = if is_tls {
            install_crypto_provider();
            let certificates = certificates(options)?;
            Client::build_with_tls(info, certificates).map_err(|error| ConnectError::Tls(describe(&error)))?
        } else {
            if options.ca_file.is_some() || options.cert_file.is_some() || options.key_file.is_some() {
                return Err(ConnectError::Tls("redis.tls.* options need a rediss:// URL".to_owned()));
            }
            Client::open(info).map_err(|error| ConnectError::Url(describe(&error)))?
        };
        Ok(Self { client, connect_timeout: options.connect_timeout, command_timeout: options.command_timeout })
    }

    /// Opens a connection for commands (RESP2, which every server version speaks).
    pub fn open(&self) -> Result<Connection, RedisError> {
        self.connect(ProtocolVersion::RESP2)
    }

    /// Opens a connection that can receive pushes.
    pub fn open_resp3(&self) -> Result<Connection, RedisError> {
        self.connect(ProtocolVersion::RESP3)
    }

    /// Address and database, for people: never with a password.
    pub fn address(&self) -> String {
        let info = self.client.get_connection_info();
        format!("{}, database {}", info.addr(), info.redis_settings().db())
    }

    /// Longest silence while a reply is awaited.
    pub fn command_timeout(&self) -> Duration {
        self.command_timeout
    }

    fn connect(&self, protocol: ProtocolVersion) -> Result<Connection, RedisError> {
        let deadline = Instant::now() + self.connect_timeout;
        loop {
            match self.connect_until(deadline, protocol) {
                Err(error) if is_interruption(&error) && Instant::now() < deadline => {}
                outcome => return outcome,
            }
        }
    }

    fn connect_until(&self, deadline: Instant, protocol: ProtocolVersion) -> Result<Connection, RedisError> {
        let info = self.client.get_connection_info().clone();
        let settings = info.redis_settings().clone();
        let database = settings.db();
        // The crate waits a whole timeout for each reply of the set-up: it is left the login alone, which is one.
        let login = settings.set_protocol(protocol).set_db(0).set_skip_set_lib_name();
        let client = Client::open(info.set_redis_settings(login))?;
        let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let mut connection = client.get_connection_with_timeout(left())?;
        // The crate clears its temporary timeouts after the login.
        connection.set_read_timeout(Some(left()))?;
        connection.set_write_timeout(Some(self.command_timeout))?;
        introduce(&mut connection, database)?;
        connection.set_read_timeout(Some(self.command_timeout))?;
        Ok(connection)
    }
}

/// Chooses the database and tells the server who is there, which old servers and strict ACLs may refuse.
fn introduce(connection: &mut Connection, database: i64) -> Result<(), RedisError> {
    let mut pipeline = pipe();
    pipeline.cmd("CLIENT").arg("SETINFO").arg("LIB-NAME").arg("flagstone");
    pipeline.cmd("CLIENT").arg("SETINFO").arg("LIB-VER").arg(env!("CARGO_PKG_VERSION"));
    if database != 0 {
        pipeline.cmd("SELECT").arg(database);
    }
    connection.send_packed_command(&pipeline.get_packed_pipeline())?;
    for position in 0..pipeline.len() {
        match connection.recv_response()? {
            Value::ServerError(error) if position == 2 => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn connection_info(options: &RedisOptions) -> Result<ConnectionInfo, ConnectError> {
    check_url(&options.url)?;
    let info = options.url.as_str().into_connection_info().map_err(|error| ConnectError::Url(describe(&error)))?;
    let mut redis = info.redis_settings().clone();
    if let Some(username) = &options.username {
        redis = redis.set_username(username);
    }
    if let Some(password) = &options.password {
        redis = redis.set_password(password);
    }
    if let Some(database) = options.database {
        redis = redis.set_db(database);
    }
    Ok(info.set_redis_settings(redis).set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

/// Says whether `url` has one of the supported forms, without opening anything.
pub fn check_url(url: &str) -> Result<(), ConnectError> {
    const SCHEMES: [&str; 3] = ["redis://", "rediss://", "unix://"];
    if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
        return Err(ConnectError::Url("it must begin with redis://, rediss:// or unix://".to_owned()));
    }
    if url.contains('#') {
        return Err(ConnectError::Url(
            "it has a fragment; switching certificate checks off is not supported, use redis.tls.ca_file".to_owned(),
        ));
    }
    url.into_connection_info().map(|_| ()).map_err(|error| ConnectError::Url(describe(&error)))
}

fn certificates(options: &RedisOptions) -> Result<TlsCertificates, ConnectError> {
    let client_tls = match (&options.cert_file, &options.key_file) {
        (Some(cert), Some(key)) => Some(ClientTlsConfig {
            client_cert: read_pem("redis.tls.cert_file", cert, CERTIFICATE)?,
            client_key: read_pem("redis.tls.key_file", key, PRIVATE_KEY)?,
        }),
        (None, None) => None,
        _ => {
            return Err(ConnectError::Tls(
                "redis.tls.cert_file and redis.tls.key_file must be given together".to_owned(),
            ));
        }
    };
    let root_cert = match &options.ca_file {
        Some(path) => Some(read_pem("redis.tls.ca_file", path, CERTIFICATE)?),
        None => None,
    };
    Ok(TlsCertificates { client_tls, root_cert })
}

/// What a PEM file must hold: what its first line ends with, and how to call it.
type Holding = (&'static str, &'static str);
const CERTIFICATE: Holding = ("BEGIN CERTIFICATE-----", "certificate");
/// PKCS#8, or one of the older forms that name the algorithm first.
const PRIVATE_KEY: Holding = ("PRIVATE KEY-----", "private key");

fn read_pem(option: &'static str, path: &PathBuf, (mark, name): Holding) -> Result<Vec<u8>, ConnectError> {
    let pem = std::fs::read(path).map_err(|source| ConnectError::File {
        option,
        path: path.display().to_string(),
        source,
    })?;
    if !pem.windows(mark.len()).any(|window| window == mark.as_bytes()) {
        return Err(ConnectError::Tls(format!("{option} holds no PEM {name}")));
    }
    Ok(pem)
}

/// The redis crate selects no crypto provider; rustls would panic on the first connection without one.
fn install_crypto_provider() {
    // An error means that the host or an earlier client has installed one: also good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Whether a signal interrupted the wait for a reply. Whatever a handler asks for, a wait with a time-out ends then; so it
/// does when the process is stopped and continued. What the server sends later is still the reply.
pub fn is_interruption(error: &RedisError) -> bool {
    let shared = error.source().and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let inner = shared.and_then(|shared| shared.downcast_ref::<io::Error>());
    inner.is_some_and(|error| error.kind() == io::ErrorKind::Interrupted)
}

/// Most characters of what a server says that are repeated.
const LONGEST_ERROR: usize = 300;

/// The text of a Redis error without what the command carried: a server that does not know a command repeats its
/// arguments, and those of a login are credentials.
pub fn describe(error: &RedisError) -> String {
    let text = error.to_string();
    let end = text.find(", with args beginning with").unwrap_or(text.len());
    excerpt(text.get(..end).unwrap_or_default(), LONGEST_ERROR)
}
