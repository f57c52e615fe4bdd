//! Opens connections to the Redis that options name: to an address, to the primary that sentinels name at that moment, or to
//! the node of a cluster that owns a slot.
//!
//! Depends on `endpoints`, `dialer`, `route`, `sentinel`, `cluster`, `tls`, `sockets` and `url`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use redis::{ErrorKind, RedisError, Value};

pub use super::connect_options::{ConnectError, RedisOptions, check_url};
pub use super::describe::describe;

use super::class::{elsewhere, is_cut};
use super::cluster::Cluster;
use super::connection::Connection;
use super::credentials::{Credentials, LoginSource};
use super::dialer::Dialer;
use super::endpoints::{Address, Endpoints, SentinelTls, Service};
use super::login::{Courtesy, Login, Protocol};
use super::role::{check_primary, check_replica};
use super::route::Route;
use super::sentinel::{Candidate, Located, Office, Preference, Sentinels, Word};
use super::server::zone;
use super::sockets::Sockets;
use super::tls::{Tls, TlsOptions};
use super::url::{SentinelAccess, UrlError};
use super::wire::Deadline;
use crate::model::Jitter;
use crate::store::leash::Leash;

/// How long a replica that lacks something is left to itself.
const CATCH_UP: Duration = Duration::from_millis(10);

/// What is spoken, and how much is told.
pub(super) type Manner = (Protocol, Courtesy);

/// Makes connections. A clone makes the same ones.
#[derive(Debug, Clone)]
pub struct Connector {
    pub(super) route: Route,
    dialer: Arc<Dialer>,
    connect_timeout: Duration,
    resp2_only: bool,
    /// The server closes a connection on which it is told who is there.
    tells_little: Arc<AtomicBool>,
}

impl Connector {
    /// Checks the options and the certificate files; opens nothing yet. Where there are sentinels, somebody is to listen to them.
    pub fn new(options: &RedisOptions) -> Result<Self, ConnectError> {
        let sentinels_encrypted = match (&options.address, options.sentinel.tls) {
            (Endpoints::Fixed(_) | Endpoints::Cluster(_), _) | (_, SentinelTls::No) => false,
            (_, SentinelTls::Yes) => true,
            (_, SentinelTls::Same) => options.encrypted,
        };
        let hosts: Vec<&str> = match &options.address {
            Endpoints::Fixed(address) => address.host().into_iter().collect(),
            Endpoints::Sentinel(Service { sentinels, .. }) => sentinels.iter().filter_map(Address::host).collect(),
            Endpoints::Cluster(nodes) => nodes.seeds.iter().filter_map(Address::host).collect(),
        };
        if matches!(options.address, Endpoints::Cluster(_)) && options.database != 0 {
            return Err(UrlError::ClusterDatabase.into());
        }
        if !options.encrypted && !sentinels_encrypted && options.tls != TlsOptions::default() {
            return Err(ConnectError::Tls("redis.tls.* options need a rediss:// URL".to_owned()));
        }
        let tls = |encrypted: bool| encrypted.then(|| Tls::new(&options.tls, &hosts)).transpose();
        let name = options.client_name.clone();
        let name = name.unwrap_or_else(|| format!("flagstone-{:08x}", Jitter::new().bits() >> 32));
        let sockets: Arc<Sockets> = Arc::default();
        let dialer = |tls, credentials, database| Dialer {
            tls,
            login: Login { credentials, database, name: name.clone() },
            command_timeout: options.command_timeout,
            sockets: sockets.clone(),
        };
        let data_dialer = Arc::new(dialer(tls(options.encrypted)?, options.credentials(), options.database));
        let route = match &options.address {
            Endpoints::Fixed(address) => Route::Fixed(address.clone()),
            Endpoints::Cluster(nodes) => {
                Route::Owner(Arc::new(Cluster::new(nodes.clone(), data_dialer.clone(), options.connect_timeout)), 0)
            }
            Endpoints::Sentinel(service) => {
                let SentinelAccess { username, password, .. } = &options.sentinel;
                // Those of the URL for good: whoever changes the others knows nothing of sentinels.
                let of_url = Credentials::new(LoginSource::Options, username.as_deref(), password.as_deref());
                let dialer = dialer(tls(sentinels_encrypted)?, Arc::new(of_url), 0);
                let preference = Preference { read: options.read, zone: options.zone.clone() };
                let sentinels = Sentinels::new(service.clone(), dialer, options.connect_timeout, preference);
                Route::Sentinel(Arc::new(sentinels))
            }
        };
        Ok(Self {
            route,
            dialer: data_dialer,
            connect_timeout: options.connect_timeout,
            resp2_only: options.resp2_only,
            tells_little: Arc::default(),
        })
    }

