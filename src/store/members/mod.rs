//! The members of big segments in Redis: a thread of its own reads them, and hears of their changes.
//!
//! It is not the store thread, although the data are often in the same Redis: a question about one context, for which an evaluation
//! waits, must not stand behind a read of ten thousand flags, and a user who may read flags and no sets must not make the flags
//! look lost. So there is one way for both, a Redis of their own and the one of the flags: one thread, one connection. The
//! thread sleeps, and nothing is connected, before the first question; from then on it asks at intervals when the members were
//! brought up to date, and again at the moment from which they would count as stale.
//!
//! | File | Is |
//! |---|---|
//! | `counter` | where host threads ask, and how long they wait |
//! | `bell` | wakes a thread that waits for a socket |
//! | `clerk` | the thread |
//!
//! May depend on `redis`.

mod bell;
pub mod clerk;
pub mod counter;
