//! What waits for the next flush: events in order, the tallies of the flags that were evaluated, the contexts that were told.
//! Bounded whatever happens: what does not fit is dropped and counted.
//!
//! One lock, held for moments; it belongs to one process, so that nothing of the parent's is sent by a forked child.

mod call;
mod contexts;
mod held;
mod noted;
mod room;
mod sums;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use call::{Call, Shared};
use contexts::Contexts;
use held::Held;
use room::Room;
use sums::Sums;

use super::event::{Custom, Evaluation, Event, Migration};
use super::ledger::Ledger;
use super::options::EventsOptions;
use super::recorder::{Evaluated, Recorder};
use super::summary::Summary;
use crate::context::Context;
use crate::model::{Flag, Jitter, lock, unix_ms};

/// Takes what happens, and gives it away at each flush.
#[derive(Debug)]
pub struct Inbox {
    capacity: usize,
    omit_anonymous: bool,
    /// Nothing is taken any more.
    is_shut: AtomicBool,
    /// The time that a server told last; debugging ends by it or by our own clock, whichever is later.
    server_time: AtomicI64,
    /// All that was ever dropped.
    dropped: AtomicU64,
    /// Evaluations are counted for metrics, and there are no events.
    only_counts: bool,
    /// What was drained, for metrics. Locked before the state, and until what was taken is in it: so that counts never go back.
    ledger: Mutex<Ledger>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    events: Vec<Event>,
    room: Room,
    held: Held,
    sums: Sums,
    contexts: Contexts,
    dropped: u64,
    /// Evaluations that were dropped, since the inbox is there.
    uncounted: u64,
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
    /// Events, and evaluations to be counted, that did not fit, since the flush before.
    pub dropped: u64,
    /// Evaluations and custom events that needed no index event, as their context had been told or is not to be, since the
    /// flush before.
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
        let contexts = Contexts::new(options.context_keys_capacity, options.context_keys_flush);
        Self { capacity: options.capacity, omit_anonymous: options.omit_anonymous, ..Self::with(contexts) }
    }

    /// Empty; for whoever has no events, and counts evaluations nevertheless.
    pub fn counting() -> Self {
        Self { only_counts: true, ..Self::with(Contexts::new(NonZeroUsize::MIN, Duration::MAX)) }
    }

    fn with(contexts: Contexts) -> Self {
        Self {
            capacity: 0,
            omit_anonymous: false,
            is_shut: AtomicBool::new(false),
            server_time: AtomicI64::new(0),
            dropped: AtomicU64::new(0),
            only_counts: false,
            ledger: Mutex::default(),
            state: Mutex::new(State {
                events: Vec::new(),
                room: Room::default(),
                held: Held::default(),
                sums: Sums::default(),
                contexts,
                dropped: 0,
                uncounted: 0,
                deduplicated: 0,
                dice: Jitter::new(),
            }),
        }
    }

    /// An evaluation that [`Recorder::count`] did not count.
    #[cold]
    pub fn evaluation(&self, recorder: &Recorder, context: &Context, evaluated: &Evaluated<'_>) {
        let call = &mut Call::new(context, evaluated);
        let Some(mut state) = self.lock() else { return };
        let (at, state) = (unix_ms(), &mut *state);
        if recorder.count_for(evaluated, context) {
            state.sums.counted_here += 1;
        } else {
            let dropped = state.sums.add(recorder.mark(), at, call);
            state.uncounted += dropped;
            self.count_dropped(state, dropped);
        }
        if self.only_counts {
            return;
        }
        self.see(state, recorder, at, &mut call.shared);
        let Some(flag) = evaluated.flag else { return };
        if flag.track_events || evaluated.in_experiment {
            self.full(state, flag, at, false, call);
        }
        if flag.debug_events_until.is_some_and(|until| until > at.max(self.server_time.load(Relaxed)) as f64) {
            self.full(state, flag, at, true, call);
        }
    }

    /// The host says who somebody is; legacy users without a key are nobody.
    pub fn identify(&self, recorder: &Recorder, context: &Context) {
        if context.singles().any(|single| single.key().is_empty()) {
            return;
        }
        let Some(mut state) = self.lock() else { return };
        let (at, state) = (unix_ms(), &mut *state);
        state.contexts.mark(recorder, at, context);
        match self.told(context) {
            Told::Whole => {
                state.contexts.note(context);
                self.push(state, context.weight(), || Event::Identify { at, context: Arc::new(context.clone()) });
            }
            Told::Part(part) => {
                state.contexts.note(&part);
                self.push(state, part.weight(), || Event::Identify { at, context: part });
            }
            Told::Nobody => {}
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
        let Some(mut state) = self.lock() else { return };
        let (at, state) = (unix_ms(), &mut *state);
        let mut shared = Shared::new(context);
        self.see(state, recorder, at, &mut shared);
        let weight = shared.weight() + key.len() + data.as_deref().map_or(0, str::len);
        self.push(state, weight, || {
            Event::Custom(Box::new(Custom { at, context: shared.share(), key: Box::from(key), data, metric }))
        });
    }

    /// A step of a migration was taken. Its context need not be told beside it.
    pub fn migration(&self, migration: Migration) {
        let Some(mut state) = self.lock() else { return };
        let state = &mut *state;
        if state.dice.draws(migration.sampling_ratio) {
            let texts =
                [Some(&migration.key), Some(&migration.value), Some(&migration.reason), migration.default.as_ref()];
            let weight = migration.context.weight() + texts.iter().flatten().map(|text| text.len()).sum::<usize>();
            self.push(state, weight, || Event::Migration(Box::new(migration)));
        }
    }

    /// Takes everything, and forgets the contexts that were told if it is time.
    pub fn take(&self, recorder: &Recorder) -> Batch {
        self.take_over(recorder, &mut lock(&self.ledger))
    }

    fn take_over(&self, recorder: &Recorder, ledger: &mut Ledger) -> Batch {
        let at = unix_ms();
        // Flags are freed when nobody waits.
        let (events, drained, dropped, deduplicated, _held) = {
            let state = &mut *lock(&self.state);
            state.contexts.forget_if_due(recorder, at);
            state.room = Room::default();
            (
                std::mem::take(&mut state.events),
                state.sums.take(recorder.mark()),
                std::mem::take(&mut state.dropped),
                std::mem::take(&mut state.deduplicated),
                std::mem::take(&mut state.held),
            )
        };
        let (summary, counted) = drained.sum_up(unix_ms());
        ledger.add_all(&summary);
        Batch { events, summary, dropped, deduplicated: deduplicated + counted }
    }

    /// Takes everything for the last time: from here on nothing waits any more.
    pub fn shut(&self, recorder: &Recorder) -> Batch {
        self.is_shut.store(true, Relaxed);
        let batch = self.take(recorder);
        let sums = std::mem::take(&mut lock(&self.state).sums);
        // Freed when nobody waits.
        drop(sums);
        batch
    }

    /// How often each variation of each flag was served up to this moment.
    pub fn counts(&self, recorder: &Recorder) -> Ledger {
        let mut ledger = lock(&self.ledger);
        if self.only_counts {
            // Nobody else makes room for what is counted next.
            self.take_over(recorder, &mut ledger);
        }
        let mut counts = ledger.clone();
        let (undrained, uncounted) = {
            let state = lock(&self.state);
            (state.sums.undrained(), state.uncounted)
        };
        // Looked through when nobody waits. Meanwhile nothing of it is drained: the ledger is locked, and tallies that are held
        // here are not gone.
        undrained.add_to(&mut counts);
        counts.add_others(uncounted);
        counts
    }

    /// What a server's clock showed, in milliseconds since 1970.
    pub fn note_server_time(&self, at: i64) {
        self.server_time.store(at, Relaxed);
    }

    /// Number of events that wait.
    pub fn waiting(&self) -> usize {
        lock(&self.state).events.len()
    }

    /// Number of events, and of evaluations to be counted, that were ever dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// The state, unless nothing is taken any more.
    fn lock(&self) -> Option<MutexGuard<'_, State>> {
        let is_open = || !self.is_shut.load(Relaxed);
        // Looked at again: it may have been shut meanwhile.
        is_open().then(|| lock(&self.state)).filter(|_| is_open())
    }

    /// Tells a context that has not been told.
    fn see(&self, state: &mut State, recorder: &Recorder, at: i64, shared: &mut Shared<'_>) {
        let context = shared.context();
        if state.contexts.mark(recorder, at, context) {
            match self.told(context) {
                Told::Whole if state.contexts.note(context) => {
                    self.push(state, shared.weight(), || Event::Index { at, context: shared.share() });
                    return;
                }
                Told::Part(part) if state.contexts.note(&part) => {
                    self.push(state, part.weight(), || Event::Index { at, context: part });
                    return;
                }
                _ => {}
            }
        }
        state.deduplicated += 1;
    }

    /// Whom index and identify events tell of.
    fn told(&self, context: &Context) -> Told {
        if self.omit_anonymous && context.singles().any(|single| single.anonymous()) {
            return context.without_anonymous().map_or(Told::Nobody, |part| Told::Part(Arc::new(part)));
        }
        Told::Whole
    }

    fn full(&self, state: &mut State, flag: &Flag, at: i64, debug: bool, call: &mut Call<'_>) {
        if !state.dice.draws(flag.sampling_ratio) {
            return;
        }
        let Call { evaluated, default, shared, .. } = call;
        // The value is the flag's, but is written with every event.
        let value = match evaluated.variation {
            Some(variation) => flag.tally().value(variation),
            None => default.json(),
        };
        let value = value.map_or(0, str::len);
        let texts = [default.json(), evaluated.reason, evaluated.prerequisite_of];
        let held = state.held.weight(flag.tally());
        let texts = texts.iter().flatten().map(|text| text.len()).sum::<usize>();
        let weight = shared.weight() + value + texts + held.unwrap_or_default();
        let is_pushed = self.push(state, weight, || {
            Event::Evaluation(Box::new(Evaluation {
                at,
                debug,
                context: shared.share(),
                flag: Arc::clone(flag.tally()),
                variation: evaluated.variation,
                default: default.json().map(Box::from),
                reason: evaluated.reason.map(Box::from),
                prerequisite_of: evaluated.prerequisite_of.map(Box::from),
            }))
        });
        if is_pushed && held.is_some() {
            state.held.note(flag.tally());
        }
    }

    /// False when it is dropped.
    fn push(&self, state: &mut State, weight: usize, make: impl FnOnce() -> Event) -> bool {
        let is_room = state.events.len() < self.capacity && state.room.take_entry(weight);
        if is_room {
            state.events.push(make());
        } else {
            self.count_dropped(state, 1);
        }
        is_room
    }

    fn count_dropped(&self, state: &mut State, number: u64) {
        state.dropped += number;
        self.dropped.fetch_add(number, Relaxed);
    }
}

/// Whom an index or identify event tells of.
enum Told {
    /// The context as it is.
    Whole,
    /// Its members that are not anonymous.
    Part(Arc<Context>),
    /// There is none.
    Nobody,
}

#[cfg(test)]
mod tests;
