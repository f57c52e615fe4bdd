//! What others leave for the store thread: deliveries of a data source, questions of host threads, wake-ups.
//!
//! May depend on `memory` and `model`.

mod arrival;
pub mod flight;
pub mod intake;
pub mod link;
pub mod mailbox;
pub mod outbox;
pub mod read_through;
pub mod whole;
