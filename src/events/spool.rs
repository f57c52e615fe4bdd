//! Where payloads are kept that cannot be delivered: a folder with one file each, which survives the process.
//!
//! The name of a file says when it was made, how many events it has, which payload it is and, by a hash, whose SDK key it was
//! made with: files of others are left alone. Several processes share the folder: who sends a file holds its lock. Files that
//! are not what was written are set aside. Depends on `files`.

mod entry;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

pub(super) use entry::Claim;

use entry::{Entry, Name};

use super::host::Host;
use super::options::SpoolOptions;
use super::payload::Payload;
use crate::files::{self, FileError};
use crate::model::{Jitter, Severity, lock, unix_ms};

/// A file of a writer that has not been touched for this long is not being written any more.
const ABANDONED: Duration = Duration::from_secs(60);

/// The folder, as one process uses it.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    most: u64,
    /// What the names of our files have of the SDK key.
    owner: String,
    /// A failure was told, and nothing has succeeded since.
    is_failing: AtomicBool,
    /// Payloads that were there at the last look.
    payloads: AtomicU64,
    /// Files that were set aside.
    corrupt: AtomicU64,
    /// What the last look has found and nobody has asked for yet.
    ahead: Mutex<VecDeque<Entry>>,
    /// Files that are done with, but can be neither removed nor renamed.
    stuck: Mutex<HashSet<PathBuf>>,
    /// The time in the latest name: those made in the same millisecond are in order, too. Locked while a file is written, which
    /// takes as long as the disk likes.
    latest: Mutex<i64>,
}

/// Why a payload could not be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpoolError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the payload is larger than events.spool_bytes")]
    TooLarge,
    #[error("what was sent cannot be removed: {0}")]
    Stuck(io::Error),
}

impl From<io::Error> for SpoolError {
    fn from(error: io::Error) -> Self {
        SpoolError::File(FileError::Io(error))
    }
}

impl Spool {
    pub fn new(options: &SpoolOptions, sdk_key: &str) -> Self {
        let hash = Sha256::digest(format!("flagstone-events\0{sdk_key}").as_bytes());
        Self {
            folder: options.directory.clone(),
            most: options.bytes,
            owner: hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
            is_failing: AtomicBool::new(false),
            payloads: AtomicU64::new(0),
            corrupt: AtomicU64::new(0),
            ahead: Mutex::default(),
            stuck: Mutex::default(),
            latest: Mutex::default(),
        }
    }

    /// Payloads that were there at the last look, and files that this process has set aside.
    pub fn counts(&self) -> (u64, u64) {
        (self.payloads.load(Relaxed), self.corrupt.load(Relaxed))
    }

    /// Keeps a payload. Adds the number of events that had to make room for it, whatever comes of it.
    pub fn keep(&self, payload: &Payload, evicted: &mut u64) -> Result<(), SpoolError> {
        let (head, size) = entry::head(payload);
        if size > self.most {
            return Err(SpoolError::TooLarge);
        }
        self.open_folder()?;
        let mut latest = lock(&self.latest);
        *evicted += self.make_room(size)?;
        *latest = unix_ms().max(*latest + 1);
        let name = Name { at: *latest, events: payload.events, id: payload.id.clone() };
        let beside = self.folder.join(format!("{:016x}.{}.tmp", Jitter::new().bits(), self.owner));
        files::replace(&self.folder.join(name.file(&self.owner)), &beside, &[head.as_bytes(), &payload.body])?;
        self.payloads.fetch_add(1, Relaxed);
        self.is_failing.store(false, Relaxed);
        Ok(())
    }

    /// The oldest payload that nobody else is sending. The folder is looked at when all that was found there is used up.
    pub fn oldest(&self, host: &dyn Host) -> Option<Payload> {
        let mut ahead = lock(&self.ahead);
        if ahead.is_empty() {
            match self.open_folder().and_then(|()| Ok(self.list()?)) {
                Ok(entries) => *ahead = entries.into_iter().filter(|entry| entry.name.is_some()).collect(),
                Err(error) => {
                    self.complain(host, &error);
                    return None;
                }
            }
            self.payloads.store(ahead.len() as u64, Relaxed);
            let stuck = lock(&self.stuck);
            ahead.retain(|entry| !stuck.contains(&entry.path));
        }
        while let Some(entry) = ahead.pop_front() {
            match entry.claim() {
                Ok(Some(payload)) => return Some(payload),
                Ok(None) => {}
                Err(FileError::Refused(reason)) => self.set_aside(host, &entry.path, reason),
                Err(error) => self.complain(host, &error.into()),
            }
        }
        None
    }

    /// A payload that came from here could not be sent: it is the oldest still.
    pub fn begin_anew(&self) {
        lock(&self.ahead).clear();
    }

    fn has_one_less(&self) {
        // Others may have removed it, and been seen to.
        let _ = self.payloads.fetch_update(Relaxed, Relaxed, |payloads| payloads.checked_sub(1));
    }

