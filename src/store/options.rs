//! How the store behaves: residency, freshness and their numbers. Plain data, filled by the client's configuration.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::store::redis::connector::RedisOptions;

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

impl Residency {
    /// As in the option `cache.residency`.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Lazy => "lazy",
            Self::Off => "off",
        }
    }
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

impl Freshness {
    /// As in the option `cache.freshness`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Ttl => "ttl",
            Self::Forever => "forever",
        }
    }
}

/// What a wiped Redis does to held items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnWipe {
    /// They stay in force.
    Keep,
    /// Redis counts as it is.
    Clear,
}

/// Who fills the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    /// Somebody else fills Redis (daemon mode): it is only read.
    Redis,
    /// A data source of this process delivers the items.
    Source {
        /// What it delivers is written to Redis.
        writes: bool,
        /// An item that it has changed has a higher version. Somebody who edits a file forgets that.
        raises_versions: bool,
        /// It asks again and again.
        polls: bool,
    },
}

/// Options of one store.
#[derive(Clone)]
pub struct StoreOptions {
    /// How to reach Redis; `None` when memory is all there is.
    pub redis: Option<RedisOptions>,
    /// Who fills the store.
    pub upstream: Upstream,
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
    /// Redis counts as configured to publish notifications of keys and fields where it does not tell.
    pub assumes_notifications: bool,
}

impl StoreOptions {
    /// A data source of this process delivers the items.
    pub fn has_source(&self) -> bool {
        self.upstream != Upstream::Redis
    }

    /// What a data source delivers is written to Redis.
    pub fn writes(&self) -> bool {
        self.redis.is_some() && matches!(self.upstream, Upstream::Source { writes: true, .. })
    }

    /// Items of equal versions are the same, whatever their texts.
    pub fn versions_tell(&self) -> bool {
        !matches!(self.upstream, Upstream::Source { raises_versions: false, .. })
    }

    /// Memory is the truth once a data source has delivered; otherwise Redis is.
    pub fn memory_leads(&self) -> bool {
        self.has_source() && self.residency == Residency::All
    }

    /// The data source asks again and again, so that each answer confirms what is held.
    pub fn source_polls(&self) -> bool {
        matches!(self.upstream, Upstream::Source { polls: true, .. })
    }

    /// Longest time to establish a connection to Redis.
    pub fn connect_timeout(&self) -> Duration {
        self.redis.as_ref().map_or(Duration::ZERO, |redis| redis.connect_timeout)
    }

    /// Longest silence while a reply of Redis is awaited.
    pub fn command_timeout(&self) -> Duration {
        self.redis.as_ref().map_or(Duration::ZERO, |redis| redis.command_timeout)
    }
}
