//! Who logs in: one cell for all connections of a client that log in alike. Whoever makes a connection takes what is in it at
//! that moment; whoever keeps one asks by number whether that has changed since. What servers said of it is noted here.
//!
//! Atomics and lock-free cells only, because it outlives a fork. Depends on `from_file` and `connector` (the options).

mod from_file;
mod glance;
mod password_file;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use redis::RedisError;
use zeroize::Zeroizing;

use glance::Glance;

use super::class::no_login;
use super::connector::RedisOptions;

/// Longest name of a user, in bytes.
const LONGEST_USER: usize = 1_024;
/// Longest password, in bytes: tokens are some thousand.
const LONGEST_PASSWORD: usize = 65_536;

/// Where passwords come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginSource {
    /// From the options; the host may set others at any time.
    Options,
    /// From the host alone, which is asked for them.
    Host,
    /// From a file, which is read again at each connect and now and then.
    File(PathBuf),
    /// From the identity that this process has at AWS.
    AwsIam,
}

impl LoginSource {
    /// As in the status.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Options => "static",
            Self::Host => "host",
            Self::File(_) => "file",
            Self::AwsIam => "aws-iam",
        }
    }
}

/// Why credentials cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// An empty password is none.
    #[error("the password is empty")]
    Empty,
    /// No server takes it.
    #[error("{what} has more than {most} bytes")]
    TooLong {
        /// The user or the password.
        what: &'static str,
        /// Most bytes of it.
        most: usize,
    },
    /// It was meant to end there.
    #[error("{0} has a NUL byte")]
    Nul(&'static str),
    /// Somebody else knows who logs in.
    #[error("{0} says who logs in, so the host cannot")]
    NotTheHosts(&'static str),
}

/// What logs in.
pub struct Grant {
    /// Differs from that of every other grant of the cell.
    pub number: u64,
    /// The user; `None`: the default user.
    pub user: Option<String>,
    /// Its password; `None`: nobody logs in.
    pub password: Option<Zeroizing<String>>,
    since: Instant,
    valid_for: Option<Duration>,
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Grant").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Grant {
    /// How long it is still good for, as far as is known.
    pub fn left(&self) -> Option<Duration> {
        self.valid_for.map(|life| life.saturating_sub(self.since.elapsed()))
    }

    /// When this part of its life is over; `None` where no end is known.
    pub fn after_share(&self, share: f64) -> Option<Instant> {
        self.since.checked_add(self.valid_for?.mul_f64(share))
    }
}

/// How the login fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginState {
    /// A server took it.
    Ok,
    /// No server has seen it yet.
    Untried,
    /// Its time is over.
    Expired,
    /// The server refused it.
    Refused,
    /// There is nothing to log in with yet.
    Missing,
}

impl LoginState {
    /// As in the status.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Untried => "untried",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Missing => "missing",
        }
    }
}

/// A server refused a login.
#[derive(Debug)]
struct Refusal {
    number: u64,
    text: String,
}

/// Who logs in now, and how that fares.
pub struct Credentials {
    source: LoginSource,
    /// The user that the options name.
    user: Option<String>,
    present: ArcSwapOption<Grant>,
    numbers: AtomicU64,
    /// The latest that a server took.
    accepted: AtomicU64,
    refusal: ArcSwapOption<Refusal>,
    /// Why no others could be had.
    trouble: ArcSwapOption<String>,
    /// How the file is looked at.
    glance: Glance,
}

impl RedisOptions {
    /// Who logs in, in a cell of its own.
    pub fn credentials(&self) -> Arc<Credentials> {
        Arc::new(Credentials::new(self.login.clone(), self.username.as_deref(), self.password.as_deref()))
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").field("source", &self.source.name()).finish_non_exhaustive()
    }
}

impl Credentials {
    /// What the options say; `password` counts where they are the source.
    pub fn new(source: LoginSource, user: Option<&str>, password: Option<&str>) -> Self {
        let user = user.map(str::to_owned);
        let credentials = Self {
            source,
            user: user.clone(),
            present: ArcSwapOption::empty(),
            numbers: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            refusal: ArcSwapOption::empty(),
            trouble: ArcSwapOption::empty(),
            glance: Glance::default(),
        };
        if credentials.source == LoginSource::Options {
            credentials.put(user, password.map(|password| Zeroizing::new(password.to_owned())), None);
        }
        credentials
    }

    /// Where passwords come from.
    pub fn source(&self) -> &LoginSource {
        &self.source
    }

    /// The user that logs in, or will; `None`: the default user.
    pub fn user(&self) -> Option<String> {
        self.present.load().as_ref().map_or_else(|| self.user.clone(), |grant| grant.user.clone())
    }

