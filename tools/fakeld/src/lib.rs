//! A small LaunchDarkly: streams and polls flags in both protocols, accepts events, records what it is asked, misbehaves when told to.
//!
//! For tests of data sources and event delivery, and for a demo without an account. Threads and hand-written HTTP/1.1:
//! a framework would not let a test send half a header or a chunk of one byte.

mod environment;
mod fdv2;
mod script;
mod server;
mod stream;
mod tls;
mod wire;

pub use environment::{Environment, Kind};
pub use script::{Action, Piece};
pub use server::Fake;
pub use tls::{CA_FILE, CA_PEM};
pub use wire::Request;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex whose holder may have panicked in a test.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
