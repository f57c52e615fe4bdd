//! The threads of a client with everything that they and host threads lock together.
//!
//! One runtime belongs to one process: it is stamped with the fork generation, and a child that finds an older stamp takes
//! none of its locks, joins nothing and drops nothing, but leaks it and makes its own. May depend on `store`, `source`,
//! `events`, `big_segments`, `aws` and `model`.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::dispatch::Dispatch;
use super::feed::{Feed, FeedSink};
use super::keeper::{self, Patience};
use super::login;
use super::members::DeskListener;
use super::notifications::{Area, Event, Notifications};
use super::plant::Plant;
use super::seeking;
use super::signals;
use super::status::condition_json;
use crate::aws::Errand;
use crate::big_segments::{Desk, DeskOptions};
use crate::events::{self, Delivery, EventsOptions, Inbox};
use crate::model::{excerpt, lock};
use crate::source::{self, Control};
use crate::store::{
    Counter, Freshness, Level, Listener, Mailbox, Shared, StoreState, Wake, run_members, run_watch, run_worker,
};

/// How long a thread that panicked is left alone before it starts over.
const AFTER_PANIC: Duration = Duration::from_secs(1);
/// Most characters of a log line: it may repeat what a server sent.
const LONGEST_LOG: usize = 2_000;

/// Threads, locks and queue of one client in one process.
pub struct Runtime {
    /// Fork generation of the process that made it.
    pub stamp: u64,
    /// What host threads and the store's threads leave for each other.
    pub mailbox: Mailbox,
    /// Stops and restarts the data source.
    pub control: Control,
    /// What the host may want to hear.
    pub notifications: Notifications,
    /// Where evaluations ask for the members of big segments; `None` when nobody knows them.
    pub desk: Option<Desk>,
    /// Where they are asked for that Redis knows.
    pub counter: Counter,
    /// Ends what is asked for a token.
    pub errand: Errand,
    /// What waits to be told to LaunchDarkly, or is only counted; `None` when nothing is.
    pub inbox: Option<Inbox>,
    /// What is on its way there.
    pub delivery: Delivery,
    /// How long a start waits before the snapshot file is used.
    pub patience: Patience,
    /// Threads that have not ended.
    running: Mutex<usize>,
    /// Told when a thread ended or the state changed.
    moved: Condvar,
    /// The store thread's end of the mailbox: locked by that thread as long as it runs, and by nobody else.
    wake: Mutex<Receiver<Wake>>,
    started: Mutex<Started>,
}

/// Which threads were started.
#[derive(Default)]
struct Started {
    link: bool,
    seeker: bool,
    seeker_of_members: bool,
    store: bool,
    login: bool,
    source: bool,
    clock: bool,
    keeper: bool,
    members: bool,
    events: bool,
}

/// Starts a thread that is needed and was not started before.
fn once(is_started: &mut bool, is_needed: bool, start: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    if is_needed && !*is_started {
        start()?;
        *is_started = true;
    }
    Ok(())
}

impl Runtime {
    /// Without threads so far.
    pub fn new(
        stamp: u64,
        capacity: usize,
        level: Level,
        (events, counts): (Option<&EventsOptions>, bool),
        desk: Option<DeskOptions>,
    ) -> Self {
        let (sender, receiver) = channel();
        Self {
            stamp,
            mailbox: Mailbox::new(sender),
            control: Control::new(),
            notifications: Notifications::new(capacity, level),
            desk: desk.map(Desk::new),
            counter: Counter::default(),
            errand: Errand::default(),
            inbox: events.map(Inbox::new).or_else(|| counts.then(Inbox::counting)),
            delivery: Delivery::new(events),
            patience: Patience::default(),
            running: Mutex::new(0),
            moved: Condvar::new(),
            wake: Mutex::new(receiver),
            started: Mutex::default(),
        }
    }

