//! What is told of Redis by a watch or by sentinels, as plain data. Depends on `model`.

use std::sync::Arc;

use crate::model::Kind;

/// Something that may have changed what Redis holds for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// Everything may have changed.
    All,
    /// Items of this kind.
    Kind(Kind),
    /// These items.
    Fields(Kind, Vec<Arc<str>>),
    /// Connections lead to another server now.
    Moved,
    /// What connections lead to is not what it must be any more, and nothing else is found.
    Astray,
    /// The watch is gone: whatever happens from here on is not told.
    Lost,
}
