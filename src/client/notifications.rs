//! One bounded queue per client for everything the host may want to hear: logs, status changes, flag changes.
//!
//! The host takes notifications when it likes; nobody has to. A full queue drops the oldest one and counts, status changes
//! last of all: a host that missed a log line has missed little. May depend on `store`, `big_segments` and `model`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::listeners::Round;
use crate::big_segments::Status;
use crate::model::{lock, unix_ms};
use crate::store::{Level, StoreState};

/// What a log line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// The client itself.
    Client,
    /// Where the flags come from.
    Source,
    /// Redis, the login there, and the snapshot file.
    Store,
    /// What is sent to LaunchDarkly.
    Events,
    /// Big segments.
    BigSegments,
}

impl Area {
    /// Its name, for hosts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Source => "source",
            Self::Store => "store",
            Self::Events => "events",
            Self::BigSegments => "big_segments",
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A log line.
    Log {
        /// What it is about.
        area: Area,
        /// Severity.
        level: Level,
        /// The line.
        text: String,
    },
    /// The client's state changed.
    Status {
        /// The state from now on.
        state: StoreState,
        /// Why, for people.
        reason: String,
        /// Data source and store at that moment, as JSON.
        condition: String,
    },
    /// A flag, or something it depends on, changed.
    FlagChanged {
        /// Key of the flag.
        key: String,
        /// Version held before, `None` when it was not held.
        old_version: Option<i64>,
        /// Version held now, `None` when it is not held any more.
        new_version: Option<i64>,
    },
    /// The value of a flag is another one now for somebody who listens.
    ValueChanged {
        /// Key of the flag.
        key: String,
        /// Number of the listener.
        listener: u64,
        /// The value that it was told before, as JSON; `None` when there was none.
        old: Option<String>,
        /// The value from now on; `None` when there is none.
        new: Option<String>,
    },
    /// How the big-segment store stands has changed.
    BigSegments {
        /// How it stands from now on.
        status: Status,
        /// Why, for people.
        reason: String,
    },
    /// The host is asked for credentials.
    Credentials {
        /// Why.
        reason: Asked,
        /// Who logs in by the present ones, or by the options; `None`: the default user.
        user: Option<String>,
    },
    /// Somebody called for the poller.
    Wake,
}

/// Why the host is asked for credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// There are none yet.
    Start,
    /// Those that there are will expire.
    Expires,
    /// The server refused them.
    Refused,
}

impl Asked {
    /// As in the notification.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Expires => "expires",
            Self::Refused => "refused",
        }
    }
}

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// What happened.
    pub event: Event,
    /// Unix time in ms.
    pub unix_ms: i64,
    /// Notifications dropped just before this one because the queue was full.
    pub dropped: u32,
}

impl Notification {
    /// Something that happens right now.
    pub fn now(event: Event) -> Self {
        Self { event, unix_ms: unix_ms(), dropped: 0 }
    }
}

/// Outcome of a poll.
#[derive(Debug, PartialEq, Eq)]
pub enum Polled {
    /// A notification, now the caller's.
    Event(Notification),
    /// None came in time.
    Timeout,
    /// The client is closed and everything was delivered.
    Closed,
}

/// What a poller takes.
#[derive(Debug)]
pub(super) enum Taken {
    /// A notification, and whether changes were dropped before it.
    Event(Notification, bool),
    /// Listeners to look after.
    Round(Round),
    /// Nothing came in time.
    Timeout,
    /// The client is closed and everything was taken.
    Closed,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Notification>,
    /// Listeners that are to be looked after before anything else is taken.
    rounds: VecDeque<Round>,
    /// Those that are looked after when there is nothing else to do. One round at most: one that lasts longer than the pause
    /// until the next one begins must not be joined by it.
    unasked: Unasked,
    dropped_since: u32,
    /// One of these was a change of a flag or of the client's state.
    missed_change: bool,
    pollers: usize,
    /// Pollers to be woken, besides and before what waits.
    wakes: usize,
    closed: bool,
}

#[derive(Debug, Default)]
enum Unasked {
    #[default]
    Over,
    Waiting(Round),
    InHand,
}

impl Inner {
    /// Of questions for credentials one waits at most: the latest.
    fn forget_credentials(&mut self) {
        self.waiting.retain(|waiting| !matches!(waiting.event, Event::Credentials { .. }));
    }
}

/// The queue.
#[derive(Debug)]
pub struct Notifications {
    inner: Mutex<Inner>,
    arrived: Condvar,
    capacity: usize,
    level: Level,
    dropped: AtomicU64,
}

impl Notifications {
    /// An empty queue for at most `capacity` notifications, log lines from `level` on.
    pub fn new(capacity: usize, level: Level) -> Self {
        Self { inner: Mutex::default(), arrived: Condvar::new(), capacity, level, dropped: AtomicU64::new(0) }
    }

