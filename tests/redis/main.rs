//! Flags read from one Redis: how it is reached, what is read, how changes are noticed, and what holds when Redis is in trouble.
//! One program for all of it: what is linked once is built in a fraction of the time. What must be alone in its process is beside this folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod all_flags;
mod apart;
mod big_segments;
mod connect;
mod credentials;
mod daemon;
mod dead;
mod depot;
mod evaluation_limits;
mod evaluation_log;
mod freshness;
mod lifecycle;
mod listeners;
mod metrics;
mod moved;
mod outage;
mod partial;
mod push;
mod reaching;
mod reading;
mod restraint;
mod restricted;
mod rights;
mod rungs;
mod slow;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod unseen;
mod unseen_lazy;
mod url;
mod wipe;
