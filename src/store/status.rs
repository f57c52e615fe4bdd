//! What the store tells about itself: state, freshness in force, age of the data. Only atomics and lock-free cells, because
//! a forked child reads them whatever the parent's threads were doing. May depend on `model`.

use std::fmt;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use arc_swap::ArcSwapOption;

use crate::model::{saturating_ms, unix_ms};

/// Lifecycle of a client's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum StoreState {
    /// Redis has not been read yet.
    Init = 0,
    /// What is held is known to be true.
    Valid = 1,
    /// Redis cannot be reached, or was wiped; the last good data stay in force.
    Interrupted = 2,
    /// Closed.
    Off = 3,
    /// A forked child that has not made its own connections yet.
    Forked = 4,
}

impl StoreState {
    /// Back from `as i32`; unknown codes are `Forked`.
    pub(crate) fn from_code(code: i32) -> Self {
        match code {
            0 => Self::Init,
            1 => Self::Valid,
            2 => Self::Interrupted,
            3 => Self::Off,
            _ => Self::Forked,
        }
    }

    /// Upper-case name, as in the C constants.
    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Valid => "VALID",
            Self::Interrupted => "INTERRUPTED",
            Self::Off => "OFF",
            Self::Forked => "FORKED",
        }
    }
}

/// Severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// For finding out why.
    Debug = 0,
    /// Normal events.
    Info = 1,
    /// Something is degraded.
    Warn = 2,
    /// Something failed.
    Error = 3,
    /// As a filter: nothing at all.
    None = 4,
}

/// How held items are kept true at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Rung {
    /// Not known yet.
    Starting = 0,
    /// Redis pushes invalidations (RESP3 broadcast tracking).
    Push = 1,
    /// Items are read again when older than the time to live.
    Ttl = 2,
    /// Items are never read again.
    Forever = 3,
}

impl Rung {
    /// Name as in the option `cache.freshness`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Push => "push",
            Self::Ttl => "ttl",
            Self::Forever => "forever",
        }
    }
}

/// Receives what the store has to tell. Called on the store's threads, and on a host's thread for a rate-limited log.
pub trait Listener: Send + Sync {
    /// Whether a message of this level would be kept: asked before one is formatted.
    fn wants(&self, level: Level) -> bool;
    /// A log line.
    fn log(&self, level: Level, message: fmt::Arguments<'_>);
    /// The state changed; `reason` is for people.
    fn state_changed(&self, state: StoreState, reason: &str);
    /// A flag, or something it depends on, changed. `None` stands for "not held".
    fn flag_changed(&self, key: &str, old_version: Option<i64>, new_version: Option<i64>);
    /// Redis may have missed what the data source delivered: a fresh full data set is wanted.
    fn wants_fresh_data(&self);
}

/// The store's condition. Written by the store thread, read by anybody.
#[derive(Debug)]
pub struct Health {
    state: AtomicI32,
    rung: AtomicU8,
    ready: AtomicBool,
    available: AtomicBool,
    wiped: AtomicBool,
    stale_since: AtomicI64,
    verified_at: AtomicU64,
    /// `$inited` was seen at least once.
    inited: AtomicBool,
    malformed: AtomicU64,
    exchanges: AtomicU64,
    rung_reason: ArcSwapOption<String>,
    error: ArcSwapOption<ErrorNote>,
    previous_error: ArcSwapOption<ErrorNote>,
}

/// Something that went wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorNote {
    /// What happened, for people.
    pub text: String,
    /// Unix time in ms.
    pub unix_ms: i64,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            state: AtomicI32::new(StoreState::Init as i32),
            rung: AtomicU8::new(Rung::Starting as u8),
            ready: AtomicBool::new(false),
            available: AtomicBool::new(false),
            wiped: AtomicBool::new(false),
            stale_since: AtomicI64::new(0),
            verified_at: AtomicU64::new(0),
            inited: AtomicBool::new(false),
            malformed: AtomicU64::new(0),
            exchanges: AtomicU64::new(0),
            rung_reason: ArcSwapOption::empty(),
            error: ArcSwapOption::empty(),
            previous_error: ArcSwapOption::empty(),
        }
    }
}

impl Health {
    /// Present state.
    #[inline]
    pub fn state(&self) -> StoreState {
        StoreState::from_code(self.state.load(Relaxed))
    }

