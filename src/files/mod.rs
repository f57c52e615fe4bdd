//! Files in folders that others may use: what may be opened, and how a file is written so that it is there whole or not at
//! all. Who may write a file is known from its bits on Unix; on Windows access lists decide, which the standard library does
//! not read. Depends on no other module of the crate.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

pub use system::{is_group_writable, is_of_own_group, is_private, is_removed, make_folder, prompt};

/// Why a file or folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is none, or others could have written it.
    #[error("{0}")]
    Refused(&'static str),
}

const NO_FILE: FileError = FileError::Refused("it is not a regular file");
const NO_FOLDER: FileError = FileError::Refused("it is not a directory");
const LINK: FileError = FileError::Refused("it is a symbolic link");

/// Opens a regular file of ours, or of root, that not everybody may write. What was opened is what is judged: the name may lead
/// elsewhere a moment later.
pub fn open(path: &Path) -> Result<(File, Metadata), FileError> {
    let (file, of) = system::open(path)?;
    if !of.is_file() {
        return Err(NO_FILE);
    }
    system::judge(&of)?;
    Ok((file, of))
}

/// Opens a folder of ours, or of root, that nobody else may write to.
pub fn open_folder(path: &Path) -> Result<File, FileError> {
    let (folder, of) = system::open_folder(path)?;
    system::judge(&of)?;
    if is_group_writable(&of) {
        return Err(FileError::Refused("it is writable by its group"));
    }
    Ok(folder)
}

/// Writes a file, for its owner alone, under the name `beside`, which must be new, and gives it its own name when it is whole
/// on the disk.
pub fn replace(path: &Path, beside: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let outcome = write(path, beside, parts);
    if outcome.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
        // What is left of the attempt is useless. What was there before belongs to somebody else.
        let _ = fs::remove_file(beside);
    }
    outcome
}

fn write(path: &Path, beside: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = system::for_owner_alone(options.write(true).create_new(true)).open(beside)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    fs::rename(beside, path)?;
    // The new name lasts only once its folder is written; a system that cannot do that has written the file all the same.
    if let Some(folder) = path.parent()
        && let Ok(folder) = File::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
    {
        let _ = folder.sync_all();
    }
    Ok(())
}
