//! One variation of a flag: its JSON text and what a typed call reads from it.
//!
//! The text is kept exactly as it was written, because hosts hand it on. Strings without escapes and trees are not
//! stored a second time; both point into that text, which is a part of that of the flag. An integer that a double cannot hold
//! is kept as one. Depends on `rounding`, `text` and serde_json.

use serde_json::value::RawValue;

use super::text::{Piece, Text};
use super::{Rounding, checked_json};

/// Up to here doubles hold every integer.
const EXACT: u64 = 1 << 53;

/// A variation of a flag.
#[derive(Clone, Debug)]
pub struct Variation {
    json: Piece,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    Null,
    Bool(bool),
    Number(f64),
    /// A number written as an integer of 64 bits that a double may not hold.
    Wide(i64),
    /// A string that is the text between the quotes.
    Plain,
    /// A string with escapes, decoded.
    Decoded(Box<str>),
    Tree,
}

/// The value of a variation, borrowed from the flag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum VariationValue<'a> {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string, unescaped.
    String(&'a str),
    /// An array or object: its text as written.
    Json(&'a str),
}

impl Variation {
    /// Reads a variation from its JSON text, a part of that of its flag.
    pub(super) fn new(raw: &RawValue, text: &Text) -> Result<Variation, serde_json::Error> {
        let json = raw.get();
        let shape = match json.as_bytes().first() {
            Some(b'"') if json.contains('\\') => Shape::Decoded(serde_json::from_str::<String>(json)?.into_boxed_str()),
            Some(b'"') => Shape::Plain,
            Some(b'[' | b'{') => Shape::Tree,
            Some(b't') => Shape::Bool(true),
            Some(b'f') => Shape::Bool(false),
            Some(b'n') => Shape::Null,
            _ => match json.parse::<i64>() {
                Ok(integer) if integer.unsigned_abs() > EXACT => Shape::Wide(integer),
                _ => Shape::Number(serde_json::from_str(json)?),
            },
        };
        Ok(Variation { json: Piece::new(text, json), shape })
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> VariationValue<'_> {
        match &self.shape {
            Shape::Null => VariationValue::Null,
            Shape::Bool(value) => VariationValue::Bool(*value),
            Shape::Number(value) => VariationValue::Number(*value),
            Shape::Wide(value) => VariationValue::Number(*value as f64),
            Shape::Plain => VariationValue::String(self.json.get(1..self.json.len() - 1).unwrap_or_default()),
            Shape::Decoded(text) => VariationValue::String(text),
            Shape::Tree => VariationValue::Json(&self.json),
        }
    }

    /// A number as an integer: exact where it is written as one, otherwise rounded. `None` when it is no number.
    #[inline]
    pub fn integer(&self, rounding: Rounding) -> Option<i64> {
        match &self.shape {
            Shape::Number(value) => Some(rounding.round(*value)),
            Shape::Wide(value) => Some(*value),
            _ => None,
        }
    }

    /// The JSON text as written in the flag, for example `1.50`, `"a"` or `{"a": 1}`.
    #[inline]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The same, to keep beyond the flag.
    pub fn text(&self) -> Piece {
        self.json.clone()
    }

    /// The value as events tell it, to keep beyond the flag; null where a strict reader would refuse it, and everything around
    /// it.
    pub(super) fn told(&self) -> Piece {
        match self.shape {
            Shape::Tree if checked_json(&self.json).is_none() => Piece::new(&Text::new("null"), "null"),
            _ => self.json.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variation(json: &str) -> Variation {
        let text = Text::new(json);
        Variation::new(serde_json::from_str(&text).unwrap(), &text).unwrap()
    }

    #[test]
    fn values_are_typed_and_the_text_is_kept() {
        for (json, value) in [
            ("null", VariationValue::Null),
            ("true", VariationValue::Bool(true)),
            ("false", VariationValue::Bool(false)),
            ("1.50", VariationValue::Number(1.5)),
            ("-3", VariationValue::Number(-3.0)),
            ("\"\"", VariationValue::String("")),
            ("\"a b\"", VariationValue::String("a b")),
            (r#""a\n\ud83d\ude00""#, VariationValue::String("a\n😀")),
            (r#"{"a" : 1}"#, VariationValue::Json(r#"{"a" : 1}"#)),
            ("[1, 2]", VariationValue::Json("[1, 2]")),
        ] {
            let variation = variation(json);
            assert_eq!(variation.value(), value);
            assert_eq!(variation.json(), json);
        }
    }

    #[test]
    fn a_string_without_escapes_is_stored_once() {
        let variation = variation("\"abc\"");
        let VariationValue::String(text) = variation.value() else { panic!("not a string") };
        assert_eq!(text.as_ptr() as usize, variation.json().as_ptr() as usize + 1);
    }

    #[test]
    fn integers_of_64_bits_are_exact_and_are_the_nearest_double_as_numbers() {
        for (json, integer) in [
            ("1234567890123456789", 1_234_567_890_123_456_789),
            ("-9007199254740993", -9_007_199_254_740_993),
            ("9007199254740992", 9_007_199_254_740_992),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("9223372036854775808", i64::MAX),
            ("1e3", 1000),
            ("-0", 0),
            ("2.5", 2),
        ] {
            let variation = variation(json);
            assert_eq!(variation.integer(Rounding::HalfEven), Some(integer), "{json}");
            let VariationValue::Number(number) = variation.value() else { panic!("not a number") };
            assert_eq!(number.to_bits(), json.parse::<f64>().unwrap().to_bits(), "{json}");
            assert_eq!(variation.json(), json);
        }
        for json in ["true", "null", "\"1\"", "[1]"] {
            assert_eq!(variation(json).integer(Rounding::HalfEven), None, "{json}");
        }
    }

    #[test]
    fn an_integer_takes_no_more_memory_than_a_string() {
        assert_eq!(size_of::<Variation>(), 5 * size_of::<usize>());
    }

    #[test]
    fn numbers_out_of_range_and_lone_surrogates_are_refused() {
        for json in ["1e999", r#""\ud800""#] {
            assert!(Variation::new(serde_json::from_str(json).unwrap(), &Text::new("")).is_err(), "{json}");
        }
    }
}
