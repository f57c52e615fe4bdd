//! The store thread: what is due and when, and every exchange with Redis.
//!
//! May depend on all other rooms.

pub mod mirror;
pub mod refresh;
pub mod refresh_all;
pub mod refresh_lazy;
pub mod timetable;
pub mod whole;
