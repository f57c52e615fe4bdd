//! A client that follows LaunchDarkly, played by a local server, with a real Redis behind it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod answers;
mod conformance_gaps;
mod fdv2;
mod outage;
mod polling_processes;
mod redis;
#[path = "../support/mod.rs"]
mod support;
mod trouble;
mod writers;
