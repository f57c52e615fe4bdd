//! Fuzz target of the snapshot file: any bytes are refused cleanly, and a file that is sealed as it should be is read and written
//! to the same. Depends on `files` and `model`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a target fails by panicking")]

use std::fs;

use super::{Backup, BackupError, FORMAT, MAGIC, body};
use crate::files;

/// The bytes are a file, and the body of one with a good seal.
pub fn snapshot_file(data: &[u8]) {
    let name = format!("flagstone-fuzz-snapshot-{}-{:?}", std::process::id(), std::thread::current().id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    for key in ["", "sdk-key"] {
        let backup = Backup::new(folder.join("flags"), key, "prefix");
        // What is left beside it is of no concern here.
        backup.cleaned.store(true, super::Relaxed);
        check(&backup, data);
    }
    fs::remove_dir_all(&folder).unwrap();
}

fn check(backup: &Backup, data: &[u8]) {
    let write = |parts: &[&[u8]]| files::replace(&backup.path, &backup.beside(), parts).unwrap();
    write(&[data]);
    match backup.read() {
        Err(BackupError::Format | BackupError::Damaged | BackupError::Environment) => {}
        // A fuzzer sees what is compared, and may find a sum.
        Ok(_) if data.starts_with(MAGIC.as_bytes()) => {}
        other => panic!("{other:?}"),
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let header = format!("{MAGIC} {FORMAT} {} {}\n", backup.seal_of(text), backup.environment);
    write(&[header.as_bytes(), data]);
    match backup.read() {
        Err(BackupError::Damaged) => {}
        Err(error) => panic!("{error}"),
        Ok((snapshot, changes)) => {
            assert!(changes.len() >= snapshot.flags.len() + snapshot.segments.len());
            backup.save(&snapshot).unwrap();
            let (again, _) = backup.read().unwrap();
            assert_eq!(body(&again), body(&snapshot));
        }
    }
}
