//! Where evaluations ask: answers that are remembered come at once, others from the store, which is asked on the thread that
//! wants to know. Threads that want the same at the same time wait for the one that asks, and no longer than patience lasts.
//!
//! A desk belongs to one set of threads: a forked child makes a new one, so its lock is never inherited in a locked state. It is
//! never held while the store is asked. Depends on the other files of the module.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use super::cache::Cache;
use super::flight::Flight;
use super::hash::{ContextHash, context_hash};
use super::nested::Asking;
use super::options::DeskOptions;
use super::standing::{Standing, Status};
use super::store::{BigSegmentStore, StoreFailure};
use super::telling::{Telling, reason};
use crate::model::{Membership, Severity, lock, unix_ms};

/// What a desk needs of whoever runs it.
pub trait Host {
    /// Keeps a log line.
    fn log(&self, severity: Severity, message: fmt::Arguments<'_>);

    /// Whether the store is available, or whether it is stale, has changed; `reason` is for people.
    fn status_changed(&self, status: Status, reason: &str);
}

/// How long an answer may take.
#[derive(Debug, Clone, Copy)]
pub enum Wait {
    /// Only what is remembered counts.
    No,
    /// Until then, what the store itself takes apart.
    Until(Instant),
}

/// What is known of a context.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Its big segments.
    Known {
        /// Those that include or exclude it.
        membership: Arc<Membership>,
        /// The store has not been brought up to date for too long.
        is_stale: bool,
    },
    /// The store cannot tell.
    Failed,
    /// The store would have to be asked.
    WouldWait,
}

type Answering = Flight<Arc<Membership>>;

#[derive(Debug)]
struct Inner {
    cache: Cache,
    /// Questions that are under way.
    flights: HashMap<ContextHash, Arc<Answering>>,
    standing: Standing,
    /// The question for the store's age that is under way.
    polling: Option<Arc<Flight<()>>>,
    telling: Telling,
    is_closed: bool,
}

/// The desk of one client in one process.
#[derive(Debug)]
pub struct Desk {
    inner: Mutex<Inner>,
    options: DeskOptions,
}

/// What is to be done about a question.
enum Step {
    Done(Answer),
    Join(Arc<Answering>),
    Ask(Arc<Answering>),
}

impl Desk {
    /// Nothing is remembered yet.
    pub fn new(options: DeskOptions) -> Self {
        let inner = Inner {
            cache: Cache::new(options),
            flights: HashMap::new(),
            standing: Standing::default(),
            polling: None,
            telling: Telling::default(),
            is_closed: false,
        };
        Self { inner: Mutex::new(inner), options }
    }

    /// What is known of the context with this key.
    pub fn ask(&self, store: &dyn BigSegmentStore, host: &dyn Host, key: &str, wait: Wait) -> Answer {
        let hash = context_hash(key);
        let membership = match self.step(&hash, wait) {
            Step::Done(answer) => return answer,
            Step::Join(flight) => match wait {
                Wait::Until(deadline) if !Asking::is_under_way(self.options.owner) => {
                    flight.wait(deadline, self.options.patience).unwrap_or(Err(()))
                }
                // A store that asks itself would wait for itself.
                _ => Err(()),
            },
            Step::Ask(flight) => self.ask_store(store, host, &hash, &flight),
        };
        match membership {
            Ok(membership) => Answer::Known { membership, is_stale: self.is_stale(store, host, wait) },
            Err(()) => Answer::Failed,
        }
    }

    fn step(&self, hash: &ContextHash, wait: Wait) -> Step {
        let mut inner = lock(&self.inner);
        if inner.is_closed {
            return Step::Done(Answer::Failed);
        }
        if let Some(membership) = inner.cache.get(hash, Instant::now()) {
            return match inner.standing.status(unix_ms(), self.options.stale_after) {
                Some(status) => Step::Done(Answer::Known { membership, is_stale: status.stale }),
                None if matches!(wait, Wait::No) => Step::Done(Answer::WouldWait),
                None => {
                    // How old the store is remains to be asked.
                    let known = Arc::new(Answering::new());
                    known.land(Ok(membership));
                    Step::Join(known)
                }
            };
        }
        if matches!(wait, Wait::No) {
            return Step::Done(Answer::WouldWait);
        }
        if let Some(flight) = inner.flights.get(hash) {
            return Step::Join(flight.clone());
        }
        let flight = Arc::new(Answering::new());
        inner.flights.insert(*hash, flight.clone());
        Step::Ask(flight)
    }

    fn ask_store(
        &self,
        store: &dyn BigSegmentStore,
        host: &dyn Host,
        hash: &ContextHash,
        flight: &Arc<Answering>,
    ) -> Result<Arc<Membership>, ()> {
        // However this ends, nobody waits for it afterwards.
        let _landing = Landing { desk: self, hash, flight };
        let outcome = match Asking::begin(self.options.owner) {
            Some(_asking) => store.membership(hash),
            None => Err(StoreFailure("it evaluates flags with big segments while it is asked for one".to_owned())),
        };
        let mut inner = lock(&self.inner);
        inner.telling.note_answer(host, outcome.as_ref().err());
        let outcome = outcome.map(Arc::new).map_err(drop);
        if let Ok(membership) = &outcome
            && !flight.is_superseded()
        {
            inner.cache.put(*hash, membership.clone(), flight.began);
        }
        flight.land(outcome.clone());
        outcome
    }

    /// Whether the store is out of date, which it is asked if it never was.
    fn is_stale(&self, store: &dyn BigSegmentStore, host: &dyn Host, wait: Wait) -> bool {
        let known = self.known_status(host);
        let status = match (known, wait) {
            (None, Wait::Until(deadline)) => self.learn(store, host, deadline),
            (known, _) => known,
        };
        status.is_some_and(|status| status.stale)
    }

