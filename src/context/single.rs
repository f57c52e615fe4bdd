//! One individual context: who is asking, of one kind.

use super::attributes::Attributes;
use crate::model::{AttributeRef, ContextKind, Member, Value, write_array, write_number, write_object, write_string};

/// An individual context of one kind. Immutable.
#[derive(Clone, Debug)]
pub struct SingleContext {
    pub(super) kind: ContextKind,
    pub(super) key: Box<str>,
    pub(super) name: Option<Box<str>>,
    pub(super) anonymous: bool,
    pub(super) attributes: Attributes,
    pub(super) private: Box<[Box<str>]>,
}

/// What an attribute reference finds in a context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Attribute<'a> {
    /// Nothing, or null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string.
    String(&'a str),
    /// An array.
    Array(&'a [Value]),
    /// An object.
    Object(&'a [Member]),
}

impl<'a> From<&'a Value> for Attribute<'a> {
    #[inline]
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Attribute::Null,
            Value::Bool(value) => Attribute::Bool(*value),
            Value::Number(number) => Attribute::Number(*number),
            Value::String(text) => Attribute::String(text),
            Value::Array(items) => Attribute::Array(items),
            Value::Object(members) => Attribute::Object(members),
        }
    }
}

impl Attribute<'_> {
    /// Appends the value as JSON text, as [`Value::write_json`] does.
    pub fn write_json(self, out: &mut String) {
        match self {
            Attribute::Null => out.push_str("null"),
            Attribute::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Attribute::Number(number) => write_number(number, out),
            Attribute::String(text) => write_string(text, out),
            Attribute::Array(items) => write_array(items, out),
            Attribute::Object(members) => write_object(members, out),
        }
    }
}

impl SingleContext {
    /// The kind.
    #[inline]
    pub fn kind(&self) -> &str {
        self.kind.as_str()
    }

    /// The key. Only contexts made from legacy user JSON can have an empty one.
    #[inline]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether the context is anonymous.
    pub fn anonymous(&self) -> bool {
        self.anonymous
    }

    /// The custom attributes in the order in which they were set. None of them is null.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.attributes.iter()
    }

    /// The references of the attributes that events must not carry, in the order in which they were named.
    pub fn private(&self) -> impl Iterator<Item = &str> {
        self.private.iter().map(|reference| &**reference)
    }

    /// What a reference finds. Paths descend into objects only.
    #[inline]
    pub fn get(&self, reference: &AttributeRef) -> Attribute<'_> {
        match reference {
            AttributeRef::Key => Attribute::String(&self.key),
            AttributeRef::Custom(name) => self.attributes.get(name).map_or(Attribute::Null, Attribute::from),
            AttributeRef::Kind => Attribute::String(self.kind.as_str()),
            AttributeRef::Name => self.name.as_deref().map_or(Attribute::Null, Attribute::String),
            AttributeRef::Anonymous => Attribute::Bool(self.anonymous),
            AttributeRef::Path(components) => self.descend(components),
            AttributeRef::Undefined | AttributeRef::Invalid | AttributeRef::Nothing => Attribute::Null,
        }
    }

    fn descend(&self, components: &[Box<str>]) -> Attribute<'_> {
        let Some((first, rest)) = components.split_first() else {
            return Attribute::Null;
        };
        let Some(mut value) = self.attributes.get(first) else {
            return Attribute::Null;
        };
        for component in rest {
            let Value::Object(members) = value else {
                return Attribute::Null;
            };
            match members.iter().find(|(name, _)| name == component) {
                Some((_, member)) => value = member,
                None => return Attribute::Null,
            }
        }
        value.into()
    }

    /// Appends the JSON form. Within a multi-kind context the kind is left out, as it is the name of the member.
    pub(super) fn write_json(&self, with_kind: bool, out: &mut String) {
        out.push('{');
        if with_kind {
            out.push_str("\"kind\":");
            write_string(self.kind(), out);
            out.push(',');
        }
        out.push_str("\"key\":");
        write_string(&self.key, out);
        if let Some(name) = &self.name {
            out.push_str(",\"name\":");
            write_string(name, out);
        }
        if self.anonymous {
            out.push_str(",\"anonymous\":true");
        }
        for (name, value) in self.attributes.iter() {
            out.push(',');
            write_string(name, out);
            out.push(':');
            value.write_json(out);
        }
        self.write_private(out);
        out.push('}');
    }

    fn write_private(&self, out: &mut String) {
        if self.private.is_empty() {
            return;
        }
        out.push_str(",\"_meta\":{\"privateAttributes\":[");
        for (position, reference) in self.private.iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            write_string(reference, out);
        }
        out.push_str("]}");
    }
}
