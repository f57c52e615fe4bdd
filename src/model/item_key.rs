//! What tells one item from all others. Depends on `model` alone.

use std::sync::Arc;

use super::Kind;

/// Identity of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ItemKey {
    /// Flag or segment.
    pub kind: Kind,
    /// Its key.
    pub key: Arc<str>,
}
