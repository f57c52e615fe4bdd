//! What a scalar of YAML is as JSON, by the core schema of YAML 1.2. Numbers stay as they are written where JSON writes them
//! so, whatever their size. Pure; depends on granit-parser for tags.

use std::borrow::Cow;

use granit_parser::Tag;

use crate::model::{excerpt, write_string};

/// Most characters that are repeated of a scalar.
const LONGEST: usize = 60;

/// A plain scalar.
#[derive(Debug, Clone, PartialEq)]
enum Plain<'a> {
    Null,
    Bool(bool),
    /// A number as JSON writes it.
    Number(Cow<'a, str>),
    Text,
    /// A number that JSON does not have.
    Unwritable,
}

/// A scalar as JSON; a sentence where it is none.
pub(super) fn json_of<'a>(text: &'a str, is_plain: bool, tag: Option<&Tag>) -> Result<Cow<'a, str>, String> {
    let plain = if is_plain || tag.is_some() { resolve(text) } else { Plain::Text };
    if let Some(tag) = tag {
        let fits = match (tag.core_suffix(), &plain) {
            (Some("str"), _) => return Ok(Cow::Owned(quoted(text))),
            (None, _) if tag.to_string() == "!" => return Ok(Cow::Owned(quoted(text))),
            (Some("int"), Plain::Number(number)) => !number.contains(['.', 'e', 'E']),
            (Some("null"), Plain::Null) | (Some("bool"), Plain::Bool(_)) | (Some("float"), Plain::Number(_)) => true,
            _ => false,
        };
        if !fits {
            return Err(format!("the tag {tag} does not go with {:?}", excerpt(text, LONGEST)));
        }
    }
    match plain {
        Plain::Null => Ok(Cow::Borrowed("null")),
        Plain::Bool(true) => Ok(Cow::Borrowed("true")),
        Plain::Bool(false) => Ok(Cow::Borrowed("false")),
        Plain::Number(number) => Ok(number),
        Plain::Text => Ok(Cow::Owned(quoted(text))),
        Plain::Unwritable => Err(format!("{} is no number that JSON has", excerpt(text, LONGEST))),
    }
}

/// As a JSON string.
pub(super) fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    write_string(text, &mut json);
    json
}

/// What these characters stand for.
fn resolve(text: &str) -> Plain<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "true" | "True" | "TRUE" => Plain::Bool(true),
        "false" | "False" | "FALSE" => Plain::Bool(false),
        _ if matches!(text.trim_start_matches(['-', '+']), ".inf" | ".Inf" | ".INF") && text.len() <= 5 => {
            Plain::Unwritable
        }
        ".nan" | ".NaN" | ".NAN" => Plain::Unwritable,
        _ => with_base(text).or_else(|| decimal(text).map(Plain::Number)).unwrap_or(Plain::Text),
    }
}

/// Hexadecimal and octal numbers.
fn with_base(text: &str) -> Option<Plain<'_>> {
    let (digits, base) = match text.get(..2)? {
        "0x" => (&text[2..], 16),
        "0o" => (&text[2..], 8),
        _ => return None,
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
        return None;
    }
    let number = u128::from_str_radix(digits, base);
    Some(number.map_or(Plain::Unwritable, |number| Plain::Number(Cow::Owned(number.to_string()))))
}

/// A decimal number as JSON writes it; as it is, where it does.
fn decimal(text: &str) -> Option<Cow<'_, str>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], &unsigned[at..]),
        None => (unsigned, ""),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let power = exponent.get(1..).map(|power| power.strip_prefix(['-', '+']).unwrap_or(power));
    if !is_digits(whole)
        || !fraction.is_none_or(is_digits)
        || whole.is_empty() && fraction.is_none_or(str::is_empty)
        || power.is_some_and(|power| power.is_empty() || !is_digits(power))
    {
        return None;
    }
    let is_json = !text.starts_with('+') && (whole == "0" || !whole.starts_with('0') && !whole.is_empty());
    if is_json && fraction != Some("") {
        return Some(Cow::Borrowed(text));
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    let whole = Some(whole.trim_start_matches('0')).filter(|whole| !whole.is_empty()).unwrap_or("0");
    let fraction = match fraction {
        None => String::new(),
        Some("") => ".0".to_owned(),
        Some(digits) => format!(".{digits}"),
    };
    Some(Cow::Owned(format!("{sign}{whole}{fraction}{exponent}")))
}

