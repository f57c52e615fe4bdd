//! A YAML file as the JSON that it stands for, written in one pass over the parser's events: no tree is built, aliases are
//! copied, and everything that is written counts against one bound. Reads YAML 1.2, and the merge keys of 1.1.
//!
//! Depends on `model`, and on granit-parser for the syntax.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Tag};

use super::problem::Problem;
use super::scalar::{self, quoted};
use crate::model::{read_string, scan_members};

/// Longest text that is read, in bytes: a few seconds' work.
const LARGEST_TEXT: usize = 32 << 20;
/// Most bytes of JSON that are written for it, aliases and merge keys included.
const LARGEST_JSON: usize = 128 << 20;
/// JSON that is nested deeper is refused wherever flags are read.
const DEEPEST: usize = 127;

/// What a file says.
#[derive(Debug)]
pub(super) struct Converted {
    pub json: Vec<u8>,
    /// Of each section, the lines of its items in the order in which they are written; those of merge keys have none.
    pub lines: HashMap<Box<str>, Vec<usize>>,
    /// Scalars that older readers of YAML take for something else.
    pub doubt: Option<Doubt>,
}

/// The first one of these, and how many there are.
#[derive(Debug, PartialEq)]
pub(super) struct Doubt {
    pub line: usize,
    pub text: String,
    pub count: usize,
}

/// Converts a file that is no JSON.
pub(super) fn convert(text: &[u8]) -> Result<Converted, Problem> {
    if text.len() > LARGEST_TEXT {
        return Err(Problem::new(0, format!("YAML of more than {} MB is not read", LARGEST_TEXT >> 20)));
    }
    let text = std::str::from_utf8(text).map_err(|error| {
        let before = text.get(..error.valid_up_to()).unwrap_or_default();
        Problem::new(line_of(before), "it is not UTF-8")
    })?;
    let mut writer = Writer::default();
    let options = granit_parser::options! { block_scalar_eof_without_line_feed: true };
    for next in Parser::new_from_str_with_options(text, options) {
        match next {
            Ok((event, span)) => {
                writer.line = span.start.line();
                writer.is_absent = span.is_empty();
                writer.take(event)?;
            }
            Err(error) => {
                writer.line = error.marker().line();
                return Err(writer.problem(error.info()));
            }
        }
    }
    if writer.json.is_empty() {
        return Err(Problem::new(0, "it is empty"));
    }
    Ok(Converted { json: writer.json, lines: writer.lines, doubt: writer.doubt })
}

