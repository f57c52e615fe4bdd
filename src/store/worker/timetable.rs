//! When the store thread reads everything again. Small data sets at once; large ones with jitter and pauses that grow with
//! their cost, because one change times 16 MB times 100 processes would be 1.6 GB. May depend on `model`.

use std::time::{Duration, Instant};

use crate::store::inbox::mailbox::LinkPhase;
use crate::store::options::Freshness;
use crate::store::worker::refresh::Refresher;

/// A data set below this size is read again at once, without jitter.
const SMALL_SET: usize = 1 << 20;
/// Shortest time between two full reads, and how many times its own duration one must be apart from the next.
const FULL_MINIMUM: Duration = Duration::from_millis(100);
const FULL_COST_FACTOR: u32 = 5;
/// How long a full read is put off at most after a push, per MiB held.
const JITTER_PER_MIB: Duration = Duration::from_millis(50);
const JITTER_LIMIT: Duration = Duration::from_secs(5);
/// While nothing was ever held, Redis is asked again at least this often.
const EMPTY_INTERVAL: Duration = Duration::from_secs(5);
/// A wiped Redis is looked at this often: `$inited` alone coming back sends no push.
const WIPED_INTERVAL: Duration = Duration::from_secs(2);

impl Refresher<'_> {
    /// A pass over everything has ended.
    pub(in crate::store) fn note_full(&mut self, cost: Duration) {
        self.full_cost = cost;
        self.full_ended = Instant::now();
    }

    /// Whether reading everything costs enough to be put off.
    pub(in crate::store) fn is_large(&self) -> bool {
        self.held_bytes >= SMALL_SET
    }

    /// Something changed: everything is read again at once if that is cheap, else after a while of its own in each process.
    pub(in crate::store) fn plan_full_after_push(&mut self) {
        let at = if !self.is_large() {
            Instant::now()
        } else {
            let mib = u32::try_from(self.held_bytes >> 20).unwrap_or(u32::MAX);
            let longest = JITTER_PER_MIB.saturating_mul(mib).min(JITTER_LIMIT);
            // Where memory leads, listeners hear of changes from the data source: nothing is gained by haste.
            let hurries = self.listener.wants_all_changes() && !self.shared.memory_leads();
            let jitter = if hurries { 0.0 } else { self.jitter.between(0.0, 1.0) };
            self.soonest_full().max(Instant::now() + longest.mul_f64(jitter))
        };
        self.plan_full_by(at);
    }

    /// A host looks at everything: the full read after a push is not put off by jitter.
    pub(in crate::store) fn plan_full_for_host(&mut self) {
        if self.mailbox.take_full_wish() && self.shared.health.is_ready() && !self.shared.is_all_verified() {
            self.plan_full_by(self.soonest_full());
        }
    }

    fn soonest_full(&self) -> Instant {
        self.full_ended + FULL_MINIMUM.max(self.full_cost * FULL_COST_FACTOR)
    }

    /// At that moment, unless it is due earlier anyway.
    fn plan_full_by(&mut self, at: Instant) {
        self.full_due = Some(self.full_due.map_or(at, |due| due.min(at)));
    }

    /// Everything was read: when that is repeated although nobody told of a change.
    pub(in crate::store) fn plan_next_full(&mut self) {
        let options = &self.shared.options;
        let interval = match options.freshness {
            // Memory is never refreshed then, but what it holds is still kept in Redis.
            Freshness::Forever if self.shared.memory_leads() => Some(options.safety_interval),
            Freshness::Forever => None,
            Freshness::Ttl => Some(options.ttl.min(options.safety_interval)),
            Freshness::Push if self.mailbox.link.phase() == LinkPhase::Up => Some(options.safety_interval),
            Freshness::Push => Some(options.ttl.min(options.safety_interval)),
        };
        let mut interval = interval.map(|interval| interval.mul_f64(self.jitter.between(0.85, 1.0)));
        if self.holds_nothing() {
            interval = Some(interval.unwrap_or(EMPTY_INTERVAL).min(EMPTY_INTERVAL));
        }
        if self.wipe_reason.is_some() {
            interval = Some(interval.unwrap_or(WIPED_INTERVAL).min(WIPED_INTERVAL));
        }
        self.full_due = interval.map(|interval| Instant::now() + interval);
    }

    fn holds_nothing(&self) -> bool {
        match &self.shared.cache {
            Some(_) => !self.shared.health.is_ready(),
            None => {
                let snapshot = self.shared.snapshot.load();
                snapshot.flags.is_empty() && snapshot.segments.is_empty()
            }
        }
    }
}
