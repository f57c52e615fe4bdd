//! What a server, or the rules for our user, let us do. Everything is tried once and given up when it is refused, so that a
//! user who may do no more than HGETALL gets flags. Depends on the error class.

use redis::{RedisError, ServerErrorKind};

use super::class::{Class, class};

/// A command that reads can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Optional {
    /// Several reads at one moment.
    Multi,
    /// Several fields in one command.
    Hmget,
    /// The number of fields.
    Hlen,
    /// Whether the marker is there.
    Exists,
    /// A hash in steps.
    Hscan,
}

/// What has not been refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct Abilities {
    refused: [bool; 5],
}

impl Abilities {
    /// Whether the command may be tried.
    pub fn has(&self, command: Optional) -> bool {
        !self.refused.get(command as usize).copied().unwrap_or(false)
    }

    /// The command is given up; false when it was before.
    pub fn give_up(&mut self, command: Optional) -> bool {
        self.refused.get_mut(command as usize).is_some_and(|refused| !std::mem::replace(refused, true))
    }
}

/// Whether the server said of this very command that it does not do it, or not for us, or not now that its memory is full.
pub fn refuses(error: &RedisError) -> bool {
    // An aborted transaction does not tell which of its commands was refused; the transaction is what can be given up.
    error.kind() == redis::ErrorKind::Server(ServerErrorKind::ExecAbort)
        || is_denied(error)
        || matches!(class(error), Class::Full)
}

/// The command is unknown to the server, or forbidden to this user.
pub fn is_denied(error: &RedisError) -> bool {
    if error.code() == Some("NOPERM") {
        return true;
    }
    let detail = error.detail().unwrap_or_default();
    detail.contains("unknown command") || detail.contains("unknown subcommand") || detail.contains("not supported")
}
