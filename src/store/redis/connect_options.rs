//! Where Redis is and how to speak to it, as options and URL say, and why that may be of no use. Depends on `endpoints`, `tls`,
//! `credentials` and `url`.

use std::io;
use std::time::Duration;

use super::credentials::LoginSource;
use super::endpoints::{Endpoints, ReadFrom};
use super::tls::TlsOptions;
use super::url::{RedisUrl, SentinelAccess, UrlError};

/// Time-out of connecting and of commands when nothing is configured.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where Redis is and how to speak to it.
#[derive(Clone)]
pub struct RedisOptions {
    /// Where Redis is.
    pub address: Endpoints,
    /// How sentinels are spoken to.
    pub sentinel: SentinelAccess,
    /// Which servers of a service are read.
    pub read: ReadFrom,
    /// Of several, those in this availability zone are read.
    pub zone: Option<String>,
    /// The URL asks for TLS.
    pub encrypted: bool,
    /// What options say of TLS.
    pub tls: TlsOptions,
    /// Who logs in.
    pub username: Option<String>,
    /// With what; without it nobody does.
    pub password: Option<String>,
    /// Where passwords come from.
    pub login: LoginSource,
    /// Which database.
    pub database: i64,
    /// Longest time to establish a connection, TLS and login included.
    pub connect_timeout: Duration,
    /// Longest silence while a reply is awaited.
    pub command_timeout: Duration,
    /// How connections are called, instead of a name of our own.
    pub client_name: Option<String>,
    /// Protocol 3 is not spoken.
    pub resp2_only: bool,
}

impl RedisOptions {
    /// All that a URL says, and defaults for the rest.
    pub fn at(url: &str) -> Result<Self, ConnectError> {
        let url = RedisUrl::parse(url)?;
        Ok(Self {
            address: url.address,
            sentinel: url.sentinel,
            read: url.read,
            zone: url.zone,
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
            login: LoginSource::Options,
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
