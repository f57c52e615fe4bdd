//! What ends a command early, and the exit statuses.

use std::io::{self, Write as _};
use std::process::ExitCode;

use flagstone::client::{ClientError, ConfigError};
use flagstone::store::{ConnectError, DepotError};

use crate::output::{Output, plain};

/// What a command that came to its end found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to look at.
    Fine,
    /// Data that differ, items that are bad.
    Found,
}

/// Why a command came to no end.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line, a context or an option makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Redis or a file cannot be read or written.
    #[error("{0}")]
    Away(String),
    /// What was agreed to is not what there is any more.
    #[error("{0}")]
    Changed(String),
    /// There is no such flag, or there are no flags at all.
    #[error("{0}")]
    Missing(String),
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    fn status(&self) -> u8 {
        match self {
            // Whoever reads has seen enough, as in `flagstone flags | head`.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Changed(_) => 1,
            Self::Usage(_) => 2,
            Self::Away(_) | Self::Output(_) => 3,
            Self::Missing(_) => 4,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Options(error) => error.into(),
            other => Self::Away(other.to_string()),
        }
    }
}

impl From<DepotError> for Failure {
    fn from(error: DepotError) -> Self {
        Self::Away(error.to_string())
    }
}

/// Says what went wrong, if anything did.
pub fn status(outcome: Result<Verdict, Failure>, output: &Output) -> ExitCode {
    match outcome {
        Ok(Verdict::Fine) => ExitCode::SUCCESS,
        Ok(Verdict::Found) => ExitCode::from(1),
        Err(failure) => {
            let status = failure.status();
            if status != 0 {
                let message = failure.to_string();
                // Nobody is left to tell when standard error is closed, too.
                let _ = writeln!(io::stderr(), "{} {}", output.alarm("flagstone:"), plain(&message));
            }
            ExitCode::from(status)
        }
    }
}
