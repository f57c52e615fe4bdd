//! The operators of clauses: does a value of the context pass one of the clause's values?
//!
//! Pure functions of two values; types that an operator does not know never pass. What they cost is taken from the meter of
//! the evaluation. Nothing here allocates, apart from what the engine of `matches` keeps for itself.

use std::cmp::Ordering;

use super::meter::Meter;
use crate::context::Attribute;
use crate::model::{Instant, OwnedSemVer, SemVer, Test};

/// Texts from this length on (bytes) are counted where they are looked at.
const LONG: usize = 64;

/// Whether a value, or one element of an array, passes the test. Without meaning once the meter is spent.
#[inline(always)]
pub(super) fn passes(test: &Test, value: Attribute<'_>, meter: &mut Meter) -> bool {
    match value {
        Attribute::String(text) => string_passes(test, text, meter),
        Attribute::Array(items) => items.iter().any(|item| match Attribute::from(item) {
            Attribute::Array(_) => false,
            element => meter.spend(test.weight()) && passes_scalar(test, element, meter),
        }),
        other => passes_scalar(test, other, meter),
    }
}

fn passes_scalar(test: &Test, value: Attribute<'_>, meter: &mut Meter) -> bool {
    match (value, test) {
        (Attribute::String(text), _) => string_passes(test, text, meter),
        (Attribute::Number(number), _) => number_passes(test, number),
        (Attribute::Bool(value), Test::In(members)) => members.has_bool(value),
        _ => false,
    }
}

/// Whether a string passes the test.
#[inline]
pub(super) fn string_passes(test: &Test, text: &str, meter: &mut Meter) -> bool {
    // Hashing, searching and reading a text take time by its length; short ones are part of what the rules weigh.
    if text.len() >= LONG {
        meter.spend(text.len() >> 6);
    }
    match test {
        Test::In(members) => members.has_string(text),
        Test::StartsWith(prefixes) => prefixes.iter().any(|prefix| text.starts_with(prefix)),
        Test::EndsWith(suffixes) => suffixes.iter().any(|suffix| text.ends_with(suffix)),
        Test::Contains(_) | Test::Matches(_) => costly_passes(test, text, meter),
        Test::Before(instants) => date_passes(Instant::from_rfc3339(text), instants, Ordering::Less),
        Test::After(instants) => date_passes(Instant::from_rfc3339(text), instants, Ordering::Greater),
        Test::SemVerEqual(versions) => version_passes(text, versions, Ordering::Equal),
        Test::SemVerLessThan(versions) => version_passes(text, versions, Ordering::Less),
        Test::SemVerGreaterThan(versions) => version_passes(text, versions, Ordering::Greater),
        _ => false,
    }
}

/// Tests that take time by the length of the text for each of their values.
#[inline(never)]
fn costly_passes(test: &Test, text: &str, meter: &mut Meter) -> bool {
    match test {
        Test::Contains(parts) => parts.iter().any(|part| meter.spend(1 + (text.len() >> 4)) && text.contains(part)),
        Test::Matches(expressions) => {
            expressions.iter().any(|expression| meter.spend(expression.cost(text.len())) && expression.is_match(text))
        }
        _ => false,
    }
}

fn number_passes(test: &Test, number: f64) -> bool {
    match test {
        Test::In(members) => members.has_number(number),
        Test::LessThan(bounds) => bounds.iter().any(|bound| number < *bound),
        Test::LessThanOrEqual(bounds) => bounds.iter().any(|bound| number <= *bound),
        Test::GreaterThan(bounds) => bounds.iter().any(|bound| number > *bound),
        Test::GreaterThanOrEqual(bounds) => bounds.iter().any(|bound| number >= *bound),
        Test::Before(instants) => date_passes(Instant::from_milliseconds(number), instants, Ordering::Less),
        Test::After(instants) => date_passes(Instant::from_milliseconds(number), instants, Ordering::Greater),
        _ => false,
    }
}

fn date_passes(instant: Option<Instant>, others: &[Instant], wanted: Ordering) -> bool {
    instant.is_some_and(|instant| others.iter().any(|other| instant.cmp(other) == wanted))
}

fn version_passes(text: &str, others: &[OwnedSemVer], wanted: Ordering) -> bool {
    SemVer::parse(text).is_some_and(|version| others.iter().any(|other| version.precedence(&other.borrow()) == wanted))
}
