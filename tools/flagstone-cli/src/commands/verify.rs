//! `verify`: every item of a place, and what is wrong with it.

mod checks;

use std::collections::{BTreeMap, HashSet};

use flagstone::model::Interner;
use serde::Serialize;

use crate::arguments::{At, Verify};
use crate::failure::{Failure, Verdict};
use crate::item::{Content, noun};
use crate::output::{Output, count, plain};
use crate::place::{Held, Place};
use checks::Finder;

/// What is wrong with an item.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// `flag` or `segment`.
    pub kind: &'static str,
    /// Its key.
    pub key: String,
    /// It cannot be read; otherwise it can, and part of it makes no sense.
    pub unreadable: bool,
    /// What is wrong, in words.
    pub problem: String,
}

/// Items of a place, read.
pub struct Examined {
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Live flags and segments.
    pub live: [usize; 2],
    /// What remains of deleted ones.
    pub deleted: usize,
}

pub fn run(what: &Verify, at: &At, output: &mut Output) -> Result<Verdict, Failure> {
    let place = what.place.as_ref().map_or_else(|| Place::of(at), |word| Place::parse(word, at));
    let held = place.read_some(output)?;
    let examined = examine(&held, output);
    let verdict = if examined.problems.is_empty() { Verdict::Fine } else { Verdict::Found };
    if output.json {
        let [flags, segments] = examined.live;
        output.json(&serde_json::json!({
            "flags": flags, "segments": segments, "deleted": examined.deleted, "problems": examined.problems,
        }))?;
        return Ok(verdict);
    }
    let bad: HashSet<_> = examined.problems.iter().map(|problem| (problem.kind, problem.key.as_str())).collect();
    for item in held.items().filter(|item| what.all && !bad.contains(&(noun(item.kind), item.key.as_str()))) {
        let mark = output.good("✓");
        output.words(format!("{mark} {} {}", noun(item.kind), plain(&item.key)))?;
    }
    print(&examined.problems, output)?;
    let [flags, segments] = examined.live;
    let sum = format!("{}, {}", count(flags, "flag"), count(segments, "segment"));
    let found = match examined.problems.len() {
        0 => output.good("all of them are good"),
        number => output.bad(count(number, "problem")),
    };
    output.words(format!("{sum}: {found}"))?;
    Ok(verdict)
}

/// One line a problem.
pub fn print(problems: &[Problem], output: &mut Output) -> Result<(), Failure> {
    problems.iter().try_for_each(|problem| {
        let mark = if problem.unreadable { output.bad("✗") } else { output.doubtful("!") };
        let key = output.strong(plain(&problem.key));
        output.words(format!("{mark} {} {key}: {}", problem.kind, plain(&problem.problem)))
    })
}

/// Reads every item, and looks at what it says and refers to.
pub fn examine(held: &Held, output: &Output) -> Examined {
    let mut examined = Examined { problems: Vec::new(), live: [0, 0], deleted: 0 };
    let mut interner = Interner::default();
    let (mut flags, mut segments) = (BTreeMap::new(), BTreeMap::new());
    let mut bar = output.progress("checking", held.flags.len() + held.segments.len());
    for item in held.items() {
        bar.inc(1);
        let read = item.read(&mut interner);
        let mut found = Finder { item, problems: &mut examined.problems };
        if !item.has_text_key {
            found.add(true, "the name of its field is no text in UTF-8".to_owned());
        }
        read.remarks.iter().for_each(|remark| found.add(false, remark.to_string()));
        match read.content {
            Err(error) => found.add(true, error.to_string()),
            Ok(Content::Deleted(_)) => examined.deleted += 1,
            Ok(Content::Flag(flag)) => {
                found.check_key(&flag.key);
                flags.insert(item.key.as_str(), (item, flag));
            }
            Ok(Content::Segment(segment)) => {
                found.check_key(&segment.key);
                segments.insert(item.key.as_str(), (item, segment));
            }
        }
    }
    drop(bar);
    examined.live = [flags.len(), segments.len()];
    for (item, flag) in flags.values() {
        let mut found = Finder { item, problems: &mut examined.problems };
        found.check_flag(flag);
        found.check_prerequisites(flag, |key| flags.get(key).map(|(_, flag)| &**flag));
        found.check_segments(flag.segments(), |key| segments.contains_key(key));
    }
    for (item, segment) in segments.values() {
        let mut found = Finder { item, problems: &mut examined.problems };
        found.check_segment(segment);
        found.check_segments(segment.segments(), |key| segments.contains_key(key));
        found.check_circle(&segment.key, segment.segments(), "segments", |key| {
            segments.get(key).into_iter().flat_map(|(_, segment)| segment.segments())
        });
    }
    examined
}
