//! Everything that speaks with Redis, and nothing else does: connections, reads, writes, and the watch that tells of changes.
//!
//! The types of the redis crate stay in here. May depend on `model`.

pub mod class;
pub mod connector;
pub mod layout;
pub mod reader;
pub mod session;
pub mod watch;
pub mod writer;
