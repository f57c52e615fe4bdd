//! Lookup for residency `lazy` and `off`: held items answer at once, others are read by the store thread while the caller
//! waits for at most one command timeout over the whole evaluation, and not at all while Redis is known to be away.
//!
//! Reads happen on the store thread even here, because a deadline on a condition variable holds whatever a server does to
//! a socket. May depend on `model`.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::time::Instant;

use crate::model::{Flag, Found, Kind, Lookup, Segment};
use crate::store::inbox::mailbox::Mailbox;
use crate::store::memory::cache::Held;
use crate::store::memory::entry::{FlagEntry, SegmentEntry, State};
use crate::store::options::Freshness;
use crate::store::shared::Shared;

/// One evaluation's view of the store.
#[derive(Debug)]
pub struct ReadThrough<'a> {
    shared: &'a Shared,
    mailbox: &'a Mailbox,
    may_wait: bool,
    deadline: Cell<Option<Instant>>,
    would_wait: Cell<bool>,
    superseded: Cell<bool>,
    missed: Cell<bool>,
    /// What was found so far, if whoever looks wants to find the same again.
    pins: RefCell<Option<Vec<Pin>>>,
}

/// What a view has found under a key.
type Pin = (Kind, Box<str>, Result<Held, Unreachable>);

/// A read could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreachable;

impl<'a> ReadThrough<'a> {
    /// A view for one evaluation. One that may not wait tells by [`ReadThrough::would_wait`] whether it had to.
    pub fn new(shared: &'a Shared, mailbox: &'a Mailbox, may_wait: bool) -> Self {
        Self {
            shared,
            mailbox,
            may_wait,
            deadline: Cell::new(None),
            would_wait: Cell::new(false),
            superseded: Cell::new(false),
            missed: Cell::new(false),
            pins: RefCell::new(None),
        }
    }

    /// From here on what was found once is found again, whatever becomes of the cache.
    pub fn pin(&self) {
        self.pins.replace(Some(Vec::new()));
    }

    /// Whether something had to be read that a non-waiting view cannot read.
    pub fn would_wait(&self) -> bool {
        self.would_wait.get()
    }

    /// Whether something could not be read, so that the evaluation says nothing.
    pub fn has_missed(&self) -> bool {
        self.missed.get()
    }

    /// Whether Redis holds newer content, which does not parse, of something that was looked up.
    pub fn is_superseded(&self) -> bool {
        self.superseded.get()
    }

    /// The entry of a flag, tombstones and unreadable ones included.
    pub fn flag_entry(&self, key: &str) -> Result<Option<FlagEntry>, Unreachable> {
        match self.item(Kind::Flag, key)? {
            Held::Flag(entry) => Ok(Some(entry)),
            Held::Segment(_) | Held::Missing => Ok(None),
        }
    }

    fn item(&self, kind: Kind, key: &str) -> Result<Held, Unreachable> {
        let held = self.held_or_read(kind, key).inspect_err(|_| self.missed.set(true))?;
        let superseded = match &held {
            Held::Flag(entry) => entry.is_superseded(),
            Held::Segment(entry) => entry.is_superseded(),
            Held::Missing => false,
        };
        if superseded {
            self.superseded.set(true);
        }
        Ok(held)
    }

    fn held_or_read(&self, kind: Kind, key: &str) -> Result<Held, Unreachable> {
        let pinned = |pins: &Vec<Pin>| pins.iter().find(|pin| pin.0 == kind && &*pin.1 == key).map(|pin| pin.2.clone());
        if let Some(found) = self.pins.borrow().as_ref().and_then(pinned) {
            return found;
        }
        let found = self.look(kind, key);
        if let Some(pins) = self.pins.borrow_mut().as_mut() {
            pins.push((kind, Box::from(key), found.clone()));
        }
        found
    }

    fn look(&self, kind: Kind, key: &str) -> Result<Held, Unreachable> {
        if let Some(cache) = &self.shared.cache
            && let Some(item) = cache.get(kind, key, self.shared.tick())
        {
            self.refetch_if_unverified(item.verified);
            return Ok(item.held);
        }
        self.read(kind, key)
    }

    /// Under `push` the first evaluation of an unverified item queues its refetch; the other freshnesses go by age.
    fn refetch_if_unverified(&self, verified: u64) {
        if self.shared.options.freshness == Freshness::Push && !self.shared.is_verified(verified) {
            self.mailbox.ask_refetch();
        }
    }

    fn read(&self, kind: Kind, key: &str) -> Result<Held, Unreachable> {
        if !self.shared.health.is_available() || self.mailbox.is_stopped() {
            self.mailbox.call();
            return Err(Unreachable);
        }
        if !self.may_wait {
            self.would_wait.set(true);
            return Err(Unreachable);
        }
        let deadline = self.deadline.get().unwrap_or_else(|| Instant::now() + self.shared.options.command_timeout());
        self.deadline.set(Some(deadline));
        let flight = self.mailbox.request(kind, key);
        if self.mailbox.is_stopped() {
            // Stopped in between: nobody is left who would answer.
            self.mailbox.abandon_flights();
        }
        match flight.wait(deadline) {
            Some(Ok(held)) => Ok(held),
            Some(Err(())) | None => Err(Unreachable),
        }
    }
}

/// A flag that stays alive while an evaluation uses it.
#[derive(Debug)]
pub struct HeldFlag(FlagEntry);
/// A segment that stays alive while an evaluation uses it.
#[derive(Debug)]
pub struct HeldSegment(SegmentEntry);

impl Deref for HeldFlag {
    type Target = Flag;
    fn deref(&self) -> &Flag {
        match self.0.state() {
            State::Live(flag) => flag,
            State::Tombstone | State::Unreadable => unreachable!("only live entries are wrapped"),
        }
    }
}

impl Deref for HeldSegment {
    type Target = Segment;
    fn deref(&self) -> &Segment {
        match self.0.state() {
            State::Live(segment) => segment,
            State::Tombstone | State::Unreadable => unreachable!("only live entries are wrapped"),
        }
    }
}

impl Lookup for ReadThrough<'_> {
    type FlagRef<'b>
        = HeldFlag
    where
        Self: 'b;
    type SegmentRef<'b>
        = HeldSegment
    where
        Self: 'b;

    fn flag(&self, key: &str) -> Found<HeldFlag> {
        match self.item(Kind::Flag, key) {
            Ok(Held::Flag(entry)) => match entry.state() {
                State::Live(_) => Found::Item(HeldFlag(entry)),
                State::Tombstone => Found::Missing,
                State::Unreadable => Found::Unreadable,
            },
            Ok(Held::Segment(_) | Held::Missing) => Found::Missing,
            Err(Unreachable) => Found::Unreadable,
        }
    }

    fn segment(&self, key: &str) -> Found<HeldSegment> {
        match self.item(Kind::Segment, key) {
            Ok(Held::Segment(entry)) => match entry.state() {
                State::Live(_) => Found::Item(HeldSegment(entry)),
                State::Tombstone => Found::Missing,
                State::Unreadable => Found::Unreadable,
            },
            Ok(Held::Flag(_) | Held::Missing) => Found::Missing,
            Err(Unreachable) => Found::Unreadable,
        }
    }
}
