//! How the data source fares, and the sink through which it delivers.
//!
//! The condition outlives a fork, so it is one lock-free cell; it changes on the source's thread alone, and on close. May
//! depend on `source`, `store` and `events`.

use std::fmt;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arc_swap::{ArcSwap, ArcSwapOption};

use super::notifications::Area;
use super::runtime::{Runtime, Voice};
use crate::events::StreamStart;
use crate::model::{ChangeKind, ChangeSet, lock, unix_ms};
use crate::source::{Failure, Report, Severity, Sink};
use crate::store::{Intake, Level, Shared, StoreState};

/// The latest failure of a data source, and when it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// What happened.
    pub failure: Failure,
    /// Unix time in ms.
    pub unix_ms: i64,
}

/// How a data source fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `Init` until the first success, then `Valid` or `Interrupted`; `Off` for good.
    pub state: StoreState,
    /// Unix time in ms since when.
    pub since_ms: i64,
    /// The latest failure; survives a return to `Valid`.
    pub error: Option<LastError>,
}

/// How the data source of a client fares.
#[derive(Debug)]
pub struct Feed {
    condition: ArcSwap<Condition>,
    /// The state again: asking for it costs one load.
    state: AtomicI32,
    /// The environment that the data come from, where the server told it.
    pub environment_id: ArcSwapOption<String>,
}

impl Feed {
    /// A source that has not begun.
    pub fn new() -> Self {
        let condition = Condition { state: StoreState::Init, since_ms: unix_ms(), error: None };
        Self {
            condition: ArcSwap::from_pointee(condition),
            state: AtomicI32::new(StoreState::Init as i32),
            environment_id: ArcSwapOption::empty(),
        }
    }

    /// In a forked child, whose own source has not begun yet: what is held may be out of date.
    pub fn interrupt_in_child(&self) {
        if self.state() == StoreState::Valid {
            self.change(StoreState::Interrupted, None);
        }
    }

    /// How it fares now.
    pub fn condition(&self) -> Arc<Condition> {
        self.condition.load_full()
    }

    /// Its state.
    pub fn state(&self) -> StoreState {
        StoreState::from_code(self.state.load(Relaxed))
    }

    /// Moves to `state`. A failure before the first success leaves `Init`, and nothing follows `Off`. True when state or
    /// error changed.
    pub fn change(&self, state: StoreState, failure: Option<Failure>) -> bool {
        let now = unix_ms();
        let error = failure.map(|failure| LastError { failure, unix_ms: now });
        // Close, on a host's thread, may come in between.
        let before = self.condition.rcu(|before| match next(before, state, error.clone(), now) {
            Some(next) => Arc::new(next),
            None => before.clone(),
        });
        let after = next(&before, state, error, now);
        if let Some(after) = &after {
            let open = |code: i32| (code != StoreState::Off as i32).then_some(after.state as i32);
            // An error says that it is off already.
            let _ = self.state.fetch_update(Relaxed, Relaxed, open);
        }
        after.is_some()
    }
}

/// The condition after `before`; `None` when nothing changes.
fn next(before: &Condition, state: StoreState, error: Option<LastError>, now: i64) -> Option<Condition> {
    let state = match (before.state, state) {
        (StoreState::Off, _) => return None,
        (StoreState::Init, StoreState::Interrupted) => StoreState::Init,
        (_, state) => state,
    };
    if before.state == state && error.is_none() {
        return None;
    }
    let since_ms = if before.state == state { before.since_ms } else { now };
    Some(Condition { state, since_ms, error: error.or_else(|| before.error.clone()) })
}

/// The sink of a client's data source.
pub struct FeedSink<'a> {
    runtime: &'a Runtime,
    shared: &'a Shared,
    feed: &'a Feed,
    /// When the stream that is being opened was begun, in milliseconds since 1970 and by the clock that only goes forward.
    opening: Mutex<Option<(i64, Instant)>>,
}

impl<'a> FeedSink<'a> {
    /// For the threads of `runtime`.
    pub fn new(runtime: &'a Runtime, shared: &'a Shared, feed: &'a Feed) -> Self {
        Self { runtime, shared, feed, opening: Mutex::default() }
    }

    fn voice(&self) -> Voice<'_> {
        Voice { runtime: self.runtime, shared: self.shared, feed: Some(self.feed) }
    }

    fn intake<'i>(&'i self, voice: &'i Voice<'_>) -> Intake<'i> {
        Intake { shared: self.shared, mailbox: &self.runtime.mailbox, listener: voice }
    }

    /// The stream that was being opened has brought data, or has failed before it did.
    fn opened(&self, has_failed: bool) {
        if let Some((at, began)) = lock(&self.opening).take() {
            self.runtime.delivery.note_stream_start(StreamStart { at, took: began.elapsed(), has_failed });
        }
    }

    fn change(&self, state: StoreState, failure: Option<Failure>) {
        let reason = match &failure {
            Some(failure) => failure.message.clone(),
            None => "the data source is up to date".to_owned(),
        };
        let before = self.feed.state();
        // Whoever sees the new state finds evaluations that go by it.
        self.shared.set_source_valid(state == StoreState::Valid && before != StoreState::Off);
        let changed = self.feed.change(state, failure);
        self.shared.set_source_valid(self.feed.state() == StoreState::Valid);
        if changed {
            self.voice().tell_status(&reason);
        }
        if before != self.feed.state() {
            let level = if state == StoreState::Valid { Level::Info } else { Level::Warn };
            self.runtime.log(
                Area::Source,
                level,
                format_args!("data source is {}: {reason}", self.feed.state().name()),
            );
        }
    }
}

