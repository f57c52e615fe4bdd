//! The addresses of Redis as people write them: one grammar for every scheme, and messages that say what to write instead.
//!
//! `scheme://[user[:password]@]host[:port][/database][?options]`, and the same with the path of a socket for `unix`. No
//! message repeats a value: any part of a URL that is not understood may be a piece of a password. Depends on nothing.

use std::path::PathBuf;
use std::time::Duration;

use super::endpoints::{Address, DEFAULT_PORT};

/// Why a URL cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It begins with something else.
    #[error("it must begin with redis://, rediss://, valkey://, valkeys:// or unix://")]
    Scheme,
    /// Several servers.
    #[error("Redis {0} is not supported by this version: name one server, without {0}")]
    Topology(&'static str),
    /// Several hosts in a URL of one server.
    #[error("it names several hosts, which this version does not support: name one")]
    Hosts,
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
    /// Where the server is.
    pub address: Address,
    /// The connection is encrypted.
    pub tls: bool,
    /// Who logs in.
    pub username: Option<String>,
    /// With what.
    pub password: Option<String>,
    /// Which database.
    pub database: Option<i64>,
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

impl RedisUrl {
    /// Takes a URL apart.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let scheme = Scheme::parse(&scheme.to_ascii_lowercase())?;
        let parsed = Parts::split(rest, scheme == Scheme::Unix).and_then(|parts| parts.resolve(scheme));
        // An @ after the first / or ? or # is most likely that of the user info, cut in two by such a character.
        let is_cut = || rest.find(['/', '?', '#']).is_some_and(|at| rest.get(at..).unwrap_or_default().contains('@'));
        match parsed {
            Err(_) if scheme != Scheme::Unix && is_cut() => Err(UrlError::Raw),
            other => other,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Plain,
    Tls,
    Unix,
}

impl Scheme {
    fn parse(scheme: &str) -> Result<Self, UrlError> {
        match scheme {
            "redis" | "valkey" => return Ok(Self::Plain),
            "rediss" | "valkeys" => return Ok(Self::Tls),
            "unix" | "redis+unix" | "valkey+unix" => return Ok(Self::Unix),
            _ => {}
        }
        let (base, topology) = scheme.split_once(['+', '-']).ok_or(UrlError::Scheme)?;
        match (base, topology) {
            ("redis" | "rediss" | "valkey" | "valkeys", "sentinel") => Err(UrlError::Topology("Sentinel")),
            ("redis" | "rediss" | "valkey" | "valkeys", "cluster") => Err(UrlError::Topology("Cluster")),
            _ => Err(UrlError::Scheme),
        }
    }
}

/// The pieces of a URL, still encoded.
struct Parts<'a> {
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn split(rest: &'a str, is_unix: bool) -> Result<Self, UrlError> {
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (before, query) = match rest.split_once('?') {
            Some((before, query)) => (before, Some(query)),
            None => (rest, None),
        };
        let path_at = before.find('/').unwrap_or(before.len());
        let (authority, path) = before.split_at(path_at);
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, _)) if login.contains('@') => return Err(UrlError::Raw),
            Some((login, host)) => (Some(login), host),
            None => (None, authority),
        };
        if is_unix && (!host.is_empty() || path.len() < 2) {
            return Err(UrlError::SocketPath);
        }
        let (user, password) =
            match login.map(|login| login.split_once(':').map_or((login, None), |(u, p)| (u, Some(p)))) {
                Some((user, password)) => (Some(user).filter(|user| !user.is_empty()), password),
                None => (None, None),
            };
        Ok(Self { user, password, host, path, query })
    }

    fn resolve(&self, scheme: Scheme) -> Result<RedisUrl, UrlError> {
        let address = match scheme {
            Scheme::Unix => Address::Unix(PathBuf::from(decode(self.path, "path")?)),
            _ => tcp_address(self.host)?,
        };
        let database = match scheme {
            Scheme::Unix => None,
            _ => Some(self.path.trim_matches('/')).filter(|path| !path.is_empty()).map(database).transpose()?,
        };
        let text = |part: Option<&str>, what| part.map(|part| decode(part, what)).transpose();
        let mut url = RedisUrl {
            address,
            tls: scheme == Scheme::Tls,
            username: text(self.user, "user")?,
            password: text(self.password, "password")?.filter(|password| !password.is_empty()),
            database,
            resp2_only: false,
            connect_timeout: None,
            command_timeout: None,
            client_name: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            skip_verify: None,
        };
        url.take_options(self.query.unwrap_or_default())?;
        Ok(url)
    }
}

fn tcp_address(text: &str) -> Result<Address, UrlError> {
    if text.contains(',') {
        return Err(UrlError::Hosts);
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(UrlError::Host)?;
            let host = decode(host, "host")?;
            let address = host.split('%').next().unwrap_or_default();
            address.parse::<std::net::Ipv6Addr>().map_err(|_| UrlError::Host)?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or(UrlError::Port)?) })
        }
        None if text.matches(':').count() > 1 => return Err(UrlError::Host),
        None => match text.split_once(':') {
            Some((host, port)) => (decode(host, "host")?, Some(port)),
            None => (decode(text, "host")?, None),
        },
    };
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    if matches!(host.as_str(), "0.0.0.0" | "::") {
        return Err(UrlError::Wildcard);
    }
    if !host.chars().all(|character| character.is_ascii_alphanumeric() || "-._:%".contains(character)) {
        return Err(UrlError::Host);
    }
    let port = match port.filter(|port| !port.is_empty()) {
        None => DEFAULT_PORT,
        Some(port) => {
            number(port).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0).ok_or(UrlError::Port)?
        }
    };
    Ok(Address::Tcp { host, port })
}

/// Digits only: neither sign nor white space.
fn number(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

pub(super) fn database(text: &str) -> Result<i64, UrlError> {
    number(text).filter(|number| *number <= i64::from(i32::MAX)).ok_or(UrlError::Database)
}

/// Decodes `%41`. A sign that two hexadecimal digits do not follow stands for itself, as in every client.
pub(super) fn decode(text: &str, what: &'static str) -> Result<String, UrlError> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = text.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.filter(|_| *byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                decoded.push(value);
                at += 3;
            }
            None => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).map_err(|_| UrlError::Encoding(what))
}
