//! The thread that hears from sentinels where the primary is. Connections find it by themselves when they are made; this thread
//! notices that it is elsewhere while they are still open, as they are to a primary that was cut off or gave up its office. Where a
//! replica is read, it looks whether that still gets everything. One thread serves all connections to a service.
//!
//! One sentinel is listened to, and asked as often as a data connection is pinged: it may be an old one that cannot tell, or hang.
//! Every few seconds another one is asked as well, because one that was cut off from the others is behind them and does not know;
//! after a while it is that one's turn. May depend on `redis` and `inbox`.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::post::Post;
use crate::model::Jitter;
use crate::store::backoff::Backoff;
use crate::store::inbox::mailbox::Mailbox;
use crate::store::leash::Leash;
use crate::store::redis::connector::{Connector, describe};
use crate::store::redis::endpoints::Address;
use crate::store::redis::sentinel::{Candidate, Office, Sentinels, Silence, Survey, Vigil, Word};
use crate::store::signal::Signal;
use crate::store::status::{Level, Listener};

/// How long the thread waits for something to be told before it looks whether it should do something else.
const POLL: Duration = Duration::from_millis(200);
/// A sentinel is asked at least this often, whatever is configured.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);
/// Another sentinel is asked, too, this often.
const SECOND_OPINION: Duration = Duration::from_secs(5);
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

/// Whose connections are to lead to the right server.
pub struct Errand<'a> {
    /// Makes them.
    pub connector: &'a Connector,
    /// The option with the list of sentinels.
    pub option: &'static str,
    /// A sentinel is asked this often, and more often.
    pub ask_every: Duration,
    /// Says when to stop.
    pub mailbox: &'a Mailbox,
    /// Ends what is waited for then.
    pub leash: &'a Leash,
    /// Where log lines go.
    pub listener: &'a dyn Listener,
    /// Is told that the connections lead elsewhere now, or go astray.
    pub tell: &'a dyn Fn(Signal),
}

/// How often it is looked whether there is a server in the preferred zone.
const NEARER_EVERY: Duration = Duration::from_secs(30);

struct Seeker<'a> {
    errand: &'a Errand<'a>,
    sentinels: &'a Sentinels,
    ask_every: Duration,
    /// The number of moves that was told last.
    told: u64,
    /// It was told that no sentinel is of use.
    told_silence: bool,
    /// Why no replica is read, as it was told.
    told_passed_over: Option<Arc<String>>,
    pauses: Backoff,
    /// How often the server that is sought was not met, and pauses in between.
    unmet: u32,
    unmet_pauses: Backoff,
    /// Looks at the replica that is read.
    post: Post,
    /// When connections go back from the primary to a replica.
    return_at: Instant,
    jitter: Jitter,
}

