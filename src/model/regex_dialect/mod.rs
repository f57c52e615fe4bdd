//! Translates the dialect of `matches` clauses (RE2, as Go reads it) into that of the `regex` crate.
//!
//! Both are linear-time engines of one family, but they disagree on Unicode classes, on set operations in brackets, on
//! escapes and on what is a syntax error. Only "does it match anywhere" is ever asked, so groups lose their names and
//! greediness is dropped. Depends on nothing but the regex crate's list of characters to escape.

mod classes;

use std::collections::HashSet;
use std::iter::Peekable;
use std::str::Chars;

use classes::{character_escape, class, class_escape};

/// The largest count of a repetition, also multiplied over nested repetitions.
const MAX_REPEAT: u32 = 1000;
/// How deep repetitions may nest. The engine has no such limit, but needs kilobytes of stack per level to compile them.
const MAX_NESTED_REPEATS: u32 = 6;

/// The pattern in the syntax of the `regex` crate; none if it is not valid in the dialect.
pub(super) fn translate(pattern: &str) -> Option<String> {
    let mut translator = Translator {
        input: pattern.chars().peekable(),
        out: String::with_capacity(pattern.len() + 16),
        groups: vec![Repeats::NONE],
        names: HashSet::new(),
        atom: None,
        after_repeat: false,
    };
    while let Some(character) = translator.input.next() {
        translator.token(character)?;
    }
    // The outermost group is never closed.
    (translator.groups.len() == 1).then_some(translator.out)
}

struct Translator<'p> {
    input: Peekable<Chars<'p>>,
    out: String,
    /// What is inside each open group, outermost first.
    groups: Vec<Repeats>,
    names: HashSet<String>,
    /// What a repetition operator would apply to.
    atom: Option<Atom>,
    /// The token before this one was a repetition operator, so another may not follow.
    after_repeat: bool,
}

/// The repetitions inside an atom or group.
#[derive(Clone, Copy)]
struct Repeats {
    /// The largest product of nested counts.
    product: u32,
    /// How deep they nest.
    depth: u32,
}

impl Repeats {
    const NONE: Repeats = Repeats { product: 1, depth: 0 };

    fn max(self, other: Repeats) -> Repeats {
        Repeats { product: self.product.max(other.product), depth: self.depth.max(other.depth) }
    }

    /// These repetitions, repeated. None if that is more than the dialect or the stack allows.
    fn repeated(self, times: u32) -> Option<Repeats> {
        let product = if times == 0 { 1 } else { times * self.product };
        let depth = self.depth + 1;
        (product <= MAX_REPEAT && depth <= MAX_NESTED_REPEATS).then_some(Repeats { product, depth })
    }
}

#[derive(Clone, Copy)]
struct Atom {
    /// Where the atom ends in the output; flag settings may have been written after it.
    end: usize,
    repeats: Repeats,
}

