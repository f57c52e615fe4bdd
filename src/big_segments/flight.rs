//! A question to the store that is under way, for the threads that want the same answer. Depends on `sync` of `model`.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::lock;

/// One question to the store.
#[derive(Debug)]
pub struct Flight<T> {
    outcome: Mutex<Option<Result<T, ()>>>,
    landed: Condvar,
    /// When it was asked.
    pub began: Instant,
    /// The store said meanwhile that the answer may be another by now: it is handed out and not remembered.
    superseded: AtomicBool,
}

impl<T: Clone> Flight<T> {
    /// Begins now.
    pub fn new() -> Self {
        Self {
            outcome: Mutex::new(None),
            landed: Condvar::new(),
            began: Instant::now(),
            superseded: AtomicBool::new(false),
        }
    }

    /// Gives the outcome to all who wait. The first one counts.
    pub fn land(&self, outcome: Result<T, ()>) {
        lock(&self.outcome).get_or_insert(outcome);
        self.landed.notify_all();
    }

    /// Waits until the outcome is there, at most until `deadline`, and not for one that is overdue: whoever asks late does not
    /// wait anew for a store that hangs.
    pub fn wait(&self, deadline: Instant, patience: Duration) -> Option<Result<T, ()>> {
        let left = deadline.min(self.began + patience).saturating_duration_since(Instant::now());
        let landed = self.landed.wait_timeout_while(lock(&self.outcome), left, |outcome| outcome.is_none());
        landed.unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// The answer may be another by now.
    pub fn supersede(&self) {
        self.superseded.store(true, Relaxed);
    }

    /// Whether the answer may be another by now.
    pub fn is_superseded(&self) -> bool {
        self.superseded.load(Relaxed)
    }
}
