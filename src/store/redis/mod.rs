//! Everything that speaks with Redis, and nothing else does: connections, reads, writes, and the watch that tells of changes.
//!
//! The types of the redis crate stay in here. May depend on `model`.

pub mod class;
mod connection;
pub mod connector;
mod describe;
pub mod endpoints;
pub mod layout;
mod login;
pub mod reader;
pub mod session;
pub mod sockets;
pub mod tls;
pub mod url;
pub mod watch;
mod wire;
pub mod writer;
