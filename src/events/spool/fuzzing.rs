//! Fuzz target of the files of the spool: any bytes are refused cleanly, and what was kept comes back as it was. Depends on `files`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a target fails by panicking")]

use std::fs;
use std::path::PathBuf;

use super::entry::{self, Entry, Name};
use crate::events::payload::{Content, Payload};
use crate::files::{self, FileError};

const ID: &str = "0b8a5c5e-6a2f-4d5c-9a8e-0123456789ab";

/// The bytes are a name, a file, and the body of a file that is as it should be.
pub fn spool_file(data: &[u8]) {
    if let Some(name) = std::str::from_utf8(data).ok().and_then(Name::parse) {
        let file = name.file("owner");
        assert_eq!(Name::parse(file.strip_suffix(".owner.events").unwrap()), Some(name), "{file}");
    }
    let folder = Folder::new();
    let entry = Entry {
        path: folder.0.join("spooled"),
        size: data.len() as u64,
        name: Some(Name { at: 1, events: 2, id: ID.to_owned() }),
    };
    let write = |parts: &[&[u8]]| files::replace(&entry.path, &folder.0.join("beside"), parts).unwrap();
    write(&[data]);
    match entry.claim() {
        Err(FileError::Refused(_)) => {}
        // A fuzzer sees what is compared, and may find a sum.
        Ok(Some(payload)) if data.ends_with(&payload.body) => {}
        other => panic!("{other:?}"),
    }
    for is_packed in [false, true] {
        let payload = Payload {
            number: 0,
            content: Content::Events,
            id: ID.to_owned(),
            events: 2,
            body: data.to_vec(),
            is_packed,
            claim: None,
        };
        let (head, size) = entry::head(&payload);
        assert_eq!(size, (head.len() + data.len()) as u64);
        write(&[head.as_bytes(), data]);
        let back = entry.claim().unwrap().unwrap();
        assert_eq!((back.body, back.is_packed, back.events), (payload.body, is_packed, 2));
    }
}

/// A folder of its own, for as long as it lasts.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("flagstone-fuzz-spool-{}-{:?}", std::process::id(), std::thread::current().id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}
