//! `verify`: every item of a place, and what is wrong with it.

use std::collections::{BTreeMap, HashSet};

use flagstone::model::{Flag, Interner, Serve};
use serde::Serialize;

use crate::arguments::{At, Verify};
use crate::failure::{Failure, Verdict};
use crate::item::{Content, Item, noun};
use crate::output::{Output, count, plain};
use crate::place::{Held, Place};

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
        output.line(format!("{mark} {} {}", noun(item.kind), plain(&item.key)))?;
    }
    print(&examined.problems, output)?;
    let [flags, segments] = examined.live;
    let sum = format!("{}, {}", count(flags, "flag"), count(segments, "segment"));
    let found = match examined.problems.len() {
        0 => output.good("all of them are good"),
        number => output.bad(count(number, "problem")),
    };
    output.line(format!("{sum}: {found}"))?;
    Ok(verdict)
}

/// One line a problem.
pub fn print(problems: &[Problem], output: &mut Output) -> Result<(), Failure> {
    problems.iter().try_for_each(|problem| {
        let mark = if problem.unreadable { output.bad("✗") } else { output.doubtful("!") };
        let key = output.strong(plain(&problem.key));
        output.line(format!("{mark} {} {key}: {}", problem.kind, plain(&problem.problem)))
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
    let named: HashSet<&str> = segments.keys().copied().collect();
    for (item, flag) in flags.values() {
        let mut found = Finder { item, problems: &mut examined.problems };
        found.check_variations(flag);
        let missing = flag.prerequisites().filter(|key| !flags.contains_key(key));
        missing.for_each(|key| found.add(false, format!("prerequisite {key:?} does not exist: it is never met")));
        found.check_segments(flag.segments(), &named);
        if requires_itself(flag, &flags) {
            found.add(false, "its prerequisites form a circle".to_owned());
        }
    }
    for (item, segment) in segments.values() {
        Finder { item, problems: &mut examined.problems }.check_segments(segment.segments(), &named);
    }
    examined
}

/// Adds problems of one item.
struct Finder<'a> {
    item: &'a Item,
    problems: &'a mut Vec<Problem>,
}

impl Finder<'_> {
    fn add(&mut self, unreadable: bool, problem: String) {
        let key = self.item.key.clone();
        self.problems.push(Problem { kind: noun(self.item.kind), key, unreadable, problem });
    }

    fn check_key(&mut self, key: &str) {
        if key != self.item.key {
            self.add(false, format!("it is stored under its key, and calls itself {key:?}"));
        }
    }

    fn check_segments<'k>(&mut self, named: impl Iterator<Item = &'k str>, known: &HashSet<&str>) {
        let missing: HashSet<&str> = named.filter(|key| !known.contains(key)).collect();
        let mut missing: Vec<&str> = missing.into_iter().collect();
        missing.sort_unstable();
        missing.iter().for_each(|key| self.add(false, format!("segment {key:?} does not exist: nobody is in it")));
    }

    fn check_variations(&mut self, flag: &Flag) {
        let count = flag.variations.len();
        let mut check = |index: u32, what: String| {
            if index as usize >= count {
                self.add(false, format!("{what} serves a variation that it does not have: it has {count}"));
            }
        };
        if let Some(index) = flag.off_variation {
            check(index, "when off it".to_owned());
        }
        for target in &flag.targets {
            check(target.variation, "a target list".to_owned());
        }
        let rules = flag.rules.iter().enumerate().map(|(index, rule)| (&rule.serve, format!("rule {}", index + 1)));
        let mut nothing = Vec::new();
        for (serve, what) in rules.chain([(&flag.fallthrough, "the fallthrough".to_owned())]) {
            match serve {
                Serve::Nothing => nothing.push(what),
                Serve::Variation(index) => check(*index, what),
                Serve::Rollout(rollout) => {
                    rollout.variations.iter().for_each(|entry| check(entry.variation, what.clone()))
                }
            }
        }
        nothing.into_iter().for_each(|what| self.add(false, format!("{what} serves nothing")));
    }
}

/// Whether a flag is among what it requires, directly or not.
fn requires_itself(flag: &Flag, flags: &BTreeMap<&str, (&Item, Box<Flag>)>) -> bool {
    let mut waiting: Vec<&str> = flag.prerequisites().collect();
    let mut seen = HashSet::new();
    while let Some(key) = waiting.pop() {
        if key == &*flag.key {
            return true;
        }
        if seen.insert(key)
            && let Some((_, required)) = flags.get(key)
        {
            waiting.extend(required.prerequisites());
        }
    }
    false
}
