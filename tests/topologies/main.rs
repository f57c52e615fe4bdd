//! Redis as operators run it: sentinels, replicas, clusters, proxies, servers of several versions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod cluster;
mod cluster_input;
mod cluster_owners;
mod cluster_turns;
mod proxies;
mod replicas;
mod sentinel;
mod sentinel_outages;
mod servers;
#[path = "../support/mod.rs"]
mod support;
