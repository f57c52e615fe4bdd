//! Who listens to which flag. Lock-free: it outlives a fork, and is looked at by whoever polls. Depends on `context`, `model`.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;

use super::tree::Tree;
use crate::context::Context;
use crate::model::Piece;

/// The value that a listener was told last.
#[derive(Debug, Default)]
pub struct Told {
    /// The value as JSON text; `None` when there was none.
    pub value: Option<Piece>,
    /// It was evaluated already.
    pub is_known: bool,
}

/// Somebody who wants to hear when the value of a flag changes for a context.
#[derive(Debug)]
pub struct Listener {
    /// Its number.
    pub id: u64,
    /// Key of the flag.
    pub key: Arc<str>,
    /// For whom it is evaluated.
    pub context: Context,
    /// What it was told last. Replaced by whoever tells it the next value.
    pub told: ArcSwap<Told>,
    /// It does not listen any more.
    gone: AtomicBool,
}

impl Listener {
    /// Nobody wants to hear of it any more.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }
}

#[derive(Debug, Default)]
struct Listeners {
    by_id: Tree<u64, Arc<Listener>>,
    by_key: Tree<(Arc<str>, u64), Arc<Listener>>,
}

/// All listeners of a client.
#[derive(Debug, Default)]
pub struct Registry {
    listeners: ArcSwap<Listeners>,
    latest: AtomicU64,
}

impl Registry {
    /// A new listener, which has not been told anything.
    pub fn add(&self, key: &str, context: &Context) -> Arc<Listener> {
        let id = self.latest.fetch_add(1, Relaxed) + 1;
        let listener = Arc::new(Listener {
            id,
            key: Arc::from(key),
            context: context.clone(),
            told: ArcSwap::default(),
            gone: AtomicBool::new(false),
        });
        self.listeners.rcu(|before| Listeners {
            by_id: before.by_id.with(id, listener.clone(), spread(id)),
            by_key: before.by_key.with((listener.key.clone(), id), listener.clone(), spread(id)),
        });
        listener
    }

    /// Takes a listener away; false when there is none of this number.
    pub fn remove(&self, id: u64) -> bool {
        let Some(listener) = self.listeners.load().by_id.get(&id).cloned() else { return false };
        if listener.gone.swap(true, Relaxed) {
            return false;
        }
        self.listeners.rcu(|before| Listeners {
            by_id: before.by_id.without(&id),
            by_key: before.by_key.without(&(listener.key.clone(), id)),
        });
        true
    }

    /// Nobody listens.
    pub fn is_empty(&self) -> bool {
        self.listeners.load().by_id.is_empty()
    }

    /// The listeners of one flag, the oldest first.
    pub fn of(&self, key: &str) -> Vec<Arc<Listener>> {
        self.listeners.load().by_key.range(&|(other, _)| (**other).cmp(key))
    }

    /// All listeners, those of a flag one after the other.
    pub fn all(&self) -> Vec<Arc<Listener>> {
        self.listeners.load().by_key.range(&|_| Ordering::Equal)
    }
}

/// A number that is as good as drawn by lot, for numbers in a row.
pub fn spread(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(listeners: Vec<Arc<Listener>>) -> Vec<u64> {
        listeners.iter().map(|listener| listener.id).collect()
    }

    #[test]
    fn listeners_are_found_by_flag_and_are_gone_once_taken_away() {
        let (registry, context) = (Registry::default(), Context::from_key("", "u").unwrap());
        let kept: Vec<_> = ["b", "a", "b", "ab"].iter().map(|key| registry.add(key, &context)).collect();
        assert_eq!(ids(registry.of("b")), [1, 3]);
        assert_eq!(ids(registry.all()), [2, 4, 1, 3]);
        assert!(registry.of("").is_empty() && registry.of("c").is_empty());
        assert!(registry.remove(1) && !registry.remove(1) && !registry.remove(9));
        assert!(kept.iter().map(|listener| listener.is_gone()).eq([true, false, false, false]));
        assert_eq!(ids(registry.of("b")), [3]);
        assert!([2, 3, 4].into_iter().all(|id| registry.remove(id)) && registry.is_empty());
    }

    #[test]
    fn threads_that_add_and_take_away_at_once_do_not_lose_each_others_listeners() {
        let (registry, context) = (Registry::default(), Context::from_key("", "u").unwrap());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..500 {
                        let listener = registry.add("a", &context);
                        assert!(number % 2 == 0 || registry.remove(listener.id));
                    }
                });
            }
        });
        assert_eq!(registry.of("a").len(), 1_000);
        assert_eq!(ids(registry.all()), ids(registry.of("a")));
    }
}
