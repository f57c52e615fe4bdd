//! What a client tells LaunchDarkly: how it is delivered, kept and counted, and what migrations add to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod delivery;
mod faults;
mod migrations;
mod spool;
#[path = "../support/mod.rs"]
mod support;
