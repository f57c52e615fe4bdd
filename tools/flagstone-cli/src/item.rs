//! A flag or segment as it is written in Redis or in a file, and what the library reads in it.

use std::borrow::Cow;

use flagstone::model::{Flag, Interner, Kind, ParseError, Parsed, Remark, Segment, parse_flag, parse_segment, repair};
use serde_json::Value;
use serde_json::value::RawValue;

/// Below, doubles are exact.
const EXACT: f64 = (1_u64 << 53) as f64;

/// An item as it is written.
#[derive(Debug, Clone)]
pub struct Item {
    /// Flag or segment.
    pub kind: Kind,
    /// Its key: the name of the field, what is no text in it replaced.
    pub key: String,
    /// The name of the field is text.
    pub has_text_key: bool,
    /// Its text.
    pub text: Vec<u8>,
}

/// What the library reads in an item.
#[derive(Debug)]
pub struct Read {
    /// The item.
    pub content: Result<Content, ParseError>,
    /// What is remarkable about it, although it can be read.
    pub remarks: Vec<Remark>,
}

/// What an item turned out to be.
#[derive(Debug)]
pub enum Content {
    /// A flag.
    Flag(Box<Flag>),
    /// A segment.
    Segment(Box<Segment>),
    /// What remains of a deleted one.
    Deleted(i64),
}

impl Item {
    /// From a field and its text.
    pub fn new(kind: Kind, field: Vec<u8>, text: Vec<u8>) -> Self {
        match String::from_utf8(field) {
            Ok(key) => Self { kind, key, has_text_key: true, text },
            Err(error) => {
                let key = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Self { kind, key, has_text_key: false, text }
            }
        }
    }

    /// Reads it as clients do.
    pub fn read(&self, interner: &mut Interner) -> Read {
        let text = self.repaired();
        let content = match self.kind {
            Kind::Flag => parse_flag(&self.key, &text, interner).map(|parsed| match parsed {
                Parsed::Live(flag) => Content::Flag(Box::new(flag)),
                Parsed::Tombstone { version } => Content::Deleted(version),
            }),
            Kind::Segment => parse_segment(&self.key, &text, interner).map(|parsed| match parsed {
                Parsed::Live(segment) => Content::Segment(Box::new(segment)),
                Parsed::Tombstone { version } => Content::Deleted(version),
            }),
        };
        Read { content, remarks: interner.take_remarks() }
    }

    /// As JSON, whole numbers spelled as such; null where it is none.
    pub fn json(&self) -> Value {
        let mut value = serde_json::from_slice(&self.repaired()).unwrap_or_default();
        spell_whole_numbers(&mut value);
        value
    }

    /// As the JSON that was written, with its numbers and the order of its members, on one line.
    pub fn written(&self) -> serde_json::Result<Box<RawValue>> {
        let text = self.repaired();
        let json: &RawValue = serde_json::from_slice(&text)?;
        // Line ends between the parts of JSON mean nothing, and inside of texts there are none.
        RawValue::from_string(json.get().replace(['\n', '\r'], " "))
    }

    /// Half emojis are no reason to refuse an item.
    fn repaired(&self) -> Cow<'_, [u8]> {
        repair(&self.text)
    }
}

impl Content {
    /// Its version.
    pub fn version(&self) -> i64 {
        match self {
            Self::Flag(flag) => flag.version,
            Self::Segment(segment) => segment.version,
            Self::Deleted(version) => *version,
        }
    }

    /// Whether it is what remains of a deleted one.
    pub fn is_deleted(&self) -> bool {
        matches!(self, Self::Deleted(_))
    }
}

/// `1.0` and `1e0` are 1.
fn spell_whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0);
            if let Some(whole) = float.filter(|float| float.abs() < EXACT) {
                *value = Value::from(whole as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(spell_whole_numbers),
        Value::Object(members) => members.values_mut().for_each(spell_whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// What an item of this kind is called.
pub fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "flag",
        Kind::Segment => "segment",
    }
}

/// Whether a key is meant by a pattern: a part of the key, or all of it with `*` and `?`. No pattern means every key.
pub fn is_meant(key: &str, pattern: Option<&str>) -> bool {
    match pattern {
        None => true,
        Some(pattern) if pattern.contains(['*', '?']) => matches(key, pattern),
        Some(part) => key.contains(part),
    }
}

/// In steps that grow with the product of both lengths at most.
fn matches(key: &str, pattern: &str) -> bool {
    let (key, pattern): (Vec<char>, Vec<char>) = (key.chars().collect(), pattern.chars().collect());
    let (mut at, mut of) = (0, 0);
    // Where to go on when what follows the last star does not fit.
    let mut retry = None;
    while at < key.len() {
        match pattern.get(of) {
            Some('*') => {
                retry = Some((at, of + 1));
                of += 1;
            }
            Some(&wanted) if wanted == '?' || key.get(at) == Some(&wanted) => (at, of) = (at + 1, of + 1),
            _ => match &mut retry {
                Some((from, behind)) => {
                    *from += 1;
                    (at, of) = (*from, *behind);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(of).all(|&rest| rest == '*')
}

#[cfg(test)]
mod tests {
    use super::is_meant;

    #[test]
    fn patterns_are_parts_of_keys_or_have_stars() {
        for (key, pattern, meant) in [
            ("new-checkout", "check", true),
            ("new-checkout", "check*", false),
            ("new-checkout", "*check*", true),
            ("new-checkout", "new-*out", true),
            ("new-checkout", "new-?heckout", true),
            ("new-checkout", "*x", false),
            ("aaab", "*ab", true),
            ("", "*", true),
            ("", "?", false),
        ] {
            assert_eq!(is_meant(key, Some(pattern)), meant, "{key} {pattern}");
        }
        assert!(is_meant("anything", None));
    }
}
