//! The feature store: what is held in memory, and how Redis keeps it true.
//!
//! Daemon mode only reads: somebody else (LaunchDarkly's Relay Proxy, an SDK) fills Redis. Connected mode takes what a data
//! source delivers into memory at once and writes it to Redis. The store thread alone speaks with Redis; the push link tells
//! it when; evaluations read a snapshot or the bounded cache and never wait for either thread, except for a key that
//! residency `lazy` or `off` does not hold.
//!
//! | Room | Is |
//! |---|---|
//! | `memory` | what an evaluation reads: items, the whole set, the bounded cache; no I/O, no clock |
//! | `redis` | everything that speaks with Redis |
//! | `truth` | whose word counts: pure functions over replies and snapshots |
//! | `inbox` | what data sources and host threads leave for the store thread |
//! | `worker` | the store thread |
//! | `members` | the thread that reads members of big segments |
//!
//! Beside the rooms: `options`, `status`, `shared` (what outlives a fork), `reply` (what reads found), `rungs` (how a watch came about), `file` (the snapshot
//! file), `depot` (for tools that look at an environment without a client), `leash` (ends a wait from outside), `backoff`.
//!
//! May depend on `model`; knows nothing of evaluation, contexts or how a client is configured.

mod backoff;
mod depot;
mod file;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod inbox;
mod leash;
mod members;
mod memory;
mod options;
mod redis;
mod reply;
mod rungs;
mod shared;
mod signal;
mod status;
#[cfg(test)]
mod testing;
mod truth;
mod worker;

pub use backoff::Backoff;
pub use depot::{Contents, Depot, DepotError, Encryption, Examination, Field, NewItem, Right, Verdict, Written};
pub use file::{Backup, BackupError};
pub use inbox::intake::Intake;
pub use inbox::mailbox::{Mailbox, Wake};
pub use inbox::read_through::{ReadThrough, Unreachable};
pub use inbox::whole::read_whole;
pub use members::clerk::{Members, MembersListener, MembersOptions, run as run_members};
pub use members::counter::Counter;
pub use memory::cache::{Cache, Items};
pub use memory::entry::{Entry, FlagEntry, SegmentEntry, State, Told};
pub use memory::snapshot::{Slot, Snapshot, Table, View};
pub use options::{Freshness, OnWipe, Residency, StoreOptions, Upstream};
pub use redis::connector::{ConnectError, Connector, RedisOptions, check_url};
pub use redis::credentials::{Credentials, CredentialsError, LoginSource, LoginState};
pub use redis::endpoints::{Address, Endpoints, ReadFrom};
pub use redis::layout::{DEFAULT_PREFIX, Keys};
pub use redis::sockets::Sockets;
pub use redis::tls::TlsOptions;
pub use redis::url::{RedisUrl, UrlError};
pub use redis::whereabouts::{KnownSentinel, Node, Whereabouts};
pub use rungs::{Fate, LadderReport, WatchRung};
pub use shared::Shared;
pub use status::{ErrorNote, Health, Level, Listener, Rung, StoreState, monotonic_ms};
pub use worker::charting::run as run_charter;
pub use worker::run as run_worker;
pub use worker::seeking::{Errand, run as run_seeker};
pub use worker::watching::run as run_watch;
