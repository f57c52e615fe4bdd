//! Redis leads: what was pushed, asked for or has grown old is read again. What a read means for what is held depends on the
//! residency.

use std::time::{Duration, Instant};

use super::condition::keeps_on_wipe;
use super::{Failed, Worker};
use crate::model::saturating_ms;
use crate::store::inbox::link::LinkPhase;
use crate::store::options::{Freshness, Residency};
use crate::store::redis::reader::BATCH;
use crate::store::reply::Presence;
use crate::store::status::monotonic_ms;
use crate::store::truth::loss::CALM;
use crate::store::truth::wipe::{Dependants, Evidence, wipe_reason};

/// Ticks that count as "lately": the present one and those of the last second.
pub(super) const LATELY_TICKS: u32 = 5;
/// So many fields that were named are always read by themselves, and more up to this share of the set: it is read whole above.
const NAMED_AT_MOST: usize = BATCH;
const NAMED_SHARE: usize = 8;
/// While nothing was ever held, Redis is asked again at least this often.
const EMPTY_INTERVAL: Duration = Duration::from_secs(5);
/// A data set of which much is gone is looked at this often at most.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// A wiped Redis is looked at this often: `$inited` alone coming back sends no push.
const WIPED_INTERVAL: Duration = Duration::from_secs(2);

/// What a read of everything achieved.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// Reading again at this generation would find nothing else.
    pub settled: bool,
    /// It changed while it was read: it has to be read again soon.
    pub undecided: bool,
    /// How long ago everything held was known to be true; `None` when that is not known.
    pub confirmed: Option<Duration>,
}

