//! Standard output: terminals and pipes, colours, tables, JSON. Nothing that comes from data can steer a terminal.

mod progress;
mod table;
mod tree;

use std::borrow::Cow;
use std::fmt::{self, Display, Write as _};
use std::io::{self, BufWriter, Stdout, Write};

use console::{Style, Term};
use flagstone::model::write_compact;
use serde::Serialize;

use crate::arguments::{Color, Look};
use crate::failure::Failure;

pub use progress::{Progress, Waiting};
pub use table::Table;
pub use tree::{Mark, Node};

/// Columns where nobody says how many there are.
const USUAL_WIDTH: usize = 100;
const NARROWEST: usize = 20;

/// Where a command prints.
pub struct Output {
    out: BufWriter<Stdout>,
    /// JSON is wanted.
    pub json: bool,
    /// Somebody looks at it.
    pub is_terminal: bool,
    /// Columns; without limit where nobody looks.
    pub width: usize,
    colours: bool,
    colours_of_errors: bool,
}

impl Output {
    /// As wanted, and as the terminal allows.
    pub fn new(look: &Look) -> Self {
        let term = Term::stdout();
        let is_terminal = term.is_term();
        let width = term.size_checked().map_or(USUAL_WIDTH, |(_, columns)| usize::from(columns)).max(NARROWEST);
        Self {
            out: BufWriter::new(io::stdout()),
            json: look.json,
            is_terminal,
            width: if is_terminal { width } else { usize::MAX },
            colours: has_colours(look.color, is_terminal) && !look.json,
            colours_of_errors: has_colours(look.color, Term::stderr().is_term()),
        }
    }

    /// Paints nothing, and tells of no work: for words that go elsewhere.
    pub fn unpainted() -> Self {
        Self::new(&Look { json: true, color: Color::Never })
    }

    /// A line. What is data in it must have gone through [`plain`].
    pub fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{line}")?)
    }

    /// A line, wrapped to the terminal. What is data in it must have gone through [`plain`].
    pub fn words(&mut self, words: impl Display) -> Result<(), Failure> {
        Node::note(words.to_string()).print(self)
    }

    /// The same, to be read before the next one is there.
    pub fn words_now(&mut self, words: impl Display) -> Result<(), Failure> {
        self.words(words)?;
        self.finish()
    }

    /// An empty line.
    pub fn gap(&mut self) -> Result<(), Failure> {
        self.line("")
    }

    /// A line that may be read before the next one is there.
    pub fn line_now(&mut self, line: impl Display) -> Result<(), Failure> {
        self.line(line)?;
        self.finish()
    }

    /// Bytes as they are; at a terminal what could steer it is shown as escapes of JSON.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.is_terminal {
            return Ok(write!(self.out, "{}", escaped_json(&String::from_utf8_lossy(bytes)))?);
        }
        Ok(self.out.write_all(bytes)?)
    }

    /// A value as JSON, over several lines on a terminal.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        if !self.is_terminal {
            return self.line(escaped_json(&one_line(value)?));
        }
        let text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
        self.line(escaped_json(&text))
    }

    /// A value as JSON on a line of its own, which may be read before the next one is there.
    pub fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.line_now(escaped_json(&one_line(value)?))
    }

    /// Everything printed so far can be read.
    pub fn finish(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }

    /// Keys and headings.
    pub fn strong(&self, text: impl Display) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// What is good, or on.
    pub fn good(&self, text: impl Display) -> String {
        self.paint(Style::new().green(), text)
    }

    /// What is bad.
    pub fn bad(&self, text: impl Display) -> String {
        self.paint(Style::new().red(), text)
    }

    /// What is to be looked at.
    pub fn doubtful(&self, text: impl Display) -> String {
        self.paint(Style::new().yellow(), text)
    }

    /// What matters less.
    pub fn faint(&self, text: impl Display) -> String {
        self.paint(Style::new().dim(), text)
    }

    /// A word on standard error.
    pub fn alarm(&self, text: impl Display) -> String {
        Style::new().red().bold().force_styling(self.colours_of_errors).apply_to(text).to_string()
    }

    fn paint(&self, style: Style, text: impl Display) -> String {
        let text = text.to_string();
        if text.is_empty() || !self.colours { text } else { style.force_styling(true).apply_to(text).to_string() }
    }

    /// A bar for work in steps, if it takes long and somebody looks.
    pub fn progress(&self, what: &'static str, steps: usize) -> Progress {
        Progress::new(what, steps, !self.json)
    }

    /// A sign of life for work that may take long.
    pub fn waiting(&self, what: String) -> Waiting {
        Waiting::new(what, !self.json)
    }
}

fn has_colours(wanted: Color, is_terminal: bool) -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match wanted {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => is_terminal && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
    }
}

/// Whether a terminal would do something else than show it: control characters, and those that turn the order of text around.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A text that comes from data, on one line and harmless.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if steers(other) => _ = write!(out, "\\u{{{:x}}}", u32::from(other)),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// Texts that are passed on as they are stored may be of several lines.
fn one_line(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(value).map_err(io::Error::from)?;
    let mut line = String::with_capacity(text.len());
    write_compact(&text, &mut line);
    Ok(line)
}

/// JSON that means the same, and shows what could steer a terminal as escapes. Outside of texts JSON has none of it but line
/// ends and tabs.
fn escaped_json(json: &str) -> Cow<'_, str> {
    let is_shown = |character: char| !matches!(character, '\n' | '\t') && steers(character);
    if !json.contains(is_shown) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 8);
    for character in json.chars() {
        if is_shown(character) {
            let mut units = [0; 2];
            character.encode_utf16(&mut units).iter().for_each(|unit| _ = write!(out, "\\u{unit:04x}"));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// A number of bytes.
pub struct Bytes(pub u64);

impl Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..1_000 => write!(formatter, "{} B", self.0),
            1_000..1_000_000 => write!(formatter, "{:.1} kB", bytes / 1e3),
            1_000_000..1_000_000_000 => write!(formatter, "{:.1} MB", bytes / 1e6),
            _ => write!(formatter, "{:.1} GB", bytes / 1e9),
        }
    }
}

/// A number with its noun: `1 flag`, `2 flags`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_steer_a_terminal_is_shown_as_an_escape() {
        assert_eq!(plain("a\u{1b}[2Jb\n\u{9b}\u{202e}ü"), "a\\u{1b}[2Jb\\n\\u{9b}\\u{202e}ü");
        assert!(matches!(plain("grün 😀"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_means_the_same_when_it_is_escaped() {
        let text = "\u{7f}\u{9b}\u{202e}";
        let json = serde_json::to_string(text).unwrap_or_default();
        let escaped = escaped_json(&json);
        assert_eq!(escaped, r#""\u007f\u009b\u202e""#);
        assert_eq!(serde_json::from_str::<String>(&escaped).ok().as_deref(), Some(text));
    }
}
