//! Where Redis is, and a socket to it in time. Names are looked up at each connect: a name may lead to another server by
//! then. Depends on `wire` and `leash`.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket as RawSocket, TcpKeepalive, Type};

use super::wire::{Deadline, Socket, connect_local};
use crate::store::leash::Leash;

/// The port of a URL that names none.
pub const DEFAULT_PORT: u16 = 6379;
/// The same for sentinels.
pub const SENTINEL_PORT: u16 = 26_379;
/// A connection that is silent for so long is asked by the system whether it lives.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How often it is asked then, and how many questions may stay without an answer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_QUESTIONS: u32 = 3;

/// How the server is found that is read and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoints {
    /// It is always at the same address.
    Fixed(Address),
    /// It is the primary of a service, and sentinels know where that is.
    Sentinel(Service),
    /// It is the node of a cluster that owns the slot of a key, and every node knows which that is.
    Cluster(Nodes),
}

/// Nodes of a cluster that are known from the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodes {
    /// At least one.
    pub seeds: Vec<Address>,
    /// Where nodes are reached whose own word leads nowhere from here.
    pub address_map: AddressMap,
}

/// Addresses as nodes tell them, and where these are reached from here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressMap(pub Vec<(Address, Address)>);

impl AddressMap {
    /// Where a node is reached that tells this address.
    pub fn reached_at(&self, told: Address) -> Address {
        self.0.iter().find(|(inside, _)| *inside == told).map_or(told, |(_, outside)| outside.clone())
    }
}

/// A service, and who knows where its primary is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// At least one.
    pub sentinels: Vec<Address>,
}

/// Whether connections to sentinels are encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SentinelTls {
    /// If those to data nodes are.
    #[default]
    Same,
    /// Always.
    Yes,
    /// Never.
    No,
}

/// Which servers of a service are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReadFrom {
    /// The primary.
    #[default]
    Primary,
    /// A replica, as long as there is one that gets everything; else the primary.
    PreferReplica,
    /// The one that takes the least time to connect to.
    Nearest,
}

impl fmt::Display for Endpoints {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(address) => address.fmt(formatter),
            Self::Sentinel(service) => service.fmt(formatter),
            Self::Cluster(nodes) => nodes.fmt(formatter),
        }
    }
}

impl fmt::Display for Nodes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the cluster of")?;
        self.seeds.iter().try_for_each(|node| write!(formatter, " {node}"))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "service {:?} of the sentinels", self.name)?;
        self.sentinels.iter().try_for_each(|sentinel| write!(formatter, " {sentinel}"))
    }
}

/// Where one server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Over the network.
    Tcp {
        /// A name or an address, the latter without brackets.
        host: String,
        /// Its port.
        port: u16,
    },
    /// On this machine.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(formatter, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(formatter, "{host}:{port}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

impl Address {
    /// The name or address of the machine, if it is reached over the network.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Tcp { host, .. } => Some(host),
            Self::Unix(_) => None,
        }
    }

    /// Whether it names a port, or needs none.
    pub fn has_port(&self) -> bool {
        !matches!(self, Self::Tcp { port: 0, .. })
    }

    /// Whether both are the same server, one by its name and one by its address. Names are looked up, which the system does in
    /// its own time.
    pub fn is_same_place(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        let (Self::Tcp { host: one, port }, Self::Tcp { host: two, port: other_port }) = (self, other) else {
            return false;
        };
        // Two addresses that differ are no names for the same one.
        let is_name = |host: &str| host.parse::<IpAddr>().is_err();
        if port != other_port || !(is_name(one) || is_name(two)) {
            return false;
        }
        let addresses = |host: &str| (host, *port).to_socket_addrs().map(Iterator::collect).unwrap_or_default();
        let (one, two): (Vec<SocketAddr>, Vec<SocketAddr>) = (addresses(one), addresses(two));
        one.iter().any(|address| two.contains(address))
    }

    /// A socket to it. The lookup of a name is the system's, which keeps its own time; what is left for the rest is a quarter
    /// of the whole then, at least. The socket is on the leash while it connects, and afterwards.
    pub fn connect(&self, deadline: &mut Deadline, leash: Option<&Leash>) -> io::Result<Arc<Socket>> {
        let connected = match self {
            Self::Unix(path) => connect_local(path, deadline, |socket| held(socket, leash)),
            Self::Tcp { host, port } => connect_tcp(host, *port, deadline, leash),
        };
        connected.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => deadline.passed(&format!("no connection to {self}")),
            kind => io::Error::new(kind, format!("no connection to {self}: {error}")),
        })
    }
}

fn connect_tcp(host: &str, port: u16, deadline: &mut Deadline, leash: Option<&Leash>) -> io::Result<Arc<Socket>> {
    // Where there are many hosts, a client that is closed waits for one name at most.
    leash.map_or(Ok(()), Leash::check)?;
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    deadline.leave_a_quarter();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (position, address) in addresses.iter().enumerate() {
        // An address that swallows everything must not use up the time of those after it.
        let share = u32::try_from(addresses.len() - position).unwrap_or(u32::MAX);
        let socket = RawSocket::new(Domain::for_address(*address), Type::STREAM, Some(Protocol::TCP))?;
        let socket = held(Socket::Tcp(TcpStream::from(socket)), leash)?;
        let limit = (deadline.left() / share).max(Duration::from_millis(1));
        match socket.reference().connect_timeout(&SockAddr::from(*address), limit) {
            Ok(()) => return prepared(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn held(socket: Socket, leash: Option<&Leash>) -> io::Result<Arc<Socket>> {
    let socket = Arc::new(socket);
    if let Some(leash) = leash {
        let waited_for: Weak<Socket> = Arc::downgrade(&socket);
        leash.hold(waited_for)?;
    }
    Ok(socket)
}

fn prepared(socket: Arc<Socket>) -> io::Result<Arc<Socket>> {
    socket.reference().set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_INTERVAL);
    // Older systems choose themselves how often they ask.
    let questions = keepalive.clone().with_retries(KEEPALIVE_QUESTIONS);
    if socket.reference().set_tcp_keepalive(&questions).is_err() {
        socket.reference().set_tcp_keepalive(&keepalive)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_looked_up_any_more_when_the_client_is_closed() {
        let address = Address::Tcp { host: "name.invalid".to_owned(), port: 1 };
        let leash = Leash::default();
        let outcome = |leash| address.connect(&mut Deadline::after(Duration::from_secs(1)), leash).unwrap_err().kind();
        assert_ne!(outcome(Some(&leash)), io::ErrorKind::ConnectionAborted);
        leash.pull();
        assert_eq!(outcome(Some(&leash)), io::ErrorKind::ConnectionAborted);
        assert_ne!(outcome(None), io::ErrorKind::ConnectionAborted);
    }
}
