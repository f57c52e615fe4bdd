//! The flags and segments that the server has, as JSON, and the texts that tell of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

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
    items: BTreeMap<(Kind, String), Value>,
}

impl Environment {
    /// Reads `{"flags": {key: flag}, "segments": {key: segment}}`.
    pub fn parse(json: &str) -> Result<Environment, String> {
        let all: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let mut environment = Environment::default();
        for kind in [Kind::Flag, Kind::Segment] {
            for (key, item) in all.get(kind.path()).and_then(Value::as_object).into_iter().flatten() {
                environment.items.insert((kind, key.clone()), item.clone());
            }
        }
        Ok(environment)
    }

    /// Adds or replaces an item; its key is in the JSON. Returns the key and the item.
    pub fn set(&mut self, kind: Kind, json: &str) -> Result<(String, Value), String> {
        let item: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let key = item.get("key").and_then(Value::as_str).ok_or("the item has no key")?.to_owned();
        self.items.insert((kind, key.clone()), item.clone());
        Ok((key, item))
    }

    /// The item, if there is one.
    pub fn get(&self, kind: Kind, key: &str) -> Option<&Value> {
        self.items.get(&(kind, key.to_owned()))
    }

    /// Takes an item away.
    pub fn remove(&mut self, kind: Kind, key: &str) {
        self.items.remove(&(kind, key.to_owned()));
    }

    /// Takes everything away.
    pub fn clear(&mut self) {
        self.items.clear();
    }

    /// What a poll answers.
    pub fn json(&self) -> Value {
        let of = |wanted: Kind| -> Value {
            let items = self.items.iter().filter(|((kind, _), _)| *kind == wanted);
            Value::Object(items.map(|((_, key), item)| (key.clone(), item.clone())).collect())
        };
        json!({"flags": of(Kind::Flag), "segments": of(Kind::Segment)})
    }
}
