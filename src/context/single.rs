//! One individual context: who is asking, of one kind.

use super::attributes::{Attributes, Stored};
use super::block::{Few, Span, Texts};
use crate::model::{AttributeRef, ContextKind, Member, Value, write_array, write_number, write_object, write_string};

/// An individual context of one kind. Immutable.
#[derive(Clone, Debug)]
pub struct SingleContext {
    /// None for a user.
    pub(super) kind: Option<Span>,
    pub(super) key: Span,
    pub(super) canonical_key: Span,
    pub(super) name: Option<Span>,
    pub(super) anonymous: bool,
    pub(super) attributes: Attributes,
    /// References of attributes.
    pub(super) private: Few<Span, PRIVATE_IN_PLACE>,
    pub(super) texts: Texts,
    /// Arrays and objects.
    pub(super) trees: Vec<Value>,
}

/// Private attributes that need no allocation of their own.
const PRIVATE_IN_PLACE: usize = 4;

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
        self.kind.map_or("user", |kind| self.texts.get(kind))
    }

    /// How many bytes of memory it takes, roughly.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>() + self.texts.len() + self.trees.iter().map(Value::weight).sum::<usize>()
    }

    /// Whether the kind is `user`.
    #[inline]
    pub(super) fn is_user(&self) -> bool {
        self.kind.is_none()
    }

    /// Whether the kind is the one that a rule names.
    #[inline(always)]
    pub fn is_of(&self, kind: &ContextKind) -> bool {
        match (self.kind, kind) {
            (None, ContextKind::User) => true,
            (Some(own), ContextKind::Other(name)) => self.texts.is(own, name),
            _ => false,
        }
    }

    /// The key. Only contexts made from legacy user JSON can have an empty one.
    #[inline]
    pub fn key(&self) -> &str {
        self.texts.get(self.key)
    }

    /// The key by which the context is known where it stands alone.
    #[inline]
    pub(super) fn canonical_key(&self) -> &str {
        self.texts.get(self.canonical_key)
    }

    /// The name.
    pub fn name(&self) -> Option<&str> {
        self.name.map(|name| self.texts.get(name))
    }

    /// Whether the context is anonymous.
    pub fn anonymous(&self) -> bool {
        self.anonymous
    }

    /// The custom attributes in the order in which they were set. None of them is null.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, Attribute<'_>)> {
        self.attributes.iter().map(|entry| (self.texts.get(entry.name), self.value(&entry.value)))
    }

    /// The references of the attributes that events must not carry, in the order in which they were named.
    pub fn private(&self) -> impl Iterator<Item = &str> {
        self.private.iter().map(|reference| self.texts.get(*reference))
    }

    /// What a reference finds. Paths descend into objects only.
    #[inline(always)]
    pub fn get(&self, reference: &AttributeRef) -> Attribute<'_> {
        match reference {
            AttributeRef::Custom(name) => {
                self.attributes.get(name, &self.texts).map_or(Attribute::Null, |stored| self.value(stored))
            }
            AttributeRef::Key => Attribute::String(self.key()),
            other => self.get_rarer(other),
        }
    }

    #[inline(never)]
    fn get_rarer(&self, reference: &AttributeRef) -> Attribute<'_> {
        match reference {
            AttributeRef::Kind => Attribute::String(self.kind()),
            AttributeRef::Name => self.name().map_or(Attribute::Null, Attribute::String),
            AttributeRef::Anonymous => Attribute::Bool(self.anonymous),
            AttributeRef::Path(components) => self.descend(components),
            AttributeRef::Key
            | AttributeRef::Custom(_)
            | AttributeRef::Undefined
            | AttributeRef::Invalid
            | AttributeRef::Nothing => Attribute::Null,
        }
    }

    #[inline(always)]
    fn value<'a>(&'a self, stored: &'a Stored) -> Attribute<'a> {
        match stored {
            Stored::Text(text) => Attribute::String(self.texts.get(*text)),
            Stored::Number(number) => Attribute::Number(*number),
            Stored::Bool(value) => Attribute::Bool(*value),
            Stored::Tree(place) => self.trees.get(*place as usize).map_or(Attribute::Null, Attribute::from),
            Stored::Null => Attribute::Null,
        }
    }

    fn descend(&self, components: &[Box<str>]) -> Attribute<'_> {
        let Some((first, rest)) = components.split_first() else {
            return Attribute::Null;
        };
        let Some(stored) = self.attributes.get(first, &self.texts) else {
            return Attribute::Null;
        };
        let mut value = self.value(stored);
        for component in rest {
            let Attribute::Object(members) = value else {
                return Attribute::Null;
            };
            match members.iter().find(|(name, _)| name == component) {
                Some((_, member)) => value = member.into(),
                None => return Attribute::Null,
            }
        }
        value
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
        write_string(self.key(), out);
        if let Some(name) = self.name() {
            out.push_str(",\"name\":");
            write_string(name, out);
        }
        if self.anonymous {
            out.push_str(",\"anonymous\":true");
        }
        for (name, value) in self.attributes() {
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
        for (position, reference) in self.private().enumerate() {
            if position > 0 {
                out.push(',');
            }
            write_string(reference, out);
        }
        out.push_str("]}");
    }
}
