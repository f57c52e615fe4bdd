//! Tokens with which a process that has an identity at AWS logs in at ElastiCache or MemoryDB, without AWS's own libraries.
//!
//! A token is a signed URL that nobody fetches: the server checks the signature. It is good for 15 minutes. The identity comes from
//! where AWS's own libraries look first: the environment, a web identity, the container, the instance. Files with profiles are not
//! read. Depends on `model`; errors never tell a secret.

mod chain;
mod environment;
mod error;
mod fetch;
mod identity;
mod places;
mod signature;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

pub use environment::Environment;
pub use error::AwsError;
pub use fetch::Errand;

use identity::Identity;
use signature::{Moment, Place, presign};

/// How long a token is good for.
const LIFE: Duration = Duration::from_secs(900);
/// An identity that has no more time left is fetched anew, and used on where that fails.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);

/// What makes the name of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// ElastiCache.
    ElastiCache,
    /// MemoryDB.
    MemoryDb,
}

/// Where who logs in.
#[derive(Debug, Clone)]
pub struct AwsOptions {
    /// Such as `eu-central-1`.
    pub region: String,
    /// What the cluster belongs to.
    pub service: Service,
    /// Its name.
    pub cluster: String,
    /// It is a serverless cache.
    pub serverless: bool,
    /// Who logs in.
    pub user: String,
    /// Where the identity is looked for.
    pub environment: Environment,
}

/// A token, and how long it is good for.
pub struct Token {
    /// The password.
    pub text: Zeroizing<String>,
    /// From now on.
    pub life: Duration,
}

/// Makes tokens. Belongs to one thread.
pub struct Tokens<'a> {
    options: &'a AwsOptions,
    errand: &'a Errand,
    identity: Option<Identity>,
}

impl<'a> Tokens<'a> {
    /// Fetches nothing yet.
    pub fn new(options: &'a AwsOptions, errand: &'a Errand) -> Self {
        Self { options, errand, identity: None }
    }

    /// A new token.
    pub fn make(&mut self) -> Result<Token, AwsError> {
        let now = SystemTime::now();
        let left = self.identity.as_ref().and_then(|identity| identity.left(now));
        if self.identity.is_none() || left.is_some_and(|left| left < RENEWED_BEFORE) {
            match chain::fetch(self.options, self.errand) {
                Ok(identity) => self.identity = Some(identity),
                // The old one is good for a while.
                Err(_) if left.is_some_and(|left| !left.is_zero()) => {}
                Err(error) => return Err(error),
            }
        }
        let identity = self.identity.as_ref().ok_or(AwsError::None)?;
        let life = identity.left(now).map_or(LIFE, |left| left.min(LIFE));
        Ok(Token { text: token(self.options, identity, now), life })
    }

    /// The identity is fetched anew for the next token: a server has refused what it signed.
    pub fn forget_identity(&mut self) {
        self.identity = None;
    }
}

/// The signed URL, without its scheme.
fn token(options: &AwsOptions, identity: &Identity, now: SystemTime) -> Zeroizing<String> {
    let service = match options.service {
        Service::ElastiCache => "elasticache",
        Service::MemoryDb => "memorydb",
    };
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let place = Place { host: &options.cluster, path: "/", region: &options.region, service };
    let mut query = vec![("Action", "connect"), ("User", options.user.as_str())];
    if options.serverless {
        query.push(("ResourceType", "ServerlessCache"));
    }
    let query = presign(&place, &query, identity, Moment::at(seconds), (LIFE.as_secs(), signature::NO_CONTENT));
    Zeroizing::new(format!("{}/?{}", options.cluster, *query))
}

#[cfg(test)]
mod tests;
