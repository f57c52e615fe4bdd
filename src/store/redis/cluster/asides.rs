//! Nodes to which keys are on their way. Lock-free cells only, because it outlives a fork. Depends on `endpoints`.

use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::super::endpoints::Address;
use super::map::Map;

/// A node that nobody was sent to for so long has no key of ours on its way to it any more.
const ASIDE_FOR: Duration = Duration::from_secs(15);
/// Most slots that are remembered. The keys of big segments have many.
const MOST: usize = 64;

/// A node to which the keys of a slot are on their way.
#[derive(Debug, Clone)]
struct Aside {
    slot: u16,
    address: Address,
    at: Instant,
}

impl Aside {
    fn leads(&self, slot: u16) -> bool {
        self.slot == slot && self.at.elapsed() < ASIDE_FOR
    }
}

/// All of them, latest first.
#[derive(Debug, Default)]
pub struct Asides(ArcSwap<Vec<Aside>>);

impl Asides {
    /// Where the keys of this slot are on their way to.
    pub fn of(&self, slot: u16) -> Option<Address> {
        self.0.load().iter().find(|aside| aside.leads(slot)).map(|aside| aside.address.clone())
    }

    /// The keys of this slot are on their way there; true when that is new.
    pub fn note(&self, slot: u16, address: &Address) -> bool {
        let is_new = self.of(slot).as_ref() != Some(address);
        self.0.rcu(|asides| {
            let latest = Aside { slot, address: address.clone(), at: Instant::now() };
            let others = asides.iter().filter(|aside| aside.slot != slot && aside.leads(aside.slot)).cloned();
            std::iter::once(latest).chain(others).take(MOST).collect::<Vec<Aside>>()
        });
        is_new
    }

    /// What was on its way to those who own it now has arrived.
    pub fn arrive(&self, map: &Map) {
        let is_on_its_way = |aside: &&Aside| map.owner(aside.slot) != Some(&aside.address);
        if !self.0.load().iter().all(|aside| is_on_its_way(&aside)) {
            self.0.rcu(|asides| asides.iter().filter(is_on_its_way).cloned().collect::<Vec<Aside>>());
        }
    }
}
