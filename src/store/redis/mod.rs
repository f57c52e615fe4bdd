//! Everything that speaks with Redis, and nothing else does: connections, reads, writes, and the watch that tells of changes.
//!
//! The types of the redis crate stay in here. May depend on `model`.

mod abilities;
mod asking;
mod batch;
pub mod class;
pub mod cluster;
mod connect_options;
pub mod connection;
pub mod connector;
pub mod credentials;
pub mod describe;
mod dialer;
pub mod endpoints;
pub mod examination;
mod framing;
mod full_write;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod inquiry;
mod large;
pub mod layout;
mod login;
pub mod members;
pub mod origin;
mod owners;
mod packed;
pub mod reader;
pub mod role;
pub mod route;
pub mod scan;
pub mod sentinel;
mod server;
mod session;
pub mod sockets;
pub mod tls;
mod upsert;
pub mod url;
mod url_options;
mod url_parts;
mod values;
pub mod watch;
pub mod whereabouts;
pub mod wire;
mod write_lock;
pub mod writer;