    /// What the host says. From now on new connections use it.
    pub fn set_by_host(
        &self,
        user: Option<&str>,
        password: &str,
        valid_for: Option<Duration>,
    ) -> Result<(), CredentialsError> {
        match self.source {
            LoginSource::Options | LoginSource::Host => self.set(user, password, valid_for),
            LoginSource::File(_) => Err(CredentialsError::NotTheHosts("redis.password_file")),
            LoginSource::AwsIam => Err(CredentialsError::NotTheHosts("redis.credentials=aws-iam")),
        }
    }

    /// The same, by whoever the source is.
    pub fn set(&self, user: Option<&str>, password: &str, valid_for: Option<Duration>) -> Result<(), CredentialsError> {
        check("the user", user.unwrap_or_default(), LONGEST_USER)?;
        check("the password", password, LONGEST_PASSWORD)?;
        if password.is_empty() {
            return Err(CredentialsError::Empty);
        }
        self.put(user.map(str::to_owned), Some(Zeroizing::new(password.to_owned())), valid_for);
        self.set_trouble(None);
        Ok(())
    }

    fn put(&self, user: Option<String>, password: Option<Zeroizing<String>>, valid_for: Option<Duration>) {
        let number = self.numbers.fetch_add(1, Relaxed) + 1;
        let grant = Grant { number, user, password, since: Instant::now(), valid_for };
        self.present.store(Some(Arc::new(grant)));
    }

    /// Changes with what logs in; 0 while there is nothing to log in with.
    pub fn number(&self) -> u64 {
        self.present.load().as_ref().map_or(0, |grant| grant.number)
    }

    /// What logs in now; `None` while there is nothing.
    pub fn present(&self) -> Option<Arc<Grant>> {
        self.present.load_full()
    }

    /// What a new connection logs in with. A file is read for it.
    pub fn for_connect(self: &Arc<Self>) -> Result<Arc<Grant>, RedisError> {
        self.look_at_file();
        self.present().ok_or_else(|| no_login(self.why_missing()))
    }

    /// Whether there is nothing to log in with, which whoever the source is will change.
    pub fn is_missing(&self) -> bool {
        self.number() == 0 && !matches!(self.source, LoginSource::File(_))
    }

    /// Why there is nothing to log in with.
    pub fn why_missing(&self) -> String {
        match (self.trouble(), &self.source) {
            (Some(trouble), _) => (*trouble).clone(),
            (None, LoginSource::AwsIam) => "AWS has not told yet who logs in (redis.credentials=aws-iam)".to_owned(),
            (None, _) => "the host has not set credentials yet (redis.credentials=host)".to_owned(),
        }
    }

    /// A server took this one.
    pub fn note_accepted(&self, number: u64) {
        self.accepted.fetch_max(number, Relaxed);
        self.refusal.rcu(|known| known.clone().filter(|refusal| refusal.number > number));
    }

    /// A server refused this one, and said this. What is said late of an older one changes nothing.
    pub fn note_refused(&self, number: u64, text: &str) {
        let refusal = Arc::new(Refusal { number, text: text.to_owned() });
        self.refusal.rcu(|known| {
            let newer = known.clone().filter(|known| known.number > number);
            newer.or_else(|| Some(refusal.clone()))
        });
    }

    /// Why a server refused what logs in now, with its number.
    pub fn refusal(&self) -> Option<(u64, String)> {
        let refusal = self.refusal.load();
        let refusal = refusal.as_ref().filter(|refusal| refusal.number == self.number())?;
        Some((refusal.number, refusal.text.clone()))
    }

    /// Why no others could be had, while they cannot.
    pub fn trouble(&self) -> Option<Arc<String>> {
        self.trouble.load_full()
    }

    /// No others could be had, or they could again.
    pub fn set_trouble(&self, trouble: Option<String>) {
        if self.trouble.load().as_ref().map(|known| known.as_str()) != trouble.as_deref() {
            self.trouble.store(trouble.map(Arc::new));
        }
    }

    /// How the login fares, and what is wrong.
    pub fn state(&self) -> (LoginState, Option<String>) {
        let trouble = || self.trouble().map(|trouble| (*trouble).clone());
        let Some(grant) = self.present() else { return (LoginState::Missing, Some(self.why_missing())) };
        match self.refusal() {
            Some((_, text)) => (LoginState::Refused, Some(text)),
            None if grant.left() == Some(Duration::ZERO) => (LoginState::Expired, trouble()),
            None if self.accepted.load(Relaxed) < grant.number => (LoginState::Untried, trouble()),
            None => (LoginState::Ok, trouble()),
        }
    }
}

fn check(what: &'static str, text: &str, most: usize) -> Result<(), CredentialsError> {
    match text.contains('\0') {
        true => Err(CredentialsError::Nul(what)),
        false if text.len() > most => Err(CredentialsError::TooLong { what, most }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
