//! What a rule or a flag's fallthrough serves: one variation, or one of several by bucket.
//!
//! Weights are summed up here, in single precision and in their order, exactly as evaluation must compare them.

use super::reference::AttributeRef;
use super::wire;
use super::{ContextKind, variation_index};

/// Full weight: weights are thousandths of a percent.
const FULL_WEIGHT: f32 = 100_000.0;

/// What to serve.
#[derive(Clone, Debug)]
pub enum Serve {
    /// Neither a variation nor a rollout with entries: the flag is malformed when this is reached.
    Nothing,
    /// The variation at this index, which may be out of range.
    Variation(u32),
    /// One of several variations by bucket.
    Rollout(Box<Rollout>),
}

/// A percentage rollout or an experiment.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// Whether the rollout is an experiment.
    pub experiment: bool,
    /// The kind of context that is bucketed.
    pub context_kind: ContextKind,
    /// The attribute that is hashed: the key unless the rollout says otherwise; always the key in an experiment.
    pub bucket_by: AttributeRef,
    /// Replaces the flag's key and salt in the hash.
    pub seed: Option<i64>,
    /// The entries, at least one.
    pub variations: Box<[WeightedVariation]>,
}

/// An entry of a rollout.
#[derive(Clone, Debug)]
pub struct WeightedVariation {
    /// The index of the variation, which may be out of range.
    pub variation: u32,
    /// The sum of the weights up to and including this entry: it takes the buckets below.
    pub bound: f32,
    /// Whether contexts in this entry take no part in the experiment.
    pub untracked: bool,
}

impl Serve {
    pub(super) fn new(variation: Option<wire::Integer>, rollout: Option<wire::Rollout<'_>>) -> Serve {
        if let Some(variation) = variation {
            return Serve::Variation(variation_index(variation.0));
        }
        match rollout.and_then(Rollout::new) {
            Some(rollout) => Serve::Rollout(Box::new(rollout)),
            None => Serve::Nothing,
        }
    }

    /// Whether it may put a context into an experiment.
    pub fn is_experiment(&self) -> bool {
        matches!(self, Serve::Rollout(rollout) if rollout.experiment)
    }
}

impl Rollout {
    fn new(wire: wire::Rollout<'_>) -> Option<Rollout> {
        let variations = weighted_variations(wire.variations.unwrap_or_default());
        if variations.is_empty() {
            return None;
        }
        let experiment = wire.kind.as_deref() == Some("experiment");
        let context_kind = wire.context_kind.as_deref();
        Some(Rollout {
            experiment,
            context_kind: ContextKind::from_option(context_kind),
            bucket_by: if experiment { AttributeRef::Key } else { bucket_by(wire.bucket_by.as_deref(), context_kind) },
            seed: wire.seed.map(|seed| seed.0),
            variations,
        })
    }
}

fn weighted_variations(wire: Vec<wire::WeightedVariation>) -> Box<[WeightedVariation]> {
    let mut bound = 0.0;
    let entry = |entry: wire::WeightedVariation| {
        bound += weight_bound(entry.weight.unwrap_or_default());
        WeightedVariation {
            variation: variation_index(entry.variation.map_or(0, |index| index.0)),
            bound,
            untracked: entry.untracked.unwrap_or_default(),
        }
    };
    wire.into_iter().map(entry).collect()
}

/// The share of all buckets that a weight stands for.
pub(super) fn weight_bound(weight: f64) -> f32 {
    weight as f32 / FULL_WEIGHT
}

/// The attribute to bucket by: the key if none is named.
pub(super) fn bucket_by(text: Option<&str>, context_kind: Option<&str>) -> AttributeRef {
    match AttributeRef::scoped(text, context_kind) {
        AttributeRef::Undefined => AttributeRef::Key,
        reference => reference,
    }
}
