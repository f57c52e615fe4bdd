//! What host threads, the events thread and the senders leave for each other: what is on its way, who waits for it, and how
//! delivery fares. One lock, held for moments; it belongs to one process.

mod closing;
mod flush;
mod keep;
mod report;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

pub use flush::Flushed;
pub use report::{LastFailure, Report};

use flush::FlushRequest;
use report::Outage;

use super::diagnostics::StreamStart;
use super::inbox::Batch;
use super::options::EventsOptions;
use super::payload::{Content, Payload};
use super::spool::Spool;
use crate::http::Interrupter;
use crate::model::lock;

/// Most payloads that are sent at the same time.
pub(super) const MOST_SENDERS: usize = 5;
/// How long a sender without work stays; one stays for good, with its connection.
const IDLE: Duration = Duration::from_secs(30);
/// Starts of streams that are remembered for one diagnostic event.
const MOST_STREAM_STARTS: usize = 100;

/// What the threads of one process leave for each other.
#[derive(Debug)]
pub struct Delivery {
    state: Mutex<State>,
    changed: Condvar,
    /// Where payloads are kept that cannot be delivered.
    pub(super) spool: Option<Spool>,
}

#[derive(Debug, Default)]
struct State {
    stage: Stage,
    /// There is an events thread, or will be in a moment.
    has_worker: bool,
    /// Flushes that were asked for, and which of them the latest batch was taken for.
    asked: u64,
    taken: u64,
    /// Payloads that were made.
    made: u64,
    /// The flush that calls without a timeout ask about.
    polled: Option<FlushRequest>,
    /// What was taken when the client was closed.
    last: Option<Batch>,
    /// What waits for a sender.
    outgoing: VecDeque<Arc<Payload>>,
    /// What waits for a sender or is in the hands of one.
    in_flight: Vec<Arc<Payload>>,
    /// A payload of the spool was delivered, and the next one can go.
    may_follow: bool,
    senders: usize,
    /// What ends the requests of each sender.
    requests: Vec<(ThreadId, Interrupter)>,
    report: Report,
    outage: Option<Outage>,
    stream_starts: Vec<StreamStart>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// What is left is sent, up to this moment.
    Closing(Instant),
    /// Nothing is sent any more, and what is left is put away.
    Expired,
    Over,
}

/// What the events thread has to do next.
pub(super) enum Order {
    /// To take what waits, for the flushes up to this one.
    Flush(u64),
    /// To send what comes next in the spool.
    Follow,
    /// To see to everything else.
    Tend,
    /// To send what is left, up to this moment.
    Close(Instant),
}

/// What became of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Delivered,
    Lost,
    /// It is in the spool.
    Kept,
}

impl Delivery {
    /// Nothing is on its way.
    pub fn new(options: Option<&EventsOptions>) -> Self {
        let spool = options.and_then(|options| options.spool.as_ref().map(|spool| (options, spool)));
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            spool: spool.map(|(options, spool)| Spool::new(spool, &options.http.sdk_key)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, until: Option<Instant>) -> MutexGuard<'a, State> {
        let left = until.map_or(Duration::from_secs(3600), |until| until.saturating_duration_since(Instant::now()));
        self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
    }

    /// An events thread is about to be started.
    pub fn expect_worker(&self, is_expected: bool) {
        self.lock().has_worker = is_expected;
    }

    /// How delivery fares.
    pub fn report(&self) -> Report {
        self.lock().report.clone()
    }

    /// The data source has tried to open a stream.
    pub fn note_stream_start(&self, start: StreamStart) {
        let mut state = self.lock();
        if state.stream_starts.len() < MOST_STREAM_STARTS {
            state.stream_starts.push(start);
        }
    }

    /// Takes what was noted of streams.
    pub fn take_stream_starts(&self) -> Vec<StreamStart> {
        std::mem::take(&mut self.lock().stream_starts)
    }
}

