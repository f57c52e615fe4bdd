//! Fuzz targets of events.

pub use super::spool::fuzzing::spool_file;
