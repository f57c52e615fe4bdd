//! Where the primary of a service is, by the word of its sentinels.
//!
//! Before each connect one sentinel is asked: the one whose word counted last, then the others. What it says is believed once the
//! server says the same of itself. Where none answers, the primary that is known from before stays in use. A sentinel that was
//! cut off from the others may be behind them: the word of a later failover counts, an earlier one only where most say so and
//! none contradicts.
//!
//! Atomics and lock-free cells only, because it outlives a fork. Depends on `dialer`, `word`, `roster` and `whereabouts`.

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod places;
mod roster;
mod vigil;
mod word;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::RedisError;

use super::class::{Class, class};
use super::connection::Connection;
use super::describe::{REFUSED, describe};
use super::dialer::Dialer;
use super::endpoints::{Address, ReadFrom, Service};
use super::login::{Courtesy, Protocol};
use super::whereabouts::KnownSentinel;
use super::whereabouts::Whereabouts;
use super::wire::Deadline;
use crate::store::leash::Leash;

pub use places::{Candidate, Office, Preference};
pub use roster::{Roster, Sentinel};
pub use vigil::Vigil;
pub use word::{Silence, Word};

use word::Wanted;

/// Where connections may lead now.
pub struct Located {
    /// At least one, best first.
    pub candidates: Vec<Candidate>,
    /// No sentinel said so now: why not.
    remembered: Option<String>,
}

/// What all say together of where the primary is known to be.
#[derive(Debug)]
pub enum Survey {
    /// None says anything.
    Silent,
    /// It is there, or they are behind.
    Stays,
    /// It is elsewhere, or was not known.
    Moves(Word),
}

/// The sentinels of a service, and what they said.
#[derive(Debug)]
pub struct Sentinels {
    service: Service,
    dialer: Dialer,
    connect_timeout: Duration,
    preference: Preference,
    /// All of them, in the order in which they are asked.
    roster: Roster,
    /// Which one answered last.
    asked: ArcSwapOption<Sentinel>,
    /// Where connections lead: a server that said itself that it is the one that is sought.
    place: ArcSwapOption<Candidate>,
    /// It is not what it must be any more: others come first.
    is_shunned: AtomicBool,
    /// Counts how often that was another one than before.
    moves: AtomicU64,
    /// Why a server that is preferred to that one could not be used.
    passed_over: ArcSwapOption<String>,
}

impl Sentinels {
    /// None is asked yet.
    pub fn new(service: Service, dialer: Dialer, connect_timeout: Duration, preference: Preference) -> Self {
        Self {
            roster: Roster::new(&service.sentinels),
            service,
            dialer,
            connect_timeout,
            preference,
            asked: ArcSwapOption::empty(),
            place: ArcSwapOption::empty(),
            is_shunned: AtomicBool::new(false),
            moves: AtomicU64::new(0),
            passed_over: ArcSwapOption::empty(),
        }
    }

    /// What they are asked for.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Whether reads may go to replicas.
    pub fn wants_replicas(&self) -> bool {
        self.preference.read != ReadFrom::Primary
    }

    /// Whether they are preferred to the primary, however near that is.
    pub fn prefers_replicas(&self) -> bool {
        self.preference.read == ReadFrom::PreferReplica
    }

    /// Where connections lead.
    pub fn place(&self) -> Option<Arc<Address>> {
        self.place.load().as_ref().map(|place| Arc::new(place.address.clone()))
    }

    /// The server that connections lead to, and what it is.
    pub fn candidate(&self) -> Option<Arc<Candidate>> {
        self.place.load_full()
    }

    /// Whether connections to this server are to be left.
    pub fn has_left(&self, address: &Address) -> bool {
        self.is_shunned.load(Relaxed) || self.place.load().as_ref().is_some_and(|place| place.address != *address)
    }

    /// How often they led to another server than before.
    pub fn moves(&self) -> u64 {
        self.moves.load(Acquire)
    }

    /// Connections lead to this server: it is what it must be.
    pub fn note_place(&self, place: &Candidate) {
        self.is_shunned.store(false, Relaxed);
        if self.place.load().as_deref() == Some(place) {
            return;
        }
        let before = self.place.swap(Some(Arc::new(place.clone())));
        if before.is_some_and(|before| before.address != place.address) {
            self.moves.fetch_add(1, AcqRel);
        }
    }

