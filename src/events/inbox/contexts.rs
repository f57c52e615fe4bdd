//! Which contexts have been told lately.

use std::hash::BuildHasher;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use foldhash::quality::RandomState;
use lru::LruCache;

use crate::context::Context;
use crate::events::recorder::Recorder;

/// The contexts that were told, the longest unseen first out. A context handle remembers that it was looked up, and is not
/// looked up again before all are forgotten.
#[derive(Debug)]
pub(super) struct Contexts {
    /// By the hash of what identifies a context: two are taken for one once in 10^16 contexts.
    told: LruCache<u64, ()>,
    capacity: NonZeroUsize,
    hasher: RandomState,
    kept_for: Duration,
    since: Instant,
}

impl Contexts {
    pub(super) fn new(capacity: NonZeroUsize, kept_for: Duration) -> Self {
        Self { told: LruCache::unbounded(), capacity, hasher: RandomState::default(), kept_for, since: Instant::now() }
    }

    /// Marks a context handle; true when it was not marked since all were forgotten.
    pub(super) fn mark(&mut self, recorder: &Recorder, context: &Context) -> bool {
        self.forget_if_due(recorder);
        let window = recorder.window();
        let is_new = !context.was_seen(window);
        if is_new {
            context.mark_seen(window);
        }
        is_new
    }

    /// Notes a context as told; true when it was not.
    pub(super) fn note(&mut self, context: &Context) -> bool {
        let is_new = self.told.put(self.hasher.hash_one(context.canonical_key()), ()).is_none();
        if self.told.len() > self.capacity.get() {
            self.told.pop_lru();
        }
        is_new
    }

    pub(super) fn forget_if_due(&mut self, recorder: &Recorder) {
        if self.since.elapsed() >= self.kept_for {
            self.told.clear();
            self.since = Instant::now();
            recorder.forget_contexts();
        }
    }
}
