//! How delivery fares: what was sent, what was lost, and what of it the log says.
//!
//! An outage is told once, whatever number of payloads meets it: when it begins, when something is lost for the first time,
//! and when it ends.

use std::fmt;
use std::sync::Arc;

use super::{Delivery, Fate, State};
use crate::events::host::Host;
use crate::events::payload::{Content, Payload};
use crate::events::spool::Spool;
use crate::model::{Severity, unix_ms};

/// How delivery fares. Events are counted as they are sent: a summary is one.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Why nothing is sent any more.
    pub off: Option<String>,
    /// Events that were sent.
    pub sent: u64,
    /// Events that could not be delivered and were not kept.
    pub lost: u64,
    /// Events that could not be delivered and went to the spool.
    pub kept: u64,
    /// The latest failure.
    pub failure: Option<LastFailure>,
    pub(super) lost_payloads: u64,
    pub(super) kept_payloads: u64,
}

/// Something failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// What.
    pub message: String,
    /// When, in milliseconds since 1970.
    pub unix_ms: i64,
}

/// A time during which nothing is delivered.
#[derive(Debug, Default)]
pub(super) struct Outage {
    lost: u64,
    kept: u64,
    /// What had to make room in the spool.
    pub evicted: u64,
}

impl Delivery {
    /// Payloads in the spool, and files of it that were set aside; `None` without one.
    pub fn spooled(&self) -> Option<(u64, u64)> {
        self.spool.as_ref().map(Spool::counts)
    }

    /// An attempt to send events has failed.
    pub(in crate::events) fn note_failure(&self, host: &dyn Host, address: &str, reason: &dyn fmt::Display) {
        let message = format!("events cannot be delivered to {address}: {reason}");
        let is_first = {
            let mut state = self.lock();
            state.report.failure = Some(LastFailure { message: message.clone(), unix_ms: unix_ms() });
            let is_first = state.outage.is_none();
            state.outage.get_or_insert_default();
            is_first
        };
        let severity = if is_first { Severity::Warn } else { Severity::Debug };
        host.log(severity, format_args!("{message}"));
    }

    /// A sender is through with a payload. Nothing happens if somebody else has seen to it.
    pub(in crate::events) fn settle(&self, host: &dyn Host, payload: &Arc<Payload>, fate: Fate) {
        let mut state = self.lock();
        let Some(place) = state.in_flight.iter().position(|other| Arc::ptr_eq(other, payload)) else { return };
        state.in_flight.swap_remove(place);
        state.may_follow |= payload.claim.is_some() && fate == Fate::Delivered;
        let line = if payload.content == Content::Events { state.account(payload, fate) } else { None };
        // Under the lock: who waits for a flush finds it told.
        if let Some((severity, line)) = line {
            host.log(severity, format_args!("{line}"));
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The server refuses for good: nothing is sent any more, and so many events that waited are lost.
    pub(in crate::events) fn turn_off(&self, host: &dyn Host, address: &str, reason: &dyn fmt::Display, waiting: u64) {
        let message = format!("no events are sent any more: {address} refuses them: {reason}");
        let mut state = self.lock();
        state.report.lost += waiting;
        if state.report.off.is_none() {
            host.log(Severity::Error, format_args!("{message}"));
            state.report.failure = Some(LastFailure { message: message.clone(), unix_ms: unix_ms() });
            state.report.off = Some(message);
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    /// Counts what became of events, and says what the log should.
    fn account(&mut self, payload: &Payload, fate: Fate) -> Option<(Severity, String)> {
        let events = payload.events;
        let is_awaited = u64::from(payload.number > 0);
        match fate {
            Fate::Delivered => {
                self.report.sent += events;
                self.outage.take().map(|outage| (Severity::Info, outage.end()))
            }
            Fate::Lost => {
                self.report.lost += events;
                self.report.lost_payloads += is_awaited;
                let outage = self.outage.get_or_insert_default();
                outage.lost += events;
                let line = || {
                    format!(
                        "{events} events could not be delivered and are lost; more may be until they are delivered again"
                    )
                };
                (outage.lost == events).then(|| (Severity::Warn, line()))
            }
            // It was kept before, and was counted then.
            Fate::Kept if payload.claim.is_some() => None,
            Fate::Kept => {
                self.report.kept += events;
                self.report.kept_payloads += is_awaited;
                let outage = self.outage.get_or_insert_default();
                outage.kept += events;
                let line =
                    || format!("{events} events could not be delivered and are kept in the spool; more may follow");
                (outage.kept == events).then(|| (Severity::Warn, line()))
            }
        }
    }
}

impl Outage {
    fn end(&self) -> String {
        match (self.lost + self.evicted, self.kept) {
            (0, 0) => "events are delivered again; none was lost".to_owned(),
            (0, kept) => format!("events are delivered again; none was lost, {kept} are sent from the spool"),
            (lost, 0) => format!("events are delivered again; {lost} were lost meanwhile"),
            (lost, kept) => {
                format!("events are delivered again; {lost} were lost meanwhile, {kept} went to the spool")
            }
        }
    }
}