/// What the events thread does.
impl Delivery {
    /// Waits for the next thing to do: a flush at `flush_at` or when one is asked for, as soon as a sender is free; something
    /// else at `tend_at`.
    pub(super) fn order(&self, flush_at: Instant, tend_at: Instant) -> Order {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            match state.stage {
                Stage::Open => {}
                Stage::Closing(until) => return Order::Close(until),
                // A thread that has failed at its end has to end all the same.
                Stage::Expired | Stage::Over => return Order::Close(now),
            }
            let is_on = state.report.off.is_none();
            let is_wanted = is_on && (state.asked > state.taken || now >= flush_at);
            if is_wanted && state.has_room() {
                return Order::Flush(state.asked);
            }
            if std::mem::take(&mut state.may_follow) {
                return Order::Follow;
            }
            if now >= tend_at {
                return Order::Tend;
            }
            let next = if is_wanted || !is_on { tend_at } else { flush_at.min(tend_at) };
            state = self.wait(state, Some(next));
        }
    }

    /// A batch was taken for all flushes up to this one. What was made of it goes to the senders.
    pub(super) fn hand_over(&self, asked: u64, payload: Option<Payload>) {
        let mut state = self.lock();
        state.taken = asked.max(state.taken);
        if let Some(payload) = payload {
            state.push(payload);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Something goes to the senders that no flush waits for.
    pub(super) fn send_too(&self, payload: Payload) {
        self.lock().push(payload);
        self.changed.notify_all();
    }

    /// Something was lost before it could be sent.
    pub(super) fn lose(&self, events: u64) {
        let mut state = self.lock();
        state.report.lost += events;
        state.report.lost_payloads += 1;
    }

    /// Whether one more thread is needed; it counts as started.
    pub(super) fn wants_sender(&self) -> bool {
        let mut state = self.lock();
        let wants = state.in_flight.len() > state.senders && state.senders < MOST_SENDERS;
        state.senders += usize::from(wants);
        wants
    }

    /// The thread could not be started.
    pub(super) fn no_sender(&self) {
        self.lock().senders -= 1;
    }

    /// Whether anything of this kind is on its way.
    pub(super) fn is_sending(&self, is_it: impl Fn(&Payload) -> bool) -> bool {
        self.lock().in_flight.iter().any(|payload| is_it(payload))
    }

    /// Whether nothing is sent any more.
    pub(super) fn is_off(&self) -> bool {
        self.lock().report.off.is_some()
    }

    /// Whether delivery fails at present.
    pub(super) fn is_failing(&self) -> bool {
        self.lock().outage.is_some()
    }
}

/// What senders do.
impl Delivery {
    /// The next payload; `None` when the sender should end.
    pub(super) fn next(&self) -> Option<Arc<Payload>> {
        let (mut state, since) = (self.lock(), Instant::now());
        loop {
            let is_ended = matches!(state.stage, Stage::Expired | Stage::Over);
            if let Some(payload) = state.outgoing.pop_front().filter(|_| !is_ended) {
                return Some(payload);
            }
            let is_long = since.elapsed() >= IDLE;
            if is_ended || is_long && state.senders > 1 {
                state.senders -= 1;
                state.requests.retain(|(thread, _)| *thread != thread::current().id());
                return None;
            }
            state = self.wait(state, (!is_long).then(|| since + IDLE));
        }
    }

    /// Registers what ends the requests of this thread; false when it should make none.
    pub(super) fn may_request(&self, interrupter: Interrupter) -> bool {
        let (mut state, own) = (self.lock(), thread::current().id());
        let may = matches!(state.stage, Stage::Open | Stage::Closing(_));
        if may {
            state.requests.retain(|(thread, _)| *thread != own);
            state.requests.push((own, interrupter));
        }
        may
    }

    /// Waits before a payload is sent again; false when it should not be.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let (mut state, until) = (self.lock(), Instant::now() + pause);
        loop {
            if !matches!(state.stage, Stage::Open | Stage::Closing(_)) || state.report.off.is_some() {
                return false;
            }
            if Instant::now() >= until {
                return true;
            }
            state = self.wait(state, Some(until));
        }
    }
}

impl State {
    /// Whether one more payload may be made.
    fn has_room(&self) -> bool {
        self.in_flight.len() < MOST_SENDERS
    }

    fn push(&mut self, mut payload: Payload) {
        if payload.content == Content::Events && payload.claim.is_none() {
            self.made += 1;
            payload.number = self.made;
        }
        let payload = Arc::new(payload);
        self.in_flight.push(Arc::clone(&payload));
        self.outgoing.push_back(payload);
    }
}

#[cfg(test)]
mod tests;
