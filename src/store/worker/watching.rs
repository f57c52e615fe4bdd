//! The watch's thread: arms the best rung, passes on what it tells, looks for a better one now and then, and arms it again when
//! it is lost.
//!
//! It is armed first and the data are read afterwards. The watch is pinged, because a silent connection may be a dead
//! one. While the data connection does not answer, only that one is tried. May depend on `redis` and `inbox`.

use std::time::{Duration, Instant};

use crate::model::Jitter;
use crate::store::backoff::Backoff;
use crate::store::inbox::link::LinkPhase;
use crate::store::inbox::mailbox::Mailbox;
use crate::store::redis::cluster::Cluster;
use crate::store::redis::connector::Connector;
use crate::store::redis::watch::{Climbed, Ladder, Renewed, Unarmed, WatchError, Watches};
use crate::store::shared::Shared;
use crate::store::signal::Signal;
use crate::store::status::monotonic_ms;

/// How long the thread waits for something to be told before it looks whether it should do something else.
const POLL: Duration = Duration::from_millis(200);
/// The same while somebody waits for one drain after the other.
const SHORT_POLL: Duration = Duration::from_millis(1);
/// The watch is pinged at least this often, whatever is configured.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);
/// A server that refuses every rung is asked again after a pause of so many pings, and of this at most: it may have been upgraded
/// or its rules changed. The pauses grow to those on a lower rung, for each attempt is several connections.
const PINGS_BEFORE_ASKING: u32 = 15;
const ASK_AGAIN: Duration = Duration::from_secs(15);
/// Pauses where the login is refused: it may succeed in a second, for passwords are changed on one side first, or never.
const LOGIN_PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// On a lower rung a better one is looked for each so many pings, and after this time at the latest.
const PINGS_BETWEEN_LOOKS: u32 = 60;
const LONGEST_BETWEEN_LOOKS: Duration = Duration::from_secs(60);
/// The first look for one that was lost, not refused; later ones take their time.
const SOON: Duration = Duration::from_secs(1);

enum Ended {
    Stopped,
    Renew,
    Gone(Unarmed),
}

/// What the thread works with.
struct Post<'a> {
    shared: &'a Shared,
    mailbox: &'a Mailbox,
    connector: &'a Connector,
    ladder: Ladder,
    backoff: Backoff,
    /// Pauses where every rung is refused.
    refusals: Backoff,
    /// Pauses where the login is refused.
    logins: Backoff,
    lookout: Lookout,
    /// What logged in at the latest look, as a number.
    login: u64,
}

/// Keeps a watch until the mailbox says stop. Runs on a thread of its own.
pub fn run(shared: &Shared, mailbox: &Mailbox) {
    let Some(connector) = &shared.connector else { return };
    let lookout = Lookout::new(shared.options.ping);
    let ask_again = (shared.options.ping * PINGS_BEFORE_ASKING).min(ASK_AGAIN);
    let mut post = Post {
        shared,
        mailbox,
        connector,
        ladder: Ladder::new(shared.options.assumes_notifications),
        backoff: Backoff::new(),
        refusals: Backoff::between(ask_again, lookout.interval),
        logins: Backoff::between(LOGIN_PAUSES.0, LOGIN_PAUSES.1),
        lookout,
        login: 0,
    };
    while !wait_for_login(connector, mailbox) {
        let armed = mailbox.link.armed();
        let ended = post.session();
        if mailbox.is_stopped() {
            // The stop itself has broken off the connection.
            return;
        }
        // A watch that was given up for another one counts as there until the other one fails.
        let was_up = mailbox.link.phase() == LinkPhase::Up;
        let pause = match ended {
            Ended::Stopped => return,
            Ended::Renew => Duration::ZERO,
            Ended::Gone(Unarmed { error: WatchError::Refused(reason), report }) => {
                mailbox.link.set_gone(LinkPhase::Unsupported, reason, *report);
                post.refusals.next_pause()
            }
            Ended::Gone(Unarmed { error, report }) => {
                mailbox.link.set_gone(LinkPhase::Down, error.to_string(), *report);
                let pause = post.backoff.next_pause();
                // Where Redis is away the other connection seeks it, and this one is made as soon as that is there.
                let is_refused = mailbox.link.armed() == armed && shared.health.is_available();
                match (post.is_login_refused(), is_refused) {
                    (true, _) => post.logins.next_pause(),
                    (false, true) => post.backoff.unhurried(pause),
                    (false, false) => pause,
                }
            }
        };
        if mailbox.link.armed() == armed && !was_up {
            // Nothing is lost that was not there; which rung is in force is told.
            mailbox.wake();
        } else {
            mailbox.tell(Signal::Lost);
        }
        if post.rest(pause) || !wait_for_data(shared, mailbox) {
            return;
        }
    }
}

/// Before there is anything to log in with, nothing is tried. True when the thread should end.
fn wait_for_login(connector: &Connector, mailbox: &Mailbox) -> bool {
    while connector.credentials().is_missing() {
        if mailbox.sleep(POLL) {
            return true;
        }
    }
    mailbox.is_stopped()
}

/// One connection that is refused tells as much as two. False when the thread should end.
fn wait_for_data(shared: &Shared, mailbox: &Mailbox) -> bool {
    while !shared.health.is_available() {
        if mailbox.sleep(POLL) {
            return false;
        }
    }
    !mailbox.is_stopped()
}

