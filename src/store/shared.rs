//! The part of a store that outlives a fork: data and condition, held in atomics and lock-free cells, plus the bounded
//! cache, whose lock the fork guard takes over the fork. May depend on `model`.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;

use super::connect::{ConnectError, Connector};
use super::held::Cache;
use super::layout::Keys;
use super::options::{Residency, StoreOptions};
use super::snapshot::Snapshot;
use super::status::Health;

/// Data and condition of one store.
pub struct Shared {
    /// As configured.
    pub options: StoreOptions,
    /// Names of the Redis keys.
    pub keys: Keys,
    /// Makes connections.
    pub connector: Connector,
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
}

impl Shared {
    /// Checks the options; opens no connection.
    pub fn new(options: StoreOptions) -> Result<Self, ConnectError> {
        let cache = (options.residency == Residency::Lazy).then(|| Cache::new(options.capacity));
        Ok(Self {
            keys: Keys::new(&options.prefix),
            connector: Connector::new(&options.redis)?,
            snapshot: ArcSwap::from_pointee(Snapshot::default()),
            cache,
            health: Health::default(),
            tick: AtomicU32::new(1),
            pushed: AtomicU64::new(1),
            verified: AtomicU64::new(0),
            options,
        })
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

    /// Redis may have changed.
    pub fn invalidate(&self) {
        self.pushed.fetch_add(1, Relaxed);
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
