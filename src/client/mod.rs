//! A client: configuration, lifecycle, wiring, status, notifications, fork guard. Threads are started here and nowhere
//! else; evaluation never waits for one of them.
//!
//! Lifecycle: new (no threads) → started → closed. Memory lives as long as somebody holds the client; after close,
//! evaluation goes on answering from the last data held. May depend on `store`, `source`, `http`, `eval`, `events`,
//! `big_segments`, `aws`, `context` and `model`.

mod all_flags;
mod ask;
#[cfg_attr(windows, path = "windows/atfork.rs")]
mod atfork;
mod config;
mod credentials;
mod dispatch;
mod ending;
mod error;
mod evaluate;
mod events_settings;
mod explain;
mod fdv2_settings;
mod feed;
mod flags_state;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod keeper;
mod listeners;
mod login;
mod login_settings;
mod members;
mod members_settings;
mod metrics;
mod migration;
mod notifications;
mod plant;
mod prepared;
mod record;
mod runtime;
mod secure_mode;
mod seeking;
mod settings;
#[cfg_attr(windows, path = "windows/signals.rs")]
mod signals;
mod status;
mod track;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

pub use ask::{Ask, Wanted};
pub use config::{Config, ConfigError};
pub use error::ClientError;
pub use evaluate::Evaluation;
pub use explain::Explanation;
pub use feed::{Condition, LastError};
pub use flags_state::AllFlagsOptions;
pub use members::{MembersSettings, MembersStore};
pub use migration::{Migration, MigrationError, Operation, Origin, Stage};
pub use notifications::{Area, Asked, Event, Notification, Notifications, Polled};
pub use prepared::{DefaultError, Prepared};
pub use settings::Settings;
pub use track::TrackError;

pub use crate::big_segments::{BigSegmentStore, Status as BigSegmentStatus, StoreFailure};
pub use crate::model::{DefaultValue, Membership, Rounding};
pub use crate::source::{Failure as SourceFailure, FailureKind, Report as SourceReport, TestData, TestDataError};

pub use crate::events::Flushed;
use crate::events::Recorder;
use crate::http::HttpError;
pub(crate) use crate::model::lock;
use crate::source::SourceOptions;
use crate::store::{Freshness, Level, Members, Shared, StoreState};
use feed::Feed;
use listeners::Listening;
use plant::Plant;
use runtime::Runtime;
use secure_mode::SecureMode;
use trouble::ToldLines;

const NEW: u8 = 0;
const STARTED: u8 = 1;
const CLOSED: u8 = 2;

/// One connection to one environment's data, shared by any number of threads.
#[derive(Debug)]
pub struct Client {
    plant: Plant,
    /// Who knows the members of big segments. Not for the threads: the last of them would drop what is the host's.
    members: Option<MembersSettings>,
    runtime: ArcSwap<Runtime>,
    /// Fork generation of the runtime: looked at by every evaluation.
    stamp: AtomicU64,
    stage: AtomicU8,
    /// Unverified items are refetched on use only where Redis tells what is unverified.
    refetches_on_use: bool,
    /// Nothing is connected to.
    offline: bool,
    queue_capacity: usize,
    log_level: Level,
    rounding: Rounding,
    secure_mode: SecureMode,
    panics: AtomicU64,
    /// The first line of the log was written.
    introduced: AtomicBool,
    /// A misuse by the host, such as a handle of another type, was told.
    misused: AtomicBool,
    /// What evaluations found wrong and has been told.
    told: ToldLines,
    listening: Listening,
}

