//! The store thread: what is due and when, and every exchange with Redis. It alone publishes what was read.
//!
//! | Module | Is |
//! |---|---|
//! | `agenda`, `spread` | what is due, when, after what pause |
//! | `exchange` | the one wrapper around every exchange |
//! | `between` | what is told while everything is read in steps |
//! | `following`, `following_all`, `following_part`, `following_lazy` | Redis leads: reads, and what they mean for what is held |
//! | `login` | who logs in, and that it is another one now |
//! | `looking` | whether anything was missed that nobody told |
//! | `pairing` | data and watch lead to the same server |
//! | `due` | items to read again by age |
//! | `leading`, `healing` | memory leads: writes, and what others did to them |
//! | `told` | fields that the watch named |
//! | `opening` | what the first read put in force without parsing it |
//! | `outgoing` | what a data source delivered, on its way to Redis |
//! | `unseen` | what happened that nobody could tell |
//! | `written` | whether another server has what was written |
//! | `answering` | host threads that wait for a read |
//! | `condition` | state, freshness in force, log |
//! | `watching` | the watch's thread |
//! | `seeking` | the thread that hears from sentinels where the primary is |
//! | `post` | what the replica that is read says of itself |
//! | `charting` | the same for a cluster: the thread that asks its nodes who owns what |
//!
//! May depend on all other rooms.

mod agenda;
mod answering;
mod between;
pub mod charting;
mod condition;
mod due;
mod exchange;
mod following;
mod following_all;
mod following_lazy;
mod following_part;
mod healing;
mod leading;
mod login;
mod looking;
mod opening;
mod outgoing;
mod pairing;
mod post;
pub mod seeking;
mod spread;
mod told;
mod unseen;
pub mod watching;
mod written;

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use agenda::{Agenda, Needs};
use condition::Condition;
use due::Due;
use exchange::{Exchange, Failed};
use healing::Healing;
use leading::Mirror;
use login::LoginWatch;
use pairing::Pairing;
use told::Named;
use unseen::Certain;
use written::Written;

use crate::store::inbox::link::LinkPhase;
use crate::store::inbox::mailbox::{Mailbox, Wake};
use crate::store::memory::judge::Judge;
use crate::store::options::{Freshness, Residency};
use crate::store::redis::class::Class;
use crate::store::redis::connector::Connector;
use crate::store::shared::Shared;
use crate::store::signal::Signal;
use crate::store::status::Listener;
use crate::store::truth::loss::Doubt;

/// Period of the coarse clock behind use marks.
const TICK: Duration = Duration::from_millis(250);

/// The store thread's own state.
struct Worker<'a> {
    shared: &'a Shared,
    mailbox: &'a Mailbox,
    listener: &'a dyn Listener,
    wake: &'a Receiver<Wake>,
    /// What has arrived and was not noted yet.
    postponed: VecDeque<Wake>,
    exchange: Exchange<'a>,
    agenda: Agenda,
    condition: Condition,
    judge: Judge,
    /// There may be items in force that were not parsed yet.
    has_sealed: bool,
    /// Much of the data set is gone.
    doubt: Doubt,
    certain: Certain,
    pairing: Pairing,
    login: LoginWatch,
    /// What was written last where Redis is the truth.
    written: Written,
    /// What is known of the difference between memory and Redis where memory is the truth.
    mirror: Mirror,
    healing: Healing,
    /// Items to read again by age (residency `lazy`).
    due: Due,
    /// Fields that the watch named and that were not read yet.
    named: Named,
    /// Since when reads of everything were not of one moment.
    torn_since: Option<Instant>,
    /// Since when something was told during each read in steps from which something was missing.
    restless_since: Option<Instant>,
    /// Bytes held, as of the latest full read; at first what a child inherited.
    held_bytes: usize,
    /// Fields found by the latest read of everything for a host (residency `lazy` and `off`).
    whole_fields: usize,
    /// What Redis held, and the full data set that gave way to it, as fingerprints.
    yielded: Option<[u64; 2]>,
    /// Numbers of fields of both hashes that were last accepted (residency `lazy`).
    accepted: [usize; 2],
    /// Where the next look whether anything was missed goes on.
    looked_at: usize,
    started: Instant,
    ticked: Instant,
}

