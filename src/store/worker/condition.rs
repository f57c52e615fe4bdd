//! What the store thread knows of its own condition, and how it tells: state, freshness in force, errors once an outage.
//!
//! Three conditions are kept apart: whether the data connection answers, whether the watch is armed, whether writes are
//! accepted. May depend on `inbox`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::store::inbox::link::LinkPhase;
use crate::store::inbox::mailbox::Mailbox;
use crate::store::options::{Freshness, OnWipe, Residency};
use crate::store::shared::Shared;
use crate::store::status::{Level, Listener, Rung, StoreState};

/// What reads meet so soon after a write did is the same outage, although something was answered in between.
const SAME_OUTAGE: Duration = Duration::from_secs(10);

/// The condition of one store thread.
#[derive(Debug, Default)]
pub struct Condition {
    /// Why the data set counts as lost, while it does.
    pub wiped: Option<String>,
    /// What is held has to be read again before it counts as true: the watch was lost, or the server is another one.
    pub unproven: Option<String>,
    /// Sentinels name another server, which cannot be used: why.
    pub contested: Option<Arc<str>>,
    /// Why writes are not accepted, while they are not.
    pub unwritten: Option<String>,
    /// A hash is of a wrong type.
    pub wrong_type: bool,
    /// Writes fail because of what Redis holds: writing everything anew may help.
    pub wrong_data: bool,
    /// A pass has succeeded in this process.
    has_read: bool,
    /// A failure was logged, and no whole pass has succeeded since.
    is_failing: bool,
    /// A refused write was logged, and none was accepted since.
    writes_fail: bool,
    /// When that write told of an outage, which reads meet, too.
    outage_told: Option<Instant>,
    told_uninitialized: bool,
    /// Whether Redis answered, as it was told last.
    told_available: bool,
}

impl Condition {
    /// A whole pass has succeeded.
    pub fn recovered(&mut self, shared: &Shared) {
        self.has_read = true;
        self.is_failing = false;
        if self.unwritten.is_none() && self.wiped.is_none() && !self.wrong_type {
            shared.health.clear_error();
        }
    }

    /// It failed, and no whole pass has succeeded since.
    pub fn is_failing(&self) -> bool {
        self.is_failing
    }

    /// Redis answered last time.
    pub fn is_well(&self) -> bool {
        self.has_read && !self.is_failing
    }

    /// Something failed: one line an outage, whatever else is said while it lasts.
    pub fn failed(&mut self, shared: &Shared, listener: &dyn Listener, text: &str) {
        shared.health.set_error(text.to_owned());
        let is_told = self.is_failing || self.outage_told.is_some_and(|told| told.elapsed() < SAME_OUTAGE);
        let level = if is_told { Level::Debug } else { Level::Error };
        self.is_failing = true;
        listener.log(level, format_args!("{text}"));
    }

    /// Writes are not accepted, because Redis is away or for a reason of their own.
    pub fn write_failed(&mut self, shared: &Shared, listener: &dyn Listener, text: &str, is_away: bool) {
        shared.health.set_error(text.to_owned());
        let is_told = self.writes_fail || is_away && self.is_failing;
        let level = if is_told { Level::Debug } else { Level::Error };
        self.writes_fail = true;
        if is_away && !is_told {
            self.outage_told = Some(Instant::now());
        }
        self.unwritten = Some(text.to_owned());
        listener.log(level, format_args!("{text}"));
    }

    /// A write was accepted.
    pub fn wrote(&mut self) {
        self.unwritten = None;
        self.wrong_data = false;
        self.writes_fail = false;
        self.outage_told = None;
    }

    /// Records whether Redis lost the data set; `reason` says how. True when it holds one again.
    pub fn set_wiped(&mut self, shared: &Shared, listener: &dyn Listener, reason: Option<&str>) -> bool {
        let before = shared.health.set_wiped(reason.is_some());
        self.wiped = reason.map(str::to_owned);
        match (before, reason) {
            (false, Some(reason)) => {
                listener.log(Level::Warn, format_args!("Redis lost the data set ({reason}); held items stay in force"));
                false
            }
            (true, None) => {
                listener.log(Level::Info, format_args!("Redis holds a data set again"));
                true
            }
            _ => false,
        }
    }

    /// Nobody has ever filled this environment, as far as is known: said once.
    pub fn tell_uninitialized(&mut self, shared: &Shared, listener: &dyn Listener, is_empty: bool) {
        if shared.options.has_source() || self.told_uninitialized || (shared.health.was_inited() && !is_empty) {
            return;
        }
        self.told_uninitialized = true;
        let what = if is_empty { "no flags" } else { "no $inited" };
        let place = shared.place();
        listener.log(
            Level::Warn,
            format_args!(
                "{place} holds {what} under this prefix: is it the one that the Relay Proxy or SDK writes to?"
            ),
        );
    }

