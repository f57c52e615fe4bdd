//! Which nodes of a cluster own the slots of our keys, and connections to them.
//!
//! Every node knows who owns what. One is asked before the first connect, at intervals, and at once when a connection could not
//! be made or a node sent us elsewhere; each time another one, for one that was cut off from the others is behind them. What it
//! says is believed once the owner says of itself that it is a primary. Where none answers, the owners known from before stay in
//! use.
//!
//! Atomics and lock-free cells only, because it outlives a fork. Depends on `dialer`, `map`, `word` and `whereabouts`.

mod asides;
mod hearing;
mod map;
mod reach;
mod redirect;
mod slot;
mod word;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::RedisError;

use super::class::{Class, class, elsewhere};
use super::connection::Connection;
use super::connector::Manner;
use super::dialer::Dialer;
use super::endpoints::{Address, Nodes};
use super::login::{Courtesy, Protocol};
use super::role::check_primary;
use super::wire::Deadline;
use crate::model::Jitter;
use crate::store::leash::Leash;

use asides::Asides;
use hearing::{Hearing, Known};
use map::{Map, Reading};
use reach::Reach;
use redirect::Told;
use word::{Silence, Word};

pub use redirect::{Redirect, Replies};
pub use slot::slot_of;

/// Most nodes that are asked in a row: those that are known, and those of the URL.
const ASKED: (usize, usize) = (5, 3);

/// A cluster, as far as it is known.
#[derive(Debug)]
pub struct Cluster {
    nodes: Nodes,
    dialer: Arc<Dialer>,
    connect_timeout: Duration,
    known: ArcSwapOption<Known>,
    asides: Asides,
    reach: Reach,
    /// Counts what has changed of both.
    changes: AtomicU64,
    /// What is known may be wrong: a node is asked before the next connect.
    is_doubtful: AtomicBool,
    /// The same, and the thread that looks at it has not done so yet.
    is_look_wanted: AtomicBool,
    /// Who is asked first.
    turn: AtomicUsize,
    /// Who is asked before all others: another node has sent us there.
    hint: ArcSwapOption<Address>,
    /// Why no node was of use when they were asked last.
    silence: ArcSwapOption<String>,
}

impl Cluster {
    /// Nobody is asked yet.
    pub fn new(nodes: Nodes, dialer: Arc<Dialer>, connect_timeout: Duration) -> Self {
        Self {
            nodes,
            dialer,
            connect_timeout,
            known: ArcSwapOption::empty(),
            asides: Asides::default(),
            reach: Reach::default(),
            changes: AtomicU64::new(0),
            is_doubtful: AtomicBool::new(false),
            is_look_wanted: AtomicBool::new(false),
            hint: ArcSwapOption::empty(),
            // Each process begins with one of its own, so that they share the work.
            turn: AtomicUsize::new(usize::from(Jitter::new().bits() as u16)),
            silence: ArcSwapOption::empty(),
        }
    }

    /// The nodes of the beginning.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Who owns a slot, as far as is known.
    pub fn owner(&self, slot: u16) -> Option<Address> {
        self.known.load().as_ref()?.map.owner(slot).cloned()
    }

    /// Who may tell of changes in a slot: its owner, and a node that its keys are on their way to.
    pub fn places(&self, slot: u16) -> Vec<Address> {
        let mut places: Vec<Address> = self.owner(slot).into_iter().collect();
        places.extend(self.asides.of(slot).filter(|aside| !places.contains(aside)));
        places
    }

    /// How often something has changed.
    pub fn changes(&self) -> u64 {
        self.changes.load(Acquire)
    }

    /// A node is to be asked who owns what: something points to a change.
    pub fn doubt(&self) {
        self.is_doubtful.store(true, Relaxed);
        self.is_look_wanted.store(true, Relaxed);
    }

    /// Whether something has pointed to a change since the last call.
    pub fn take_look_wish(&self) -> bool {
        self.is_look_wanted.swap(false, Relaxed)
    }

    /// Why no node was of use when they were asked last; `None` when one was.
    pub fn silence(&self) -> Option<Arc<String>> {
        self.silence.load_full()
    }

