//! What Unix says of a file: its owner, its group and the bits of its mode.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::{FileError, LINK, NO_FILE, NO_FOLDER};

/// Opens a file that is no link.
pub(super) fn open(path: &Path) -> Result<(File, Metadata), FileError> {
    // Without O_NONBLOCK the opening of a named pipe would wait for a writer.
    open_with(path, libc::O_NONBLOCK)
}

/// Opens a folder that is no link.
pub(super) fn open_folder(path: &Path) -> Result<(File, Metadata), FileError> {
    open_with(path, libc::O_DIRECTORY)
}

fn open_with(path: &Path, flag: i32) -> Result<(File, Metadata), FileError> {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | flag).open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => LINK,
        Some(libc::ENXIO) => NO_FILE,
        Some(libc::ENOTDIR) => NO_FOLDER,
        _ => FileError::Io(error),
    })?;
    let of = file.metadata()?;
    Ok((file, of))
}

/// Refuses what others could have written.
pub(super) fn judge(of: &Metadata) -> Result<(), FileError> {
    if of.uid() != 0 && of.uid() != own()?.uid() {
        return Err(FileError::Refused("it belongs to another user"));
    }
    if of.mode() & 0o002 != 0 {
        return Err(FileError::Refused("it is writable by everybody"));
    }
    Ok(())
}

/// Whom files of this process belong to: a pipe made just now tells, which needs no place on a disk.
fn own() -> io::Result<Metadata> {
    let (reader, _) = io::pipe()?;
    File::from(OwnedFd::from(reader)).metadata()
}

/// A file that is made with these options is for its owner alone.
pub(super) fn for_owner_alone(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// Whether it is a pipe, which has no end before its writer is done.
pub fn is_pipe(of: &Metadata) -> bool {
    of.file_type().is_fifo()
}

/// Options whose opening does not wait, whatever is opened.
pub fn prompt() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC);
    options
}

/// Makes a folder for its owner alone, and those above it.
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Whether the group of the file may write it.
pub fn is_group_writable(of: &Metadata) -> bool {
    of.mode() & 0o020 != 0
}

/// Whether this process belongs to the group of the file; of further groups only Linux tells.
pub fn is_of_own_group(of: &Metadata) -> io::Result<bool> {
    if own()?.gid() == of.gid() {
        return Ok(true);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap_or_default();
    Ok(groups.split_whitespace().any(|known| known.parse() == Ok(of.gid())))
}

/// Whether it is for its owner alone, as it was made.
pub fn is_private(of: &Metadata) -> bool {
    of.mode() & 0o777 == 0o600
}

/// Whether somebody has removed the file since it was opened at `path`.
pub fn is_removed(file: &File, _path: &Path) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() == 0)
}