/// Runs until the mailbox says stop.
pub fn run(shared: &Shared, mailbox: &Mailbox, listener: &dyn Listener, wake: &Receiver<Wake>) {
    let Some(connector) = &shared.connector else { return };
    // A thread that panicked has left those without an answer that it had taken.
    mailbox.forget_taken();
    let mut worker = Worker::new(shared, connector, mailbox, listener, wake);
    while !mailbox.is_stopped() {
        worker.step(Instant::now());
        match wake.recv_timeout(worker.pause(Instant::now())) {
            Ok(message) => {
                worker.postponed.push_back(message);
                worker.note_all();
            }
            Err(RecvTimeoutError::Timeout) => worker.note_all(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
    worker.send_the_rest();
}

impl<'a> Worker<'a> {
    fn new(
        shared: &'a Shared,
        connector: &'a Connector,
        mailbox: &'a Mailbox,
        listener: &'a dyn Listener,
        wake: &'a Receiver<Wake>,
    ) -> Self {
        let now = Instant::now();
        // A forked child holds data already; what is never to be read again stays as it was inherited.
        let holds_all = shared.options.residency == Residency::All;
        let judge = Judge::sharing(&mailbox.remarked);
        let reads = shared.options.freshness != Freshness::Forever || !shared.health.is_ready();
        Self {
            shared,
            mailbox,
            listener,
            wake,
            postponed: VecDeque::new(),
            exchange: Exchange::new(shared, connector),
            agenda: Agenda::new(now, reads),
            condition: Condition::default(),
            judge: if holds_all && !shared.health.is_ready() { judge.sealing() } else { judge },
            // A forked child may have inherited them.
            has_sealed: holds_all,
            doubt: Doubt::default(),
            certain: Certain::default(),
            pairing: Pairing::new(),
            login: LoginWatch::default(),
            mirror: Mirror::default(),
            written: Written::default(),
            healing: Healing::new(now),
            due: Due::new(&shared.options),
            named: Named::default(),
            torn_since: None,
            restless_since: None,
            held_bytes: shared.snapshot.load().bytes(),
            whole_fields: 0,
            yielded: None,
            accepted: [0; 2],
            looked_at: 0,
            started: now,
            ticked: now,
        }
    }

    fn note(&mut self, message: Wake) {
        let Wake::Told(signal) = message else { return };
        match signal {
            Signal::Moved => return self.follow_place(),
            Signal::Astray => return self.leave_place(),
            Signal::Contested(why) => {
                self.condition.contested = why;
                return self.report();
            }
            _ => {}
        }
        let generation = self.shared.invalidate();
        if let Signal::Fields(fields) = signal {
            return self.named.note(fields, generation);
        }
        if signal == Signal::Flushed {
            self.certain.broken();
        }
        if signal == Signal::Lost {
            if self.exchange.was_closed() {
                // Both ended: it is the server that is gone, and not only the watch.
                self.shared.health.set_available(false);
            }
            // The name may lead to another server by now: the data connection has to prove itself, too.
            self.start_over_with_watch();
            self.condition.unproven = Some(self.how_the_watch_ended());
            self.agenda.plan_full_after_outage(self.held_bytes);
            // Before anything is read: that may take as long as the server hangs.
            self.report();
        }
    }

    /// One that was given up for another is no failure, and hides none that led to it.
    fn how_the_watch_ended(&self) -> String {
        let link = &self.mailbox.link;
        if link.phase() == LinkPhase::Up {
            return "the watch for changes is made anew".to_owned();
        }
        let why = link.remark().map_or_else(String::new, |why| format!(": {why}"));
        let lost = format!("the watch for changes was lost{why}");
        self.shared.health.set_error(lost.clone());
        lost
    }

    fn report(&mut self) {
        let waits = self.waits_for_watch(Instant::now());
        self.condition.report(self.shared, self.mailbox, self.listener, waits);
    }

    /// Notes everything that has arrived by now.
    fn note_all(&mut self) {
        while let Some(message) = self.postponed.pop_front().or_else(|| self.wake.try_recv().ok()) {
            self.note(message);
        }
    }

    fn pause(&self, now: Instant) -> Duration {
        if self.may_open() || !self.postponed.is_empty() {
            return Duration::ZERO;
        }
        let (mut pause, retry_at) = (TICK, self.agenda.retry_at(self.is_awaited()));
        if self.waits_for_watch(now) || self.login.is_awaited() {
            return pause;
        }
        for due in [self.agenda.next_full(), self.mirror.due(), self.healing.due(), self.due.next(), self.pairing.due()]
            .into_iter()
            .chain([self.suspects_due()])
            .flatten()
        {
            pause = pause.min(due.max(retry_at).saturating_duration_since(now));
        }
        if !self.mailbox.outbox.is_empty() {
            pause = pause.min(self.agenda.outbox_at().max(retry_at).saturating_duration_since(now));
        }
        pause.max(Duration::from_millis(1))
    }

    fn step(&mut self, now: Instant) {
        if now.duration_since(self.ticked) >= TICK {
            self.shared.advance_tick();
            self.ticked = now;
            self.look_at_idle_connection();
        }
        let is_locked_out = self.follow_login(now);
        if !is_locked_out && now >= self.agenda.retry_at(self.is_awaited()) && !self.waits_for_watch(now) {
            self.mailbox.forget_callers();
            self.pass(now);
            if self.pairing.due().is_some_and(|due| due <= now) {
                self.compare_servers(false);
            }
        }
        if !self.shared.health.is_available() {
            self.mailbox.abandon_flights();
        } else if self.agenda.take_fresh_wish() {
            self.listener.wants_fresh_data();
        }
        self.report();
        if self.may_open() {
            self.open_some();
        }
    }

    /// A connection that ends while nobody uses it may be the first sign of another server.
    fn look_at_idle_connection(&mut self) {
        if self.exchange.was_closed() && self.condition.is_well() && self.shared.options.freshness != Freshness::Forever
        {
            self.condition.unproven = Some("the connection for reading was lost".to_owned());
            // What writes may be left at another server, where nothing is known of the watch's, too.
            self.exchange.start_over();
            self.agenda.plan_full_after_outage(self.held_bytes);
        }
    }

    /// Does what is due. A pass that sent nothing says nothing about Redis.
    fn pass(&mut self, now: Instant) {
        let answers = self.exchange.answers();
        self.agenda.spread.is_eager = self.shared.hears_flag_changes();
        let outcome = if self.shared.memory_leads() { self.lead() } else { self.follow(now) };
        if !self.rereads() {
            self.agenda.owe_nothing();
        }
        let outcome = outcome.and_then(|()| self.ask_for_peers(now));
        self.follow_redirects();
        match outcome {
            Ok(()) if self.exchange.answers() == answers || self.agenda.owes_full => {}
            Ok(()) => self.succeeded(),
            Err(error) => self.failed(&error),
        }
    }

    /// Whether what is held is ever read again.
    fn rereads(&self) -> bool {
        let options = &self.shared.options;
        if self.shared.memory_leads() { self.exchange.writes() } else { options.freshness != Freshness::Forever }
    }

    /// Somebody has no answer without Redis.
    fn is_awaited(&self) -> bool {
        !self.shared.answers() || self.mailbox.has_callers()
    }

    /// How many clients share the server.
    fn ask_for_peers(&mut self, now: Instant) -> Result<(), Failed> {
        if self.agenda.spread.asks_for_peers(now) {
            let peers = self.exchange.read(|reader| reader.peers())?;
            self.agenda.spread.set_peers(peers);
        }
        Ok(())
    }

    /// The first read happens after the watch is armed, so that no change falls between the two; but a watch that does not
    /// come about keeps nobody from reading.
    fn waits_for_watch(&self, now: Instant) -> bool {
        self.shared.options.freshness == Freshness::Push
            && self.mailbox.link.phase() == LinkPhase::Connecting
            && now.duration_since(self.started) < self.shared.options.connect_timeout()
    }

    fn succeeded(&mut self) {
        let recovers = self.condition.is_failing();
        self.agenda.succeeded();
        self.condition.recovered(self.shared);
        self.shared.health.set_malformed(self.judge.malformed());
        self.compare_servers(recovers);
    }

    fn failed(&mut self, error: &Failed) {
        self.shared.health.set_available(false);
        self.note_login(error);
        let fails_again = self.condition.is_failing();
        self.condition.failed(self.shared, self.listener, &error.told(self.exchange.is_of_cluster()));
        // Where Redis, or a proxy, takes no more than one connection, it is the one that reads: the watch comes after it.
        if error.class() == Class::Elsewhere || (fails_again && error.class() == Class::Later) {
            self.mailbox.link.want_renewal();
        }
        self.exchange.start_over();
        self.start_source_over();
        (self.torn_since, self.restless_since) = (None, None);
        self.certain.suspects.forget();
        // What is held was not read again, whatever the reason for the read was.
        self.shared.invalidate();
        self.agenda.failed(match self.shared.health.is_ready() {
            false => Needs::First,
            true if self.rereads() => Needs::Again { bytes: self.held_bytes },
            true => Needs::Nothing,
        });
    }

    /// With a watch the watch is pinged; without one the data connection is, so that the status is true. In a cluster it always
    /// is: a node that gave up its keys answers on the watch and may tell of nothing.
    fn ping_when_idle(&mut self) -> Result<(), Failed> {
        let is_watched = self.mailbox.link.phase() == LinkPhase::Up && !self.exchange.is_of_cluster();
        if self.agenda.heard.elapsed() >= self.shared.options.ping && (!is_watched || !self.condition.is_well()) {
            self.exchange.read(|reader| reader.ping())?;
        }
        Ok(())
    }
}
