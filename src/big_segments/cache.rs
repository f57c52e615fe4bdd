//! The contexts that were asked for lately, with what the store said of them. An answer is remembered for a while from the
//! moment at which it was asked for. Without I/O; may depend on `model`.

use std::sync::Arc;
use std::time::Instant;

use foldhash::fast::RandomState;
use lru::LruCache;

use super::hash::ContextHash;
use super::options::DeskOptions;
use crate::model::Membership;

/// What was said of a context.
#[derive(Debug)]
struct Known {
    membership: Arc<Membership>,
    asked: Instant,
}

/// The contexts that are remembered; the one that was not asked for longest makes room.
#[derive(Debug)]
pub struct Cache {
    known: LruCache<ContextHash, Known, RandomState>,
    options: DeskOptions,
}

impl Cache {
    /// Empty.
    pub fn new(options: DeskOptions) -> Self {
        // Room is made when it is needed: most processes meet few contexts, many none.
        let mut known = LruCache::unbounded_with_hasher(RandomState::default());
        known.resize(options.cache_size);
        Self { known, options }
    }

    /// What is remembered of a context; nothing that has grown old.
    pub fn get(&mut self, hash: &ContextHash, now: Instant) -> Option<Arc<Membership>> {
        let known = self.known.get(hash)?;
        if now.saturating_duration_since(known.asked) < self.options.cache_time {
            return Some(known.membership.clone());
        }
        self.known.pop(hash);
        None
    }

    /// Remembers what was asked for then.
    pub fn put(&mut self, hash: ContextHash, membership: Arc<Membership>, asked: Instant) {
        self.known.put(hash, Known { membership, asked });
    }

    /// It may be another by now.
    pub fn forget(&mut self, hash: &ContextHash) {
        self.known.pop(hash);
    }

    /// Everything may be another by now.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// Number of contexts that are remembered.
    pub fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use super::super::hash::context_hash;
    use super::*;
    use crate::big_segments::Owner;

    fn cache(size: usize, time: Duration) -> Cache {
        let cache_size = NonZeroUsize::new(size).unwrap();
        let (stale_after, patience) = (Duration::from_secs(1), Duration::from_secs(1));
        Cache::new(DeskOptions { cache_size, cache_time: time, stale_after, patience, owner: Owner::another() })
    }

    #[test]
    fn the_context_that_was_not_asked_for_longest_makes_room() {
        let (mut cache, now) = (cache(2, Duration::from_secs(60)), Instant::now());
        let [a, b, c] = ["a", "b", "c"].map(context_hash);
        cache.put(a, Arc::default(), now);
        cache.put(b, Arc::default(), now);
        assert!(cache.get(&a, now).is_some());
        cache.put(c, Arc::default(), now);
        assert!(cache.get(&a, now).is_some() && cache.get(&b, now).is_none() && cache.get(&c, now).is_some());
    }

    #[test]
    fn an_answer_grows_old_from_the_moment_of_the_question_and_makes_room_then() {
        let (mut cache, asked) = (cache(2, Duration::from_millis(100)), Instant::now());
        let hash = context_hash("a");
        cache.put(hash, Arc::default(), asked);
        assert!(cache.get(&hash, asked + Duration::from_millis(99)).is_some());
        assert!(cache.get(&hash, asked + Duration::from_millis(100)).is_none());
        assert_eq!(cache.len(), 0);
    }
}
