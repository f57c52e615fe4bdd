//! Waiting until what was there is delivered.

use std::time::{Duration, Instant};

use super::{Delivery, Stage, State};

/// What became of everything that waited when a flush was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// It was delivered, or there was nothing.
    Delivered,
    /// It is on its way still.
    Late,
    /// Some of it could not be delivered and is kept in the spool, from where it is sent later.
    Kept,
    /// Some of it is lost.
    Lost,
}

/// A flush that was asked for, and what it waits for.
#[derive(Debug)]
pub(super) struct FlushRequest {
    number: u64,
    /// The last payload that may have what it waits for, once that is known.
    last: Option<u64>,
    lost_before: u64,
    kept_before: u64,
}

impl Delivery {
    /// Sends everything that waits and waits for it, at most for `timeout`. Those who do not wait share one flush: the first
    /// one begins it, the others are told how it fares, and who is told of its end begins the next one, for what came meanwhile.
    /// So it may be called as often as one likes.
    pub fn flush(&self, timeout: Duration) -> Flushed {
        let mut state = self.lock();
        if timeout.is_zero() {
            return self.poll(&mut state);
        }
        let until = Instant::now().checked_add(timeout);
        let mut request = self.ask(&mut state);
        loop {
            let flushed = state.progress(&mut request);
            if flushed != Flushed::Late || until.is_some_and(|until| Instant::now() >= until) {
                return flushed;
            }
            state = self.wait(state, until);
        }
    }

    fn poll(&self, state: &mut State) -> Flushed {
        let Some(mut request) = state.polled.take() else {
            let mut request = self.ask(state);
            let flushed = state.progress(&mut request);
            state.polled = (flushed == Flushed::Late).then_some(request);
            return flushed;
        };
        let flushed = state.progress(&mut request);
        if flushed == Flushed::Late {
            state.polled = Some(request);
        } else {
            self.ask(state);
        }
        flushed
    }

    fn ask(&self, state: &mut State) -> FlushRequest {
        state.asked += 1;
        self.changed.notify_all();
        let (lost_before, kept_before) = (state.report.lost_payloads, state.report.kept_payloads);
        FlushRequest { number: state.asked, last: None, lost_before, kept_before }
    }
}

impl State {
    fn progress(&self, request: &mut FlushRequest) -> Flushed {
        let is_off = self.report.off.is_some();
        if self.taken < request.number && !is_off && self.stage != Stage::Over {
            return Flushed::Late;
        }
        let last = *request.last.get_or_insert(self.made);
        let is_waited_for = |number: u64| (1..=last).contains(&number);
        if self.in_flight.iter().any(|payload| is_waited_for(payload.number)) {
            Flushed::Late
        } else if is_off || self.report.lost_payloads > request.lost_before {
            Flushed::Lost
        } else if self.report.kept_payloads > request.kept_before {
            Flushed::Kept
        } else {
            Flushed::Delivered
        }
    }
}
