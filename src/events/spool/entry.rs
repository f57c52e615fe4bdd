//! One file of the spool: its name, its first line, its lock.
//!
//! The first line: format, SHA-256 of all that counts, whether the body is compressed. Then the body as it is sent.

use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::events::payload::{Content, Payload};
use crate::files::{self, FileError};

const MAGIC: &str = "flagstone-events 1";
const DAMAGED: FileError = FileError::Refused("it is not what was written");

/// What the name of a file says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// When it was made, in milliseconds since 1970.
    pub at: i64,
    pub events: u64,
    /// Of the payload.
    pub id: String,
}

impl Name {
    pub fn file(&self, owner: &str) -> String {
        format!("{:013}_{}_{}.{owner}.events", self.at, self.events, self.id)
    }

    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('_');
        let (at, events, id) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
        let is_id = id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        (parts.next().is_none() && is_id).then(|| Name { at, events, id: id.to_owned() })
    }
}

/// A file of ours.
#[derive(Debug)]
pub(super) struct Entry {
    pub path: PathBuf,
    pub size: u64,
    /// None of one that was set aside.
    pub name: Option<Name>,
}

impl Entry {
    pub fn order(&self) -> (&Option<Name>, &PathBuf) {
        (&self.name, &self.path)
    }

    /// The payload with its lock; `None` when somebody else has it. An error when it is not what was written.
    pub fn claim(&self) -> Result<Option<Payload>, FileError> {
        let (Some(name), Some(claim)) = (&self.name, self.lock()?) else { return Ok(None) };
        let mut content = Vec::new();
        (&claim.file).read_to_end(&mut content)?;
        let at = content.iter().position(|byte| *byte == b'\n').ok_or(DAMAGED)?;
        let body = content.split_off(at + 1);
        content.truncate(at);
        let is_packed = match std::str::from_utf8(&content).ok().and_then(|head| head.strip_prefix(MAGIC)) {
            Some(rest) if rest == rest_of_head(&body, true) => true,
            Some(rest) if rest == rest_of_head(&body, false) => false,
            _ => return Err(DAMAGED),
        };
        Ok(Some(Payload {
            number: 0,
            content: Content::Events,
            id: name.id.clone(),
            events: name.events,
            body,
            is_packed,
            claim: Some(claim),
        }))
    }

    /// Removes it unless somebody sends it.
    pub fn evict(&self) -> bool {
        match self.lock() {
            Ok(Some(claim)) => claim.remove().is_ok(),
            Ok(None) => false,
            // Whatever it is, it takes room.
            Err(_) => fs::remove_file(&self.path).is_ok(),
        }
    }

    fn lock(&self) -> Result<Option<Claim>, FileError> {
        let (file, _) = match files::open(&self.path) {
            // Somebody else was faster.
            Err(FileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let claim = Claim { file, path: self.path.clone() };
        // It may have been removed between opening and locking.
        Ok(if files::is_removed(&claim.file, &self.path)? { None } else { Some(claim) })
    }
}

/// A file that this process alone may send. Let go of when dropped.
#[derive(Debug)]
pub(in crate::events) struct Claim {
    file: File,
    path: PathBuf,
}

impl Claim {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It is not needed any more.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    /// Others may send it.
    pub fn release(&self) {
        // What cannot be unlocked is when it is closed.
        let _ = self.file.unlock();
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A forked child may have inherited the file, and the lock would live on with it.
        self.release();
    }
}

/// The first line for a payload, and the size of the whole file.
pub(super) fn head(payload: &Payload) -> (String, u64) {
    let head = format!("{MAGIC}{}\n", rest_of_head(&payload.body, payload.is_packed));
    let size = head.len() + payload.body.len();
    (head, size as u64)
}

fn rest_of_head(body: &[u8], is_packed: bool) -> String {
    let form = if is_packed { "gzip" } else { "json" };
    let mut hash = Sha256::new();
    hash.update(form.as_bytes());
    hash.update(body);
    let mut rest = " ".to_owned();
    for byte in hash.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(rest, "{byte:02x}");
    }
    rest.push(' ');
    rest.push_str(form);
    rest
}
