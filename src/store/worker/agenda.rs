//! What is due, and when: full reads, retries, wishes for fresh data. Plain state with the rules of time; no I/O. May depend on
//! `spread` and `backoff`.

use std::time::{Duration, Instant};

use super::spread::Spread;
use crate::model::Jitter;
use crate::store::backoff::Backoff;

/// Shortest time between two full reads, and how many times its own duration one must be apart from the next.
const FULL_MINIMUM: Duration = Duration::from_millis(100);
const FULL_COST_FACTOR: u32 = 5;
/// A full read that takes no longer costs nothing.
const TRIFLE: Duration = Duration::from_millis(5);
/// How long items wait whose hash is gone.
const GONE_PAUSE: Duration = Duration::from_millis(20);
/// Pauses between attempts to write what the server refuses.
const WRITE_PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// The same where what answers is not the server that is sought: its name may lead elsewhere soon, or never.
const ELSEWHERE_PAUSES: (Duration, Duration) = (Duration::from_millis(300), WRITE_PAUSES.1);
/// Pauses between two wishes for fresh data, as long as none of what was delivered could be written: a Redis that answers
/// but refuses writes (full, read-only) must not make every process fetch everything again and again.
const FRESH_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Pauses before the data source is asked because another server answers, which is known or only possible.
const SURE_PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(3));
const UNSURE_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));
/// Without such a reason for so long, the next pause is short again.
const CALM: Duration = Duration::from_secs(60);

/// What has to be read once Redis is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// What is held stays as it is.
    Nothing,
    /// Everything, for the first time.
    First,
    /// Everything, although it is held: what has changed is not known.
    Again {
        /// Bytes held.
        bytes: usize,
    },
}

/// Why something was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwritten {
    /// Redis is away.
    Away,
    /// What answers is not the server that is sought, such as a replica: connections are made anew each time.
    Elsewhere,
    /// The server refuses it.
    Refused,
}

/// The agenda of one store thread.
#[derive(Debug)]
pub struct Agenda {
    /// When everything is to be read again, whatever changes.
    pub full_due: Option<Instant>,
    /// When everything is to be read again because something has changed.
    pub spread: Spread,
    /// Everything was to be read and could not be: until it is, nothing counts as recovered.
    pub owes_full: bool,
    /// The first thing after a failure is to find out whether Redis is there.
    pub knocks: bool,
    /// That is only because nobody has looked for a while.
    pub is_safety_look: bool,
    full_ended: Instant,
    full_cost: Duration,
    /// The generation up to which pushes were answered by a refetch.
    pub answered: u64,
    /// The arming of the watch after which everything was read.
    pub armed_read: u64,
    /// The tick at the previous refetch of what is in use.
    pub refetched_tick: u32,
    /// Nothing is tried before this moment.
    retry_at: Instant,
    /// The same while somebody waits for Redis.
    hurried_at: Instant,
    backoff: Backoff,
    /// Nothing is written before this moment.
    pub write_at: Instant,
    /// The same for what waits in the outbox, whose hash is gone.
    gone_until: Instant,
    write_backoff: Backoff,
    /// Pauses between attempts to write while Redis is away.
    away_backoff: Backoff,
    /// The same while another server is sought.
    elsewhere_backoff: Backoff,
    /// Redis missed something while it is the truth: the data source has to start over.
    fresh_wanted: bool,
    fresh_at: Instant,
    fresh_pauses: Backoff,
    /// Redis may have lost something: when the data source is to be asked.
    fresh_due: Option<Instant>,
    wanted_again: Option<Instant>,
    sure_pauses: Backoff,
    unsure_pauses: Backoff,
    /// Redis answered last.
    pub heard: Instant,
    jitter: Jitter,
}

