//! The end of delivery: what waits is taken for the last time, sent while there is time, and put away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Delivery, Stage};
use crate::events::inbox::{Batch, Inbox};
use crate::events::payload::Payload;
use crate::events::recorder::Recorder;

impl Delivery {
    /// Takes what waits, for the last time, and lets it be sent for this long. Nothing is taken after it. Gives the number of
    /// events that are lost because there is no events thread.
    pub fn close(&self, inbox: &Inbox, recorder: &Recorder, sending: Duration) -> u64 {
        let until = moment(sending);
        let batch = inbox.take(recorder);
        // What came in between.
        let late = inbox.shut(recorder).count();
        let (mut state, mut lost) = (self.lock(), 0);
        state.report.lost += late;
        if state.stage == Stage::Open {
            if state.has_worker {
                state.stage = Stage::Closing(until);
                state.last = Some(batch);
            } else {
                state.stage = Stage::Over;
                lost = batch.count();
                state.report.lost += lost;
            }
        }
        drop(state);
        self.changed.notify_all();
        lost
    }

    /// Waits until everything is sent or put away, at most for `timeout`; not when there is nothing to wait for.
    pub fn wait_over(&self, timeout: Duration) {
        let (mut state, until) = (self.lock(), moment(timeout));
        while !matches!(state.stage, Stage::Open | Stage::Over) && Instant::now() < until {
            state = self.wait(state, Some(until));
        }
    }

    /// Whether the threads should end.
    pub fn is_over(&self) -> bool {
        self.lock().stage == Stage::Over
    }

    /// The batch that was taken at the close.
    pub(in crate::events) fn take_last(&self) -> Option<Batch> {
        self.lock().last.take()
    }

    /// Waits until all events are sent, at most to this moment; then nothing is sent any more. What is left. What is in the
    /// spool is safe there, and nobody misses a diagnostic event.
    pub(in crate::events) fn expire(&self, until: Instant) -> Vec<Arc<Payload>> {
        let mut state = self.lock();
        while state.in_flight.iter().any(|payload| payload.number > 0) && Instant::now() < until {
            state = self.wait(state, Some(until));
        }
        state.stage = Stage::Expired;
        state.outgoing.clear();
        let (left, requests) = (std::mem::take(&mut state.in_flight), std::mem::take(&mut state.requests));
        drop(state);
        self.changed.notify_all();
        requests.iter().for_each(|(_, interrupter)| interrupter.interrupt());
        left
    }

    /// Everything is sent or put away.
    pub(in crate::events) fn end(&self) {
        self.lock().stage = Stage::Over;
        self.changed.notify_all();
    }
}

/// The end of a time that may be too long for clocks.
fn moment(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now + Duration::from_secs(365 * 24 * 3600))
}
