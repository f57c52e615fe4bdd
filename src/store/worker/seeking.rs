//! The thread that hears from sentinels where the primary is. Connections find it by themselves when they are made; this thread
//! notices that it is elsewhere while they are still open, as they are to a primary that was cut off or gave up its office. Where a
//! replica is read, it looks whether that still gets everything.
//!
//! One sentinel is listened to, and asked as often as a data connection is pinged: it may be an old one that cannot tell, or hang.
//! After a while it is another one's turn, because one that was cut off from the others is behind them. May depend on `redis`, `inbox`
//! and `charting`.

use std::time::{Duration, Instant};

use super::charting;
use crate::model::Jitter;
use crate::store::backoff::Backoff;
use crate::store::inbox::mailbox::Mailbox;
use crate::store::redis::connection::Connection;
use crate::store::redis::connector::{Connector, describe};
use crate::store::redis::endpoints::Address;
use crate::store::redis::role::check_replica;
use crate::store::redis::sentinel::{Candidate, Office, Sentinels, Silence, Vigil, Word};
use crate::store::shared::Shared;
use crate::store::signal::Signal;
use crate::store::status::{Level, Listener};

/// How long the thread waits for something to be told before it looks whether it should do something else.
const POLL: Duration = Duration::from_millis(200);
/// A sentinel is asked at least this often, whatever is configured.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);
/// Then it is another sentinel's turn.
const TURN: Duration = Duration::from_secs(60);
/// Pauses where no sentinel is of use.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// Pauses where a primary is named that is not met.
const UNMET_PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// One that is not met so often is told of: right after an election it may take a moment.
const UNMET_BEFORE_TOLD: u32 = 3;
/// From a primary that is read because there was no replica, connections go back after this time.
const RETURN_AFTER: Duration = Duration::from_secs(10);

struct Seeker<'a> {
    connector: &'a Connector,
    sentinels: &'a Sentinels,
    mailbox: &'a Mailbox,
    ask_every: Duration,
    listener: &'a dyn Listener,
    /// The number of moves that was told last.
    told: u64,
    /// It was told that no sentinel is of use.
    told_silence: bool,
    pauses: Backoff,
    /// How often the server that is sought was not met, and pauses in between.
    unmet: u32,
    unmet_pauses: Backoff,
    /// A connection to the replica that is read, for looking at it.
    post: Option<Connection>,
    /// When connections go back from the primary to a replica.
    return_at: Instant,
    jitter: Jitter,
}

/// Listens to sentinels, or looks at a cluster, until the mailbox says stop. Runs on a thread of its own; ends at once where
/// there is neither.
pub fn run(shared: &Shared, mailbox: &Mailbox, listener: &dyn Listener) {
    let Some(connector) = &shared.connector else { return };
    if let Some(cluster) = connector.cluster() {
        return charting::run(shared, connector, cluster, mailbox, listener);
    }
    let Some(sentinels) = connector.sentinels() else { return };
    let mut seeker = Seeker {
        connector,
        sentinels,
        mailbox,
        ask_every: shared.options.ping.min(LONGEST_SILENCE),
        listener,
        told: sentinels.moves(),
        told_silence: false,
        pauses: Backoff::between(PAUSES.0, PAUSES.1),
        unmet: 0,
        unmet_pauses: Backoff::between(UNMET_PAUSES.0, UNMET_PAUSES.1),
        post: None,
        return_at: Instant::now() + RETURN_AFTER,
        jitter: Jitter::new(),
    };
    seeker.meet_all();
    while !mailbox.is_stopped() {
        let pause = match sentinels.listen(&mailbox.leash_of_seeker) {
            Some(vigil) => {
                seeker.tell_silence(false);
                // Whoever is not of use any more is asked again in its turn.
                let outcome = seeker.keep(vigil);
                if outcome.is_err() { seeker.pauses.next_pause() } else { Duration::ZERO }
            }
            None => {
                seeker.tell_silence(true);
                seeker.look_without_sentinels();
                seeker.pauses.next_pause()
            }
        };
        seeker.tell_moves();
        if mailbox.sleep(pause) {
            return;
        }
    }
}

