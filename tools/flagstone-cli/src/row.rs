//! A flag or segment as a row of a list, for people and as JSON.

use flagstone::model::{Flag, Segment};
use serde::Serialize;

use crate::words::serve::otherwise;

/// A flag or segment in a list.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its key.
    pub key: String,
    /// None for what cannot be read.
    pub version: Option<i64>,
    /// Of a flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
    /// What a flag serves to whoever no target and no rule names, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serves: Option<String>,
    /// The number of a flag's target lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<usize>,
    /// The number of rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<usize>,
    /// The keys of a flag's prerequisites.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prerequisites: Vec<String>,
    /// Whether a segment's members are in a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub big: Option<bool>,
    /// The length of its text.
    pub bytes: usize,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Row {
    /// Of an item of which no more is known.
    pub fn new(key: &str, bytes: usize) -> Self {
        Self {
            key: key.to_owned(),
            version: None,
            on: None,
            serves: None,
            targets: None,
            rules: None,
            prerequisites: Vec::new(),
            big: None,
            bytes,
            error: None,
        }
    }

    /// Of a flag.
    pub fn with_flag(self, flag: &Flag) -> Self {
        Self {
            version: Some(flag.version),
            on: Some(flag.on),
            serves: Some(otherwise(flag)),
            targets: Some(flag.targets.len()),
            rules: Some(flag.rules.len()),
            prerequisites: flag.prerequisite_keys().map(str::to_owned).collect(),
            ..self
        }
    }

    /// Of a segment.
    pub fn with_segment(self, segment: &Segment) -> Self {
        let rules = Some(segment.rules.len());
        Self { version: Some(segment.version), rules, big: Some(segment.unbounded.is_some()), ..self }
    }
}
