//! The file source: flags and segments from files of JSON or YAML, for development and tests without a server.
//!
//! A file is an object of `flags` and `segments`, each from key to item, and `flagValues`, from key to the one value that
//! the flag shall always have. Everything is loaded or nothing: a file that cannot be read leaves the old data in force.
//! Items are taken as they are written, their versions too; one that makes no sense disturbs no other, and is told with file
//! and line.

mod content;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod problem;
mod scalar;
mod yaml;

use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::control::Control;
use super::failure::Trouble;
use super::options::{Duplicates, FileOptions};
use super::outlet::Outlet;
use super::sink::{Failure, FailureKind, Severity};
use crate::files;
use crate::model::{ChangeKind, ChangeSet, Content, Delivery, Interner, Kind, excerpt, parse_flag, parse_segment};
use content::{Document, Item, Members};
use problem::Problem;

/// How often the files are looked at.
pub(super) const GLANCE: Duration = Duration::from_millis(500);

/// A file that was written less than this before it was read may be written again without looking any newer.
const COARSEST_CLOCK: Duration = Duration::from_secs(2);

/// How often it is looked whether something has come through a pipe.
const PIPE_PAUSE: Duration = Duration::from_millis(10);

/// No file is longer, in bytes.
const LARGEST: u64 = 1 << 30;
/// How many items that make no sense are told one by one.
const MOST_TOLD: usize = 20;
/// Most characters of a line about one.
const LONGEST: usize = 500;

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
        let texts: Result<Vec<Vec<u8>>, Trouble> =
            self.options.paths.iter().map(|path| read(path, self.outlet.control())).collect();
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
            files.push((path, Document::read(text).map_err(|problem| invalid(path, &problem))?));
        }
        let mut members = Vec::new();
        for (path, document) in &files {
            members.push(document.members().map_err(|problem| invalid(path, &problem))?);
        }
        let mut merged = Merged { duplicates: self.options.duplicates, known: HashSet::new(), items: Vec::new() };
        for ((path, document), members) in files.iter().zip(&members) {
            merged.add_file(path, document, members).map_err(|problem| invalid(path, &problem))?;
        }
        self.tell_doubts(&files);
        self.tell_senseless(&merged.items);
        let items = merged.items.iter().map(|(.., item)| Delivery {
            kind: item.kind,
            key: item.key.into(),
            content: Content::Json(&item.json),
        });
        let items: Vec<Delivery<'_>> = items.collect();
        let count = items.len();
        self.outlet.apply(ChangeSet::new(ChangeKind::Full, items));
        Ok(count)
    }

    /// Tells where YAML was read as its present version says, and older readers read something else.
    fn tell_doubts(&self, files: &[(&PathBuf, Document<'_>)]) {
        for (path, document) in files {
            let Some(doubt) = &document.doubt else { continue };
            let (line, count, text) = (doubt.line, doubt.count, excerpt(&doubt.text, LONGEST));
            let what = format!("{text} is read as YAML 1.2 says; put it in quotes if it is text ({count} such values)");
            self.outlet.log(Severity::Warn, format_args!("{}", place(path, &Problem::new(line, what))));
        }
    }

    /// Tells which items cannot be read, and where they are. They are delivered all the same.
    fn tell_senseless(&self, items: &[Placed<'_>]) {
        let (mut interner, mut count) = (Interner::default(), 0);
        for (path, document, item) in items {
            let outcome = match item.kind {
                Kind::Flag => parse_flag(item.key, &item.json, &mut interner).map(drop),
                Kind::Segment => parse_segment(item.key, &item.json, &mut interner).map(drop),
            };
            let Err(error) = outcome else { continue };
            count += 1;
            if count <= MOST_TOLD {
                let line = place(path, &document.problem(item, &error.to_string()));
                self.outlet.log(Severity::Error, format_args!("{}", excerpt(&line, LONGEST)));
            }
        }
        if count > MOST_TOLD {
            self.outlet.log(Severity::Error, format_args!("{} more items make no sense", count - MOST_TOLD));
        }
    }
}

fn invalid(path: &Path, problem: &Problem) -> Trouble {
    Trouble::invalid_data(&place(path, problem))
}

/// A sentence that begins with file and line.
fn place(path: &Path, problem: &Problem) -> String {
    format!("{}:{problem}", path.display())
}

fn read(path: &Path, control: &Control) -> Result<Vec<u8>, Trouble> {
    content_of(path, control).map_err(|error| {
        let message = format!("{}: {error}", path.display());
        Trouble { failure: Failure { kind: FailureKind::Unknown, status: 0, message }, ..Trouble::invalid_data("") }
    })
}

/// What is in a file, or what comes through a pipe until its writer is done: only a stop ends the wait for that.
fn content_of(path: &Path, control: &Control) -> io::Result<Vec<u8>> {
    let file = files::prompt().read(true).open(path)?;
    let is_pipe = files::is_pipe(&file.metadata()?);
    let mut text = Vec::new();
    loop {
        let read = (&file).take((LARGEST + 1).saturating_sub(text.len() as u64)).read_to_end(&mut text);
        match read {
            _ if text.len() as u64 > LARGEST => return Err(io::Error::other("more than 1 GB is not read")),
            Ok(_) if !is_pipe || !text.is_empty() => return Ok(text),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            // Nobody writes yet, or the writer has not gone on.
            _ if control.is_stopped() => return Err(io::Error::other("nothing came through the pipe")),
            _ => _ = control.sleep(PIPE_PAUSE, control.restarts()),
        }
    }
}

fn fingerprint(texts: &Vec<Vec<u8>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    hasher.finish()
}

/// An item and the file that it is from.
type Placed<'a> = (&'a Path, &'a Document<'a>, Item<'a>);

/// The items of all files so far.
struct Merged<'a> {
    duplicates: Duplicates,
    known: HashSet<(Kind, &'a str)>,
    items: Vec<Placed<'a>>,
}

impl<'a> Merged<'a> {
    fn add_file(
        &mut self,
        path: &'a Path,
        document: &'a Document<'_>,
        members: &'a Members<'_>,
    ) -> Result<(), Problem> {
        for item in members.items(document)? {
            if self.known.insert((item.kind, item.key)) {
                self.items.push((path, document, item));
            } else if self.duplicates == Duplicates::Fail {
                return Err(document.problem(&item, "it is defined more than once"));
            }
        }
        Ok(())
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