    /// The node on the other end of `connection` says that a slot is elsewhere. Where that is.
    pub fn note_redirect(&self, redirect: &Redirect, by: Option<&Address>) -> Option<Address> {
        let (slot, told, is_aside) = match redirect {
            Redirect::Moved(slot, told) => (*slot, told, false),
            Redirect::Ask(slot, told) => (*slot, told, true),
            Redirect::Torn | Redirect::Nowhere => return None,
        };
        let address = self.address_of(told, by)?;
        if is_aside {
            self.changes.fetch_add(u64::from(self.asides.note(slot, &address)), AcqRel);
        } else {
            self.hint.store(Some(Arc::new(address.clone())));
            self.is_look_wanted.store(true, Relaxed);
            if let Some(known) = self.known.load_full().filter(|known| known.map.owner(slot) != Some(&address)) {
                let (map, epoch) = (known.map.with_owner(slot, address.clone()), known.epoch);
                self.put(Some(known), map, epoch);
            }
        }
        Some(address)
    }

    fn address_of(&self, told: &Told, by: Option<&Address>) -> Option<Address> {
        // A node that does not know its own host means the one that it was reached at.
        let asked = by.or_else(|| self.nodes.seeds.first())?;
        self.reading(asked).address(&told.host, told.port)
    }

