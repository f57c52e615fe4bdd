//! Which contexts have been told lately.

use std::hash::BuildHasher;
use std::num::NonZeroUsize;
use std::time::Duration;

use foldhash::quality::RandomState;
use lru::LruCache;

use crate::context::Context;
use crate::events::recorder::Recorder;
use crate::model::saturating_ms;

/// The contexts that were told, the longest unseen first out. A context handle remembers that it was looked up, and is not
/// looked up again before all are forgotten.
#[derive(Debug)]
pub(super) struct Contexts {
    /// By the hash of what identifies a context: two are taken for one once in 10^16 contexts.
    told: LruCache<u64, ()>,
    capacity: NonZeroUsize,
    hasher: RandomState,
    kept_for_ms: u64,
    /// When all were forgotten; 0 before the first one was told.
    since: i64,
}

impl Contexts {
    pub(super) fn new(capacity: NonZeroUsize, kept_for: Duration) -> Self {
        let kept_for_ms = saturating_ms(kept_for);
        Self { told: LruCache::unbounded(), capacity, hasher: RandomState::default(), kept_for_ms, since: 0 }
    }

    /// Marks a context handle; true when it was not marked since all were forgotten.
    pub(super) fn mark(&mut self, recorder: &Recorder, at: i64, context: &Context) -> bool {
        self.forget_if_due(recorder, at);
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
        if self.told.len() == self.capacity.get() {
            // From here on the longest unseen one makes room. Memory for all of them is not taken before.
            self.told.resize(self.capacity);
        }
        is_new
    }

    /// A clock that was set back counts as time gone by: contexts are told once more rather than never again.
    pub(super) fn forget_if_due(&mut self, recorder: &Recorder, at: i64) {
        if self.since == 0 {
            self.since = at;
        }
        if at.abs_diff(self.since) >= self.kept_for_ms {
            self.told = LruCache::unbounded();
            self.since = at;
            recorder.forget_contexts();
        }
    }
}
