//! The words of migrations: stages, operations, origins. Depends on nothing but what events call an operation.

pub use crate::events::Operation;

/// How far a migration is, in the order in which it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Stage {
    /// Old alone.
    Off = 0,
    /// Both are written, the old one is read.
    DualWrite = 1,
    /// Both are written and read, the old one counts.
    Shadow = 2,
    /// Both are written and read, the new one counts.
    Live = 3,
    /// Both are written, the new one is read.
    RampDown = 4,
    /// New alone.
    Complete = 5,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [Self::Off, Self::DualWrite, Self::Shadow, Self::Live, Self::RampDown, Self::Complete];

    /// As flags write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::DualWrite => "dualwrite",
            Self::Shadow => "shadow",
            Self::Live => "live",
            Self::RampDown => "rampdown",
            Self::Complete => "complete",
        }
    }

    /// The stage of this very name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// A side of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Origin {
    /// Where data come from.
    Old = 0,
    /// Where they go.
    New = 1,
}

impl Origin {
    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::New => "new",
        }
    }
}
