//! A client: configuration, lifecycle, wiring, status, notifications, fork guard. Threads are started here and nowhere
//! else; evaluation never waits for one of them.
//!
//! Lifecycle: new (no threads) → started → closed. Memory lives as long as somebody holds the client; after close,
//! evaluation goes on answering from the last data held. May depend on `store`, `eval`, `context` and `model`.

mod all_flags;
mod atfork;
mod config;
mod evaluate;
mod flags_state;
mod notifications;
mod prepared;
mod runtime;
mod secure_mode;
mod status;

use std::sync::Arc;
use std::sync::atomic::{
    AtomicU8, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

pub use config::{Config, ConfigError, Settings};
pub use evaluate::Evaluation;
pub use flags_state::AllFlagsOptions;
pub use notifications::{Event, Notification, Notifications, Polled};
pub use prepared::{DefaultError, Prepared, Wanted};

pub(crate) use crate::store::lock;
use crate::store::{ConnectError, Freshness, Level, Listener, Shared, StoreState};
use runtime::Runtime;
use secure_mode::SecureMode;

const NEW: u8 = 0;
const STARTED: u8 = 1;
const CLOSED: u8 = 2;

/// Why a client could not be made or started.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Options that do not work together, or files that cannot be read.
    #[error(transparent)]
    Options(#[from] ConnectError),
    /// The fork guard could not be set up.
    #[error(transparent)]
    AtFork(#[from] atfork::AtForkError),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
    /// The secure mode hash needs the SDK key.
    #[error("option sdk.key is not set")]
    NoSdkKey,
    /// The time was over before the client was ready; it goes on trying.
    #[error("not ready within {0} ms: {1}")]
    Timeout(u128, String),
}

/// One connection to one environment's data, shared by any number of threads.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    runtime: ArcSwap<Runtime>,
    /// Fork generation of the runtime: looked at by every evaluation.
    stamp: AtomicU64,
    stage: AtomicU8,
    /// Unverified items are refetched on use only where Redis tells what is unverified.
    refetches_on_use: bool,
    queue_capacity: usize,
    log_level: Level,
    secure_mode: SecureMode,
    panics: AtomicU64,
}

impl Client {
    /// Makes a client; no thread runs and no connection is open yet.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        let refetches_on_use = settings.store.freshness == Freshness::Push;
        let warns = settings.store.freshness == Freshness::Forever;
        let shared = Arc::new(Shared::new(settings.store)?);
        atfork::guard(&shared)?;
        let stamp = atfork::generation();
        let runtime = Runtime::new(stamp, settings.queue_capacity, settings.log_level);
        if warns {
            runtime.log(
                Level::Warn,
                format_args!(
                    "cache.freshness=forever in daemon mode: changes in Redis will never be seen for held items"
                ),
            );
        }
        Ok(Self {
            shared,
            runtime: ArcSwap::from_pointee(runtime),
            stamp: AtomicU64::new(stamp),
            stage: AtomicU8::new(NEW),
            refetches_on_use,
            queue_capacity: settings.queue_capacity,
            log_level: settings.log_level,
            secure_mode: SecureMode::new(settings.sdk_key.as_deref()),
            panics: AtomicU64::new(0),
        })
    }

    /// Starts the threads if need be and waits until the client is ready, at most for `timeout`; a zero timeout does not
    /// wait.
    pub fn start(&self, timeout: Duration) -> Result<(), ClientError> {
        if let Err(CLOSED) = self.stage.compare_exchange(NEW, STARTED, AcqRel, Acquire) {
            return Err(ClientError::Closed);
        }
        let runtime = self.current();
        runtime.start(&self.shared)?;
        if timeout.is_zero() || runtime.wait_for(timeout, || self.shared.health.is_ready() || self.is_closed()) {
            return if self.is_closed() { Err(ClientError::Closed) } else { Ok(()) };
        }
        let why =
            self.shared.health.last_error().map_or_else(|| "Redis has not answered".to_owned(), |why| (*why).clone());
        Err(ClientError::Timeout(timeout.as_millis(), why))
    }

    /// Waits until the client is in `state`, at most for `timeout`; false when it was not.
    pub fn wait(&self, state: StoreState, timeout: Duration) -> bool {
        let ended = || self.is_closed() && state != StoreState::Off;
        self.current().wait_for(timeout, || self.state() == state || ended()) && self.state() == state
    }

    /// Ends the threads and wakes all who wait. False when a thread was still busy after `timeout`; it is left behind and
    /// ends by itself. Evaluation goes on answering from what is held.
    pub fn close(&self, timeout: Duration) -> bool {
        let first = self.stage.swap(CLOSED, AcqRel) != CLOSED;
        let runtime = self.current();
        if first {
            // All who wait are woken before the threads are waited for: those may hang in Redis.
            runtime.mailbox.stop();
            self.shared.health.set_available(false);
            self.shared.health.set_state(StoreState::Off);
            runtime.state_changed(StoreState::Off, "closed");
            runtime.notifications.close();
        }
        runtime.wait_ended(timeout)
    }

    /// Whether [`Client::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.stage.load(Acquire) == CLOSED
    }

    /// Present state; in a forked child [`StoreState::Forked`] until its first other call.
    #[inline]
    pub fn state(&self) -> StoreState {
        if self.stamp.load(Relaxed) == atfork::generation() { self.shared.health.state() } else { StoreState::Forked }
    }

    /// In a forked child: makes threads and connections of its own now rather than at the first evaluation.
    pub fn postfork(&self) -> Result<(), ClientError> {
        if self.is_closed() {
            return Err(ClientError::Closed);
        }
        self.current();
        Ok(())
    }

    /// Takes the oldest notification, waiting for one if need be.
    pub fn poll(&self, timeout: Duration) -> Polled {
        self.current().notifications.poll(timeout)
    }

    /// Ends the wait of one poller.
    pub fn wake_poller(&self) {
        self.current().notifications.wake();
    }

    /// A call into the library panicked; reported once.
    pub fn note_panic(&self) {
        if self.panics.fetch_add(1, Relaxed) == 0 {
            self.current().log(Level::Error, format_args!("an internal error was caught; the default was returned"));
        }
    }

    /// The runtime of this process.
    fn current(&self) -> Guard<Arc<Runtime>> {
        if self.stamp.load(Acquire) != atfork::generation() {
            self.rebuild();
        }
        self.runtime.load()
    }

    /// Replaces the runtime that was inherited over a fork, without touching it.
    #[cold]
    fn rebuild(&self) {
        let generation = atfork::generation();
        let inherited = self.runtime.load_full();
        if inherited.stamp == generation {
            return;
        }
        let fresh = Arc::new(Runtime::new(generation, self.queue_capacity, self.log_level));
        let before = self.runtime.compare_and_swap(&inherited, fresh.clone());
        if !Arc::ptr_eq(&before, &inherited) {
            return;
        }
        // Its locks may be held by threads that do not exist here, its sockets belong to the parent.
        std::mem::forget(inherited);
        if self.is_closed() {
            fresh.mailbox.stop();
            fresh.notifications.close();
        } else if self.stage.load(Acquire) == STARTED {
            self.shared.invalidate();
            if self.shared.health.is_ready() {
                self.shared.health.set_state(StoreState::Interrupted);
            }
            if let Err(error) = fresh.start(&self.shared) {
                fresh.log(Level::Error, format_args!("cannot start threads in a forked child: {error}"));
            }
        }
        self.stamp.store(generation, Release);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let runtime = self.runtime.load_full();
        if runtime.stamp == atfork::generation() {
            // Never blocks: the threads end by themselves.
            runtime.mailbox.stop();
        } else {
            std::mem::forget(runtime);
        }
    }
}
