//! Shares compiled regular expressions between clauses with the same pattern.
//!
//! A compiled expression costs kilobytes and real flag sets repeat patterns. Only weak references are held, so an
//! expression dies with the last flag that uses it. Depends on `regex_dialect`.

use std::sync::{Arc, Weak};

use hashbrown::HashMap;
use regex::{Regex, RegexBuilder};

use super::regex_dialect;

/// A pattern whose compiled program would be larger (bytes) never matches.
const SIZE_LIMIT: usize = 8 << 20;
/// A pattern that nests deeper (groups and repetitions count) never matches: compilation recurses, and a flag may be
/// parsed on a host's thread with a small stack.
const NEST_LIMIT: u32 = 48;
/// Dead entries are looked for when the table reaches this size.
const FIRST_PRUNE: usize = 64;

/// Hands out one compiled expression per distinct pattern. Used by the functions that parse items.
#[derive(Debug)]
pub struct Interner {
    patterns: HashMap<Box<str>, Weak<Regex>, foldhash::fast::RandomState>,
    prune_at: usize,
}

impl Default for Interner {
    fn default() -> Self {
        Interner { patterns: HashMap::default(), prune_at: FIRST_PRUNE }
    }
}

impl Interner {
    /// The expression for a pattern in the dialect of clauses; none if it is not valid or too large.
    pub(super) fn regex(&mut self, pattern: &str) -> Option<Arc<Regex>> {
        if let Some(shared) = self.patterns.get(pattern).and_then(Weak::upgrade) {
            return Some(shared);
        }
        let compiled = Arc::new(compile(pattern)?);
        self.prune();
        self.patterns.insert(pattern.into(), Arc::downgrade(&compiled));
        Some(compiled)
    }

    fn prune(&mut self) {
        if self.patterns.len() >= self.prune_at {
            self.patterns.retain(|_, regex| regex.strong_count() > 0);
            self.prune_at = FIRST_PRUNE.max(self.patterns.len() * 2);
        }
    }
}

pub(super) fn compile(pattern: &str) -> Option<Regex> {
    let translated = regex_dialect::translate(pattern)?;
    RegexBuilder::new(&translated).size_limit(SIZE_LIMIT).nest_limit(NEST_LIMIT).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_patterns_share_one_expression() {
        let mut interner = Interner::default();
        let (first, second) = (interner.regex("^a+$").unwrap(), interner.regex("^a+$").unwrap());
        assert!(Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&first, &interner.regex("^b+$").unwrap()));
    }

    #[test]
    fn expressions_that_nobody_uses_are_forgotten() {
        let mut interner = Interner::default();
        let kept = interner.regex("kept").unwrap();
        for number in 0..1000 {
            interner.regex(&format!("p{number}"));
        }
        assert!(interner.patterns.len() <= FIRST_PRUNE);
        assert!(Arc::ptr_eq(&kept, &interner.regex("kept").unwrap()));
    }

    #[test]
    fn an_oversized_program_is_refused() {
        assert!(compile(r"(\pL{30}){30}\pL{900}").is_none());
        assert!(compile(&format!("{}a{}", "(".repeat(200), ")".repeat(200))).is_none());
        assert!(compile("^a{1000}$").is_some());
    }
}
