//! A segment, compiled for evaluation.
//!
//! Big segments (unbounded ones) keep their members in a store of their own and carry only their rules here.

use super::ContextKind;
use super::clause::{self, Clauses, asks_for_segments, segment_keys};
use super::reference::AttributeRef;
use super::regexes::Interner;
use super::serve::{bucket_by, weight_bound};
use super::strings::StringSet;
use super::wire;

/// A segment: a named set of contexts.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The key, which also goes into the hash of weighted rules.
    pub key: Box<str>,
    /// Grows with every change.
    pub version: i64,
    /// What evaluating it costs at most, apart from expressions and what it refers to, in units of about one clause.
    pub weight: u32,
    /// Whether evaluating it needs nothing else: it is no big segment, and names no other.
    pub alone: bool,
    /// Goes into the hash of weighted rules.
    pub salt: Box<str>,
    /// Keys of users that belong to the segment.
    pub included: StringSet,
    /// Keys of users that do not, whatever the rules say.
    pub excluded: StringSet,
    /// Keys of any kind that belong to the segment.
    pub included_contexts: Box<[Members]>,
    /// Keys of any kind that do not.
    pub excluded_contexts: Box<[Members]>,
    /// The rules, in order.
    pub rules: Box<[SegmentRule]>,
    /// Set for a big segment.
    pub unbounded: Option<Box<Unbounded>>,
}

/// Keys of one kind of context.
#[derive(Clone, Debug)]
pub struct Members {
    /// The kind.
    pub context_kind: ContextKind,
    /// The keys.
    pub values: StringSet,
}

/// A rule of a segment: contexts that pass all clauses belong to it, or a share of them.
#[derive(Clone, Debug)]
pub struct SegmentRule {
    /// The conditions; without any the rule applies to every context.
    pub clauses: Clauses,
    /// Contexts in buckets below this bound belong to the segment; all if there is none.
    pub bound: Option<f32>,
    /// The attribute that is hashed.
    pub bucket_by: AttributeRef,
    /// The kind of context that is bucketed.
    pub context_kind: ContextKind,
}

/// The part of a big segment that leads to its members.
#[derive(Clone, Debug)]
pub struct Unbounded {
    /// The kind of the contexts in the segment.
    pub context_kind: ContextKind,
    /// The name of the segment in a membership, such as `vip.g7`; none if the segment has no generation yet.
    pub reference: Option<Box<str>>,
}

impl Segment {
    pub(super) fn new(field: &str, wire: wire::Segment, interner: &mut Interner) -> Segment {
        let key = wire.key.0.unwrap_or_else(|| field.into());
        let unbounded = wire.unbounded.unwrap_or_default().then(|| {
            Box::new(Unbounded {
                context_kind: ContextKind::from_option(wire.unbounded_context_kind.as_deref()),
                reference: wire.generation.map(|generation| format!("{key}.g{}", generation.0).into_boxed_str()),
            })
        });
        let (included_contexts, excluded_contexts) = (members(wire.included_contexts), members(wire.excluded_contexts));
        let rules: Box<[SegmentRule]> =
            wire.rules.unwrap_or_default().into_iter().map(|rule| SegmentRule::new(rule, interner)).collect();
        let lists = included_contexts.len() + excluded_contexts.len();
        let weight = lists + rules.iter().map(|rule| clause::weight(&rule.clauses)).sum::<usize>();
        Segment {
            alone: unbounded.is_none() && !rules.iter().any(|rule| asks_for_segments(&rule.clauses)),
            weight: u32::try_from(weight).unwrap_or(u32::MAX),
            version: wire.version.0.map_or(0, |version| version.0),
            salt: wire.salt.unwrap_or_default(),
            included: wire.included.unwrap_or_default().iter().collect(),
            excluded: wire.excluded.unwrap_or_default().iter().collect(),
            included_contexts,
            excluded_contexts,
            rules,
            unbounded,
            key,
        }
    }

    /// The keys of all segments that the rules name; a key may come more than once.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().flat_map(|rule| segment_keys(&rule.clauses))
    }
}

impl SegmentRule {
    fn new(wire: wire::SegmentRule, interner: &mut Interner) -> SegmentRule {
        let context_kind = wire.rollout_context_kind.as_deref();
        SegmentRule {
            clauses: Clauses::new(wire.clauses, interner),
            bound: wire.weight.map(weight_bound),
            bucket_by: bucket_by(wire.bucket_by.as_deref(), context_kind),
            context_kind: ContextKind::from_option(context_kind),
        }
    }
}

fn members(wire: Option<Vec<wire::Target>>) -> Box<[Members]> {
    let entry = |entry: wire::Target| Members {
        context_kind: ContextKind::from_option(entry.context_kind.as_deref()),
        values: entry.values.unwrap_or_default().iter().collect(),
    };
    wire.unwrap_or_default().into_iter().map(entry).collect()
}
