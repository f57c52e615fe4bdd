//! Files in folders that others may use: what may be opened, and how a file is written so that it is there whole or not at
//! all. Who may write a file is known from its bits on Unix; on Windows access lists decide, which the standard library does
//! not read. Depends on no other module of the crate.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

pub use system::{is_group_writable, is_of_own_group, is_pipe, is_private, is_removed, make_folder, prompt};

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

/// Longest file of certificates, or with a key, in bytes.
pub const LARGEST_PEM: u64 = 16 << 20;

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

/// What is in a regular file of at most `most` bytes, whoever may write it. Neither a pipe that nobody writes to holds the
/// caller, nor a device without an end.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = prompt().read(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut content = Vec::new();
    if file.take(most + 1).read_to_end(&mut content)? as u64 > most {
        return Err(io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(content)
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

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_no_file_is_read_neither_without_an_end_nor_by_waiting_for_a_writer() {
        let folder = std::env::temp_dir().join(format!("flagstone-files-{}", std::process::id()));
        make_folder(&folder).unwrap();
        let (pipe, file) = (folder.join("pipe"), folder.join("file"));
        if Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
            assert!(read(&pipe, 4).unwrap_err().to_string().contains("regular file"));
        }
        for device in ["/dev/zero", "/dev/null"] {
            assert!(read(Path::new(device), 4).unwrap_err().to_string().contains("regular file"), "{device}");
        }
        assert!(read(&folder, 4).is_err());
        fs::write(&file, "1234").unwrap();
        assert_eq!(read(&file, 4).unwrap(), b"1234");
        assert!(read(&file, 3).unwrap_err().to_string().contains("3 bytes"));
        fs::remove_dir_all(folder).unwrap();
    }
}
