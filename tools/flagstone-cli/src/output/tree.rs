//! A tree with branches drawn, its lines wrapped to the terminal.

use console::{measure_text_width, truncate_str};
use serde::Serialize;

use super::Output;
use crate::failure::Failure;

/// How a line came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It only says something.
    None,
    /// Yes.
    Yes,
    /// No.
    No,
    /// Nobody knows: something stopped before.
    Open,
}

/// A line and what is below it.
#[derive(Debug, Serialize)]
pub struct Node {
    text: String,
    mark: Mark,
    below: Vec<Node>,
}

impl Node {
    /// A line. What is data in it must have gone through [`plain`](super::plain).
    pub fn new(text: impl Into<String>, mark: Mark) -> Self {
        Self { text: text.into(), mark, below: Vec::new() }
    }

    /// A line that only says something.
    pub fn note(text: impl Into<String>) -> Self {
        Self::new(text, Mark::None)
    }

    /// Adds something below.
    pub fn push(&mut self, node: Node) {
        self.below.push(node);
    }

    /// Prints the tree.
    pub fn print(&self, output: &mut Output) -> Result<(), Failure> {
        self.print_below("", "", output)
    }

    fn print_below(&self, first: &str, rest: &str, output: &mut Output) -> Result<(), Failure> {
        let mark = match self.mark {
            Mark::None => String::new(),
            Mark::Yes => format!("{} ", output.good("✓")),
            Mark::No => format!("{} ", output.bad("✗")),
            Mark::Open => format!("{} ", output.doubtful("?")),
        };
        // Under what is continued, the line to what is below goes on.
        let indent = format!("{rest}{}", if self.below.is_empty() { "  " } else { "│ " });
        let before = measure_text_width(first).max(measure_text_width(&indent));
        let room = output.width.saturating_sub(before + measure_text_width(&mark)).max(16);
        for (position, part) in wrap(&self.text, room).into_iter().enumerate() {
            let before = output.faint(if position == 0 { first } else { &indent });
            let mark = if position == 0 { mark.as_str() } else { "" };
            output.line(format!("{before}{mark}{part}"))?;
        }
        for (position, node) in self.below.iter().enumerate() {
            let is_last = position + 1 == self.below.len();
            let (first, next) = if is_last { ("└ ", "  ") } else { ("├ ", "│ ") };
            node.print_below(&format!("{rest}{first}"), &format!("{rest}{next}"), output)?;
        }
        Ok(())
    }
}

/// At spaces, and within words that are too long.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let word = if measure_text_width(word) > room { truncate_str(word, room, "…") } else { word.into() };
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(&word);
        } else if measure_text_width(line) + 1 + measure_text_width(&word) <= room {
            line.push(' ');
            line.push_str(&word);
        } else {
            lines.push(word.into_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_end_between_words_and_long_words_are_cut() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 5), ["abcd…", "k"]);
        assert_eq!(wrap("", 5), [""]);
    }
}
