//! Flags, explanations and differences in words.

pub mod clause;
pub mod difference;
pub mod explanation;
pub mod flag;
pub mod outline;
pub mod serve;
pub mod written;

use console::truncate_str;
use serde_json::Value;

use crate::output::plain;

/// A value in a sentence takes so many columns at most.
const LONGEST_VALUE: usize = 60;

/// A value of which this is the JSON, cut off where it is long.
pub fn json(text: &str) -> String {
    truncate_str(&plain(text), LONGEST_VALUE, "…").into_owned()
}

/// A text in quotes.
pub fn quoted(text: &str) -> String {
    json(&Value::from(text).to_string())
}

/// Some of many: `a, b, … 3 more`.
pub fn some(shown: &[String], count: usize) -> String {
    let mut words = shown.join(", ");
    if count > shown.len() {
        words.push_str(&format!(", … {} more", count - shown.len()));
    }
    words
}
