//! What an evaluation reads: items, the whole set, the bounded cache, and how the next set is made and put in force.
//!
//! No I/O and no clock, so that each rule has a test of its own. May depend on `model`.

pub mod cache;
pub mod dependents;
pub mod draft;
pub mod entry;
pub mod judge;
pub mod publication;
pub mod snapshot;
mod table;
