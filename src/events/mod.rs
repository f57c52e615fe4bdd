//! Analytics events: what was evaluated, identified and tracked reaches LaunchDarkly, and costs an evaluation next to nothing.
//!
//! An evaluation of a flag that needs only be counted, for a context seen before, touches atomics and nothing else
//! (`recorder`, and the tallies of `model`). Everything else goes through one lock into bounded buffers (`inbox`). A thread
//! takes them at every flush and writes the payload (`worker`); others send it (`courier`). Sees neither store nor source nor
//! evaluation. May depend on `http`, `context` and `model`.
//!
//! | Module | Is |
//! |---|---|
//! | `options` | how events are made and delivered |
//! | `recorder` | what an evaluation touches |
//! | `inbox` | what waits for the next flush |
//! | `event`, `summary` | what is told one by one, and what is summed up |
//! | `output`, `redaction` | what is sent of a batch, and what is kept private |

mod event;
mod inbox;
mod options;
mod output;
mod recorder;
mod redaction;
mod summary;
#[cfg(test)]
mod testing;

pub use event::{Custom, Evaluation, Event, Measurement, Migration, Operation, Origins};
pub use inbox::{Batch, Inbox};
pub use options::{DiagnosticOptions, EventsOptions, Privacy, SpoolOptions};
pub use recorder::{Evaluated, Recorder};
pub use summary::{Counter, FlagSummary, Summary};
