//! A batch as the JSON text that is sent: exactly the properties that the schema of events has, and no null where it has none.
//!
//! Everything goes straight into one buffer. Nothing here can fail: what JSON cannot say is left out where an event is whole
//! without it. Depends on `event`, `summary`, `inbox` and `redaction`.

mod migration;

use std::fmt::{Display, Write as _};

use super::event::{Custom, Evaluation, Event};
use super::inbox::Batch;
use super::redaction::Redaction;
use super::summary::{Counter, FlagSummary, Summary};
use crate::context::Context;
use crate::model::{write_number, write_string};

/// Bytes that an event takes, roughly: a good guess spares most of the growing.
const USUAL_EVENT: usize = 300;
/// Bytes that a flag takes in a summary, roughly.
const USUAL_FLAG: usize = 150;

/// What is sent of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// A JSON array.
    pub(super) json: Vec<u8>,
    /// How many elements it has.
    pub(super) elements: usize,
}

/// Writes the events in order, and the summary behind them if something was counted.
pub(super) fn write(batch: &Batch, redaction: &Redaction) -> Written {
    let expected = batch.events.len() * USUAL_EVENT + batch.summary.flags.len() * USUAL_FLAG;
    let mut writer = Writer { out: String::with_capacity(expected), redaction, elements: 0 };
    for event in &batch.events {
        writer.element(|writer| writer.event(event));
    }
    if batch.summary.flags.values().any(FlagSummary::has_counted) {
        writer.element(|writer| writer.summary(&batch.summary));
    }
    writer.end()
}

/// Writes one array.
struct Writer<'a> {
    out: String,
    redaction: &'a Redaction,
    elements: usize,
}

impl Writer<'_> {
    fn element(&mut self, write: impl FnOnce(&mut Self)) {
        self.out.push(if self.elements == 0 { '[' } else { ',' });
        self.elements += 1;
        write(self);
        self.out.push('}');
    }

    fn end(mut self) -> Written {
        self.out.push_str(if self.elements == 0 { "[]" } else { "]" });
        Written { json: self.out.into_bytes(), elements: self.elements }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Index { at, context } => self.begin("index", *at, None, context, false),
            Event::Identify { at, context } => self.begin("identify", *at, None, context, false),
            Event::Evaluation(evaluation) => self.evaluation(evaluation),
            Event::Custom(custom) => self.custom(custom),
            Event::Migration(migration) => self.migration(migration),
        }
    }

    /// What all events have, without the end.
    fn begin(&mut self, kind: &str, at: i64, key: Option<&str>, context: &Context, hides_anonymous: bool) {
        self.out.push_str("{\"kind\":\"");
        self.out.push_str(kind);
        self.out.push('"');
        self.integer(",\"creationDate\":", at);
        if let Some(key) = key {
            self.string(",\"key\":", key);
        }
        self.out.push_str(",\"context\":");
        self.redaction.write(context, hides_anonymous, &mut self.out);
    }

    fn evaluation(&mut self, evaluation: &Evaluation) {
        let Evaluation { at, context, flag, variation, default, .. } = evaluation;
        let kind = if evaluation.debug { "debug" } else { "feature" };
        self.begin(kind, *at, Some(flag.key()), context, !evaluation.debug);
        self.ratio(flag.sampling_ratio());
        self.integer(",\"version\":", flag.version());
        if let Some(variation) = variation {
            self.integer(",\"variation\":", *variation);
        }
        let value = variation.map_or(default.as_deref(), |variation| flag.value(variation));
        self.json(",\"value\":", value.unwrap_or("null"));
        if let Some(default) = given(default.as_deref()) {
            self.json(",\"default\":", default);
        }
        if let Some(key) = &evaluation.prerequisite_of {
            self.string(",\"prereqOf\":", key);
        }
        if let Some(reason) = &evaluation.reason {
            self.json(",\"reason\":", reason);
        }
    }

    fn custom(&mut self, custom: &Custom) {
        self.begin("custom", custom.at, Some(&custom.key), &custom.context, true);
        if let Some(data) = &custom.data {
            self.json(",\"data\":", data);
        }
        if let Some(metric) = custom.metric.filter(|metric| metric.is_finite()) {
            self.number(",\"metricValue\":", metric);
        }
    }

    fn summary(&mut self, summary: &Summary) {
        self.out.push_str("{\"kind\":\"summary\"");
        self.integer(",\"startDate\":", summary.start);
        self.integer(",\"endDate\":", summary.end);
        self.out.push_str(",\"features\":{");
        let mut flags: Vec<_> = summary.flags.iter().filter(|(_, flag)| flag.has_counted()).collect();
        flags.sort_unstable_by_key(|(key, _)| *key);
        for (position, (key, flag)) in flags.into_iter().enumerate() {
            self.string(comma(position), key);
            self.flag(flag);
        }
        self.out.push('}');
    }

    fn flag(&mut self, flag: &FlagSummary) {
        self.json(":{\"default\":", flag.default.as_deref().unwrap_or("null"));
        self.out.push_str(",\"contextKinds\":[");
        for (position, kind) in flag.kinds.iter().enumerate() {
            self.string(comma(position), kind);
        }
        self.out.push_str("],\"counters\":[");
        for (position, counter) in flag.counters.iter().enumerate() {
            self.out.push_str(comma(position));
            self.counter(counter);
        }
        self.out.push_str("]}");
    }

    fn counter(&mut self, counter: &Counter) {
        self.json("{\"value\":", counter.value.as_deref().unwrap_or("null"));
        match counter.version {
            Some(version) => self.integer(",\"version\":", version),
            None => self.out.push_str(",\"unknown\":true"),
        }
        if let Some(variation) = counter.variation {
            self.integer(",\"variation\":", variation);
        }
        self.integer(",\"count\":", counter.count);
        self.out.push('}');
    }

    /// The sampling ratio, unless it is one in one.
    fn ratio(&mut self, ratio: i64) {
        if ratio != 1 {
            self.integer(",\"samplingRatio\":", ratio);
        }
    }

    fn integer(&mut self, name: &str, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = write!(self.out, "{name}{value}");
    }

    fn number(&mut self, name: &str, value: f64) {
        self.out.push_str(name);
        write_number(value, &mut self.out);
    }

    fn string(&mut self, name: &str, value: &str) {
        self.out.push_str(name);
        write_string(value, &mut self.out);
    }

    /// `value` is JSON already.
    fn json(&mut self, name: &str, value: &str) {
        self.out.push_str(name);
        self.out.push_str(value);
    }
}

/// A default that is worth telling.
fn given(default: Option<&str>) -> Option<&str> {
    default.filter(|default| *default != "null")
}

/// What stands before the item of a list at this position.
fn comma(position: usize) -> &'static str {
    if position == 0 { "" } else { "," }
}

#[cfg(test)]
mod tests;
