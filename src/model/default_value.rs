//! The value that a caller wants where a flag has none, as the caller gave it: nothing is parsed or written before an event
//! needs it. Depends on `value` and serde_json.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::value::{write_number, write_string};
use super::{exceeds_depth, repair};

/// A caller's default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum DefaultValue<'a> {
    /// None was given; told as null where there must be one.
    #[default]
    None,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A string, as it is; what is not UTF-8 becomes U+FFFD.
    String(&'a [u8]),
    /// Any JSON value, as text.
    Json(&'a [u8]),
}

impl DefaultValue<'_> {
    /// The value as JSON text. None for none, for text that is not JSON or is nested too deep, and for numbers that JSON
    /// cannot say.
    pub fn to_json(self) -> Option<Box<str>> {
        let mut out = String::new();
        match self {
            Self::None => return None,
            Self::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Self::Integer(value) => out.push_str(&value.to_string()),
            Self::Number(value) if value.is_finite() => write_number(value, &mut out),
            Self::Number(_) => return None,
            Self::String(text) => write_string(&String::from_utf8_lossy(text), &mut out),
            Self::Json(text) => return checked_json(std::str::from_utf8(text).ok()?),
        }
        Some(out.into_boxed_str())
    }
}

/// A JSON text of somebody else, made fit to stand within another one: without space around it, and with lone surrogates
/// repaired. None if it is not JSON, is nested too deep, or has a number that no double can hold: whoever reads it would
/// refuse all that stands around it.
pub fn checked_json(text: &str) -> Option<Box<str>> {
    if exceeds_depth(text.as_bytes()) {
        return None;
    }
    let repaired = repair(text.as_bytes());
    let raw: &RawValue = serde_json::from_slice(&repaired).ok()?;
    serde_json::from_str::<Readable>(raw.get()).ok()?;
    Some(Box::from(raw.get()))
}

/// Any value, read and forgotten.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self, A::Error> {
        while access.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self, A::Error> {
        while access.next_entry::<IgnoredAny, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: DefaultValue<'_>) -> Option<String> {
        value.to_json().map(String::from)
    }

    #[test]
    fn a_default_is_told_as_it_was_given() {
        let cases = [
            (DefaultValue::Bool(true), "true"),
            (DefaultValue::Integer(i64::MIN), "-9223372036854775808"),
            (DefaultValue::Number(0.5), "0.5"),
            (DefaultValue::Number(3.0), "3"),
            (DefaultValue::String(b"a\"b"), r#""a\"b""#),
            (DefaultValue::String(b"a\xff"), "\"a\u{fffd}\""),
            (DefaultValue::Json(b" [1, 2] "), "[1, 2]"),
            (
                DefaultValue::Json(br#"{"a":[null,true,-1,1.50,1e308,18446744073709551616,{"\u0061":"b"}]}"#),
                r#"{"a":[null,true,-1,1.50,1e308,18446744073709551616,{"\u0061":"b"}]}"#,
            ),
            (DefaultValue::Json(br#""\ud800""#), r#""\uFFFD""#),
        ];
        for (default, text) in cases {
            assert_eq!(json(default).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_json_cannot_say_is_no_default() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        for bad in
            [b"".as_slice(), b"{", b"NaN", b"1 2", b"'a'", b"\"\xff\"", b"[{\"a\":1e999}]", b"-1e400", deep.as_bytes()]
        {
            assert_eq!(json(DefaultValue::Json(bad)), None, "{bad:?}");
        }
        for none in [DefaultValue::None, DefaultValue::Number(f64::NAN), DefaultValue::Number(f64::INFINITY)] {
            assert_eq!(json(none), None);
        }
    }
}
