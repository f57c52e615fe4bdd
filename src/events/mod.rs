//! Analytics events: what was evaluated, identified and tracked reaches LaunchDarkly, and costs an evaluation next to nothing.
//!
//! An evaluation of a flag that needs only be counted, for a context seen before, touches atomics and nothing else
//! (`recorder`, and the tallies of `model`). Everything else goes through one lock into bounded buffers (`inbox`). A thread
//! takes them at every flush and writes the payload (`worker`); others send it (`courier`). Sees neither store nor source nor
//! evaluation. May depend on `http`, `files`, `context` and `model`.
//!
//! | Module | Is |
//! |---|---|
//! | `options` | how events are made and delivered |
//! | `recorder` | what an evaluation touches |
//! | `inbox` | what waits for the next flush |
//! | `event`, `summary`, `ledger` | what is told one by one, what is summed up, and what is counted for good |
//! | `output`, `redaction` | what is sent of a batch, and what is kept private |
//! | `worker`, `courier` | the thread that takes and writes, and those that send |
//! | `payload`, `writer`, `delivery` | what is sent as one, how it is made, what is on its way and how that fares |
//! | `spool` | where payloads are kept that cannot be delivered |
//! | `diagnostics` | what the library tells of itself |
//! | `host` | what all this needs of whoever runs it |

mod courier;
mod delivery;
mod diagnostics;
mod event;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod host;
mod inbox;
mod ledger;
mod options;
mod output;
mod payload;
mod recorder;
mod redaction;
mod spool;
mod summary;
#[cfg(test)]
mod testing;
mod worker;
mod writer;

pub use courier::send;
pub use delivery::{Delivery, Flushed, LastFailure, Report};
pub use diagnostics::StreamStart;
pub use event::{Custom, Evaluation, Event, Measurement, Migration, Operation, Origins};
pub use host::Host;
pub use inbox::{Batch, Inbox};
pub use ledger::Ledger;
pub use options::{DiagnosticOptions, EventsOptions, Privacy, SpoolOptions};
pub use recorder::{Evaluated, Recorder};
pub use summary::{Counter, FlagSummary, Summary};
pub use worker::run;
