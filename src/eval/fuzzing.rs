//! Fuzz targets of evaluation: any flags and segments for any context, in bounded time, with the same result however it is asked
//! for. Depends on `model` and `context`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a target fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::explain::{FlagStep, explain};
use super::{
    BigSegmentsStatus, Detail, MembershipAnswer, Memberships, NoMemberships, Observer, Reason, Trouble, evaluate,
};
use crate::context::Context;
use crate::model::choices::Choices;
use crate::model::worlds::World;
use crate::model::{
    Flag, Found, Interner, Lookup, Membership, ParseError, Parsed, Segment, parse_flag, parse_segment, scan_elements,
    scan_member, scan_members,
};

/// Far more than the budget of an evaluation takes on a busy machine, with all instruments.
const LONGEST: Duration = Duration::from_secs(20);

/// So many flags of a world are evaluated, for so many contexts: more find nothing else and take longer.
const MOST: usize = 4;

/// A world that is put together by the bytes.
pub fn evaluation(data: &[u8]) {
    let world = World::of(&mut Choices::new(data));
    let text = |(key, text): (String, String)| (key, text.into_bytes());
    let items = Items::read(world.flags.into_iter().map(text), world.segments.into_iter().map(text));
    for context in world.contexts.iter().filter_map(|json| Context::from_json(json).ok()) {
        items.check(&context);
    }
}

/// A world as JSON: an object of `flags`, `segments` and `context`, or a list of `contexts`.
pub fn evaluation_json(data: &[u8]) {
    let members = |name| {
        let members = scan_member(data, name).and_then(|object| scan_members(object).ok()).unwrap_or_default();
        members.into_iter().filter_map(|member| Some((member.key?.into_owned(), member.value.to_vec())))
    };
    let items = Items::read(members("flags"), members("segments"));
    let listed = scan_member(data, "contexts").and_then(|list| scan_elements(list).ok()).unwrap_or_default();
    for context in listed.into_iter().take(MOST).chain(scan_member(data, "context")) {
        let context = std::str::from_utf8(context).ok().and_then(|text| Context::from_json(text).ok());
        context.iter().for_each(|context| items.check(context));
    }
}

/// Items by key; those that cannot be read are none.
struct Items {
    flags: BTreeMap<String, Option<Flag>>,
    segments: BTreeMap<String, Option<Segment>>,
}

impl Items {
    fn read(flags: impl Iterator<Item = (String, Vec<u8>)>, segments: impl Iterator<Item = (String, Vec<u8>)>) -> Self {
        let interner = &mut Interner::default();
        let flags =
            flags.filter_map(|(key, text)| live(parse_flag(&key, &text, interner)).map(|it| (key, it))).collect();
        let segments =
            segments.filter_map(|(key, text)| live(parse_segment(&key, &text, interner)).map(|it| (key, it))).collect();
        Self { flags, segments }
    }

    fn check(&self, context: &Context) {
        for flag in self.flags.values().flatten().take(MOST) {
            let started = Instant::now();
            self.check_flag(flag, context, &NoMemberships);
            self.check_flag(flag, context, &Members);
            assert!(started.elapsed() < LONGEST, "{:?}", started.elapsed());
        }
    }

    fn check_flag(&self, flag: &Flag, context: &Context, memberships: &impl Memberships) {
        let detail = evaluate(flag, context, self, memberships, &mut ());
        check_detail(flag, &detail);
        let mut counts = Counts::default();
        assert_same(&detail, &evaluate(flag, context, self, memberships, &mut counts));
        let mut told = Counts::default();
        let recorded = explain(flag, context, self, memberships, &mut told);
        assert_same(&detail, &recorded.detail);
        assert_eq!(counts, told, "whoever looks on is told the same");
        assert!(recorded.troubles.len() >= told.troubles, "and what looks at everything no less");
        check_steps(flag, &detail, &recorded.flag.unwrap());
    }
}