    /// A payload is done with; one that came from here goes, or is passed over from now on.
    pub fn remove(&self, host: &dyn Host, payload: &Payload) {
        let Some(claim) = &payload.claim else { return };
        match claim.remove() {
            Ok(()) => self.has_one_less(),
            Err(error) => {
                lock(&self.stuck).insert(claim.path().to_owned());
                self.complain(host, &SpoolError::Stuck(error));
            }
        }
    }

    /// Tells of a failure, unless the one before was told and nothing has succeeded since.
    pub fn complain(&self, host: &dyn Host, error: &SpoolError) {
        let is_new = !self.is_failing.swap(true, Relaxed);
        let severity = if is_new { Severity::Error } else { Severity::Debug };
        host.log(severity, format_args!("events.spool is of no use: {error}: {}", self.folder.display()));
    }

    /// Makes the folder if need be, and judges it.
    fn open_folder(&self) -> Result<(), SpoolError> {
        match files::open_folder(&self.folder) {
            Err(FileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                files::make_folder(&self.folder)?;
                files::open_folder(&self.folder)?;
                Ok(())
            }
            opened => Ok(opened.map(drop)?),
        }
    }

    /// Our files, the oldest first; those that were set aside come before all others. What dead writers left is removed.
    fn list(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for found in fs::read_dir(&self.folder)?.flatten() {
            let (path, Ok(of)) = (found.path(), found.metadata()) else { continue };
            let file = found.file_name();
            let Some(rest) = file.to_str().and_then(|file| file.split_once(&format!(".{}.", self.owner))) else {
                continue;
            };
            let age = of.modified().ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
            match rest {
                (name, "events") => {
                    let named = Name::parse(name).map(|name| Entry { path, size: of.len(), name: Some(name) });
                    entries.extend(named);
                }
                (_, "corrupt") => entries.push(Entry { path, size: of.len(), name: None }),
                // Somebody else may have removed it meanwhile.
                (_, "tmp") if age >= ABANDONED => _ = fs::remove_file(path),
                _ => {}
            }
        }
        entries.sort_by(|a, b| a.order().cmp(&b.order()));
        Ok(entries)
    }

    /// Removes the oldest until a file of this size fits; gives the number of events that were lost by it.
    fn make_room(&self, size: u64) -> io::Result<u64> {
        let entries = self.list()?;
        let mut held: u64 = entries.iter().map(|entry| entry.size).sum();
        let mut lost = 0;
        for entry in entries {
            if held + size <= self.most {
                break;
            }
            // One that is being sent stays.
            if entry.evict() {
                held -= entry.size;
                lost += entry.name.map_or(0, |name| name.events);
            }
        }
        Ok(lost)
    }

    /// Gives a file another name, so that nobody tries to send it any more.
    pub fn set_aside(&self, host: &dyn Host, path: &Path, reason: &str) {
        self.corrupt.fetch_add(1, Relaxed);
        let outcome = fs::rename(path, path.with_extension("corrupt"));
        let shown = path.display();
        match outcome {
            Ok(()) => {
                self.has_one_less();
                host.log(Severity::Error, format_args!("{shown} of events.spool is set aside: {reason}"));
            }
            Err(error) => {
                lock(&self.stuck).insert(path.to_owned());
                host.log(
                    Severity::Error,
                    format_args!("{shown} of events.spool cannot be set aside: {error}: {reason}"),
                );
            }
        }
    }
}

/// When the folder is looked at: often while there is something, more and more seldom while nothing can be delivered.
#[derive(Debug)]
pub(super) struct Pace {
    due: Instant,
    pause: Duration,
    is_failing: bool,
}

impl Pace {
    const BUSY: Duration = Duration::from_millis(100);
    const QUIET: Duration = Duration::from_secs(10);
    const LONGEST: Duration = Duration::from_secs(60);

    /// At once.
    pub fn new() -> Self {
        Self { due: Instant::now(), pause: Self::BUSY, is_failing: false }
    }

    /// When the next look is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// The one before is sent: the next one can go.
    pub fn hurry(&mut self) {
        self.due = Instant::now();
    }

    /// Delivery fails, or has ended to: what was kept meanwhile can go at once.
    pub fn look(&mut self, is_failing: bool) {
        if self.is_failing && !is_failing {
            *self = Self::new();
        }
        self.is_failing = is_failing;
    }

    /// After a look that has found something to send; or nothing, unless others are sending it.
    pub fn step(&mut self, is_found: bool, has_others: bool, is_failing: bool) {
        self.pause = match (is_found, has_others) {
            _ if is_failing => (self.pause * 2).min(Self::LONGEST),
            (true, _) => Self::BUSY,
            (false, true) => (self.pause * 2).min(Self::QUIET),
            (false, false) => Self::QUIET,
        };
        self.due = Instant::now() + self.pause;
    }
}
