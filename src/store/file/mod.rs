//! The snapshot file: the last data held, for a start at which neither the data source nor Redis answers.
//!
//! One header line (format version, seal of what follows, SHA-256 of SDK key and prefix), then one JSON object with the items'
//! texts as they were received. The seal is an HMAC-SHA-256 under the SDK key, so that nobody without it can make a file that
//! is believed; without an SDK key it is a checksum. Written beside its final name and renamed, readable by its owner alone; a
//! damaged file, one of another environment and one that others could have written are refused; a group of ours may be able to,
//! as on volumes that Kubernetes gives to one, where the seal is keyed. So is one of an older format: the next data write it
//! anew. What it held is never written to Redis, and the name that a server gave to it is not kept: a source that went on from there would make it the truth. May depend on `model`
//! and `files`.

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod guard;

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::files::{self, FileError};
use crate::model::{Interner, Jitter, Kind, write_string};
use crate::store::inbox::mailbox::Mailbox;
use crate::store::memory::entry::{Entry, Item, State};
use crate::store::memory::judge::Change;
use crate::store::memory::snapshot::{Snapshot, Table};
use crate::store::redis::layout::effective_prefix;
use crate::store::shared::Shared;
use crate::store::status::Listener;

const MAGIC: &str = "flagstone-snapshot";
const FORMAT: &str = "2";

/// Why a snapshot file was not used or not written.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no snapshot file, or one of an unknown format.
    #[error("not a snapshot file of a known format")]
    Format,
    /// Its content is not what was written.
    #[error("the file is damaged: its checksum differs")]
    Damaged,
    /// Others could have written it, or it is no file.
    #[error("the file is refused: {0}")]
    Refused(&'static str),
    /// It belongs to another SDK key or prefix.
    #[error("the file belongs to another environment")]
    Environment,
}

impl From<FileError> for BackupError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io(error) => BackupError::Io(error),
            FileError::Refused(reason) => BackupError::Refused(reason),
        }
    }
}

/// Writes and reads the file of one environment.
#[derive(Clone)]
pub struct Backup {
    path: PathBuf,
    environment: String,
    /// The keyed hash, if there is an SDK key.
    seal: Option<Hmac<Sha256>>,
    /// What earlier processes left beside the file has been looked for.
    cleaned: Arc<AtomicBool>,
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key is a credential.
        f.debug_struct("Backup").field("path", &self.path).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    flags: Items<'a>,
    #[serde(borrow)]
    segments: Items<'a>,
}

