//! The file source: flags and segments from JSON files, for development and tests without a server.
//!
//! A file is an object of `flags` and `segments`, each from key to item, and `flagValues`, from key to the one value that
//! the flag shall always have. Everything is loaded or nothing: a file that cannot be read leaves the old data in force.
//! Items are taken as they are written, their versions too; one that makes no sense disturbs no other.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::failure::Trouble;
use super::options::{Duplicates, FileOptions};
use super::outlet::Outlet;
use super::payload::{Malformed, collection};
use super::sink::{Failure, FailureKind, Severity};
use crate::model::{ChangeKind, ChangeSet, Content, Delivery, Kind, RawMember, scan_members};

/// How often the files are looked at.
pub(super) const GLANCE: Duration = Duration::from_millis(500);

/// A file that was written less than this before it was read may be written again without looking any newer.
const COARSEST_CLOCK: Duration = Duration::from_secs(2);

/// Loads the files, and again when they change or a restart is asked for.
pub(super) fn run(options: &FileOptions, glance: Duration, outlet: &Outlet<'_>) {
    let control = outlet.control();
    let pause = if options.auto_reload { glance } else { Duration::MAX };
    let mut loader = Loader { options, outlet, looks: Vec::new(), applied: None };
    while !control.is_stopped() {
        let restarts = control.restarts();
        // Whoever asks for a restart wants the data once more, changed or not.
        loader.applied = None;
        loader.load();
        while control.sleep(pause, restarts) {
            if loader.looks != loader.look() {
                loader.load();
            }
        }
    }
}

/// What a file looks like from outside. None of a file that may have changed without looking any different, so that it
/// never equals a later look.
#[derive(Debug)]
enum Look {
    Missing,
    Uncertain,
    Settled(u64, SystemTime),
}

impl PartialEq for Look {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Look::Missing, Look::Missing) => true,
            (Look::Settled(length, time), Look::Settled(other_length, other_time)) => {
                (length, time) == (other_length, other_time)
            }
            _ => false,
        }
    }
}

fn look(path: &Path) -> Look {
    let Ok(metadata) = fs::metadata(path) else { return Look::Missing };
    match metadata.modified() {
        Ok(time) if time.elapsed().is_ok_and(|age| age >= COARSEST_CLOCK) => Look::Settled(metadata.len(), time),
        _ => Look::Uncertain,
    }
}

struct Loader<'a> {
    options: &'a FileOptions,
    outlet: &'a Outlet<'a>,
    /// How the files looked before they were read last.
    looks: Vec<Look>,
    /// What was read last; a failure counts as something else than any content.
    applied: Option<Result<u64, Failure>>,
}

impl Loader<'_> {
    fn look(&self) -> Vec<Look> {
        self.options.paths.iter().map(|path| look(path)).collect()
    }

    fn load(&mut self) {
        self.looks = self.look();
        let texts: Result<Vec<Vec<u8>>, Trouble> = self.options.paths.iter().map(|path| read(path)).collect();
        let fingerprint = texts.as_ref().map(fingerprint).map_err(|trouble| trouble.failure.clone());
        if self.applied.as_ref() == Some(&fingerprint) {
            return;
        }
        let result = texts.and_then(|texts| self.apply(&texts));
        self.applied = Some(fingerprint);
        match result {
            Ok(count) => self.outlet.log(Severity::Info, format_args!("{count} items were loaded from files")),
            Err(trouble) => {
                self.outlet.log(Severity::Error, format_args!("files: {}", trouble.failure.message));
                self.outlet.interrupted(trouble.failure);
            }
        }
    }

    fn apply(&self, texts: &[Vec<u8>]) -> Result<usize, Trouble> {
        let mut files = Vec::new();
        for (path, text) in self.options.paths.iter().zip(texts) {
            let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            let file =
                File::parse(text).map_err(|error| Trouble::invalid_data(&format!("{}: {error}", path.display())))?;
            files.push((path, file));
        }
        let mut merged = Merged { duplicates: self.options.duplicates, known: HashSet::new(), items: Vec::new() };
        // The items of a value are written here and lent out beside those of the files.
        let written: Vec<Vec<(&str, Vec<u8>)>> = files.iter().map(|(_, file)| file.written()).collect();
        for ((path, file), written) in files.iter().zip(&written) {
            merged
                .add_file(file, written)
                .map_err(|error| Trouble::invalid_data(&format!("{}: {error}", path.display())))?;
        }
        let count = merged.items.len();
        self.outlet.apply(ChangeSet::new(ChangeKind::Full, merged.items));
        Ok(count)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    fs::read(path).map_err(|error| {
        let message = format!("{}: {error}", path.display());
        Trouble { failure: Failure { kind: FailureKind::Unknown, status: 0, message }, ..Trouble::invalid_data("") }
    })
}

