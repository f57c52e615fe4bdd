//! What can be wrong with what flags serve and with how items refer to each other, in words for whoever owns the data.

use std::fmt;

use crate::model::{Flag, INVALID_VARIATION};

/// What of a flag decides what is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is off, or counts as off.
    Off,
    /// A target list that serves this variation.
    Target {
        /// Its index.
        variation: u32,
    },
    /// A rule.
    Rule {
        /// Its position, from 0.
        index: usize,
    },
    /// No target and no rule matches.
    Fallthrough,
}

/// Something that is wrong with the data of a flag, or of what it refers to.
#[derive(Clone, Copy, Debug)]
pub enum Trouble<'a> {
    /// A flag requires one that does not exist.
    MissingPrerequisite {
        /// The flag that requires it.
        owner: &'a Flag,
        /// The key of the one that is missing.
        key: &'a str,
    },
    /// A flag requires a variation that the other one does not have. Told to observers that look.
    UnmeetablePrerequisite {
        /// The flag that requires it.
        owner: &'a Flag,
        /// The other one.
        prerequisite: &'a Flag,
        /// The variation that is required.
        variation: u32,
    },
    /// A flag came to serve a variation that it does not have. Told to observers that look.
    MissingVariation {
        /// The flag.
        flag: &'a Flag,
        /// What of it serves the variation.
        part: Part,
        /// The index, or [`INVALID_VARIATION`].
        variation: u32,
    },
    /// A flag came to a part that serves nothing. Told to observers that look.
    NothingServed {
        /// The flag.
        flag: &'a Flag,
        /// The part.
        part: Part,
    },
    /// A flag came to a rollout by what is no attribute. Told to observers that look.
    NoAttribute {
        /// The flag.
        flag: &'a Flag,
        /// What of it rolls out.
        part: Part,
    },
    /// Flags require each other in a circle.
    PrerequisiteCycle {
        /// One of them.
        key: &'a str,
    },
    /// Segments refer to each other in a circle.
    SegmentCycle {
        /// One of them.
        key: &'a str,
    },
    /// A chain of prerequisites or segments is too long.
    TooDeep {
        /// Where it was given up.
        key: &'a str,
    },
    /// The rules take more work than one evaluation may do.
    TooMuchWork,
}

impl Trouble<'_> {
    /// Whether only observers that look are told.
    pub(super) fn is_for_lookers(&self) -> bool {
        use Trouble::{MissingVariation, NoAttribute, NothingServed, UnmeetablePrerequisite};
        matches!(
            self,
            MissingVariation { .. } | NoAttribute { .. } | NothingServed { .. } | UnmeetablePrerequisite { .. }
        )
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("when off it"),
            Self::Target { .. } => f.write_str("a target list"),
            Self::Rule { index } => write!(f, "rule {}", index + 1),
            Self::Fallthrough => f.write_str("the fallthrough"),
        }
    }
}

impl fmt::Display for Trouble<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingPrerequisite { owner, key } => {
                write!(f, "prerequisite {key:?} of flag {:?} does not exist, so it counts as not met", owner.key)
            }
            Self::UnmeetablePrerequisite { owner, prerequisite, variation } => {
                let (key, count) = (&prerequisite.key, prerequisite.variations.len());
                match *variation {
                    INVALID_VARIATION => {
                        write!(f, "prerequisite {key:?} of flag {:?} must serve what is no variation", owner.key)?
                    }
                    index => write!(f, "prerequisite {key:?} of flag {:?} must serve variation {index}", owner.key)?,
                }
                write!(f, ", and has {count}, so it is never met")
            }
            Self::MissingVariation { flag, part, variation } => {
                let (key, count) = (&flag.key, flag.variations.len());
                match *variation {
                    INVALID_VARIATION => write!(f, "flag {key:?}: {part} serves a variation that it does not have")?,
                    index => write!(f, "flag {key:?}: {part} serves variation {index}, which it does not have")?,
                }
                write!(f, ": it has {count}")
            }
            Self::NothingServed { flag, part } => write!(f, "flag {:?}: {part} serves nothing", flag.key),
            Self::NoAttribute { flag, part } => {
                write!(f, "flag {:?}: {part} rolls out by what is no attribute", flag.key)
            }
            Self::PrerequisiteCycle { key } => write!(f, "its prerequisites form a circle through {key:?}"),
            Self::SegmentCycle { key } => write!(f, "its segments form a circle through {key:?}"),
            Self::TooDeep { key } => write!(f, "its prerequisites or segments nest too deep, at {key:?}"),
            Self::TooMuchWork => f.write_str(
                "its rules take too much work for this context: too many prerequisites, segments, or bytes to match",
            ),
        }
    }
}