/// Listens to sentinels until the mailbox says stop. Runs on a thread of its own; ends at once where there are none.
pub fn run(errand: &Errand<'_>) {
    let Some(sentinels) = errand.connector.sentinels() else { return };
    sentinels.begin_anywhere();
    let mut seeker = Seeker {
        errand,
        sentinels,
        ask_every: errand.ask_every.min(LONGEST_SILENCE),
        told: sentinels.moves(),
        told_silence: false,
        told_passed_over: None,
        pauses: Backoff::between(PAUSES.0, PAUSES.1),
        unmet: 0,
        unmet_pauses: Backoff::between(UNMET_PAUSES.0, UNMET_PAUSES.1),
        post: Post::new(),
        return_at: Instant::now() + RETURN_AFTER,
        jitter: Jitter::new(),
    };
    seeker.meet_all();
    while !errand.mailbox.is_stopped() {
        let pause = match sentinels.listen(errand.leash) {
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
        if errand.mailbox.sleep(pause) {
            return;
        }
    }
}

impl Seeker<'_> {
    /// Asks all once: those that are of no use are told by name, also where others are.
    fn meet_all(&self) {
        if matches!(self.sentinels.survey(self.errand.leash), Survey::Silent) || self.is_stopped() {
            return;
        }
        for sentinel in self.sentinels.roster().all().iter().filter(|sentinel| sentinel.is_listed) {
            if let Some(remark) = sentinel.remark() {
                let (option, address) = (self.errand.option, &sentinel.address);
                self.log(Level::Warn, format_args!("of the sentinels in {option}, {address} is of no use: {remark}"));
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.errand.mailbox.is_stopped()
    }

    fn log(&self, level: Level, message: fmt::Arguments<'_>) {
        self.errand.listener.log(level, message);
    }

    /// Listens to one sentinel as long as it is its turn.
    fn keep(&mut self, mut vigil: Vigil) -> Result<(), Silence> {
        let turn = TURN.mul_f64(self.jitter.between(0.8, 1.2));
        let began = Instant::now();
        let (mut ask_at, mut opinion_at) = (began, began + self.jitter.shorten(SECOND_OPINION));
        while !self.is_stopped() {
            if self.tell_moves() {
                // By the word of another sentinel, maybe of one that is behind.
                ask_at = Instant::now();
            }
            if Instant::now() >= ask_at {
                let word = vigil.ask(self.sentinels, self.errand.leash)?;
                self.pauses.reset();
                ask_at = Instant::now() + self.judge(&word);
                self.tell_passed_over();
            }
            if Instant::now() >= opinion_at {
                let word = vigil.second_opinion(self.sentinels, self.errand.leash);
                let known = self.sentinels.candidate();
                if let Some(word) = word.filter(|word| known.is_some_and(|known| *known.primary() != word.address)) {
                    self.judge(&word);
                }
                opinion_at = Instant::now() + self.jitter.shorten(SECOND_OPINION);
            }
            if began.elapsed() >= turn {
                self.sentinels.ask_another_first();
                return Ok(());
            }
            let wait = POLL.min(ask_at.saturating_duration_since(Instant::now()));
            if vigil.hear(self.sentinels, wait, self.errand.leash)? {
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
            if self.unmet == UNMET_BEFORE_TOLD && !self.is_stopped() {
                (self.errand.tell)(Signal::Contested(Some(Arc::from(&*why))));
                self.log(Level::Warn, format_args!("{why}; the one known from before stays in use"));
            }
        }
        self.unmet_pauses.next_pause()
    }

    fn note_met(&mut self) {
        if self.unmet >= UNMET_BEFORE_TOLD {
            (self.errand.tell)(Signal::Contested(None));
        }
        self.unmet = 0;
        self.unmet_pauses.reset();
    }

    /// A replica that does not get everything is left, whether there is another server or not. Whoever reads finds out which, and
    /// tells.
    fn note_astray(&mut self) {
        self.unmet += 1;
        self.sentinels.shun_place();
        if self.unmet == 1 {
            (self.errand.tell)(Signal::Astray);
        }
    }

    /// No sentinel is of use; a replica that is read can still be looked at.
    fn look_without_sentinels(&mut self) {
        let Some(place) = self.sentinels.candidate() else { return };
        let Office::ReplicaOf(primary) = &place.office else { return };
        match self.is_in_touch(&place, primary) {
            Some(true) => self.note_met(),
            Some(false) => self.note_astray(),
            None => {}
        }
    }

    /// The primary is known to be where this sentinel says, or the sentinel to be behind the others; else why not. One that was
    /// never met is sought by the connections themselves.
    fn meet(&self, word: &Word) -> Result<(), String> {
        if self.sentinels.candidate().is_none_or(|known| *known.primary() == word.address) {
            self.sentinels.note_epoch(word);
            return Ok(());
        }
        let Some(latest) = self.latest(word)? else { return Ok(()) };
        let primary = Candidate::primary_of(&latest);
        self.errand.connector.look_at(&primary, self.errand.leash).map_err(|error| {
            let (name, address) = (&self.sentinels.service().name, &primary.address);
            format!(
                "the sentinels name {address} as the primary of {name:?}, which cannot be used: {}",
                describe(&error)
            )
        })?;
        self.sentinels.note_place(&primary);
        Ok(())
    }

    /// One sentinel says that the primary is elsewhere: the word that counts; `None` where the primary has not moved.
    fn latest(&self, word: &Word) -> Result<Option<Word>, String> {
        if self.sentinels.is_later(word) {
            return Ok(Some(word.clone()));
        }
        match self.sentinels.survey(self.errand.leash) {
            Survey::Silent => Err(self.sentinels.silence()),
            Survey::Stays => Ok(None),
            Survey::Moves(latest) => {
                if !self.sentinels.is_later(&latest) {
                    self.sentinels.forget_epoch();
                }
                Ok(Some(latest))
            }
        }
    }

    /// Where replicas are read: the server that connections lead to is still what it must be, or another one is found. From a
    /// primary they go back to a replica after a while.
    fn look_at_place(&mut self, word: &Word) -> Result<(), String> {
        let Some(place) = self.sentinels.candidate() else { return Ok(()) };
        if *place.primary() != word.address {
            if self.latest(word)?.is_none() {
                return Ok(());
            }
        } else {
            self.sentinels.note_epoch(word);
            if self.is_well(&place, word) {
                return Ok(());
            }
        }
        self.return_at = Instant::now() + RETURN_AFTER;
        self.sentinels.shun_place();
        self.errand.connector.settle(self.errand.leash).map_err(|error| describe(&error))
    }

    /// A replica is read as long as it gets everything, a primary as long as there is no replica.
    fn is_well(&mut self, place: &Candidate, word: &Word) -> bool {
        if place.office == Office::Primary {
            let may_return = self.sentinels.prefers_replicas() && !word.replicas.is_empty();
            return !(may_return && Instant::now() >= self.return_at || self.may_come_nearer(word));
        }
        self.is_in_touch(place, place.primary()) != Some(false) && !self.may_come_nearer(word)
    }

    /// Whether there is a server in the preferred zone by now. Not asked too often: it means connecting to all of them.
    fn may_come_nearer(&mut self, word: &Word) -> bool {
        if self.sentinels.is_near() || Instant::now() < self.return_at {
            return false;
        }
        self.return_at = Instant::now() + NEARER_EVERY;
        self.errand.connector.has_nearer(word, self.errand.leash)
    }

    /// Whether the replica that is read gets everything that its primary writes; `None` where that is not known.
    fn is_in_touch(&mut self, place: &Candidate, primary: &Address) -> Option<bool> {
        self.post.is_in_touch(self.errand.connector, place, primary, self.errand.leash)
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
            self.log(Level::Info, format_args!("{what} of {name:?} is at {address} now"));
        }
        (self.errand.tell)(Signal::Moved);
        true
    }

    /// Why the primary is read although replicas are there, where they are preferred: once for each reason.
    fn tell_passed_over(&mut self) {
        let is_primary = self.sentinels.candidate().is_some_and(|place| place.office == Office::Primary);
        let why = self.sentinels.passed_over().filter(|_| is_primary && self.sentinels.prefers_replicas());
        if let Some(why) = why.as_ref().filter(|why| self.told_passed_over.as_ref() != Some(why)) {
            self.log(Level::Info, format_args!("the primary is read, because no replica can be: {why}"));
        }
        self.told_passed_over = why;
    }

    /// No sentinel is of use, or one is again: told once each, if Redis itself is there; otherwise that is told.
    fn tell_silence(&mut self, is_silent: bool) {
        let place = self.sentinels.place();
        let Some(place) = place.filter(|_| is_silent != self.told_silence && !self.is_stopped()) else {
            return;
        };
        self.told_silence = is_silent;
        match is_silent {
            true => {
                let silence = self.sentinels.silence();
                self.log(Level::Warn, format_args!("{silence}; the one at {place} stays in use"));
            }
            false => self.log(Level::Info, format_args!("sentinels tell again where the primary is")),
        }
    }
}
