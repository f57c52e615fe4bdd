//! The threads of a client with everything that they and host threads lock together.
//!
//! One runtime belongs to one process: it is stamped with the fork generation, and a child that finds an older stamp takes
//! none of its locks, joins nothing and drops nothing, but leaks it and makes its own. May depend on `store`.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use redis::PushInfo;

use super::notifications::{Event, Notifications};
use crate::store::{Freshness, Level, Listener, Mailbox, Shared, StoreState, lock, run_link, run_refresh};

/// How long a thread that panicked is left alone before it starts over.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Threads, locks and queue of one client in one process.
pub struct Runtime {
    /// Fork generation of the process that made it.
    pub stamp: u64,
    /// What host threads and the store's threads leave for each other.
    pub mailbox: Mailbox,
    /// What the host may want to hear.
    pub notifications: Notifications,
    /// Threads that have not ended.
    running: Mutex<usize>,
    /// Told when a thread ended or the state changed.
    moved: Condvar,
    /// The store thread's end of the mailbox: locked by that thread as long as it runs, and by nobody else.
    wake: Mutex<Receiver<PushInfo>>,
    started: Mutex<Started>,
}

/// Which threads were started.
#[derive(Default)]
struct Started {
    link: bool,
    store: bool,
}

impl Runtime {
    /// Without threads so far.
    pub fn new(stamp: u64, capacity: usize, level: Level) -> Self {
        let (sender, receiver) = channel();
        Self {
            stamp,
            mailbox: Mailbox::new(sender),
            notifications: Notifications::new(capacity, level),
            running: Mutex::new(0),
            moved: Condvar::new(),
            wake: Mutex::new(receiver),
            started: Mutex::default(),
        }
    }

    /// Starts the threads that do not run yet: none after a success, the missing ones after a failure.
    pub fn start(self: &Arc<Self>, shared: &Arc<Shared>) -> io::Result<()> {
        let mut started = lock(&self.started);
        if !started.link && shared.options.freshness == Freshness::Push {
            self.spawn("flagstone-link", shared, |runtime, shared| run_link(shared, &runtime.mailbox))?;
            started.link = true;
        }
        if !started.store {
            self.spawn("flagstone-store", shared, |runtime, shared| {
                let wake = lock(&runtime.wake);
                run_refresh(shared, &runtime.mailbox, runtime, &wake);
            })?;
            started.store = true;
        }
        Ok(())
    }

    /// Runs `body` on a thread of its own, again after a panic, until the mailbox says stop.
    fn spawn<F>(self: &Arc<Self>, name: &str, shared: &Arc<Shared>, body: F) -> io::Result<()>
    where
        F: Fn(&Runtime, &Shared) + Send + 'static,
    {
        let (runtime, shared) = (self.clone(), shared.clone());
        *self.running() += 1;
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || {
            loop {
                let outcome = catch_unwind(AssertUnwindSafe(|| body(&runtime, &shared)));
                if outcome.is_ok() || runtime.mailbox.is_stopped() {
                    break;
                }
                runtime.log(Level::Error, format_args!("a background thread failed unexpectedly; it starts over"));
                if runtime.mailbox.sleep(AFTER_PANIC) {
                    break;
                }
            }
            *runtime.running() -= 1;
            runtime.moved.notify_all();
        });
        if let Err(error) = spawned {
            *self.running() -= 1;
            return Err(error);
        }
        Ok(())
    }

    /// Waits until all threads have ended; false when `timeout` was too short.
    pub fn wait_ended(&self, timeout: Duration) -> bool {
        self.wait_until(timeout, |running| *running == 0)
    }

    /// Waits until `done`, which is looked at whenever a thread ends or the state changes.
    pub fn wait_for(&self, timeout: Duration, done: impl Fn() -> bool) -> bool {
        self.wait_until(timeout, |_| done())
    }

    /// Something that a waiter may look at has changed.
    pub fn notify(&self) {
        // Taking the lock orders the change before the look of a waiter that is about to sleep.
        drop(self.running());
        self.moved.notify_all();
    }

    fn wait_until(&self, timeout: Duration, done: impl Fn(&usize) -> bool) -> bool {
        let waited = self.moved.wait_timeout_while(self.running(), timeout, |running| !done(running));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn running(&self) -> std::sync::MutexGuard<'_, usize> {
        lock(&self.running)
    }
}

impl Listener for Runtime {
    fn wants(&self, level: Level) -> bool {
        self.notifications.wants(level)
    }

    fn log(&self, level: Level, message: fmt::Arguments<'_>) {
        if self.notifications.wants(level) {
            self.notifications.push(Event::Log { level, text: message.to_string() });
        }
    }

    fn state_changed(&self, state: StoreState, reason: &str) {
        self.notifications.push(Event::Status { state, reason: reason.to_owned() });
        self.notify();
    }

    fn flag_changed(&self, key: &str, old_version: Option<i64>, new_version: Option<i64>) {
        self.notifications.push(Event::FlagChanged { key: key.to_owned(), old_version, new_version });
    }

    fn wants_fresh_data(&self) {}

    fn wants_all_changes(&self) -> bool {
        self.notifications.has_listener()
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("stamp", &self.stamp).finish_non_exhaustive()
    }
}