    /// This word names the primary that is known, maybe after a later failover.
    pub fn note_epoch(&self, word: &Word) {
        let known = self.place.load();
        if let Some(place) =
            known.as_deref().filter(|place| *place.primary() == word.address && word.epoch > place.epoch)
        {
            let dated = Candidate { epoch: word.epoch, ..place.clone() };
            // Whoever has found another server meanwhile knows better.
            self.place.compare_and_swap(&*known, Some(Arc::new(dated)));
        }
    }

    /// The server that connections lead to is not what it must be any more, or another one is better.
    pub fn shun_place(&self) {
        self.is_shunned.store(true, Relaxed);
    }

    /// Connections lead there because others could not be used that are preferred, or because there are none.
    pub fn note_passed_over(&self, error: Option<&RedisError>) {
        self.passed_over.store(error.map(|error| Arc::new(describe(error))));
    }

    /// Why a server that is preferred to the one that connections lead to could not be used, if there was one.
    pub fn passed_over(&self) -> Option<Arc<String>> {
        self.passed_over.load_full()
    }

    /// None was what it must be: the error to be told. Another sentinel may know better.
    pub fn note_no_place(&self, located: &Located, error: RedisError) -> RedisError {
        self.ask_another_first();
        match &located.remembered {
            Some(silence) => io::Error::other(format!("{}; {silence}", describe(&error))).into(),
            None => error,
        }
    }

    /// From here on another sentinel is asked first.
    pub fn ask_another_first(&self) {
        self.roster.ask_another_first();
    }

    /// The same for a process that was forked: it begins with one of its own.
    pub fn begin_anywhere(&self) {
        self.roster.begin_anywhere();
    }

    /// Where connections may lead: as the first sentinel that answers says, unless it is known to be behind, or where they led
    /// before. An old primary may be cut off and go on serving: nobody goes back to it only because the new one does not answer.
    pub fn locate(&self, deadline: Deadline, leash: Option<&Leash>) -> Result<Located, RedisError> {
        let order = self.roster.order();
        for (turn, sentinel) in (0_u32..).zip(&order) {
            let share = deadline.share(u32::try_from(order.len()).unwrap_or(u32::MAX) - turn);
            if let Some(word) = self.ask(sentinel, share, leash).ok().filter(|word| !self.is_behind(word)) {
                self.roster.prefer(sentinel);
                return Ok(Located { candidates: self.candidates(word, deadline, leash), remembered: None });
            }
        }
        let silence = self.silence();
        match self.candidate() {
            Some(place) => Ok(Located { candidates: vec![(*place).clone()], remembered: Some(silence) }),
            // None is away for good: this is not what a server refuses.
            None => Err(io::Error::other(silence).into()),
        }
    }

    /// Whether this is the word of an earlier failover than that which made the known primary one.
    fn is_behind(&self, word: &Word) -> bool {
        self.candidate().is_some_and(|place| word.epoch.is_some() && word.epoch < place.epoch)
    }

    /// All were set up anew: from here on no word is behind, until a server is known by its date again.
    pub fn forget_epoch(&self) {
        if let Some(place) = self.candidate() {
            self.place.compare_and_swap(&place, Some(Arc::new(Candidate { epoch: None, ..(*place).clone() })));
        }
    }

    /// Whether this is the word of a later one.
    pub fn is_later(&self, word: &Word) -> bool {
        self.candidate().is_none_or(|place| place.epoch.is_some() && word.epoch > place.epoch)
    }

    /// Asks all of the list, the others where none of it answers. The latest word counts, of equally late ones that which most
    /// have given; where it is no later than what is known, most must have given it.
    pub fn survey(&self, leash: &Leash) -> Survey {
        let mut words: Vec<(Arc<Sentinel>, Word)> = Vec::new();
        let (listed, others): (Vec<_>, Vec<_>) =
            self.roster.order().into_iter().partition(|sentinel| sentinel.is_listed);
        for sentinel in listed.iter().chain(&others) {
            if !sentinel.is_listed && !words.is_empty() {
                break;
            }
            let word = self.ask(sentinel, Deadline::after(self.patience()), Some(leash));
            words.extend(word.ok().map(|word| (sentinel.clone(), word)));
        }
        let votes = |word: &Word| words.iter().filter(|(_, other)| other.address == word.address).count();
        let Some((sentinel, word)) = words.iter().rev().max_by_key(|(_, word)| (word.epoch, votes(word))) else {
            return Survey::Silent;
        };
        let place = self.candidate();
        let is_known = place.as_ref().is_some_and(|place| *place.primary() == word.address);
        let tells = |epoch: Option<u64>| epoch.is_some();
        let is_undated = !tells(word.epoch) || place.is_some_and(|place| !tells(place.epoch));
        let most = listed.len() / 2 + 1;
        if is_known || !(self.is_later(word) || is_undated || votes(word) >= most) {
            return Survey::Stays;
        }
        self.roster.prefer(sentinel);
        Survey::Moves(word.clone())
    }