impl Agenda {
    /// Everything is to be read at once, if at all.
    pub fn new(now: Instant, reads: bool) -> Self {
        Self {
            full_due: reads.then_some(now),
            spread: Spread::default(),
            owes_full: false,
            knocks: false,
            is_safety_look: false,
            full_ended: now,
            full_cost: Duration::ZERO,
            answered: 0,
            armed_read: 0,
            refetched_tick: 1,
            retry_at: now,
            hurried_at: now,
            backoff: Backoff::new(),
            write_at: now,
            gone_until: now,
            write_backoff: Backoff::between(WRITE_PAUSES.0, WRITE_PAUSES.1),
            away_backoff: Backoff::new(),
            elsewhere_backoff: Backoff::between(ELSEWHERE_PAUSES.0, ELSEWHERE_PAUSES.1),
            fresh_wanted: false,
            fresh_at: now,
            fresh_pauses: Backoff::between(FRESH_PAUSES.0, FRESH_PAUSES.1),
            fresh_due: None,
            wanted_again: None,
            sure_pauses: Backoff::between(SURE_PAUSES.0, SURE_PAUSES.1),
            unsure_pauses: Backoff::between(UNSURE_PAUSES.0, UNSURE_PAUSES.1),
            heard: now,
            jitter: Jitter::new(),
        }
    }

    /// Nothing is tried before this moment; where somebody waits for Redis, it comes sooner.
    pub fn retry_at(&self, is_awaited: bool) -> Instant {
        if is_awaited { self.hurried_at } else { self.retry_at }
    }

    /// When everything is to be read, for whatever reason.
    pub fn next_full(&self) -> Option<Instant> {
        self.full_due.into_iter().chain(self.rest_due()).min()
    }

    /// Whether everything is to be read now.
    pub fn is_full_due(&self) -> bool {
        self.next_full().is_some_and(|due| due <= Instant::now())
    }

    /// Whether what is due now is due only because nobody has looked for a while.
    pub fn is_only_a_look(&self) -> bool {
        self.is_safety_look && self.rest_due().is_none_or(|due| due > Instant::now())
    }

    /// When everything is to be read because something has changed.
    pub fn rest_due(&self) -> Option<Instant> {
        let due = self.spread.due()?;
        // What is read in no time may be read at any time.
        Some(if self.full_cost < TRIFLE && !self.spread.is_eager { due } else { due.max(self.soonest_full()) })
    }

    /// A whole pass has succeeded.
    pub fn succeeded(&mut self) {
        self.heard = Instant::now();
        self.backoff.reset();
    }

    /// A pass has failed: nothing is tried for a while. Everything is read then if it never was; a process that has data looks
    /// whether Redis is there and takes its turn, with a data set of so many bytes.
    pub fn failed(&mut self, needs: Needs) {
        let (now, pause) = (Instant::now(), self.backoff.next_pause());
        (self.hurried_at, self.retry_at) = (now + pause, now + self.backoff.unhurried(pause));
        match needs {
            Needs::Nothing => {}
            Needs::First => (self.full_due, self.knocks) = (Some(self.hurried_at), true),
            Needs::Again { bytes } => {
                self.spread.note_outage(self.hurried_at, bytes);
                (self.full_due, self.owes_full, self.knocks) = (None, true, true);
            }
        }
        if needs != Needs::Nothing {
            self.is_safety_look = false;
        }
    }

    /// Another server answers by now: nothing that failed is waited for.
    pub fn retry_now(&mut self) {
        let now = Instant::now();
        (self.retry_at, self.hurried_at, self.write_at) =
            (self.retry_at.min(now), self.hurried_at.min(now), self.write_at.min(now));
        // It may take a moment until it serves.
        self.backoff.reset();
        self.reset_writing();
    }

    /// Nothing will be read.
    pub fn owe_nothing(&mut self) {
        self.spread.close();
        (self.owes_full, self.knocks) = (false, false);
    }

    fn reset_writing(&mut self) {
        [&mut self.write_backoff, &mut self.away_backoff, &mut self.elsewhere_backoff]
            .into_iter()
            .for_each(Backoff::reset);
    }

    /// Nothing is written for a while, which is longer where asking again is of little use, or costs much.
    pub fn write_failed(&mut self, why: Unwritten) {
        let pauses = match why {
            Unwritten::Away => &mut self.away_backoff,
            Unwritten::Elsewhere => &mut self.elsewhere_backoff,
            Unwritten::Refused => &mut self.write_backoff,
        };
        self.write_at = Instant::now() + pauses.next_pause();
    }

    /// A hash is gone: whoever may heal writes it anew, and items wait for that a little.
    pub fn found_no_hash(&mut self) {
        self.gone_until = Instant::now() + GONE_PAUSE;
    }

    /// When what waits is to be written.
    pub fn outbox_at(&self) -> Instant {
        self.write_at.max(self.gone_until)
    }

