//! A flag, compiled for evaluation.
//!
//! Holds what evaluation, events and all-flags need and nothing else; the raw JSON text is kept by the store.

use std::collections::HashMap;
use std::sync::Arc;

use super::clause::{self, Clauses, asks_for_segments, segment_keys};
use super::regexes::Interner;
use super::serve::Serve;
use super::strings::StringSet;
use super::tally::{Tally, TallyCell};
use super::text::{Piece, Text};
use super::variation::Variation;
use super::wire;
use super::{ContextKind, unix_ms, variation_index};

/// A flag.
#[repr(C)]
#[derive(Clone, Debug)]
pub struct Flag {
    // In this order in memory: what every evaluation reads comes first and shares cache lines.
    /// Whether targeting is on.
    pub on: bool,
    /// Whether evaluating it needs nothing else: no prerequisite and no segment.
    pub alone: bool,
    /// Whether its evaluations need only be counted: none makes a full event from now on, whatever comes out, and summaries
    /// list it.
    pub plain: bool,
    /// The variation served when the flag is off or a prerequisite failed; may be out of range.
    pub off_variation: Option<u32>,
    /// What is served when nothing else matched.
    pub fallthrough: Serve,
    /// Flags that must serve a given variation first, in order.
    pub prerequisites: Box<[Prerequisite]>,
    /// Individual targets in the order in which they are tried.
    pub targets: Box<[Target]>,
    /// The rules, in order.
    pub rules: Box<[Rule]>,
    /// The variations, in order.
    pub variations: Box<[Variation]>,
    /// The key, which also goes into the hash of rollouts.
    pub key: Box<str>,
    /// Goes into the hash of rollouts.
    pub salt: Box<str>,
    /// Grows with every change.
    pub version: i64,
    /// What evaluating it costs at most, apart from expressions and what it refers to, in units of about one clause.
    pub weight: u32,
    /// One in this many full events is sent; none at zero and below.
    pub sampling_ratio: i64,
    /// Set if the flag controls a migration: one in this many consistency checks is made, none at zero and below.
    pub migration_check_ratio: Option<i64>,
    /// Until when evaluations make debug events, in milliseconds since 1970.
    pub debug_events_until: Option<f64>,
    /// Whether every evaluation makes a full event.
    pub track_events: bool,
    /// Whether the fallthrough counts as an experiment.
    pub track_events_fallthrough: bool,
    /// Whether client-side SDKs may see the flag.
    pub client_side: bool,
    /// Whether mobile SDKs may see the flag.
    pub mobile: bool,
    /// Whether summaries leave the flag out.
    pub exclude_from_summaries: bool,
    /// Counts evaluations; see [`Flag::tally`].
    pub counts: TallyCell,
}

/// A flag that must be on and serve this variation.
#[derive(Clone, Debug)]
pub struct Prerequisite {
    /// The key of the other flag.
    pub key: Box<str>,
    /// The index it must serve.
    pub variation: u32,
}

/// Contexts that get a variation because of their key.
#[derive(Clone, Debug)]
pub struct Target {
    /// The kind of the contexts.
    pub context_kind: ContextKind,
    /// Their keys.
    pub values: StringSet,
    /// The index of the variation, which may be out of range.
    pub variation: u32,
}

/// A rule: contexts that pass all clauses get what it serves.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The identifier; empty if it has none.
    pub id: Piece,
    /// The conditions; without any the rule always matches.
    pub clauses: Clauses,
    /// What to serve.
    pub serve: Serve,
    /// Whether a match counts as an experiment.
    pub track_events: bool,
}

