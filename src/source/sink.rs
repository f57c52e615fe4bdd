//! What a source hands over and whom it talks to. Plain data and one trait; no I/O.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::model::Kind;

/// One item of a changeset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<'a> {
    /// Which collection it belongs to.
    pub kind: Kind,
    /// Its identity there.
    pub key: Cow<'a, str>,
    /// What it is now.
    pub content: Content<'a>,
}

/// What an item is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content<'a> {
    /// The JSON of the item, exactly as received: unknown properties survive.
    Json(&'a str),
    /// The item was deleted.
    Deleted {
        /// The version of the deletion.
        version: i64,
    },
}

/// Items that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSet<'a> {
    /// True if the items replace everything; otherwise they are merged one by one, and the receiver compares versions.
    pub full: bool,
    /// The items; of several for one identity the last one counts.
    pub items: Vec<Item<'a>>,
    /// The environment that the items come from, where the server told it.
    pub environment_id: Option<Arc<str>>,
}

/// Why a changeset was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// An item does not parse; nothing of the changeset was taken.
    #[error("{0}")]
    Invalid(String),
}

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
    /// It was good, and the server said that what it delivered last is still all there is.
    Unchanged,
    /// It failed and will be tried again.
    Interrupted(Failure),
    /// It failed and will not be tried again.
    Off(Failure),
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For those who look for a fault.
    Debug,
    /// The regular course of things.
    Info,
    /// Something that mends itself.
    Warn,
    /// Something that somebody has to mend.
    Error,
}

/// What a source talks to. It is called on the source's thread, never after the source was stopped.
pub trait Sink: Send + Sync {
    /// Takes a changeset, wholly or not at all. After a full one was taken the source counts as valid.
    fn apply(&self, changes: ChangeSet<'_>) -> Result<(), ApplyError>;
    /// Takes notice of how the source fares.
    fn report(&self, report: Report);
    /// Says whether a line of this severity would be kept.
    fn wants(&self, severity: Severity) -> bool;
    /// Keeps a line.
    fn log(&self, severity: Severity, message: fmt::Arguments<'_>);
}
