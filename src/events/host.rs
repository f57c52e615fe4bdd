//! What delivery needs of whoever runs it, so that `events` need not know the client. Depends on `model` for severities.

use std::fmt;
use std::io;

use crate::model::Severity;

/// Keeps log lines and starts threads.
pub trait Host {
    /// Keeps a line.
    fn log(&self, severity: Severity, message: fmt::Arguments<'_>);

    /// Starts a thread that runs [`send`](super::send), and once more after a panic.
    fn start_sender(&self) -> io::Result<()>;
}
