//! Builds an individual context attribute by attribute.
//!
//! JSON contexts go through the builder as well, so that both ways check and treat properties alike.

use super::attributes::Attributes;
use super::{Context, ContextError, SingleContext};
use crate::model::{ContextKind, Member, Value, excerpt, keep_last};

/// Collects the properties of a single-kind context.
///
/// Nothing fails before [`build`](ContextBuilder::build), which reports the first error.
#[derive(Clone, Debug)]
pub struct ContextBuilder {
    kind: Box<str>,
    key: Option<Box<str>>,
    name: Option<Box<str>>,
    anonymous: bool,
    members: Vec<Member>,
    private: Vec<Box<str>>,
    /// Bytes of text that were given.
    bytes: usize,
    error: Option<ContextError>,
}

impl ContextBuilder {
    /// Starts a context. An empty kind means `user`.
    pub(super) fn new(kind: &str, key: &str) -> ContextBuilder {
        let mut builder = ContextBuilder::without_key(if kind.is_empty() { "user" } else { kind });
        if builder.has_room(key.len()) {
            builder.key = Some(key.into());
        }
        builder
    }

    pub(super) fn without_key(kind: &str) -> ContextBuilder {
        let mut builder = ContextBuilder {
            kind: Box::default(),
            key: None,
            name: None,
            anonymous: false,
            members: Vec::new(),
            private: Vec::new(),
            bytes: 0,
            error: None,
        };
        if builder.has_room(kind.len()) {
            builder.kind = kind.into();
        }
        builder
    }

    /// Counts text that is to be kept; it is not when there would be too much.
    fn has_room(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > Context::MAX_BYTES {
            self.error.get_or_insert(ContextError::TooLarge);
        }
        self.bytes <= Context::MAX_BYTES
    }

    /// Sets an attribute; the last value for a name counts, and null removes it.
    ///
    /// `kind`, `key`, `name`, `anonymous` and `_meta` are the built-in properties, with the types that they have in the
    /// JSON form of a context. An empty attribute name is ignored.
    pub fn set(&mut self, name: &str, value: Value) -> &mut Self {
        let text = if let Value::String(text) = &value { text.len() } else { 0 };
        if !self.has_room(name.len().saturating_add(text)) {
            return self;
        }
        let result = match name {
            "" => Ok(()),
            "kind" => required_string(name, value).map(|kind| self.kind = kind),
            "key" => self.set_key(value),
            "name" => optional_string(name, value).map(|name| self.name = name),
            "anonymous" => self.set_anonymous(value),
            "_meta" => self.set_meta(value),
            custom => {
                self.members.push((custom.into(), value));
                Ok(())
            }
        };
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
        self
    }

    /// Marks an attribute, named by its reference, as one that events must not show.
    pub fn private(&mut self, reference: &str) -> &mut Self {
        if self.has_room(reference.len()) {
            self.private.push(reference.into());
        }
        self
    }

    /// The context, or the first error. The builder stays as it is.
    pub fn build(&self) -> Result<Context, ContextError> {
        self.clone().single(false).map(Context::from_single)
    }

    /// Finishes the individual context. Only legacy users may have an empty key.
    pub(super) fn single(self, legacy: bool) -> Result<SingleContext, ContextError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        check_kind(&self.kind)?;
        let key = self.key.ok_or(ContextError::KeyMissing)?;
        if key.is_empty() && !legacy {
            return Err(ContextError::KeyEmpty);
        }
        let mut members = keep_last(self.members);
        members.retain(|(_, value)| *value != Value::Null);
        Ok(SingleContext {
            kind: ContextKind::new(&self.kind),
            key,
            name: self.name,
            anonymous: self.anonymous,
            attributes: Attributes::new(members),
            private: self.private.into_boxed_slice(),
        })
    }

    fn set_key(&mut self, value: Value) -> Result<(), ContextError> {
        self.key = match value {
            Value::Null => return Err(ContextError::KeyMissing),
            other => Some(required_string("key", other)?),
        };
        Ok(())
    }

    fn set_anonymous(&mut self, value: Value) -> Result<(), ContextError> {
        let Value::Bool(anonymous) = value else {
            return Err(wrong_type("anonymous", "a boolean"));
        };
        self.anonymous = anonymous;
        Ok(())
    }

    fn set_meta(&mut self, value: Value) -> Result<(), ContextError> {
        self.private.clear();
        match value {
            Value::Null => Ok(()),
            Value::Object(members) => {
                let list = members.into_iter().find(|(name, _)| &**name == "privateAttributes");
                self.private = list.map_or(Ok(Vec::new()), |(name, value)| string_list(&name, value))?;
                Ok(())
            }
            _ => Err(wrong_type("_meta", "an object")),
        }
    }
}

fn check_kind(kind: &str) -> Result<(), ContextError> {
    match kind {
        "" => Err(ContextError::KindEmpty),
        "kind" => Err(ContextError::KindIsKind),
        "multi" => Err(ContextError::KindIsMulti),
        other if other.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) => Ok(()),
        other => Err(ContextError::KindCharacters(excerpt(other, 100).into())),
    }
}

pub(super) fn wrong_type(property: &str, expected: &'static str) -> ContextError {
    ContextError::WrongType { property: property.into(), expected }
}

pub(super) fn required_string(property: &str, value: Value) -> Result<Box<str>, ContextError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(wrong_type(property, "a string")),
    }
}

pub(super) fn optional_string(property: &str, value: Value) -> Result<Option<Box<str>>, ContextError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(wrong_type(property, "a string or null")),
    }
}

/// An array of strings; null counts as an empty one.
pub(super) fn string_list(property: &str, value: Value) -> Result<Vec<Box<str>>, ContextError> {
    const EXPECTED: &str = "an array of strings";
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(wrong_type(property, EXPECTED)),
            })
            .collect(),
        _ => Err(wrong_type(property, EXPECTED)),
    }
}
