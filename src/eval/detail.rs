//! What an evaluation returns: a variation and why it was chosen.
//!
//! Everything is borrowed from the flag, so that a detail costs nothing.

use crate::model::Variation;

/// The result of an evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Detail<'f> {
    /// The variation; none in errors and where no off variation is set: the caller's default applies.
    pub variation: Option<&'f Variation>,
    /// The index of the variation in the flag; present exactly if the variation is.
    pub index: Option<u32>,
    /// Why.
    pub reason: Reason<'f>,
    /// The worst answer of the big-segment store, if the evaluation asked for a big segment.
    pub big_segments: Option<BigSegmentsStatus>,
}

/// Why an evaluation returned what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason<'f> {
    /// The flag is off.
    Off,
    /// No target and no rule matched.
    Fallthrough {
        /// Whether the context is part of an experiment.
        in_experiment: bool,
    },
    /// The key of the context is a target.
    TargetMatch,
    /// A rule matched.
    RuleMatch {
        /// The position of the rule, from 0.
        index: u32,
        /// The identifier of the rule; empty if it has none.
        id: &'f str,
        /// Whether the context is part of an experiment.
        in_experiment: bool,
    },
    /// A prerequisite is missing, off, or served another variation.
    PrerequisiteFailed {
        /// The key of the prerequisite, as the flag names it.
        key: &'f str,
    },
    /// There is no result.
    Error(ErrorKind),
}

impl Reason<'_> {
    /// LaunchDarkly's name for it, such as `RULE_MATCH`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Fallthrough { .. } => "FALLTHROUGH",
            Self::TargetMatch => "TARGET_MATCH",
            Self::RuleMatch { .. } => "RULE_MATCH",
            Self::PrerequisiteFailed { .. } => "PREREQUISITE_FAILED",
            Self::Error(_) => "ERROR",
        }
    }
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The client has no data yet.
    ClientNotReady,
    /// There is no such flag.
    FlagNotFound,
    /// The context is not valid.
    UserNotSpecified,
    /// The flag's data make no sense, or refer to each other in a cycle.
    MalformedFlag,
    /// The value is not of the type that was asked for.
    WrongType,
    /// The flag, or an item it depends on, cannot be read.
    Exception,
}

impl ErrorKind {
    /// LaunchDarkly's name for it, such as `FLAG_NOT_FOUND`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientNotReady => "CLIENT_NOT_READY",
            Self::FlagNotFound => "FLAG_NOT_FOUND",
            Self::UserNotSpecified => "USER_NOT_SPECIFIED",
            Self::MalformedFlag => "MALFORMED_FLAG",
            Self::WrongType => "WRONG_TYPE",
            Self::Exception => "EXCEPTION",
        }
    }
}

/// The state of the big-segment store during an evaluation, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BigSegmentsStatus {
    /// The answer is up to date.
    Healthy,
    /// The answer may be out of date.
    Stale,
    /// The store failed.
    StoreError,
    /// There is no store, or the segment is not ready for one.
    NotConfigured,
}

impl BigSegmentsStatus {
    /// LaunchDarkly's name for it, such as `STORE_ERROR`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Stale => "STALE",
            Self::StoreError => "STORE_ERROR",
            Self::NotConfigured => "NOT_CONFIGURED",
        }
    }

    /// The worse of two.
    pub fn combine(self, other: BigSegmentsStatus) -> BigSegmentsStatus {
        self.max(other)
    }
}

impl<'f> Detail<'f> {
    /// A detail without a variation.
    pub fn without_value(reason: Reason<'f>) -> Detail<'f> {
        Detail { variation: None, index: None, reason, big_segments: None }
    }

    /// A detail of an error.
    pub fn error(kind: ErrorKind) -> Detail<'f> {
        Detail::without_value(Reason::Error(kind))
    }
}
