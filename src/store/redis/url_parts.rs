//! The pieces of an address of Redis and what they mean together: scheme, user info, hosts, path. Part of `url`.

use std::path::PathBuf;

use super::endpoints::{Address, AddressMap, DEFAULT_PORT, Endpoints, Nodes, ReadFrom, SENTINEL_PORT, Service};
use super::url::{RedisUrl, SentinelAccess, UrlError};
use super::url_options::{Extra, set};

/// What stands before the `://`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Scheme {
    transport: Transport,
    topology: Topology,
    /// Written as Lettuce and fred write it, which do not agree on what one word before the `@` is.
    is_foreign: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Plain,
    Tls,
    Unix,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Topology {
    /// Options may say what it is.
    Unsaid,
    Sentinel,
    Cluster,
}

impl Scheme {
    /// From the text in lower case.
    pub(super) fn parse(scheme: &str) -> Result<Self, UrlError> {
        let (base, topology) = match scheme.split_once(['+', '-']) {
            Some((base, "sentinel")) => (base, Topology::Sentinel),
            Some((base, "cluster")) => (base, Topology::Cluster),
            _ => (scheme, Topology::Unsaid),
        };
        let transport = match base {
            "redis" | "valkey" => Transport::Plain,
            "rediss" | "valkeys" => Transport::Tls,
            "redis+ssl" | "redis+tls" => Transport::Tls,
            "unix" | "redis+unix" | "valkey+unix" | "redis-socket" | "redis+socket" if topology == Topology::Unsaid => {
                Transport::Unix
            }
            _ => return Err(UrlError::Scheme),
        };
        Ok(Self { transport, topology, is_foreign: topology == Topology::Sentinel && scheme.contains('-') })
    }

    pub(super) fn is_unix(self) -> bool {
        self.transport == Transport::Unix
    }
}

