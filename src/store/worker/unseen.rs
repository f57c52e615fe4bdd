//! Whether something may have happened to Redis that nobody could tell: since the latest read that was certain another server
//! answers, the watch was lost, or the data set was removed. The few items that the next read does not find may be what
//! a refill has not come to yet. With residency `lazy` reads are of some items each: they are certain again once everything
//! held was read since the break and nothing is missing any more. May depend on `redis`, `memory` and `truth`.

use std::time::Instant;

use super::condition::keeps_on_wipe;
use super::{Failed, Worker};
use crate::model::ItemKey;
use crate::store::inbox::link::LinkPhase;
use crate::store::options::Freshness;
use crate::store::redis::origin::{Origin, Origins};
use crate::store::truth::suspects::Suspects;

/// What the latest certain read was made with, and what is not certain since.
#[derive(Debug, Default)]
pub struct Certain {
    with: Option<With>,
    /// Everything was removed since, or the data set was lost.
    is_broken: bool,
    /// Reads of some items since the break, until everything held was read.
    anew: Option<Anew>,
    /// How often there was a break.
    breaks: u64,
    /// What was not found since the break.
    pub suspects: Suspects,
}

#[derive(Debug, PartialEq, Eq)]
struct With {
    readers: Origins,
    /// How often the watch had been armed, where there was one.
    armed: Option<u64>,
}

#[derive(Debug)]
struct Anew {
    with: With,
    since: Instant,
}

/// What a read of chosen items says about those that it did not find.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    /// When it was sent.
    pub sent: Instant,
    /// The data set is lost.
    pub wiped: bool,
    /// Much is gone.
    pub is_doubtful: bool,
    /// Nobody could tell what happened before it.
    pub is_uncertain: bool,
}

impl With {
    fn is_continued(&self, with: &Self) -> bool {
        self.readers == with.readers && (self.armed.is_none() || self.armed == with.armed)
    }

    /// Whether others are known to answer by now.
    fn is_elsewhere(&self, with: &Self) -> bool {
        let is_other = |pair: (&Option<Origin>, &Option<Origin>)| match pair {
            (Some(Origin::Server(before)), Some(Origin::Server(now))) => before != now,
            _ => false,
        };
        self.readers.iter().zip(&with.readers).any(is_other)
    }
}

impl Certain {
    /// Everything is removed, or the data set is lost.
    pub fn broken(&mut self) {
        self.is_broken = true;
        self.anew = None;
        self.breaks += 1;
        self.suspects.forget();
    }

    /// A read of some items, sent at `sent`, was not certain.
    fn read_anew(&mut self, with: With, sent: Instant) {
        if let Some(anew) = &mut self.anew {
            if anew.with.is_continued(&with) {
                anew.with = with;
                return;
            }
            if anew.with.is_elsewhere(&with) {
                self.suspects.forget();
            }
        }
        self.breaks += 1;
        self.anew = Some(Anew { with, since: sent });
    }

    /// The number of the latest break.
    pub fn breaks(&self) -> u64 {
        self.breaks
    }

    fn regain(&mut self) {
        if let Some(anew) = self.anew.take() {
            self.regained(anew.with);
        }
    }

    fn regained(&mut self, with: With) {
        (self.with, self.is_broken) = (Some(with), false);
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
        let with = With { readers: self.exchange.readers(), armed };
        let certain = &self.certain;
        let is_unbroken = certain.with.as_ref().is_some_and(|before| before.is_continued(&with)) && !certain.is_broken;
        self.doubt.is_open() || !is_unbroken || certain.anew.is_some()
    }

    /// A read was certain.
    pub(super) fn is_certain(&mut self, armed: Option<u64>) {
        self.certain.anew = None;
        self.certain.regained(With { readers: self.exchange.readers(), armed });
    }

    /// A read of some items, sent at `sent`, found the data set there; whether what it did not find may be lost all the same.
    pub(super) fn is_uncertain(&mut self, sent: Instant, armed: Option<u64>, may_be_lost: bool) -> bool {
        let is_uncertain = may_be_lost && keeps_on_wipe(self.shared);
        if is_uncertain {
            self.certain.read_anew(With { readers: self.exchange.readers(), armed }, sent);
        } else {
            self.is_certain(armed);
        }
        is_uncertain
    }

    /// Everything held was read since the latest break.
    pub(super) fn all_was_read(&mut self) {
        if self.certain.suspects.is_empty() && !self.doubt.is_open() {
            self.certain.regain();
        }
    }

    /// Whether everything is to be read for reads to be certain again.
    pub(super) fn waits_for_pass(&self) -> bool {
        self.certain.anew.is_some() && self.shared.options.freshness == Freshness::Push && self.shared.health.is_ready()
    }

    /// Whether an item stays as it is held, although a read may not have found it.
    pub(super) fn stays(&mut self, item: &ItemKey, is_found: bool, sight: Sight) -> bool {
        if sight.wiped {
            return !is_found;
        }
        if is_found || !sight.is_uncertain || !self.is_held_of_redis(item) {
            self.certain.suspects.clear_of(item);
            return !is_found && sight.is_doubtful;
        }
        self.forget_evicted_suspects();
        if sight.is_doubtful {
            self.certain.suspects.note(sight.sent, item);
            return true;
        }
        let is_gone = self.certain.suspects.miss(sight.sent, item);
        if !is_gone {
            self.condition.unproven =
                Some("what is held is missing, and nobody could tell what happened to Redis".to_owned());
        }
        !is_gone
    }

    /// Whether an item can be evaluated, and does not wait to be written.
    fn is_held_of_redis(&self, item: &ItemKey) -> bool {
        let is_live = self.shared.cache.as_ref().and_then(|cache| cache.peek(item)).is_some_and(|it| it.held.is_live());
        is_live && self.mailbox.outbox.unless_waiting(item, || ()).is_some()
    }

    fn forget_evicted_suspects(&mut self) {
        let suspects = &mut self.certain.suspects;
        if let Some(cache) = &self.shared.cache
            && suspects.len() >= self.shared.options.capacity.get()
        {
            suspects.retain(|item| cache.peek(item).is_some());
        }
    }

    /// When a suspect may be decided. While much is gone, a read of everything decides that first.
    pub(super) fn suspects_due(&self) -> Option<Instant> {
        self.certain.suspects.look_again().filter(|_| !self.doubt.is_open())
    }

    /// Reads those suspects again that this may decide, and everything once there are none any more.
    pub(super) fn look_at_suspects(&mut self) -> Result<(), Failed> {
        let now = Instant::now();
        if self.suspects_due().is_some_and(|due| due <= now) {
            if let Some(cache) = &self.shared.cache {
                self.certain.suspects.retain(|item| cache.peek(item).is_some());
            }
            self.refetch_items(&self.certain.suspects.due(now))?;
        }
        if self.due.goes_by_age() && self.certain.anew.as_ref().is_some_and(|anew| self.due.is_read_since(anew.since)) {
            self.all_was_read();
        }
        if self.certain.suspects.take_end() {
            self.agenda.plan_full_after_outage(self.held_bytes);
        }
        Ok(())
    }
}