impl Post<'_> {
    /// Whether a server refuses what logs in, as the latest attempt or another connection has found.
    fn is_login_refused(&self) -> bool {
        self.connector.credentials().refusal().is_some()
    }

    /// Waits, until something else logs in at most, which may do more, or what was refused is taken elsewhere. True when the
    /// thread should end.
    fn rest(&mut self, pause: Duration) -> bool {
        let (until, was_refused) = (Instant::now() + pause, self.is_login_refused());
        while self.connector.credentials().number() == self.login && self.is_login_refused() == was_refused {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            if self.mailbox.sleep(left.min(POLL)) {
                return true;
            }
        }
        if self.connector.credentials().number() != self.login {
            self.logins.reset();
        }
        self.mailbox.is_stopped()
    }

    fn session(&mut self) -> Ended {
        // What was asked for before this connection is made is granted by it.
        self.mailbox.link.take_renewal_wish();
        self.mailbox.link.set_arming();
        self.login = self.connector.credentials().number();
        let keys = &self.shared.keys;
        let mut watches = match Watches::arm(&self.ladder, self.connector, keys, &self.mailbox.leash) {
            Ok(watches) => watches,
            Err(unarmed) => return self.gone(unarmed),
        };
        self.announce(&watches);
        self.lookout.begin(&watches);
        match self.listen(&mut watches) {
            Ok(ended) => ended,
            Err(error) => {
                let mut report = watches.report();
                report.lose(&error.to_string());
                self.gone(Unarmed { error, report: Box::new(report) })
            }
        }
    }

    /// Where a cluster has the keys, they may have another owner by now.
    fn gone(&self, unarmed: Unarmed) -> Ended {
        self.connector.cluster().into_iter().for_each(Cluster::doubt);
        Ended::Gone(unarmed)
    }

    /// Everything is told from here on, and has to be read for that.
    fn announce(&mut self, watches: &Watches) {
        self.login = watches.login();
        self.refusals.reset();
        self.logins.reset();
        self.mailbox.link.set_places(watches.places());
        self.mailbox.link.set_up(&watches.report(), watches.server().as_deref(), monotonic_ms());
        self.mailbox.tell(Signal::All);
    }

    /// Passes on what is told, and asks for a sign of life when it is time or wished for, however much is told.
    fn listen(&mut self, watches: &mut Watches) -> Result<Ended, WatchError> {
        let (options, mailbox) = (&self.shared.options, self.mailbox);
        let ping_every = options.ping.min(LONGEST_SILENCE);
        let mut pinged = Instant::now();
        while !mailbox.is_stopped() {
            if mailbox.link.take_renewal_wish() {
                return Ok(Ended::Renew);
            }
            // One that comes after the question is not granted by the answer.
            let wish = mailbox.link.drain_wish();
            if pinged.elapsed() >= ping_every || !mailbox.link.is_drained(wish) {
                watches.drain(options.command_timeout(), &mut |signal| mailbox.tell(signal))?;
                pinged = Instant::now();
                mailbox.link.drained(wish, monotonic_ms());
                // Only a watch that lives counts as a success: one that is dropped at once must not be made again at once.
                self.backoff.reset();
            }
            if self.logs_in_anew() && !self.renew_login(watches)? {
                return Ok(Ended::Renew);
            }
            if self.lookout.is_due() {
                self.climb(watches)?;
            }
            let wait = if mailbox.link.is_hurried() { SHORT_POLL } else { POLL };
            let wait = wait.min(ping_every.saturating_sub(pinged.elapsed()));
            if let Some(signal) = watches.next(wait)? {
                mailbox.tell(signal);
            }
        }
        Ok(Ended::Stopped)
    }

    /// Whether something else logs in than did at the latest look.
    fn logs_in_anew(&mut self) -> bool {
        let present = self.connector.credentials().number();
        std::mem::replace(&mut self.login, present) != present
    }

    /// Where a watch cannot log in anew where it is, another one is made beside it. One that is refused changes nothing for what
    /// is open. False where the watches have to be given up for it.
    fn renew_login(&mut self, watches: &mut Watches) -> Result<bool, WatchError> {
        let (login, timeout, leash) = (self.login, self.shared.options.command_timeout(), &self.mailbox.leash);
        let tell = &mut |signal| self.mailbox.tell(signal);
        let Renewed { is_another, is_complete } = watches.renew_login(&self.ladder, leash, timeout, tell)?;
        if is_another {
            self.announce(watches);
        }
        if !is_complete {
            // Not again for the same one.
            self.login = login;
        }
        Ok(is_complete || self.connector.credentials().refusal().is_some())
    }

    fn climb(&mut self, watches: &mut Watches) -> Result<(), WatchError> {
        let before = watches.report();
        match watches.climb(&self.ladder, &self.mailbox.leash)? {
            Climbed::Another => self.announce(watches),
            Climbed::Same if watches.report() != before => {
                self.mailbox.link.note(&watches.report());
                self.mailbox.wake();
            }
            Climbed::Same => {}
        }
        self.lookout.plan(watches);
        Ok(())
    }
}

/// When a better rung is looked for.
struct Lookout {
    due: Instant,
    interval: Duration,
    pauses: Backoff,
    jitter: Jitter,
}

impl Lookout {
    fn new(ping: Duration) -> Self {
        let interval = (ping * PINGS_BETWEEN_LOOKS).min(LONGEST_BETWEEN_LOOKS);
        let pauses = Backoff::between(SOON.min(interval), interval);
        Self { due: Instant::now(), interval, pauses, jitter: Jitter::new() }
    }

    fn begin(&mut self, watches: &Watches) {
        self.pauses.reset();
        self.plan(watches);
    }

    fn plan(&mut self, watches: &Watches) {
        let pause = if watches.misses_something() {
            self.pauses.next_pause()
        } else {
            self.interval.mul_f64(self.jitter.between(0.8, 1.2))
        };
        self.due = Instant::now() + pause;
    }

    fn is_due(&self) -> bool {
        Instant::now() >= self.due
    }
}