impl Seeker<'_> {
    /// Asks all once: those that are of no use are told by name, also where others are.
    fn meet_all(&self) {
        let is_of_use = self.sentinels.survey(&self.mailbox.leash_of_seeker).is_some();
        if !is_of_use || self.mailbox.is_stopped() {
            return;
        }
        for (address, remark) in self.sentinels.remarks() {
            if let Some(remark) = remark {
                self.listener
                    .log(Level::Warn, format_args!("of the sentinels in redis.url, {address} is of no use: {remark}"));
            }
        }
    }

    /// Listens to one sentinel as long as it is its turn.
    fn keep(&mut self, mut vigil: Vigil) -> Result<(), Silence> {
        let turn = TURN.mul_f64(self.jitter.between(0.8, 1.2));
        let began = Instant::now();
        let mut ask_at = began;
        while !self.mailbox.is_stopped() {
            if self.tell_moves() {
                // By the word of another sentinel, maybe of one that is behind.
                ask_at = Instant::now();
            }
            if Instant::now() >= ask_at {
                let word = vigil.ask(self.sentinels, &self.mailbox.leash_of_seeker)?;
                self.pauses.reset();
                ask_at = Instant::now() + self.judge(&word);
            }
            if began.elapsed() >= turn {
                self.sentinels.ask_another_first();
                return Ok(());
            }
            let wait = POLL.min(ask_at.saturating_duration_since(Instant::now()));
            if vigil.hear(wait, &self.mailbox.leash_of_seeker)? {
                ask_at = Instant::now();
            }
        }
        Ok(())
    }

    /// Looks whether connections lead where they should by this word; how long until the sentinel is asked again.
    fn judge(&mut self, word: &Word) -> Duration {
        let outcome = if self.sentinels.wants_replicas() { self.look_at_place(word) } else { self.meet(word) };
        let Err(why) = outcome else {
            self.note_met();
            return self.ask_every;
        };
        if self.sentinels.wants_replicas() {
            self.note_astray();
        } else {
            self.unmet += 1;
            if self.unmet == UNMET_BEFORE_TOLD && !self.mailbox.is_stopped() {
                self.listener.log(Level::Warn, format_args!("{why}; the one known from before stays in use"));
            }
        }
        self.unmet_pauses.next_pause()
    }

    fn note_met(&mut self) {
        self.unmet = 0;
        self.unmet_pauses.reset();
    }

    /// A replica that does not get everything is left, whether there is another server or not. Whoever reads finds out which, and
    /// tells.
    fn note_astray(&mut self) {
        self.unmet += 1;
        if self.unmet == 1 {
            self.mailbox.tell(Signal::Astray);
        }
    }

    /// No sentinel is of use; a replica that is read can still be looked at.
    fn look_without_sentinels(&mut self) {
        let Some(place) = self.sentinels.candidate() else { return };
        let Office::ReplicaOf(primary) = &place.office else { return };
        if self.is_in_touch(&place, primary) { self.note_met() } else { self.note_astray() }
    }

    /// The primary is known to be where this sentinel says, or the sentinel to be behind the others; else why not. One that was
    /// never met is sought by the connections themselves.
    fn meet(&self, word: &Word) -> Result<(), String> {
        let Some(known) = self.sentinels.place().filter(|known| **known != word.address) else { return Ok(()) };
        let leash = &self.mailbox.leash_of_seeker;
        let latest = self.sentinels.survey(leash).ok_or_else(|| self.sentinels.silence())?;
        if *known == latest.address {
            return Ok(());
        }
        let primary = Candidate::primary(latest.address);
        self.connector.look_at(&primary, leash).map_err(|error| {
            let (name, address) = (&self.sentinels.service().name, &primary.address);
            format!(
                "the sentinels name {address} as the primary of {name:?}, which cannot be used: {}",
                describe(&error)
            )
        })?;
        self.sentinels.note_place(&primary);
        Ok(())
    }

    /// Where replicas are read: the server that connections lead to is still what it must be, or another one is found. From a
    /// primary they go back to a replica after a while.
    fn look_at_place(&mut self, word: &Word) -> Result<(), String> {
        let Some(place) = self.sentinels.candidate() else { return Ok(()) };
        let primary = match &place.office {
            Office::Primary => &place.address,
            Office::ReplicaOf(primary) => primary,
        };
        let leash = &self.mailbox.leash_of_seeker;
        if *primary != word.address {
            let latest = self.sentinels.survey(leash).ok_or_else(|| self.sentinels.silence())?;
            if *primary == latest.address {
                return Ok(());
            }
        } else if self.is_well(&place, primary, word) {
            return Ok(());
        }
        self.return_at = Instant::now() + RETURN_AFTER;
        self.sentinels.shun_place();
        self.connector.settle(leash).map_err(|error| describe(&error))
    }

    /// A replica is read as long as it gets everything, a primary as long as there is no replica.
    fn is_well(&mut self, place: &Candidate, primary: &Address, word: &Word) -> bool {
        if place.office == Office::Primary {
            let may_return = self.sentinels.prefers_replicas() && !word.replicas.is_empty();
            return !may_return || Instant::now() < self.return_at;
        }
        self.is_in_touch(place, primary)
    }

    /// Whether a replica gets everything that its primary writes, as it says itself.
    fn is_in_touch(&mut self, place: &Candidate, primary: &Address) -> bool {
        let leash = &self.mailbox.leash_of_seeker;
        let kept = self.post.take().filter(|post| post.peer() == Some(&place.address));
        let look = |mut post: Connection| {
            post.tie(leash)?;
            check_replica(&mut post, &place.address, primary).map(|_| post)
        };
        let outcome = kept.map_or_else(|| self.connector.look_at(place, leash), look);
        self.post = outcome.ok();
        self.post.is_some()
    }

    /// Tells that connections lead elsewhere, whoever found out first; true when they do.
    fn tell_moves(&mut self) -> bool {
        let moves = self.sentinels.moves();
        if moves == self.told {
            return false;
        }
        self.told = moves;
        if let Some(place) = self.sentinels.candidate() {
            let (name, address) = (&self.sentinels.service().name, &place.address);
            let what = if place.office == Office::Primary { "the primary" } else { "the replica that is read" };
            self.listener.log(Level::Info, format_args!("{what} of {name:?} is at {address} now"));
        }
        self.mailbox.tell(Signal::Moved);
        true
    }

    /// No sentinel is of use, or one is again: told once each, if Redis itself is there; otherwise that is told.
    fn tell_silence(&mut self, is_silent: bool) {
        let place = self.sentinels.place();
        let Some(place) = place.filter(|_| is_silent != self.told_silence && !self.mailbox.is_stopped()) else {
            return;
        };
        self.told_silence = is_silent;
        match is_silent {
            true => {
                let silence = self.sentinels.silence();
                self.listener.log(Level::Warn, format_args!("{silence}; the one at {place} stays in use"));
            }
            false => self.listener.log(Level::Info, format_args!("sentinels tell again where the primary is")),
        }
    }
}