    /// How the store stands, which it is asked if it never was.
    pub fn status(&self, store: &dyn BigSegmentStore, host: &dyn Host) -> Status {
        let known = self.known_status(host);
        known.or_else(|| self.learn(store, host, Instant::now() + self.options.patience)).unwrap_or_default()
    }

    /// Asks the store how old it is, unless another thread does so just now, and says how it stands.
    pub fn poll(&self, store: &dyn BigSegmentStore, host: &dyn Host) -> Status {
        let inner = lock(&self.inner);
        self.poll_until(inner, store, host, Instant::now() + self.options.patience).unwrap_or_default()
    }

    /// How the store stands by what it has said; `None` before it was asked. That it has grown old meanwhile is told.
    pub fn known_status(&self, host: &dyn Host) -> Option<Status> {
        let mut inner = lock(&self.inner);
        let status = inner.standing.status(unix_ms(), self.options.stale_after)?;
        self.tell(&mut inner, host, status, None);
        Some(status)
    }

    /// How the store stands by what it has said; `None` before it was asked. Nothing is told.
    pub fn last_status(&self) -> Option<Status> {
        lock(&self.inner).standing.status(unix_ms(), self.options.stale_after)
    }

    /// Asks a store of which nothing was known a moment ago, unless another thread has done so meanwhile.
    fn learn(&self, store: &dyn BigSegmentStore, host: &dyn Host, deadline: Instant) -> Option<Status> {
        let inner = lock(&self.inner);
        let known = inner.standing.status(unix_ms(), self.options.stale_after);
        if known.is_some() { known } else { self.poll_until(inner, store, host, deadline) }
    }

    fn poll_until(
        &self,
        mut inner: MutexGuard<'_, Inner>,
        store: &dyn BigSegmentStore,
        host: &dyn Host,
        deadline: Instant,
    ) -> Option<Status> {
        if inner.is_closed {
            return None;
        }
        if let Some(flight) = inner.polling.clone() {
            drop(inner);
            if !Asking::is_under_way(self.options.owner) {
                flight.wait(deadline, self.options.patience);
            }
            return self.known_status(host);
        }
        // A store that asks how it stands while it answers gets to know that nothing is known.
        let asking = Asking::begin(self.options.owner)?;
        let flight = Arc::new(Flight::new());
        inner.polling = Some(flight.clone());
        drop(inner);
        let _landing = PollLanding { desk: self, flight };
        let outcome = store.metadata();
        drop(asking);
        self.note_metadata(host, &outcome)
    }

    /// The store said how old it is, or could not.
    pub fn note_metadata(&self, host: &dyn Host, outcome: &Result<Option<i64>, StoreFailure>) -> Option<Status> {
        let mut inner = lock(&self.inner);
        if inner.is_closed {
            return None;
        }
        inner.standing.note(outcome);
        inner.telling.note_metadata(host, outcome.as_ref().err());
        let status = inner.standing.status(unix_ms(), self.options.stale_after)?;
        self.tell(&mut inner, host, status, outcome.as_ref().err());
        Some(status)
    }

    /// In the order in which it changes: the lock is held, and what a host is told goes into a queue.
    fn tell(&self, inner: &mut Inner, host: &dyn Host, status: Status, failure: Option<&StoreFailure>) {
        if !inner.is_closed && inner.standing.is_news(status) {
            host.status_changed(status, &reason(status, failure));
        }
    }

    /// What the store said of this context may be another by now.
    pub fn forget(&self, hash: &str) {
        let Ok(hash) = ContextHash::from(hash) else { return };
        let mut inner = lock(&self.inner);
        inner.cache.forget(&hash);
        if let Some(flight) = inner.flights.remove(&hash) {
            flight.supersede();
        }
    }

    /// Everything that the store said of contexts may be another by now.
    pub fn forget_all(&self) {
        let mut inner = lock(&self.inner);
        inner.cache.clear();
        inner.flights.drain().for_each(|(_, flight)| flight.supersede());
    }

    /// Number of contexts that are remembered.
    pub fn remembered(&self) -> usize {
        lock(&self.inner).cache.len()
    }

    /// Nothing is asked or told any more, and nobody waits.
    pub fn close(&self) {
        let mut inner = lock(&self.inner);
        inner.is_closed = true;
        inner.cache.clear();
        inner.flights.drain().for_each(|(_, flight)| flight.land(Err(())));
        if let Some(flight) = inner.polling.take() {
            flight.land(Err(()));
        }
    }
}

/// Ends a question without an answer, unless there is one: a store may panic.
struct Landing<'a> {
    desk: &'a Desk,
    hash: &'a ContextHash,
    flight: &'a Arc<Answering>,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut inner = lock(&self.desk.inner);
        // Another one may have begun since the store said that this answer may be another.
        if inner.flights.get(self.hash).is_some_and(|flight| Arc::ptr_eq(flight, self.flight)) {
            inner.flights.remove(self.hash);
        }
        drop(inner);
        self.flight.land(Err(()));
    }
}

/// The same for the question for the store's age.
struct PollLanding<'a> {
    desk: &'a Desk,
    flight: Arc<Flight<()>>,
}

impl Drop for PollLanding<'_> {
    fn drop(&mut self) {
        let mut inner = lock(&self.desk.inner);
        if inner.polling.as_ref().is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            inner.polling = None;
        }
        drop(inner);
        self.flight.land(Ok(()));
    }
}

#[cfg(test)]
mod tests;
