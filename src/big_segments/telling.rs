//! What is told of a store that fails: the first failure, and the first answer after it; not each of thousands. Depends on
//! `standing` and `store`.

use std::time::{Duration, Instant};

use super::desk::Host;
use super::standing::Status;
use super::store::StoreFailure;
use crate::model::Severity;

/// How many failures are told in one window at most: a store may fail every other time.
const LINES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);

/// What was told.
#[derive(Debug, Default)]
pub struct Telling {
    /// That questions for contexts fail.
    of_answers: bool,
    /// That the question for the store's age fails.
    of_metadata: bool,
    window: Option<(Instant, u32)>,
}

impl Telling {
    /// The store was asked for a context.
    pub fn note_answer(&mut self, host: &dyn Host, failure: Option<&StoreFailure>) {
        self.of_answers = self.tell(host, self.of_answers, failure, "tells the big segments of a context");
    }

    /// The store was asked how old it is.
    pub fn note_metadata(&mut self, host: &dyn Host, failure: Option<&StoreFailure>) {
        self.of_metadata = self.tell(host, self.of_metadata, failure, "tells when it was brought up to date");
    }

    /// Whether a failure is told by now, and its end is to be.
    fn tell(&mut self, host: &dyn Host, is_told: bool, failure: Option<&StoreFailure>, what: &str) -> bool {
        match failure {
            Some(failure) if !is_told && self.admits() => {
                host.log(Severity::Error, format_args!("the big-segment store fails where it {what}: {failure}"));
                true
            }
            Some(_) => is_told,
            None if is_told => {
                host.log(Severity::Info, format_args!("the big-segment store {what} again"));
                false
            }
            None => false,
        }
    }

    fn admits(&mut self) -> bool {
        let now = Instant::now();
        let count = match self.window {
            Some((since, count)) if now.duration_since(since) < WINDOW => count,
            _ => {
                self.window = Some((now, 0));
                0
            }
        };
        if let Some((_, told)) = &mut self.window {
            *told = count.saturating_add(1);
        }
        count < LINES
    }
}

/// Why the status is what it is, for people.
pub fn reason(status: Status, failure: Option<&StoreFailure>) -> String {
    match (status.available, status.stale, failure) {
        (false, _, Some(failure)) => format!("the big-segment store failed: {failure}"),
        (false, _, None) => "the big-segment store failed".to_owned(),
        (true, true, _) if status.last_sync_ms.is_none() => {
            "the big-segment store was never brought up to date".to_owned()
        }
        (true, true, _) => "the big-segment store was not brought up to date for too long".to_owned(),
        (true, false, _) => "the big-segment store is up to date".to_owned(),
    }
}
