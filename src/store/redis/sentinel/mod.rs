//! Where the primary of a service is, by the word of its sentinels.
//!
//! Before each connect one sentinel is asked: the one whose word counted last, then the others. What it says is believed once the
//! server says the same of itself. Where none answers, the primary that is known from before stays in use. A sentinel that was
//! cut off from the others may be behind them: where one says something new, all are asked, and the latest word counts.
//!
//! Atomics and lock-free cells only, because it outlives a fork. Depends on `dialer`, `word` and `whereabouts`.

mod places;
mod vigil;
mod word;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::RedisError;

use super::class::{Class, class};
use super::connection::Connection;
use super::describe::describe;
use super::dialer::Dialer;
use super::endpoints::{Address, ReadFrom, Service};
use super::login::{Courtesy, Protocol};
use super::whereabouts::Whereabouts;
use super::wire::Deadline;
use crate::model::Jitter;
use crate::store::leash::Leash;

pub use places::{Candidate, Office};
pub use vigil::Vigil;
pub use word::{Silence, Word};

/// Where connections may lead now.
pub struct Located {
    /// At least one, best first.
    pub candidates: Vec<Candidate>,
    /// No sentinel said so now: why not.
    remembered: Option<String>,
}

/// The sentinels of a service, and what they said.
#[derive(Debug)]
pub struct Sentinels {
    service: Service,
    dialer: Dialer,
    connect_timeout: Duration,
    read: ReadFrom,
    /// Which one is asked first.
    first: AtomicUsize,
    /// Which one answered last, counted from 1; 0: none yet.
    asked: AtomicUsize,
    /// Why each of them was of no use when it was asked last.
    remarks: Box<[ArcSwapOption<String>]>,
    /// Where connections lead: a server that said itself that it is the one that is sought.
    place: ArcSwapOption<Candidate>,
    /// It is not what it must be any more: others come first.
    is_shunned: AtomicBool,
    /// Counts how often that was another one than before.
    moves: AtomicU64,
}

impl Sentinels {
    /// None is asked yet. Each process begins with one of its own, so that they share the work.
    pub fn new(service: Service, dialer: Dialer, connect_timeout: Duration, read: ReadFrom) -> Self {
        let remarks = service.sentinels.iter().map(|_| ArcSwapOption::empty()).collect();
        let first = AtomicUsize::new(usize::from(Jitter::new().bits() as u16));
        let (asked, moves, is_shunned) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
        let place = ArcSwapOption::empty();
        Self { service, dialer, connect_timeout, read, first, asked, remarks, place, is_shunned, moves }
    }

    /// What they are asked for.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Whether reads may go to replicas.
    pub fn wants_replicas(&self) -> bool {
        self.read != ReadFrom::Primary
    }

    /// Whether they are preferred to the primary, however near that is.
    pub fn prefers_replicas(&self) -> bool {
        self.read == ReadFrom::PreferReplica
    }

    /// Where connections lead.
    pub fn place(&self) -> Option<Arc<Address>> {
        self.place.load().as_ref().map(|place| Arc::new(place.address.clone()))
    }

    /// The server that connections lead to, and what it is.
    pub fn candidate(&self) -> Option<Arc<Candidate>> {
        self.place.load_full()
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

    /// The server that connections lead to is not what it must be any more, or another one is better.
    pub fn shun_place(&self) {
        self.is_shunned.store(true, Relaxed);
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
        self.first.fetch_add(1, Relaxed);
    }

    /// Where connections may lead: as the first sentinel that answers says, or where they led before.
    pub fn locate(&self, deadline: Deadline, leash: Option<&Leash>) -> Result<Located, RedisError> {
        let order = self.order();
        for (turn, &position) in (0_u32..).zip(&order) {
            let share = deadline.share(u32::try_from(order.len()).unwrap_or(u32::MAX) - turn);
            if let Ok(word) = self.ask(position, share, leash) {
                self.first.store(position, Relaxed);
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

    /// Asks all; the latest word counts, of equally late ones that which most have given.
    pub fn survey(&self, leash: &Leash) -> Option<Word> {
        let deadline = || Deadline::after(self.connect_timeout / 2);
        let words: Vec<(usize, Word)> = self
            .order()
            .into_iter()
            .filter_map(|position| Some((position, self.ask(position, deadline(), Some(leash)).ok()?)))
            .collect();
        let votes = |word: &Word| words.iter().filter(|(_, other)| other.address == word.address).count();
        let (position, word) = words.iter().rev().max_by_key(|(_, word)| (word.epoch, votes(word)))?;
        self.first.store(*position, Relaxed);
        Some(word.clone())
    }

    /// Each sentinel, and why it was of no use when it was asked last.
    pub fn remarks(&self) -> impl Iterator<Item = (&Address, Option<Arc<String>>)> {
        self.service.sentinels.iter().zip(self.remarks.iter().map(ArcSwapOption::load_full))
    }

    /// Why none of them helps, in a sentence.
    pub fn silence(&self) -> String {
        let name = &self.service.name;
        let remarks: Vec<_> = self.remarks().map(|(address, remark)| (address, remark.unwrap_or_default())).collect();
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
        let asked = self.asked.load(Relaxed).checked_sub(1).and_then(|position| self.service.sentinels.get(position));
        let place = self.candidate();
        Whereabouts {
            address: place.as_ref().map(|place| place.address.to_string()),
            role: place.as_ref().map(|place| if place.office == Office::Primary { "primary" } else { "replica" }),
            service: Some(self.service.name.clone()),
            sentinels: self.remarks().map(|(address, remark)| (address.to_string(), remark)).collect(),
            asked: asked.map(Address::to_string),
            ..Whereabouts::nowhere("sentinel")
        }
    }

    /// In the order in which they are asked.
    fn order(&self) -> Vec<usize> {
        let (count, first) = (self.service.sentinels.len(), self.first.load(Relaxed));
        (0..count).map(|turn| (first % count + turn) % count).collect()
    }

    fn ask(&self, position: usize, deadline: Deadline, leash: Option<&Leash>) -> Result<Word, Silence> {
        let connected = self.connect(position, Protocol::Resp2, deadline, leash);
        let word = connected.and_then(|mut connection| {
            // The limit of a connect holds for the question, too.
            connection.set_read_timeout(Some(deadline.left()))?;
            word::ask(&mut connection, &self.service.name, self.wants_replicas())
        });
        self.note_word(position, &word);
        word
    }

    fn connect(
        &self,
        position: usize,
        protocol: Protocol,
        deadline: Deadline,
        leash: Option<&Leash>,
    ) -> Result<Connection, Silence> {
        let address = self.service.sentinels.get(position).ok_or(Silence::Unknown)?;
        Ok(self.dialer.dial(address, (protocol, Courtesy::Full), deadline, leash)?)
    }

    fn note_word(&self, position: usize, word: &Result<Word, Silence>) {
        if word.is_ok() {
            self.asked.store(position + 1, Relaxed);
        }
        let Some(place) = self.remarks.get(position) else { return };
        let remark = word.as_ref().err().map(remark_of);
        if place.load().as_ref().map(|known| known.as_str()) != remark.as_deref() {
            place.store(remark.map(Arc::new));
        }
    }
}

fn remark_of(silence: &Silence) -> String {
    match silence {
        Silence::Failed(error) if matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) => {
            format!("refuses the login: {} (sentinel_password is for the sentinels)", describe(error))
        }
        Silence::Failed(error) if class(error) == Class::Refused => format!("refuses: {}", describe(error)),
        Silence::Failed(error) => describe(error),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
