//! Clauses, compiled: one condition of a rule with everything prepared that does not depend on the context.
//!
//! Dates, versions and expressions are parsed once; a clause value that cannot pass (of another type, or malformed) is
//! dropped here, which never changes a result. Shared by the rules of flags and segments.

use std::ops::Deref;
use std::sync::Arc;

use super::ContextKind;
use super::instant::Instant;
use super::reference::AttributeRef;
use super::regexes::{Interner, Pattern};
use super::semver::OwnedSemVer;
use super::strings::{StringList, StringSet};
use super::wire::{self, Scalar};

/// One condition of a rule.
#[derive(Clone, Debug)]
pub struct Clause {
    /// The kind of context that the attribute is taken from.
    pub context_kind: ContextKind,
    /// The attribute. Not looked at by a segment test.
    pub attribute: AttributeRef,
    /// The operator and its values.
    pub test: Test,
    /// Whether the result is inverted.
    pub negate: bool,
}

/// An operator with the values that can pass it.
#[derive(Clone, Debug)]
pub enum Test {
    /// `in`.
    In(Box<Members>),
    /// `startsWith`.
    StartsWith(StringList),
    /// `endsWith`.
    EndsWith(StringList),
    /// `contains`.
    Contains(StringList),
    /// `matches`: the valid expressions.
    Matches(Box<[Arc<Pattern>]>),
    /// `lessThan`.
    LessThan(Box<[f64]>),
    /// `lessThanOrEqual`.
    LessThanOrEqual(Box<[f64]>),
    /// `greaterThan`.
    GreaterThan(Box<[f64]>),
    /// `greaterThanOrEqual`.
    GreaterThanOrEqual(Box<[f64]>),
    /// `before`.
    Before(Box<[Instant]>),
    /// `after`.
    After(Box<[Instant]>),
    /// `semVerEqual`.
    SemVerEqual(Box<[OwnedSemVer]>),
    /// `semVerLessThan`.
    SemVerLessThan(Box<[OwnedSemVer]>),
    /// `semVerGreaterThan`.
    SemVerGreaterThan(Box<[OwnedSemVer]>),
    /// `segmentMatch`: the keys of the segments.
    Segment(StringList),
    /// An operator that this version does not know: no value passes.
    Unknown,
}

/// The values of an `in` clause.
#[derive(Clone, Debug, Default)]
pub struct Members {
    strings: StringSet,
    /// Sorted.
    numbers: Box<[f64]>,
    has_true: bool,
    has_false: bool,
}

impl Members {
    fn new(values: &[Scalar]) -> Members {
        let mut numbers: Vec<f64> = numbers(values).map(positive_zero).collect();
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        Members {
            strings: strings(values).collect(),
            numbers: numbers.into_boxed_slice(),
            has_true: values.contains(&Scalar::Bool(true)),
            has_false: values.contains(&Scalar::Bool(false)),
        }
    }

    /// True if the string is one of the values.
    #[inline]
    pub fn has_string(&self, text: &str) -> bool {
        self.strings.contains(text)
    }

    /// True if the number is one of the values, compared as doubles.
    #[inline]
    pub fn has_number(&self, number: f64) -> bool {
        self.numbers.binary_search_by(|other| other.total_cmp(&positive_zero(number))).is_ok()
    }

    /// True if the boolean is one of the values.
    #[inline]
    pub fn has_bool(&self, value: bool) -> bool {
        if value { self.has_true } else { self.has_false }
    }
}

/// Makes the two zeros one, as comparison does.
fn positive_zero(number: f64) -> f64 {
    number + 0.0
}

fn strings(values: &[Scalar]) -> impl Iterator<Item = &str> {
    values.iter().filter_map(|value| match value {
        Scalar::String(text) => Some(&**text),
        _ => None,
    })
}

fn numbers(values: &[Scalar]) -> impl Iterator<Item = f64> {
    values.iter().filter_map(|value| match value {
        Scalar::Number(number) => Some(*number),
        _ => None,
    })
}

fn instants(values: &[Scalar]) -> Box<[Instant]> {
    let instant = |value: &Scalar| match value {
        Scalar::Number(number) => Instant::from_milliseconds(*number),
        Scalar::String(text) => Instant::from_rfc3339(text),
        _ => None,
    };
    values.iter().filter_map(instant).collect()
}

fn versions(values: &[Scalar]) -> Box<[OwnedSemVer]> {
    strings(values).filter_map(OwnedSemVer::parse).collect()
}

