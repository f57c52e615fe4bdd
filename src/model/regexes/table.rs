//! The expressions of the whole process: equal patterns of all clients are one expression, and what could not be compiled is
//! not tried again.
//!
//! A child of a fork may inherit the table while a thread of the parent holds its lock. So the lock is never waited for
//! without end: who does not get it goes without the table, and compiles for itself. Depends on nothing but its parent.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError, Weak};
use std::thread;

use hashbrown::HashMap;
use sha2::{Digest, Sha256};

use super::{FIRST_PRUNE, Pattern, Refusal, compile};

/// How often the lock is tried: it is held for a look and no longer.
const TRIES: usize = 200;
/// Refused patterns that are remembered.
const MOST_REFUSED: usize = 10_000;

type Hasher = foldhash::fast::RandomState;

#[derive(Default)]
struct Table {
    patterns: HashMap<Box<str>, Weak<Pattern>, Hasher>,
    prune_at: usize,
    /// By digest: refused patterns are long as a rule.
    refused: HashMap<[u8; 32], Refusal, Hasher>,
}

/// Made by whoever comes first, under the lock: a thread that initialises it must not be waited for in a child either.
static TABLE: Mutex<Option<Table>> = Mutex::new(None);

/// The expression of a pattern, compiled once.
pub(super) fn find_or_compile(pattern: &str) -> Result<Arc<Pattern>, Refusal> {
    let digest: [u8; 32] = Sha256::digest(pattern.as_bytes()).into();
    if let Some(guard) = &mut table() {
        let table = guard.get_or_insert_default();
        if let Some(shared) = table.patterns.get(pattern).and_then(Weak::upgrade) {
            return Ok(shared);
        }
        if let Some(refusal) = table.refused.get(&digest) {
            return Err(*refusal);
        }
    }
    // Without the lock: this may take milliseconds.
    let compiled = compile(pattern).map(Arc::new);
    if let Some(guard) = &mut table() {
        let table = guard.get_or_insert_default();
        match &compiled {
            Ok(compiled) => table.keep(pattern, compiled),
            Err(refusal) => table.refuse(digest, *refusal),
        }
    }
    compiled
}

impl Table {
    fn keep(&mut self, pattern: &str, compiled: &Arc<Pattern>) {
        if self.patterns.len() >= self.prune_at {
            self.patterns.retain(|_, pattern| pattern.strong_count() > 0);
            self.prune_at = FIRST_PRUNE.max(self.patterns.len() * 2);
        }
        self.patterns.insert(pattern.into(), Arc::downgrade(compiled));
    }

    fn refuse(&mut self, digest: [u8; 32], refusal: Refusal) {
        if self.refused.len() >= MOST_REFUSED {
            self.refused.clear();
        }
        self.refused.insert(digest, refusal);
    }
}

fn table() -> Option<MutexGuard<'static, Option<Table>>> {
    for _ in 0..TRIES {
        match TABLE.try_lock() {
            Ok(table) => return Some(table),
            // What is behind the lock is valid after each statement.
            Err(TryLockError::Poisoned(table)) => return Some(table.into_inner()),
            Err(TryLockError::WouldBlock) => thread::yield_now(),
        }
    }
    None
}