/// The line on which the byte after `before` stands.
pub(super) fn line_of(before: &[u8]) -> usize {
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// A mapping or list that is being written.
struct Frame {
    /// Where its text begins.
    begin: usize,
    anchor: usize,
    shape: Shape,
}

enum Shape {
    List {
        is_empty: bool,
    },
    Map {
        /// The keys so far, with their lines.
        keys: HashMap<Box<str>, usize>,
        slot: Slot,
        /// What is merged into it.
        merges: Vec<Vec<u8>>,
    },
    /// The list of a merge key.
    Merges(Vec<Vec<u8>>),
}

/// What comes next in a mapping.
enum Slot {
    Key,
    ValueOf(Box<str>),
    Merge,
}

#[derive(Default)]
struct Writer {
    json: Vec<u8>,
    /// Bytes that were ever written.
    spent: usize,
    frames: Vec<Frame>,
    /// What each anchor stands for; nothing while it is being written.
    anchors: HashMap<usize, Option<Box<[u8]>>>,
    lines: HashMap<Box<str>, Vec<usize>>,
    doubt: Option<Doubt>,
    documents: usize,
    line: usize,
    /// Nothing is written where the parser says that a scalar is.
    is_absent: bool,
}

impl Writer {
    fn take(&mut self, event: Event<'_>) -> Result<(), Problem> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 { Err(self.problem("a second document begins; a file has one")) } else { Ok(()) }
            }
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref()),
            Event::Alias(anchor) => self.alias(anchor),
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq")?;
                self.open(anchor, b'[')
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "map")?;
                self.open(anchor, b'{')
            }
            Event::SequenceEnd => self.close(b']'),
            Event::MappingEnd => self.close(b'}'),
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>) -> Result<(), Problem> {
        let is_plain = style == ScalarStyle::Plain;
        if self.frames.is_empty() {
            return Err(self.problem("it is no mapping with flags, flagValues or segments"));
        }
        if self.wants_key() {
            let is_merge = is_plain && text == "<<" && tag.is_none();
            if anchor > 0 {
                self.anchors.insert(anchor, Some(quoted(text).into_bytes().into()));
            }
            return if is_merge { self.merge_key() } else { self.key(if self.is_absent { "" } else { text }) };
        }
        if is_plain && tag.is_none() && scalar::is_doubtful(text) {
            let first = Doubt { line: self.line, text: text.to_owned(), count: 0 };
            self.doubt.get_or_insert(first).count += 1;
        }
        let json = scalar::json_of(text, is_plain, tag).map_err(|what| self.problem(what))?;
        self.value(json.as_bytes(), anchor)
    }

    fn check_tag(&self, tag: Option<&Tag>, core: &str) -> Result<(), Problem> {
        match tag {
            Some(tag) if tag.core_suffix() != Some(core) && tag.to_string() != "!" => {
                Err(self.problem(format!("the tag {tag} is not known here")))
            }
            _ => Ok(()),
        }
    }

    fn alias(&mut self, anchor: usize) -> Result<(), Problem> {
        let Some(Some(text)) = self.anchors.get(&anchor) else {
            return Err(self.problem("an alias stands inside of what it stands for"));
        };
        if !self.wants_key() {
            if self.spent + text.len() > LARGEST_JSON {
                return Err(self.too_large());
            }
            let text = text.clone();
            return self.value(&text, 0);
        }
        match text.first() {
            Some(b'{' | b'[') | None => Err(self.problem(NO_KEY)),
            _ => {
                let key = read_string(text).unwrap_or_else(|| String::from_utf8_lossy(text)).into_owned();
                self.key(&key)
            }
        }
    }

    fn wants_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { shape: Shape::Map { slot: Slot::Key, .. }, .. }))
    }

    fn merge_key(&mut self) -> Result<(), Problem> {
        if let Some(Frame { shape: Shape::Map { slot, .. }, .. }) = self.frames.last_mut() {
            *slot = Slot::Merge;
        }
        Ok(())
    }

    fn key(&mut self, key: &str) -> Result<(), Problem> {
        let (depth, line) = (self.frames.len(), self.line);
        let section = self.key_at(0).map(Box::<str>::from);
        let Some(Frame { shape: Shape::Map { keys, slot, .. }, .. }) = self.frames.last_mut() else { return Ok(()) };
        let is_first = keys.is_empty();
        *slot = Slot::ValueOf(Box::from(key));
        let before = keys.insert(Box::from(key), line);
        match (depth, section, before) {
            // Whether an item may be defined twice is for an option to say.
            (2, Some(section), _) => self.lines.entry(section).or_default().push(line),
            (_, _, Some(before)) => {
                return Err(self.problem(format!("{key:?} is given twice, first in line {before}")));
            }
            _ => {}
        }
        let comma = if is_first { "" } else { "," };
        self.write(format!("{comma}{}:", quoted(key)).as_bytes())
    }

    /// The key of the value that is being written at this depth.
    fn key_at(&self, depth: usize) -> Option<&str> {
        match &self.frames.get(depth)?.shape {
            Shape::Map { slot: Slot::ValueOf(key), .. } => Some(key),
            _ => None,
        }
    }

    fn value(&mut self, json: &[u8], anchor: usize) -> Result<(), Problem> {
        let begin = self.begin_value()?;
        self.write(json)?;
        self.end_value(begin, anchor)
    }

    fn begin_value(&mut self) -> Result<usize, Problem> {
        if let Some(Frame { shape: Shape::List { is_empty }, .. }) = self.frames.last_mut()
            && !std::mem::take(is_empty)
        {
            self.write(b",")?;
        }
        Ok(self.json.len())
    }

    fn end_value(&mut self, begin: usize, anchor: usize) -> Result<(), Problem> {
        if anchor > 0 {
            let text = self.json.get(begin..).unwrap_or_default();
            self.spent += text.len();
            self.anchors.insert(anchor, Some(text.into()));
        }
        match self.frames.last_mut().map(|frame| &mut frame.shape) {
            Some(Shape::Map { slot, merges, .. }) => {
                if matches!(std::mem::replace(slot, Slot::Key), Slot::Merge) {
                    merges.push(self.json.split_off(begin));
                }
            }
            Some(Shape::Merges(merges)) => merges.push(self.json.split_off(begin)),
            Some(Shape::List { .. }) | None => {}
        }
        Ok(())
    }

    fn open(&mut self, anchor: usize, bracket: u8) -> Result<(), Problem> {
        if self.wants_key() {
            return Err(self.problem(NO_KEY));
        }
        if self.frames.is_empty() && bracket == b'[' {
            return Err(self.problem("it is a list, and no mapping with flags, flagValues or segments"));
        }
        if self.frames.len() >= DEEPEST {
            return Err(self.problem(format!("it is nested deeper than {DEEPEST} levels")));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        let begin = self.begin_value()?;
        let is_merge = matches!(self.frames.last(), Some(Frame { shape: Shape::Map { slot: Slot::Merge, .. }, .. }));
        let shape = match bracket {
            b'[' if is_merge => Shape::Merges(Vec::new()),
            b'[' => Shape::List { is_empty: true },
            _ => Shape::Map { keys: HashMap::new(), slot: Slot::Key, merges: Vec::new() },
        };
        if !matches!(shape, Shape::Merges(_)) {
            self.write(&[bracket])?;
        }
        self.frames.push(Frame { begin, anchor, shape });
        Ok(())
    }

    fn close(&mut self, bracket: u8) -> Result<(), Problem> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        match frame.shape {
            Shape::List { .. } => {}
            Shape::Map { keys, merges, .. } => self.merge(keys, &merges)?,
            Shape::Merges(texts) => {
                if let Some(Frame { shape: Shape::Map { slot, merges, .. }, .. }) = self.frames.last_mut() {
                    *slot = Slot::Key;
                    merges.extend(texts);
                }
                return Ok(());
            }
        }
        self.write(&[bracket])?;
        self.end_value(frame.begin, frame.anchor)
    }

    /// Adds the members of merged mappings that the mapping does not have itself; of several the first counts.
    fn merge(&mut self, mut keys: HashMap<Box<str>, usize>, merges: &[Vec<u8>]) -> Result<(), Problem> {
        for text in merges {
            let members = scan_members(text).map_err(|_| self.problem("<< takes a mapping, or a list of them"))?;
            for member in members {
                let Some(key) = member.key.filter(|key| !keys.contains_key(&**key)) else { continue };
                let comma = if keys.is_empty() { "" } else { "," };
                self.write(format!("{comma}{}:", quoted(&key)).as_bytes())?;
                self.write(member.value)?;
                keys.insert(Box::from(&*key), self.line);
            }
        }
        Ok(())
    }

    fn write(&mut self, json: &[u8]) -> Result<(), Problem> {
        self.spent += json.len();
        if self.spent > LARGEST_JSON {
            return Err(self.too_large());
        }
        self.json.extend_from_slice(json);
        Ok(())
    }

    fn too_large(&self) -> Problem {
        let most = LARGEST_JSON >> 20;
        self.problem(format!("it stands for more than {most} MB of JSON, with its aliases written out"))
    }

    /// A problem with what is being read.
    fn problem(&self, what: impl Into<String>) -> Problem {
        let problem = Problem::new(self.line, what);
        match (self.key_at(0), self.key_at(1)) {
            (Some(section @ ("flags" | "flagValues" | "segments")), Some(key)) => problem.of(section, key),
            _ => problem,
        }
    }
}

const NO_KEY: &str = "a key is a mapping or a list, and not text";

#[cfg(test)]
mod tests;
