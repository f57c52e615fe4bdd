//! What waits, and what is taken.

mod contexts;
mod events;
mod races;
mod sums;

use std::num::NonZeroUsize;
use std::time::Duration;

use super::*;
use crate::context::ContextBuilder;
use crate::events::options::Privacy;
use crate::events::summary::Counter;
use crate::events::testing::flag;
use crate::http::HttpOptions;
use crate::model::DefaultValue;

/// Long enough that it never passes in a test.
const LONG: Duration = Duration::from_secs(100_000);

fn options() -> EventsOptions {
    EventsOptions {
        http: HttpOptions::new("", ""),
        base: String::new(),
        capacity: 10_000,
        flush_interval: LONG,
        context_keys_capacity: NonZeroUsize::new(1000).unwrap(),
        context_keys_flush: LONG,
        gzip: false,
        privacy: Privacy::default(),
        omit_anonymous: false,
        diagnostics: None,
        spool: None,
    }
}

/// An inbox with its recorder, as a client has them.
struct Desk {
    inbox: Inbox,
    recorder: Recorder,
}

impl Desk {
    fn new(change: impl FnOnce(&mut EventsOptions)) -> Self {
        let mut options = options();
        change(&mut options);
        Self { inbox: Inbox::new(&options), recorder: Recorder::new(0) }
    }

    /// As a client does it; true when the thread counted by itself.
    fn evaluate(&self, context: &Context, evaluated: &Evaluated<'_>) -> bool {
        let is_counted = evaluated
            .flag
            .is_some_and(|flag| !evaluated.in_experiment && self.recorder.count(flag, evaluated.variation, context));
        if !is_counted {
            self.inbox.evaluation(&self.recorder, context, evaluated);
        }
        is_counted
    }

    fn serve(&self, context: &Context, flag: &Flag, variation: u32) -> bool {
        self.evaluate(context, &served(flag, Some(variation)))
    }

    fn track(&self, context: &Context) {
        self.inbox.custom(&self.recorder, context, "bought", None, None);
    }

    fn identify(&self, context: &Context) {
        self.inbox.identify(&self.recorder, context);
    }

    fn take(&self) -> Batch {
        self.inbox.take(&self.recorder)
    }
}

/// An evaluation of a flag.
fn served(flag: &Flag, variation: Option<u32>) -> Evaluated<'_> {
    Evaluated {
        key: &flag.key,
        flag: Some(flag),
        variation,
        default: DefaultValue::None,
        in_experiment: false,
        reason: None,
        prerequisite_of: None,
    }
}

/// An evaluation of a flag that does not exist.
fn missing(key: &str) -> Evaluated<'_> {
    Evaluated {
        key,
        flag: None,
        variation: None,
        default: DefaultValue::None,
        in_experiment: false,
        reason: None,
        prerequisite_of: None,
    }
}

fn user(key: &str) -> Context {
    Context::from_key("", key).unwrap()
}

fn built(kind: &str, key: &str, build: impl FnOnce(&mut ContextBuilder)) -> Context {
    let mut builder = Context::builder(kind, key);
    build(&mut builder);
    builder.build().unwrap()
}

fn anonymous(kind: &str, key: &str) -> Context {
    built(kind, key, |builder| {
        builder.set("anonymous", crate::model::Value::Bool(true));
    })
}

/// A flag with three variations and these further properties.
fn flag_with(key: &str, version: i64, more: &str) -> Flag {
    flag(&format!(r#"{{"key":"{key}","version":{version},"variations":["a","b","c"]{more}}}"#))
}

/// What happened, in short: the kind of each event and whom or what it is about.
fn told(batch: &Batch) -> Vec<String> {
    let one = |event: &Event| match event {
        Event::Index { context, .. } => format!("index {}", context.canonical_key()),
        Event::Identify { context, .. } => format!("identify {}", context.canonical_key()),
        Event::Evaluation(event) if event.debug => format!("debug {}", event.flag.key()),
        Event::Evaluation(event) => format!("feature {}", event.flag.key()),
        Event::Custom(event) => format!("custom {}", event.key),
        Event::Migration(event) => format!("migration {}", event.key),
    };
    batch.events.iter().map(one).collect()
}

/// The counters of a flag: version, variation, value, count.
type Short = (Option<i64>, Option<u32>, Option<String>, u64);

fn counters(batch: &Batch, key: &str) -> Vec<Short> {
    let short = |counter: &Counter| {
        (counter.version, counter.variation, counter.value.as_deref().map(String::from), counter.count)
    };
    let mut counters: Vec<Short> =
        batch.summary.flags.get(key).map(|flag| flag.counters.iter().map(short).collect()).unwrap_or_default();
    counters.sort();
    counters
}

fn kinds(batch: &Batch, key: &str) -> Vec<String> {
    batch.summary.flags[key].kinds.iter().map(|kind| String::from(&**kind)).collect()
}

fn default(batch: &Batch, key: &str) -> Option<String> {
    batch.summary.flags[key].default.as_deref().map(String::from)
}
