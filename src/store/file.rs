//! The snapshot file: the last data held, for a start at which neither the data source nor Redis answers.
//!
//! One header line (format version, SHA-256 of what follows, SHA-256 of SDK key and prefix), then one JSON object with the
//! items' texts as they were received. Written beside its final name and renamed, readable by its owner alone; a damaged file
//! or one of another environment is refused. What it held is never written to Redis. May depend on `model`.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::model::{Interner, Jitter, Kind, write_string};
use crate::store::inbox::mailbox::Mailbox;
use crate::store::memory::entry::{Entry, Item, State};
use crate::store::memory::judge::Change;
use crate::store::memory::snapshot::{Snapshot, Table};
use crate::store::redis::layout::effective_prefix;
use crate::store::shared::Shared;
use crate::store::status::Listener;

const MAGIC: &str = "flagstone-snapshot";
const FORMAT: &str = "1";

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
    /// It belongs to another SDK key or prefix.
    #[error("the file belongs to another environment")]
    Environment,
}

/// Writes and reads the file of one environment.
#[derive(Debug, Clone)]
pub struct Backup {
    path: PathBuf,
    environment: String,
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
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
        Self { path, environment: hex(&hash.finalize()) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes everything that `snapshot` holds; the file is the old one or the new one at every moment.
    pub fn save(&self, snapshot: &Snapshot) -> Result<(), BackupError> {
        let body = body(snapshot);
        let checksum = hex(&Sha256::digest(body.as_bytes()));
        let header = format!("{MAGIC} {FORMAT} {checksum} {}\n", self.environment);
        if self.holds(&header, &body) {
            return Ok(());
        }
        let beside = self.beside();
        let outcome = self.write(&beside, &header, &body);
        if outcome.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
            // What is left of the attempt is useless. What was there before belongs to somebody else.
            let _ = fs::remove_file(&beside);
        }
        Ok(outcome?)
    }

    /// Whether the file is just that already: many processes may share it, forked children among them.
    fn holds(&self, header: &str, body: &str) -> bool {
        let is_alike = |of: &Metadata| {
            of.is_file() && of.len() == (header.len() + body.len()) as u64 && of.permissions().mode() & 0o777 == 0o600
        };
        fs::metadata(&self.path).is_ok_and(|of| is_alike(&of))
            && fs::read(&self.path)
                .is_ok_and(|text| text.strip_prefix(header.as_bytes()).is_some_and(|rest| rest == body.as_bytes()))
    }

    fn write(&self, beside: &Path, header: &str, body: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
        file.write_all(header.as_bytes())?;
        file.write_all(body.as_bytes())?;
        file.sync_all()?;
        fs::rename(beside, &self.path)?;
        // The new name lasts only once its folder is written; a system that cannot do that has written the file all the same.
        if let Some(folder) = self.path.parent()
            && let Ok(folder) = File::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
        {
            let _ = folder.sync_all();
        }
        Ok(())
    }

