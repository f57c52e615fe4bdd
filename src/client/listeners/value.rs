//! Whether two values are the same as JSON, and what of a value can be told. Depends on `model`.

use serde_json::Value;

use crate::model::{Piece, checked_json};

/// What became of a value.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The value that is in force: nothing where there is none, or none that a strict reader would read.
    pub value: Option<Piece>,
    /// It is another one than before.
    pub has_changed: bool,
}

/// The latest comparison: of many listeners to one flag most go from one value to one other.
#[derive(Debug, Default)]
pub struct Memo(Option<(Option<Piece>, Option<Piece>, Verdict)>);

impl Memo {
    /// What became of the value `before` now that the flag writes `now`.
    pub fn compare(&mut self, before: Option<&Piece>, now: Option<Piece>) -> Verdict {
        if is_same_text(before, now.as_ref()) {
            return Verdict { value: now, has_changed: false };
        }
        if let Some((old, new, verdict)) = &self.0
            && is_same_place(old.as_ref(), before)
            && is_same_place(new.as_ref(), now.as_ref())
        {
            return verdict.clone();
        }
        let value = now.clone().filter(|text| !text.starts_with(['[', '{']) || checked_json(text).is_some());
        let has_changed = !is_same(before, value.as_ref());
        let verdict = Verdict { value, has_changed };
        self.0 = Some((before.cloned(), now, verdict.clone()));
        verdict
    }
}

/// The same bytes in memory: cheap, whatever their number.
fn is_same_place(one: Option<&Piece>, other: Option<&Piece>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => std::ptr::eq::<str>(&**one, &**other),
        _ => false,
    }
}

fn is_same_text(one: Option<&Piece>, other: Option<&Piece>) -> bool {
    is_same_place(one, other) || one.zip(other).is_some_and(|(one, other)| **one == **other)
}

fn is_same(one: Option<&Piece>, other: Option<&Piece>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => **one == **other || is_same_json(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// Whether two texts are the same JSON value: the order of members, escapes and the way a number is written do not count.
fn is_same_json(one: &str, other: &str) -> bool {
    match (serde_json::from_str::<Value>(one), serde_json::from_str::<Value>(other)) {
        (Ok(one), Ok(other)) => is_equal(&one, &other),
        _ => false,
    }
}

fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one.is_f64() || other.is_f64() => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let is_in = |(name, value)| other.get(name).is_some_and(|other| is_equal(value, other));
            one.len() == other.len() && one.iter().all(is_in)
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_as_json_and_not_as_text() {
        for (one, other) in [
            (r#"{"a":1,"b":[true,null]}"#, r#"{ "b" : [true,null], "a":1.0 }"#),
            ("1", "1.0"),
            ("100000000000000000000", "1e20"),
            ("-0", "0"),
            (r#""a""#, r#""\u0061""#),
            ("[]", "[ ]"),
        ] {
            assert!(is_same_json(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("1", "2"),
            ("1", "\"1\""),
            ("9007199254740993", "9007199254740992"),
            ("[1,2]", "[2,1]"),
            ("[1]", "[1,1]"),
            (r#"{"a":1}"#, r#"{"a":1,"b":1}"#),
            (r#"{"a":null}"#, r#"{"b":null}"#),
            ("false", "0"),
        ] {
            assert!(!is_same_json(one, other), "{one} {other}");
        }
    }
}
