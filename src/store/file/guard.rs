//! The snapshot file in a folder that others may use: what may be opened, and what earlier processes left there. May depend
//! on `files`.

use std::fs::{self, DirEntry, File, Metadata};
use std::path::Path;
use std::time::Duration;

use super::BackupError;
use crate::files;

/// A file beside the snapshot file that was not touched for this long is not being written any more.
const ABANDONED: Duration = Duration::from_secs(60);

/// Opens the file for reading if nobody but its owner can have written it; where it carries a keyed seal, a group of ours may
/// be able to, too.
pub(super) fn open(path: &Path, is_sealed: bool) -> Result<File, BackupError> {
    let (file, of) = files::open(path)?;
    if files::is_group_writable(&of) && !is_sealed {
        Err(BackupError::Refused("it is writable by its group, and without sdk.key there is no seal"))
    } else if files::is_group_writable(&of) && !files::is_of_own_group(&of)? {
        Err(BackupError::Refused("it is writable by a group that is not ours"))
    } else {
        Ok(file)
    }
}

/// What the name of a file ends in that is written beside the final one.
pub(super) fn ending(bits: u64) -> String {
    format!(".{bits:016x}.tmp")
}

/// Removes files of just such names that nobody writes any more.
pub(super) fn remove_leftovers(path: &Path) {
    let (Some(name), Some(folder)) = (path.file_name().and_then(|name| name.to_str()), path.parent()) else { return };
    let Ok(entries) = fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }) else { return };
    for entry in entries.flatten().filter(|entry| is_leftover(entry, name)) {
        // Somebody else may have removed it meanwhile, or may have to.
        let _ = fs::remove_file(entry.path());
    }
}

fn is_leftover(entry: &DirEntry, name: &str) -> bool {
    let file = entry.file_name();
    let middle = file
        .to_str()
        .and_then(|file| file.strip_prefix(name))
        .and_then(|rest| rest.strip_prefix('.'))
        .and_then(|rest| rest.strip_suffix(".tmp"));
    let is_ours = middle.is_some_and(|bits| bits.len() == 16 && bits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let is_old =
        |of: Metadata| of.is_file() && of.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= ABANDONED));
    is_ours && entry.metadata().is_ok_and(is_old)
}
