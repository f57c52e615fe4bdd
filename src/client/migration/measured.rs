//! What was measured of an operation, and the rules by which it is told. No lock: a fork may happen at any moment, and any
//! number of threads may measure. Depends on `stage` and on what events call a measurement.

use std::sync::atomic::{
    AtomicU32, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};

use super::stage::{Operation, Origin};
use crate::events::{Measurement, Origins};

/// Why something of an operation was not taken, or is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MigrationError {
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
    /// It was told already.
    #[error("the operation was tracked already")]
    Tracked,
    /// No time.
    #[error("milliseconds is negative, or no finite number")]
    NoLatency,
    /// It was begun without a valid context.
    #[error("the operation has no valid context")]
    NoContext,
    /// It was begun for a flag without a key.
    #[error("the key of the operation's flag is empty")]
    NoKey,
    /// Read or write?
    #[error("it was not set whether the operation reads or writes")]
    NoOperation,
    /// No origin was.
    #[error("neither origin was invoked")]
    NothingInvoked,
    /// A latency of an origin that was not invoked.
    #[error("the {} origin has a latency, but was not invoked", .0.name())]
    LatencyUninvoked(Origin),
    /// An error of an origin that was not invoked.
    #[error("the {} origin failed, but was not invoked", .0.name())]
    FailedUninvoked(Origin),
    /// A comparison with an origin that was not invoked.
    #[error("both origins were compared, but the {} one was not invoked", .0.name())]
    ComparedUninvoked(Origin),
}

const READS: u32 = 1;
const WRITES: u32 = 2;
const AGREES: u32 = 4;
const DISAGREES: u32 = 8;
const TRACKED: u32 = 16;
// Of the old origin; of the new one they lie one bit higher.
const INVOKED: u32 = 32;
const FAILED: u32 = 128;
const TIMED: u32 = 512;

const fn bit(of_old: u32, origin: Origin) -> u32 {
    of_old << origin as u32
}

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// A set of the bits above.
    known: AtomicU32,
    /// Milliseconds, as the bits of a double.
    latencies: [AtomicU64; 2],
}

/// What an event tells.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    pub(super) operation: Operation,
    pub(super) measurements: Vec<Measurement>,
}

impl Measured {
    pub(super) fn set_operation(&self, operation: Operation) -> Result<(), MigrationError> {
        self.note(READS | WRITES, if operation == Operation::Read { READS } else { WRITES })
    }

    pub(super) fn set_invoked(&self, origin: Origin) -> Result<(), MigrationError> {
        self.note(0, bit(INVOKED, origin))
    }

    pub(super) fn set_failed(&self, origin: Origin) -> Result<(), MigrationError> {
        self.note(0, bit(FAILED, origin))
    }

    pub(super) fn set_latency(&self, origin: Origin, milliseconds: f64) -> Result<(), MigrationError> {
        if !milliseconds.is_finite() || milliseconds < 0.0 {
            return Err(MigrationError::NoLatency);
        }
        if self.known.load(Relaxed) & TRACKED != 0 {
            return Err(MigrationError::Tracked);
        }
        // Never written with a sign, not even the zero.
        self.latencies[origin as usize].store(milliseconds.abs().to_bits(), Relaxed);
        self.note(0, bit(TIMED, origin))
    }

    pub(super) fn set_consistent(&self, is_consistent: bool) -> Result<(), MigrationError> {
        self.note(AGREES | DISAGREES, if is_consistent { AGREES } else { DISAGREES })
    }

    /// Replaces some bits, as long as nothing was told.
    fn note(&self, clears: u32, sets: u32) -> Result<(), MigrationError> {
        let next = |known: u32| (known & TRACKED == 0).then_some(known & !clears | sets);
        self.known.fetch_update(Release, Relaxed, next).map(drop).map_err(|_| MigrationError::Tracked)
    }

    /// What is to be told, if the rules allow it; from then on nothing is taken any more. One of many threads gets it.
    pub(super) fn end(&self, check_ratio: i64) -> Result<Told, MigrationError> {
        let mut known = self.known.load(Acquire);
        loop {
            let told = self.told(known, check_ratio)?;
            match self.known.compare_exchange(known, known | TRACKED, AcqRel, Acquire) {
                Ok(_) => return Ok(told),
                Err(now) => known = now,
            }
        }
    }

    fn told(&self, known: u32, check_ratio: i64) -> Result<Told, MigrationError> {
        if known & TRACKED != 0 {
            return Err(MigrationError::Tracked);
        }
        let operation = match known & (READS | WRITES) {
            0 => return Err(MigrationError::NoOperation),
            READS => Operation::Read,
            _ => Operation::Write,
        };
        check(known)?;
        let has = |of_old: u32, origin| known & bit(of_old, origin) != 0;
        let both = |of_old: u32| Origins { old: has(of_old, Origin::Old), new: has(of_old, Origin::New) };
        let latency =
            |origin: Origin| has(TIMED, origin).then(|| f64::from_bits(self.latencies[origin as usize].load(Relaxed)));
        let mut measurements = vec![Measurement::Invoked(both(INVOKED))];
        if known & (AGREES | DISAGREES) != 0 {
            let is_consistent = known & AGREES != 0;
            measurements.push(Measurement::Consistent { is_consistent, sampling_ratio: check_ratio });
        }
        measurements.push(Measurement::Latency(Origins { old: latency(Origin::Old), new: latency(Origin::New) }));
        measurements.push(Measurement::Errors(both(FAILED)));
        Ok(Told { operation, measurements })
    }
}

/// Nothing is told of an origin that was not invoked.
fn check(known: u32) -> Result<(), MigrationError> {
    if known & (INVOKED | bit(INVOKED, Origin::New)) == 0 {
        return Err(MigrationError::NothingInvoked);
    }
    for origin in [Origin::Old, Origin::New] {
        let has = |of_old| known & bit(of_old, origin) != 0;
        if has(INVOKED) {
            continue;
        }
        if has(TIMED) {
            return Err(MigrationError::LatencyUninvoked(origin));
        }
        if has(FAILED) {
            return Err(MigrationError::FailedUninvoked(origin));
        }
        if known & (AGREES | DISAGREES) != 0 {
            return Err(MigrationError::ComparedUninvoked(origin));
        }
    }
    Ok(())
}
