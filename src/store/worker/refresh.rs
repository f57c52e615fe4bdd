//! The store thread: reads Redis, decides when to read again, and is the only one that publishes.
//!
//! One loop: wait for a signal or the next deadline, then do what is due. What a read means for the held items is in
//! `all` and `lazy`; this module decides *when*, and tells how the store is. May depend on `model`.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use redis::PushInfo;

use crate::model::Jitter;
use crate::store::backoff::Backoff;
use crate::store::inbox::mailbox::{LinkPhase, Mailbox, Signal, signal};
use crate::store::memory::judge::Judge;
use crate::store::options::{Freshness, OnWipe, Residency};
use crate::store::redis::connector::Connector;
use crate::store::redis::reader::{ReadError, Reader};
use crate::store::redis::writer::{WriteError, Writer};
use crate::store::shared::Shared;
use crate::store::status::{Level, Listener, Rung, StoreState, monotonic_ms, saturating_ms};
use crate::store::worker::mirror::Mirror;
use crate::store::worker::refresh_lazy::Due;

/// Period of the coarse clock behind use marks.
const TICK: Duration = Duration::from_millis(250);
/// Ticks that count as "lately": the present one and those of the last second.
const LATELY_TICKS: u32 = 5;
/// Pauses between two wishes for fresh data, as long as none of what was delivered could be written: a Redis that answers
/// but refuses writes (full, read-only) must not make every process fetch everything again and again.
const FRESH_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Why the store thread could not do what was due.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// A read failed.
    #[error("reading from Redis failed: {0}")]
    Read(#[from] ReadError),
    /// A write failed.
    #[error("writing to Redis failed: {0}")]
    Write(#[from] WriteError),
}

/// What a full read achieved.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// Reading again at this generation would find nothing else.
    pub settled: bool,
    /// How long ago everything held was known to be true; `None` when that is not known.
    pub confirmed: Option<Duration>,
}

/// The store thread's own state.
pub struct Refresher<'a> {
    pub(in crate::store) shared: &'a Shared,
    pub(in crate::store) mailbox: &'a Mailbox,
    pub(in crate::store) listener: &'a dyn Listener,
    pub(in crate::store) reader: Reader<'a>,
    /// Exists where a data source's items are written.
    pub(in crate::store) writer: Option<Writer<'a>>,
    /// What is known of the difference between memory and Redis where memory is the truth.
    pub(in crate::store) mirror: Mirror,
    pub(in crate::store) judge: Judge,
    pub(in crate::store) jitter: Jitter,
    /// Bytes held, as of the latest full read.
    pub(in crate::store) held_bytes: usize,
    /// Fields found by the latest read of everything for a host (residency `lazy` and `off`).
    pub(in crate::store) whole_fields: usize,
    /// Items to read again by age (residency `lazy`).
    pub(in crate::store) due: Due,
    wake: &'a Receiver<PushInfo>,
    /// Redis failed, or refused what was delivered, while it is the truth: the data source has to start over.
    fresh_data_wanted: bool,
    /// Not before this moment.
    fresh_data_at: Instant,
    fresh_data_pauses: Backoff,
    /// The tick at the previous refetch of what is in use.
    pub(in crate::store) refetched_tick: u32,
    backoff: Backoff,
    /// Nothing is tried before this moment.
    retry_at: Instant,
    /// The generation up to which pushes were answered by a refetch.
    pub(in crate::store) answered: u64,
    /// The arming of the link after which everything was read.
    pub(in crate::store) armed_read: u64,
    pub(in crate::store) full_due: Option<Instant>,
    pub(in crate::store) full_ended: Instant,
    pub(in crate::store) full_cost: Duration,
    ticked: Instant,
    heard: Instant,
    pub(in crate::store) wipe_reason: Option<String>,
    /// A read has succeeded in this process.
    has_read: bool,
    /// What was last logged as wrong, until a read succeeds.
    logged: Option<String>,
    /// Phase of the link at the previous look.
    link_phase: LinkPhase,
}

