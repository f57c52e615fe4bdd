//! Opens connections to the Redis that options name: to an address, or to the primary that sentinels name at that moment.
//!
//! Depends on `endpoints`, `dialer`, `sentinel`, `tls`, `sockets` and `url`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use redis::{ErrorKind, RedisError, Value};

pub use super::describe::describe;

use super::class::{elsewhere, is_cut};
use super::connection::Connection;
use super::credentials::{Credentials, LoginSource};
use super::dialer::Dialer;
use super::endpoints::{Address, Endpoints, ReadFrom, SentinelTls, Service};
use super::login::{Courtesy, Login, Protocol};
use super::role::{check_primary, check_replica};
use super::sentinel::{Candidate, Located, Office, Preference, Sentinels, Word};
use super::server::zone;
use super::sockets::Sockets;
use super::tls::{Tls, TlsOptions};
use super::url::{RedisUrl, SentinelAccess, UrlError};
use super::whereabouts::Whereabouts;
use super::wire::Deadline;
use crate::model::Jitter;
use crate::store::leash::Leash;

/// Time-out of connecting and of commands when nothing is configured.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a replica that lacks something is left to itself.
const CATCH_UP: Duration = Duration::from_millis(10);

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

/// How the server is found at each connect.
#[derive(Debug)]
enum Route {
    /// It is always at the same address.
    Fixed(Address),
    /// Sentinels know where it is.
    Sentinel(Box<Sentinels>),
}

/// What is spoken, and how much is told.
type Manner = (Protocol, Courtesy);

/// Makes connections.
#[derive(Debug)]
pub struct Connector {
    route: Route,
    dialer: Dialer,
    connect_timeout: Duration,
    resp2_only: bool,
    /// The server closes a connection on which it is told who is there.
    tells_little: AtomicBool,
}

impl Connector {
    /// Checks the options and the certificate files; opens nothing yet. Where there are sentinels, somebody is to listen to them.
    pub fn new(options: &RedisOptions) -> Result<Self, ConnectError> {
        let sentinels_encrypted = match (&options.address, options.sentinel.tls) {
            (Endpoints::Fixed(_), _) | (_, SentinelTls::No) => false,
            (_, SentinelTls::Yes) => true,
            (_, SentinelTls::Same) => options.encrypted,
        };
        let hosts: Vec<&str> = match &options.address {
            Endpoints::Fixed(address) => address.host().into_iter().collect(),
            Endpoints::Sentinel(Service { sentinels, .. }) => sentinels.iter().filter_map(Address::host).collect(),
        };
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
        let route = match &options.address {
            Endpoints::Fixed(address) => Route::Fixed(address.clone()),
            Endpoints::Sentinel(service) => {
                let SentinelAccess { username, password, .. } = &options.sentinel;
                // Those of the URL for good: whoever changes the others knows nothing of sentinels.
                let of_url = Credentials::new(LoginSource::Options, username.as_deref(), password.as_deref());
                let dialer = dialer(tls(sentinels_encrypted)?, Arc::new(of_url), 0);
                let preference = Preference { read: options.read, zone: options.zone.clone() };
                let sentinels = Sentinels::new(service.clone(), dialer, options.connect_timeout, preference);
                Route::Sentinel(Box::new(sentinels))
            }
        };
        Ok(Self {
            route,
            dialer: dialer(tls(options.encrypted)?, options.credentials(), options.database),
            connect_timeout: options.connect_timeout,
            resp2_only: options.resp2_only,
            tells_little: AtomicBool::new(false),
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

    /// Where Redis is, for people: without user and password.
    pub fn address(&self) -> String {
        match &self.route {
            Route::Fixed(address) => address.to_string(),
            Route::Sentinel(sentinels) => sentinels.service().to_string(),
        }
    }

    /// Who knows where the primary is; `None` where Redis is always at the same address.
    pub fn sentinels(&self) -> Option<&Sentinels> {
        match &self.route {
            Route::Fixed(_) => None,
            Route::Sentinel(sentinels) => Some(sentinels),
        }
    }

    /// Where Redis is at present, for the status.
    pub fn whereabouts(&self) -> Whereabouts {
        match &self.route {
            Route::Fixed(address) => Whereabouts::standalone(address),
            Route::Sentinel(sentinels) => sentinels.whereabouts(),
        }
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

    fn connect(&self, manner: Manner, deadline: Deadline, leash: Option<&Leash>) -> Result<Connection, RedisError> {
        let sentinels = match &self.route {
            Route::Fixed(address) => return self.dialer.dial(address, manner, deadline, leash),
            Route::Sentinel(sentinels) => sentinels,
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
        while check_replica(connection, address, primary)? < written {
            if deadline.is_over() {
                return Err(elsewhere(format!("{address} is a replica that does not keep up")));
            }
            std::thread::sleep(CATCH_UP);
        }
        // The other connection has taken its place.
        leash.map_or(Ok(()), |leash| connection.tie(leash))
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
