//! How the desk behaves. Plain data, filled by the client's configuration.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Options of a desk.
#[derive(Debug, Clone, Copy)]
pub struct DeskOptions {
    /// Most contexts that are remembered.
    pub cache_size: NonZeroUsize,
    /// How long one is.
    pub cache_time: Duration,
    /// How old the store may be before it counts as stale.
    pub stale_after: Duration,
    /// Longest wait for an answer that another thread asked for.
    pub patience: Duration,
    /// Whose desk it is: also that of a forked child, which makes a new one.
    pub owner: Owner,
}

/// A client that has desks: one in each process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(u64);

impl Owner {
    /// One that there was not before.
    pub fn another() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Relaxed))
    }
}
