//! What happened, in order, for pages that wait for it. Bounded: whoever comes too late is told so, and looks at everything
//! again.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So many entries are kept.
const KEPT: usize = 2_000;
/// For a timeline so many of them.
const TOLD: usize = 200;

/// The latest entries.
#[derive(Default)]
pub struct Journal {
    inner: Mutex<Inner>,
    moved: Condvar,
}

#[derive(Default)]
struct Inner {
    entries: VecDeque<Arc<str>>,
    /// The number of the newest one.
    newest: u64,
}

/// What happened since.
pub struct Since {
    /// As JSON.
    pub entries: Vec<Arc<str>>,
    /// The number of the newest one.
    pub newest: u64,
    /// Others are gone already.
    pub is_incomplete: bool,
}

impl Journal {
    /// Adds something, as JSON.
    pub fn push(&self, json: String) {
        let mut inner = self.lock();
        inner.newest += 1;
        inner.entries.push_back(json.into());
        if inner.entries.len() > KEPT {
            inner.entries.pop_front();
        }
        drop(inner);
        self.moved.notify_all();
    }

    /// The number of the newest entry.
    pub fn newest(&self) -> u64 {
        self.lock().newest
    }

    /// The latest entries, the oldest first.
    pub fn latest(&self) -> Vec<Arc<str>> {
        let inner = self.lock();
        inner.entries.iter().skip(inner.entries.len().saturating_sub(TOLD)).cloned().collect()
    }

    /// What is newer than this number; waits for it so long at most.
    pub fn since(&self, number: u64, wait: Duration) -> Since {
        let inner = self.lock();
        let (inner, _) = self
            .moved
            .wait_timeout_while(inner, wait, |inner| inner.newest <= number)
            .unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(inner.newest.saturating_sub(number)).unwrap_or(usize::MAX);
        let entries = inner.entries.iter().skip(inner.entries.len().saturating_sub(new)).cloned().collect();
        Since { entries, newest: inner.newest, is_incomplete: new > inner.entries.len() }
    }

    /// Nobody panics while it is held.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_too_late_is_told_so() {
        let journal = Journal::default();
        (0..KEPT + 5).for_each(|number| journal.push(number.to_string()));
        let newest = journal.newest();
        let since = journal.since(newest - 2, Duration::ZERO);
        assert_eq!(since.entries.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["2003", "2004"]);
        assert!(!since.is_incomplete && journal.since(1, Duration::ZERO).is_incomplete);
        assert!(journal.since(newest, Duration::ZERO).entries.is_empty());
        assert_eq!(journal.latest().len(), TOLD);
    }
}
