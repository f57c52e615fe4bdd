//! A read that host threads wait for. Depends on `model`.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::model::lock;
use crate::store::memory::cache::Held;

/// One read that host threads wait for.
#[derive(Debug)]
pub struct Flight<T = Held> {
    outcome: Mutex<Option<Result<T, ()>>>,
    landed: Condvar,
}

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self { outcome: Mutex::new(None), landed: Condvar::new() }
    }
}

impl<T: Clone> Flight<T> {
    /// Gives the outcome to all who wait; `Err` when Redis could not be asked.
    pub fn land(&self, outcome: Result<T, ()>) {
        *lock(&self.outcome) = Some(outcome);
        self.landed.notify_all();
    }

    /// Waits until the outcome is there, at most until `deadline`.
    pub fn wait(&self, deadline: Instant) -> Option<Result<T, ()>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let landed = self.landed.wait_timeout_while(lock(&self.outcome), left, |outcome| outcome.is_none());
        landed.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}
