//! What is due, and when: full reads, retries, wishes for fresh data. Plain state with the rules of time; no I/O.
//!
//! What is in use is read at once. The rest follows within a window that grows with the size of the data set and the number of
//! clients, because one change times 16 MB times 100 processes would be 1.6 GB. May depend on `backoff`.

use std::time::{Duration, Instant};

use crate::model::Jitter;
use crate::store::backoff::Backoff;

/// Shortest time between two full reads, and how many times its own duration one must be apart from the next.
const FULL_MINIMUM: Duration = Duration::from_millis(100);
const FULL_COST_FACTOR: u32 = 5;
/// What all clients of a server together read of it after a change.
const FLEET_BYTES_PER_SECOND: f64 = 100e6;
/// So many clients are assumed.
const PEERS: f64 = 10.0;
/// The rest is not put off for longer.
const LONGEST_WINDOW: Duration = Duration::from_secs(30);
/// Pauses between attempts to write what the server refuses.
const WRITE_PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// Pauses between two wishes for fresh data, as long as none of what was delivered could be written: a Redis that answers
/// but refuses writes (full, read-only) must not make every process fetch everything again and again.
const FRESH_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The agenda of one store thread.
#[derive(Debug)]
pub struct Agenda {
    /// When everything is to be read again.
    pub full_due: Option<Instant>,
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
    pub retry_at: Instant,
    backoff: Backoff,
    /// Nothing is written before this moment.
    pub write_at: Instant,
    write_backoff: Backoff,
    /// Redis missed something while it is the truth: the data source has to start over.
    fresh_wanted: bool,
    fresh_at: Instant,
    fresh_pauses: Backoff,
    /// Redis answered last.
    pub heard: Instant,
    jitter: Jitter,
}

impl Agenda {
    /// Everything is to be read at once, if at all.
    pub fn new(now: Instant, reads: bool) -> Self {
        Self {
            full_due: reads.then_some(now),
            is_safety_look: false,
            full_ended: now,
            full_cost: Duration::ZERO,
            answered: 0,
            armed_read: 0,
            refetched_tick: 1,
            retry_at: now,
            backoff: Backoff::new(),
            write_at: now,
            write_backoff: Backoff::between(WRITE_PAUSES.0, WRITE_PAUSES.1),
            fresh_wanted: false,
            fresh_at: now,
            fresh_pauses: Backoff::between(FRESH_PAUSES.0, FRESH_PAUSES.1),
            heard: now,
            jitter: Jitter::new(),
        }
    }

    /// Whether everything is to be read now.
    pub fn is_full_due(&self) -> bool {
        self.full_due.is_some_and(|due| due <= Instant::now())
    }

    /// A whole pass has succeeded.
    pub fn succeeded(&mut self) {
        self.heard = Instant::now();
        self.backoff.reset();
    }

    /// A pass has failed: nothing is tried for a while; then everything is read, if `reads`.
    pub fn failed(&mut self, reads: bool) {
        self.retry_at = Instant::now() + self.backoff.next_pause();
        if reads {
            self.full_due = Some(self.retry_at);
            self.is_safety_look = false;
        }
    }

    /// A write was refused: none is tried for a while.
    pub fn write_failed(&mut self) {
        self.write_at = Instant::now() + self.write_backoff.next_pause();
    }

    /// A write was accepted.
    pub fn wrote(&mut self) {
        self.write_backoff.reset();
        self.write_at = Instant::now();
    }

    /// A read of everything has ended.
    pub fn note_full(&mut self, cost: Duration) {
        self.full_cost = cost;
        self.full_ended = Instant::now();
    }

    /// Something changed, of a data set of so many bytes: everything is read after a while of its own in each process.
    pub fn plan_full_after_change(&mut self, bytes: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a duration need not be exact")]
        let window = Duration::from_secs_f64(bytes as f64 * PEERS / FLEET_BYTES_PER_SECOND).min(LONGEST_WINDOW);
        let put_off = window.mul_f64(self.jitter.between(0.0, 1.0));
        let soonest = if window < FULL_MINIMUM { Instant::now() } else { self.soonest_full() };
        self.plan_full_by(soonest.max(Instant::now() + put_off));
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

    /// The next read of everything, or a look whether anything was missed.
    pub fn plan_next(&mut self, interval: Option<Duration>, is_safety_look: bool) {
        self.full_due = interval.map(|interval| Instant::now() + interval.mul_f64(self.jitter.between(0.85, 1.0)));
        self.is_safety_look = is_safety_look;
    }

    /// The data source has to deliver everything again.
    pub fn want_fresh(&mut self) {
        self.fresh_wanted = true;
    }

    /// A full data set was written.
    pub fn got_fresh(&mut self) {
        self.fresh_pauses.reset();
        self.fresh_at = Instant::now();
    }

    /// Whether the data source is to be asked now.
    pub fn take_fresh_wish(&mut self) -> bool {
        let now = Instant::now();
        if !self.fresh_wanted || now < self.fresh_at {
            return false;
        }
        self.fresh_wanted = false;
        self.fresh_at = now + self.fresh_pauses.next_pause();
        true
    }
}
