//! What an evaluation looks at, step by step, for an [`Observer`](super::Observer) that wants to know. Depends on `model` and
//! `context`.

use super::Detail;
use crate::context::{Attribute, Context};
use crate::model::{Clause, Flag, Prerequisite, Rollout, Rule, Segment, SegmentRule, Target, WeightedVariation};

/// One step. What has parts is opened, its parts follow, and it is closed; when something stops the whole evaluation, what is
/// open stays open.
#[derive(Clone, Copy, Debug)]
pub enum Look<'a> {
    /// A flag is opened: the one that was asked for, or a prerequisite.
    Flag(&'a Flag),
    /// A flag is closed: this came of it, big segments apart.
    FlagEnd(&'a Detail<'a>),
    /// A prerequisite is opened.
    Prerequisite(&'a Prerequisite),
    /// A prerequisite is closed.
    PrerequisiteEnd {
        /// Whether the flag is there, on, and serves what it must.
        met: bool,
    },
    /// The target lists were searched; one of them names a key of the context, or none does.
    Targets(Option<&'a Target>),
    /// A rule of a flag is opened.
    Rule(&'a Rule),
    /// A rule of a flag is closed.
    RuleEnd {
        /// Whether all of its clauses passed.
        matched: bool,
    },
    /// A clause is opened; the segments that it names are its parts.
    Clause(&'a Clause, Subject<'a>),
    /// A clause is closed.
    ClauseEnd {
        /// Whether it passed, negation included.
        passed: bool,
    },
    /// The clause names a segment that does not exist.
    NoSegment {
        /// The key.
        key: &'a str,
    },
    /// A segment is opened.
    Segment {
        /// The key by which the clause names it.
        key: &'a str,
        /// What is there.
        segment: &'a Segment,
    },
    /// A segment is closed.
    SegmentEnd(Belongs),
    /// A rule of a segment is opened.
    SegmentRule(&'a SegmentRule),
    /// The clauses of the segment's rule pass, and its share decides.
    Share {
        /// The rule.
        rule: &'a SegmentRule,
        /// The bucket; none without a context of the rule's kind, which is in no share.
        bucket: Option<f32>,
        /// The value of the attribute that is hashed; null where there is none.
        value: Attribute<'a>,
        /// The share takes the buckets below.
        bound: f32,
    },
    /// A rule of a segment is closed.
    SegmentRuleEnd {
        /// Whether the context is in the segment because of it.
        matched: bool,
    },
    /// One of several variations was chosen by bucket.
    Rollout(&'a Rollout, Draw<'a>),
}

/// What a clause is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// An attribute that is none: the flag is malformed.
    Malformed,
    /// The kinds of this context.
    Kinds(&'a Context),
    /// There is no context of the kind, so the clause fails, even if it is negated.
    NoContext,
    /// The value of the attribute; with null the clause fails, even if it is negated.
    Value(Attribute<'a>),
    /// Membership of segments.
    Segments,
}

/// Whether a context belongs to a segment, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belongs {
    /// Its key is listed, as one that belongs to it or as one that does not.
    Listed(bool),
    /// The big-segment store says so.
    Stored(bool),
    /// It is a big segment that has no generation yet: nobody is in it, and the store was not asked.
    NotReady,
    /// It is a big segment, and there is no context of its kind: the store was not asked.
    NoContext,
    /// One of its rules matches.
    ByRule,
    /// None of its rules matches.
    No,
    /// It was found out before in the same evaluation.
    Known(bool),
}

impl Belongs {
    /// Whether the context belongs to the segment.
    pub fn contains(self) -> bool {
        match self {
            Self::Listed(contains) | Self::Stored(contains) | Self::Known(contains) => contains,
            Self::ByRule => true,
            Self::NotReady | Self::NoContext | Self::No => false,
        }
    }
}

/// Where a context falls in a rollout.
#[derive(Clone, Copy, Debug)]
pub struct Draw<'a> {
    /// From 0 to 1.
    pub bucket: f32,
    /// The value of the attribute that is hashed; null where there is none.
    pub value: Attribute<'a>,
    /// Whether there is a context of the rollout's kind; without it the bucket is 0.
    pub has_context: bool,
    /// The entry that takes the bucket.
    pub entry: &'a WeightedVariation,
}
