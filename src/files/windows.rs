//! What Windows says of a file. Who may write it stands in access lists, which are the folder's if nobody has set others: below a
//! user's profile that is the user alone. They are not read here.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::Path;

use super::{FileError, LINK, NO_FOLDER};

/// `FILE_FLAG_BACKUP_SEMANTICS`: folders can be opened.
const FOLDERS: u32 = 0x0200_0000;
/// `FILE_FLAG_OPEN_REPARSE_POINT`: a link is opened itself, and not what it leads to.
const LINKS: u32 = 0x0020_0000;

/// Opens a file that is no link.
pub(super) fn open(path: &Path) -> Result<(File, Metadata), FileError> {
    open_with(path, LINKS)
}

/// Opens a folder that is no link.
pub(super) fn open_folder(path: &Path) -> Result<(File, Metadata), FileError> {
    let (folder, of) = open_with(path, LINKS | FOLDERS)?;
    if of.is_dir() { Ok((folder, of)) } else { Err(NO_FOLDER) }
}

fn open_with(path: &Path, flags: u32) -> Result<(File, Metadata), FileError> {
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let of = file.metadata()?;
    if of.file_type().is_symlink() { Err(LINK) } else { Ok((file, of)) }
}

/// Access lists have decided already.
pub(super) fn judge(_of: &Metadata) -> Result<(), FileError> {
    Ok(())
}

/// A new file has the access list of its folder.
pub(super) fn for_owner_alone(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Whether it is a pipe: those of Windows have names of their own and are no files.
pub fn is_pipe(_of: &Metadata) -> bool {
    false
}

/// Options whose opening does not wait, whatever is opened.
pub fn prompt() -> OpenOptions {
    OpenOptions::new()
}

/// Makes a folder, and those above it.
pub fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Files have no group here.
pub fn is_group_writable(_of: &Metadata) -> bool {
    false
}

/// Files have no group here.
pub fn is_of_own_group(_of: &Metadata) -> io::Result<bool> {
    Ok(true)
}

/// It is as it was made.
pub fn is_private(_of: &Metadata) -> bool {
    true
}

/// Whether somebody has removed the file since it was opened at `path`: no other one gets its name.
pub fn is_removed(_file: &File, path: &Path) -> io::Result<bool> {
    Ok(!fs::exists(path)?)
}
