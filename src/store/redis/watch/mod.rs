//! The watch: a connection of its own on which Redis tells that something changed. One file a rung; the ladder owns their
//! order. A watch only tells; what is done about it is the store thread's work.

mod ladder;
mod spread;
mod tracking;

use std::time::Duration;

use redis::RedisError;

use super::class::{Class, class};
use super::connector::describe;
use super::wire::Socket;
use crate::store::signal::Signal;

pub use ladder::{Armed, Ladder};
pub use spread::arm;

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
            Class::Refused if !is_login(error) => Self::Refused(describe(error)),
            _ => Self::Lost(describe(error)),
        }
    }
}

/// A login that fails today may succeed in a second: passwords are changed on one side first.
fn is_login(error: &RedisError) -> bool {
    error.kind() == redis::ErrorKind::AuthenticationFailed || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
}

/// A rung of the ladder, armed: everything that happens from now on is told.
pub trait Watch {
    /// The next thing told; `None` when nothing was within `wait`.
    fn next(&mut self, wait: Duration) -> Result<Option<Signal>, WatchError>;

    /// Asks for a sign of life and hands out what was told before it came: afterwards everything earlier has been told.
    fn drain(&mut self, timeout: Duration, told: &mut dyn FnMut(Signal)) -> Result<(), WatchError>;

    /// Where something arrives when the server tells something, or closes.
    fn sockets(&mut self) -> Vec<&Socket>;

    /// Which server tells, where it says so.
    fn server(&self) -> Option<&str>;
}
