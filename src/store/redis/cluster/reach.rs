//! Which nodes could not be reached when they were tried last, and since when nobody could who owns keys. Atomics and lock-free
//! cells only, because it outlives a fork. Depends on `endpoints`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;

use super::super::endpoints::Address;
use crate::store::status::monotonic_ms;

/// An owner that nobody reaches for so long does not come back by itself.
const PATIENCE_MS: u64 = 30_000;

/// What became of attempts to reach nodes.
#[derive(Debug, Default)]
pub struct Reach {
    lost: ArcSwap<Vec<Address>>,
    /// Since when no owner was reached; 0 when the latest attempt did.
    failing_since: AtomicU64,
}

impl Reach {
    /// A node was tried.
    pub fn note(&self, address: &Address, is_reached: bool) {
        if self.has(address) != is_reached {
            self.lost.rcu(|lost| {
                let others = lost.iter().filter(|other| *other != address).cloned();
                others.chain((!is_reached).then(|| address.clone())).collect::<Vec<Address>>()
            });
        }
    }

    /// An owner of keys was.
    pub fn note_owner(&self, address: &Address, is_reached: bool) {
        self.note(address, is_reached);
        if is_reached {
            self.failing_since.store(0, Relaxed);
        } else {
            // The first failure counts.
            let _ = self.failing_since.compare_exchange(0, monotonic_ms().max(1), Relaxed, Relaxed);
        }
    }

    /// Whether it was reached when it was tried last, if ever.
    pub fn has(&self, address: &Address) -> bool {
        !self.lost.load().contains(address)
    }

    /// Those that were known do not come back by themselves.
    pub fn is_over(&self) -> bool {
        let since = self.failing_since.load(Relaxed);
        since > 0 && monotonic_ms().saturating_sub(since) >= PATIENCE_MS
    }

    /// Others are known from here on.
    pub fn start_over(&self) {
        self.failing_since.store(0, Relaxed);
    }
}