    /// A connection to the owner of this slot.
    pub fn connect(
        &self,
        slot: u16,
        manner: Manner,
        deadline: Deadline,
        leash: Option<&Leash>,
    ) -> Result<Connection, RedisError> {
        let owner = self.find(slot, deadline.share(2), leash)?;
        let failure = match self.dial(&owner, manner, deadline.share(2), leash) {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        self.doubt();
        match self.find(slot, deadline.share(2), leash) {
            Ok(other) if other != owner => self.dial(&other, manner, deadline, leash),
            _ => Err(failure),
        }
    }

    /// A connection to this node, whatever it owns.
    pub fn dial(
        &self,
        address: &Address,
        manner: Manner,
        deadline: Deadline,
        leash: Option<&Leash>,
    ) -> Result<Connection, RedisError> {
        let outcome = self.dialer.dial(address, manner, deadline, leash);
        let outcome = outcome.and_then(|connection| self.check(connection, address, deadline));
        self.reach.note_owner(address, outcome.is_ok());
        outcome
    }

    /// The same connection, if by then it says that it leads to a primary.
    fn check(
        &self,
        mut connection: Connection,
        address: &Address,
        deadline: Deadline,
    ) -> Result<Connection, RedisError> {
        connection.set_deadline(deadline);
        check_primary(&mut connection, address).map_err(|error| self.dialer.explain(address, error))?;
        connection.set_read_timeout(Some(self.dialer.command_timeout))?;
        connection.set_write_timeout(Some(self.dialer.command_timeout))?;
        connection.set_peer(address.clone());
        Ok(connection)
    }

    fn find(&self, slot: u16, deadline: Deadline, leash: Option<&Leash>) -> Result<Address, RedisError> {
        let known = self.owner(slot);
        let asks = known.is_none() || self.is_doubtful.load(Relaxed);
        let asked = if asks { self.ask_around(deadline, leash) } else { Ok(()) };
        match (self.owner(slot), asked) {
            (Some(owner), _) => Ok(owner),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(Self::unowned(slot)),
        }
    }

    /// Nobody owns this slot, as far as the nodes know that were asked.
    pub fn unowned(slot: u16) -> RedisError {
        elsewhere(format!("no node of the cluster that can be reached owns slot {slot}"))
    }

    /// Asks one node after the other, until one says something that is as late as what is known.
    pub fn ask_around(&self, deadline: Deadline, leash: Option<&Leash>) -> Result<(), RedisError> {
        let known = self.known.load_full();
        let (order, mut hearing) = (self.order(known.as_deref()), Hearing::new(known.as_deref()));
        for (turn, address) in (0_u32..).zip(&order) {
            let share = deadline.share(u32::try_from(order.len()).unwrap_or(u32::MAX) - turn);
            let said = self.ask(address, share, leash);
            if hearing.hear(address, said, self.nodes.seeds.contains(address)) {
                break;
            }
        }
        self.turn.fetch_add(1, Relaxed);
        match hearing.end(self.reach.is_over(), |are_others| self.reach.have_others_stayed(are_others)) {
            Ok(word) => {
                self.silence.store(None);
                if let Some(word) = word {
                    self.is_doubtful.store(false, Relaxed);
                    self.put(known, word.map, word.epoch);
                }
                Ok(())
            }
            Err(silences) => {
                let remarks: Vec<String> = silences.iter().map(|(address, silence)| remark(address, silence)).collect();
                let text = format!("no node tells who owns what in the cluster: {}", remarks.join("; "));
                self.silence.store(Some(Arc::new(text.clone())));
                let refused_login = silences.into_iter().find_map(|(_, silence)| match silence {
                    Silence::Failed(error) if class(&error) == Class::Login => Some(error),
                    _ => None,
                });
                Err(refused_login.unwrap_or_else(|| io::Error::other(text).into()))
            }
        }
    }

    /// Asks this node, whatever the others say: why it is of no use, if it is not.
    pub fn meet(&self, node: &Address, leash: &Leash) -> Option<String> {
        let said = self.ask(node, Deadline::after(self.connect_timeout / 2), Some(leash));
        Some(remark(node, &said.err()?))
    }

    /// This is known from here on, unless something else is known by now than what it was judged by.
    fn put(&self, judged: Option<Arc<Known>>, map: Map, epoch: u64) {
        let map = match &judged {
            Some(known) => map.named_as(&known.map, |name| self.reach.has(name)),
            None => map,
        };
        let nodes = map.nodes();
        self.reach.retain(|address| nodes.contains(address) || self.nodes.seeds.contains(address));
        let before = self.known.compare_and_swap(&judged, Some(Arc::new(Known { map: map.clone(), epoch })));
        let is_new = before.as_ref().is_none_or(|before| before.map != map);
        if before.as_ref().map(Arc::as_ptr) != judged.as_ref().map(Arc::as_ptr) {
            return if is_new {
                self.doubt()
            };
        }
        self.asides.arrive(&map);
        if is_new {
            self.reach.start_over();
            self.changes.fetch_add(1, AcqRel);
        }
    }

    /// Those that are asked: known ones in turn, then those of the URL; the other way round when all of them were silent.
    fn order(&self, known: Option<&Known>) -> Vec<Address> {
        let turn = self.turn.load(Relaxed);
        let rotated = |mut nodes: Vec<Address>, most: usize| {
            let count = nodes.len().max(1);
            nodes.rotate_left(turn % count);
            nodes.truncate(most);
            nodes
        };
        let known = rotated(known.map(|known| known.map.nodes()).unwrap_or_default(), ASKED.0);
        let seeds = rotated(self.nodes.seeds.clone(), if known.is_empty() { usize::MAX } else { ASKED.1 });
        let (first, second) = if self.silence.load().is_some() { (seeds, known) } else { (known, seeds) };
        let mut order: Vec<Address> = self.hint.swap(None).iter().map(|hint| (**hint).clone()).collect();
        for node in first.into_iter().chain(second) {
            if !order.contains(&node) {
                order.push(node);
            }
        }
        order
    }

    fn ask(&self, address: &Address, deadline: Deadline, leash: Option<&Leash>) -> Result<Word, Silence> {
        let manner = (Protocol::Resp2, Courtesy::Full);
        let outcome = self.dialer.dial(address, manner, deadline, leash);
        self.reach.note(address, outcome.is_ok());
        let mut connection = outcome?;
        // The limit of a connect holds for the question, too.
        connection.set_read_timeout(Some(deadline.left()))?;
        let said = word::ask(&mut connection, self.reading(address));
        let known = self.known.load();
        match &said {
            Ok(word) => {
                let is_kin = known.as_ref().is_none_or(|known| known.map.is_kin(&word.map));
                self.reach.note_answer(address, is_kin);
            }
            Err(Silence::Standalone | Silence::NoNode | Silence::Empty) => self.reach.note_answer(address, false),
            Err(Silence::Foreign | Silence::Nonsense | Silence::Failed(_)) => {}
        }
        said
    }

    fn reading<'r>(&'r self, asked: &'r Address) -> Reading<'r> {
        Reading { asked, reached: &self.nodes.address_map, encrypted: self.dialer.tls.is_some() }
    }
}

/// Why this node is of no use, for people.
fn remark(address: &Address, silence: &Silence) -> String {
    let (address, silence) = (address.to_string(), silence.to_string());
    // What the system says of a connect names the address itself.
    if silence.contains(&address) { silence } else { format!("{address} {silence}") }
}

#[cfg(test)]
mod tests;
