//! Classes and escapes of the dialect: what stands in brackets or behind a backslash.
//!
//! All classes become explicit ranges of ASCII, or named categories and scripts, so that nothing depends on which
//! characters the regex crate counts as digits, words or spaces. Depends on the parent's reading of text only.

use std::iter::Peekable;
use std::str::Chars;

use super::take_until;

const DIGIT: &str = "0-9";
const SPACE: &str = r"\t\n\x0C\r ";
const WORD: &str = "0-9A-Za-z_";

const POSIX_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// How far behind `[:` its end is looked for; bounds the work on a pattern full of openings.
const POSIX_WINDOW: usize = 64;

const GENERAL_CATEGORIES: [&str; 37] = [
    "C", "Cc", "Cf", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl", "No", "P",
    "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs", "Any",
];

/// A bracketed class, behind its opening bracket.
pub(super) fn class(input: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut out = String::from("[");
    if input.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    loop {
        if !first && input.next_if_eq(&']').is_some() {
            out.push(']');
            return Some(out);
        }
        first = false;
        if let Some(named) = posix_class(input)? {
            out.push_str(&named);
        } else if let Some(items) = class_item_escape(input)? {
            out.push_str(&items);
        } else {
            class_range(input, &mut out)?;
        }
    }
}

/// `[:name:]` or `[:^name:]`. None inside if there is no such thing here; none if the name is unknown.
fn posix_class(input: &mut Peekable<Chars<'_>>) -> Option<Option<String>> {
    let mut ahead = input.clone();
    if ahead.next() != Some('[') || ahead.next() != Some(':') {
        return Some(None);
    }
    let window: String = ahead.clone().take(POSIX_WINDOW).collect();
    let Some((name, _)) = window.split_once(":]") else {
        return Some(None);
    };
    if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return None;
    }
    *input = ahead;
    for _ in 0..name.len() + 2 {
        input.next();
    }
    Some(Some(format!("[:{name}:]")))
}

/// A class escape inside brackets, as items or a nested class.
fn class_item_escape(input: &mut Peekable<Chars<'_>>) -> Option<Option<String>> {
    let mut ahead = input.clone();
    if ahead.next() != Some('\\') {
        return Some(None);
    }
    let items = class_escape(&mut ahead)?;
    if items.is_some() {
        *input = ahead;
    }
    Some(items.map(|items| format!("[{items}]")))
}

/// One character or a range of a class.
fn class_range(input: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    let low = class_character(input)?;
    let mut ahead = input.clone();
    // A hyphen before the closing bracket is a character of its own.
    let range = ahead.next() == Some('-') && ahead.peek().is_some_and(|next| *next != ']');
    push_class_literal(out, low);
    if range {
        *input = ahead;
        let high = class_character(input)?;
        if high < low {
            return None;
        }
        out.push('-');
        push_class_literal(out, high);
    }
    Some(())
}

fn class_character(input: &mut Peekable<Chars<'_>>) -> Option<char> {
    match input.next()? {
        '\\' => character_escape(input),
        other => Some(other),
    }
}

/// By code point: nothing in a class then looks like a set operation.
fn push_class_literal(out: &mut String, character: char) {
    if character.is_alphanumeric() {
        out.push(character);
    } else {
        out.push_str(&format!("\\x{{{:X}}}", u32::from(character)));
    }
}

/// Reads a class behind a backslash (`d`, `W`, `pL`, `p{Greek}`) and returns it as items of a bracketed class. None
/// inside if the escape is no class; none if the class is unknown.
pub(super) fn class_escape(input: &mut Peekable<Chars<'_>>) -> Option<Option<String>> {
    let items = match input.peek() {
        Some('d') => DIGIT.to_owned(),
        Some('s') => SPACE.to_owned(),
        Some('w') => WORD.to_owned(),
        Some('D') => format!("^{DIGIT}"),
        Some('S') => format!("^{SPACE}"),
        Some('W') => format!("^{WORD}"),
        Some('p') => return unicode_class(input, false).map(Some),
        Some('P') => return unicode_class(input, true).map(Some),
        _ => return Some(None),
    };
    input.next();
    Some(Some(items))
}

/// A general category, or a script by its full name.
fn unicode_class(input: &mut Peekable<Chars<'_>>, mut negated: bool) -> Option<String> {
    input.next();
    let mut name = match input.next()? {
        '{' => take_until(input, '}')?,
        letter => letter.to_string(),
    };
    if let Some(rest) = name.strip_prefix('^') {
        name = rest.to_owned();
        negated = !negated;
    }
    let letter = if negated { 'P' } else { 'p' };
    if GENERAL_CATEGORIES.contains(&name.as_str()) {
        return Some(format!("\\{letter}{{{name}}}"));
    }
    // The regex crate would drop the prefix `Is`.
    let script = name.starts_with(|first: char| first.is_ascii_uppercase())
        && !name.starts_with("Is")
        && name.chars().all(|character| character.is_ascii_alphabetic() || character == '_');
    script.then(|| format!("\\{letter}{{Script={name}}}"))
}

/// The character named by an escape, behind its backslash.
pub(super) fn character_escape(input: &mut Peekable<Chars<'_>>) -> Option<char> {
    let character = input.next()?;
    match character {
        'a' => Some('\x07'),
        'f' => Some('\x0C'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\x0B'),
        'x' => hexadecimal(input),
        '0' => octal(input, 0),
        // A single digit would be a back-reference.
        '1'..='7' if input.peek().is_some_and(|next| next.is_digit(8)) => octal(input, character.to_digit(8)?),
        punctuation if punctuation.is_ascii() && !punctuation.is_ascii_alphanumeric() => Some(punctuation),
        _ => None,
    }
}

/// Up to two more octal digits.
fn octal(input: &mut Peekable<Chars<'_>>, first: u32) -> Option<char> {
    let mut code = first;
    for _ in 0..2 {
        let Some(digit) = input.peek().and_then(|next| next.to_digit(8)) else {
            break;
        };
        code = code * 8 + digit;
        input.next();
    }
    char::from_u32(code)
}

/// Two hexadecimal digits, or any number of them in braces.
fn hexadecimal(input: &mut Peekable<Chars<'_>>) -> Option<char> {
    let digits = match input.next()? {
        '{' => take_until(input, '}')?,
        first => [first, input.next()?].into_iter().collect(),
    };
    if !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    match significant {
        "" => (!digits.is_empty()).then_some('\0'),
        _ => char::from_u32(u32::from_str_radix(significant, 16).ok()?),
    }
}
