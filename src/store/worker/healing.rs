//! A lost data set is written again from memory: under a lock, once for all processes, and less and less often when something
//! removes it for ever. May depend on `memory`, `redis` and `truth`.

use std::time::{Duration, Instant};

use super::{Failed, Worker};
use crate::model::Jitter;
use crate::store::backoff::Backoff;
use crate::store::reply::{PartReply, Presence};
use crate::store::status::Level;
use crate::store::truth::comparison::{loss, snapshot_items};

/// Pauses between two heals.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Without a loss for so long, the next one is healed at once.
const CALM: Duration = Duration::from_secs(5);
/// So long others may heal first, if the data source of this process does not vouch for what is held here.
const DEFERENCE: Duration = Duration::from_secs(2);
/// A lock that somebody else holds for longer is not waited for: its holder may be dead.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// When a lost data set may be written again.
#[derive(Debug)]
pub struct Healing {
    /// The data set is lost: when to look again.
    look_at: Option<Instant>,
    /// Since when it is lost, as far as is known.
    lost_since: Option<Instant>,
    /// Not before.
    not_before: Instant,
    pauses: Backoff,
    healed: Option<Instant>,
    locked_out_since: Option<Instant>,
    pub(super) jitter: Jitter,
}

impl Healing {
    /// Nothing is lost.
    pub fn new(now: Instant) -> Self {
        Self {
            look_at: None,
            lost_since: None,
            not_before: now,
            pauses: Backoff::between(PAUSES.0, PAUSES.1),
            healed: None,
            locked_out_since: None,
            jitter: Jitter::new(),
        }
    }

    /// When to look again whether the data set is lost.
    pub fn due(&self) -> Option<Instant> {
        self.look_at
    }

    /// Nothing is lost.
    fn settle(&mut self) {
        self.look_at = None;
        self.lost_since = None;
    }

    fn note_healed(&mut self, now: Instant) {
        if self.healed.is_some_and(|healed| now.duration_since(healed) > CALM) {
            self.pauses.reset();
        }
        self.healed = Some(now);
        self.not_before = now + self.pauses.next_pause();
    }
}

impl Worker<'_> {
    /// Writes a lost data set again, if it is time; true when it was lost.
    pub(super) fn heal_if_lost(
        &mut self,
        presence: Presence,
        sizes: [Option<usize>; 2],
        wrong_type: Option<&str>,
    ) -> Result<bool, Failed> {
        let Some(reason) = loss(&self.shared.snapshot.load(), presence, sizes, wrong_type) else {
            if presence.inited {
                self.shared.set_inited();
            }
            self.healing.settle();
            self.set_wiped(None);
            return Ok(false);
        };
        self.set_wiped(Some(&reason));
        let now = Instant::now();
        let refused_until = if self.condition.wrong_data { now } else { self.agenda.write_at };
        let lost_since = *self.healing.lost_since.get_or_insert(now);
        let deferred_until = if self.shared.is_source_valid() { now } else { lost_since + DEFERENCE };
        let allowed_at = self.healing.not_before.max(refused_until).max(deferred_until);
        if now < allowed_at {
            self.healing.look_at = Some(allowed_at);
            return Ok(true);
        }
        match self.lock_to_heal(now) {
            Ok(true) => {}
            Ok(false) => return Ok(true),
            Err(error) => {
                self.cannot_heal(&error);
                return Ok(true);
            }
        }
        let outcome = self.unless_outrun(Self::heal_locked);
        self.unlock();
        match outcome {
            Err(error @ Failed::Write(_)) => self.cannot_heal(&error),
            outcome => outcome?,
        }
        Ok(true)
    }

    fn cannot_heal(&mut self, error: &Failed) {
        self.write_failed(error);
        self.healing.look_at = Some(self.agenda.write_at);
    }

    /// Takes the lock, or has waited long enough for it.
    fn lock_to_heal(&mut self, now: Instant) -> Result<bool, Failed> {
        if self.exchange.write(|writer| writer.lock())? != Some(false) {
            self.healing.locked_out_since = None;
            return Ok(true);
        }
        let since = *self.healing.locked_out_since.get_or_insert(now);
        if now.duration_since(since) >= LOCK_PATIENCE {
            self.healing.locked_out_since = None;
            return Ok(true);
        }
        self.healing.look_at = Some(now + self.lock_pause());
        Ok(false)
    }

    /// With the lock: another process may have done it just before. False when others wrote meanwhile.
    fn heal_locked(&mut self) -> Result<bool, Failed> {
        let PartReply { mut presence, mut sizes, mut wrong_type, .. } =
            self.exchange.read(|reader| reader.presence())?;
        let snapshot = self.shared.snapshot.load_full();
        if sizes.contains(&None) && wrong_type.is_none() {
            // A user who may not count has to read.
            let count = snapshot.flags.len() + snapshot.segments.len();
            let reply = self.exchange.read(|reader| reader.everything(count))?;
            (presence, sizes, wrong_type) =
                (reply.presence, reply.sizes().map(Some), reply.wrong_type().map(str::to_owned));
        }
        if loss(&snapshot, presence, sizes, wrong_type.as_deref()).is_some() {
            if self.exchange.write(|writer| writer.init(snapshot_items(&snapshot)))? == Some(false) {
                return Ok(false);
            }
            let count = snapshot.flags.len() + snapshot.segments.len();
            self.healing.note_healed(Instant::now());
            self.listener.log(Level::Warn, format_args!("rewrote the lost data set in Redis: {count} items"));
        }
        self.note_whole();
        Ok(true)
    }

    /// Redis holds the data set.
    pub(super) fn note_whole(&mut self) {
        self.healing.settle();
        self.mirror.forget_missing();
        self.shared.set_inited();
        self.condition.wrote();
        self.agenda.wrote();
        self.set_wiped(None);
    }
}
