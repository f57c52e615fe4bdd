//! What to generate. Depends on nothing, so that the command line and the library share one meaning of each option.

use std::fmt;
use std::str::FromStr;

/// What [`generate`](crate::generate) shall make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How many flags, tombstones included. The hand-written flags of the mixed shape come first.
    pub flags: usize,
    /// How many segments, tombstones included. Only the mixed shape uses it.
    pub segments: usize,
    /// Seed of everything that is chosen at random.
    pub seed: u64,
    /// Grow every flag to at least this many bytes of JSON, and to little more. `None`: leave them as they are.
    pub bytes: Option<usize>,
    /// Whether clauses may use `matches`. A compiled regular expression weighs more than the rest of its flag, so
    /// measurements of memory go without.
    pub regex: bool,
    /// Which kind of flags.
    pub shape: Shape,
}

impl Default for Options {
    fn default() -> Self {
        Self { flags: 200, segments: 20, seed: 2015, bytes: None, regex: true, shape: Shape::Mixed }
    }
}

/// Which kind of flags to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// An environment as teams have it: every feature of the format occurs.
    Mixed,
    /// Boolean flags that are off.
    Off,
    /// Boolean flags that always fall through.
    Fallthrough,
    /// Boolean flags that name the user of [`CONTEXT_JSON`](crate::CONTEXT_JSON) as a target.
    Target,
    /// Boolean flags with one rule of one clause, `email endsWith`, which that user matches.
    Rule,
    /// Boolean flags with a percentage rollout.
    Rollout,
    /// Boolean flags with one prerequisite, [`BASE_FLAG`](crate::BASE_FLAG), which holds and comes on top of the number.
    Prerequisite,
    /// Boolean flags with one rule that asks for a segment which that user is in.
    Segment,
}

impl Shape {
    /// The shapes whose flags are all of one kind, one per way to arrive at a value.
    pub const ONE_KIND: [Shape; 7] = [
        Shape::Off,
        Shape::Fallthrough,
        Shape::Target,
        Shape::Rule,
        Shape::Rollout,
        Shape::Prerequisite,
        Shape::Segment,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Mixed => "mixed",
            Shape::Off => "off",
            Shape::Fallthrough => "fallthrough",
            Shape::Target => "target",
            Shape::Rule => "rule",
            Shape::Rollout => "rollout",
            Shape::Prerequisite => "prerequisite",
            Shape::Segment => "segment",
        }
    }
}

/// A shape was asked for that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownShape(pub String);

impl fmt::Display for UnknownShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown shape `{}`", self.0)
    }
}

impl std::error::Error for UnknownShape {}

impl FromStr for Shape {
    type Err = UnknownShape;

    fn from_str(name: &str) -> Result<Self, UnknownShape> {
        if name == "one-rule" {
            return Ok(Shape::Rule);
        }
        let mut all = Self::ONE_KIND.into_iter().chain([Shape::Mixed]);
        all.find(|shape| shape.name() == name).ok_or_else(|| UnknownShape(name.to_owned()))
    }
}
