//! Flags and segments as typed, compiled data.
//!
//! Everything that does not depend on who is asking is prepared once, when an item is parsed: expressions, versions,
//! dates, attribute references, sets of keys, sums of weights. Also defines the `Lookup` through which evaluation
//! finds other items. Plain data without I/O; depends on no other module of the crate.

mod clause;
mod clock;
mod default_value;
mod delivery;
mod error;
mod excerpt;
mod flag;
mod glance;
mod identity;
mod instant;
mod item_key;
mod jitter;
mod kind;
mod lookup;
mod membership;
mod parse;
mod reference;
mod regex_dialect;
mod regexes;
mod rounding;
mod scan;
mod segment;
mod semver;
mod serve;
mod severity;
mod strings;
mod surrogates;
mod sync;
mod tally;
mod text;
mod tombstone;
mod value;
mod variation;
mod wire;

pub use clause::{Clause, Clauses, Members, Test};
pub use clock::{saturating_ms, unix_ms};
pub use default_value::{DefaultValue, checked_json};
pub use delivery::{Basis, ChangeKind, ChangeSet, Content, Delivery, LARGEST_VERSION, Selector};
pub use error::ParseError;
pub use excerpt::excerpt;
pub use flag::{Flag, Prerequisite, Rule, Target};
pub use glance::glance;
pub use identity::new_id;
pub use instant::Instant;
pub use item_key::ItemKey;
pub use jitter::Jitter;
pub use kind::ContextKind;
pub use lookup::{Found, Lookup};
pub use membership::Membership;
pub use parse::{DEPTH_LIMIT, Parsed, exceeds_depth, parse_flag, parse_segment, read_flag, read_segment};
pub use reference::AttributeRef;
pub use regexes::{Interner, Pattern, Refusal, Remark};
pub use rounding::Rounding;
pub use scan::{RawMember, ScanError, failing_member, read_string, scan_elements, scan_member, scan_members};
pub use segment::{Members as SegmentMembers, Segment, SegmentRule, Unbounded};
pub use semver::{OwnedSemVer, SemVer};
pub use serve::{Rollout, Serve, WeightedVariation};
pub use severity::Severity;
pub use strings::{StringList, StringSet};
pub use surrogates::repair;
pub use sync::lock;
pub use tally::{Tally, TallyCell};
pub use text::{Piece, Text};
pub use tombstone::{Stamp, stamp, tombstone_text};
pub use value::{Member, Value, keep_last, write_array, write_compact, write_number, write_object, write_string};
pub use variation::{Variation, VariationValue};

/// The two collections that items belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A flag.
    Flag,
    /// A segment.
    Segment,
}

/// Stands for every index that no variation can have.
pub const INVALID_VARIATION: u32 = u32::MAX;

/// The index of a variation as it is kept; what no flag can have becomes [`INVALID_VARIATION`].
fn variation_index(index: i64) -> u32 {
    u32::try_from(index).unwrap_or(INVALID_VARIATION)
}

#[cfg(any(test, fuzzing))]
pub mod choices;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
pub mod mutation;
#[cfg(test)]
mod tests;
#[cfg(any(test, fuzzing))]
pub mod worlds;
