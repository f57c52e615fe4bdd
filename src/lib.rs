//! Flagstone: a feature-flag engine in one native library.
//!
//! It keeps LaunchDarkly-format flags in Redis, holds them parsed in memory, evaluates them in nanoseconds, and gives
//! the same answer to a .NET service, a Python worker and a C++ server, because all of them call this library.
//!
//! | Module | Is |
//! |---|---|
//! | [`model`] | flags, segments, clauses and rollouts as typed data, compiled when an item is parsed |
//! | [`context`] | who is asking: single and multi-kind contexts |
//! | [`eval`] | a pure function of (flag, context, lookup) to a detail |
//! | [`files`] | files in folders that others may use |
//! | [`aws`] | tokens with which a process that has an identity at AWS logs in at Redis |
//! | [`http`] | requests, headers, TLS, proxy, redirects |
//! | [`source`] | stream, poll, file, test data: the outside turned into changesets |
//! | [`big_segments`] | what a store of their own knows of the members of big segments, asked for once and remembered |
//! | [`events`] | what happened, counted or told one by one, and how it reaches LaunchDarkly |
//! | [`store`] | the snapshot, how Redis keeps it true, and how what a source delivers gets into both |
//! | [`client`] | configuration, lifecycle, status, notifications, fork guard |
//! | [`ffi`] | the C ABI: the only way a host enters, and, but for forks and signals, the only `unsafe` code |
//!
//! An arrow of use goes downwards only: `ffi` → `client` → `source`, `store`, `eval`, `events`, `big_segments`, `aws` → `context`, `http`, `files` → `model`; the
//! siblings `source`, `store`, `eval`, `events` and `big_segments` never see each other. A test reads the sources and fails on any other arrow.

pub mod aws;
pub mod big_segments;
pub mod client;
pub mod context;
pub mod eval;
pub mod events;
#[allow(unsafe_code, reason = "the C border: every block states why it is sound")]
pub mod ffi;
pub mod files;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod model;
pub mod source;
pub mod store;
