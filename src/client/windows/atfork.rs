//! No fork guard: on Windows no process is the copy of another one. May depend on `store`.

use std::sync::Arc;
use std::time::Duration;

use crate::store::{Shared, Sockets};

/// How long the first call in a child waits for the first read.
pub const FIRST_READ: Duration = Duration::ZERO;

/// The generation of every process.
#[inline]
pub fn generation() -> u64 {
    0
}

/// There is nothing that can fail.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AtForkError(std::convert::Infallible);

/// There is nothing to guard against.
pub fn guard(_shared: &Arc<Shared>) -> Result<(), AtForkError> {
    Ok(())
}

/// Nothing was inherited.
pub fn close_inherited(sockets: &Sockets) {
    sockets.take_all();
}
