//! How the desk behaves. Plain data, filled by the client's configuration.

use std::num::NonZeroUsize;
use std::time::Duration;

/// Options of a desk.
#[derive(Debug, Clone, Copy)]
pub struct DeskOptions {
    /// Most contexts that are remembered.
    pub cache_size: NonZeroUsize,
    /// How long one is.
    pub cache_time: Duration,
    /// How old the store may be before it counts as stale.
    pub stale_after: Duration,
    /// Longest wait for an answer that another thread asked for.
    pub patience: Duration,
}
