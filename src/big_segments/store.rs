//! What a big-segment store is. May depend on `model`.

use crate::model::Membership;

/// Why a store could not answer, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreFailure(pub String);

/// Knows which contexts are in which big segments. Asked on any thread, also by several at once; on threads that evaluate, which
/// wait for the answer.
pub trait BigSegmentStore: Send + Sync {
    /// What is known of the context whose key has this hash: Base64 of the SHA-256 of the key. A context of which nothing is
    /// known has an empty membership.
    fn membership(&self, context_hash: &str) -> Result<Membership, StoreFailure>;

    /// When the store was last known to be up to date, in ms since 1970; `None`: never.
    fn metadata(&self) -> Result<Option<i64>, StoreFailure>;
}
