//! The feature store: what is held in memory, and how Redis keeps it true.
//!
//! Daemon mode only reads: somebody else (LaunchDarkly's Relay Proxy, an SDK) fills Redis. Connected mode takes what a data
//! source delivers into memory at once and writes it to Redis. The store thread alone speaks with Redis; the push link tells
//! it when; evaluations read a snapshot or the bounded cache and never wait for either thread, except for a key that
//! residency `lazy` or `off` does not hold.
//!
//! | Module | Is |
//! |---|---|
//! | `options`, `layout`, `connect` | configuration, key names, connections |
//! | `entry`, `snapshot`, `held` | items in memory: one item, the whole set, the bounded cache |
//! | `reader`, `writer`, `link`, `session` | the three conversations with Redis, and the connection behind two of them |
//! | `judge`, `all`, `wipe`, `dependents` | what a read means; no I/O |
//! | `intake`, `outbox`, `publication` | what a data source delivers; no I/O |
//! | `refresh`, `timetable`, `refresh_all`, `refresh_lazy`, `mirror` | the store thread |
//! | `backup` | the snapshot file |
//! | `read_through`, `whole`, `mailbox` | host threads that need something read |
//! | `shared`, `status`, `backoff` | what outlives a fork; condition; pauses |
//!
//! May depend on `model`; knows nothing of evaluation, contexts or how a client is configured.

mod all;
mod backoff;
mod backup;
mod connect;
mod dependents;
mod entry;
mod held;
mod intake;
mod judge;
mod layout;
mod link;
mod mailbox;
mod mirror;
mod options;
mod outbox;
mod publication;
mod read_through;
mod reader;
mod refresh;
mod refresh_all;
mod refresh_lazy;
mod session;
mod shared;
mod snapshot;
mod status;
#[cfg(test)]
mod testing;
mod timetable;
mod whole;
mod wipe;
mod writer;

pub use backup::{Backup, BackupError};
pub use connect::{ConnectError, RedisOptions, check_url};
pub use entry::{Entry, FlagEntry, SegmentEntry, State};
pub use held::{Cache, Items};
pub use intake::{Content, Delivery, Intake, Unreadable};
pub use layout::{DEFAULT_PREFIX, Keys};
pub use link::run as run_link;
pub use mailbox::{LinkPhase, Mailbox, lock};
pub use options::{Freshness, OnWipe, Residency, StoreOptions, Upstream};
pub use read_through::{ReadThrough, Unreachable};
pub use refresh::run as run_refresh;
pub use shared::Shared;
pub use snapshot::{Slot, Snapshot, Table, View};
pub use status::{Health, Level, Listener, Rung, StoreState, monotonic_ms, saturating_ms, unix_ms};
pub use whole::read_whole;
