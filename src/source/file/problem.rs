//! What is wrong with a file, and where: line and item. Depends on `model` for texts of others.

use std::fmt;

use crate::model::excerpt;

/// Most characters that are repeated of a key.
const LONGEST_KEY: usize = 100;

/// A sentence about a place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The line, from 1; 0 where it is not known.
    pub line: usize,
    /// What it is about, for example `flag "x"`.
    pub item: Option<String>,
    pub what: String,
}

impl Problem {
    /// About the file as a whole.
    pub(super) fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, item: None, what: what.into() }
    }

    /// The same about an item.
    pub(super) fn of(self, section: &str, key: &str) -> Self {
        let kind = if section == "segments" { "segment" } else { "flag" };
        Self { item: Some(format!("{kind} {:?}", excerpt(key, LONGEST_KEY))), ..self }
    }
}

impl Problem {
    /// The same about a collection.
    pub(super) fn in_section(self, section: &str) -> Self {
        Self { item: self.item.or_else(|| Some(section.to_owned())), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        if let Some(item) = &self.item {
            write!(f, " {item}:")?;
        }
        write!(f, " {}", self.what)
    }
}
