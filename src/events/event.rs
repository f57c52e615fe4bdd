//! What is told one by one. An event refers to what it tells of, and becomes text on the thread that sends it. Times are
//! milliseconds since 1970; JSON texts are valid and have no space around them.

use std::sync::Arc;

use crate::context::Context;
use crate::model::Tally;

/// An event that waits for the next flush.
#[derive(Debug)]
pub enum Event {
    /// A context is seen for the first time in a while.
    Index {
        /// When.
        at: i64,
        /// The context.
        context: Arc<Context>,
    },
    /// The host says who somebody is.
    Identify {
        /// When.
        at: i64,
        /// The context.
        context: Arc<Context>,
    },
    /// A flag was evaluated that is tracked, is part of an experiment, or is being debugged.
    Evaluation(Box<Evaluation>),
    /// The host says that something happened.
    Custom(Box<Custom>),
    /// A step of a migration was taken.
    Migration(Box<Migration>),
}

/// One evaluation in full.
#[derive(Debug)]
pub struct Evaluation {
    /// When.
    pub at: i64,
    /// For the debugger rather than for analysis.
    pub debug: bool,
    /// Who asked.
    pub context: Arc<Context>,
    /// Key, version, sampling ratio and values of the flag.
    pub flag: Arc<Tally>,
    /// The variation; `None` when the default was served.
    pub variation: Option<u32>,
    /// The caller's default as JSON text; the value where there is no variation.
    pub default: Option<Box<str>>,
    /// Why, as a JSON object; only where the caller asked for it or an experiment needs it.
    pub reason: Option<Box<str>>,
    /// The key of the flag that required this one.
    pub prerequisite_of: Option<Box<str>>,
}

/// Something happened, as the host says.
#[derive(Debug)]
pub struct Custom {
    /// When.
    pub at: i64,
    /// To whom.
    pub context: Arc<Context>,
    /// What.
    pub key: Box<str>,
    /// More about it, as JSON text; never `null`.
    pub data: Option<Box<str>>,
    /// A finite number to measure it by.
    pub metric: Option<f64>,
}

/// A step of a migration.
#[derive(Debug)]
pub struct Migration {
    /// When.
    pub at: i64,
    /// For whom.
    pub context: Arc<Context>,
    /// What was done.
    pub operation: Operation,
    /// The key of the flag that controls the migration.
    pub key: Box<str>,
    /// The flag's version, unless there is no such flag.
    pub version: Option<i64>,
    /// The variation, unless the default was served.
    pub variation: Option<u32>,
    /// The stage as JSON text.
    pub value: Box<str>,
    /// The caller's default as JSON text.
    pub default: Option<Box<str>>,
    /// Why, as a JSON object.
    pub reason: Box<str>,
    /// One in this many such events is sent; none at zero and below.
    pub sampling_ratio: i64,
    /// What was measured.
    pub measurements: Vec<Measurement>,
}

/// What a step of a migration does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// It reads.
    Read,
    /// It writes.
    Write,
}

/// Something of each side of a migration.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Origins<T> {
    /// Of where data come from.
    pub old: T,
    /// Of where they go.
    pub new: T,
}

/// What was measured of a step of a migration.
#[derive(Clone, Debug, PartialEq)]
pub enum Measurement {
    /// Which sides were invoked.
    Invoked(Origins<bool>),
    /// Whether both sides said the same, and that one in this many checks was made.
    Consistent {
        /// They did.
        is_consistent: bool,
        /// One in this many.
        sampling_ratio: i64,
    },
    /// How long each took, in milliseconds.
    Latency(Origins<Option<f64>>),
    /// Which sides failed.
    Errors(Origins<bool>),
}
