//! Listeners: whoever asks hears when the value of a flag changes for a context.
//!
//! Values are compared on the thread that polls notifications, so that no thread of the client ever waits for an evaluation. It
//! evaluates without a lock: what a listener was told last lies in a cell that one poller replaces and all others then look at
//! anew, so that values come in order, each once. These evaluations leave no events and no counts. May depend on `store`, `eval`,
//! `context`, `model`.

mod look;
mod polling;
pub(super) mod registry;
mod tree;
mod value;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::{Client, ClientError};
use crate::context::Context;
use registry::{Listener, Registry};
use value::Memo;

/// What a client knows of its listeners. Only atomics and lock-free cells: it outlives a fork.
#[derive(Debug, Default)]
pub struct Listening {
    registry: Registry,
    /// The host has said that it acts upon changes of flags.
    subscribed: AtomicBool,
    /// An evaluation failed, and its listener keeps an old value.
    owes: AtomicBool,
    /// An evaluation found that nothing answers yet.
    is_early: AtomicBool,
    /// When all listeners are to be looked after next, where nobody tells of every change.
    next_look: AtomicU64,
}

/// Listeners that are to be looked after, by one poller at a time.
#[derive(Debug, Default)]
pub struct Round {
    left: std::vec::IntoIter<Arc<Listener>>,
    /// Nobody told of a change: looking for one is not urgent.
    is_unasked: bool,
    /// The store does not answer: what would have to wait for it is left for later.
    is_hasty: bool,
    memo: Memo,
}

impl Round {
    fn new(listeners: Vec<Arc<Listener>>) -> Self {
        Self { left: listeners.into_iter(), ..Self::default() }
    }

    fn unasked(listeners: Vec<Arc<Listener>>) -> Self {
        Self { is_unasked: true, ..Self::new(listeners) }
    }

    /// Nobody told of a change: everything else comes first.
    pub fn is_unasked(&self) -> bool {
        self.is_unasked
    }

    /// Nobody is left to be looked after.
    pub fn is_over(&self) -> bool {
        self.left.len() == 0
    }
}

impl Client {
    /// From now on [`Client::poll`] tells when the value of the flag `key` changes for `context`, under the number that is
    /// returned. The present value is the first one that others are compared with.
    ///
    /// Residency `all`: no I/O, apart from big segments. Otherwise a key that is not held waits for Redis at most one command
    /// timeout. A flag that does not exist, and one that cannot be read yet, has no value.
    pub fn listen(&self, key: &str, context: &Context) -> Result<u64, ClientError> {
        if self.is_closed() {
            return Err(ClientError::Closed);
        }
        let runtime = self.current();
        let is_first = self.listening.registry.is_empty();
        // Entered before it is evaluated: a change that comes in between must not find nobody.
        let listener = self.listening.registry.add(key, context);
        self.hear_flag_changes_for(true);
        self.begin(&listener);
        if is_first {
            // Whoever polls already does not know yet that it may have to look by itself now and then.
            runtime.notifications.call_round();
        }
        Ok(listener.id)
    }

    /// Ends it; false when there is no such listener. A notification that another thread is taking at this moment may still
    /// come, none that is taken later.
    pub fn unlisten(&self, listener: u64) -> Result<bool, ClientError> {
        if self.is_closed() {
            return Err(ClientError::Closed);
        }
        let was_there = self.listening.registry.remove(listener);
        if was_there {
            self.hear_flag_changes_for(false);
        }
        Ok(was_there)
    }

    /// The host acts upon changes of flags, or does not any more: whoever does hears of all of them soon.
    pub fn hear_flag_changes(&self, hears: bool) {
        if self.listening.subscribed.swap(hears, Relaxed) != hears {
            self.hear_flag_changes_for(hears);
        }
    }

    /// One more, or one less, for whom changes of flags matter.
    fn hear_flag_changes_for(&self, hears: bool) {
        if self.plant.shared.hear_flag_changes(hears) {
            self.current().mailbox.wake();
        }
    }
}

#[cfg(test)]
mod tests;
