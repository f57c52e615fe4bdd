//! Big segments: what a store of their own knows about a context, asked for by evaluations and remembered for a while.
//!
//! A store is asked by the hash of a context's key and answers with the big segments that include or exclude it; it also says
//! when it was last brought up to date. What it is, Redis or the host's own, is unknown here. The desk asks it: once for all
//! threads that want the same at the same time, never with a lock held, and never from within one of its own answers. A store
//! that fails is a status and never an error of an evaluation. May depend on `model`.

mod cache;
mod desk;
mod flight;
mod hash;
mod nested;
mod options;
mod standing;
mod store;
mod telling;

pub use desk::{Answer, Desk, Host, Wait};
pub use hash::{ContextHash, context_hash};
pub use options::{DeskOptions, Owner};
pub use standing::Status;
pub use store::{BigSegmentStore, StoreFailure};
