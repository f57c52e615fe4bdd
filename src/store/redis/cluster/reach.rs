//! Which nodes could not be reached when they were tried last, or are something else by now, and since when nobody could be
//! reached who owns keys. Atomics and lock-free cells only, because it outlives a fork. Depends on `endpoints`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;

use super::super::endpoints::Address;
use crate::store::status::monotonic_ms;

/// An owner that nobody reaches for so long does not come back by itself.
const PATIENCE_MS: u64 = 30_000;
/// Another cluster counts that alone answers for so long.
const OTHERS_MS: u64 = 2_000;

/// What became of attempts to reach nodes.
#[derive(Debug, Default)]
pub struct Reach {
    lost: ArcSwap<Vec<Address>>,
    /// Where something answered that is no node of the cluster, when it was asked last.
    strange: ArcSwap<Vec<Address>>,
    /// Since when no owner was reached; 0 when the latest attempt did.
    failing_since: AtomicU64,
    /// Since when only nodes of another cluster answered; 0 when others did, or nobody.
    others_since: AtomicU64,
}

impl Reach {
    /// A node was tried.
    pub fn note(&self, address: &Address, is_reached: bool) {
        set(&self.lost, address, !is_reached);
    }

    /// Who answers there is a node of the cluster, or something else.
    pub fn note_answer(&self, address: &Address, is_node: bool) {
        set(&self.strange, address, !is_node);
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

    /// Whether it was reached when it was tried last, if ever, and was no other one.
    pub fn has(&self, address: &Address) -> bool {
        ![&self.lost, &self.strange].iter().any(|list| list.load().contains(address))
    }

    /// Nobody asks for any others.
    pub fn retain(&self, is_known: impl Fn(&Address) -> bool) {
        for list in [&self.lost, &self.strange] {
            if !list.load().iter().all(&is_known) {
                list.rcu(|list| list.iter().filter(|address| is_known(address)).cloned().collect::<Vec<Address>>());
            }
        }
    }

    /// Notes whether only nodes of another cluster have answered; true once that has been so for a while.
    pub fn have_others_stayed(&self, are_others: bool) -> bool {
        let now = monotonic_ms().max(1);
        if !are_others {
            self.others_since.store(0, Relaxed);
            return false;
        }
        let since = self.others_since.compare_exchange(0, now, Relaxed, Relaxed).err().unwrap_or(now);
        now.saturating_sub(since) >= OTHERS_MS
    }

    /// Whether only nodes of another cluster answered last.
    #[cfg(test)]
    pub fn has_others(&self) -> bool {
        self.others_since.load(Relaxed) != 0
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

/// Puts an address into a list, or takes it out.
fn set(list: &ArcSwap<Vec<Address>>, address: &Address, is_in: bool) {
    if list.load().contains(address) != is_in {
        list.rcu(|list| {
            let others = list.iter().filter(|other| *other != address).cloned();
            others.chain(is_in.then(|| address.clone())).collect::<Vec<Address>>()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_nobody_asks_for_any_more_are_forgotten() {
        let at = |port| Address::Tcp { host: "h".to_owned(), port };
        let reach = Reach::default();
        (1..100).for_each(|port| reach.note(&at(port), false));
        (1..100).for_each(|port| reach.note_answer(&at(port), false));
        reach.retain(|address| *address == at(7));
        assert_eq!([reach.lost.load().len(), reach.strange.load().len()], [1, 1]);
        reach.note(&at(7), true);
        assert!(!reach.has(&at(7)), "something else answers there");
        reach.note_answer(&at(7), true);
        assert!(reach.has(&at(7)));
    }
}
