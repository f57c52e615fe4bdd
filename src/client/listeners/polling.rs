//! Polling of notifications: whoever takes a change looks after the listeners that it may concern, before anybody is told of
//! what came later. May depend on `store`.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::{Client, Round};
use crate::client::notifications::{Event, Notification, Notifications, Polled, Taken};
use crate::client::runtime::Runtime;
use crate::model::saturating_ms;
use crate::store::{Residency, monotonic_ms};

/// How often to look whether something answers, until it does for the first time.
const EARLY: Duration = Duration::from_millis(250);
/// Listeners are not looked after more often than this without need.
const SHORTEST_LOOK: Duration = Duration::from_millis(50);

/// A round in the hands of a poller: what is left of it goes back to where all pollers find it, whatever happens.
struct Turn<'a> {
    notifications: &'a Notifications,
    round: Round,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.notifications.resume(std::mem::take(&mut self.round));
    }
}

impl Client {
    /// Takes the oldest notification, waiting for one if need be. Changes of listeners' values are found out here; where
    /// an evaluation may wait, that may take one command timeout longer.
    pub fn poll(&self, timeout: Duration) -> Polled {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let runtime = self.current();
            let left = deadline.map_or(timeout, |deadline| deadline.saturating_duration_since(Instant::now()));
            let pause = self.next_look(&runtime);
            match runtime.notifications.take(pause.map_or(left, |pause| pause.min(left))) {
                Taken::Event(notification, has_missed) => {
                    self.begin_round(&runtime, &notification, has_missed);
                    return Polled::Event(notification);
                }
                Taken::Round(round) => {
                    if let Some(event) = self.go_on(&runtime, round, deadline) {
                        return Polled::Event(Notification::now(event));
                    }
                    if self.may_wait() && is_past(deadline) {
                        return Polled::Timeout;
                    }
                }
                Taken::Closed => return Polled::Closed,
                Taken::Timeout if pause.is_none_or(|pause| pause >= left) => return Polled::Timeout,
                Taken::Timeout => {}
            }
        }
    }

    /// Looks after listeners until one has news.
    fn go_on(&self, runtime: &Runtime, round: Round, deadline: Option<Instant>) -> Option<Event> {
        let mut turn = Turn { notifications: &runtime.notifications, round };
        while let Some(listener) = turn.round.left.next() {
            let news = self.news(&listener, runtime, &mut turn.round);
            let gives_way = turn.round.is_unasked && runtime.notifications.is_pressing();
            if news.is_some() || gives_way || self.may_wait() && is_past(deadline) {
                return news;
            }
        }
        if turn.round.is_unasked {
            self.listening.next_look.store(monotonic_ms() + self.look_interval(), Relaxed);
        }
        None
    }

    /// After a notification: those whose values may be other ones by now.
    fn begin_round(&self, runtime: &Runtime, notification: &Notification, has_missed: bool) {
        let listening = &self.listening;
        let listeners = match &notification.event {
            _ if listening.registry.is_empty() => return,
            Event::FlagChanged { key, .. } if !has_missed && !listening.owes.load(Relaxed) => {
                listening.registry.of(key)
            }
            Event::FlagChanged { .. } | Event::Status { .. } | Event::BigSegments { .. } => self.everybody(),
            _ if has_missed => self.everybody(),
            _ => return,
        };
        runtime.notifications.begin(Round::new(listeners));
    }

    fn everybody(&self) -> Vec<std::sync::Arc<super::Listener>> {
        self.listening.owes.store(false, Relaxed);
        self.listening.registry.all()
    }

    /// How long a poller may wait before somebody has to look without having been told to. Where it is time, it begins.
    ///
    /// The first data are put in force without a word; and nobody tells of what the bounded cache does not hold, nor of the
    /// members of big segments.
    fn next_look(&self, runtime: &Runtime) -> Option<Duration> {
        let (listening, shared) = (&self.listening, &self.plant.shared);
        if listening.registry.is_empty() || self.offline || self.is_closed() {
            return None;
        }
        if listening.is_early.load(Relaxed) {
            if !shared.answers() {
                return Some(EARLY);
            }
            if listening.is_early.swap(false, Relaxed) {
                runtime.notifications.begin(Round::new(self.everybody()));
            }
        }
        if !self.may_wait() {
            return None;
        }
        let (now, due, interval) = (monotonic_ms(), listening.next_look.load(Relaxed), self.look_interval());
        if now < due {
            return Some(Duration::from_millis(due - now));
        }
        if listening.next_look.compare_exchange(due, now + interval, Relaxed, Relaxed).is_ok() {
            runtime.notifications.begin_unasked(|| Round::unasked(self.everybody()));
        }
        Some(Duration::from_millis(interval))
    }

    /// How long after a look of this kind the next one begins, in milliseconds.
    fn look_interval(&self) -> u64 {
        let options = &self.plant.shared.options;
        let of_members = self.members.as_ref().map(|settings| settings.desk.cache_time);
        let of_items = (options.residency != Residency::All).then_some(options.ttl);
        saturating_ms(of_members.into_iter().chain(of_items).min().unwrap_or(EARLY).max(SHORTEST_LOOK))
    }
}

fn is_past(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}