impl Flag {
    pub(super) fn new(
        field: &str,
        wire: wire::Flag<'_>,
        text: &Text,
        interner: &mut Interner,
    ) -> Result<Flag, serde_json::Error> {
        let variation = |raw| Variation::new(raw, text);
        let variations = wire.variations.unwrap_or_default().into_iter().map(variation).collect::<Result<_, _>>()?;
        let fallthrough = wire.fallthrough.unwrap_or_default();
        let availability = wire.client_side_availability;
        let targets = targets(wire.targets.unwrap_or_default(), wire.context_targets.unwrap_or_default(), text);
        let rules: Box<[Rule]> =
            wire.rules.unwrap_or_default().into_iter().map(|rule| Rule::new(rule, text, interner)).collect();
        let prerequisites: Box<[Prerequisite]> =
            wire.prerequisites.unwrap_or_default().into_iter().map(Prerequisite::new).collect();
        let weight = targets.len() + rules.iter().map(|rule| clause::weight(&rule.clauses)).sum::<usize>();
        let mut flag = Flag {
            plain: false,
            counts: TallyCell::default(),
            weight: u32::try_from(weight).unwrap_or(u32::MAX),
            key: wire.key.0.as_deref().unwrap_or(field).into(),
            version: wire.version.0.map_or(0, |version| version.0),
            on: wire.on.unwrap_or_default(),
            variations,
            alone: prerequisites.is_empty() && !rules.iter().any(|rule| asks_for_segments(&rule.clauses)),
            prerequisites,
            targets,
            rules,
            fallthrough: Serve::new(fallthrough.variation, fallthrough.rollout),
            off_variation: wire.off_variation.map(|index| variation_index(index.0)),
            salt: wire.salt.as_deref().unwrap_or_default().into(),
            track_events: wire.track_events.unwrap_or_default(),
            track_events_fallthrough: wire.track_events_fallthrough.unwrap_or_default(),
            debug_events_until: wire.debug_events_until_date,
            client_side: match &availability {
                Some(availability) => availability.using_environment_id.unwrap_or_default(),
                None => wire.client_side.unwrap_or_default(),
            },
            mobile: availability.is_none_or(|availability| availability.using_mobile_key.unwrap_or_default()),
            sampling_ratio: wire.sampling_ratio.map_or(1, |ratio| ratio.0),
            exclude_from_summaries: wire.exclude_from_summaries.unwrap_or_default(),
            migration_check_ratio: wire.migration.map(|migration| migration.check_ratio.map_or(1, |ratio| ratio.0)),
        };
        flag.plain = flag.need_only_be_counted();
        Ok(flag)
    }

    /// Whether its evaluations need only be counted from now on; see [`Flag::plain`].
    fn need_only_be_counted(&self) -> bool {
        let experiments = self.rules.iter().any(|rule| rule.track_events || rule.serve.is_experiment());
        !self.track_events
            && !self.track_events_fallthrough
            && !self.exclude_from_summaries
            && !experiments
            && !self.fallthrough.is_experiment()
            && self.debug_events_until.is_none_or(|until| until <= unix_ms() as f64)
    }

    /// What counts the evaluations of this version of the flag; made when first asked for.
    pub fn tally(&self) -> &Arc<Tally> {
        self.counts.get_or_make(|| Tally::new(&self.key, self.version, self.sampling_ratio, &self.variations))
    }

    /// The keys of the prerequisites, in order.
    pub fn prerequisite_keys(&self) -> impl Iterator<Item = &str> {
        self.prerequisites.iter().map(|prerequisite| &*prerequisite.key)
    }

    /// The keys of all segments that the rules name; a key may come more than once.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().flat_map(|rule| segment_keys(&rule.clauses))
    }
}

impl Prerequisite {
    fn new(wire: wire::Prerequisite<'_>) -> Prerequisite {
        Prerequisite {
            key: wire.key.as_deref().unwrap_or_default().into(),
            variation: variation_index(wire.variation.map_or(0, |index| index.0)),
        }
    }
}

impl Rule {
    fn new(wire: wire::Rule<'_>, text: &Text, interner: &mut Interner) -> Rule {
        Rule {
            id: Piece::new(text, wire.id.as_deref().unwrap_or_default()),
            clauses: Clauses::new(wire.clauses, text, interner),
            serve: Serve::new(wire.variation, wire.rollout),
            track_events: wire.track_events.unwrap_or_default(),
        }
    }
}

impl Target {
    fn new(wire: wire::Target<'_>, text: &Text) -> Target {
        Target {
            context_kind: ContextKind::from_option(wire.context_kind.as_deref()),
            variation: variation_index(index(&wire)),
            values: StringSet::new(text, wire.values.unwrap_or_default().iter().map(|value| &**value)),
        }
    }
}

fn index(target: &wire::Target<'_>) -> i64 {
    target.variation.map_or(0, |index| index.0)
}

/// Merges the two lists of targets into the one that is tried.
///
/// With `contextTargets` only its order counts. An entry for users without keys stands for the first entry of `targets`
/// with the same variation; entries of `targets` that nothing stands for are not tried.
fn targets(targets: Vec<wire::Target<'_>>, context_targets: Vec<wire::Target<'_>>, text: &Text) -> Box<[Target]> {
    if context_targets.is_empty() {
        return targets.into_iter().map(|target| Target::new(target, text)).collect();
    }
    let mut first_by_variation: HashMap<i64, wire::Target<'_>> = HashMap::new();
    for target in targets {
        first_by_variation.entry(index(&target)).or_insert(target);
    }
    let mut merged = Vec::with_capacity(context_targets.len());
    for entry in context_targets {
        let user = ContextKind::from_option(entry.context_kind.as_deref()).is_user();
        let placeholder = user && entry.values.as_ref().is_none_or(Vec::is_empty);
        if !placeholder {
            merged.push(Target::new(entry, text));
        } else if let Some(target) = first_by_variation.remove(&index(&entry)) {
            // A second placeholder for the variation finds nothing: it would only repeat the first.
            merged.push(Target::new(wire::Target { context_kind: None, ..target }, text));
        }
    }
    merged.into_boxed_slice()
}
