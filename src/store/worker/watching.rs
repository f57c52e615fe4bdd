//! The watch's thread: arms the best rung, passes on what it tells, and arms it again when it is lost.
//!
//! Tracking is armed first and the data are read afterwards. The watch is pinged, because a silent connection may be a dead
//! one. While the data connection does not answer, only that one is tried. May depend on `redis` and `inbox`.

use std::time::{Duration, Instant};

use crate::store::backoff::Backoff;
use crate::store::inbox::link::LinkPhase;
use crate::store::inbox::mailbox::Mailbox;
use crate::store::redis::connector::Connector;
use crate::store::redis::watch::{Armed, Ladder, Watch, WatchError, arm};
use crate::store::shared::Shared;
use crate::store::signal::Signal;
use crate::store::status::monotonic_ms;

/// How long the thread waits for something to be told before it looks whether it should do something else.
const POLL: Duration = Duration::from_millis(200);
/// The watch is pinged at least this often, whatever is configured.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);
/// A server that refuses is asked again after this time: it may have been upgraded or its rules changed.
const ASK_AGAIN: Duration = Duration::from_secs(15);

enum Ended {
    Stopped,
    Renew,
    Gone(WatchError),
}

/// Keeps a watch until the mailbox says stop. Runs on a thread of its own.
pub fn run(shared: &Shared, mailbox: &Mailbox) {
    let Some(connector) = &shared.connector else { return };
    let (mut backoff, ladder) = (Backoff::new(), Ladder::new());
    loop {
        let armed = mailbox.link.armed();
        let ended = session(shared, connector, mailbox, &ladder, &mut backoff);
        if mailbox.is_stopped() {
            // The stop itself has broken off the connection.
            return;
        }
        // A watch that was given up for another one counts as there until the other one fails.
        let was_up = mailbox.link.phase() == LinkPhase::Up;
        let pause = match ended {
            Ended::Stopped => return,
            Ended::Renew => Duration::ZERO,
            Ended::Gone(WatchError::Refused(reason)) => {
                mailbox.link.set_gone(LinkPhase::Unsupported, reason);
                ASK_AGAIN
            }
            Ended::Gone(WatchError::Lost(reason)) => {
                mailbox.link.set_gone(LinkPhase::Down, reason);
                let pause = backoff.next_pause();
                // Where Redis is away the other connection seeks it, and this one is made as soon as that is there.
                let is_refused = mailbox.link.armed() == armed && shared.health.is_available();
                if is_refused { backoff.unhurried(pause) } else { pause }
            }
        };
        if mailbox.link.armed() == armed && !was_up {
            // Nothing is lost that was not there; which rung is in force is told.
            mailbox.wake();
        } else {
            mailbox.tell(Signal::Lost);
        }
        if mailbox.sleep(pause) || !wait_for_data(shared, mailbox) {
            return;
        }
    }
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

fn session(shared: &Shared, connector: &Connector, mailbox: &Mailbox, ladder: &Ladder, backoff: &mut Backoff) -> Ended {
    // What was asked for before this connection is made is granted by it.
    mailbox.link.take_renewal_wish();
    let Armed { mut watch, rung } = match arm(ladder, connector, &shared.keys, &mailbox.leash) {
        Ok(armed) => armed,
        Err(error) => return Ended::Gone(error),
    };
    mailbox.link.set_up(rung, watch.server(), monotonic_ms());
    mailbox.tell(Signal::All);
    match listen(shared, mailbox, watch.as_mut(), backoff) {
        Ok(ended) => ended,
        Err(error) => Ended::Gone(error),
    }
}

/// Passes on what is told, and asks for a sign of life when it is time or wished for, however much is told.
fn listen(
    shared: &Shared,
    mailbox: &Mailbox,
    watch: &mut dyn Watch,
    backoff: &mut Backoff,
) -> Result<Ended, WatchError> {
    let ping_every = shared.options.ping.min(LONGEST_SILENCE);
    let mut pinged = Instant::now();
    while !mailbox.is_stopped() {
        if mailbox.link.take_renewal_wish() {
            return Ok(Ended::Renew);
        }
        if pinged.elapsed() >= ping_every || mailbox.link.take_drain_wish() {
            watch.drain(shared.options.command_timeout(), &mut |signal| mailbox.tell(signal))?;
            pinged = Instant::now();
            mailbox.link.drained(monotonic_ms());
            // Only a watch that lives counts as a success: one that is dropped at once must not be made again at once.
            backoff.reset();
        }
        let wait = POLL.min(ping_every.saturating_sub(pinged.elapsed()));
        if let Some(signal) = watch.next(wait)? {
            mailbox.tell(signal);
        }
    }
    Ok(Ended::Stopped)
}
