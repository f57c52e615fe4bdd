//! `export`: everything as one file that the file source, and `import`, read. Texts stay as they are written.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use flagstone::model::Interner;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::arguments::Export;
use crate::failure::{Failure, Verdict};
use crate::interrupt::Protected;
use crate::item::{Content, Item, noun};
use crate::output::{Output, count, plain};
use crate::place::Place;

/// Bytes that are written at a time.
const PART: usize = 1 << 20;

pub fn run(what: &Export, place: &Place, output: &mut Output) -> Result<Verdict, Failure> {
    let held = place.read_some(output)?;
    let mut left_out = Vec::new();
    let mut text = String::from("{\n");
    let mut written = [0, 0];
    for ((name, items), written) in [("flags", &held.flags), ("segments", &held.segments)].into_iter().zip(&mut written)
    {
        let mut bar = output.progress("exporting", items.len());
        text.push_str(&format!("  {}: {{", Value::from(name)));
        for item in items {
            bar.inc(1);
            match readable(item) {
                Ok(Some(json)) => {
                    text.push_str(if *written == 0 { "\n    " } else { ",\n    " });
                    text.push_str(&format!("{}: {json}", Value::from(item.key.as_str())));
                    *written += 1;
                }
                Ok(None) => {}
                Err(reason) => left_out.push((item, reason)),
            }
        }
        drop(bar);
        text.push_str(if *written == 0 { "}" } else { "\n  }" });
        text.push_str(if name == "flags" { ",\n" } else { "\n" });
    }
    text.push_str("}\n");
    match &what.to {
        Some(path) => {
            write(path, text.as_bytes())?.map_err(|error| Failure::Away(format!("{}: {error}", path.display())))?;
            let [flags, segments] = written;
            if output.json {
                let keys: Vec<_> = left_out.iter().map(|(item, _)| &item.key).collect();
                output.json(&serde_json::json!({ "flags": flags, "segments": segments, "left_out": keys }))?;
            } else {
                let what = format!("{}, {}", count(flags, "flag"), count(segments, "segment"));
                output.words(format!("{what} in {}", plain(&path.display().to_string())))?;
            }
        }
        None => output.raw(text.as_bytes())?,
    }
    for (item, reason) in &left_out {
        let line = format!("{} {:?} is left out: {reason}", noun(item.kind), item.key);
        // Standard output is the export.
        let _ = writeln!(io::stderr(), "{} {}", output.alarm("flagstone:"), plain(&line));
    }
    Ok(if left_out.is_empty() { Verdict::Fine } else { Verdict::Found })
}

/// The text of an item on one line; nothing for what remains of a deleted one.
fn readable(item: &Item) -> Result<Option<Box<RawValue>>, String> {
    match item.read(&mut Interner::default()).content {
        Err(error) => Err(error.to_string()),
        Ok(_) if !item.has_text_key => Err("the name of its field is no text in UTF-8".to_owned()),
        Ok(Content::Deleted(_)) => Ok(None),
        Ok(_) => item.written().map(Some).map_err(|error| error.to_string()),
    }
}

/// The file is the old one or the new one at every moment, also where Ctrl-C ends it, and stays as secret as it was. A link stays
/// one, and what is no file, such as a pipe or a device, is written to.
fn write(path: &Path, bytes: &[u8]) -> Result<io::Result<()>, Failure> {
    let there = fs::metadata(path).ok();
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        return Ok(fs::write(path, bytes));
    }
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut beside = path.file_name().unwrap_or_default().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(beside);
    let protected = Protected::begin()?;
    let written = fill(&beside, bytes, there.as_ref(), &protected).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        // It may not be there.
        let _ = fs::remove_file(&beside);
    }
    Ok(written)
}

/// Before the first byte is written it is as secret as `like`.
fn fill(path: &Path, bytes: &[u8], like: Option<&fs::Metadata>, protected: &Protected) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    if let Some(like) = like {
        file.set_permissions(like.permissions())?;
    }
    for part in bytes.chunks(PART) {
        if protected.is_end_wanted() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        file.write_all(part)?;
    }
    Ok(())
}