    /// Starts the threads that do not run yet: none after a success, the missing ones after a failure.
    pub fn start(self: &Arc<Self>, plant: &Plant) -> io::Result<()> {
        let started = &mut *lock(&self.started);
        self.start_store(plant, started)?;
        self.start_source(plant, started)?;
        // Even if the client was closed before this thread got to run: what is held is written.
        once(&mut started.keeper, plant.backup.is_some(), || {
            self.spawn_until("flagstone-file", plant, Self::is_stopped, |voice, plant| {
                if let Some(backup) = &plant.backup {
                    keeper::run(voice, backup);
                }
            })
        })?;
        self.start_members(plant, started)?;
        once(&mut started.events, plant.events.is_some(), || self.start_events(plant))
    }

    /// What speaks with the Redis of the flags.
    fn start_store(self: &Arc<Self>, plant: &Plant, started: &mut Started) -> io::Result<()> {
        let shared = &plant.shared;
        let has_redis = shared.connector.is_some();
        once(&mut started.link, has_redis && shared.options.freshness == Freshness::Push, || {
            self.spawn("flagstone-link", plant, |voice, _| run_watch(voice.shared, &voice.runtime.mailbox))
        })?;
        once(&mut started.seeker, plant.needs_seeker(), || self.spawn("flagstone-seek", plant, seeking::for_flags))?;
        once(&mut started.store, has_redis, || {
            self.spawn("flagstone-store", plant, |voice, _| {
                let wake = lock(&voice.runtime.wake);
                run_worker(voice.shared, &voice.runtime.mailbox, voice, &wake);
            })
        })?;
        once(&mut started.login, login::is_needed(plant), || self.spawn("flagstone-login", plant, login::run))
    }

    /// The data source, and who keeps time for it.
    fn start_source(self: &Arc<Self>, plant: &Plant, started: &mut Started) -> io::Result<()> {
        once(&mut started.source, plant.source.is_some(), || {
            self.spawn("flagstone-source", plant, |voice, plant| {
                if let Some((options, feed)) = &plant.source {
                    source::run(options, &FeedSink::new(voice.runtime, voice.shared, feed), &voice.runtime.control);
                }
            })
        })?;
        let needs_clock = plant.source.as_ref().is_some_and(|(options, _)| options.needs_clock());
        once(&mut started.clock, needs_clock, || {
            self.spawn("flagstone-clock", plant, |voice, _| voice.runtime.control.keep_time())
        })
    }

    /// What asks Redis for the members of big segments.
    fn start_members(self: &Arc<Self>, plant: &Plant, started: &mut Started) -> io::Result<()> {
        if let Some(members) = plant.members.as_ref().filter(|_| !started.members) {
            self.counter.open(members.connector.sockets());
        }
        once(&mut started.members, plant.members.is_some(), || {
            self.spawn("flagstone-segments", plant, |voice, plant| {
                if let (Some(members), Some(desk)) = (&plant.members, &voice.runtime.desk) {
                    run_members(members, &voice.runtime.counter, &DeskListener { voice, desk });
                }
            })
        })?;
        once(&mut started.seeker_of_members, plant.needs_seeker_of_members(), || {
            self.spawn("flagstone-seek-members", plant, seeking::for_members)
        })
    }

    /// Events go on for a while after the client was closed: what is left is sent.
    fn start_events(self: &Arc<Self>, plant: &Plant) -> io::Result<()> {
        let runtime = self.clone();
        self.delivery.expect_worker(true);
        let outcome = self.spawn_until("flagstone-events", plant, Self::is_delivered, move |_, plant| {
            if !runtime.is_delivered()
                && let (Some(options), Some(recorder), Some(inbox)) = (&plant.events, &plant.recorder, &runtime.inbox)
            {
                let host = Dispatch { runtime: &runtime, plant };
                events::run(options, recorder, inbox, &runtime.delivery, &host);
            }
        });
        if outcome.is_err() {
            self.delivery.expect_worker(false);
        }
        outcome
    }

    pub(super) fn is_delivered(&self) -> bool {
        self.delivery.is_over()
    }

    /// Tells all threads to end.
    pub fn stop(&self) {
        self.mailbox.stop();
        self.control.stop();
        self.counter.stop();
        self.errand.end();
        if let Some(desk) = &self.desk {
            desk.close();
        }
    }

    /// Whether the threads should end.
    pub fn is_stopped(&self) -> bool {
        self.mailbox.is_stopped()
    }

