//! The mark by which somebody recognises a context that he has seen. Depends on nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that may change although everything else of a context does not.
#[derive(Debug, Default)]
pub(super) struct Seen(AtomicU64);

impl Seen {
    #[inline]
    pub(super) fn is(&self, mark: u64) -> bool {
        self.0.load(Relaxed) == mark
    }

    pub(super) fn mark(&self, mark: u64) {
        self.0.store(mark, Relaxed);
    }
}

impl Clone for Seen {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Relaxed)))
    }
}
