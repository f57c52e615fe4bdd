//! Whether something may have happened to Redis that nobody could tell: since the latest read that was certain another server
//! answers, the watch was lost, or the data set was removed. The few items that the next read does not find may be what
//! a refill has not come to yet. May depend on `redis` and `memory`.

use super::Worker;
use crate::store::inbox::link::LinkPhase;
use crate::store::redis::origin::Origins;

/// What the latest certain read was made with.
#[derive(Debug, Default)]
pub struct Certain {
    with: Option<With>,
    /// Everything was removed since, or the data set was lost.
    is_broken: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct With {
    readers: Origins,
    /// How often the watch had been armed, where there was one.
    armed: Option<u64>,
}

impl Certain {
    /// Everything is removed, or the data set is lost.
    pub fn broken(&mut self) {
        self.is_broken = true;
    }
}

impl Worker<'_> {
    /// How often the watch was armed, while it is there: to be asked before a read.
    pub(super) fn watch_armed(&self) -> Option<u64> {
        let link = &self.mailbox.link;
        (link.phase() == LinkPhase::Up).then(|| link.armed())
    }

    /// Whether what a read does not find may have been lost: it was before, or nobody could tell. `armed` is of the time before
    /// the read.
    pub(super) fn may_be_lost(&self, armed: Option<u64>) -> bool {
        let readers = self.exchange.readers();
        let is_continued = |with: &With| with.readers == readers && (with.armed.is_none() || with.armed == armed);
        let is_unbroken = self.certain.with.as_ref().is_some_and(is_continued) && !self.certain.is_broken;
        self.doubt.is_open() || !is_unbroken
    }

    /// A read was certain.
    pub(super) fn is_certain(&mut self, armed: Option<u64>) {
        let readers = self.exchange.readers();
        self.certain = Certain { with: Some(With { readers, armed }), is_broken: false };
    }
}