    /// Longest wait for what one sentinel says.
    fn patience(&self) -> Duration {
        self.connect_timeout / 2
    }

    /// Each sentinel, and why it was of no use when it was asked last.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Why none of them helps, in a sentence.
    pub fn silence(&self) -> String {
        let name = &self.service.name;
        let all = self.roster.all();
        let remarks: Vec<_> = all.iter().map(|one| (&one.address, one.remark().unwrap_or_default())).collect();
        if remarks.iter().all(|(_, remark)| remark.as_str() == word::UNKNOWN) {
            let list: Vec<String> = remarks.iter().map(|(address, _)| address.to_string()).collect();
            return format!("no sentinel knows a service {name:?} (asked {})", list.join(" "));
        }
        // What the system says of a connect names the address itself.
        let told = |(address, remark): (&Address, Arc<String>)| {
            let address = address.to_string();
            if remark.contains(&address) { (*remark).clone() } else { format!("{address} {remark}") }
        };
        let list: Vec<String> = remarks.into_iter().map(told).collect();
        format!("no sentinel tells where the primary of {name:?} is: {}", list.join("; "))
    }

    /// For the status.
    pub fn whereabouts(&self) -> Whereabouts {
        let place = self.candidate();
        let known = |one: &Arc<Sentinel>| KnownSentinel {
            address: one.address.to_string(),
            is_listed: one.is_listed,
            remark: one.remark(),
        };
        Whereabouts {
            address: place.as_ref().map(|place| place.address.to_string()),
            role: place.as_ref().map(|place| if place.office == Office::Primary { "primary" } else { "replica" }),
            service: Some(self.service.name.clone()),
            sentinels: self.roster.all().iter().map(known).collect(),
            asked: self.asked.load().as_ref().map(|asked| asked.address.to_string()),
            ..Whereabouts::nowhere("sentinel")
        }
    }

    fn ask(&self, sentinel: &Arc<Sentinel>, deadline: Deadline, leash: Option<&Leash>) -> Result<Word, Silence> {
        // What is over in a moment needs no name.
        let connected = self.connect(sentinel, (Protocol::Resp2, Courtesy::None), deadline, leash);
        let word = connected.and_then(|mut connection| {
            // The limit of a connect holds for the question, too.
            connection.set_read_timeout(Some(deadline.left()))?;
            let wanted = Wanted { replicas: self.wants_replicas(), others: false };
            word::ask(&mut connection, &self.service.name, wanted)
        });
        self.note_word(sentinel, &word);
        word
    }

    fn connect(
        &self,
        sentinel: &Sentinel,
        manner: (Protocol, Courtesy),
        deadline: Deadline,
        leash: Option<&Leash>,
    ) -> Result<Connection, Silence> {
        Ok(self.dialer.dial(&sentinel.address, manner, deadline, leash)?)
    }

    fn note_word(&self, sentinel: &Arc<Sentinel>, word: &Result<Word, Silence>) {
        if word.is_ok() {
            self.asked.store(Some(sentinel.clone()));
        }
        let remark = match word {
            Ok(word) => self.is_behind(word).then(|| word::BEHIND.to_owned()),
            Err(silence) => Some(remark_of(silence)),
        };
        sentinel.set_remark(remark);
    }
}

fn remark_of(silence: &Silence) -> String {
    match silence {
        Silence::Failed(error) if class(error) == Class::Login => {
            let said = describe(error);
            let said = said.strip_prefix(REFUSED).unwrap_or(&said);
            format!("refuses the login: {said} (sentinel_password is for the sentinels)")
        }
        Silence::Failed(error) if class(error) == Class::Refused => format!("refuses: {}", describe(error)),
        Silence::Failed(error) => describe(error),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
