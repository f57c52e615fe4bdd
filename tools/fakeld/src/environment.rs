//! The flags and segments that the server has, as they are written, and the texts that tell of them.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// The two collections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Flags.
    Flag,
    /// Segments.
    Segment,
}

impl Kind {
    /// The name that paths have.
    pub fn path(self) -> &'static str {
        match self {
            Kind::Flag => "flags",
            Kind::Segment => "segments",
        }
    }

    /// The kind of a name, `flag` or `segment`.
    pub fn of(name: &str) -> Option<Kind> {
        match name {
            "flag" => Some(Kind::Flag),
            "segment" => Some(Kind::Segment),
            _ => None,
        }
    }
}

/// All items of an environment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    items: BTreeMap<(Kind, String), String>,
}

impl Environment {
    /// Reads `{"flags": {key: flag}, "segments": {key: segment}}`.
    pub fn parse(json: &str) -> Result<Environment, String> {
        let all: BTreeMap<String, &RawValue> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let mut environment = Environment::default();
        for kind in [Kind::Flag, Kind::Segment] {
            let Some(items) = all.get(kind.path()) else { continue };
            let items: BTreeMap<String, &RawValue> =
                serde_json::from_str(items.get()).map_err(|error| error.to_string())?;
            environment.items.extend(items.into_iter().map(|(key, item)| ((kind, key), in_one_line(item.get()))));
        }
        Ok(environment)
    }

    /// Adds or replaces an item; its key is in the JSON. Returns the key and the item.
    pub fn set(&mut self, kind: Kind, json: &str) -> Result<(String, String), String> {
        let read: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let key = read.get("key").and_then(Value::as_str).ok_or("the item has no key")?.to_owned();
        let item = in_one_line(json);
        self.items.insert((kind, key.clone()), item.clone());
        Ok((key, item))
    }

    /// The item, if there is one.
    pub fn get(&self, kind: Kind, key: &str) -> Option<&str> {
        self.items.get(&(kind, key.to_owned())).map(String::as_str)
    }

    /// Takes an item away.
    pub fn remove(&mut self, kind: Kind, key: &str) {
        self.items.remove(&(kind, key.to_owned()));
    }

    /// All items: kind, key and text.
    pub fn items(&self) -> impl Iterator<Item = (Kind, &str, &str)> {
        self.items.iter().map(|((kind, key), item)| (*kind, key.as_str(), item.as_str()))
    }

    /// Takes everything away.
    pub fn clear(&mut self) {
        self.items.clear();
    }

    /// What a poll answers.
    pub fn json(&self) -> String {
        let of = |wanted: Kind| -> String {
            let items = self.items.iter().filter(|((kind, _), _)| *kind == wanted);
            items.map(|((_, key), item)| format!("{}:{item}", quoted(key))).collect::<Vec<_>>().join(",")
        };
        format!(r#"{{"flags":{{{}}},"segments":{{{}}}}}"#, of(Kind::Flag), of(Kind::Segment))
    }
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// JSON without the white space between its tokens, of which the end of a line would end what a stream tells.
fn in_one_line(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |letter: &char| {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        in_string || !letter.is_ascii_whitespace()
    };
    json.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::{Environment, Kind};

    #[test]
    fn items_stay_as_they_are_written_but_for_white_space() {
        let mut environment = Environment::default();
        let written = "{ \"key\": \"a b\",\n\t\"z\": 1.50, \"a\": [12345678901234567890123, \"\\\" x\\\\\"] }";
        let (key, item) = environment.set(Kind::Flag, written).unwrap_or_default();
        assert_eq!(
            (key.as_str(), item.as_str()),
            ("a b", r#"{"key":"a b","z":1.50,"a":[12345678901234567890123,"\" x\\"]}"#)
        );
        let all = environment.json();
        assert_eq!(all, format!(r#"{{"flags":{{"a b":{item}}},"segments":{{}}}}"#));
        assert_eq!(Environment::parse(&all).map(|read| read.json()), Ok(all));
        assert!(environment.set(Kind::Flag, "{}").is_err() && Environment::parse("[]").is_err());
    }
}