    /// Whether log lines of this level are kept.
    pub fn wants(&self, level: Level) -> bool {
        level >= self.level && self.level != Level::None
    }

    /// Adds an event; drops the oldest one when full.
    pub fn push(&self, event: Event) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        if matches!(event, Event::Credentials { .. }) {
            inner.forget_credentials();
        }
        if inner.waiting.len() >= self.capacity {
            let is_status = |event: &Event| {
                matches!(event, Event::Status { .. } | Event::BigSegments { .. } | Event::Credentials { .. })
            };
            let victim = inner.waiting.iter().position(|waiting| !is_status(&waiting.event));
            inner.dropped_since = inner.dropped_since.saturating_add(1);
            self.dropped.fetch_add(1, Relaxed);
            // Where status changes alone wait, none of them gives way to anything else.
            let gives_way = victim.is_none() && !is_status(&event);
            let lost = if gives_way { None } else { inner.waiting.remove(victim.unwrap_or(0)) };
            let lost = lost.as_ref().map_or(&event, |lost| &lost.event);
            inner.missed_change |= !matches!(lost, Event::Log { .. });
            if gives_way {
                return;
            }
        }
        inner.waiting.push_back(Notification::now(event));
        drop(inner);
        self.arrived.notify_one();
    }

    /// The host was asked for credentials and has set some.
    pub fn forget_credentials(&self) {
        self.lock().forget_credentials();
    }

    /// Gives [`Event::Wake`] to one poller, or to the next one if nobody polls.
    pub fn wake(&self) {
        let mut inner = self.lock();
        inner.wakes = (inner.wakes + 1).min(inner.pollers.max(1));
        drop(inner);
        self.arrived.notify_one();
    }

    /// These listeners are to be looked after.
    pub(super) fn begin(&self, round: Round) {
        if !round.is_over() {
            self.lock().rounds.push_back(round);
            self.arrived.notify_one();
        }
    }

    /// These are looked after when there is nothing else to do, unless such a round is under way.
    pub(super) fn begin_unasked(&self, round: impl FnOnce() -> Round) {
        let mut inner = self.lock();
        if matches!(inner.unasked, Unasked::Over) {
            inner.unasked = Unasked::Waiting(round());
            drop(inner);
            self.arrived.notify_one();
        }
    }

    /// The same listeners go on being looked after, before all others of their sort.
    pub(super) fn resume(&self, round: Round) {
        let mut inner = self.lock();
        match (round.is_unasked(), round.is_over()) {
            (true, true) => inner.unasked = Unasked::Over,
            (true, false) => inner.unasked = Unasked::Waiting(round),
            (false, true) => return,
            (false, false) => inner.rounds.push_front(round),
        }
        drop(inner);
        self.arrived.notify_one();
    }

    /// Something waits that comes before what nobody asked for.
    pub(super) fn is_pressing(&self) -> bool {
        let inner = self.lock();
        inner.wakes > 0 || !inner.rounds.is_empty() || !inner.waiting.is_empty() || inner.closed
    }

    /// Makes one poller begin anew, unless one is about to.
    pub(super) fn call_round(&self) {
        let mut inner = self.lock();
        if inner.rounds.is_empty() {
            inner.rounds.push_back(Round::default());
        }
        drop(inner);
        self.arrived.notify_one();
    }

    /// Takes the oldest notification, or listeners that come before it, waiting if need be.
    pub(super) fn take(&self, timeout: Duration) -> Taken {
        let deadline = Instant::now().checked_add(timeout);
        let mut inner = self.lock();
        inner.pollers += 1;
        let outcome = loop {
            if inner.wakes > 0 {
                inner.wakes -= 1;
                break Taken::Event(Notification::now(Event::Wake), false);
            }
            if let Some(round) = inner.rounds.pop_front() {
                break Taken::Round(round);
            }
            if let Some(mut notification) = inner.waiting.pop_front() {
                notification.dropped = std::mem::take(&mut inner.dropped_since);
                break Taken::Event(notification, std::mem::take(&mut inner.missed_change));
            }
            if inner.closed {
                break Taken::Closed;
            }
            if matches!(inner.unasked, Unasked::Waiting(_))
                && let Unasked::Waiting(round) = std::mem::replace(&mut inner.unasked, Unasked::InHand)
            {
                break Taken::Round(round);
            }
            let left = deadline.map_or(timeout, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break Taken::Timeout;
            }
            inner = self.arrived.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        inner.pollers -= 1;
        drop(inner);
        outcome
    }

    /// Takes no more events; pollers get what is left and then [`Polled::Closed`].
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Number of notifications dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str) -> Event {
        Event::Log { area: Area::Client, level: Level::Info, text: text.to_owned() }
    }

    fn status() -> Event {
        Event::Status { state: StoreState::Valid, reason: String::new(), condition: String::new() }
    }

    fn next(queue: &Notifications) -> Notification {
        match queue.take(Duration::ZERO) {
            Taken::Event(notification, _) => notification,
            other => panic!("no event: {other:?}"),
        }
    }

    #[test]
    fn a_full_queue_drops_the_oldest_and_says_how_many() {
        let queue = Notifications::new(2, Level::Info);
        for text in ["a", "b", "c", "d"] {
            queue.push(log(text));
        }
        let first = next(&queue);
        assert_eq!((first.event, first.dropped), (log("c"), 2));
        let second = next(&queue);
        assert_eq!((second.event, second.dropped), (log("d"), 0));
        assert_eq!(queue.dropped(), 2);
    }

    #[test]
    fn status_changes_are_not_dropped_in_favour_of_logs() {
        let queue = Notifications::new(2, Level::Info);
        queue.push(status());
        for text in ["a", "b", "c"] {
            queue.push(log(text));
        }
        assert_eq!(next(&queue).event, status());
        assert_eq!(next(&queue).event, log("c"));
    }

    #[test]
    fn a_queue_full_of_status_changes_takes_nothing_else() {
        let queue = Notifications::new(2, Level::Info);
        queue.push(status());
        queue.push(status());
        queue.push(log("a"));
        let first = next(&queue);
        assert_eq!((first.event, first.dropped), (status(), 1));
        assert_eq!(next(&queue).event, status());
        assert!(matches!(queue.take(Duration::ZERO), Taken::Timeout));
    }

    #[test]
    fn of_questions_for_credentials_the_latest_alone_waits_and_an_answer_ends_it() {
        let queue = Notifications::new(3, Level::Info);
        let asks = |reason| Event::Credentials { reason, user: None };
        queue.push(status());
        for reason in [Asked::Start, Asked::Expires, Asked::Refused] {
            queue.push(asks(reason));
            queue.push(log("a"));
        }
        // Neither the state nor the question gives way to log lines.
        assert_eq!(next(&queue).event, status());
        assert_eq!(next(&queue).event, asks(Asked::Refused));
        assert_eq!(next(&queue).event, log("a"));
        queue.push(asks(Asked::Start));
        queue.forget_credentials();
        assert!(matches!(queue.take(Duration::ZERO), Taken::Timeout));
    }

    #[test]
    fn an_empty_queue_times_out_and_a_closed_one_delivers_what_is_left() {
        let queue = Notifications::new(2, Level::Info);
        assert!(matches!(queue.take(Duration::from_millis(1)), Taken::Timeout));
        queue.push(log("a"));
        queue.close();
        queue.push(log("b"));
        assert_eq!(next(&queue).event, log("a"));
        assert!(matches!(queue.take(Duration::from_secs(60)), Taken::Closed));
    }

    #[test]
    fn a_wake_is_kept_for_the_next_poller_and_only_once() {
        let queue = Notifications::new(9, Level::Info);
        queue.wake();
        queue.wake();
        assert_eq!(next(&queue).event, Event::Wake);
        assert!(matches!(queue.take(Duration::ZERO), Taken::Timeout));
    }

    #[test]
    fn two_wakes_end_the_waits_of_two_pollers_whatever_else_waits() {
        let queue = Notifications::new(2, Level::Info);
        std::thread::scope(|scope| {
            let pollers: Vec<_> = (0..2).map(|_| scope.spawn(|| queue.take(Duration::from_secs(60)))).collect();
            while queue.lock().pollers < 2 {
                std::thread::yield_now();
            }
            queue.wake();
            queue.wake();
            for poller in pollers {
                assert!(matches!(poller.join().unwrap(), Taken::Event(Notification { event: Event::Wake, .. }, _)));
            }
        });
        (0..5).for_each(|number| queue.push(log(&number.to_string())));
        queue.wake();
        assert_eq!(next(&queue).event, Event::Wake);
    }

    #[test]
    fn each_event_goes_to_exactly_one_of_several_pollers() {
        let queue = Notifications::new(1_000, Level::Info);
        let taken: usize = std::thread::scope(|scope| {
            let pollers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut count = 0;
                        while let Taken::Event(..) = queue.take(Duration::from_secs(10)) {
                            count += 1;
                        }
                        count
                    })
                })
                .collect();
            (0..500).for_each(|number| queue.push(log(&number.to_string())));
            queue.close();
            pollers.into_iter().map(|poller| poller.join().unwrap()).sum()
        });
        assert_eq!(taken, 500);
    }

    #[test]
    fn the_filter_lets_severe_lines_through_and_none_lets_nothing_through() {
        let queue = Notifications::new(1, Level::Warn);
        assert!(!queue.wants(Level::Info) && queue.wants(Level::Warn) && queue.wants(Level::Error));
        assert!(!Notifications::new(1, Level::None).wants(Level::Error));
    }
}