    /// A name of its own for each attempt. By chance: in a container every process has the same number, and several may share
    /// the folder.
    fn beside(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{:016x}.tmp", Jitter::new().bits()));
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
        let text = String::from_utf8(fs::read(&self.path)?).map_err(|_| BackupError::Damaged)?;
        let (header, body) = text.split_once('\n').ok_or(BackupError::Format)?;
        let words: Vec<&str> = header.split(' ').collect();
        let [MAGIC, FORMAT, checksum, environment] = words[..] else { return Err(BackupError::Format) };
        if checksum != hex(&Sha256::digest(body.as_bytes())) {
            return Err(BackupError::Damaged);
        }
        if environment != self.environment {
            return Err(BackupError::Environment);
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

fn append<T>(table: &Table<T>, body: &mut String) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{flag, segment};
    use std::fs::Permissions;
    use std::os::unix::fs::MetadataExt;

    fn snapshot() -> Snapshot {
        let (mut snapshot, mut interner) = (Snapshot::default(), Interner::default());
        for (key, text) in [
            ("a", flag("a", 3, &["p"], &["s"])),
            ("gone", br#"{"version":7,"deleted":true}"#.to_vec()),
            ("q\"uote", flag("q", 1, &[], &[])),
            ("bad", b"{oops".to_vec()),
        ] {
            snapshot.flags.insert(key, Arc::new(Entry::parse(key, text, &mut interner).0));
        }
        snapshot.segments.insert("s", Arc::new(Entry::parse("s", segment("s", 2, &[]), &mut interner).0));
        snapshot
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("flagstone-backup-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn what_was_written_is_read_back_except_for_what_does_not_parse() {
        let folder = folder("round");
        let backup = Backup::new(folder.join("flags"), "key", "prefix");
        backup.save(&snapshot()).unwrap();
        backup.save(&snapshot()).unwrap();
        let (read, changes) = backup.read().unwrap();
        assert_eq!((read.flags.len(), read.segments.len(), changes.len()), (3, 1, 4));
        assert_eq!(read.flags.get("a").unwrap().text(), snapshot().flags.get("a").unwrap().text());
        assert!(matches!(read.flags.get("gone").unwrap().state(), State::Tombstone));
        assert_eq!(read.flags.get("q\"uote").unwrap().version(), 1);
        let mode = fs::metadata(backup.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_holds_the_same_already_is_left_alone() {
        let folder = folder("same");
        let backup = Backup::new(folder.join("flags"), "key", "prefix");
        let file = || fs::metadata(backup.path()).unwrap().ino();
        backup.save(&snapshot()).unwrap();
        let first = file();
        backup.save(&snapshot()).unwrap();
        assert_eq!(file(), first);
        let whole = fs::read(backup.path()).unwrap();
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() = b' ';
        for damaged in [&whole[..whole.len() - 1], &flipped] {
            fs::write(backup.path(), damaged).unwrap();
            backup.save(&snapshot()).unwrap();
            assert_eq!(fs::read(backup.path()).unwrap(), whole, "a damaged file is written again");
        }
        fs::set_permissions(backup.path(), Permissions::from_mode(0o644)).unwrap();
        backup.save(&snapshot()).unwrap();
        assert_eq!(fs::metadata(backup.path()).unwrap().mode() & 0o777, 0o600, "nobody else may read it");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_default_prefix_is_the_same_environment_whether_it_is_named_or_not() {
        let folder = folder("prefix");
        Backup::new(folder.join("flags"), "key", "").save(&snapshot()).unwrap();
        assert!(Backup::new(folder.join("flags"), "key", "launchdarkly").read().is_ok());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_damaged_file_and_one_of_another_environment_are_refused() {
        let folder = folder("refused");
        let backup = Backup::new(folder.join("flags"), "key", "prefix");
        assert!(matches!(backup.read(), Err(BackupError::Io(_))));
        backup.save(&snapshot()).unwrap();
        let good = fs::read(backup.path()).unwrap();
        for other in
            [Backup::new(folder.join("flags"), "other", "prefix"), Backup::new(folder.join("flags"), "key", "p")]
        {
            assert!(matches!(other.read(), Err(BackupError::Environment)));
        }
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() = b' ';
        for (bad, damaged) in
            [(&good[..good.len() - 9], true), (&flipped[..], true), (b"".as_slice(), false), (b"x 1 2 3\n{}", false)]
        {
            fs::write(backup.path(), bad).unwrap();
            match backup.read() {
                Err(BackupError::Damaged) => assert!(damaged),
                Err(BackupError::Format) => assert!(!damaged),
                other => panic!("{other:?}"),
            }
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_file_never_contains_the_sdk_key() {
        let folder = folder("secret");
        let backup = Backup::new(folder.join("flags"), "sdk-secret-key", "prefix");
        backup.save(&snapshot()).unwrap();
        assert!(!fs::read_to_string(backup.path()).unwrap().contains("sdk-secret-key"));
        fs::remove_dir_all(folder).unwrap();
    }
}
