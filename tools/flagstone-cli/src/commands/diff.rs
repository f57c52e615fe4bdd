//! `diff`: two places, item by item. What counts is what an item says, not how its text is written.

use std::collections::BTreeSet;

use flagstone::model::{Interner, Kind};
use serde::Serialize;

use crate::arguments::{At, Diff};
use crate::failure::{Failure, Verdict};
use crate::item::{Item, noun};
use crate::output::{Output, plain};
use crate::place::{Held, Place};
use crate::words::difference;

/// How an item differs.
#[derive(Serialize)]
struct Difference {
    kind: &'static str,
    key: String,
    /// `added`, `removed` or `changed`.
    what: &'static str,
    before_version: Option<i64>,
    after_version: Option<i64>,
    changes: Vec<String>,
}

pub fn run(what: &Diff, at: &At, output: &mut Output) -> Result<Verdict, Failure> {
    let before = Place::parse(&what.before, at);
    let after = what.after.as_ref().map_or_else(|| Place::of(at), |word| Place::parse(word, at));
    let (old, new) = (before.read(output)?, after.read(output)?);
    let mut differences = differences(Kind::Flag, &old, &new);
    differences.extend(self::differences(Kind::Segment, &old, &new));
    let verdict = if differences.is_empty() { Verdict::Fine } else { Verdict::Found };
    if output.json {
        output.json(&differences)?;
        return Ok(verdict);
    }
    let (old_sign, new_sign) = (output.bad("−"), output.good("+"));
    output.words(format!("{old_sign} {}", plain(&before.describe())))?;
    output.words(format!("{new_sign} {}", plain(&after.describe())))?;
    if !what.summary {
        differences.iter().try_for_each(|difference| print(difference, output))?;
    }
    let number = |what| differences.iter().filter(|difference| difference.what == what).count();
    let (added, removed, changed) = (number("added"), number("removed"), number("changed"));
    let same = old.flags.len() + old.segments.len() - removed - changed;
    let sum = format!("{added} added, {removed} removed, {changed} changed, {same} the same");
    let sum = output.faint(sum);
    output.words(sum)?;
    Ok(verdict)
}

fn print(difference: &Difference, output: &mut Output) -> Result<(), Failure> {
    let sign = match difference.what {
        "added" => output.good("+"),
        "removed" => output.bad("−"),
        _ => output.doubtful("~"),
    };
    let version = |version: Option<i64>| version.map_or_else(|| "unreadable".to_owned(), |version| version.to_string());
    let versions = match (difference.what, difference.before_version, difference.after_version) {
        ("added", _, after) => format!("version {}", version(after)),
        ("removed", before, _) => format!("version {}", version(before)),
        (_, before, after) if before == after => format!("version {} in both", version(before)),
        (_, before, after) => format!("version {} → {}", version(before), version(after)),
    };
    let key = output.strong(plain(&difference.key));
    let words = difference.changes.join("; ");
    let words = if words.is_empty() { String::new() } else { format!(": {}", plain(&words)) };
    output.words(format!("{sign} {} {key}  {versions}{words}", difference.kind))
}

fn differences(kind: Kind, old: &Held, new: &Held) -> Vec<Difference> {
    let keys: BTreeSet<&str> = old.of(kind).iter().chain(new.of(kind)).map(|item| item.key.as_str()).collect();
    let mut interner = Interner::default();
    let mut version = |item: Option<&Item>| {
        let content = item?.read(&mut interner).content;
        content.ok().map(|content| content.version())
    };
    let mut differences = Vec::new();
    for key in keys {
        let (before, after) = (old.find(kind, key), new.find(kind, key));
        let Some((what, changes)) = compare(before, after) else { continue };
        let (before_version, after_version) = (version(before), version(after));
        let key = key.to_owned();
        differences.push(Difference { kind: noun(kind), key, what, before_version, after_version, changes });
    }
    differences
}

fn compare(before: Option<&Item>, after: Option<&Item>) -> Option<(&'static str, Vec<String>)> {
    match (before, after) {
        (None, _) => Some(("added", Vec::new())),
        (_, None) => Some(("removed", Vec::new())),
        (Some(before), Some(after)) if before.text == after.text => None,
        (Some(before), Some(after)) => {
            let (old, new) = (before.json(), after.json());
            // Texts that are no JSON have no meaning beside their bytes.
            let is_equal = !old.is_null() && old == new;
            (!is_equal).then(|| ("changed", difference::words(&old, &new)))
        }
    }
}
