//! Tests of evaluation: a small world of items in JSON, and an outcome per line.

mod clauses;
mod explanations;
mod flags;
mod limits;
mod segments;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::*;
use crate::model::{Found, Interner, Membership, Parsed, Segment, VariationValue, parse_flag, parse_segment};

/// The store of a test. Items that do not parse are unreadable.
#[derive(Default)]
pub(super) struct World {
    flags: HashMap<String, Option<Flag>>,
    segments: HashMap<String, Option<Segment>>,
    /// Context key to status and references; without any, no store is configured.
    big: HashMap<String, (BigSegmentsStatus, Option<Arc<Membership>>)>,
    queries: std::cell::RefCell<Vec<String>>,
}

impl World {
    pub(super) fn flag(mut self, json: &str) -> World {
        if let Ok(Parsed::Live(flag)) = parse_flag("", json.as_bytes(), &mut Interner::default()) {
            self.flags.insert(flag.key.to_string(), Some(flag));
        } else {
            panic!("not a flag: {json}");
        }
        self
    }

    pub(super) fn segment(mut self, json: &str) -> World {
        match parse_segment("", json.as_bytes(), &mut Interner::default()) {
            Ok(Parsed::Live(segment)) => {
                self.segments.insert(segment.key.to_string(), Some(segment));
            }
            other => panic!("not a segment: {json}: {other:?}"),
        }
        self
    }

    pub(super) fn unreadable(mut self, key: &str) -> World {
        self.flags.insert(key.to_owned(), None);
        self.segments.insert(key.to_owned(), None);
        self
    }

    /// What the big-segment store says about a key: included (`+`) and excluded (`-`) references.
    pub(super) fn big(mut self, key: &str, status: BigSegmentsStatus, references: &[&str]) -> World {
        let signed = |sign| references.iter().filter_map(move |text| text.strip_prefix(sign));
        let membership = Membership::new(signed('+'), signed('-'));
        let known = status != BigSegmentsStatus::StoreError;
        self.big.insert(key.to_owned(), (status, known.then(|| Arc::new(membership))));
        self
    }

    /// The flag `f`, evaluated: `value/index/REASON` with the details of the reason, then events and queries.
    pub(super) fn outcome(&self, context: &str) -> String {
        let context = Context::from_json(context).unwrap();
        self.outcome_for(&context)
    }

    pub(super) fn outcome_for(&self, context: &Context) -> String {
        let flag = self.flags["f"].as_ref().unwrap();
        let mut events = Events::default();
        let detail = evaluate(flag, context, self, self, &mut events);
        let mut out = describe(&detail);
        for event in &events.0 {
            let _ = write!(out, " {event}");
        }
        out
    }
}

impl Lookup for World {
    type FlagRef<'a> = &'a Flag;
    type SegmentRef<'a> = &'a Segment;

    fn flag(&self, key: &str) -> Found<&Flag> {
        found(&self.flags, key)
    }

    fn segment(&self, key: &str) -> Found<&Segment> {
        found(&self.segments, key)
    }
}

fn found<'a, T>(items: &'a HashMap<String, Option<T>>, key: &str) -> Found<&'a T> {
    match items.get(key) {
        Some(Some(item)) => Found::Item(item),
        Some(None) => Found::Unreadable,
        None => Found::Missing,
    }
}

impl Memberships for World {
    fn membership(&self, context_key: &str) -> MembershipAnswer {
        self.queries.borrow_mut().push(context_key.to_owned());
        match self.big.get(context_key) {
            Some((status, membership)) => MembershipAnswer { membership: membership.clone(), status: *status },
            None => NoMemberships.membership(context_key),
        }
    }
}

#[derive(Default)]
struct Events(Vec<String>);

impl Observer for Events {
    fn prerequisite(&mut self, owner: &Flag, prerequisite: &Flag, detail: &Detail<'_>) {
        self.0.push(format!("{}>{}={}", owner.key, prerequisite.key, describe(detail)));
    }
}

fn describe(detail: &Detail<'_>) -> String {
    assert_eq!(detail.variation.is_some(), detail.index.is_some());
    let value = match detail.variation.map(crate::model::Variation::value) {
        None => "default".to_owned(),
        Some(VariationValue::String(text)) => text.to_owned(),
        Some(other) => format!("{other:?}"),
    };
    let index = detail.index.map_or("-".to_owned(), |index| index.to_string());
    let reason = match detail.reason {
        Reason::Off => "OFF".to_owned(),
        Reason::Fallthrough { in_experiment: false } => "FALLTHROUGH".to_owned(),
        Reason::Fallthrough { in_experiment: true } => "FALLTHROUGH(experiment)".to_owned(),
        Reason::TargetMatch => "TARGET_MATCH".to_owned(),
        Reason::RuleMatch { index, id, in_experiment } => {
            format!("RULE_MATCH({index},{id}{})", if in_experiment { ",experiment" } else { "" })
        }
        Reason::PrerequisiteFailed { key } => format!("PREREQUISITE_FAILED({key})"),
        Reason::Error(kind) => format!("{kind:?}"),
    };
    let status = detail.big_segments.map_or(String::new(), |status| format!("+{status:?}"));
    format!("{value}/{index}/{reason}{status}")
}

pub(super) const MATCH: &str = "V2/2/RULE_MATCH(0,r)";
pub(super) const FALL: &str = "V1/1/FALLTHROUGH";
pub(super) const MALFORMED: &str = "default/-/MalformedFlag";
pub(super) const EXCEPTION: &str = "default/-/Exception";
pub(super) const USER: &str = r#"{"kind":"user","key":"u"}"#;

/// The base flag with other properties; the last of a repeated property counts.
pub(super) fn base(key: &str, properties: &str) -> String {
    format!(
        r#"{{"key":"{key}","version":1,"on":true,"variations":["V0","V1","V2"],"offVariation":0,"fallthrough":{{"variation":1}},"salt":"salt"{}{properties}}}"#,
        if properties.is_empty() { "" } else { "," }
    )
}

/// The base flag `f` with one rule of these clauses.
pub(super) fn ruled(clauses: &str) -> String {
    base("f", &format!(r#""rules":[{{"id":"r","variation":2,"clauses":[{clauses}]}}]"#))
}
