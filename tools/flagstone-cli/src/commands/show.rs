//! `show`: one flag or segment, its targeting in words.

use flagstone::model::{Interner, Kind};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::like;
use crate::arguments::Show;
use crate::failure::{Failure, Verdict};
use crate::item::{Content, Item, Read, noun};
use crate::output::{Output, plain};
use crate::place::{Held, Place};
use crate::words;
use crate::words::written::Written;

/// What `--json` prints.
#[derive(Serialize)]
struct Shown {
    /// As it is written; none where that is no JSON.
    item: Option<Box<RawValue>>,
    /// Why it cannot be read.
    error: Option<String>,
    remarks: Vec<String>,
    used_by: Vec<String>,
}

pub fn run(what: &Show, place: &Place, output: &mut Output) -> Result<Verdict, Failure> {
    let kind = if what.segment { Kind::Segment } else { Kind::Flag };
    let held = place.read_some(output)?;
    let item = find(&held, kind, &what.key)?;
    if what.raw {
        output.raw(&item.text)?;
        output.gap()?;
        return Ok(Verdict::Fine);
    }
    let read = item.read(&mut Interner::default());
    if output.json {
        let error = read.content.as_ref().err().map(ToString::to_string);
        let remarks: Vec<String> = read.remarks.iter().map(ToString::to_string).collect();
        let used_by = used_by(&held, kind, &what.key);
        output.json(&Shown { item: item.written().ok(), error, remarks, used_by })?;
    } else {
        print(item, &read, &held, output)?;
    }
    Ok(if read.content.is_ok() { Verdict::Fine } else { Verdict::Found })
}

fn find<'a>(held: &'a Held, kind: Kind, key: &str) -> Result<&'a Item, Failure> {
    held.find(kind, key).ok_or_else(|| {
        let alike = like(key, held.of(kind).iter().map(|item| item.key.as_str()));
        Failure::Missing(format!("there is no {} {key:?}{alike}", noun(kind)))
    })
}

fn print(item: &Item, read: &Read, held: &Held, output: &mut Output) -> Result<(), Failure> {
    let text = item.written().map(|json| json.get().to_owned()).unwrap_or_default();
    let json = Written::of(&text);
    let state = match &read.content {
        Err(_) => output.bad("cannot be read"),
        Ok(Content::Deleted(_)) => output.doubtful("deleted"),
        Ok(Content::Flag(flag)) if flag.on => output.good("on"),
        Ok(Content::Flag(_)) => output.doubtful("off"),
        Ok(Content::Segment(_)) => String::new(),
    };
    let version =
        read.content.as_ref().map_or_else(|_| String::new(), |content| format!("version {}", content.version()));
    let heading = [output.strong(plain(&item.key)), state, output.faint(version)];
    output.words(heading.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  "))?;
    for name in ["name", "description"] {
        if let Some(text) = json.members().get(name).some_text() {
            output.words(plain(&text))?;
        }
    }
    if let Err(error) = &read.content {
        let error = output.bad(plain(&error.to_string()));
        return output.words(error);
    }
    let nodes = match item.kind {
        _ if read.content.as_ref().is_ok_and(Content::is_deleted) => Vec::new(),
        Kind::Flag => words::flag::flag(json, output),
        Kind::Segment => words::flag::segment(json, output),
    };
    nodes.iter().try_for_each(|node| node.print(output))?;
    let users: Vec<String> = used_by(held, item.kind, &item.key).iter().map(|key| words::quoted(key)).collect();
    if !users.is_empty() {
        output.words(format!("{} {}", output.strong("Used by"), users.join(", ")))?;
    }
    read.remarks.iter().try_for_each(|remark| output.words(output.doubtful(plain(&remark.to_string()))))
}

/// The keys of flags and segments that name this one.
fn used_by(held: &Held, kind: Kind, key: &str) -> Vec<String> {
    let quoted = Value::from(key).to_string();
    // Reading an item is dear: most do not even contain the text of the key.
    let may_name = |item: &&Item| memory_contains(&item.text, quoted.as_bytes());
    let mut interner = Interner::default();
    let names = |content: &Content| match (content, kind) {
        (Content::Flag(flag), Kind::Flag) => flag.prerequisite_keys().any(|used| used == key),
        (Content::Flag(flag), Kind::Segment) => flag.segments().any(|used| used == key),
        (Content::Segment(segment), Kind::Segment) => segment.segments().any(|used| used == key),
        _ => false,
    };
    let candidates = held.items().filter(may_name);
    candidates
        .filter(|item| item.read(&mut interner).content.as_ref().is_ok_and(names))
        .map(|item| item.key.clone())
        .collect()
}

fn memory_contains(text: &[u8], part: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| std::str::from_utf8(part).is_ok_and(|part| text.contains(part)))
}
