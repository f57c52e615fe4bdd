//! Options of big segments, defaults filled in. May depend on `big_segments` and `store`.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::config::{Config, ConfigError};
use super::members::{MembersSettings, MembersStore};
use crate::big_segments::DeskOptions;
use crate::store::StoreOptions;

/// Longest wait for an answer where there is no Redis that says otherwise.
const PATIENCE: Duration = Duration::from_secs(2);

impl Config {
    /// Who knows the members of big segments, and how they are asked for.
    pub(super) fn members(&self, store: &StoreOptions) -> Result<Option<MembersSettings>, ConfigError> {
        let Some(host) = self.big_segment_store() else { return Ok(None) };
        let patience = self.time("redis.command_timeout_ms");
        let patience = patience.or(store.redis.as_ref().map(|redis| redis.command_timeout)).unwrap_or(PATIENCE);
        Ok(Some(MembersSettings { desk: self.desk(patience), store: MembersStore::Host(host) }))
    }

    fn desk(&self, patience: Duration) -> DeskOptions {
        DeskOptions {
            cache_size: NonZeroUsize::new(self.number("big_segments.cache_size", 1_000)).unwrap_or(NonZeroUsize::MIN),
            cache_time: self.milliseconds("big_segments.cache_ms", 5_000),
            stale_after: self.milliseconds("big_segments.stale_after_ms", 120_000),
            patience,
        }
    }
}
