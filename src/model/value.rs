//! The JSON values that rules compare: context attributes and clause values.
//!
//! Flag data and contexts only need doubles, strings and small trees, so this type is half the size of a general JSON
//! value and keeps members in the order in which they were written. Depends on serde only.

use std::fmt::{self, Write as _};

use hashbrown::HashMap;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Objects with more members than this find duplicate names through a hash map.
const FEW_MEMBERS: usize = 16;

/// A JSON value. Numbers are doubles; object members keep their order and have distinct names.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any JSON number, rounded to the nearest double.
    Number(f64),
    /// A string, unescaped.
    String(Box<str>),
    /// An array.
    Array(Box<[Value]>),
    /// An object. Of members with the same name the last one is kept.
    Object(Box<[Member]>),
}

/// One member of an object.
pub type Member = (Box<str>, Value);

impl Value {
    /// An object of these members; of several with the same name the last one counts.
    pub fn object(members: Vec<Member>) -> Value {
        Value::Object(keep_last(members).into_boxed_slice())
    }

    /// How many bytes of memory it takes, roughly.
    pub fn weight(&self) -> usize {
        size_of::<Self>()
            + match self {
                Value::Null | Value::Bool(_) | Value::Number(_) => 0,
                Value::String(text) => text.len(),
                Value::Array(items) => items.iter().map(Value::weight).sum(),
                Value::Object(members) => {
                    members.iter().map(|(name, value)| size_of::<Box<str>>() + name.len() + value.weight()).sum()
                }
            }
    }

    /// Appends the value as JSON text: members in order, raw UTF-8, integral numbers without a fraction.
    ///
    /// Numbers that JSON cannot express (infinities, NaN) become `null`.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Number(number) => write_number(*number, out),
            Value::String(text) => write_string(text, out),
            Value::Array(items) => write_array(items, out),
            Value::Object(members) => write_object(members, out),
        }
    }
}

/// Appends a JSON array.
pub fn write_array(items: &[Value], out: &mut String) {
    out.push('[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        item.write_json(out);
    }
    out.push(']');
}

/// Appends a JSON object.
pub fn write_object(members: &[Member], out: &mut String) {
    out.push('{');
    for (position, (name, value)) in members.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_string(name, out);
        out.push(':');
        value.write_json(out);
    }
    out.push('}');
}

/// Appends a JSON number in the shortest form that reads back as the same double; `-0.0` becomes `0`.
pub fn write_number(number: f64, out: &mut String) {
    if !number.is_finite() {
        out.push_str("null");
    } else if number == 0.0 {
        out.push('0');
    } else {
        // Writing to a String cannot fail.
        let _ = write!(out, "{number:?}");
        if out.ends_with(".0") {
            out.truncate(out.len() - 2);
        }
    }
}

/// Appends a quoted JSON string.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        // Whole runs at once. What is escaped is ASCII, so a run never begins or ends inside a character.
        out.push_str(text.get(written..at).unwrap_or_default());
        written = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
    }
    out.push_str(text.get(written..).unwrap_or_default());
    out.push('"');
}

/// Appends valid JSON text without the white space between its tokens; everything else stays as it was written.
pub fn write_compact(json: &str, out: &mut String) {
    let (mut written, mut in_string, mut escaped) = (0, false, false);
    for (at, byte) in json.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b' ' | b'\n' | b'\r' | b'\t' if !in_string => {
                out.push_str(json.get(written..at).unwrap_or_default());
                written = at + 1;
            }
            _ => {}
        }
    }
    out.push_str(json.get(written..).unwrap_or_default());
}

/// Of members with equal names keeps the last value, at the place of the first.
pub fn keep_last(members: Vec<Member>) -> Vec<Member> {
    if members.len() <= FEW_MEMBERS {
        let mut kept: Vec<Member> = Vec::with_capacity(members.len());
        for (name, value) in members {
            match kept.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = value,
                None => kept.push((name, value)),
            }
        }
        return kept;
    }
    let mut places: HashMap<Box<str>, usize, foldhash::fast::RandomState> = HashMap::default();
    let mut kept: Vec<Member> = Vec::with_capacity(members.len());
    for (name, value) in members {
        match places.get(&name).and_then(|place| kept.get_mut(*place)) {
            Some((_, old)) => *old = value,
            None => {
                places.insert(name.clone(), kept.len());
                kept.push((name, value));
            }
        }
    }
    kept
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value.into_boxed_str()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items.into_boxed_slice()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = access.next_entry()? {
            members.push(member);
        }
        Ok(Value::object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &Value) -> String {
        let mut out = String::new();
        value.write_json(&mut out);
        out
    }

    fn read(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn numbers_are_written_in_the_shortest_form() {
        for (number, text) in [
            (1.0, "1"),
            (-0.0, "0"),
            (1.5, "1.5"),
            (1000.0, "1000"),
            (1e21, "1e21"),
            (0.1, "0.1"),
            (9007199254740994.0, "9007199254740994"),
            (12345678901234567890.0, "1.2345678901234567e19"),
            (-1e-7, "-1e-7"),
            (f64::NAN, "null"),
        ] {
            assert_eq!(json(&Value::Number(number)), text);
        }
    }

    #[test]
    fn strings_are_written_as_raw_utf8_with_escaped_controls() {
        let text = Value::String("a\"b\\c\n\u{1}é😀".into());
        assert_eq!(json(&text), "\"a\\\"b\\\\c\\n\\u0001é😀\"");
        assert_eq!(read(&json(&text)), text);
    }

    #[test]
    fn compact_text_loses_white_space_between_tokens_and_nothing_else() {
        let mut out = String::new();
        write_compact("{ \"a b\" :\t[ 1.50 ,\n\"\\\\\" , \"\\\" x\" ],\r\n\"é \": { } }", &mut out);
        assert_eq!(out, "{\"a b\":[1.50,\"\\\\\",\"\\\" x\"],\"é \":{}}");
    }

    #[test]
    fn of_members_with_the_same_name_the_last_wins() {
        assert_eq!(json(&read(r#"{"a":1,"b":2,"a":[null]}"#)), r#"{"a":[null],"b":2}"#);
        let mut long = String::from("{");
        for number in 0..100 {
            long.push_str(&format!("\"k{}\":{number},", number % 50));
        }
        long.push_str("\"k0\":true}");
        let Value::Object(members) = read(&long) else { panic!("not an object") };
        assert_eq!(members.len(), 50);
        assert_eq!(members[0], ("k0".into(), Value::Bool(true)));
        assert_eq!(members[49], ("k49".into(), Value::Number(99.0)));
    }

    #[test]
    fn a_value_is_no_larger_than_three_words() {
        assert_eq!(size_of::<Value>(), 24);
    }

    #[test]
    fn surrogate_pairs_are_decoded() {
        assert_eq!(read(r#""\ud83d\ude00""#), Value::String("😀".into()));
    }
}