/// Whether YAML 1.1, which many readers still follow, takes a plain scalar for another value.
pub(super) fn is_doubtful(text: &str) -> bool {
    const WORDS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let Some(first) = digits.bytes().next() else { return false };
    if is_word || !first.is_ascii_digit() {
        return is_word;
    }
    let is_octal = first == b'0' && digits.len() > 1 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7' | b'_'));
    let is_binary = digits.strip_prefix("0b").is_some_and(|bits| bits.bytes().all(|bit| matches!(bit, b'0' | b'1')));
    let is_spaced = digits.contains('_') && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'_' | b'.'));
    let is_clock = digits.contains(':')
        && digits
            .split(':')
            .all(|part| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()));
    is_octal || is_binary || is_spaced || is_clock
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_json_stay_as_they_are_and_others_become_some() {
        for same in [
            "0",
            "-0",
            "1",
            "1.0",
            "1.50",
            "-3.25e10",
            "1E+2",
            "100000000000000000000",
            "12345678901234567890123.5",
            "1e999",
        ] {
            assert_eq!(resolve(same), Plain::Number(Cow::Borrowed(same)), "{same}");
        }
        for (text, number) in [
            ("+1", "1"),
            ("007", "7"),
            ("010", "10"),
            ("-08", "-8"),
            ("00", "0"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("+.5e3", "0.5e3"),
            ("5.", "5.0"),
            ("1.e3", "1.0e3"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("0xffffffffffffffff", "18446744073709551615"),
        ] {
            assert_eq!(resolve(text), Plain::Number(Cow::Borrowed(number)), "{text}");
        }
    }

    #[test]
    fn words_are_those_of_yaml_1_2_and_everything_else_is_text() {
        for null in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(resolve(null), Plain::Null);
        }
        assert_eq!((resolve("True"), resolve("FALSE")), (Plain::Bool(true), Plain::Bool(false)));
        for number in [".inf", "-.INF", "+.Inf", ".nan", ".NaN", "0x100000000000000000000000000000000"] {
            assert_eq!(resolve(number), Plain::Unwritable, "{number}");
        }
        for text in [
            "yes",
            "no",
            "on",
            "Off",
            "y",
            "nUll",
            "tRue",
            "2026-11-29",
            "12:30",
            "1_000",
            "0b11",
            "0x",
            "0xg",
            "0o8",
            "-0x1F",
            ".",
            "+",
            "-",
            "e5",
            "1e",
            "1e+",
            "1.2.3",
            "--1",
            "+-1",
            ".e3",
            "1 2",
            "--.inf",
            "inf",
            "NaN",
            "٣",
            "0x１",
        ] {
            assert_eq!(resolve(text), Plain::Text, "{text}");
        }
    }

    #[test]
    fn what_other_readers_take_for_something_else_is_known() {
        for text in
            ["yes", "No", "ON", "off", "y", "N", "010", "-07", "00", "1_000", "+1_0.5", "12:30", "1:2:3", "0b101"]
        {
            assert!(is_doubtful(text), "{text}");
        }
        for text in [
            "",
            "true",
            "null",
            "0",
            "08",
            "10",
            "1.5",
            "norway",
            "2026-11-29",
            "12:",
            "a:b",
            "1:234",
            "0x10",
            "0o7",
            "-",
            "0b2",
            "é",
        ] {
            assert!(!is_doubtful(text), "{text}");
        }
    }
}
