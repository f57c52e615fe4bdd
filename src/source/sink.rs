//! How a source fares and whom it talks to. Plain data and one trait; no I/O.

use std::fmt;

use crate::model::ChangeSet;
pub use crate::model::Severity;

/// What kind of failure a source met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum FailureKind {
    /// None of the others.
    Unknown = 0,
    /// No connection, or it was lost.
    NetworkError = 1,
    /// The server answered with an error status.
    ErrorResponse = 2,
    /// What was received makes no sense.
    InvalidData = 3,
    /// The data could not be stored. No source reports it by itself; test data may play it.
    StoreError = 4,
}

/// A failure that a source met. The message never holds a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// The HTTP status of an [`FailureKind::ErrorResponse`], otherwise 0.
    pub status: u16,
    /// What happened, for people.
    pub message: String,
}

/// How a source fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The last operation was good.
    Valid,
    /// It failed and will be tried again.
    Interrupted(Failure),
    /// It failed and will not be tried again.
    Off(Failure),
}

/// What a source talks to. It is called on the source's thread, never after the source was stopped.
pub trait Sink: Send + Sync {
    /// Takes a changeset. After a full one, and after one that says that nothing has changed, the source counts as valid.
    fn apply(&self, changes: ChangeSet<'_>);
    /// Whether a full changeset without flags would take some away, as far as is known.
    fn holds_flags(&self) -> bool;
    /// A stream is about to be opened.
    fn opens_stream(&self) {}
    /// Takes notice of how the source fares.
    fn report(&self, report: Report);
    /// Says whether a line of this severity would be kept.
    fn wants(&self, severity: Severity) -> bool;
    /// Keeps a line.
    fn log(&self, severity: Severity, message: fmt::Arguments<'_>);
}
