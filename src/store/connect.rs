//! Opens connections to one standalone Redis: TCP, TLS or unix socket, with every deadline set.
//!
//! The redis crate's types stay inside `store`. A connection without a read timeout would let a hung server hold a thread
//! for ever, so none leaves this module without one.

use std::path::PathBuf;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{
    Client, ClientTlsConfig, Connection, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion,
    RedisError, TlsCertificates,
};

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
        source: std::io::Error,
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

    /// Longest silence while a reply is awaited.
    pub fn command_timeout(&self) -> Duration {
        self.command_timeout
    }

    fn connect(&self, protocol: ProtocolVersion) -> Result<Connection, RedisError> {
        let info = self.client.get_connection_info().clone();
        let settings = info.redis_settings().clone().set_protocol(protocol);
        let client = Client::open(info.set_redis_settings(settings))?;
        let connection = client.get_connection_with_timeout(self.connect_timeout)?;
        // The crate clears its temporary timeouts after the login.
        connection.set_read_timeout(Some(self.command_timeout))?;
        connection.set_write_timeout(Some(self.command_timeout))?;
        Ok(connection)
    }
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
    let redis = redis.set_lib_name("flagstone", env!("CARGO_PKG_VERSION"));
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
            client_cert: read("redis.tls.cert_file", cert)?,
            client_key: read("redis.tls.key_file", key)?,
        }),
        (None, None) => None,
        _ => {
            return Err(ConnectError::Tls(
                "redis.tls.cert_file and redis.tls.key_file must be given together".to_owned(),
            ));
        }
    };
    let root_cert = match &options.ca_file {
        Some(path) => {
            let pem = read("redis.tls.ca_file", path)?;
            if !pem.windows(11).any(|window| window == b"-----BEGIN ") {
                return Err(ConnectError::Tls("redis.tls.ca_file holds no PEM certificate".to_owned()));
            }
            Some(pem)
        }
        None => None,
    };
    Ok(TlsCertificates { client_tls, root_cert })
}

fn read(option: &'static str, path: &PathBuf) -> Result<Vec<u8>, ConnectError> {
    std::fs::read(path).map_err(|source| ConnectError::File { option, path: path.display().to_string(), source })
}

/// The redis crate selects no crypto provider; rustls would panic on the first connection without one.
fn install_crypto_provider() {
    // An error means that the host or an earlier client has installed one: also good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The text of a Redis error without connection details.
pub fn describe(error: &RedisError) -> String {
    error.to_string()
}