    /// Opens a connection for commands (RESP2, which every server version speaks). There are proxies that close a connection at
    /// a command that they do not know: after such an end the next attempt tells no more than it must, and so on in turn.
    pub fn open(&self) -> Result<Connection, RedisError> {
        self.open_politely(self.deadline(), None)
    }

    /// The same; from the first packet on it is on the leash.
    pub fn open_on(&self, leash: &Leash) -> Result<Connection, RedisError> {
        self.open_politely(self.deadline(), Some(leash))
    }

    fn open_politely(&self, deadline: Deadline, leash: Option<&Leash>) -> Result<Connection, RedisError> {
        let courtesy = if self.tells_little.load(Relaxed) { Courtesy::None } else { Courtesy::Full };
        let outcome = self.connect((Protocol::Resp2, courtesy), deadline, leash);
        if outcome.as_ref().is_err_and(is_cut) {
            self.tells_little.store(courtesy == Courtesy::Full, Relaxed);
        }
        outcome
    }

    /// Opens a connection by then on which the server may tell something. From the first packet on it is on the leash.
    pub fn open_by(&self, protocol: Protocol, deadline: Deadline, leash: &Leash) -> Result<Connection, RedisError> {
        match protocol {
            Protocol::Resp2 => self.open_politely(deadline, Some(leash)),
            Protocol::Resp3 if self.resp2_only => {
                Err((ErrorKind::RESP3NotSupported, "redis.url says protocol=2").into())
            }
            Protocol::Resp3 => self.connect((Protocol::Resp3, Courtesy::Full), deadline, Some(leash)),
        }
    }

    /// RESP3 is never spoken.
    pub fn is_resp2_only(&self) -> bool {
        self.resp2_only
    }

    /// Longest time to establish a connection.
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// The end of an attempt that begins now.
    pub fn deadline(&self) -> Deadline {
        Deadline::after(self.connect_timeout)
    }

    /// Longest silence while a reply is awaited.
    pub fn command_timeout(&self) -> Duration {
        self.dialer.command_timeout
    }

    /// Number of the database.
    pub fn database(&self) -> i64 {
        self.dialer.login.database
    }

