//! What may be wrong with an item that can be read: evaluations that end in errors, conditions that nobody meets, references to
//! what is not there.

use std::collections::HashSet;

use flagstone::model::{AttributeRef, Clause, Flag, Rollout, Segment, Serve, Test};

use super::Problem;
use crate::item::{Item, noun};
use crate::words::serve::percent;

/// Sums of shares are exact to this.
const CLOSE: f32 = 0.000_5;

/// Adds problems of one item.
pub struct Finder<'a> {
    pub item: &'a Item,
    pub problems: &'a mut Vec<Problem>,
}

impl Finder<'_> {
    pub fn add(&mut self, unreadable: bool, problem: String) {
        let key = self.item.key.clone();
        self.problems.push(Problem { kind: noun(self.item.kind), key, unreadable, problem });
    }

    pub fn check_key(&mut self, key: &str) {
        if key != self.item.key {
            self.add(false, format!("it is stored under its key, and calls itself {key:?}"));
        }
    }

    /// What a flag serves, and its conditions.
    pub fn check_flag(&mut self, flag: &Flag) {
        let count = flag.variations.len();
        if let Some(index) = flag.off_variation {
            self.check_variation(index, count, "when off it");
        }
        for target in &flag.targets {
            self.check_variation(target.variation, count, "a target list");
        }
        for (index, rule) in flag.rules.iter().enumerate() {
            let name = format!("rule {}", index + 1);
            self.check_clauses(&rule.clauses, &name);
            self.check_serve(&rule.serve, count, &name);
        }
        self.check_serve(&flag.fallthrough, count, "the fallthrough");
    }

    /// The conditions of a segment.
    pub fn check_segment(&mut self, segment: &Segment) {
        for (index, rule) in segment.rules.iter().enumerate() {
            let name = format!("rule {}", index + 1);
            self.check_clauses(&rule.clauses, &name);
            if rule.bound.is_some() && rule.bucket_by == AttributeRef::Invalid {
                self.add(false, format!("{name} takes its share by what is no attribute: evaluations end in an error"));
            }
        }
    }

    fn check_variation(&mut self, index: u32, count: usize, what: &str) {
        if index as usize >= count {
            self.add(false, format!("{what} serves a variation that it does not have: it has {count}"));
        }
    }

    fn check_serve(&mut self, serve: &Serve, count: usize, what: &str) {
        match serve {
            Serve::Nothing => self.add(false, format!("{what} serves nothing")),
            Serve::Variation(index) => self.check_variation(*index, count, what),
            Serve::Rollout(rollout) => self.check_rollout(rollout, count, what),
        }
    }

    fn check_rollout(&mut self, rollout: &Rollout, count: usize, what: &str) {
        rollout.variations.iter().for_each(|entry| self.check_variation(entry.variation, count, what));
        if rollout.bucket_by == AttributeRef::Invalid {
            self.add(false, format!("{what} rolls out by what is no attribute: evaluations end in an error"));
        }
        let sum = rollout.variations.last().map_or(1.0, |last| last.bound);
        if (sum - 1.0).abs() > CLOSE {
            let sum = percent(f64::from(sum));
            self.add(false, format!("the shares of {what} add up to {sum}: the last one gets what is left of 100%"));
        }
    }

    fn check_clauses(&mut self, clauses: &[Clause], what: &str) {
        for (index, clause) in clauses.iter().enumerate() {
            let name = format!("clause {} of {what}", index + 1);
            if matches!(clause.test, Test::Segment(_)) {
                continue;
            }
            match clause.attribute {
                AttributeRef::Undefined | AttributeRef::Invalid => {
                    self.add(false, format!("{name} names no attribute: evaluations that come there end in an error"));
                }
                AttributeRef::Nothing => {
                    self.add(
                        false,
                        format!("{name} looks below a built-in attribute, where nothing is: it never passes"),
                    );
                }
                _ => {}
            }
            if matches!(clause.test, Test::Unknown) {
                self.add(false, format!("{name} has an unknown operator, which nothing passes"));
            }
        }
    }

    pub fn check_segments<'k>(&mut self, named: impl Iterator<Item = &'k str>, is_there: impl Fn(&str) -> bool) {
        let missing: HashSet<&str> = named.filter(|key| !is_there(key)).collect();
        let mut missing: Vec<&str> = missing.into_iter().collect();
        missing.sort_unstable();
        missing.iter().for_each(|key| self.add(false, format!("segment {key:?} does not exist: nobody is in it")));
    }

    pub fn check_prerequisites<'f>(&mut self, flag: &'f Flag, find: impl Fn(&str) -> Option<&'f Flag>) {
        for required in &flag.prerequisites {
            let (key, variation) = (&*required.key, required.variation);
            match find(key) {
                None => self.add(false, format!("prerequisite {key:?} does not exist: it is never met")),
                Some(other) if variation as usize >= other.variations.len() => {
                    let count = other.variations.len();
                    let words = format!("prerequisite {key:?} must serve variation {variation}, and has {count}");
                    self.add(false, format!("{words}: it is never met"));
                }
                Some(_) => {}
            }
        }
        self.check_circle(&flag.key, flag.prerequisite_keys(), "prerequisites", |key| {
            find(key).into_iter().flat_map(Flag::prerequisite_keys)
        });
    }

    /// Whether an item is among what it refers to, directly or not.
    pub fn check_circle<'k, I: Iterator<Item = &'k str>>(
        &mut self,
        key: &str,
        named: impl Iterator<Item = &'k str>,
        what: &str,
        named_by: impl Fn(&str) -> I,
    ) {
        let mut waiting: Vec<&str> = named.collect();
        let mut seen = HashSet::new();
        while let Some(next) = waiting.pop() {
            if next == key {
                return self.add(false, format!("its {what} form a circle"));
            }
            if seen.insert(next) {
                waiting.extend(named_by(next));
            }
        }
    }
}
