//! Why a client does not do what it was asked for. May depend on `store` and `http`.

use super::atfork::AtForkError;
use crate::http::HttpError;
use crate::store::{ConnectError, CredentialsError};

/// Why a client could not be made or started.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Options that do not work together, or files that cannot be read.
    #[error(transparent)]
    Options(#[from] ConnectError),
    /// Options of the data source that cannot be used.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The fork guard could not be set up.
    #[error(transparent)]
    AtFork(#[from] AtForkError),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
    /// The data source is off for good.
    #[error("the data source is off: {0}")]
    NotReady(String),
    /// Credentials for Redis that cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// There is no Redis to log in at.
    #[error("this client uses no Redis, so nobody logs in")]
    NoRedis,
    /// The secure mode hash needs the SDK key.
    #[error("option sdk.key is not set")]
    NoSdkKey,
    /// The time was over before the client was ready; it goes on trying.
    #[error("not ready within {0} ms: {1}")]
    Timeout(u128, String),
}
