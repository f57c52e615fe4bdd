//! The thread that keeps the snapshot file: loads it at a start at which nothing else answers, writes it after changes. May
//! depend on `store`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::feed::Feed;
use super::runtime::Voice;
use crate::model::saturating_ms;
use crate::store::{Backup, BackupError, Level, Listener, Shared, Snapshot};

/// How long a start waits for Redis and the data source before the file is used; when both have failed, it is used at once.
const PATIENCE: Duration = Duration::from_secs(1);
/// The shortest such wait, however impatient the host: a healthy Redis needs about as long.
const LEAST: Duration = Duration::from_millis(100);
/// How often to look whether something changed.
const LOOK: Duration = Duration::from_millis(200);
/// Single changes are written this often at most; full data sets at once.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long Redis and the data source are waited for: no longer than the host does, who asks for flags then.
#[derive(Debug)]
pub struct Patience(AtomicU64);

impl Default for Patience {
    fn default() -> Self {
        Self(AtomicU64::new(saturating_ms(PATIENCE)))
    }
}

impl Patience {
    /// The host waits for so long. What is read of the file is in force before that; one who does not wait asks later.
    pub fn end_before(&self, timeout: Duration) {
        if !timeout.is_zero() {
            self.0.fetch_min(saturating_ms((timeout - timeout / 4).max(LEAST)), Relaxed);
        }
    }

    fn is_over(&self, began: Instant) -> bool {
        began.elapsed() >= Duration::from_millis(self.0.load(Relaxed))
    }
}

/// Runs until the client is closed; writes once more then.
pub fn run(voice: &Voice<'_>, backup: &Backup) {
    let mailbox = &voice.runtime.mailbox;
    let began = Instant::now();
    while !voice.shared.answers() && !voice.runtime.is_stopped() {
        if voice.runtime.patience.is_over(began) || nobody_answers(voice.shared, voice.feed) {
            load(voice, backup);
            break;
        }
        mailbox.sleep(Duration::from_millis(10));
    }
    let mut writing = Writing::new(voice.shared);
    loop {
        let ends = mailbox.sleep(LOOK);
        writing.look(voice, backup, ends);
        if ends {
            return;
        }
    }
}

/// Both have been tried and have failed.
fn nobody_answers(shared: &Shared, feed: Option<&Feed>) -> bool {
    let source = feed.is_none_or(|feed| feed.condition().error.is_some());
    let store = shared.connector.is_none() || shared.health.is_ready() || shared.health.error().is_some();
    source && store
}

fn load(voice: &Voice<'_>, backup: &Backup) {
    match backup.load(voice.shared, &voice.runtime.mailbox, voice) {
        Ok(Some(count)) => {
            voice.log(Level::Warn, format_args!("nothing answers; {count} items of the snapshot file are in force"));
            voice.runtime.notify();
        }
        Ok(None) => {}
        Err(BackupError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            voice.log(Level::Info, format_args!("there is no snapshot file yet"));
        }
        Err(error) => voice.log(Level::Error, format_args!("snapshot.file is not used: {error}")),
    }
}

/// A Redis that nobody has filled, perhaps one that came back empty: the flags of the file are still the last known ones.
fn is_nothing(shared: &Shared, snapshot: &Snapshot) -> bool {
    let holds_nothing = snapshot.flags.is_empty() && snapshot.segments.is_empty();
    holds_nothing && !shared.has_delivered() && !shared.health.was_inited()
}

/// What was written, and when.
struct Writing {
    written: Arc<Snapshot>,
    full: u64,
    at: Instant,
    /// A failure is told once until it has passed.
    failed: bool,
}

impl Writing {
    fn new(shared: &Shared) -> Self {
        // What is held already came from the file, or is written at the next look.
        let written = if shared.is_from_file() { shared.snapshot.load_full() } else { Arc::default() };
        Self { written, full: 0, at: Instant::now(), failed: false }
    }

    fn look(&mut self, voice: &Voice<'_>, backup: &Backup, ends: bool) {
        let (shared, full) = (voice.shared, voice.shared.full_sets());
        let snapshot = shared.snapshot.load_full();
        let changed = !Arc::ptr_eq(&snapshot, &self.written) && shared.answers() && !shared.is_from_file();
        if !changed || is_nothing(shared, &snapshot) || !(ends || full != self.full || self.at.elapsed() >= INTERVAL) {
            return;
        }
        (self.full, self.at) = (full, Instant::now());
        match backup.save(&snapshot) {
            Ok(()) => (self.written, self.failed) = (snapshot, false),
            Err(error) if !self.failed => {
                self.failed = true;
                voice.log(Level::Error, format_args!("the snapshot file was not written: {error}"));
            }
            Err(_) => {}
        }
    }
}
