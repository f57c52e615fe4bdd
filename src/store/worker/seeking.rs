//! The thread that hears from sentinels where the primary is. Connections find it by themselves when they are made; this thread
//! notices that it is elsewhere while they are still open, as they are to a primary that was cut off or gave up its office.
//!
//! One sentinel is listened to, and asked as often as a data connection is pinged: it may be an old one that cannot tell, or hang.
//! After a while it is another one's turn, because one that was cut off from the others is behind them. May depend on `redis` and
//! `inbox`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::Jitter;
use crate::store::backoff::Backoff;
use crate::store::inbox::mailbox::Mailbox;
use crate::store::redis::connector::{Connector, describe};
use crate::store::redis::sentinel::{Sentinels, Silence, Vigil, Word};
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
    /// How often a primary that is named was not met, and pauses in between.
    unmet: u32,
    unmet_pauses: Backoff,
    jitter: Jitter,
}

/// Listens to sentinels until the mailbox says stop. Runs on a thread of its own; ends at once where there are none.
pub fn run(shared: &Shared, mailbox: &Mailbox, listener: &dyn Listener) {
    let Some(connector) = &shared.connector else { return };
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
                let word = vigil.ask(self.sentinels)?;
                self.pauses.reset();
                ask_at = Instant::now() + self.judge(&word);
            }
            if began.elapsed() >= turn {
                self.sentinels.ask_another_first();
                return Ok(());
            }
            let wait = POLL.min(ask_at.saturating_duration_since(Instant::now()));
            if vigil.hear(wait)? {
                ask_at = Instant::now();
            }
        }
        Ok(())
    }

    /// Looks for the primary where this sentinel says it is; how long until it is asked again.
    fn judge(&mut self, word: &Word) -> Duration {
        match self.meet(word) {
            Ok(()) => {
                self.unmet = 0;
                self.unmet_pauses.reset();
                self.ask_every
            }
            Err(why) => {
                self.unmet += 1;
                if self.unmet == UNMET_BEFORE_TOLD && !self.mailbox.is_stopped() {
                    self.listener.log(Level::Warn, format_args!("{why}; the one known from before stays in use"));
                }
                self.unmet_pauses.next_pause()
            }
        }
    }

    /// The primary is known to be where this sentinel says, or the sentinel to be behind the others; else why not. One that was
    /// never met is sought by the connections themselves.
    fn meet(&self, word: &Word) -> Result<(), String> {
        let Some(known) = self.sentinels.primary().filter(|known| **known != word.address) else { return Ok(()) };
        let leash = &self.mailbox.leash_of_seeker;
        let latest = self.sentinels.survey(leash).ok_or_else(|| self.sentinels.silence())?;
        if *known == latest.address {
            return Ok(());
        }
        self.connector.confirm_primary(&latest.address, leash).map_err(|error| {
            let (name, address) = (&self.sentinels.service().name, &latest.address);
            format!(
                "the sentinels name {address} as the primary of {name:?}, which cannot be used: {}",
                describe(&error)
            )
        })?;
        self.sentinels.note_primary(&latest.address);
        Ok(())
    }

    /// Tells that the primary is elsewhere, whoever met it there first; true when it is.
    fn tell_moves(&mut self) -> bool {
        let moves = self.sentinels.moves();
        if moves == self.told {
            return false;
        }
        self.told = moves;
        if let Some(primary) = self.sentinels.primary() {
            let name = &self.sentinels.service().name;
            self.listener.log(Level::Info, format_args!("the primary of {name:?} is at {primary} now"));
        }
        self.mailbox.tell(Signal::Moved);
        true
    }

    /// No sentinel is of use, or one is again: told once each, if Redis itself is there; otherwise that is told.
    fn tell_silence(&mut self, is_silent: bool) {
        let primary: Option<Arc<_>> = self.sentinels.primary();
        let Some(primary) = primary.filter(|_| is_silent != self.told_silence && !self.mailbox.is_stopped()) else {
            return;
        };
        self.told_silence = is_silent;
        match is_silent {
            true => {
                let silence = self.sentinels.silence();
                self.listener.log(Level::Warn, format_args!("{silence}; the one at {primary} stays in use"));
            }
            false => self.listener.log(Level::Info, format_args!("sentinels tell again where the primary is")),
        }
    }
}