    /// Who logs in.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.dialer.login.credentials
    }

    /// Logs in anew on a connection, between two commands, if something else logs in by now. One that is refused goes on as it is.
    /// `pushed` gets what is told meanwhile.
    pub fn renew_login(&self, connection: &mut Connection, pushed: &mut dyn FnMut(Value)) -> Result<(), RedisError> {
        self.dialer.login.renew(connection, pushed)
    }

    /// Sockets that are open.
    pub fn sockets(&self) -> &Arc<Sockets> {
        &self.dialer.sockets
    }

    /// What may lie behind the end of a connection on which nothing was said at the login: its first command meets what else the
    /// login would have met. Wherever an office is checked or an owner is found, something was said.
    pub fn explain(&self, connection: &Connection, error: RedisError) -> RedisError {
        match &self.route {
            Route::Fixed(address) if !connection.has_answered() => self.dialer.explain(address, error),
            _ => error,
        }
    }

    fn connect(&self, manner: Manner, deadline: Deadline, leash: Option<&Leash>) -> Result<Connection, RedisError> {
        let sentinels = match &self.route {
            Route::Fixed(address) => return self.dialer.dial(address, manner, deadline, leash),
            Route::Sentinel(sentinels) => sentinels,
            Route::Owner(cluster, slot) => return cluster.connect(*slot, manner, deadline, leash),
            Route::Aside(cluster, address) => return cluster.dial(address, manner, deadline, leash),
        };
        // Sentinels that hang leave time for the server that is known from before.
        let mut located = sentinels.locate(deadline.share(2), leash)?;
        self.prefer_zone(&mut located, deadline.share(2), leash);
        let mut failure = None;
        for (position, candidate) in located.candidates.iter().enumerate() {
            let left = u32::try_from(located.candidates.len() - position).unwrap_or(u32::MAX);
            match self.dial_candidate(candidate, manner, deadline.share(left), leash) {
                Ok(connection) => {
                    sentinels.note_place(candidate);
                    sentinels.note_passed_over(failure.as_ref());
                    return Ok(connection);
                }
                Err(error) => failure = Some(error),
            }
        }
        Err(sentinels.note_no_place(&located, failure.unwrap_or_else(|| io::Error::other("no server").into())))
    }

    /// Where another server is chosen and a zone is preferred: the servers are asked in which one they are.
    fn prefer_zone(&self, located: &mut Located, deadline: Deadline, leash: Option<&Leash>) {
        let Some(sentinels) = self.sentinels() else { return };
        sentinels.prefer_zone(located, |address, left| {
            let manner = (Protocol::Resp2, Courtesy::None);
            zone(&mut self.dialer.dial(address, manner, deadline.share(left), leash).ok()?)
        });
    }

    /// A connection to this server, if it is what it must be.
    fn dial_candidate(
        &self,
        candidate: &Candidate,
        manner: Manner,
        deadline: Deadline,
        leash: Option<&Leash>,
    ) -> Result<Connection, RedisError> {
        let address = &candidate.address;
        let mut connection = self.dialer.dial(address, manner, deadline, leash)?;
        let checked = match &candidate.office {
            Office::Primary => check_primary(&mut connection, address).map(drop),
            Office::ReplicaOf(primary) => self.wait_for_replica(&mut connection, address, primary, deadline, leash),
        };
        checked.map_err(|error| self.dialer.explain(address, error))?;
        connection.set_peer(address.clone());
        Ok(connection)
    }

    /// A replica is read from once it has everything that its primary has by now: whoever moves to it sees nothing older.
    fn wait_for_replica(
        &self,
        connection: &mut Connection,
        address: &Address,
        primary: &Address,
        deadline: Deadline,
        leash: Option<&Leash>,
    ) -> Result<(), RedisError> {
        check_replica(connection, address, primary)?;
        let manner = (Protocol::Resp2, Courtesy::None);
        let mut at_primary = self.dialer.dial(primary, manner, deadline, leash)?;
        let written = check_primary(&mut at_primary, primary)?;
        // From here on nothing is waited for at the primary.
        drop(at_primary);
        while check_replica(connection, address, primary)? < written {
            if deadline.is_over() {
                return Err(elsewhere(format!("{address} is a replica that does not keep up")));
            }
            // The connection is on the leash, so that a pull of it ends this at the next question.
            std::thread::sleep(CATCH_UP);
        }
        Ok(())
    }

    /// Finds a server that connections may lead to, and remembers it.
    pub fn settle(&self, leash: &Leash) -> Result<(), RedisError> {
        self.connect((Protocol::Resp2, Courtesy::None), self.deadline(), Some(leash)).map(drop)
    }

    /// Whether there is a server in the preferred zone that connections may lead to.
    pub fn has_nearer(&self, word: &Word, leash: &Leash) -> bool {
        let Some(sentinels) = self.sentinels() else { return false };
        sentinels.others_than_place(word).iter().any(|candidate| {
            let found = self.look_at(candidate, leash).ok().and_then(|mut connection| zone(&mut connection));
            found.is_some() && found.as_deref() == sentinels.zone()
        })
    }

    /// A connection to this server for looking at it now and then, if it is what it must be.
    pub fn look_at(&self, candidate: &Candidate, leash: &Leash) -> Result<Connection, RedisError> {
        self.dial_candidate(candidate, (Protocol::Resp2, Courtesy::Full), self.deadline(), Some(leash))
    }
}
