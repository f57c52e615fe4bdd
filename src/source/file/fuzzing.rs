//! Fuzz target of data files: whatever is in them, there are items or there is a line on which something is wrong. Depends on
//! `model`.
#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use super::content::{Document, Item};
use super::yaml;
use crate::model::{Value, exceeds_depth};

/// A file of JSON or YAML. What is JSON says the same as YAML, if it is one.
pub fn data_file(data: &[u8]) {
    let lines = data.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 2;
    let read = || {
        let document = Document::read(data)?;
        let members = document.members()?;
        for item in members.items(&document)? {
            check(&document, &item, lines);
        }
        Ok::<(), super::Problem>(())
    };
    if let Err(problem) = read() {
        assert!(problem.line <= lines && !problem.what.is_empty(), "{problem}");
    }
    let Ok(converted) = yaml::convert(data) else { return };
    assert!(!exceeds_depth(&converted.json));
    let value = serde_json::from_slice::<Value>(&converted.json);
    if let (Ok(json), Ok(yaml)) = (serde_json::from_slice::<Value>(data), value) {
        assert_eq!(json, yaml);
    }
}

fn check(document: &Document<'_>, item: &Item<'_>, lines: usize) {
    let problem = document.problem(item, "it makes no sense at line 1 column 1");
    assert!(problem.line <= lines && problem.item.is_some(), "{problem}");
}
