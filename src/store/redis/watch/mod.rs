//! The watch: a connection of its own on which Redis tells that something changed. One file a rung; the ladder owns their
//! order. A watch only tells; what is done about it is the store thread's work.

mod ladder;
mod tracking;

use std::time::Duration;

use redis::RedisError;

use super::class::{Class, class};
use super::connector::{Connector, describe};
use crate::store::signal::Signal;

pub use ladder::{Armed, Ladder};

/// Why there is no watch.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The server said that it cannot or may not do it, which waiting does not mend.
    #[error("{0}")]
    Refused(String),
    /// It cannot be made now, or broke.
    #[error("{0}")]
    Lost(String),
}

impl WatchError {
    fn of(error: &RedisError) -> Self {
        match class(error) {
            Class::Refused => Self::Refused(describe(error)),
            // A login that fails today may succeed in a second: passwords are changed on one side first.
            _ => Self::Lost(describe(error)),
        }
    }
}

/// A rung of the ladder, armed: everything that happens from now on is told.
pub trait Watch {
    /// The next thing told; `None` when nothing was within `wait`.
    fn next(&mut self, wait: Duration) -> Result<Option<Signal>, WatchError>;

    /// Asks for a sign of life and hands out what was told before it came: afterwards everything earlier has been told.
    fn drain(&mut self, timeout: Duration, told: &mut dyn FnMut(Signal)) -> Result<(), WatchError>;

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
}
