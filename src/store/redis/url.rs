//! The addresses of Redis as people write them: one grammar for every scheme and topology, and messages that say what to write
//! instead.
//!
//! ```text
//! url    = scheme "://" [ user [ ":" password ] "@" ] host *( "," host ) path [ "?" options ]
//! scheme = ("redis" | "rediss" | "valkey" | "valkeys") [ "+sentinel" | "+cluster" ] | "unix"
//! path   = "" | "/" database | "/" service [ "/" database ]       service: with +sentinel
//! ```
//!
//! `url_parts` takes it to pieces, `url_options` reads what stands after the `?`. No message repeats a value: any part of a URL
//! that is not understood may be a piece of a password. Depends on `endpoints`.

use std::path::PathBuf;
use std::time::Duration;

use super::endpoints::{Endpoints, ReadFrom, SentinelTls};
use super::url_parts::{Parts, Scheme};

/// Why a URL cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It begins with something else.
    #[error(
        "it must begin with redis://, rediss://, valkey://, valkeys:// or unix://, or with redis+sentinel:// and its likes"
    )]
    Scheme,
    /// An option that only clusters have.
    #[error("the option {0:?} after the ? is about clusters: begin with redis+cluster:// or rediss+cluster://")]
    NeedsCluster(&'static str),
    /// A cluster that is to be read from replicas.
    #[error("of a cluster the owners of the keys are read: read=prefer-replica and read=nearest are for sentinels")]
    ClusterRead,
    /// A database of a cluster.
    #[error("a cluster has database 0 only: put another environment under another redis.prefix")]
    ClusterDatabase,
    /// A service of a cluster.
    #[error("a cluster has no service: redis+cluster:// takes hosts and options, redis+sentinel:// a service")]
    ClusterService,
    /// Several hosts in a URL of one server.
    #[error(
        "it names several hosts: redis+sentinel:// takes a list of sentinels, redis+cluster:// one of a cluster's nodes"
    )]
    Hosts,
    /// An option that only sentinels have.
    #[error("the option {0:?} after the ? is about sentinels: begin with redis+sentinel:// or rediss+sentinel://")]
    NeedsSentinel(&'static str),
    /// A zone where only one server is read.
    #[error(
        "the option \"az\" after the ? is for reading from replicas: write read=prefer-replica or read=nearest, too"
    )]
    NeedsRead,
    /// Sentinels of nothing.
    #[error("it does not say which service the sentinels are asked for: redis+sentinel://host:26379/service")]
    NoService,
    /// A service that cannot be one.
    #[error("the name of the service consists of letters, digits, '.', '-' and '_'")]
    Service,
    /// One word before the @ that is a user to some clients and a password to others.
    #[error(
        "before the @, write :password or user:password; one word alone means a user here and a password elsewhere"
    )]
    Lone,
    /// User and password that belong to the sentinels in some clients and to the data nodes in others.
    #[error(
        "it names a service after the ? and a user or password before the @: begin with redis+sentinel://, where these are \
         for the data nodes, and write sentinel_user and sentinel_password after the ? for those of the sentinels"
    )]
    Whose,
    /// A character that must be written otherwise.
    #[error(
        "it cannot be taken apart: in a user or password, write # as %23, / as %2F, ? as %3F, @ as %40, : as %3A and % as %25"
    )]
    Raw,
    /// A fragment.
    #[error(
        "it has a #: in a password it is written %23; certificate checks are switched off with redis.tls.skip_verify only"
    )]
    Fragment,
    /// No host.
    #[error("it names no host")]
    NoHost,
    /// A host that cannot be one.
    #[error("the host is not usable: it is a name in ASCII, an address, or an IPv6 address in brackets")]
    Host,
    /// An address that means all addresses.
    #[error("0.0.0.0 and :: are no addresses to connect to")]
    Wildcard,
    /// No port number.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// No database number.
    #[error("the database is not a number from 0 to 2147483647")]
    Database,
    /// A path that is not absolute.
    #[error("a unix socket needs an absolute path: unix:///path/to/socket")]
    SocketPath,
    /// A unix socket where there are none.
    #[error("unix sockets are not to be had on Windows: name a host and a port")]
    SocketSystem,
    /// Something that is not UTF-8 when decoded.
    #[error("the {0} is not UTF-8 when its % signs are decoded")]
    Encoding(&'static str),
    /// An option that does not exist.
    #[error("unknown option {0:?} after the ?")]
    UnknownOption(String),
    /// Something after the `?` that is no option and may be secret.
    #[error("what follows the ? is not a list of known options, each name=value; in a value, & is written %26")]
    Options,
    /// A value that does not fit its option.
    #[error("the option {0:?} after the ? takes {1}")]
    Value(String, &'static str),
    /// Two values for the same thing.
    #[error("it gives two values for the {0}")]
    Twice(&'static str),
}

/// What a URL says. What it does not say is left to options and defaults.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    /// Where Redis is.
    pub address: Endpoints,
    /// The connection is encrypted.
    pub tls: bool,
    /// Who logs in.
    pub username: Option<String>,
    /// With what.
    pub password: Option<String>,
    /// Which database.
    pub database: Option<i64>,
    /// How sentinels are spoken to.
    pub sentinel: SentinelAccess,
    /// Which servers of a service are read.
    pub read: ReadFrom,
    /// Of several, those in this availability zone are read.
    pub zone: Option<String>,
    /// Protocol 2 only: the server, or what is in front of it, speaks no other.
    pub resp2_only: bool,
    /// Longest time to connect.
    pub connect_timeout: Option<Duration>,
    /// Longest silence while a reply is awaited.
    pub command_timeout: Option<Duration>,
    /// How connections are called.
    pub client_name: Option<String>,
    /// PEM file of the authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the client certificate.
    pub cert_file: Option<PathBuf>,
    /// PEM file of its key.
    pub key_file: Option<PathBuf>,
    /// Any certificate is accepted.
    pub skip_verify: Option<bool>,
}

/// How sentinels are spoken to. User and password of the URL are those of the data nodes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SentinelAccess {
    /// Who logs in.
    pub username: Option<String>,
    /// With what; without it nobody does.
    pub password: Option<String>,
    /// Whether the connection is encrypted.
    pub tls: SentinelTls,
}

impl RedisUrl {
    /// Takes a URL apart.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let scheme = Scheme::parse(&scheme.to_ascii_lowercase())?;
        let parsed = Parts::split(rest, scheme).and_then(|parts| parts.resolve(scheme));
        // An @ after the first / or ? or # is most likely that of the user info, cut in two by such a character.
        let is_cut = || rest.find(['/', '?', '#']).is_some_and(|at| rest.get(at..).unwrap_or_default().contains('@'));
        match parsed {
            Err(_) if !scheme.is_unix() && is_cut() => Err(UrlError::Raw),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
