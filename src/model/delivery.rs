//! What a data source delivers and a store takes: items that belong together. Plain data; depends on `tombstone`.

use std::borrow::Cow;
use std::sync::Arc;

use super::Kind;

/// The largest version; beyond it whole numbers are not exact for everybody who reads them.
pub const LARGEST_VERSION: i64 = 1 << 53;

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Its text exactly as received: unknown properties survive. It may be no JSON, and no UTF-8.
    Json(&'a [u8]),
    /// It was deleted.
    Deleted {
        /// Version of the deletion.
        version: i64,
    },
}

/// One delivered item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// Flag or segment.
    pub kind: Kind,
    /// Its key.
    pub key: Cow<'a, str>,
    /// What became of it.
    pub content: Content<'a>,
}

/// How much a changeset says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Everything: the items replace whatever is held, whatever the versions.
    Full,
    /// Changes: the items are merged one by one, as the basis says.
    Partial,
    /// Nothing: what was delivered last is still all there is.
    None,
}

/// What changes are changes of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Of whatever is held: an item counts if its version is higher than the one held.
    Versions,
    /// Of what the same source said before: what it says later counts, whatever the versions.
    Sequence,
}

/// The name that a server gives to the state of all items, by which it is asked for what has changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The state; means something to the server alone, and is never empty.
    pub state: Arc<str>,
    /// Counts the states, for people.
    pub version: i64,
}

/// Items that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSet<'a> {
    /// How much they say.
    pub kind: ChangeKind,
    /// What they are changes of; without a meaning for a full set.
    pub basis: Basis,
    /// The state that they lead to, where the server has a name for it.
    pub selector: Option<Selector>,
    /// The items; of several for one identity the last one counts.
    pub items: Vec<Delivery<'a>>,
    /// The environment that they come from, where the server told it.
    pub environment_id: Option<Arc<str>>,
}

impl<'a> ChangeSet<'a> {
    /// Items of which the versions tell, of no state that has a name and of an unknown environment.
    pub fn new(kind: ChangeKind, items: Vec<Delivery<'a>>) -> Self {
        Self { kind, basis: Basis::Versions, selector: None, items, environment_id: None }
    }
}

impl Delivery<'_> {
    /// A flag that is there, whether it parses or not, and is not deleted.
    pub fn is_live_flag(&self) -> bool {
        match self.content {
            Content::Json(text) => self.kind == Kind::Flag && !super::stamp(text).is_some_and(|stamp| stamp.deleted),
            Content::Deleted { .. } => false,
        }
    }
}
