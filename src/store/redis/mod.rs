//! Everything that speaks with Redis, and nothing else does: connections, reads, writes, and the watch that tells of changes.
//!
//! The types of the redis crate stay in here. May depend on `model`.

mod abilities;
pub mod class;
pub mod connector;
pub mod layout;
mod packed;
pub mod reader;
mod server;
mod session;
mod values;
pub mod watch;
mod write_lock;
pub mod writer;
