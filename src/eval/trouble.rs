//! What can be wrong with how items refer to each other, in words for whoever owns the data.

use std::fmt;

use crate::model::Flag;

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

impl fmt::Display for Trouble<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingPrerequisite { owner, key } => {
                write!(f, "prerequisite {key:?} of flag {:?} does not exist, so it counts as not met", owner.key)
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
