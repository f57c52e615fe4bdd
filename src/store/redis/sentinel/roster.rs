//! The sentinels of a service: those that the address lists, and those that these tell of, which are asked where none of the list
//! is of use. Depends on `endpoints`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use arc_swap::{ArcSwap, ArcSwapOption};

use super::super::endpoints::Address;
use crate::model::Jitter;

/// So many are remembered beside those of the list.
const MOST_OTHERS: usize = 16;

/// One of them.
#[derive(Debug)]
pub struct Sentinel {
    /// Where it is.
    pub address: Address,
    /// It is in the list; the others were told of.
    pub is_listed: bool,
    /// Why it was of no use when it was asked last.
    remark: ArcSwapOption<String>,
}

impl Sentinel {
    fn new(address: Address, is_listed: bool) -> Arc<Self> {
        Arc::new(Self { address, is_listed, remark: ArcSwapOption::empty() })
    }

    /// Why it was of no use when it was asked last.
    pub fn remark(&self) -> Option<Arc<String>> {
        self.remark.load_full()
    }

    /// It was asked: why it was of no use, if it was not.
    pub fn set_remark(&self, remark: Option<String>) {
        if self.remark.load().as_ref().map(|known| known.as_str()) != remark.as_deref() {
            self.remark.store(remark.map(Arc::new));
        }
    }
}

/// All of them, and which one is asked first.
#[derive(Debug)]
pub struct Roster {
    /// Those of the list come first.
    all: ArcSwap<Vec<Arc<Sentinel>>>,
    /// So many are in the list: at least one.
    listed: usize,
    first: AtomicUsize,
}

impl Roster {
    /// Those of the list. Each process begins with one of its own, so that they share the work.
    pub fn new(listed: &[Address]) -> Self {
        let all: Vec<_> = listed.iter().map(|address| Sentinel::new(address.clone(), true)).collect();
        let roster = Self { listed: all.len(), all: ArcSwap::from_pointee(all), first: AtomicUsize::new(0) };
        roster.begin_anywhere();
        roster
    }

    /// All of them.
    pub fn all(&self) -> Arc<Vec<Arc<Sentinel>>> {
        self.all.load_full()
    }

    /// Whichever of the list is asked first.
    pub fn begin_anywhere(&self) {
        let first = usize::from(Jitter::new().bits() as u16) % self.listed.max(1);
        self.first.store(first, Relaxed);
    }

    /// This one is asked first.
    pub fn prefer(&self, sentinel: &Arc<Sentinel>) {
        let position = self.all.load().iter().position(|known| Arc::ptr_eq(known, sentinel));
        position.into_iter().for_each(|position| self.first.store(position, Relaxed));
    }

    /// Another one of the list is asked first.
    pub fn ask_another_first(&self) {
        // Where the list has had no use, its turn has come again.
        self.first.store((self.first.load(Relaxed) + 1) % self.listed.max(1), Relaxed);
    }

    /// In the order in which they are asked: the one that was of use, the list, the others.
    pub fn order(&self) -> Vec<Arc<Sentinel>> {
        let (all, first) = (self.all.load(), self.first.load(Relaxed));
        let mut order = all.to_vec();
        if first >= self.listed {
            // It may be forgotten by now.
            order.get_mut(..=first).into_iter().for_each(|up_to_it| up_to_it.rotate_right(1));
        } else if let Some(listed) = order.get_mut(..self.listed) {
            listed.rotate_left(first);
        }
        order
    }

    /// One of them tells of these; those that it does not tell of are forgotten, unless they are in the list.
    pub fn learn(&self, told: Vec<Address>) {
        let known = self.all.load();
        let (listed, others) = known.split_at(self.listed.min(known.len()));
        let mut all = listed.to_vec();
        for address in told {
            // The list may have a name for what they know by its address.
            let is_known = all.iter().any(|known| known.address.is_same_place(&address));
            if !is_known && all.len() < self.listed + MOST_OTHERS {
                let kept = others.iter().find(|other| other.address == address).cloned();
                all.push(kept.unwrap_or_else(|| Sentinel::new(address, false)));
            }
        }
        let is_same =
            all.len() == known.len() && all.iter().all(|one| known.iter().any(|other| Arc::ptr_eq(one, other)));
        if !is_same {
            self.all.store(Arc::new(all));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> Address {
        Address::Tcp { host: "127.0.0.1".to_owned(), port }
    }

    fn roster(count: u16) -> Roster {
        Roster::new(&(1..=count).map(address).collect::<Vec<_>>())
    }

    fn ports(roster: &Roster) -> Vec<u16> {
        let port = |sentinel: &Arc<Sentinel>| match sentinel.address {
            Address::Tcp { port, .. } => port,
            Address::Unix(_) => 0,
        };
        roster.order().iter().map(port).collect()
    }

    #[test]
    fn all_are_asked_once_and_begin_with_the_next_one_after_a_failure() {
        let roster = roster(3);
        for _ in 0..4 {
            let order = ports(&roster);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [1, 2, 3]);
            roster.ask_another_first();
            assert_eq!(ports(&roster)[0], order[0] % 3 + 1);
        }
    }

    #[test]
    fn those_that_are_told_of_come_after_the_list_until_one_of_them_was_of_use() {
        let roster = roster(2);
        roster.prefer(&roster.all()[1]);
        roster.learn([2, 7, 8].map(address).to_vec());
        assert_eq!(ports(&roster), [2, 1, 7, 8]);
        roster.prefer(&roster.all()[3]);
        assert_eq!(ports(&roster), [8, 1, 2, 7]);
        roster.ask_another_first();
        assert_eq!(&ports(&roster)[2..], [7, 8], "the list has its turn again");
        assert_eq!(roster.all().iter().map(|one| one.is_listed).collect::<Vec<_>>(), [true, true, false, false]);
    }

    #[test]
    fn what_nobody_tells_of_any_more_is_forgotten_and_what_stays_keeps_its_remark() {
        let roster = roster(1);
        roster.learn([7, 8].map(address).to_vec());
        roster.all()[2].set_remark(Some("hangs".to_owned()));
        roster.prefer(&roster.all()[2]);
        roster.learn([8].map(address).to_vec());
        assert_eq!(ports(&roster), [1, 8], "the position of the preferred one is another's or nobody's");
        assert_eq!(roster.all()[1].remark().as_deref().map(String::as_str), Some("hangs"));
        roster.learn((100..200).map(address).collect());
        assert_eq!(roster.all().len(), 1 + MOST_OTHERS);
        roster.learn(Vec::new());
        assert_eq!(ports(&roster), [1]);
    }

    #[test]
    fn a_listed_name_and_its_address_are_one_sentinel() {
        let name = Address::Tcp { host: "localhost".to_owned(), port: 7 };
        let roster = Roster::new(&[name]);
        roster.learn(vec![address(7), address(8)]);
        assert_eq!(ports(&roster), [7, 8]);
    }
}
