//! A table of texts that fits its terminal: the widest columns give way.

use console::{Alignment, measure_text_width, pad_str, truncate_str};

use super::Output;
use crate::failure::Failure;

const BETWEEN: usize = 2;
/// No column becomes narrower than that.
const NARROWEST: usize = 4;
/// Where nobody looks nothing is cut, and what is longer than that is no reason to fill up other lines.
const LONGEST_FILLED: usize = 80;

/// Rows under a heading. Texts may be painted.
pub struct Table {
    rows: Vec<Vec<String>>,
    right: &'static [usize],
}

impl Table {
    /// Under this heading; the columns of these numbers stand to the right.
    pub fn new(heading: &[&str], right: &'static [usize]) -> Self {
        Self { rows: vec![heading.iter().map(|&text| text.to_owned()).collect()], right }
    }

    /// Adds a row of as many texts as the heading has.
    pub fn row(&mut self, texts: Vec<String>) {
        self.rows.push(texts);
    }

    /// Prints it.
    pub fn print(self, output: &mut Output) -> Result<(), Failure> {
        let widths = self.widths(output.width);
        let fill = if output.is_terminal { usize::MAX } else { LONGEST_FILLED };
        for (position, row) in self.rows.iter().enumerate() {
            let line = self.line(row, &widths, fill);
            let line = line.trim_end();
            if position == 0 {
                let heading = output.faint(line);
                output.line(heading)?;
            } else {
                output.line(line)?;
            }
        }
        Ok(())
    }

    fn line(&self, row: &[String], widths: &[usize], fill: usize) -> String {
        let mut line = String::new();
        for (column, (text, &width)) in row.iter().zip(widths).enumerate() {
            if column > 0 {
                line.push_str(&" ".repeat(BETWEEN));
            }
            let side = if self.right.contains(&column) { Alignment::Right } else { Alignment::Left };
            let text = truncate_str(text, width, "…");
            line.push_str(&pad_str(&text, width.min(fill), side, None));
        }
        line
    }

    fn widths(&self, limit: usize) -> Vec<usize> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let widest = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|text| measure(text)).max();
        let mut widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
        let mut excess = (widths.iter().sum::<usize>() + BETWEEN * columns.saturating_sub(1)).saturating_sub(limit);
        while excess > 0 {
            let Some(widest) = widths.iter_mut().max() else { break };
            if *widest <= NARROWEST {
                break;
            }
            *widest -= 1;
            excess -= 1;
        }
        widths
    }
}

/// Most texts are plain, and there are tens of thousands of them.
fn measure(text: &str) -> usize {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) { text.len() } else { measure_text_width(text) }
}
