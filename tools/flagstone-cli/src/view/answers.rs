//! What the page asks for, as JSON: lists, one item, who gets what, the health of the store. Everything is computed from what the
//! client holds; words are those of the command line.

use std::sync::{Arc, Mutex, PoisonError};

use flagstone::client::{Ask, Client, Explanation, Wanted};
use flagstone::context::Context;
use flagstone::eval::explain::ReasonJson;
use flagstone::model::{DefaultValue, Interner, Kind};
use flagstone::store::Snapshot;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::graph::{Graph, users};
use super::journal::Journal;
use super::rows::{flag_row, segment_row};
use crate::commands::verify::{Problem, examine};
use crate::item::{Item, noun};
use crate::output::{Node, Output};
use crate::place::Held;
use crate::row::Row;
use crate::words::explanation::{reason, tree};
use crate::words::outline::{FlagOutline, SegmentOutline};
use crate::words::written::Written;

/// So many problems are told.
const MOST_PROBLEMS: usize = 200;

/// What answers are made of.
pub struct Answers {
    /// What is looked at.
    pub client: Arc<Client>,
    /// What happened.
    pub journal: Arc<Journal>,
    /// Where it is, for people.
    pub place: String,
    /// Differs from that of any other run.
    pub run: String,
    /// What is wrong with a data set, and which one: finding out takes long.
    examined: Mutex<(Arc<Snapshot>, Value)>,
}

/// One flag or segment.
#[derive(Serialize)]
struct Detail {
    row: Row,
    name: Option<String>,
    description: Option<String>,
    flag: Option<FlagOutline>,
    segment: Option<SegmentOutline>,
    remarks: Vec<String>,
    used_by: Vec<Value>,
    graph: Graph,
    /// As it is stored.
    text: String,
}

/// What somebody gets.
#[derive(Serialize)]
struct Given {
    key: String,
    value: Option<String>,
    variation: Option<u32>,
    reason: String,
    stale: bool,
}

#[derive(Serialize)]
struct Explained {
    explanation: Explanation,
    reason: String,
    tree: Node,
}

impl Answers {
    /// Of a client.
    pub fn new(client: Arc<Client>, journal: Arc<Journal>, place: String) -> Self {
        let run = format!("{}-{}", std::process::id(), flagstone::model::unix_ms());
        Self { client, journal, place, run, examined: Mutex::default() }
    }

    fn data(&self) -> Arc<Snapshot> {
        self.client.data().unwrap_or_default()
    }

    /// All flags and segments, and the number of the latest entry of the journal that they contain.
    pub fn lists(&self) -> String {
        let number = self.journal.newest();
        let data = self.data();
        let flags: Vec<Row> = data.flags.iter_sorted().filter_map(|(key, entry)| flag_row(key, entry)).collect();
        let segments: Vec<Row> =
            data.segments.iter_sorted().filter_map(|(key, entry)| segment_row(key, entry)).collect();
        text(&json!({ "run": self.run, "number": number, "place": self.place, "flags": flags, "segments": segments }))
    }

    /// One flag or segment; none if there is none.
    pub fn item(&self, kind: Kind, key: &str) -> Option<String> {
        let data = self.data();
        let (row, newest, good) = match kind {
            Kind::Flag => {
                let entry = data.flags.get(key)?;
                (flag_row(key, entry)?, entry.text().to_vec(), entry.good_text().to_vec())
            }
            Kind::Segment => {
                let entry = data.segments.get(key)?;
                (segment_row(key, entry)?, entry.text().to_vec(), entry.good_text().to_vec())
            }
        };
        let read = Item::new(kind, key.into(), newest.clone()).read(&mut Interner::default());
        let good = Item::new(kind, key.into(), good).written();
        let written = Written::of(good.as_ref().map_or("", |json| RawValue::get(json)));
        let is_readable = row.version.is_some();
        let user = |(kind, key): (Kind, String)| json!({ "kind": noun(kind), "key": key });
        Some(text(&Detail {
            row,
            name: written.members().get("name").some_text(),
            description: written.members().get("description").some_text(),
            flag: (is_readable && kind == Kind::Flag).then(|| FlagOutline::of(written)),
            segment: (is_readable && kind == Kind::Segment).then(|| SegmentOutline::of(written)),
            remarks: read
                .content
                .err()
                .map(|error| error.to_string())
                .into_iter()
                .chain(read.remarks.iter().map(ToString::to_string))
                .collect(),
            used_by: users(kind, key, &data).into_iter().map(user).collect(),
            graph: Graph::around(kind, key, &data),
            text: String::from_utf8_lossy(&newest).into_owned(),
        }))
    }

    /// What this context gets of every flag.
    pub fn everything_for(&self, context: &Context) -> String {
        let data = self.data();
        let ask = Ask::detail(Wanted::Any, DefaultValue::None);
        let given = |key: &str| {
            self.client.evaluate(key, Some(context), ask, |evaluation| {
                let detail = &evaluation.detail;
                Given {
                    key: key.to_owned(),
                    value: detail.variation.map(|variation| crate::words::json(variation.json())),
                    variation: detail.index,
                    reason: reason(&ReasonJson::of(detail.reason, detail.big_segments)),
                    stale: evaluation.stale,
                }
            })
        };
        let live = data.flags.iter_sorted().filter(|(_, entry)| entry.live().is_some());
        text(&live.map(|(key, _)| given(key)).collect::<Vec<_>>())
    }

    /// What this context gets of one flag, and why.
    pub fn explain(&self, key: &str, context: &Context) -> Option<String> {
        let explanation = self.client.explain(key, context).ok()?;
        let tree = tree(&explanation, &Output::unpainted());
        Some(text(&Explained { reason: reason(&explanation.outcome.reason), explanation, tree }))
    }

    /// The store in a few words.
    pub fn pulse(&self) -> String {
        let status = self.status();
        let names = [
            "state",
            "ready",
            "available",
            "verified_age_ms",
            "freshness",
            "freshness_reason",
            "flags",
            "segments",
            "malformed",
            "last_error",
        ];
        let mut pulse: serde_json::Map<String, Value> =
            names.into_iter().map(|name| (name.to_owned(), status[name].clone())).collect();
        pulse.insert("rung".to_owned(), status["watch"]["rung"].clone());
        text(&pulse)
    }

    /// The health of the store.
    pub fn health(&self) -> String {
        let data = self.data();
        let (bytes, problems) = (data.bytes(), self.problems(&data));
        text(&json!({
            "place": self.place,
            "status": self.status(),
            "bytes": bytes,
            "problems": problems,
            "timeline": self.latest(),
        }))
    }

    /// What happened lately.
    pub fn timeline(&self) -> String {
        text(&self.latest())
    }

    fn latest(&self) -> Vec<Box<RawValue>> {
        let entries = self.journal.latest().into_iter();
        entries.filter_map(|entry| RawValue::from_string(entry.to_string()).ok()).collect()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.client.status_json()).unwrap_or_default()
    }

    fn problems(&self, data: &Arc<Snapshot>) -> Value {
        // Nobody panics while it is held.
        let mut examined = self.examined.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&examined.0, data) || examined.1.is_null() {
            let problems = examine(&Held::from(&**data), &Output::unpainted()).problems;
            let first: Vec<&Problem> = problems.iter().take(MOST_PROBLEMS).collect();
            *examined = (Arc::clone(data), json!({ "count": problems.len(), "first": first }));
        }
        examined.1.clone()
    }
}

/// Texts and numbers always have a JSON form.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
