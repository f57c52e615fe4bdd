//! Whether data connection and watch lead to the same server: a name, a proxy or a failover may lead them apart, and then
//! changes are never heard of. Where servers do not tell who they are, a lost connection makes the other one anew.
//! Where sentinels say that another server is to be read, both go there.

use std::time::{Duration, Instant};

use super::Worker;
use crate::store::backoff::Backoff;
use crate::store::inbox::link::LinkPhase;

/// Pauses between attempts to bring the two together.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));
/// Pauses between attempts to listen wherever something may be told, where one of the servers does not let us.
const RENEWALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What is tried next to bring them together.
#[derive(Debug)]
pub struct Pairing {
    at: Instant,
    pauses: Backoff,
    watch_is_next: bool,
    is_split: bool,
    renew_at: Instant,
    renewals: Backoff,
    /// Changes may have been told where nobody listened: what was read then is not proved.
    was_unheard: bool,
    /// How often the watch had been armed at the latest comparison.
    armed: u64,
    /// The data connection was given up since then because of the watch: that it is another one is no reason to make the watch
    /// anew, which would go on for ever.
    follows_watch: bool,
}

impl Pairing {
    /// Together, as far as is known.
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            at: now,
            pauses: Backoff::between(PAUSES.0, PAUSES.1),
            watch_is_next: true,
            is_split: false,
            renew_at: now,
            renewals: Backoff::between(RENEWALS.0, RENEWALS.1),
            was_unheard: false,
            armed: 0,
            follows_watch: false,
        }
    }

    /// When to try again to bring them together.
    pub fn due(&self) -> Option<Instant> {
        self.is_split.then_some(self.at)
    }

    /// Both lead to the same server, as far as is known.
    pub fn is_together(&self) -> bool {
        !self.is_split
    }
}

impl Worker<'_> {
    /// Two servers where one should be; `None` where one of them does not tell, or is not there.
    fn is_split(&self) -> Option<bool> {
        if self.mailbox.link.phase() != LinkPhase::Up {
            return None;
        }
        let watch = self.mailbox.link.server()?;
        Some(self.exchange.server()? != *watch)
    }

    /// A watch that was armed just now may lead elsewhere than a data connection that is older; where servers do not tell who
    /// they are, the latter is made anew, too.
    pub(super) fn follow_watch(&mut self, armed: u64) {
        if armed != self.agenda.armed_read && self.is_split().is_none() {
            self.start_over_with_watch();
        }
    }

    /// The watch is another one, or will be: so are the others.
    pub(super) fn start_over_with_watch(&mut self) {
        self.exchange.start_over();
        self.pairing.follows_watch = true;
    }

    /// Makes one of the connections anew where they lead to different servers, or may after an outage.
    pub(super) fn compare_servers(&mut self, recovers: bool) {
        let follows_watch = std::mem::take(&mut self.pairing.follows_watch);
        let is_read_anew = self.exchange.is_read_anew() && !follows_watch;
        let armed = std::mem::replace(&mut self.pairing.armed, self.mailbox.link.armed());
        if self.exchange.is_apart() {
            self.pairing.is_split = true;
            return self.bring_together(false);
        }
        if self.mailbox.link.phase() != LinkPhase::Up {
            // Without a watch nothing is told elsewhere.
            self.pairing.is_split = false;
            return;
        }
        let is_split = self.is_split();
        self.pairing.is_split = is_split == Some(true);
        match is_split {
            Some(false) => self.pairing.pauses.reset(),
            Some(true) => self.bring_together(true),
            // With a watch that was armed just now the other connection is made anew, too.
            None if recovers || is_read_anew && armed == self.pairing.armed => self.mailbox.link.want_renewal(),
            None => {}
        }
    }

    /// Makes the watch or the others anew, in turn where it may be either.
    fn bring_together(&mut self, may_be_watch: bool) {
        self.condition.unproven = Some("data and changes came from different servers".to_owned());
        let now = Instant::now();
        if now < self.pairing.at {
            return;
        }
        self.pairing.at = now + self.pairing.pauses.next_pause();
        let is_watch_next = self.pairing.watch_is_next && may_be_watch;
        self.pairing.watch_is_next = !is_watch_next;
        if is_watch_next {
            self.mailbox.link.want_renewal();
        } else {
            self.exchange.start_over();
            self.shared.invalidate();
            self.agenda.plan_full_by(now);
        }
    }

    /// Connections lead to another server now: all go there, and what was held is read again.
    pub(super) fn follow_place(&mut self) {
        let Some(place) = self.exchange.place() else { return };
        let has_moved = self.exchange.has_moved();
        if self.exchange.follow() || has_moved {
            self.go_to(&place);
        } else {
            self.compare_servers(false);
        }
        // Whatever failed last failed at the one before.
        self.agenda.retry_now();
    }

    fn go_to(&mut self, place: &str) {
        self.shared.invalidate();
        self.condition.unproven = Some(format!("Redis is at {place} now"));
        self.mailbox.link.want_renewal();
        self.agenda.plan_full_after_outage(self.held_bytes);
        self.report();
    }

    /// The same where a node of a cluster has sent us elsewhere, or tells of what the watch does not hear.
    pub(super) fn follow_redirects(&mut self) {
        if self.exchange.has_moved()
            && let Some(place) = self.exchange.place()
        {
            self.exchange.follow();
            self.go_to(&place);
        } else if self.is_unheard() {
            self.pairing.was_unheard = true;
            self.listen_wherever_changes_are_told();
        } else {
            self.pairing.renewals.reset();
            self.pairing.renew_at = self.pairing.renew_at.min(Instant::now());
            if std::mem::take(&mut self.pairing.was_unheard) {
                self.agenda.plan_full_by(self.agenda.soonest_full());
            }
        }
    }

    fn listen_wherever_changes_are_told(&mut self) {
        self.condition.unproven = Some("a node tells of changes that is not listened to yet".to_owned());
        if Instant::now() >= self.pairing.renew_at {
            self.pairing.renew_at = Instant::now() + self.pairing.renewals.next_pause();
            self.shared.invalidate();
            self.mailbox.link.want_renewal();
            self.agenda.plan_full_after_outage(self.held_bytes);
        }
    }

    /// Whether there is a node of a cluster that tells of changes, and the watch is not armed there.
    fn is_unheard(&self) -> bool {
        let link = &self.mailbox.link;
        link.phase() == LinkPhase::Up && self.exchange.is_beyond(&link.places())
    }

    /// The server that is read does not get everything any more: it is left, whether there is another one or not.
    pub(super) fn leave_place(&mut self) {
        self.exchange.start_over();
        self.shared.invalidate();
        self.condition.unproven = Some("the replica that was read does not get everything any more".to_owned());
        self.mailbox.link.want_renewal();
        self.agenda.plan_full_after_outage(self.held_bytes);
        self.report();
    }

    /// Everything held was read again: it counts as true, unless nobody could tell of changes to it.
    pub(super) fn prove(&mut self) {
        if self.is_split() != Some(true) && !self.exchange.is_apart() && !self.is_unheard() {
            self.condition.unproven = None;
        }
    }
}
