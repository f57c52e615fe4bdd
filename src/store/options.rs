//! How the store behaves: residency, freshness and their numbers. Plain data, filled by the client's configuration.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::connect::RedisOptions;

/// Which items are held in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residency {
    /// The whole data set.
    All,
    /// A bounded number of items, read through.
    Lazy,
    /// None: every lookup reads Redis.
    Off,
}

/// How held items stay true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Redis tells when something changed; falls back to `Ttl` where it cannot.
    Push,
    /// Items are read again when older than the time to live.
    Ttl,
    /// Items are never read again.
    Forever,
}

/// What a wiped Redis does to held items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnWipe {
    /// They stay in force.
    Keep,
    /// Redis counts as it is.
    Clear,
}

/// Options of one store.
#[derive(Clone)]
pub struct StoreOptions {
    /// How to reach Redis.
    pub redis: RedisOptions,
    /// Key prefix; empty for the default.
    pub prefix: String,
    /// Which items are held.
    pub residency: Residency,
    /// How they stay true.
    pub freshness: Freshness,
    /// Time to live of an item under [`Freshness::Ttl`].
    pub ttl: Duration,
    /// Most items held under [`Residency::Lazy`].
    pub capacity: NonZeroUsize,
    /// What a wiped Redis does to held items.
    pub on_wipe: OnWipe,
    /// Interval of the safety poll, which every freshness but `Forever` makes.
    pub safety_interval: Duration,
    /// Interval of pings on an idle connection.
    pub ping: Duration,
}