/// The pieces of a URL, still encoded.
pub(super) struct Parts<'a> {
    user: Option<&'a str>,
    password: Option<&'a str>,
    hosts: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    /// What stands after a `#`: with sentinels, the service.
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    pub(super) fn split(rest: &'a str, scheme: Scheme) -> Result<Self, UrlError> {
        let (rest, fragment) = match rest.split_once('#') {
            Some((rest, fragment)) if scheme.topology == Topology::Sentinel => (rest, Some(fragment)),
            Some(_) => return Err(UrlError::Fragment),
            None => (rest, None),
        };
        let (before, query) = match rest.split_once('?') {
            Some((before, query)) => (before, Some(query)),
            None => (rest, None),
        };
        let path_at = before.find('/').unwrap_or(before.len());
        let (authority, path) = before.split_at(path_at);
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, _)) if login.contains('@') => return Err(UrlError::Raw),
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        if scheme.is_unix() && (!hosts.is_empty() || path.len() < 2) {
            return Err(UrlError::SocketPath);
        }
        if scheme.is_unix() && cfg!(windows) {
            return Err(UrlError::SocketSystem);
        }
        let (user, password) =
            match login.map(|login| login.split_once(':').map_or((login, None), |(u, p)| (u, Some(p)))) {
                Some((user, password)) => (Some(user).filter(|user| !user.is_empty()), password),
                None => (None, None),
            };
        if scheme.is_foreign && user.is_some() && password.is_none() {
            return Err(UrlError::Lone);
        }
        Ok(Self { user, password, hosts, path, query, fragment })
    }

    pub(super) fn resolve(&self, scheme: Scheme) -> Result<RedisUrl, UrlError> {
        let text = |part: Option<&str>, what| part.map(|part| decode(part, what)).transpose();
        let mut url = RedisUrl {
            address: Endpoints::Fixed(Address::Unix(PathBuf::new())),
            tls: scheme.transport == Transport::Tls,
            username: text(self.user, "user")?,
            password: text(self.password, "password")?.filter(|password| !password.is_empty()),
            database: None,
            sentinel: SentinelAccess::default(),
            read: ReadFrom::Primary,
            zone: None,
            resp2_only: false,
            connect_timeout: None,
            command_timeout: None,
            client_name: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            skip_verify: None,
        };
        let mut extra = Extra::default();
        url.take_options(self.query.unwrap_or_default(), &mut extra)?;
        let names_service = extra.service.is_some() && scheme.topology == Topology::Unsaid && !scheme.is_unix();
        if names_service && (self.user.is_some() || self.password.is_some()) {
            return Err(UrlError::Whose);
        }
        let is_sentinel = scheme.topology == Topology::Sentinel || names_service;
        let is_cluster = scheme.topology == Topology::Cluster;
        if is_cluster {
            self.check_cluster(&url, &extra)?;
        } else if extra.address_map != AddressMap::default() {
            return Err(UrlError::NeedsCluster("node_address_map"));
        }
        if let Some(option) = extra.about_sentinels.filter(|_| !is_sentinel) {
            return Err(UrlError::NeedsSentinel(option));
        }
        if url.zone.is_some() && url.read == ReadFrom::Primary {
            return Err(UrlError::NeedsRead);
        }
        url.address = if scheme.is_unix() {
            self.check_single(&extra)?;
            Endpoints::Fixed(Address::Unix(PathBuf::from(decode(self.path, "path")?)))
        } else if is_sentinel {
            let sentinels = self.addresses(&extra, SENTINEL_PORT)?;
            let name = self.take_service(&mut url, extra.service)?;
            Endpoints::Sentinel(Service { name, sentinels })
        } else {
            let path = Some(self.path.trim_matches('/')).filter(|path| !path.is_empty());
            path.map(|path| set(&mut url.database, database(path)?, "database")).transpose()?;
            if is_cluster {
                let seeds = self.addresses(&extra, DEFAULT_PORT)?;
                Endpoints::Cluster(Nodes { seeds, address_map: extra.address_map })
            } else {
                self.check_single(&extra)?;
                Endpoints::Fixed(tcp_address(self.hosts, DEFAULT_PORT)?)
            }
        };
        if is_cluster && url.database.is_some_and(|database| database != 0) {
            return Err(UrlError::ClusterDatabase);
        }
        Ok(url)
    }

    /// What else clusters do not have.
    fn check_cluster(&self, url: &RedisUrl, extra: &Extra) -> Result<(), UrlError> {
        let is_service = self.path.split('/').any(|part| !is_number(part));
        match extra.service.is_some() || is_service {
            true => Err(UrlError::ClusterService),
            false if url.read != ReadFrom::Primary => Err(UrlError::ClusterRead),
            false => Ok(()),
        }
    }

    fn check_single(&self, extra: &Extra) -> Result<(), UrlError> {
        if self.hosts.contains(',') || !extra.nodes.is_empty() { Err(UrlError::Hosts) } else { Ok(()) }
    }

    /// The hosts of the list and those of the options, none twice.
    fn addresses(&self, extra: &Extra, default_port: u16) -> Result<Vec<Address>, UrlError> {
        let mut addresses = Vec::new();
        for host in self.hosts.split(',').chain(extra.nodes.iter().map(String::as_str)) {
            let address = tcp_address(host, default_port)?;
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Ok(addresses)
    }

    /// `/service`, `/service/database`, or the service elsewhere and `/database`.
    fn take_service(&self, url: &mut RedisUrl, option: Option<String>) -> Result<String, UrlError> {
        let mut service = option;
        if let Some(fragment) = self.fragment {
            set(&mut service, decode(fragment, "service")?, "service")?;
        }
        let path: Vec<&str> = self.path.split('/').filter(|part| !part.is_empty()).collect();
        let number = match *path.as_slice() {
            [] => None,
            [one] if is_number(one) => Some(one),
            [name] => {
                set(&mut service, decode(name, "service")?, "service")?;
                None
            }
            [name, number] => {
                set(&mut service, decode(name, "service")?, "service")?;
                Some(number)
            }
            _ => return Err(UrlError::Database),
        };
        number.map(|number| set(&mut url.database, database(number)?, "database")).transpose()?;
        let service = service.filter(|service| !service.is_empty()).ok_or(UrlError::NoService)?;
        let is_name = service.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        if is_name { Ok(service) } else { Err(UrlError::Service) }
    }
}

pub(super) fn tcp_address(text: &str, default_port: u16) -> Result<Address, UrlError> {
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
    let is_written = |character: char| character.is_ascii_alphanumeric() || "-._:%".contains(character);
    // A colon that was encoded, and is part of no address.
    let is_cut = host.contains(':') && !text.starts_with('[');
    if is_cut || !host.chars().all(is_written) {
        return Err(UrlError::Host);
    }
    let port = match port.filter(|port| !port.is_empty()) {
        None => default_port,
        Some(port) => {
            number(port).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0).ok_or(UrlError::Port)?
        }
    };
    Ok(Address::Tcp { host, port })
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits only: neither sign nor white space.
fn number(text: &str) -> Option<i64> {
    is_number(text).then(|| text.parse().ok()).flatten()
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
