//! Files in folders that others may use: what may be opened, and how a file is written so that it is there whole or not at
//! all. Depends on no other module of the crate.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

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

/// Opens a regular file of ours, or of root, that not everybody may write. What was opened is what is judged: the name may lead
/// elsewhere a moment later.
pub fn open(path: &Path) -> Result<(File, Metadata), FileError> {
    // Without O_NONBLOCK the opening of a named pipe would wait for a writer.
    let (file, of) = open_with(path, libc::O_NONBLOCK)?;
    if !of.is_file() {
        return Err(NO_FILE);
    }
    judge(&of)?;
    Ok((file, of))
}

/// Opens a folder of ours, or of root, that nobody else may write to.
pub fn open_folder(path: &Path) -> Result<File, FileError> {
    let (folder, of) = open_with(path, libc::O_DIRECTORY)?;
    judge(&of)?;
    if of.mode() & 0o020 != 0 {
        return Err(FileError::Refused("it is writable by its group"));
    }
    Ok(folder)
}

fn open_with(path: &Path, flag: i32) -> Result<(File, Metadata), FileError> {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | flag).open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => FileError::Refused("it is a symbolic link"),
        Some(libc::ENXIO) => NO_FILE,
        Some(libc::ENOTDIR) => FileError::Refused("it is not a directory"),
        _ => FileError::Io(error),
    })?;
    let of = file.metadata()?;
    Ok((file, of))
}

fn judge(of: &Metadata) -> Result<(), FileError> {
    if of.uid() != 0 && of.uid() != own()?.uid() {
        return Err(FileError::Refused("it belongs to another user"));
    }
    if of.mode() & 0o002 != 0 {
        return Err(FileError::Refused("it is writable by everybody"));
    }
    Ok(())
}

/// Whom files of this process belong to: a pipe made just now tells, which needs no place on a disk.
pub fn own() -> io::Result<Metadata> {
    let (reader, _) = io::pipe()?;
    File::from(OwnedFd::from(reader)).metadata()
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
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
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