    /// A write was accepted.
    pub fn wrote(&mut self) {
        self.reset_writing();
        self.write_at = Instant::now();
    }

    /// A read of everything has ended.
    pub fn note_full(&mut self, cost: Duration) {
        self.full_cost = cost;
        self.full_ended = Instant::now();
        self.owe_nothing();
    }

    /// Something changed, of a data set of so many bytes: everything is read after a while of its own in each process.
    pub fn plan_full_after_change(&mut self, bytes: usize) {
        self.spread.note_edit(Instant::now(), bytes);
    }

    /// Nobody told of changes for a while: everything is read, also after a while of its own in each process.
    pub fn plan_full_after_outage(&mut self, bytes: usize) {
        self.spread.note_outage(Instant::now(), bytes);
    }

    /// The earliest moment that its cost allows.
    pub fn soonest_full(&self) -> Instant {
        self.full_ended + FULL_MINIMUM.max(self.full_cost * FULL_COST_FACTOR)
    }

    /// At that moment, unless it is due earlier anyway.
    pub fn plan_full_by(&mut self, at: Instant) {
        if self.is_safety_look {
            self.is_safety_look = false;
            self.full_due = Some(at);
        } else {
            self.full_due = Some(self.full_due.map_or(at, |due| due.min(at)));
        }
    }

    /// The next read of everything, or a look whether anything was missed. Intervals differ by a tenth, so that processes that
    /// started together do not stay together; what goes by age is never older than it may be.
    pub fn plan_next(&mut self, interval: Option<Duration>, is_safety_look: bool) {
        let (shortest, longest) = if is_safety_look { (0.9, 1.1) } else { (0.8, 1.0) };
        self.full_due =
            interval.map(|interval| Instant::now() + interval.mul_f64(self.jitter.between(shortest, longest)));
        self.is_safety_look = is_safety_look;
    }

    /// The data source has to deliver everything again.
    pub fn want_fresh(&mut self) {
        self.fresh_wanted = true;
    }

    /// The same after a while, for a reason that many processes have at the same moment, and that may come again and again where
    /// it is not sure.
    pub fn want_fresh_again(&mut self, is_sure: bool) {
        if self.fresh_due.is_some() {
            return;
        }
        let now = Instant::now();
        let pauses = if is_sure { &mut self.sure_pauses } else { &mut self.unsure_pauses };
        if is_sure && self.wanted_again.is_none_or(|at| now.saturating_duration_since(at) > CALM) {
            pauses.reset();
        }
        self.wanted_again = Some(now);
        self.fresh_due = Some(now + pauses.next_pause());
    }

    /// A full data set was written.
    pub fn got_fresh(&mut self) {
        self.fresh_pauses.reset();
        self.fresh_at = Instant::now();
        self.fresh_due = None;
    }

    /// Whether the data source is to be asked now.
    pub fn take_fresh_wish(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.fresh_due.is_some_and(|due| due <= now);
        if !(self.fresh_wanted || is_due) || now < self.fresh_at {
            return false;
        }
        (self.fresh_wanted, self.fresh_due) = (false, None);
        self.fresh_at = now + self.fresh_pauses.next_pause();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a write waits after so many that failed.
    fn pause(agenda: &mut Agenda, failures: usize, why: Unwritten) -> Duration {
        (0..failures).for_each(|_| agenda.write_failed(why));
        agenda.outbox_at().saturating_duration_since(Instant::now())
    }

    #[test]
    fn what_could_not_be_written_during_an_outage_does_not_wait_for_long_after_it() {
        let agenda = &mut Agenda::new(Instant::now(), true);
        assert!(pause(agenda, 12, Unwritten::Away) <= Duration::from_secs(3));
        assert!(
            pause(agenda, 12, Unwritten::Refused) > Duration::from_secs(7),
            "what is refused is not asked for again and again"
        );
        assert!(
            pause(agenda, 12, Unwritten::Elsewhere) > Duration::from_secs(7),
            "nor is a replica left again and again"
        );
        agenda.retry_now();
        assert_eq!(pause(agenda, 0, Unwritten::Away), Duration::ZERO);
        assert!(
            pause(agenda, 1, Unwritten::Away) <= WRITE_PAUSES.0
                && pause(agenda, 1, Unwritten::Refused) <= WRITE_PAUSES.0,
            "at another one"
        );
    }
}
