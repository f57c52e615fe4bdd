//! Writes the state of all flags as JSON text, flag by flag, straight into text: no tree of values is built, and values
//! stay as the flags write them. Decides which metadata belong to a flag. May depend on `eval` and `model`.

use std::fmt::Write as _;
use std::ops::Range;

use crate::eval::{Detail, Reason};
use crate::model::{Flag, VariationValue, write_compact, write_number, write_string};

/// The state where none can be given: the client is not ready, the context is not valid, or Redis cannot be read.
pub const INVALID: &str = r#"{"$valid":false,"$flagsState":{}}"#;

/// What the state of all flags is to contain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AllFlagsOptions {
    /// Only flags that client-side SDKs may see.
    pub client_side_only: bool,
    /// The reason of each value.
    pub with_reasons: bool,
    /// Versions and reasons only for flags whose evaluations make full events, or debug events at present.
    pub details_only_for_tracked_flags: bool,
}

/// The state while it is being written: values and metadata are two texts until the end.
pub struct FlagsState {
    options: AllFlagsOptions,
    /// Present Unix time in milliseconds.
    now: f64,
    values: String,
    metadata: String,
}

/// Room for what a flag usually takes; more grows the texts, less is given back.
const VALUE_ROOM: usize = 48;
const METADATA_ROOM: usize = 80;

impl FlagsState {
    /// Begins a state of about `count` flags.
    pub fn new(options: AllFlagsOptions, now_ms: i64, count: usize) -> Self {
        let mut values = String::with_capacity(count * (VALUE_ROOM + METADATA_ROOM) + INVALID.len());
        values.push('{');
        // Unix times in milliseconds are exact as doubles for the next 280,000 years.
        Self { options, now: now_ms as f64, values, metadata: String::with_capacity(count * METADATA_ROOM) }
    }

    /// Adds a flag with its result. The first `prerequisites` of its prerequisites were evaluated.
    pub fn add(&mut self, key: &str, flag: &Flag, detail: &Detail<'_>, prerequisites: usize) {
        let start = self.values.len();
        write_string(key, &mut self.values);
        self.values.push(':');
        self.add_metadata(start..self.values.len(), flag, detail, prerequisites);
        match detail.variation {
            None => self.values.push_str("null"),
            Some(variation) if matches!(variation.value(), VariationValue::Json(_)) => {
                write_compact(variation.json(), &mut self.values);
            }
            Some(variation) => self.values.push_str(variation.json()),
        }
        self.values.push(',');
    }

    /// Adds metadata under the name that is written at `name` of the values.
    fn add_metadata(&mut self, name: Range<usize>, flag: &Flag, detail: &Detail<'_>, prerequisites: usize) {
        let out = &mut self.metadata;
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(self.values.get(name).unwrap_or_default());
        out.push('{');
        let experiment = is_experiment(flag, &detail.reason);
        let track_events = flag.track_events || experiment;
        let debug_until = flag.debug_events_until.filter(|until| *until != 0.0);
        let omits_details = self.options.details_only_for_tracked_flags
            && !track_events
            && debug_until.is_none_or(|until| until <= self.now);
        let members = out.len();
        if let Some(index) = detail.index {
            out.push_str("\"variation\":");
            write_integer(i64::from(index), out);
            out.push(',');
        }
        if !omits_details {
            out.push_str("\"version\":");
            write_integer(flag.version, out);
            out.push(',');
        }
        if experiment || (self.options.with_reasons && !omits_details) {
            out.push_str("\"reason\":");
            write_reason(detail, out);
            out.push(',');
        }
        if track_events {
            out.push_str("\"trackEvents\":true,");
        }
        if experiment {
            out.push_str("\"trackReason\":true,");
        }
        if let Some(until) = debug_until {
            out.push_str("\"debugEventsUntilDate\":");
            write_number(until, out);
            out.push(',');
        }
        write_prerequisites(flag.prerequisite_keys().take(prerequisites), out);
        if out.len() > members {
            out.pop();
        }
        out.push('}');
    }

    /// The text, complete.
    pub fn finish(self) -> String {
        let mut out = self.values;
        out.push_str("\"$flagsState\":{");
        out.push_str(&self.metadata);
        out.push_str("},\"$valid\":true}");
        out
    }
}

/// Whether the evaluation counts as part of an experiment: its events must be full and carry the reason.
pub(super) fn is_experiment(flag: &Flag, reason: &Reason<'_>) -> bool {
    match *reason {
        Reason::Fallthrough { in_experiment } => in_experiment || flag.track_events_fallthrough,
        Reason::RuleMatch { index, in_experiment, .. } => {
            in_experiment || flag.rules.get(index as usize).is_some_and(|rule| rule.track_events)
        }
        Reason::Off | Reason::TargetMatch | Reason::PrerequisiteFailed { .. } | Reason::Error(_) => false,
    }
}

fn write_prerequisites<'a>(keys: impl Iterator<Item = &'a str>, out: &mut String) {
    let mut open = false;
    for key in keys {
        out.push_str(if open { "," } else { "\"prerequisites\":[" });
        write_string(key, out);
        open = true;
    }
    if open {
        out.push_str("],");
    }
}

pub(super) fn write_reason(detail: &Detail<'_>, out: &mut String) {
    out.push_str("{\"kind\":");
    match detail.reason {
        Reason::Off => out.push_str("\"OFF\""),
        Reason::Fallthrough { in_experiment } => {
            out.push_str("\"FALLTHROUGH\"");
            write_in_experiment(in_experiment, out);
        }
        Reason::TargetMatch => out.push_str("\"TARGET_MATCH\""),
        Reason::RuleMatch { index, id, in_experiment } => {
            out.push_str("\"RULE_MATCH\",\"ruleIndex\":");
            write_integer(i64::from(index), out);
            if !id.is_empty() {
                out.push_str(",\"ruleId\":");
                write_string(id, out);
            }
            write_in_experiment(in_experiment, out);
        }
        Reason::PrerequisiteFailed { key } => {
            out.push_str("\"PREREQUISITE_FAILED\",\"prerequisiteKey\":");
            write_string(key, out);
        }
        Reason::Error(kind) => {
            out.push_str("\"ERROR\",\"errorKind\":\"");
            out.push_str(kind.name());
            out.push('"');
        }
    }
    if let Some(status) = detail.big_segments {
        out.push_str(",\"bigSegmentsStatus\":\"");
        out.push_str(status.name());
        out.push('"');
    }
    out.push('}');
}

fn write_in_experiment(in_experiment: bool, out: &mut String) {
    if in_experiment {
        out.push_str(",\"inExperiment\":true");
    }
}

fn write_integer(number: i64, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{number}");
}
