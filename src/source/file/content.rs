//! What one file says: its items, each with the line on which it begins. JSON and YAML become the same. Depends on `model`.

use std::borrow::Cow;
use std::collections::HashMap;

use super::problem::Problem;
use super::yaml::{self, Doubt, line_of};
use crate::model::{Kind, RawMember, ScanError, failing_member, scan_members};

/// The text of a file as JSON.
#[derive(Debug)]
pub(super) struct Document<'a> {
    json: Cow<'a, [u8]>,
    /// Lines of items by section, where the text was no JSON.
    lines: Option<HashMap<Box<str>, Vec<usize>>>,
    /// What may be meant otherwise.
    pub doubt: Option<Doubt>,
}

/// An item of a file; what it says is judged by whoever takes it.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub kind: Kind,
    /// The collection that it is written in.
    pub section: &'static str,
    pub key: &'a str,
    pub json: Cow<'a, [u8]>,
    /// Where it stands in its section, and its value in the text.
    place: (usize, usize),
}

/// The collections, in the order in which they are taken.
const SECTIONS: [(&str, Kind); 3] = [("segments", Kind::Segment), ("flags", Kind::Flag), ("flagValues", Kind::Flag)];

/// The members of the collections of a file.
#[derive(Debug)]
pub(super) struct Members<'a>(Vec<(&'static str, Kind, Vec<RawMember<'a>>)>);

impl<'a> Document<'a> {
    /// The text of a file: JSON if that is how it begins, otherwise YAML.
    pub(super) fn read(text: &'a [u8]) -> Result<Self, Problem> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if text.trim_ascii_start().starts_with(b"{") {
            return Ok(Self { json: Cow::Borrowed(text), lines: None, doubt: None });
        }
        let yaml = yaml::convert(text)?;
        Ok(Self { json: Cow::Owned(yaml.json), lines: Some(yaml.lines), doubt: yaml.doubt })
    }

    /// The members of its collections, other properties are of no concern.
    pub(super) fn members(&self) -> Result<Members<'_>, Problem> {
        let members = scan_members(&self.json).map_err(|error| self.syntax(&self.json, None, error))?;
        let mut found = Vec::new();
        for (section, kind) in SECTIONS {
            let mut values = members.iter().filter(|member| member.key.as_deref() == Some(section));
            let Some(value) = values.next().map(|member| member.value) else { continue };
            if let Some(again) = values.next() {
                return Err(Problem::new(self.line_at(self.offset(again.value)), format!("{section} is given twice")));
            }
            if value != b"null" {
                let members = scan_members(value).map_err(|error| self.syntax(value, Some(section), error))?;
                found.push((section, kind, members));
            }
        }
        Ok(Members(found))
    }

    /// What is wrong with the text, or with a section of it.
    fn syntax(&self, part: &[u8], section: Option<&str>, error: ScanError) -> Problem {
        let problem = Problem::new(self.line_at(self.offset(part) + error.at), format!("{} is missing", error.wanted));
        match (section, failing_member(part)) {
            (Some(section), Some((key, _))) => problem.of(section, &key),
            (Some(section), None) => problem.in_section(section),
            (None, Some((section, begin))) if SECTIONS.iter().any(|(known, _)| *known == section) => {
                match part.get(begin..).and_then(failing_member) {
                    Some((key, _)) => problem.of(&section, &key),
                    None => problem.in_section(&section),
                }
            }
            _ => problem,
        }
    }

    /// Where a part of the text begins in it.
    fn offset(&self, part: &[u8]) -> usize {
        part.as_ptr().addr().saturating_sub(self.json.as_ptr().addr())
    }

    /// The line of a byte; 0 where the text is not that of the file.
    fn line_at(&self, offset: usize) -> usize {
        if self.lines.is_some() { 0 } else { line_of(self.json.get(..offset).unwrap_or(&self.json)) }
    }

    /// A problem with an item.
    pub(super) fn problem(&self, item: &Item<'_>, what: &str) -> Problem {
        let (index, offset) = item.place;
        let (what, below) = without_line(what);
        let line = match &self.lines {
            Some(lines) => lines.get(item.section).and_then(|lines| lines.get(index)).copied().unwrap_or_default(),
            None => self.line_at(offset) + below,
        };
        Problem::new(line, what).of(item.section, item.key)
    }
}

/// A message of the JSON reader without the line of the item on which something is wrong, and how far that is below its first.
fn without_line(what: &str) -> (&str, usize) {
    let split = || {
        let (sentence, place) = what.rsplit_once(" at line ")?;
        let line: usize = place.split_once(" column ")?.0.parse().ok()?;
        Some((sentence, line.saturating_sub(1)))
    };
    split().unwrap_or((what, 0))
}

impl Members<'_> {
    /// The items, one after the other.
    pub(super) fn items(&self, document: &Document<'_>) -> Result<Vec<Item<'_>>, Problem> {
        let mut items = Vec::new();
        for (section, kind, members) in &self.0 {
            for (index, member) in members.iter().enumerate() {
                let offset = document.offset(member.value);
                let Some(key) = member.key.as_deref() else {
                    return Err(Problem::new(document.line_at(offset), "a key is no text").in_section(section));
                };
                let json = if *section == "flagValues" { constant(key, member.value) } else { member.value.into() };
                items.push(Item { kind: *kind, section, key, json, place: (index, offset) });
            }
        }
        Ok(items)
    }
}

/// A flag that has one value for everybody.
fn constant(key: &str, value: &[u8]) -> Cow<'static, [u8]> {
    let head = format!(r#"{{"key":{},"version":1,"on":true,"variations":["#, serde_json::Value::from(key));
    [head.as_bytes(), value, br#"],"fallthrough":{"variation":0}}"#].concat().into()
}
