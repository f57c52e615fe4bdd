//! How much a log line matters, for modules that do not know who keeps it. Depends on nothing.

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
