//! The part of a store that outlives a fork: data and condition, held in atomics and lock-free cells, plus the bounded
//! cache, whose lock the fork guard takes over the fork. May depend on `model`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst, fence};

use arc_swap::ArcSwap;

use crate::store::memory::cache::Cache;
use crate::store::memory::snapshot::Snapshot;
use crate::store::options::{Residency, StoreOptions};
use crate::store::redis::connector::{ConnectError, Connector};
use crate::store::redis::layout::Keys;
use crate::store::status::{Health, StoreState};

/// Data and condition of one store.
pub struct Shared {
    /// As configured.
    pub options: StoreOptions,
    /// Names of the Redis keys.
    pub keys: Keys,
    /// Makes connections; `None` when memory is all there is.
    pub connector: Option<Arc<Connector>>,
    /// Everything held under residency `all`; empty otherwise.
    pub snapshot: ArcSwap<Snapshot>,
    /// Items held under residency `lazy`.
    pub cache: Option<Cache>,
    /// Condition of the store.
    pub health: Health,
    /// Coarse clock for use marks: counts up a few times a second while the store thread runs.
    tick: AtomicU32,
    /// Counts everything that may have changed Redis: pushes, lost and armed links.
    pushed: AtomicU64,
    /// The generation for which everything held is confirmed.
    verified: AtomicU64,
    /// The data source has delivered a full data set.
    delivered: AtomicBool,
    /// The data source says that it is up to date.
    source_valid: AtomicBool,
    /// What is held came from the snapshot file, and neither Redis nor the data source has answered since.
    from_file: AtomicBool,
    /// Counts full data sets that were put in force.
    full_sets: AtomicU64,
    /// Counts complete answers of the data source.
    source_answers: AtomicU64,
    /// Items in force, or in the place of one, whose latest text from the data source does not parse.
    malformed: AtomicUsize,
    /// The data source delivered live flags where Redis is the truth.
    passed_flags: AtomicBool,
    /// An evaluation may answer from what is held.
    answers: AtomicBool,
    /// What is held is not known to be true.
    stale: AtomicBool,
    /// For so many the host listens to changes of flags.
    flag_changes: AtomicUsize,
    /// There is a big segment among what is held, or was.
    big_segments: AtomicBool,
}

impl Shared {
    /// Checks the options; opens no connection.
    pub fn new(options: StoreOptions) -> Result<Self, ConnectError> {
        let cache = (options.residency == Residency::Lazy).then(|| Cache::new(options.capacity));
        Ok(Self {
            keys: Keys::new(&options.prefix),
            connector: options.redis.as_ref().map(Connector::new).transpose()?.map(Arc::new),
            snapshot: ArcSwap::from_pointee(Snapshot::default()),
            cache,
            health: Health::default(),
            tick: AtomicU32::new(1),
            pushed: AtomicU64::new(1),
            verified: AtomicU64::new(0),
            delivered: AtomicBool::new(false),
            source_valid: AtomicBool::new(false),
            from_file: AtomicBool::new(false),
            full_sets: AtomicU64::new(0),
            source_answers: AtomicU64::new(0),
            malformed: AtomicUsize::new(0),
            passed_flags: AtomicBool::new(false),
            answers: AtomicBool::new(false),
            stale: AtomicBool::new(false),
            flag_changes: AtomicUsize::new(0),
            big_segments: AtomicBool::new(false),
            options,
        })
    }

    /// Whether an evaluation may answer from what is held.
    #[inline]
    pub fn answers(&self) -> bool {
        self.answers.load(Relaxed)
    }

    /// Whether what is held is not known to be true.
    #[inline]
    pub fn is_stale(&self) -> bool {
        self.stale.load(Relaxed)
    }

    /// Whether the data source has delivered a full data set.
    pub fn has_delivered(&self) -> bool {
        self.delivered.load(SeqCst)
    }

    /// The data source has delivered a full data set.
    pub fn set_delivered(&self) {
        self.from_file.store(false, SeqCst);
        self.delivered.store(true, SeqCst);
        self.settle();
    }

    /// How many full data sets were put in force.
    pub fn full_sets(&self) -> u64 {
        self.full_sets.load(Relaxed)
    }

    /// A full data set was put in force.
    pub fn note_full_set(&self) {
        self.full_sets.fetch_add(1, Relaxed);
    }

    /// How many complete answers the data source has given: full data sets, and the word that nothing has changed since the
    /// last one. An item that is held after the count has gone up is one that the source still has.
    pub fn answers_of_source(&self) -> u64 {
        self.source_answers.load(SeqCst)
    }

    /// The data source has given a complete answer, which is in force by now.
    pub fn note_answer(&self) {
        self.source_answers.fetch_add(1, SeqCst);
    }

    /// Number of items that do not parse, in Redis or as the data source delivered them.
    pub fn malformed(&self) -> u64 {
        self.health.malformed() + self.malformed.load(Relaxed) as u64
    }

    /// Of the items that the data source delivered, so many do not parse.
    pub fn set_malformed(&self, count: usize) {
        self.malformed.store(count, Relaxed);
    }

    /// Whether the data source has delivered live flags where Redis is the truth.
    pub fn has_passed_flags(&self) -> bool {
        self.passed_flags.load(Relaxed)
    }

