//! What waits for the next flush: events in order, the tallies of the flags that were evaluated, the contexts that were told.
//! Bounded whatever happens: what does not fit is dropped and counted.
//!
//! One lock, held for moments; it belongs to one process, so that nothing of the parent's is sent by a forked child.

mod contexts;
mod sums;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use contexts::Contexts;
use sums::Sums;

use super::event::{Custom, Evaluation, Event, Migration};
use super::options::EventsOptions;
use super::recorder::{Evaluated, Recorder};
use super::summary::Summary;
use crate::context::Context;
use crate::model::{Flag, Jitter, lock, unix_ms};

/// Most bytes of what waits, roughly: data and contexts of the host may be of any size.
const MOST_BYTES: usize = 64 << 20;

/// Takes what happens, and gives it away at each flush.
#[derive(Debug)]
pub struct Inbox {
    capacity: usize,
    omit_anonymous: bool,
    /// Nothing is taken any more.
    is_shut: AtomicBool,
    /// The latest time that a server told; debugging ends by it or by our own clock, whichever is later.
    server_time: AtomicI64,
    /// All that was ever dropped.
    dropped: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    events: Vec<Event>,
    bytes: usize,
    sums: Sums,
    contexts: Contexts,
    dropped: u64,
    deduplicated: u64,
    dice: Jitter,
}

/// What was taken at one flush.
#[derive(Debug)]
pub struct Batch {
    /// In the order in which it happened; an index event comes before what it is for.
    pub events: Vec<Event>,
    /// What was counted.
    pub summary: Summary,
    /// Events that did not fit, since the flush before.
    pub dropped: u64,
    /// Evaluations and custom events whose context had been told, since the flush before.
    pub deduplicated: u64,
}

impl Batch {
    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.summary.is_empty()
    }

    /// Number of events when it is sent: a summary is one.
    pub fn count(&self) -> u64 {
        self.events.len() as u64 + u64::from(!self.summary.is_empty())
    }
}

impl Inbox {
    /// Empty.
    pub fn new(options: &EventsOptions) -> Self {
        Self {
            capacity: options.capacity,
            omit_anonymous: options.omit_anonymous,
            is_shut: AtomicBool::new(false),
            server_time: AtomicI64::new(0),
            dropped: AtomicU64::new(0),
            state: Mutex::new(State {
                events: Vec::new(),
                bytes: 0,
                sums: Sums::default(),
                contexts: Contexts::new(options.context_keys_capacity, options.context_keys_flush),
                dropped: 0,
                deduplicated: 0,
                dice: Jitter::new(),
            }),
        }
    }

    /// An evaluation that [`Recorder::count`] did not count.
    #[cold]
    pub fn evaluation(&self, recorder: &Recorder, context: &Context, evaluated: &Evaluated<'_>) {
        if self.is_shut() {
            return;
        }
        let at = unix_ms();
        let state = &mut *lock(&self.state);
        state.sums.add(recorder.mark(), at, context, evaluated);
        let mut shared = Shared { context, made: None };
        self.see(state, recorder, at, &mut shared);
        let Some(flag) = evaluated.flag else { return };
        if flag.track_events || evaluated.in_experiment {
            self.full(state, flag, at, false, &mut shared, evaluated);
        }
        if flag.debug_events_until.is_some_and(|until| until > at.max(self.server_time.load(Relaxed)) as f64) {
            self.full(state, flag, at, true, &mut shared, evaluated);
        }
    }

    /// The host says who somebody is.
    pub fn identify(&self, recorder: &Recorder, context: &Context) {
        if self.is_shut() {
            return;
        }
        let (at, state) = (unix_ms(), &mut *lock(&self.state));
        state.contexts.note(recorder, context);
        if let Some(context) = self.told(&mut Shared { context, made: None }) {
            self.push(state, context.weight(), || Event::Identify { at, context });
        }
    }

    /// The host says that something happened. `data` is valid JSON and not `null`, `metric` is finite.
    pub fn custom(
        &self,
        recorder: &Recorder,
        context: &Context,
        key: &str,
        data: Option<Box<str>>,
        metric: Option<f64>,
    ) {
        if self.is_shut() {
            return;
        }
        let (at, state) = (unix_ms(), &mut *lock(&self.state));
        let mut shared = Shared { context, made: None };
        self.see(state, recorder, at, &mut shared);
        let weight = context.weight() + key.len() + data.as_deref().map_or(0, str::len);
        self.push(state, weight, || {
            Event::Custom(Box::new(Custom { at, context: shared.share(), key: Box::from(key), data, metric }))
        });
    }

