//! What host threads, the push link and the store thread leave for each other. One mailbox belongs to one set of threads:
//! a forked child makes a new one, so no lock in here can be inherited in a locked state.
//!
//! The store thread sleeps on one channel, on which the watch tells what Redis said and everybody else just knocks. May
//! depend on `memory` and `model`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel, Ordering::Acquire, Ordering::Release};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::flight::{Flight, Taken};
use super::link::LinkState;
use super::outbox::Outbox;
use crate::model::{ItemKey, Kind, lock};
use crate::store::leash::Leash;
use crate::store::memory::judge::Remarked;
use crate::store::memory::publication::Publisher;
use crate::store::memory::snapshot::Snapshot;
use crate::store::signal::Signal;

/// A read of everything.
pub type WholeFlight = Flight<Arc<Snapshot>>;

#[derive(Debug, Default)]
struct Requests {
    /// Reads asked for, by item: whoever asks for the same one joins it.
    flights: HashMap<ItemKey, Arc<Flight>>,
    /// Those that the store thread has not taken yet.
    waiting: Vec<ItemKey>,
    /// A read of everything that the store thread has not taken yet.
    whole: Option<Arc<WholeFlight>>,
}

/// Keys that were asked for and are not held.
#[derive(Debug, Default)]
struct Unknown {
    /// The generation in which they were asked for.
    generation: u64,
    asked: Vec<Box<str>>,
    /// Those that the store thread has not taken yet.
    waiting: Vec<Box<str>>,
}

/// The mailbox of one set of threads.
#[derive(Debug)]
pub struct Mailbox {
    wake: Sender<Wake>,
    stop: Mutex<bool>,
    stopped: Condvar,
    /// Somebody evaluated an unverified item, or asked for a key that is not held while the set was unverified.
    asked: AtomicBool,
    /// Somebody looks at everything while the set is unverified.
    full_asked: AtomicBool,
    /// Somebody had no answer because Redis is away.
    called: AtomicBool,
    unknown: Mutex<Unknown>,
    requests: Mutex<Requests>,
    publisher: Mutex<Publisher>,
    /// What was told of items that need not be held, whoever delivered them.
    pub remarked: Arc<Mutex<Remarked>>,
    /// What the data source has delivered and Redis may not hold yet.
    pub outbox: Outbox,
    /// The data source of this process has delivered a full data set; what is held may be what a parent received.
    has_own_set: AtomicBool,
    /// State of the push link.
    pub link: LinkState,
    /// Ends what the push link waits for.
    pub leash: Leash,
    /// The same for the thread that listens to sentinels.
    pub leash_of_seeker: Leash,
}

/// Most unknown keys asked for in one generation; a full read finds the rest.
const UNKNOWN_LIMIT: usize = 100;

/// What wakes the store thread.
#[derive(Debug)]
pub enum Wake {
    /// Somebody left something in the mailbox.
    Knock,
    /// The watch tells something.
    Told(Signal),
}

impl Mailbox {
    /// An empty mailbox whose owner sleeps on the other end of `wake`.
    pub fn new(wake: Sender<Wake>) -> Self {
        Self {
            wake,
            stop: Mutex::new(false),
            stopped: Condvar::new(),
            asked: AtomicBool::new(false),
            full_asked: AtomicBool::new(false),
            called: AtomicBool::new(false),
            has_own_set: AtomicBool::new(false),
            unknown: Mutex::default(),
            requests: Mutex::default(),
            publisher: Mutex::default(),
            remarked: Arc::default(),
            outbox: Outbox::default(),
            link: LinkState::new(),
            leash: Leash::default(),
            leash_of_seeker: Leash::default(),
        }
    }

    /// The watch tells something.
    pub fn tell(&self, signal: Signal) {
        // A send fails only when the store thread has ended; then nobody needs to know.
        let _ = self.wake.send(Wake::Told(signal));
    }