impl Worker<'_> {
    /// One pass over what is due.
    pub(super) fn follow(&mut self, now: Instant) -> Result<(), Failed> {
        self.knock()?;
        self.send_through();
        let generation = self.shared.generation();
        let armed = self.mailbox.link.armed();
        self.follow_watch(armed);
        let mut asked = self.mailbox.take_asked();
        // A watch that was armed again counts as a push: everything may have changed while nobody was told.
        let rearmed = self.agenda.armed_read != armed;
        let pushed = generation != self.agenda.answered || rearmed;
        if !self.shared.health.is_ready() {
            if rearmed {
                self.agenda.plan_full_by(now);
            }
        } else if self.shared.options.freshness == Freshness::Push
            && pushed
            && (!self.refetch_named(generation)? || rearmed)
        {
            self.refetch_in_use(asked.take().unwrap_or_default())?;
            if rearmed {
                self.agenda.plan_full_after_outage(self.held_bytes);
            } else {
                self.agenda.plan_full_after_change(self.held_bytes);
            }
        }
        if let Some(unknown) = asked
            && self.shared.health.is_ready()
            && !self.shared.is_all_verified()
        {
            self.refetch_in_use(unknown)?;
        }
        (self.agenda.answered, self.agenda.armed_read) = (generation, armed);
        self.plan_full_for_host();
        self.plan_proof();
        self.serve_requests()?;
        self.serve_whole()?;
        if self.agenda.is_full_due() {
            self.full_read()?;
        }
        self.refetch_expired()?;
        self.look_at_suspects()?;
        self.look_for_lost_writes()?;
        self.ping_when_idle()
    }

    /// After a failure: whether Redis is there again, which need not cost a read of everything each time.
    pub(super) fn knock(&mut self) -> Result<(), Failed> {
        if self.agenda.knocks {
            self.exchange.read(|reader| reader.presence())?;
            self.agenda.knocks = false;
        }
        Ok(())
    }

    /// Reads what the watch named; true when nothing else can have changed since what was told before was answered.
    fn refetch_named(&mut self, generation: u64) -> Result<bool, Failed> {
        let Some(named) = self.named.take(self.agenda.answered, generation) else { return Ok(false) };
        let held = self.held_count();
        let proves = match self.shared.options.residency {
            Residency::All if named.count() > NAMED_AT_MOST.max(held / NAMED_SHARE) => false,
            Residency::All => self.refetch_fields(&named)?,
            Residency::Lazy => self.refetch_named_of_cache(&named)?,
            Residency::Off => false,
        };
        if !proves {
            return Ok(false);
        }
        if self.shared.was_all_verified(named.since()) {
            self.shared.set_verified(generation);
        }
        Ok(true)
    }

    fn refetch_in_use(&mut self, unknown: Vec<Box<str>>) -> Result<(), Failed> {
        let since = self.agenda.refetched_tick.min(self.shared.tick().saturating_sub(LATELY_TICKS));
        self.agenda.refetched_tick = self.shared.tick();
        match self.shared.options.residency {
            Residency::All => self.refetch_snapshot(since, unknown),
            Residency::Lazy => self.refetch_cache(since),
            Residency::Off => Ok(()),
        }
    }

    fn full_read(&mut self) -> Result<(), Failed> {
        let began = Instant::now();
        let generation = self.shared.generation();
        if self.agenda.is_only_a_look() {
            self.look_at_standing()?;
        }
        if self.agenda.is_only_a_look()
            && self.shared.options.residency == Residency::All
            && !self.look_for_what_was_missed()?
        {
            self.plan_next_full();
            return Ok(());
        }
        let pass = match self.shared.options.residency {
            Residency::All => self.read_all(generation)?,
            Residency::Lazy => self.read_cached()?,
            Residency::Off => self.probe()?,
        };
        self.agenda.note_full(began.elapsed());
        if let Some(ago) = pass.confirmed {
            self.shared.health.set_verified_at(monotonic_ms().saturating_sub(saturating_ms(ago)).max(1));
        }
        if pass.settled {
            self.shared.set_verified(generation);
            self.prove();
        }
        self.plan_next_full();
        if pass.undecided && self.doubt.look_again().is_none() {
            self.agenda.plan_full_by(self.agenda.soonest_full());
        }
        Ok(())
    }

    /// What is to be proved is not left to a look that may come much later.
    pub(super) fn plan_proof(&mut self) {
        let (is_unproven, is_uncertain) = (self.condition.unproven.is_some(), self.waits_for_pass());
        let is_decided_apart = self.doubt.is_open() || !self.certain.suspects.is_empty();
        let waits = (is_unproven || is_uncertain) && !is_decided_apart && self.agenda.rest_due().is_none();
        if waits && (self.agenda.is_safety_look || self.agenda.full_due.is_none()) && self.pairing.is_together() {
            // Where connections never last, no pass is certain: that is no reason to read all the time.
            let pause = if is_unproven { Duration::ZERO } else { CALM };
            self.agenda.plan_full_by(self.agenda.soonest_full().max(Instant::now() + pause));
        }
    }

    /// A host looks at everything: the full read after a push is not put off by jitter.
    pub(super) fn plan_full_for_host(&mut self) {
        if self.mailbox.take_full_wish() && self.shared.health.is_ready() && !self.shared.is_all_verified() {
            self.agenda.plan_full_by(self.agenda.soonest_full());
        }
    }

    /// Everything was read: when that is repeated although nobody told of a change.
    pub(super) fn plan_next_full(&mut self) {
        let options = &self.shared.options;
        let is_watched = self.mailbox.link.phase() == LinkPhase::Up;
        let interval = match options.freshness {
            // Memory is never refreshed then, but what it holds is still kept in Redis.
            Freshness::Forever if self.shared.memory_leads() => Some(options.safety_interval),
            Freshness::Forever => None,
            Freshness::Push if is_watched => Some(options.safety_interval),
            Freshness::Ttl | Freshness::Push => Some(options.ttl.min(options.safety_interval)),
        };
        let at_most = |interval: Option<Duration>, most: Duration| Some(interval.unwrap_or(most).min(most));
        let mut next = interval;
        if self.holds_nothing() {
            next = at_most(next, EMPTY_INTERVAL);
        }
        if self.condition.wiped.is_some() {
            next = at_most(next, WIPED_INTERVAL);
        }
        let is_safety_look = is_watched && next == interval && self.condition.unproven.is_none();
        self.agenda.plan_next(next, is_safety_look);
        if let Some(again) = self.doubt.look_again().map(|again| again.max(Instant::now() + BETWEEN_LOOKS)) {
            self.agenda.plan_full_by(again);
        }
    }

    fn holds_nothing(&self) -> bool {
        match &self.shared.cache {
            Some(_) => !self.shared.health.is_ready(),
            None => self.held_count() == 0,
        }
    }

    /// Records what a read says about the data set; true while it counts as lost.
    pub(super) fn note_wipe(
        &mut self,
        presence: Presence,
        wrong_type: Option<&str>,
        holds_flags: bool,
        dependants: impl FnOnce() -> Dependants,
    ) -> Result<bool, Failed> {
        let was_inited = self.shared.health.was_inited();
        let evidence = Evidence { was_inited, presence, holds_flags, wrong_type };
        if presence.inited {
            self.shared.set_inited();
        }
        self.condition.wrong_type = wrong_type.is_some();
        if let Some(error) = wrong_type {
            self.shared.health.set_error(error.to_owned());
        }
        let mut reason = None;
        if keeps_on_wipe(self.shared) {
            reason = wipe_reason(&evidence);
            if reason.is_none() && evidence.segments_may_be_lost() && self.refer_still(&dependants())? {
                reason = Some("the segments hash is gone while flags refer to it".to_owned());
            }
        }
        self.set_wiped(reason.as_deref());
        Ok(reason.is_some())
    }

    /// Records whether the data set is lost.
    pub(super) fn set_wiped(&mut self, reason: Option<&str>) {
        if reason.is_some() {
            // Whatever is missing once it is there again is doubtful, be it ever so little.
            self.certain.broken();
            self.doubt.settle();
        }
        if self.condition.set_wiped(self.shared, self.listener, reason) {
            // From here on missing fields are deletions.
            self.agenda.plan_full_after_change(self.held_bytes);
        }
    }

    /// Whether Redis still has one of the flags, and in it a reference to one of the segments.
    fn refer_still(&mut self, dependants: &Dependants) -> Result<bool, Failed> {
        for batch in dependants.flags.chunks(BATCH) {
            let keys: Vec<&str> = batch.iter().map(|(key, _)| &**key).collect();
            let texts = self.exchange.read(|reader| reader.part(&keys, &[]))?.flags;
            if batch.iter().zip(texts).any(|((key, held), text)| dependants.refers(key, held, text)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