impl Translator<'_> {
    fn token(&mut self, character: char) -> Option<()> {
        let after_repeat = std::mem::take(&mut self.after_repeat);
        match character {
            '(' => self.open()?,
            ')' => self.close()?,
            '|' => {
                self.out.push('|');
                self.atom = None;
            }
            '[' => {
                let class = class(&mut self.input)?;
                self.push_atom(&class);
            }
            '*' | '+' | '?' => self.repeat(&character.to_string(), 1, after_repeat)?,
            '{' => match self.counts() {
                Some(counts) => self.counted(counts?, after_repeat)?,
                None => self.literal('{'),
            },
            '\\' => self.escape()?,
            '^' | '$' | '.' => self.push_atom(character.encode_utf8(&mut [0; 4])),
            other => self.literal(other),
        }
        Some(())
    }

    fn push_atom(&mut self, text: &str) {
        self.out.push_str(text);
        self.set_atom(self.out.len(), Repeats::NONE);
    }

    fn set_atom(&mut self, end: usize, repeats: Repeats) {
        self.atom = Some(Atom { end, repeats });
        if let Some(group) = self.groups.last_mut() {
            *group = group.max(repeats);
        }
    }

    fn literal(&mut self, character: char) {
        push_literal(&mut self.out, character);
        self.set_atom(self.out.len(), Repeats::NONE);
    }

    fn open(&mut self) -> Option<()> {
        if self.input.peek() != Some(&'?') {
            self.begin_group("(?:");
            return Some(());
        }
        self.input.next();
        match self.input.peek() {
            Some('P') => {
                self.input.next();
                (self.input.next() == Some('<')).then_some(())?;
                self.named_group()
            }
            Some('<') => {
                self.input.next();
                self.named_group()
            }
            _ => self.flags(),
        }
    }

    fn begin_group(&mut self, opening: &str) {
        self.out.push_str(opening);
        self.groups.push(Repeats::NONE);
        self.atom = None;
    }

    fn named_group(&mut self) -> Option<()> {
        let name = take_until(&mut self.input, '>')?;
        let valid =
            !name.is_empty() && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
        if !valid || !self.names.insert(name) {
            return None;
        }
        self.begin_group("(?:");
        Some(())
    }

    /// What follows `(?`: flags for the rest of this group, or a group of its own with or without flags.
    fn flags(&mut self) -> Option<()> {
        let (mut on, mut off) = (String::new(), String::new());
        let (mut negative, mut seen) = (false, false);
        loop {
            match self.input.next()? {
                flag @ ('i' | 'm' | 's' | 'U') => {
                    seen = true;
                    note_flag(flag, negative, &mut on, &mut off);
                }
                '-' if !negative => {
                    negative = true;
                    seen = false;
                }
                end @ (':' | ')') if seen || !negative => {
                    self.finish_flags(&on, &off, end == ':');
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    fn finish_flags(&mut self, on: &str, off: &str, group: bool) {
        let minus = if off.is_empty() { "" } else { "-" };
        if group {
            self.begin_group(&format!("(?{on}{minus}{off}:"));
        } else if !(on.is_empty() && off.is_empty()) {
            self.out.push_str(&format!("(?{on}{minus}{off})"));
        }
    }

    fn close(&mut self) -> Option<()> {
        if self.groups.len() < 2 {
            return None;
        }
        let group = self.groups.pop()?;
        self.out.push(')');
        self.set_atom(self.out.len(), group);
        Some(())
    }

    /// Reads `{n}`, `{n,}` or `{n,m}` behind the brace. None if it is something else and the brace is a literal; the
    /// inner none is a count that is out of range.
    fn counts(&mut self) -> Option<Option<(u32, Option<u32>)>> {
        let mut ahead = self.input.clone();
        let min = count(&mut ahead)?;
        let max = match ahead.next()? {
            '}' => Some(min),
            ',' if ahead.peek() == Some(&'}') => {
                ahead.next();
                None
            }
            ',' => {
                let max = count(&mut ahead)?;
                (ahead.next()? == '}').then_some(Some(max))?
            }
            _ => return None,
        };
        self.input = ahead;
        let in_order = max.is_none_or(|max| min <= max);
        let in_range = min <= MAX_REPEAT && max.is_none_or(|max| max <= MAX_REPEAT);
        Some((in_order && in_range).then_some((min, max)))
    }

    fn counted(&mut self, (min, max): (u32, Option<u32>), after_repeat: bool) -> Option<()> {
        let operator = match max {
            Some(max) if max == min => format!("{{{min}}}"),
            Some(max) => format!("{{{min},{max}}}"),
            None => format!("{{{min},}}"),
        };
        self.repeat(&operator, max.unwrap_or(min), after_repeat)
    }

    /// Applies an operator to the last atom. `times` is 1 for operators whose count is not limited.
    fn repeat(&mut self, operator: &str, times: u32, after_repeat: bool) -> Option<()> {
        let atom = self.atom?;
        if after_repeat {
            return None;
        }
        // `?` behind an operator only makes it lazy.
        self.input.next_if_eq(&'?');
        let repeats = atom.repeats.repeated(times)?;
        self.out.insert_str(atom.end, operator);
        self.set_atom(atom.end + operator.len(), repeats);
        self.after_repeat = true;
        Some(())
    }

    fn escape(&mut self) -> Option<()> {
        match *self.input.peek()? {
            'Q' => {
                self.input.next();
                self.quoted();
                return Some(());
            }
            'A' | 'z' => {
                let anchor = self.input.next()?;
                self.push_atom(&format!("\\{anchor}"));
            }
            boundary @ ('b' | 'B') => {
                self.input.next();
                self.push_atom(&format!(r"(?-u:\{boundary})"));
            }
            _ => match class_escape(&mut self.input)? {
                Some(items) => self.push_atom(&format!("[{items}]")),
                None => {
                    let character = character_escape(&mut self.input)?;
                    self.literal(character);
                }
            },
        }
        Some(())
    }

    /// Text between `\Q` and `\E`, or the end of the pattern, taken literally.
    fn quoted(&mut self) {
        while let Some(character) = self.input.next() {
            if character == '\\' && self.input.next_if_eq(&'E').is_some() {
                return;
            }
            self.literal(character);
        }
    }
}

/// Greediness (`U`) does not change whether there is a match, so it is checked and dropped.
fn note_flag(flag: char, negative: bool, on: &mut String, off: &mut String) {
    if flag == 'U' {
        return;
    }
    on.retain(|other| other != flag);
    off.retain(|other| other != flag);
    if negative { off.push(flag) } else { on.push(flag) }
}

fn push_literal(out: &mut String, character: char) {
    out.push_str(&regex_syntax::escape(character.encode_utf8(&mut [0; 4])));
}

fn take_until(input: &mut Peekable<Chars<'_>>, end: char) -> Option<String> {
    let mut text = String::new();
    loop {
        match input.next()? {
            character if character == end => return Some(text),
            character => text.push(character),
        }
    }
}

/// A decimal number without a leading zero; numbers that are far too large saturate.
fn count(input: &mut Peekable<Chars<'_>>) -> Option<u32> {
    let mut number = input.next()?.to_digit(10)?;
    let leading_zero = number == 0;
    while let Some(digit) = input.peek().and_then(|character| character.to_digit(10)) {
        if leading_zero {
            return None;
        }
        number = number.saturating_mul(10).saturating_add(digit);
        input.next();
    }
    Some(number)
}

#[cfg(test)]
mod tests;
