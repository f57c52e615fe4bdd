//! The watch: connections of its own on which Redis tells that something changed. One file a rung; the ladder owns their
//! order. A watch only tells; what is done about it is the store thread's work.

mod classes;
mod fields;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod keyspace;
mod ladder;
mod line;
mod redirect;
mod spread;
mod tracking;
mod watched;

use std::io;
use std::time::Duration;

use redis::RedisError;

use super::class::{Class, class};
use super::connector::{Connector, describe};
use super::describe::io_error;
use super::wire::{Deadline, Socket};
use crate::store::leash::Leash;
use crate::store::rungs::Fate;
use crate::store::signal::Signal;

pub use ladder::{Armed, Climbed, Ladder, Unarmed};
pub use spread::{Renewed, Watches};
pub use watched::Watched;

/// Why there is no watch.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The server said that it cannot or may not do it, which waiting does not mend.
    #[error("{0}")]
    Refused(String),
    /// The server closed, or did not answer: it may be a command that it does not know.
    #[error("{0}")]
    Unanswered(String),
    /// It cannot be made now, or broke.
    #[error("{0}")]
    Lost(String),
}

impl WatchError {
    fn of(error: &RedisError) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        match class(error) {
            Class::Refused => Self::Refused(describe(error)),
            // A login that fails today may succeed in a second: passwords are changed on one side first.
            Class::Login => Self::Lost(describe(error)),
            _ if error.is_timeout() => Self::Unanswered(describe(error)),
            _ => match io_error(error).map(io::Error::kind) {
                Some(BrokenPipe | ConnectionReset | UnexpectedEof) => Self::Unanswered(describe(error)),
                _ => Self::Lost(describe(error)),
            },
        }
    }

    fn fate(&self) -> Fate {
        match self {
            Self::Refused(reason) => Fate::Refused(reason.clone()),
            Self::Unanswered(reason) | Self::Lost(reason) => Fate::Lost(reason.clone()),
        }
    }
}

/// A rung of the ladder, armed: everything that happens from now on is told.
pub trait Watch {
    /// The next thing told; `None` when nothing was within `wait`.
    fn next(&mut self, wait: Duration) -> Result<Option<Signal>, WatchError>;

    /// Asks for a sign of life and hands out what was told before it came: afterwards everything earlier has been told.
    fn drain(&mut self, timeout: Duration, told: &mut dyn FnMut(Signal)) -> Result<(), WatchError>;

    /// Where something arrives when the server tells something, or closes.
    fn sockets(&mut self) -> Vec<&Socket>;

    /// The number of what has logged in, on the connection that has done so first.
    fn login(&self) -> u64;

    /// Something else logs in by now: does so where the watch is, and hands out what is told meanwhile. False where that is not
    /// possible, as on a connection of RESP2 that is subscribed: the watch has to be made anew.
    fn renew_login(
        &mut self,
        _connector: &Connector,
        _timeout: Duration,
        _told: &mut dyn FnMut(Signal),
    ) -> Result<bool, WatchError> {
        Ok(false)
    }

    /// Which server tells, where it says so.
    fn server(&self) -> Option<&str>;

    /// From here on it is what the leash holds.
    fn tie(&mut self, leash: &Leash) -> Result<(), WatchError>;

    /// Whether the server may be one that can name the fields that changed on this connection.
    fn may_name_fields(&self) -> bool {
        false
    }

    /// Has the fields named that changed, by then; whether it did so before or not. After a refusal it goes on without.
    fn name_fields(&mut self, _deadline: Deadline, _assumes: bool) -> Result<(), WatchError> {
        Err(WatchError::Refused("fields are not named on this connection".to_owned()))
    }
}