    /// Runs `body` on a thread of its own, again after a panic, until the mailbox says stop; not at all if it already does.
    fn spawn<F>(self: &Arc<Self>, name: &str, plant: &Plant, body: F) -> io::Result<()>
    where
        F: Fn(&Voice<'_>, &Plant) + Send + 'static,
    {
        self.spawn_until(name, plant, Self::is_stopped, move |voice, plant| {
            if !voice.runtime.is_stopped() {
                body(voice, plant);
            }
        })
    }

    /// The same until `is_over`, once at least: a client may be closed while it starts.
    pub(super) fn spawn_until<F>(
        self: &Arc<Self>,
        name: &str,
        plant: &Plant,
        is_over: fn(&Runtime) -> bool,
        body: F,
    ) -> io::Result<()>
    where
        F: Fn(&Voice<'_>, &Plant) + Send + 'static,
    {
        let (runtime, plant) = (self.clone(), plant.clone());
        *self.running() += 1;
        let run = move || {
            let voice = Voice { runtime: &runtime, shared: &plant.shared, feed: plant.feed() };
            loop {
                let outcome = catch_unwind(AssertUnwindSafe(|| body(&voice, &plant)));
                if outcome.is_ok() || is_over(&runtime) {
                    break;
                }
                runtime.log(
                    Area::Client,
                    Level::Error,
                    format_args!("a background thread failed unexpectedly; it starts over"),
                );
                runtime.mailbox.sleep(AFTER_PANIC);
            }
            *runtime.running() -= 1;
            runtime.moved.notify_all();
        };
        let spawned = signals::blocked(|| thread::Builder::new().name(name.to_owned()).spawn(run));
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
    pub fn wait_for(&self, timeout: Duration, mut done: impl FnMut() -> bool) -> bool {
        self.wait_until(timeout, |_| done())
    }

    /// Something that a waiter may look at has changed.
    pub fn notify(&self) {
        // Taking the lock orders the change before the look of a waiter that is about to sleep.
        drop(self.running());
        self.moved.notify_all();
    }

    fn wait_until(&self, timeout: Duration, mut done: impl FnMut(&usize) -> bool) -> bool {
        let waited = self.moved.wait_timeout_while(self.running(), timeout, |running| !done(running));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn running(&self) -> std::sync::MutexGuard<'_, usize> {
        lock(&self.running)
    }
}

impl Runtime {
    /// Whether log lines of this level are kept.
    pub fn wants(&self, level: Level) -> bool {
        self.notifications.wants(level)
    }

    /// Keeps a log line.
    pub fn log(&self, area: Area, level: Level, message: fmt::Arguments<'_>) {
        if self.wants(level) {
            self.notifications.push(Event::Log { area, level, text: excerpt(&message.to_string(), LONGEST_LOG) });
        }
    }
}

/// How threads speak to the host: the queue of their runtime, and the condition that is told along.
pub struct Voice<'a> {
    /// Threads and queue.
    pub runtime: &'a Runtime,
    /// The store.
    pub shared: &'a Shared,
    /// How the data source fares, if there is one.
    pub feed: Option<&'a Feed>,
}

impl Voice<'_> {
    /// Tells that the condition of data source or store is another one now.
    pub fn tell_status(&self, reason: &str) {
        let state = self.feed.map_or_else(|| self.shared.health.state(), Feed::state);
        let condition = condition_json(self.shared, self.feed).to_string();
        self.runtime.notifications.push(Event::Status { state, reason: reason.to_owned(), condition });
        self.runtime.notify();
    }
}

impl Listener for Voice<'_> {
    fn wants(&self, level: Level) -> bool {
        self.runtime.wants(level)
    }

    fn log(&self, level: Level, message: fmt::Arguments<'_>) {
        self.runtime.log(Area::Store, level, message);
    }

    fn state_changed(&self, _: StoreState, reason: &str) {
        self.tell_status(reason);
    }

    fn flag_changed(&self, key: &str, old_version: Option<i64>, new_version: Option<i64>) {
        self.runtime.notifications.push(Event::FlagChanged { key: key.to_owned(), old_version, new_version });
    }

    fn wants_fresh_data(&self) {
        self.runtime.control.restart();
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("stamp", &self.stamp).finish_non_exhaustive()
    }
}
