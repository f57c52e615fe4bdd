//! Data sources: stream, poll, file and test data. Each turns the outside into changesets and says how it fares.
//!
//! A source knows nothing of where items are kept: it hands them to a [`Sink`]. It runs on a thread that the client gives
//! it, until its [`Control`] stops it or it is off for good.
//!
//! | Module | Is |
//! |---|---|
//! | `sink`, `control`, `options` | what a source talks to, what ends it, how it is configured |
//! | `outlet` | the sink as a source sees it: silent once stopped |
//! | `stream`, `poll`, `file`, `test_data` | the sources |
//! | `fdv2`, `composite` | the sources of the present protocol, and whose turn it is among several |
//! | `channel`, `request`, `failure`, `retry` | what streams and polling share: a connection, a request, judging its failure, when to try again |
//! | `sse`, `payload` | reading an event stream, reading the server's JSON; no I/O |
//!
//! May depend on `http`, `files` and `model`.

mod channel;
mod composite;
mod control;
mod failure;
mod fdv2;
mod file;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod options;
mod outlet;
mod payload;
mod poll;
mod request;
mod retry;
mod sink;
mod sse;
mod stream;
mod test_data;

use retry::Pace;

pub use control::Control;
pub use options::{
    Duplicates, Fdv2Options, FileOptions, PollOptions, RetryMode, SourceOptions, StreamOptions, Synchronizer,
};
pub use sink::{Failure, FailureKind, Report, Severity, Sink};
pub use test_data::{TestData, TestDataError};

/// Runs a source until it is stopped or off for good. Panics are the caller's to catch; may be called again, also in a
/// forked child with a control of its own.
pub fn run(options: &SourceOptions, sink: &dyn Sink, control: &Control) {
    let outlet = outlet::Outlet::new(sink, control);
    match options {
        SourceOptions::Stream(options) => stream::run(options, Pace::REGULAR, &outlet),
        SourceOptions::Poll(options) => poll::run(options, Pace::REGULAR, &outlet),
        SourceOptions::Fdv2(options) => fdv2::run(options, Pace::REGULAR, &outlet),
        SourceOptions::File(options) => file::run(options, file::GLANCE, &outlet),
        SourceOptions::TestData(data) => data.run(&outlet),
    }
}

#[cfg(test)]
mod tests;