fn live<T>(parsed: Result<Parsed<T>, ParseError>) -> Option<Option<T>> {
    match parsed {
        Ok(Parsed::Live(item)) => Some(Some(item)),
        Ok(Parsed::Tombstone { .. }) => None,
        Err(_) => Some(None),
    }
}

/// Index and value belong together, and the reason is one that the flag can give.
fn check_detail(flag: &Flag, detail: &Detail<'_>) {
    let served = detail.index.map(|index| &flag.variations[index as usize]);
    match (served, detail.variation) {
        (Some(served), Some(variation)) => assert!(std::ptr::eq(served, variation)),
        (None, None) => {}
        other => panic!("{other:?}"),
    }
    match detail.reason {
        Reason::Off => assert!(!flag.on && detail.index == flag.off_variation),
        Reason::PrerequisiteFailed { key } => {
            assert!(flag.on && flag.prerequisite_keys().any(|prerequisite| prerequisite == key));
            assert_eq!(detail.index, flag.off_variation);
        }
        Reason::RuleMatch { index, id, .. } => assert_eq!(&*flag.rules[index as usize].id, id),
        Reason::TargetMatch => assert!(!flag.targets.is_empty() && detail.index.is_some()),
        Reason::Fallthrough { .. } => assert!(detail.index.is_some()),
        Reason::Error(_) => assert!(detail.index.is_none()),
    }
}

fn assert_same(one: &Detail<'_>, other: &Detail<'_>) {
    let parts = |detail: &Detail<'_>| (detail.index, detail.big_segments);
    assert_eq!((parts(one), one.reason), (parts(other), other.reason));
}

/// What was written down of the evaluation is what came of it.
fn check_steps(flag: &Flag, detail: &Detail<'_>, step: &FlagStep) {
    assert_eq!((&*step.key, step.version, step.on), (&*flag.key, flag.version, flag.on));
    assert!(step.rules.len() <= flag.rules.len() && step.prerequisites.len() <= flag.prerequisites.len());
    if let Some(outcome) = &step.outcome
        && detail.index.is_some()
    {
        assert_eq!((outcome.variation, outcome.reason.kind), (detail.index, detail.reason.kind()));
    }
    if let Reason::RuleMatch { index, .. } = detail.reason {
        assert_eq!(step.rules.last().map(|rule| (rule.index, rule.matched)), Some((index as usize, Some(true))));
    }
    assert!(serde_json::to_string(step).is_ok());
}

#[derive(Debug, Default, PartialEq)]
struct Counts {
    prerequisites: usize,
    troubles: usize,
}

impl Observer for Counts {
    fn prerequisite(&mut self, _: &Flag, prerequisite: &Flag, detail: &Detail<'_>) {
        check_detail(prerequisite, detail);
        self.prerequisites += 1;
    }

    fn trouble(&mut self, _: Trouble<'_>) {
        self.troubles += 1;
    }
}

impl Lookup for Items {
    type FlagRef<'a> = &'a Flag;
    type SegmentRef<'a> = &'a Segment;

    fn flag(&self, key: &str) -> Found<&Flag> {
        found(&self.flags, key)
    }

    fn segment(&self, key: &str) -> Found<&Segment> {
        found(&self.segments, key)
    }
}

fn found<'a, T>(items: &'a BTreeMap<String, Option<T>>, key: &str) -> Found<&'a T> {
    match items.get(key) {
        Some(Some(item)) => Found::Item(item),
        Some(None) => Found::Unreadable,
        None => Found::Missing,
    }
}

/// Members of big segments by the first letter of the context's key.
struct Members;

impl Memberships for Members {
    fn membership(&self, context_key: &str) -> MembershipAnswer {
        let (membership, status) = match context_key.bytes().next() {
            None | Some(b'x') => (None, BigSegmentsStatus::StoreError),
            Some(b'a') => (Some(Membership::new(["s0.g1", "s2.g1"], ["s1.g1"])), BigSegmentsStatus::Healthy),
            Some(_) => (Some(Membership::new(["s1.g1"], ["s0.g1"])), BigSegmentsStatus::Stale),
        };
        MembershipAnswer { membership: membership.map(Arc::new), status }
    }
}
