//! Compiles the expressions of `matches` clauses within a budget, and shares them between clauses with the same pattern.
//!
//! A compiled expression costs kilobytes and real flag sets repeat patterns. Only weak references are held, so an
//! expression dies with the last flag that uses it. What could not be compiled is remembered, too: it is not tried again
//! whenever the item comes by. Depends on `regex_dialect`.

mod table;

use std::fmt;
use std::sync::{Arc, Weak};

use hashbrown::HashMap;
use regex_automata::meta;
use regex_automata::util::syntax;

use super::excerpt;
use super::regex_dialect;

/// Memory that one expression may take (bytes), what threads keep for matching not counted.
const PATTERN_LIMIT: usize = 1 << 20;
/// Memory that the expressions of one item may take together.
const ITEM_LIMIT: usize = 8 << 20;
/// Memory that all expressions in use of one interner may take together; a client has one for Redis and one for its source.
const INTERNER_LIMIT: usize = 128 << 20;
/// What each thread that matches an expression may keep for it.
const CACHE_LIMIT: usize = 512 << 10;
/// A pattern that nests deeper (groups and repetitions count) never matches: compilation recurses, and a flag may be
/// parsed on a host's thread with a small stack.
const NEST_LIMIT: u32 = 48;
/// Dead entries are looked for when the table reaches this size.
const FIRST_PRUNE: usize = 64;
/// Programs up to this size (bytes) have few states; a larger one may take longer for each byte in proportion.
const SMALL_PROGRAM: usize = 32 << 10;
/// Units of work for a byte that is matched against a small program.
const UNITS_A_BYTE: usize = 16;
/// More than any budget.
const MOST_UNITS: usize = u32::MAX as usize;

/// A compiled expression.
#[derive(Debug)]
pub struct Pattern {
    regex: meta::Regex,
    memory: usize,
}

impl Pattern {
    /// Whether the text has a match anywhere.
    #[inline]
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// What matching a text of this length may cost, in units of work: about what one simple clause costs.
    #[inline]
    pub fn cost(&self, length: usize) -> usize {
        UNITS_A_BYTE.saturating_mul(length).saturating_mul(1 + self.memory / SMALL_PROGRAM).min(MOST_UNITS)
    }
}

/// Why a pattern never matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no expression of the dialect.
    Invalid,
    /// It takes too much memory.
    Pattern,
    /// The expressions of its item take too much memory together.
    Item,
    /// All expressions together take too much memory.
    Client,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str("it is no valid regular expression"),
            Self::Pattern => write!(f, "compiled it would take more than {} MB", PATTERN_LIMIT >> 20),
            Self::Item => write!(f, "the expressions of one item may take {} MB together", ITEM_LIMIT >> 20),
            Self::Client => write!(f, "all expressions together may take {} MB", INTERNER_LIMIT >> 20),
        }
    }
}

/// A pattern of an item that never matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Its beginning.
    pub pattern: String,
    /// Why.
    pub refusal: Refusal,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pattern {:?} never matches: {}", self.pattern, self.refusal)
    }
}

/// Remarks that are kept of one item; hundreds of bad patterns need not all be told.
const MOST_REMARKS: usize = 5;
/// Characters of a pattern that are told.
const LONGEST_EXCERPT: usize = 80;

/// Hands out one compiled expression per distinct pattern. Used by the functions that parse items.
#[derive(Debug)]
pub struct Interner {
    patterns: HashMap<Box<str>, Weak<Pattern>, foldhash::fast::RandomState>,
    prune_at: usize,
    /// Memory of the expressions in `patterns`, of dead ones, too, until they are looked for.
    memory: usize,
    /// Memory of the expressions of the present item.
    of_item: usize,
    remarks: Vec<Remark>,
}

impl Default for Interner {
    fn default() -> Self {
        Interner { patterns: HashMap::default(), prune_at: FIRST_PRUNE, memory: 0, of_item: 0, remarks: Vec::new() }
    }
}

impl Interner {
    /// From here on patterns belong to another item.
    pub(super) fn begin_item(&mut self) {
        self.of_item = 0;
        self.remarks.clear();
    }

    /// What is to be told about the item parsed last: some of its patterns that never match.
    pub fn take_remarks(&mut self) -> Vec<Remark> {
        std::mem::take(&mut self.remarks)
    }

    /// The expression for a pattern in the dialect of clauses; none if it is not valid or too large, which is remarked.
    pub(super) fn regex(&mut self, pattern: &str) -> Option<Arc<Pattern>> {
        match self.find_or_compile(pattern) {
            Ok(found) => Some(found),
            Err(refusal) => {
                if self.remarks.len() < MOST_REMARKS {
                    self.remarks.push(Remark { pattern: excerpt(pattern, LONGEST_EXCERPT), refusal });
                }
                None
            }
        }
    }

    fn find_or_compile(&mut self, pattern: &str) -> Result<Arc<Pattern>, Refusal> {
        if self.of_item >= ITEM_LIMIT {
            return Err(Refusal::Item);
        }
        let mine = self.patterns.get(pattern).and_then(Weak::upgrade);
        let is_mine = mine.is_some();
        let found = match mine {
            Some(found) => found,
            None => table::find_or_compile(pattern)?,
        };
        if self.of_item + found.memory > ITEM_LIMIT {
            return Err(Refusal::Item);
        }
        if !is_mine {
            self.keep(pattern, &found)?;
        }
        self.of_item += found.memory;
        Ok(found)
    }

    fn keep(&mut self, pattern: &str, found: &Arc<Pattern>) -> Result<(), Refusal> {
        if self.patterns.len() >= self.prune_at || self.memory + found.memory > INTERNER_LIMIT {
            self.prune();
        }
        if self.memory + found.memory > INTERNER_LIMIT {
            return Err(Refusal::Client);
        }
        self.memory += found.memory;
        self.patterns.insert(pattern.into(), Arc::downgrade(found));
        Ok(())
    }

    fn prune(&mut self) {
        let mut memory = 0;
        self.patterns.retain(|_, pattern| match pattern.upgrade() {
            Some(live) => {
                memory += live.memory;
                true
            }
            None => false,
        });
        self.memory = memory;
        self.prune_at = FIRST_PRUNE.max(self.patterns.len() * 2);
    }
}

/// Compiles a pattern without looking for an equal one.
pub(super) fn compile(pattern: &str) -> Result<Pattern, Refusal> {
    let translated = regex_dialect::translate(pattern).ok_or(Refusal::Invalid)?;
    // The engine has a program for each direction; the larger one is found out first.
    let limits = meta::Config::new()
        .nfa_size_limit(Some(PATTERN_LIMIT))
        .hybrid_cache_capacity(CACHE_LIMIT)
        .onepass_size_limit(Some(CACHE_LIMIT));
    let built =
        meta::Builder::new().configure(limits).syntax(syntax::Config::new().nest_limit(NEST_LIMIT)).build(&translated);
    let regex = built.map_err(|error| match error.size_limit() {
        Some(_) => Refusal::Pattern,
        None => Refusal::Invalid,
    })?;
    let memory = regex.memory_usage();
    if memory > PATTERN_LIMIT { Err(Refusal::Pattern) } else { Ok(Pattern { regex, memory }) }
}

#[cfg(test)]
mod tests;