impl Sink for FeedSink<'_> {
    fn apply(&self, changes: ChangeSet<'_>) {
        // Nothing is unchanged that was never delivered.
        if changes.kind == ChangeKind::None && !self.shared.has_delivered() {
            return;
        }
        self.intake(&self.voice()).take(&changes);
        if let Some(id) = &changes.environment_id {
            self.feed.environment_id.store(Some(Arc::new(id.to_string())));
        }
        if changes.kind != ChangeKind::Partial {
            self.opened(false);
            self.change(StoreState::Valid, None);
        }
        self.runtime.notify();
    }

    fn holds_flags(&self) -> bool {
        self.intake(&self.voice()).holds_flags()
    }

    fn opens_stream(&self) {
        *lock(&self.opening) = Some((unix_ms(), Instant::now()));
    }

    fn report(&self, report: Report) {
        self.opened(!matches!(report, Report::Valid));
        match report {
            // Nothing is valid that has delivered nothing.
            Report::Valid if !self.shared.has_delivered() => {}
            Report::Valid => self.change(StoreState::Valid, None),
            Report::Interrupted(failure) => self.change(StoreState::Interrupted, Some(failure)),
            Report::Off(failure) => self.change(StoreState::Off, Some(failure)),
        }
    }

    fn wants(&self, severity: Severity) -> bool {
        self.runtime.wants(level(severity))
    }

    fn log(&self, severity: Severity, message: fmt::Arguments<'_>) {
        self.runtime.log(Area::Source, level(severity), message);
    }
}

/// The level of a severity.
pub fn level(severity: Severity) -> Level {
    match severity {
        Severity::Debug => Level::Debug,
        Severity::Info => Level::Info,
        Severity::Warn => Level::Warn,
        Severity::Error => Level::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FailureKind;

    fn failure(message: &str) -> Failure {
        Failure { kind: FailureKind::NetworkError, status: 0, message: message.to_owned() }
    }

    #[test]
    fn a_failure_before_the_first_success_leaves_the_state_and_is_remembered() {
        let feed = Feed::new();
        let since = feed.condition().since_ms;
        assert!(feed.change(StoreState::Interrupted, Some(failure("a"))));
        let condition = feed.condition();
        assert_eq!((condition.state, condition.since_ms), (StoreState::Init, since));
        assert_eq!(condition.error.as_ref().unwrap().failure.message, "a");
    }

    #[test]
    fn the_last_error_survives_a_return_to_valid() {
        let feed = Feed::new();
        assert!(feed.change(StoreState::Valid, None));
        assert!(feed.change(StoreState::Interrupted, Some(failure("a"))));
        assert_eq!(feed.state(), StoreState::Interrupted);
        assert!(feed.change(StoreState::Valid, None));
        assert!(!feed.change(StoreState::Valid, None), "nothing changed");
        assert_eq!(feed.condition().error.as_ref().unwrap().failure.message, "a");
    }

    #[test]
    fn off_is_never_left() {
        let feed = Feed::new();
        assert!(feed.change(StoreState::Off, Some(failure("a"))));
        assert!(!feed.change(StoreState::Valid, None));
        assert_eq!(feed.state(), StoreState::Off);
    }

    #[test]
    fn every_complete_answer_of_the_source_is_counted_and_nothing_else() {
        let mut config = crate::client::Config::default();
        config.set_test_data(crate::client::TestData::new());
        let (runtime, feed) = (Runtime::new(0, 10, Level::None, (None, false), None), Feed::new());
        let shared = Shared::new(config.resolve().unwrap().store).unwrap();
        let sink = FeedSink::new(&runtime, &shared, &feed);
        let take = |kind| sink.apply(ChangeSet::new(kind, Vec::new()));
        take(ChangeKind::None);
        take(ChangeKind::Partial);
        assert_eq!(shared.answers_of_source(), 0, "nothing was delivered that could be confirmed");
        take(ChangeKind::Full);
        assert_eq!(shared.answers_of_source(), 1);
        sink.report(Report::Interrupted(failure("a")));
        sink.report(Report::Valid);
        take(ChangeKind::Partial);
        assert_eq!(shared.answers_of_source(), 1);
        sink.report(Report::Interrupted(failure("b")));
        take(ChangeKind::None);
        assert_eq!((shared.answers_of_source(), feed.state()), (2, StoreState::Valid));
    }

    #[test]
    fn each_stream_that_was_begun_is_noted_with_how_it_ended() {
        let mut config = crate::client::Config::default();
        config.set_test_data(crate::client::TestData::new());
        let (runtime, feed) = (Runtime::new(0, 10, Level::None, (None, false), None), Feed::new());
        let shared = Shared::new(config.resolve().unwrap().store).unwrap();
        let sink = FeedSink::new(&runtime, &shared, &feed);
        let full = || sink.apply(ChangeSet::new(ChangeKind::Full, Vec::new()));
        sink.opens_stream();
        sink.report(Report::Interrupted(failure("refused")));
        sink.opens_stream();
        full();
        // It ends long after it was opened, and a poll opens none.
        sink.report(Report::Interrupted(failure("lost")));
        full();
        let failed: Vec<bool> = runtime.delivery.take_stream_starts().iter().map(|start| start.has_failed).collect();
        assert_eq!(failed, [true, false]);
        assert!(runtime.delivery.take_stream_starts().is_empty());
    }
}