/// Runs until the mailbox says stop.
pub fn run(shared: &Shared, mailbox: &Mailbox, listener: &dyn Listener, wake: &Receiver<PushInfo>) {
    let Some(connector) = &shared.connector else { return };
    let mut refresher = Refresher::new(shared, connector, mailbox, listener, wake);
    while !mailbox.is_stopped() {
        refresher.step(Instant::now());
        match wake.recv_timeout(refresher.pause(Instant::now())) {
            Ok(message) => {
                refresher.note(message);
                refresher.note_all();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
    refresher.send_the_rest();
}

impl<'a> Refresher<'a> {
    fn new(
        shared: &'a Shared,
        connector: &'a Connector,
        mailbox: &'a Mailbox,
        listener: &'a dyn Listener,
        wake: &'a Receiver<PushInfo>,
    ) -> Self {
        let now = Instant::now();
        Self {
            shared,
            mailbox,
            listener,
            reader: Reader::new(connector, &shared.keys),
            writer: shared.options.writes().then(|| Writer::new(connector, &shared.keys)),
            mirror: Mirror::default(),
            judge: Judge::default(),
            jitter: Jitter::new(),
            held_bytes: 0,
            whole_fields: 0,
            due: Due::new(&shared.options),
            wake,
            fresh_data_wanted: false,
            fresh_data_at: now,
            fresh_data_pauses: Backoff::between(FRESH_PAUSES.0, FRESH_PAUSES.1),
            refetched_tick: 1,
            backoff: Backoff::new(),
            retry_at: now,
            answered: 0,
            armed_read: 0,
            // A forked child holds data already; what is never to be read again stays as it was inherited.
            full_due: (shared.options.freshness != Freshness::Forever || !shared.health.is_ready()).then_some(now),
            full_ended: now,
            full_cost: Duration::ZERO,
            ticked: now,
            heard: now,
            wipe_reason: None,
            has_read: false,
            logged: None,
            link_phase: LinkPhase::Connecting,
        }
    }

    fn note(&mut self, message: PushInfo) {
        let keys = &self.shared.keys;
        let concerns_us = match signal(message) {
            Some(Signal::Flushed) => true,
            Some(Signal::Invalidated(names)) => {
                names.iter().any(|name| *name == keys.features.as_bytes() || *name == keys.segments.as_bytes())
            }
            Some(Signal::Wake) | None => false,
        };
        if concerns_us {
            self.shared.invalidate();
        }
    }

    /// Notes everything that has arrived by now.
    pub(in crate::store) fn note_all(&mut self) {
        while let Ok(message) = self.wake.try_recv() {
            self.note(message);
        }
    }

    fn pause(&self, now: Instant) -> Duration {
        let mut pause = TICK;
        if self.waits_for_link() {
            return pause;
        }
        for due in [self.full_due, self.mirror.due(), self.due.next()].into_iter().flatten() {
            pause = pause.min(due.max(self.retry_at).saturating_duration_since(now));
        }
        pause.max(Duration::from_millis(1))
    }

    fn step(&mut self, now: Instant) {
        if now.duration_since(self.ticked) >= TICK {
            self.shared.advance_tick();
            self.ticked = now;
        }
        if now >= self.retry_at && !self.waits_for_link() {
            let outcome =
                if self.shared.memory_leads() { self.mirror_what_is_due() } else { self.read_what_is_due(now) };
            if let Err(error) = outcome {
                self.failed(&error);
            }
        }
        if !self.shared.health.is_available() {
            self.mailbox.abandon_flights();
        } else if self.fresh_data_wanted && now >= self.fresh_data_at {
            self.fresh_data_wanted = false;
            self.fresh_data_at = now + self.fresh_data_pauses.next_pause();
            self.listener.wants_fresh_data();
        }
        self.report();
    }

    /// A full data set was written.
    pub(in crate::store) fn wrote_full(&mut self) {
        self.fresh_data_pauses.reset();
        self.fresh_data_at = Instant::now();
    }

    /// The first read happens after the subscription is in place, so that no change falls between the two.
    fn waits_for_link(&self) -> bool {
        self.shared.options.freshness == Freshness::Push && self.mailbox.link.phase() == LinkPhase::Connecting
    }

    fn read_what_is_due(&mut self, now: Instant) -> Result<(), Failed> {
        self.send_through()?;
        let generation = self.shared.generation();
        let armed = self.mailbox.link.armed();
        let asked = self.mailbox.take_asked();
        // A link that was armed again counts as a push: everything may have changed while nobody was told.
        let pushed = generation != self.answered || self.armed_read != armed;
        if !self.shared.health.is_ready() {
            if self.armed_read != armed {
                self.full_due = Some(now);
            }
        } else if self.shared.options.freshness == Freshness::Push && pushed {
            self.refetch_in_use(asked.unwrap_or_default())?;
            self.plan_full_after_push();
        } else if let Some(unknown) = asked
            && !self.shared.is_all_verified()
        {
            self.refetch_in_use(unknown)?;
        }
        (self.answered, self.armed_read) = (generation, armed);
        self.plan_full_for_host();
        self.serve_requests()?;
        self.serve_whole()?;
        if self.full_due.is_some_and(|due| due <= Instant::now()) {
            self.full_read()?;
        }
        self.refetch_expired()?;
        Ok(self.ping_when_idle()?)
    }

    fn refetch_in_use(&mut self, unknown: Vec<Box<str>>) -> Result<(), ReadError> {
        let since = self.refetched_tick.min(self.shared.tick().saturating_sub(LATELY_TICKS));
        self.refetched_tick = self.shared.tick();
        match self.shared.options.residency {
            Residency::All => self.refetch_snapshot(since, unknown)?,
            Residency::Lazy => self.refetch_cache(since)?,
            Residency::Off => return Ok(()),
        }
        self.succeeded();
        Ok(())
    }

    fn full_read(&mut self) -> Result<(), ReadError> {
        let began = Instant::now();
        let generation = self.shared.generation();
        let pass = match self.shared.options.residency {
            Residency::All => self.read_all(generation)?,
            Residency::Lazy => self.read_cached()?,
            Residency::Off => self.probe()?,
        };
        self.note_full(began.elapsed());
        self.succeeded();
        if let Some(ago) = pass.confirmed {
            self.shared.health.set_verified_at(monotonic_ms().saturating_sub(saturating_ms(ago)).max(1));
        }
        if pass.settled {
            self.shared.set_verified(generation);
        }
        self.plan_next_full();
        Ok(())
    }

    /// Redis answered last time.
    pub(in crate::store) fn is_well(&self) -> bool {
        self.has_read && self.logged.is_none()
    }

    /// With a push link the link pings; without one the data connection does, so that the status is true.
    pub(in crate::store) fn ping_when_idle(&mut self) -> Result<(), ReadError> {
        if self.mailbox.link.phase() != LinkPhase::Up && self.heard.elapsed() >= self.shared.options.ping {
            self.reader.ping()?;
            self.succeeded();
        }
        Ok(())
    }

    pub(in crate::store) fn succeeded(&mut self) {
        self.heard = Instant::now();
        self.backoff.reset();
        self.has_read = true;
        self.logged = None;
        if !self.shared.health.is_available() && self.mailbox.link.phase() != LinkPhase::Down {
            self.shared.health.set_available(true);
        }
        self.shared.health.set_malformed(self.judge.malformed());
    }

    fn failed(&mut self, error: &Failed) {
        let text = error.to_string();
        self.shared.health.set_available(false);
        self.shared.health.set_last_error(text.clone());
        if self.logged.as_ref() != Some(&text) {
            self.listener.log(Level::Error, format_args!("{text}"));
            self.logged = Some(text);
        }
        if self.shared.options.writes() && !self.shared.options.memory_leads() {
            // Redis is the truth and missed something: once it is back, the data source delivers everything again.
            self.mailbox.outbox.clear();
            self.note_cached();
            self.fresh_data_wanted = true;
        }
        // What is held was not read again, whatever the reason for the read was.
        self.shared.invalidate();
        let pause = self.backoff.next_pause();
        self.retry_at = Instant::now() + pause;
        if self.shared.options.freshness != Freshness::Forever || !self.shared.health.is_ready() {
            self.full_due = Some(self.retry_at);
        }
    }

    /// Records whether Redis lost the data set; `reason` says how.
    pub(in crate::store) fn set_wiped(&mut self, reason: Option<&str>) {
        let before = self.shared.health.set_wiped(reason.is_some());
        match (before, reason) {
            (false, Some(reason)) => {
                self.listener
                    .log(Level::Warn, format_args!("Redis lost the data set ({reason}); held items stay in force"));
            }
            (true, None) => {
                self.listener.log(Level::Info, format_args!("Redis holds a data set again"));
                // From here on missing fields are deletions.
                self.plan_full_after_push();
            }
            _ => {}
        }
        self.wipe_reason = reason.map(str::to_owned);
    }

    /// Whether a wipe is to be recognised at all.
    pub(in crate::store) fn keeps_on_wipe(&self) -> bool {
        self.shared.options.on_wipe == OnWipe::Keep && self.shared.options.residency != Residency::Off
    }

    /// Brings state and freshness up to date and tells when they changed.
    fn report(&mut self) {
        self.report_rung();
        let health = &self.shared.health;
        let phase = self.mailbox.link.phase();
        if phase == LinkPhase::Down && self.shared.options.freshness == Freshness::Push {
            if self.link_phase != phase
                && let Some(reason) = self.mailbox.link.reason()
            {
                health.set_last_error((*reason).clone());
            }
            health.set_available(false);
        }
        self.link_phase = phase;
        let (state, reason) = if !health.is_ready() {
            (StoreState::Init, "Redis has not been read yet".to_owned())
        } else if let Some(wipe) = &self.wipe_reason {
            (StoreState::Interrupted, format!("wiped: {wipe}"))
        } else if !self.has_read {
            (StoreState::Interrupted, "Redis has not been read yet in this process".to_owned())
        } else if !health.is_available() {
            let error = health.last_error().map_or_else(|| "no answer".to_owned(), |error| (*error).clone());
            (StoreState::Interrupted, error)
        } else {
            (StoreState::Valid, "Redis answers".to_owned())
        };
        if self.mailbox.is_stopped() || health.state() == state {
            return;
        }
        self.shared.set_state(state);
        let level = if state == StoreState::Interrupted { Level::Warn } else { Level::Info };
        self.listener.log(level, format_args!("store is {}: {reason}", state.name()));
        self.listener.state_changed(state, &reason);
    }

    fn report_rung(&self) {
        let link = &self.mailbox.link;
        let why = || link.reason().map(|reason| (*reason).clone());
        let (rung, reason) = match (self.shared.options.freshness, link.phase()) {
            (Freshness::Ttl, _) => (Rung::Ttl, Some("configured".to_owned())),
            (Freshness::Forever, _) => (Rung::Forever, Some("configured".to_owned())),
            (Freshness::Push, LinkPhase::Up) => (Rung::Push, Some("RESP3 broadcast tracking".to_owned())),
            (Freshness::Push, LinkPhase::Connecting) => (Rung::Starting, None),
            (Freshness::Push, LinkPhase::Down) => (Rung::Ttl, why().map(|why| format!("push link lost: {why}"))),
            (Freshness::Push, LinkPhase::Unsupported) => {
                (Rung::Ttl, why().map(|why| format!("the server refuses tracking: {why}")))
            }
        };
        let text = reason.clone().unwrap_or_default();
        if self.shared.health.set_rung(rung, reason) {
            let level = if rung == Rung::Ttl && self.shared.options.freshness == Freshness::Push {
                Level::Warn
            } else {
                Level::Info
            };
            self.listener.log(level, format_args!("freshness in force: {} ({text})", rung.name()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::store::testing::Recorder;
    use crate::store::{RedisOptions, StoreOptions, Upstream};

    fn shared() -> Shared {
        let second = Duration::from_secs(1);
        let redis = RedisOptions { connect_timeout: second, ..RedisOptions::at("redis://localhost").unwrap() };
        Shared::new(StoreOptions {
            redis: Some(redis),
            upstream: Upstream::Redis,
            prefix: String::new(),
            residency: Residency::All,
            freshness: Freshness::Push,
            ttl: second,
            capacity: NonZeroUsize::MIN,
            on_wipe: OnWipe::Keep,
            safety_interval: second,
            ping: second,
        })
        .unwrap()
    }

    #[test]
    fn a_host_that_looks_at_everything_brings_a_full_read_forward_while_the_set_is_unverified() {
        let (shared, recorder) = (shared(), Recorder::default());
        let (sender, wake) = channel();
        let mailbox = Mailbox::new(sender);
        let connector = shared.connector.as_ref().unwrap();
        let mut refresher = Refresher::new(&shared, connector, &mailbox, &recorder, &wake);
        let far = Instant::now() + Duration::from_secs(3_600);
        let mut due_after = |ready: bool, verified: bool, asked: bool| {
            refresher.full_due = Some(far);
            if ready {
                shared.health.set_ready();
            }
            if verified {
                shared.set_verified(shared.generation());
            } else {
                shared.invalidate();
            }
            if asked {
                mailbox.ask_full();
            }
            refresher.plan_full_for_host();
            refresher.full_due.unwrap()
        };
        assert_eq!(due_after(false, false, true), far, "the first read is due by itself");
        assert_eq!(due_after(true, true, true), far);
        assert_eq!(due_after(true, false, false), far);
        assert!(due_after(true, false, true) < Instant::now() + Duration::from_secs(1));
        assert_eq!(due_after(true, false, false), far, "a wish counts once");
    }
}