    /// Who may publish a snapshot, one at a time. Taken before every other lock in here.
    pub fn publisher(&self) -> MutexGuard<'_, Publisher> {
        lock(&self.publisher)
    }

    /// Wakes the store thread.
    pub fn wake(&self) {
        // A send fails only when the store thread has ended; then nobody needs waking.
        let _ = self.wake.send(Wake::Knock);
    }

    /// Tells all threads of this mailbox to end, and everybody who waits for a read that none will come.
    pub fn stop(&self) {
        *lock(&self.stop) = true;
        self.stopped.notify_all();
        self.leash.pull();
        self.leash_of_seeker.pull();
        self.wake();
        self.abandon_flights();
    }

    /// Whether the threads should end.
    pub fn is_stopped(&self) -> bool {
        *lock(&self.stop)
    }

    /// Sleeps, unless told to stop; true when the thread should end.
    pub fn sleep(&self, duration: Duration) -> bool {
        let guard = lock(&self.stop);
        let outcome = self.stopped.wait_timeout_while(guard, duration, |stop| !*stop);
        *outcome.unwrap_or_else(PoisonError::into_inner).0
    }

    /// The data source of this process has delivered a full data set.
    pub fn set_own_set(&self) {
        self.has_own_set.store(true, Release);
    }

    /// Whether the data source of this process has delivered a full data set.
    pub fn has_own_set(&self) -> bool {
        self.has_own_set.load(Acquire)
    }

    /// Asks for a refetch of what is in use. Cheap when already asked for.
    pub fn ask_refetch(&self) {
        if !self.asked.swap(true, AcqRel) {
            self.wake();
        }
    }

    /// Asks for a read of everything soon. Cheap when already asked for.
    pub fn ask_full(&self) {
        if !self.full_asked.swap(true, AcqRel) {
            self.wake();
        }
    }

    /// Whether a read of everything was asked for since the last call.
    pub fn take_full_wish(&self) -> bool {
        self.full_asked.swap(false, AcqRel)
    }

    /// Somebody has no answer because Redis is away: it is looked for sooner. Cheap when already told.
    pub fn call(&self) {
        if !self.called.load(Acquire) && !self.called.swap(true, AcqRel) {
            self.wake();
        }
    }

    /// Whether somebody had no answer since the latest attempt.
    pub fn has_callers(&self) -> bool {
        self.called.load(Acquire)
    }

    /// Redis is looked for now.
    pub fn forget_callers(&self) {
        self.called.store(false, Release);
    }

    /// Asks whether an unknown key exists by now; once for each key and generation.
    pub fn ask_unknown(&self, key: &str, generation: u64) {
        let mut unknown = lock(&self.unknown);
        if unknown.generation != generation {
            *unknown = Unknown { generation, ..Unknown::default() };
        }
        if unknown.asked.len() < UNKNOWN_LIMIT && !unknown.asked.iter().any(|known| &**known == key) {
            unknown.asked.push(Box::from(key));
            unknown.waiting.push(Box::from(key));
            drop(unknown);
            self.ask_refetch();
        }
    }

    /// Whether a refetch was asked for since the last call, with the unknown keys.
    pub fn take_asked(&self) -> Option<Vec<Box<str>>> {
        let asked = self.asked.swap(false, AcqRel);
        let unknown = std::mem::take(&mut lock(&self.unknown).waiting);
        (asked || !unknown.is_empty()).then_some(unknown)
    }

    /// Joins or starts the read of an item.
    pub fn request(&self, kind: Kind, key: &str) -> Arc<Flight> {
        let item = ItemKey { kind, key: Arc::from(key) };
        let mut requests = lock(&self.requests);
        if let Some(flight) = requests.flights.get(&item) {
            return flight.clone();
        }
        let flight = Arc::<Flight>::default();
        requests.flights.insert(item.clone(), flight.clone());
        requests.waiting.push(item);
        drop(requests);
        self.wake();
        flight
    }

    /// Joins or starts a read of everything.
    pub fn request_whole(&self) -> Arc<WholeFlight> {
        let mut requests = lock(&self.requests);
        if let Some(flight) = &requests.whole {
            return flight.clone();
        }
        let flight = Arc::<WholeFlight>::default();
        requests.whole = Some(flight.clone());
        drop(requests);
        self.wake();
        flight
    }

    /// The read of everything that waits to be sent. From here on whoever asks for one starts another.
    pub fn take_whole(&self) -> Option<Taken<Arc<Snapshot>>> {
        lock(&self.requests).whole.take().map(Taken::from)
    }

    /// The reads that wait to be sent.
    pub fn take_requests(&self) -> Vec<(ItemKey, Taken)> {
        let mut requests = lock(&self.requests);
        let waiting = std::mem::take(&mut requests.waiting);
        waiting
            .into_iter()
            .filter_map(|item| {
                let flight = requests.flights.get(&item)?.clone();
                Some((item, Taken::from(flight)))
            })
            .collect()
    }

    /// From here on whoever asks for the item starts a read of his own. A read that was started since the flight was
    /// closed before stays open.
    pub fn close_flight(&self, item: &ItemKey, flight: &Arc<Flight>) {
        let mut requests = lock(&self.requests);
        if requests.flights.get(item).is_some_and(|open| Arc::ptr_eq(open, flight)) {
            requests.flights.remove(item);
        }
    }

    /// Ends the reads that were taken and never answered, without an answer.
    pub fn forget_taken(&self) {
        let mut requests = lock(&self.requests);
        let Requests { flights, waiting, .. } = &mut *requests;
        flights.retain(|item, flight| {
            let waits = waiting.contains(item);
            if !waits {
                flight.land(Err(()));
            }
            waits
        });
    }

    /// Ends every read that was asked for, without an answer.
    pub fn abandon_flights(&self) {
        let mut requests = lock(&self.requests);
        requests.waiting.clear();
        for (_, flight) in requests.flights.drain() {
            flight.land(Err(()));
        }
        if let Some(flight) = requests.whole.take() {
            flight.land(Err(()));
        }
    }
}
