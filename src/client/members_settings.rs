//! Options of big segments, defaults filled in. May depend on `big_segments` and `store`.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::config::{Config, ConfigError};
use super::members::{MembersSettings, MembersStore};
use crate::big_segments::{DeskOptions, Owner};
use crate::store::{Freshness, Level, MembersOptions, RedisOptions, StoreOptions};

/// Longest wait for an answer where there is no Redis that says otherwise.
const PATIENCE: Duration = Duration::from_secs(2);

impl Config {
    /// Who knows the members of big segments, and how they are asked for.
    pub(super) fn members(
        &self,
        store: &StoreOptions,
        remarks: &mut Vec<(Level, String)>,
    ) -> Result<Option<MembersSettings>, ConfigError> {
        if let Some(host) = self.big_segment_store() {
            let patience = self.time("redis.command_timeout_ms");
            let patience = patience.or(store.redis.as_ref().map(|redis| redis.command_timeout)).unwrap_or(PATIENCE);
            return Ok(Some(MembersSettings { desk: self.desk(patience), store: MembersStore::Host(host) }));
        }
        let Some((redis, is_of_flags)) = self.members_redis(store, remarks)? else { return Ok(None) };
        let desk = self.desk(redis.command_timeout);
        let options = MembersOptions {
            redis,
            is_of_flags,
            prefix: self.text("big_segments.prefix").unwrap_or_else(|| store.prefix.clone()),
            poll_interval: self.milliseconds("big_segments.poll_interval_ms", 5_000),
            stale_after: desk.stale_after,
            listens: store.freshness == Freshness::Push,
        };
        Ok(Some(MembersSettings { desk, store: MembersStore::Redis(Box::new(options)) }))
    }

    /// The Redis with the members: that of the flags, or one of their own, which is told no password of the other. Beside it,
    /// whether it is the former.
    fn members_redis(
        &self,
        store: &StoreOptions,
        remarks: &mut Vec<(Level, String)>,
    ) -> Result<Option<(RedisOptions, bool)>, ConfigError> {
        let of_flags = self.text("redis.url");
        let url = self.text("big_segments.url").filter(|url| of_flags.as_ref() != Some(url));
        let Some(url) = url else {
            // Where flags come from files or from a test, the store itself has no use for the Redis that is named.
            return match (&store.redis, of_flags) {
                (None, Some(url)) => Ok(Some((self.redis(&url, remarks)?, true))),
                (redis, _) => Ok(redis.clone().map(|redis| (redis, true))),
            };
        };
        let mut redis = RedisOptions::at(&url)
            .map_err(|error| ConfigError::Invalid { option: "big_segments.url", reason: error.to_string() })?;
        redis.connect_timeout = self.time("redis.connect_timeout_ms").unwrap_or(redis.connect_timeout);
        redis.command_timeout = self.time("redis.command_timeout_ms").unwrap_or(redis.command_timeout);
        Ok(Some((redis, false)))
    }

    fn desk(&self, patience: Duration) -> DeskOptions {
        DeskOptions {
            cache_size: NonZeroUsize::new(self.number("big_segments.cache_size", 1_000)).unwrap_or(NonZeroUsize::MIN),
            cache_time: self.milliseconds("big_segments.cache_ms", 5_000),
            stale_after: self.milliseconds("big_segments.stale_after_ms", 120_000),
            patience,
            owner: Owner::another(),
        }
    }
}