/// Key and text of each item.
struct Items<'a>(Vec<(String, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Items<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of items")
            }
            fn visit_map<M: serde::de::MapAccess<'de>>(self, mut map: M) -> Result<Items<'de>, M::Error> {
                let mut items = Vec::new();
                while let Some((key, text)) = map.next_entry::<String, &'de RawValue>()? {
                    items.push((key, text.get()));
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

impl Backup {
    /// The file at `path` for the environment that these two name.
    pub fn new(path: PathBuf, sdk_key: &str, prefix: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(sdk_key.as_bytes());
        hash.update([0]);
        hash.update(effective_prefix(prefix).as_bytes());
        // A key of any length will do, so this never fails.
        let seal = (!sdk_key.is_empty()).then(|| Hmac::new_from_slice(sdk_key.as_bytes()).ok()).flatten();
        Self { path, environment: hex(&hash.finalize()), seal, cleaned: Arc::default() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes everything that `snapshot` holds; the file is the old one or the new one at every moment.
    pub fn save(&self, snapshot: &Snapshot) -> Result<(), BackupError> {
        let body = body(snapshot);
        let header = format!("{MAGIC} {FORMAT} {} {}\n", self.seal_of(&body), self.environment);
        self.clean();
        if self.holds(&header, &body) {
            return Ok(());
        }
        Ok(files::replace(&self.path, &self.beside(), &[header.as_bytes(), body.as_bytes()])?)
    }

    /// The seal of a body, in hex.
    fn seal_of(&self, body: &str) -> String {
        match self.sealing(body) {
            Some(keyed) => hex(&keyed.finalize().into_bytes()),
            None => hex(&Sha256::digest(body.as_bytes())),
        }
    }

    /// Whether this is the seal of a body. How long a comparison takes tells nothing of a keyed one.
    fn is_sealed(&self, body: &str, seal: &str) -> bool {
        match self.sealing(body) {
            Some(keyed) => unhex(seal).is_some_and(|seal| keyed.verify_slice(&seal).is_ok()),
            None => seal == hex(&Sha256::digest(body.as_bytes())),
        }
    }

    /// The keyed hash: of the environment, too, so that it fits no other one.
    fn sealing(&self, body: &str) -> Option<Hmac<Sha256>> {
        let mut keyed = self.seal.clone()?;
        keyed.update(self.environment.as_bytes());
        keyed.update(body.as_bytes());
        Some(keyed)
    }

    /// Removes what earlier processes left beside the file when they were killed; once.
    fn clean(&self) {
        if !self.cleaned.swap(true, Relaxed) {
            guard::remove_leftovers(&self.path);
        }
    }

    /// Whether the file is just that already: many processes may share it, forked children among them.
    fn holds(&self, header: &str, body: &str) -> bool {
        let Ok(mut file) = guard::open(&self.path, self.seal.is_some()) else { return false };
        let is_alike =
            file.metadata().is_ok_and(|of| of.len() == (header.len() + body.len()) as u64 && files::is_private(&of));
        let mut text = Vec::new();
        is_alike
            && file.read_to_end(&mut text).is_ok()
            && text.strip_prefix(header.as_bytes()).is_some_and(|rest| rest == body.as_bytes())
    }

    /// A name of its own for each attempt. By chance: in a container every process has the same number, and several may share
    /// the folder.
    fn beside(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(guard::ending(Jitter::new().bits()));
        self.path.with_file_name(name)
    }

    /// Puts what the file holds in force, unless something else has answered by now. The number of items, or `None` where
    /// it was too late.
    pub fn load(
        &self,
        shared: &Shared,
        mailbox: &Mailbox,
        listener: &dyn Listener,
    ) -> Result<Option<usize>, BackupError> {
        let (snapshot, changes) = self.read()?;
        let mut publisher = mailbox.publisher();
        if shared.answers() {
            return Ok(None);
        }
        let base = shared.snapshot.load_full();
        publisher.publish(shared, listener, &base, snapshot, &changes, false);
        shared.set_from_file(true);
        Ok(Some(changes.len()))
    }

    fn read(&self) -> Result<(Snapshot, Vec<Change>), BackupError> {
        self.clean();
        let mut text = Vec::new();
        guard::open(&self.path, self.seal.is_some())?.read_to_end(&mut text)?;
        let text = String::from_utf8(text).map_err(|_| BackupError::Damaged)?;
        let (header, body) = text.split_once('\n').ok_or(BackupError::Format)?;
        let words: Vec<&str> = header.split(' ').collect();
        let [MAGIC, FORMAT, seal, environment] = words[..] else { return Err(BackupError::Format) };
        // Another key makes another seal, too: what is wrong is the environment.
        if environment != self.environment {
            return Err(BackupError::Environment);
        }
        if !self.is_sealed(body, seal) {
            return Err(BackupError::Damaged);
        }
        let body: Body<'_> = serde_json::from_str(body).map_err(|_| BackupError::Damaged)?;
        let (mut snapshot, mut changes, mut interner) = (Snapshot::default(), Vec::new(), Interner::default());
        take(&mut snapshot.flags, Kind::Flag, body.flags, &mut interner, &mut changes);
        take(&mut snapshot.segments, Kind::Segment, body.segments, &mut interner, &mut changes);
        Ok((snapshot, changes))
    }
}

fn take<T: Item>(
    table: &mut Table<T>,
    kind: Kind,
    items: Items<'_>,
    interner: &mut Interner,
    changes: &mut Vec<Change>,
) {
    for (key, text) in items.0 {
        let entry = Arc::new(Entry::parse(&key, text.as_bytes().to_vec(), interner).0);
        let new = Some(entry.version());
        table.insert(&key, entry);
        changes.push(Change { kind, key: Arc::from(key), old: None, new });
    }
}

fn body(snapshot: &Snapshot) -> String {
    let mut body = String::from("{\"flags\":{");
    append(&snapshot.flags, &mut body);
    body.push_str("},\"segments\":{");
    append(&snapshot.segments, &mut body);
    body.push_str("}}");
    body
}

fn append<T: Item>(table: &Table<T>, body: &mut String) {
    let mut first = true;
    let mut entries: Vec<_> = table.iter().filter(|(_, entry)| !matches!(entry.state(), State::Unreadable)).collect();
    // The same items are the same text, in whatever order they came.
    entries.sort_unstable_by_key(|(key, _)| *key);
    for (key, entry) in entries {
        // What parses is UTF-8 and JSON.
        let Ok(text) = std::str::from_utf8(entry.good_text()) else { continue };
        if !std::mem::take(&mut first) {
            body.push(',');
        }
        write_string(key, body);
        body.push(':');
        body.push_str(text);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pairs = digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    digits.len().is_multiple_of(2).then(|| pairs.collect())?
}

#[cfg(test)]
mod tests;