    /// A step of a migration was taken. Its context need not be told beside it.
    pub fn migration(&self, migration: Migration) {
        if self.is_shut() {
            return;
        }
        let state = &mut *lock(&self.state);
        if is_drawn(&mut state.dice, migration.sampling_ratio) {
            self.push(state, migration.context.weight(), || Event::Migration(Box::new(migration)));
        }
    }

    /// Takes everything, and forgets the contexts that were told if it is time.
    pub fn take(&self, recorder: &Recorder) -> Batch {
        let (events, drained, dropped, deduplicated) = {
            let state = &mut *lock(&self.state);
            state.contexts.forget_if_due(recorder);
            state.bytes = 0;
            (
                std::mem::take(&mut state.events),
                state.sums.take(recorder.mark()),
                std::mem::take(&mut state.dropped),
                std::mem::take(&mut state.deduplicated),
            )
        };
        let (summary, counted) = drained.sum_up(unix_ms());
        Batch { events, summary, dropped, deduplicated: deduplicated + counted }
    }

    /// Takes nothing any more, and drops what waits.
    pub fn shut(&self) {
        self.is_shut.store(true, Relaxed);
        let state = &mut *lock(&self.state);
        (state.events, state.sums, state.bytes) = (Vec::new(), Sums::default(), 0);
    }

    fn is_shut(&self) -> bool {
        self.is_shut.load(Relaxed)
    }

    /// What a server's clock showed, in milliseconds since 1970.
    pub fn note_server_time(&self, at: i64) {
        self.server_time.fetch_max(at, Relaxed);
    }

    /// Number of events that wait.
    pub fn waiting(&self) -> usize {
        lock(&self.state).events.len()
    }

    /// Number of events that were ever dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Tells a context that has not been told.
    fn see(&self, state: &mut State, recorder: &Recorder, at: i64, shared: &mut Shared<'_>) {
        if !state.contexts.note(recorder, shared.context) {
            state.deduplicated += 1;
            return;
        }
        if let Some(context) = self.told(shared) {
            self.push(state, context.weight(), || Event::Index { at, context });
        }
    }

    /// The context as index and identify events tell it; `None` when they are not to.
    fn told(&self, shared: &mut Shared<'_>) -> Option<Arc<Context>> {
        if self.omit_anonymous && shared.context.singles().any(|single| single.anonymous()) {
            return shared.context.without_anonymous().map(Arc::new);
        }
        Some(shared.share())
    }

    fn full(
        &self,
        state: &mut State,
        flag: &Flag,
        at: i64,
        debug: bool,
        shared: &mut Shared<'_>,
        evaluated: &Evaluated<'_>,
    ) {
        if !is_drawn(&mut state.dice, flag.sampling_ratio) {
            return;
        }
        let default = evaluated.default.to_json();
        let weight = shared.context.weight() + default.as_deref().map_or(0, str::len);
        self.push(state, weight, || {
            Event::Evaluation(Box::new(Evaluation {
                at,
                debug,
                context: shared.share(),
                flag: Arc::clone(flag.tally()),
                variation: evaluated.variation,
                default,
                reason: evaluated.reason.map(Box::from),
                prerequisite_of: evaluated.prerequisite_of.map(Box::from),
            }))
        });
    }

    fn push(&self, state: &mut State, weight: usize, make: impl FnOnce() -> Event) {
        let bytes = state.bytes.saturating_add(weight);
        if state.events.len() >= self.capacity || bytes > MOST_BYTES {
            state.dropped += 1;
            self.dropped.fetch_add(1, Relaxed);
            return;
        }
        state.bytes = bytes;
        state.events.push(make());
    }
}

/// The context of one call, copied at most once.
struct Shared<'a> {
    context: &'a Context,
    made: Option<Arc<Context>>,
}

impl Shared<'_> {
    fn share(&mut self) -> Arc<Context> {
        Arc::clone(self.made.get_or_insert_with(|| Arc::new(self.context.clone())))
    }
}

/// One in `ratio` is drawn; none at zero and below.
fn is_drawn(dice: &mut Jitter, ratio: i64) -> bool {
    match u64::try_from(ratio) {
        Ok(1) => true,
        Ok(0) | Err(_) => false,
        Ok(ratio) => dice.bits().is_multiple_of(ratio),
    }
}

#[cfg(test)]
mod tests;
