//! Fuzz targets of the store.

pub use super::file::fuzzing::snapshot_file;
pub use super::redis::fuzzing::{redis_reply, redis_url};