    /// Brings state and freshness up to date and tells when they changed.
    pub fn report(&mut self, shared: &Shared, mailbox: &Mailbox, listener: &dyn Listener, waits: bool) {
        // An outage is told by its error, once.
        let is_out = self.is_failing || !shared.health.is_available();
        report_rung(shared, mailbox, listener, waits, is_out);
        let (state, reason) = self.state(shared);
        let available = shared.health.is_available();
        let is_old = shared.health.state() == state;
        if mailbox.is_stopped() || (is_old && (self.told_available == available || state == StoreState::Init)) {
            return;
        }
        self.told_available = available;
        if is_old {
            return listener.state_changed(state, &reason);
        }
        shared.set_state(state);
        let is_told = is_out || self.wiped.is_some() || self.unwritten.is_some();
        let level = if state == StoreState::Interrupted && !is_told { Level::Warn } else { Level::Info };
        listener.log(level, format_args!("store is {}: {reason}", state.name()));
        listener.state_changed(state, &reason);
    }

    fn state(&self, shared: &Shared) -> (StoreState, String) {
        let health = &shared.health;
        let interrupted = |reason: &str| (StoreState::Interrupted, reason.to_owned());
        if !health.is_ready() {
            return (StoreState::Init, "Redis has not been read yet".to_owned());
        }
        if let Some(wipe) = &self.wiped {
            return (StoreState::Interrupted, format!("wiped: {wipe}"));
        }
        if !self.has_read {
            return interrupted("Redis has not been read yet in this process");
        }
        if !health.is_available() || self.is_failing {
            let error = health.error();
            return interrupted(error.as_ref().map_or("no answer", |error| &error.text));
        }
        match self.unproven.as_deref().or(self.contested.as_deref()).or(self.unwritten.as_deref()) {
            Some(reason) => interrupted(reason),
            None => (StoreState::Valid, "Redis answers".to_owned()),
        }
    }
}

/// Whether a wipe is to be recognised at all.
pub fn keeps_on_wipe(shared: &Shared) -> bool {
    shared.options.on_wipe == OnWipe::Keep && shared.options.residency != Residency::Off
}

fn report_rung(shared: &Shared, mailbox: &Mailbox, listener: &dyn Listener, waits: bool, is_out: bool) {
    let link = &mailbox.link;
    let remark = link.remark();
    let remark = remark.as_ref().map(|remark| remark.as_str());
    let says = |what: &str| remark.map(|why| Cow::Owned(format!("{what}: {why}")));
    let (rung, reason) = match (shared.options.freshness, link.phase()) {
        (Freshness::Ttl, _) => (Rung::Ttl, Some(Cow::Borrowed("configured"))),
        (Freshness::Forever, _) => (Rung::Forever, Some(Cow::Borrowed("configured"))),
        (Freshness::Push, LinkPhase::Up) => (Rung::Push, remark.map(Cow::Borrowed)),
        (Freshness::Push, LinkPhase::Connecting) if waits => (Rung::Starting, None),
        (Freshness::Push, LinkPhase::Connecting) => (Rung::Ttl, Some(Cow::Borrowed("the push link is not there yet"))),
        (Freshness::Push, LinkPhase::Down) => (Rung::Ttl, says("push link lost")),
        (Freshness::Push, LinkPhase::Unsupported) => {
            (Rung::Ttl, says("the server refuses every way to tell of changes"))
        }
    };
    let stood_on = shared.health.rung_reason();
    if shared.health.set_rung(rung, reason.as_deref())
        || rung == Rung::Push && stood_on.as_ref().map(|reason| reason.as_str()) != reason.as_deref()
    {
        let text = reason.unwrap_or_default();
        let falls = rung == Rung::Ttl && shared.options.freshness == Freshness::Push && !is_out;
        let level = if falls { Level::Warn } else { Level::Info };
        let why = link.report().reason().filter(|_| rung == Rung::Push && link.report().is_low());
        let why = why.map_or_else(String::new, |why| format!("; nothing better, because {why}"));
        listener.log(level, format_args!("freshness in force: {} ({text}{why})", rung.name()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Recorder, options};

    #[test]
    fn an_outage_that_a_write_meets_first_is_told_once_and_a_refused_write_hides_none() {
        let (shared, lines) = (Shared::new(options()).unwrap(), Recorder::default());
        let mut condition = Condition::default();
        condition.write_failed(&shared, &lines, "the server closed the connection", true);
        condition.failed(&shared, &lines, "no answer");
        assert_eq!(lines.errors(), 1);
        condition.recovered(&shared);
        condition.wrote();
        condition.write_failed(&shared, &lines, "OOM", false);
        condition.failed(&shared, &lines, "no answer");
        assert_eq!(lines.errors(), 3);
    }

    #[test]
    fn an_outage_that_a_write_meets_after_something_else_was_answered_is_told_once() {
        let (shared, lines) = (Shared::new(options()).unwrap(), Recorder::default());
        let mut condition = Condition::default();
        condition.write_failed(&shared, &lines, "the server closed the connection", true);
        condition.recovered(&shared);
        condition.failed(&shared, &lines, "no answer");
        assert_eq!(lines.errors(), 1);
    }
}