impl Client {
    /// Makes a client; no thread runs and no connection is open yet.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        check_http(&settings)?;
        let refetches_on_use = settings.store.freshness == Freshness::Push
            && settings.store.redis.is_some()
            && !settings.store.memory_leads();
        let shared = Arc::new(Shared::new(settings.store)?);
        let members = settings.members.as_ref().and_then(MembersSettings::redis);
        let members = members.map(|members| Members::new(members, shared.connector.as_ref())).transpose()?;
        atfork::guard(&shared)?;
        let stamp = atfork::generation();
        let desk = settings.members.as_ref().map(|members| members.desk);
        let (capacity, level) = (settings.queue_capacity, settings.log_level);
        let runtime = Runtime::new(stamp, capacity, level, (settings.events.as_ref(), settings.counts), desk);
        let recorder = match &settings.events {
            Some(_) => Some(Recorder::new(stamp)),
            None => settings.counts.then(|| Recorder::counting(stamp)),
        };
        for (level, remark) in &settings.remarks {
            runtime.log(Area::Client, *level, format_args!("{remark}"));
        }
        if settings.offline {
            shared.set_state(StoreState::Valid);
        }
        let plant = Plant {
            shared,
            source: settings.source.map(|source| (Arc::new(source), Arc::new(Feed::new()))),
            members: members.map(Arc::new),
            backup: settings.backup.map(Arc::new),
            aws: settings.aws.map(Arc::new),
            recorder: recorder.map(Arc::new),
            events: settings.events.map(Arc::new),
        };
        login::lend_threads(&plant);
        Ok(Self {
            plant,
            members: settings.members,
            runtime: ArcSwap::from_pointee(runtime),
            stamp: AtomicU64::new(stamp),
            stage: AtomicU8::new(NEW),
            refetches_on_use,
            offline: settings.offline,
            queue_capacity: settings.queue_capacity,
            log_level: settings.log_level,
            rounding: settings.rounding,
            secure_mode: SecureMode::new(settings.sdk_key.as_deref()),
            panics: AtomicU64::new(0),
            introduced: AtomicBool::new(false),
            misused: AtomicBool::new(false),
            told: ToldLines::default(),
            listening: Listening::default(),
        })
    }

    /// Starts the threads if need be and waits until the client is ready, at most for `timeout`; a zero timeout does not
    /// wait.
    pub fn start(&self, timeout: Duration) -> Result<(), ClientError> {
        if let Err(CLOSED) = self.stage.compare_exchange(NEW, STARTED, AcqRel, Acquire) {
            return Err(ClientError::Closed);
        }
        if self.offline {
            return Ok(());
        }
        let runtime = self.current();
        if !self.introduced.swap(true, Relaxed) {
            runtime.log(Area::Client, Level::Info, format_args!("{}", self.introduction()));
        }
        runtime.patience.end_before(timeout);
        runtime.start(&self.plant)?;
        // The state follows a moment after the data: whoever looks at it after the start must not see the old one.
        let started = || self.is_ready() && self.state() != StoreState::Init;
        let decided = || started() || self.is_closed() || self.is_off() && self.has_last_known();
        if timeout.is_zero() || runtime.wait_for(timeout, decided) || self.is_ready() || self.is_off() {
            return self.outcome_of_start(timeout);
        }
        Err(ClientError::Timeout(timeout.as_millis(), self.why_not_ready()))
    }

    /// There are last known flags, or it is known that there are none: whoever gives up on the data source asks them next.
    fn has_last_known(&self) -> bool {
        let shared = &self.plant.shared;
        shared.connector.is_none() || shared.health.is_ready() || shared.answers()
    }

    /// What operators want to know first, without anything secret.
    fn introduction(&self) -> String {
        let shared = &self.plant.shared;
        let (mode, options) = (if self.plant.source.is_some() { "connected" } else { "daemon" }, &shared.options);
        format!(
            "Flagstone {}, {mode} mode; {}; residency {}, freshness {}",
            env!("CARGO_PKG_VERSION"),
            shared.place(),
            options.residency.name(),
            options.freshness.name(),
        )
    }

    fn outcome_of_start(&self, timeout: Duration) -> Result<(), ClientError> {
        if self.is_closed() {
            Err(ClientError::Closed)
        } else if self.is_off() && !self.is_ready() {
            Err(ClientError::NotReady(self.why_not_ready()))
        } else {
            debug_assert!(timeout.is_zero() || self.is_ready());
            Ok(())
        }
    }

    /// Daemon mode: Redis has been read once. Connected mode: the data source has delivered a full data set. Offline there is
    /// nothing to wait for.
    pub fn is_ready(&self) -> bool {
        match self.plant.feed() {
            _ if self.offline => true,
            None => self.plant.shared.health.is_ready(),
            Some(_) => self.plant.shared.has_delivered(),
        }
    }

    /// The data source is off for good.
    pub fn is_off(&self) -> bool {
        self.plant.feed().is_some_and(|feed| feed.state() == StoreState::Off)
    }

    fn why_not_ready(&self) -> String {
        match self.plant.feed().map(Feed::condition) {
            Some(condition) => condition
                .error
                .as_ref()
                .map_or_else(|| "the data source has not answered".to_owned(), |error| error.failure.message.clone()),
            None => {
                let credentials = self.plant.credentials();
                if let Some(credentials) = credentials.filter(|credentials| credentials.is_missing()) {
                    return credentials.why_missing();
                }
                let error = self.plant.shared.health.error();
                error.map_or_else(|| "Redis has not answered".to_owned(), |error| error.text.clone())
            }
        }
    }

    /// How the data source fares; `None` in daemon mode.
    pub fn source_condition(&self) -> Option<Arc<Condition>> {
        self.plant.feed().map(Feed::condition)
    }

    /// Whether Redis answered last time, and since when what was read of it is not known to be true (Unix time in ms).
    pub fn store_condition(&self) -> (bool, Option<i64>) {
        let since = self.plant.shared.health.stale_since_ms();
        (status::is_available(&self.plant.shared), (since != 0).then_some(since))
    }

    /// Waits until the client is in `state`, at most for `timeout`; false when it was not.
    pub fn wait(&self, state: StoreState, timeout: Duration) -> bool {
        let ended = || (self.is_closed() || self.is_off()) && state != StoreState::Off;
        // What was seen counts, although the state may have been left again by now.
        let mut reached = false;
        self.current().wait_for(timeout, || {
            reached = self.state() == state;
            reached || ended()
        });
        reached
    }

    /// Whether [`Client::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.stage.load(Acquire) == CLOSED
    }

    /// Present state; in a forked child [`StoreState::Forked`] until its first other call.
    #[inline]
    pub fn state(&self) -> StoreState {
        if self.stamp.load(Relaxed) != atfork::generation() {
            return StoreState::Forked;
        }
        self.plant.feed().map_or_else(|| self.plant.shared.health.state(), Feed::state)
    }

    /// In a forked child: makes threads and connections of its own now rather than at the first evaluation.
    pub fn postfork(&self) -> Result<(), ClientError> {
        if self.is_closed() {
            return Err(ClientError::Closed);
        }
        self.current();
        Ok(())
    }

    /// Ends the wait of one poller. In a forked child that has made no other call nobody polls, and nothing is made for it.
    pub fn wake_poller(&self) {
        if self.stamp.load(Acquire) == atfork::generation() {
            self.runtime.load().notifications.wake();
        }
    }

    /// A call into the library panicked; reported once.
    pub fn note_panic(&self) {
        if self.panics.fetch_add(1, Relaxed) == 0 {
            self.current().log(
                Area::Client,
                Level::Error,
                format_args!("an internal error was caught; the default was returned"),
            );
        }
    }

    /// What is held is known to be true, or will not become so.
    fn is_true(&self) -> bool {
        let state = self.plant.feed().map_or_else(|| self.plant.shared.health.state(), Feed::state);
        matches!(state, StoreState::Valid | StoreState::Off)
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
        if let Some(recorder) = &self.plant.recorder {
            recorder.renew(generation);
        }
        let counted = (self.plant.events.as_deref(), self.plant.recorder.is_some());
        let desk = self.members.as_ref().map(|members| members.desk);
        let fresh = Arc::new(Runtime::new(generation, self.queue_capacity, self.log_level, counted, desk));
        let before = self.runtime.compare_and_swap(&inherited, fresh.clone());
        if !Arc::ptr_eq(&before, &inherited) {
            return;
        }
        // Its locks may be held by threads that do not exist here, its sockets belong to the parent.
        std::mem::forget(inherited);
        if let Some(connector) = &self.plant.shared.connector {
            atfork::close_inherited(connector.sockets());
        }
        if let Some(members) = &self.plant.members {
            atfork::close_inherited(members.connector.sockets());
        }
        if self.is_closed() {
            self.stop(&fresh, Duration::ZERO);
            fresh.notifications.close();
        } else if self.stage.load(Acquire) == STARTED && !self.offline {
            self.start_in_child(&fresh);
        }
        self.stamp.store(generation, Release);
    }

    /// Starts threads of the child's own; what was inherited counts as out of date until they have read.
    fn start_in_child(&self, fresh: &Arc<Runtime>) {
        let shared = &self.plant.shared;
        shared.invalidate();
        if shared.health.is_ready() {
            shared.set_state(StoreState::Interrupted);
        }
        if let Some(feed) = self.plant.feed() {
            feed.interrupt_in_child();
            shared.set_source_valid(false);
        }
        if let Err(error) = fresh.start(&self.plant) {
            fresh.log(Area::Client, Level::Error, format_args!("cannot start threads in a forked child: {error}"));
        }
        // What was inherited may be as old as the child.
        fresh.wait_for(atfork::FIRST_READ, || self.is_true());
    }
}

/// What the requests of data source and events need: files that can be read, headers that can be sent, a proxy that can be used.
fn check_http(settings: &Settings) -> Result<(), HttpError> {
    let endpoints = settings.source.as_ref().map(SourceOptions::endpoints).unwrap_or_default();
    endpoints.into_iter().try_for_each(|(http, base)| http.check(base))?;
    settings.events.as_ref().map_or(Ok(()), |events| events.http.check(&events.base))
}