    /// Sets the state and what follows from it; returns the state before. Nothing follows OFF: a thread that close left
    /// behind may still report what it found.
    pub fn set_state(&self, state: StoreState) -> StoreState {
        let open = |now: i32| (now != StoreState::Off as i32).then_some(state as i32);
        let Ok(before) = self.state.fetch_update(Relaxed, Relaxed, open) else { return StoreState::Off };
        let before = StoreState::from_code(before);
        let stale = state != StoreState::Valid && self.is_ready();
        if !stale {
            self.stale_since.store(0, Relaxed);
        } else if self.stale_since.load(Relaxed) == 0 {
            self.stale_since.store(unix_ms(), Relaxed);
        }
        before
    }

    /// True once both hashes have been read.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Relaxed)
    }

    /// Both hashes have been read.
    pub fn set_ready(&self) {
        self.ready.store(true, Relaxed);
    }

    /// Unix time in ms since when what was read of Redis is not known to be true, 0 when it is.
    pub fn stale_since_ms(&self) -> i64 {
        self.stale_since.load(Relaxed)
    }

    /// Whether Redis answered last time.
    #[inline]
    pub fn is_available(&self) -> bool {
        self.available.load(Relaxed)
    }

    /// Records whether Redis answered.
    pub fn set_available(&self, available: bool) {
        self.available.store(available, Relaxed);
    }

    /// Whether Redis lost the data set.
    pub fn is_wiped(&self) -> bool {
        self.wiped.load(Relaxed)
    }

    /// Records whether Redis lost the data set; returns what was recorded before.
    pub fn set_wiped(&self, wiped: bool) -> bool {
        self.wiped.swap(wiped, Relaxed)
    }

    /// Whether `$inited` was ever seen.
    pub fn was_inited(&self) -> bool {
        self.inited.load(Relaxed)
    }

    /// `$inited` was seen.
    pub fn set_inited(&self) {
        self.inited.store(true, Relaxed);
    }

    /// Freshness in force.
    pub fn rung(&self) -> Rung {
        match self.rung.load(Relaxed) {
            1 => Rung::Push,
            2 => Rung::Ttl,
            3 => Rung::Forever,
            _ => Rung::Starting,
        }
    }

    /// Why that freshness is in force.
    pub fn rung_reason(&self) -> Option<Arc<String>> {
        self.rung_reason.load_full()
    }

    /// Records the freshness in force; true when it is another than before.
    pub fn set_rung(&self, rung: Rung, reason: Option<&str>) -> bool {
        let before = self.rung.swap(rung as u8, Relaxed);
        // It is brought up to date with every step of the store thread; storing costs the more the more threads there are.
        if self.rung_reason.load().as_ref().map(|known| known.as_str()) != reason {
            self.rung_reason.store(reason.map(|reason| Arc::new(reason.to_owned())));
        }
        before != rung as u8
    }

    /// Everything held was true at this moment (ms of [`monotonic_ms`]).
    pub fn set_verified_at(&self, at: u64) {
        self.verified_at.store(at, Relaxed);
    }

    /// When everything held was last known to be true; 0 for never.
    pub fn verified_at(&self) -> u64 {
        self.verified_at.load(Relaxed)
    }

    /// How often Redis has answered.
    pub fn exchanges(&self) -> u64 {
        self.exchanges.load(Relaxed)
    }

    /// Redis has answered.
    pub fn count_exchange(&self) {
        self.exchanges.fetch_add(1, Relaxed);
    }

    /// Number of items in Redis that do not parse.
    pub fn malformed(&self) -> u64 {
        self.malformed.load(Relaxed)
    }

    /// Records the number of items that do not parse.
    pub fn set_malformed(&self, count: usize) {
        self.malformed.store(count as u64, Relaxed);
    }

    /// What is wrong at present, if anything.
    pub fn error(&self) -> Option<Arc<ErrorNote>> {
        self.error.load_full()
    }

    /// What was wrong until the latest recovery.
    pub fn previous_error(&self) -> Option<Arc<ErrorNote>> {
        self.previous_error.load_full()
    }

    /// Records what is wrong.
    pub fn set_error(&self, text: String) {
        self.error.store(Some(Arc::new(ErrorNote { text, unix_ms: unix_ms() })));
    }

    /// Nothing is wrong any more.
    pub fn clear_error(&self) {
        if self.error.load().is_some()
            && let Some(error) = self.error.swap(None)
        {
            self.previous_error.store(Some(error));
        }
    }
}

/// Milliseconds of a clock that never goes back; starts at 1.
pub fn monotonic_ms() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    saturating_ms(START.elapsed()) + 1
}
