//! What becomes of payloads that cannot be delivered.

use super::{Delivery, Fate};
use crate::events::host::Host;
use crate::events::payload::{Content, Payload};
use crate::events::spool::Claim;
use crate::model::Severity;

impl Delivery {
    /// Keeps a payload in the spool, if there is one and it can.
    pub(in crate::events) fn keep(&self, host: &dyn Host, payload: &Payload) -> Fate {
        if payload.content == Content::Diagnostic {
            return Fate::Lost;
        }
        let Some(spool) = &self.spool else { return Fate::Lost };
        if payload.claim.is_some() {
            spool.begin_anew();
            return Fate::Kept;
        }
        let mut evicted = 0;
        let outcome = spool.keep(payload, &mut evicted);
        if evicted > 0 {
            self.evicted(host, evicted);
        }
        match outcome {
            Ok(()) => Fate::Kept,
            Err(error) => {
                spool.complain(host, &error);
                Fate::Lost
            }
        }
    }

    /// Keeps what waited when the server refused events for good; gives the number of events that are lost.
    pub(in crate::events) fn keep_waiting(&self, host: &dyn Host, payload: &Payload) -> u64 {
        if self.keep(host, payload) != Fate::Kept {
            return payload.events;
        }
        self.lock().report.kept += payload.events;
        0
    }

    /// Older events made room for newer ones.
    fn evicted(&self, host: &dyn Host, events: u64) {
        let is_first = {
            let mut state = self.lock();
            state.report.lost += events;
            let outage = state.outage.get_or_insert_default();
            outage.evicted += events;
            outage.evicted == events
        };
        if is_first {
            host.log(
                Severity::Warn,
                format_args!("events.spool is full: its {events} oldest events are lost; more may be"),
            );
        }
    }

    /// Puts away what was left when the client was closed.
    pub(in crate::events) fn put_away(&self, host: &dyn Host, left: &[&Payload]) {
        left.iter().filter_map(|payload| payload.claim.as_ref()).for_each(Claim::release);
        let (mut lost, mut kept) = (0, 0);
        for payload in left.iter().filter(|payload| payload.content == Content::Events && payload.claim.is_none()) {
            match self.keep(host, payload) {
                Fate::Kept => kept += payload.events,
                _ => lost += payload.events,
            }
        }
        {
            let mut state = self.lock();
            state.report.lost += lost;
            state.report.lost_payloads += u64::from(lost > 0);
            state.report.kept += kept;
            state.report.kept_payloads += u64::from(kept > 0);
        }
        if lost > 0 {
            host.log(Severity::Warn, format_args!("closed before {lost} events could be delivered: they are lost"));
        }
        if kept > 0 {
            host.log(
                Severity::Info,
                format_args!("closed before {kept} events could be delivered: the spool keeps them"),
            );
        }
    }
}