fn fingerprint(texts: &Vec<Vec<u8>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    hasher.finish()
}

/// The items of all files so far.
struct Merged<'a> {
    duplicates: Duplicates,
    known: HashSet<(Kind, Cow<'a, str>)>,
    items: Vec<Delivery<'a>>,
}

impl<'a> Merged<'a> {
    fn add_file(&mut self, file: &'a File<'_>, written: &'a [(&str, Vec<u8>)]) -> Result<(), String> {
        for (kind, members) in [(Kind::Segment, &file.segments), (Kind::Flag, &file.flags)] {
            for member in members {
                let key = member.key.as_deref().ok_or("a key is no text")?;
                self.add(Delivery { kind, key: Cow::Borrowed(key), content: Content::Json(member.value) })?;
            }
        }
        for (key, json) in written {
            self.add(Delivery { kind: Kind::Flag, key: Cow::Borrowed(key), content: Content::Json(json) })?;
        }
        Ok(())
    }

    fn add(&mut self, item: Delivery<'a>) -> Result<(), String> {
        if self.known.insert((item.kind, item.key.clone())) {
            self.items.push(item);
            return Ok(());
        }
        match self.duplicates {
            Duplicates::First => Ok(()),
            Duplicates::Fail => Err(format!("{:?} is defined more than once", item.key)),
        }
    }
}

/// A file; other properties are of no concern.
struct File<'a> {
    flags: Vec<RawMember<'a>>,
    values: Vec<RawMember<'a>>,
    segments: Vec<RawMember<'a>>,
}

impl<'a> File<'a> {
    fn parse(text: &'a [u8]) -> Result<Self, Malformed> {
        let members = scan_members(text)?;
        let of = |name| collection(&members, name).map(Option::unwrap_or_default);
        Ok(Self { flags: of("flags")?, values: of("flagValues")?, segments: of("segments")? })
    }

    /// The flags that have one value for everybody.
    fn written(&self) -> Vec<(&str, Vec<u8>)> {
        let values = self.values.iter().filter_map(|member| Some((member.key.as_deref()?, member.value)));
        values
            .map(|(key, value)| {
                let head = format!(r#"{{"key":{},"version":1,"on":true,"variations":["#, serde_json::Value::from(key));
                (key, [head.as_bytes(), value, br#"],"fallthrough":{"variation":0}}"#].concat())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_written_just_now_is_read_again_whatever_it_looks_like() {
        let path = std::env::temp_dir().join(format!("flagstone-look-{}", std::process::id()));
        let looks_different = || {
            fs::write(&path, "{}").unwrap();
            look(&path) != look(&path)
        };
        // On a busy machine it may be looked at too late.
        assert!((0..5).any(|_| looks_different()), "the clock of files is too coarse to tell");
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - COARSEST_CLOCK).unwrap();
        let settled = look(&path);
        assert_eq!(settled, look(&path));
        file.set_modified(SystemTime::now() - COARSEST_CLOCK * 2).unwrap();
        assert_ne!(settled, look(&path));
        fs::remove_file(&path).unwrap();
        assert_eq!((look(&path), look(&path)), (Look::Missing, Look::Missing));
    }
}