impl Test {
    fn new(op: &str, values: &[Scalar], interner: &mut Interner) -> Test {
        match op {
            "in" => Test::In(Box::new(Members::new(values))),
            "startsWith" => Test::StartsWith(strings(values).collect()),
            "endsWith" => Test::EndsWith(strings(values).collect()),
            "contains" => Test::Contains(strings(values).collect()),
            "matches" => Test::Matches(strings(values).filter_map(|pattern| interner.regex(pattern)).collect()),
            "lessThan" => Test::LessThan(numbers(values).collect()),
            "lessThanOrEqual" => Test::LessThanOrEqual(numbers(values).collect()),
            "greaterThan" => Test::GreaterThan(numbers(values).collect()),
            "greaterThanOrEqual" => Test::GreaterThanOrEqual(numbers(values).collect()),
            "before" => Test::Before(instants(values)),
            "after" => Test::After(instants(values)),
            "semVerEqual" => Test::SemVerEqual(versions(values)),
            "semVerLessThan" => Test::SemVerLessThan(versions(values)),
            "semVerGreaterThan" => Test::SemVerGreaterThan(versions(values)),
            "segmentMatch" => Test::Segment(strings(values).collect()),
            _ => Test::Unknown,
        }
    }
}

impl Test {
    /// What trying it on one short value costs at most, in units of about one simple clause; expressions and nested segments
    /// come on top.
    pub fn weight(&self) -> usize {
        let of_list = |list: &StringList| 1 + (list.bytes() >> 3);
        match self {
            Test::StartsWith(list) | Test::EndsWith(list) | Test::Contains(list) | Test::Segment(list) => of_list(list),
            Test::Matches(list) => 1 + list.len(),
            Test::LessThan(list)
            | Test::LessThanOrEqual(list)
            | Test::GreaterThan(list)
            | Test::GreaterThanOrEqual(list) => 1 + list.len(),
            Test::Before(list) | Test::After(list) => 1 + list.len(),
            Test::SemVerEqual(list) | Test::SemVerLessThan(list) | Test::SemVerGreaterThan(list) => 1 + list.len(),
            Test::In(_) | Test::Unknown => 1,
        }
    }
}

impl Clause {
    fn new(wire: wire::Clause, interner: &mut Interner) -> Clause {
        let context_kind = wire.context_kind.as_deref();
        Clause {
            context_kind: ContextKind::from_option(context_kind),
            attribute: AttributeRef::scoped(wire.attribute.as_deref(), context_kind),
            test: Test::new(wire.op.0.as_deref().unwrap_or_default(), &wire.values.unwrap_or_default(), interner),
            negate: wire.negate.unwrap_or_default(),
        }
    }
}

/// The clauses of a rule. Most rules have one: it lies in the rule itself, which spares an evaluation a cache miss.
#[derive(Clone, Debug)]
pub enum Clauses {
    /// One clause.
    One(Clause),
    /// None or several.
    Many(Box<[Clause]>),
}

impl Clauses {
    pub(super) fn new(wire: Option<Vec<wire::Clause>>, interner: &mut Interner) -> Clauses {
        let mut clauses: Vec<Clause> =
            wire.unwrap_or_default().into_iter().map(|clause| Clause::new(clause, interner)).collect();
        match clauses.pop() {
            Some(only) if clauses.is_empty() => Clauses::One(only),
            last => {
                clauses.extend(last);
                Clauses::Many(clauses.into_boxed_slice())
            }
        }
    }
}

impl Deref for Clauses {
    type Target = [Clause];

    #[inline]
    fn deref(&self) -> &[Clause] {
        match self {
            Clauses::One(clause) => std::slice::from_ref(clause),
            Clauses::Many(clauses) => clauses,
        }
    }
}

/// What the clauses cost at most when all are looked at.
pub(super) fn weight(clauses: &[Clause]) -> usize {
    1 + clauses.iter().map(|clause| clause.test.weight()).sum::<usize>()
}

/// Whether one of the clauses asks for segments.
pub(super) fn asks_for_segments(clauses: &[Clause]) -> bool {
    clauses.iter().any(|clause| matches!(clause.test, Test::Segment(_)))
}

/// The keys of the segments that clauses test.
pub(super) fn segment_keys(clauses: &[Clause]) -> impl Iterator<Item = &str> {
    clauses.iter().flat_map(|clause| match &clause.test {
        Test::Segment(keys) => Some(keys.iter()).into_iter().flatten(),
        _ => None.into_iter().flatten(),
    })
}
