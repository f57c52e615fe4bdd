//! Whose word counts: what a read means for what is held. Pure functions over replies and snapshots.
//!
//! May depend on `model` and `memory`.

pub mod comparison;
pub mod loss;
pub mod suspects;
pub mod wipe;