    /// What the data source delivered has live flags, or has none.
    pub fn set_passed_flags(&self, any: bool) {
        self.passed_flags.store(any, Relaxed);
    }

    /// Whether the host listens to changes of flags.
    pub fn hears_flag_changes(&self) -> bool {
        self.flag_changes.load(Relaxed) > 0
    }

    /// One more, or one less, for whom the host listens to changes of flags. True for the first and the last one.
    pub fn hear_flag_changes(&self, hears: bool) -> bool {
        if hears { self.flag_changes.fetch_add(1, Relaxed) == 0 } else { self.flag_changes.fetch_sub(1, Relaxed) == 1 }
    }

    /// Whether there is a big segment among what is held under residency `all`, or was.
    #[inline]
    pub fn holds_big_segments(&self) -> bool {
        self.big_segments.load(Relaxed)
    }

    /// There is a big segment.
    pub fn set_holds_big_segments(&self) {
        self.big_segments.store(true, Relaxed);
    }

    /// Whether memory is the truth by now.
    pub fn memory_leads(&self) -> bool {
        self.options.memory_leads() && self.has_delivered()
    }

    /// Whether the data source says that it is up to date.
    pub fn is_source_valid(&self) -> bool {
        self.source_valid.load(SeqCst)
    }

    /// The data source is up to date, or is not any more.
    pub fn set_source_valid(&self, valid: bool) {
        self.source_valid.store(valid, SeqCst);
        self.settle();
    }

    /// Whether what is held came from the snapshot file.
    pub fn is_from_file(&self) -> bool {
        self.from_file.load(SeqCst)
    }

    /// What is held came from the snapshot file, or does not any more.
    pub fn set_from_file(&self, from_file: bool) {
        self.from_file.store(from_file, SeqCst);
        self.settle();
    }

    /// Redis has been read.
    pub fn set_ready(&self) {
        self.health.set_ready();
        self.settle();
    }

    /// Redis holds a full data set, or did.
    pub fn set_inited(&self) {
        self.health.set_inited();
        self.settle();
    }

    /// Sets the state of the store; returns the one before.
    pub fn set_state(&self, state: StoreState) -> StoreState {
        let before = self.health.set_state(state);
        self.settle();
        before
    }

    /// Where the environment is, for people: never with a password.
    pub fn place(&self) -> String {
        let address = self.connector.as_ref().map_or_else(
            || "memory".to_owned(),
            |connector| format!("{}, database {}", connector.address(), connector.database()),
        );
        format!("{address}, prefix {:?}", self.keys.prefix)
    }

    /// Brings the two answers that every evaluation asks for up to date with what they follow from. To be called after
    /// each change of the latter, by any thread.
    pub fn settle(&self) {
        loop {
            // Orders the change, which may be a relaxed store, before the verdict is stored.
            fence(SeqCst);
            let (answers, stale) = self.verdict();
            self.answers.store(answers, SeqCst);
            self.stale.store(stale, SeqCst);
            // Another thread may have changed something in between and stored its verdict first.
            fence(SeqCst);
            if self.verdict() == (answers, stale) {
                return;
            }
        }
    }

    /// Whether an evaluation may answer, and whether its data are not known to be true.
    fn verdict(&self) -> (bool, bool) {
        let (ready, valid) = (self.health.is_ready(), self.health.state() == StoreState::Valid);
        if !self.options.has_source() {
            let answers = ready || self.is_from_file();
            return (answers, answers && !valid);
        }
        let delivered = self.has_delivered();
        // Without a marker nobody has ever written a full data set: what is there are no last known flags.
        let answers = delivered || self.is_from_file() || ready && self.health.was_inited();
        let follows = delivered && self.is_source_valid() && (self.options.memory_leads() || valid);
        (answers, answers && !follows)
    }

    /// Present tick of the coarse clock.
    #[inline]
    pub fn tick(&self) -> u32 {
        self.tick.load(Relaxed)
    }

    /// Advances the coarse clock.
    pub fn advance_tick(&self) {
        self.tick.fetch_add(1, Relaxed);
    }

    /// Present generation: note it before a read is sent.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.pushed.load(Relaxed)
    }

    /// Redis may have changed. Returns the generation from here on.
    pub fn invalidate(&self) -> u64 {
        self.pushed.fetch_add(1, Relaxed) + 1
    }

    /// Whether everything held was known to be true at this generation.
    pub fn was_all_verified(&self, generation: u64) -> bool {
        self.verified.load(Relaxed) >= generation
    }

    /// Everything held was confirmed by reads sent at `generation`.
    pub fn set_verified(&self, generation: u64) {
        self.verified.fetch_max(generation, Relaxed);
    }

    /// Whether an item confirmed at `generation` is still known to be true.
    #[inline]
    pub fn is_verified(&self, generation: u64) -> bool {
        let pushed = self.generation();
        self.verified.load(Relaxed) >= pushed || generation >= pushed
    }

    /// Whether everything held is known to be true.
    #[inline]
    pub fn is_all_verified(&self) -> bool {
        self.verified.load(Relaxed) >= self.generation()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The options hold credentials.
        f.debug_struct("Shared").field("keys", &self.keys).field("health", &self.health).finish_non_exhaustive()
    }
}
