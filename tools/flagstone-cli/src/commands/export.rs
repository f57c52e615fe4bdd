//! `export`: everything as one file that the file source, and `import`, read. Texts stay as they are written.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use flagstone::model::{Interner, repair};
use serde_json::Value;
use serde_json::value::RawValue;

use super::diff::sum;
use crate::arguments::Export;
use crate::failure::{Failure, Verdict};
use crate::item::{Content, Item, noun};
use crate::output::{Output, plain};
use crate::place::Place;

pub fn run(what: &Export, place: &Place, output: &mut Output) -> Result<Verdict, Failure> {
    let held = place.read_some(output)?;
    let mut left_out = Vec::new();
    let mut text = String::from("{\n");
    for (name, items) in [("flags", &held.flags), ("segments", &held.segments)] {
        let mut bar = output.progress("exporting", items.len());
        text.push_str(&format!("  {}: {{", Value::from(name)));
        let mut is_first = true;
        for item in items {
            bar.inc(1);
            match readable(item) {
                Ok(Some(json)) => {
                    text.push_str(if is_first { "\n    " } else { ",\n    " });
                    text.push_str(&format!("{}: {json}", Value::from(item.key.as_str())));
                    is_first = false;
                }
                Ok(None) => {}
                Err(reason) => left_out.push((item, reason)),
            }
        }
        drop(bar);
        text.push_str(if is_first { "}" } else { "\n  }" });
        text.push_str(if name == "flags" { ",\n" } else { "\n" });
    }
    text.push_str("}\n");
    match &what.to {
        Some(path) => {
            write(path, text.as_bytes()).map_err(|error| Failure::Away(format!("{}: {error}", path.display())))?;
            if output.json {
                let (flags, segments) = (held.flags.len(), held.segments.len());
                let keys: Vec<_> = left_out.iter().map(|(item, _)| &item.key).collect();
                output.json(&serde_json::json!({ "flags": flags, "segments": segments, "left_out": keys }))?;
            } else {
                output.line(format!("{} in {}", sum(&held), plain(&path.display().to_string())))?;
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
fn readable(item: &Item) -> Result<Option<String>, String> {
    match item.read(&mut Interner::default()).content {
        Err(error) => Err(error.to_string()),
        Ok(_) if !item.has_text_key => Err("the name of its field is no text in UTF-8".to_owned()),
        Ok(Content::Deleted(_)) => Ok(None),
        Ok(_) => {
            let text = repair(&item.text);
            let json: &RawValue = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
            // Line ends between the parts of JSON mean nothing, and inside of texts there are none.
            Ok(Some(json.get().replace(['\n', '\r'], " ")))
        }
    }
}

/// The file is the old one or the new one at every moment.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.file_name().unwrap_or_default().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(beside);
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // It may not be there.
        let _ = fs::remove_file(&beside);
    }
    written
}
