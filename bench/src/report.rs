//! The table: what was measured, beside what, and whether it is within its budget. Depends on nothing.

use std::fmt::Write;

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    what: String,
    measured: String,
    peer: Option<(String, String, String)>,
    budgets: Vec<Budget>,
}

/// A limit, what was measured against it, and how it reads.
#[derive(Debug, Clone, Copy)]
pub enum Budget {
    /// There is none.
    None,
    /// The measured figure must not be greater.
    AtMost(f64, f64, &'static str),
    /// The measured figure must not be smaller.
    AtLeast(f64, f64, &'static str),
}

impl Budget {
    fn wording(self) -> Option<String> {
        match self {
            Budget::None => None,
            Budget::AtMost(_, _, limit) => Some(format!("<= {limit}")),
            Budget::AtLeast(_, _, limit) => Some(format!(">= {limit}")),
        }
    }

    /// `None` without a budget. A figure that is no number meets none.
    fn is_met(self) -> Option<bool> {
        match self {
            Budget::None => None,
            Budget::AtMost(measured, limit, _) => Some(measured <= limit),
            Budget::AtLeast(measured, limit, _) => Some(measured >= limit),
        }
    }
}

impl Row {
    /// A row with the figure of Flagstone.
    pub fn new(what: &str, measured: String) -> Self {
        Self { what: what.to_owned(), measured, peer: None, budgets: Vec::new() }
    }

    /// Adds what was measured beside it.
    pub fn beside(mut self, peer: &str, measured: String, ratio: String) -> Self {
        self.peer = Some((peer.to_owned(), measured, ratio));
        self
    }

    /// Adds a budget.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budgets.push(budget);
        self
    }

    fn cells(&self) -> [String; 7] {
        let (peer, beside, ratio) = self.peer.clone().unwrap_or_default();
        let wordings: Vec<String> = self.budgets.iter().filter_map(|budget| budget.wording()).collect();
        let met: Vec<bool> = self.budgets.iter().filter_map(|budget| budget.is_met()).collect();
        let verdict = match met.iter().all(|met| *met) {
            _ if met.is_empty() => "",
            true => "met",
            false => "**not met**",
        };
        [self.what.clone(), self.measured.clone(), peer, beside, ratio, wordings.join(", "), verdict.to_owned()]
    }
}

/// The whole text: the machine, a warning if the rounds were few, and the table, aligned so that it reads well
/// without being rendered too.
pub fn render(machine: &[String], rows: &[Row], quick: bool) -> String {
    let head = ["What", "Flagstone", "Beside", "Measured", "Ratio", "Budget", "Verdict"].map(str::to_owned);
    let lines: Vec<[String; 7]> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let mut widths = [3; 7];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::from("# Flagstone: measured\n\n");
    for fact in machine {
        let _ = writeln!(text, "- {fact}");
    }
    if quick {
        text.push_str("- **few rounds**: these figures show that everything works, not how fast it is\n");
    }
    text.push('\n');
    for (number, line) in lines.iter().enumerate() {
        write_line(&mut text, line, &widths);
        if number == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            let _ = writeln!(text, "| {} |", rules.join(" | "));
        }
    }
    text
}

fn write_line(text: &mut String, cells: &[String; 7], widths: &[usize; 7]) {
    for (cell, width) in cells.iter().zip(widths) {
        let _ = write!(text, "| {cell:<width$} ");
    }
    text.push_str("|\n");
}

/// A duration given in nanoseconds.
pub fn nanoseconds(value: f64) -> String {
    format!("{value:.1} ns")
}

/// A duration given in seconds.
pub fn milliseconds(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

/// A size given in bytes.
pub fn megabytes(bytes: f64) -> String {
    format!("{:.2} MB", bytes / 1e6)
}

/// A ratio.
pub fn times(ratio: f64) -> String {
    format!("{ratio:.1}x")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(budgets: &[Budget]) -> String {
        let row = budgets.iter().fold(Row::new("x", String::new()), |row, budget| row.budget(*budget));
        row.cells()[6].clone()
    }

    #[test]
    fn a_row_is_met_when_all_its_budgets_are() {
        let (good, bad) = (Budget::AtMost(1.0, 2.0, "2"), Budget::AtLeast(1.0, 2.0, "2"));
        assert_eq!(verdict(&[]), "");
        assert_eq!(verdict(&[Budget::None]), "");
        assert_eq!(verdict(&[good, Budget::None]), "met");
        assert_eq!(verdict(&[good, bad]), "**not met**");
        assert_eq!(verdict(&[Budget::AtMost(f64::NAN, 2.0, "2")]), "**not met**");
    }

    #[test]
    fn every_line_of_the_table_has_the_same_width() {
        let rows = [
            Row::new("short", "1 ns".to_owned()),
            Row::new("much longer", "1000.0 ns".to_owned()).budget(Budget::None),
        ];
        let text = render(&["a machine".to_owned()], &rows, false);
        let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), 4);
        assert!(table.iter().all(|line| line.len() == table[0].len()), "{text}");
    }
}
