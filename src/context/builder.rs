//! Builds an individual context attribute by attribute.
//!
//! JSON contexts go through the builder as well, so that both ways check and treat properties alike.

use super::attributes::{Attributes, Stored};
use super::block::{Few, Span, Texts};
use super::{Context, ContextError, SingleContext, canonical_part};
use crate::model::{Value, excerpt};

/// What stands between kind and key in a canonical key.
const SEPARATOR: &str = ":";

/// Collects the properties of a single-kind context.
///
/// Nothing fails before [`build`](ContextBuilder::build), which reports the first error.
#[derive(Clone, Debug)]
pub struct ContextBuilder {
    /// What becomes the context.
    draft: SingleContext,
    has_key: bool,
    error: Option<ContextError>,
}

impl ContextBuilder {
    /// Starts a context. An empty kind means `user`.
    #[inline]
    pub(super) fn new(kind: &str, key: &str) -> ContextBuilder {
        let mut builder = ContextBuilder::without_key(if kind.is_empty() { "user" } else { kind });
        if builder.draft.kind.is_some() {
            // Kind and key then stand as they do in the canonical key.
            builder.keep(SEPARATOR);
        }
        builder.set_key(key);
        builder
    }

    #[inline]
    pub(super) fn without_key(kind: &str) -> ContextBuilder {
        let draft = SingleContext {
            kind: None,
            key: Span::default(),
            canonical_key: Span::default(),
            name: None,
            anonymous: false,
            attributes: Attributes::new(),
            private: Few::new(),
            texts: Texts::new(),
            trees: Vec::new(),
        };
        let mut builder = ContextBuilder { draft, has_key: false, error: None };
        builder.set_kind(kind);
        builder
    }

    /// Sets an attribute; the last value for a name counts, and null removes it.
    ///
    /// `kind`, `key`, `name`, `anonymous` and `_meta` are the built-in properties, with the types that they have in the
    /// JSON form of a context. An empty attribute name is ignored.
    #[inline]
    pub fn set(&mut self, name: &str, value: Value) -> &mut Self {
        match (name, value) {
            (_, Value::String(text)) => return self.set_string(name, &text),
            ("", _) => {}
            ("kind", _) => self.fail(wrong_type(name, STRING)),
            ("key", Value::Null) => self.fail(ContextError::KeyMissing),
            ("key", _) => self.fail(wrong_type(name, STRING)),
            ("name", Value::Null) => self.draft.name = None,
            ("name", _) => self.fail(wrong_type(name, STRING_OR_NULL)),
            ("anonymous", Value::Bool(anonymous)) => self.draft.anonymous = anonymous,
            ("anonymous", _) => self.fail(wrong_type(name, BOOLEAN)),
            ("_meta", value) => self.set_meta(value),
            (_, Value::Null) => self.set_custom(name, Stored::Null),
            (_, Value::Bool(value)) => self.set_custom(name, Stored::Bool(value)),
            (_, Value::Number(number)) => self.set_custom(name, Stored::Number(number)),
            (_, tree) => {
                // Four billion trees cannot be held in memory.
                let place = u32::try_from(self.draft.trees.len()).unwrap_or(u32::MAX);
                self.draft.trees.push(tree);
                self.set_custom(name, Stored::Tree(place));
            }
        }
        self
    }

    /// Sets an attribute as [`set`](ContextBuilder::set) does with a string, without an allocation of its own.
    #[inline]
    pub fn set_string(&mut self, name: &str, text: &str) -> &mut Self {
        match name {
            "" => {}
            "kind" => self.set_kind(text),
            "key" => self.set_key(text),
            "name" => self.draft.name = self.keep(text),
            "anonymous" => self.fail(wrong_type(name, BOOLEAN)),
            "_meta" => self.fail(wrong_type(name, OBJECT)),
            _ => {
                if let Some(text) = self.keep(text) {
                    self.set_custom(name, Stored::Text(text));
                }
            }
        }
        self
    }

    /// Marks an attribute, named by its reference, as one that events must not show.
    pub fn private(&mut self, reference: &str) -> &mut Self {
        if let Some(reference) = self.keep(reference) {
            self.draft.private.push(reference);
        }
        self
    }

    /// Marks the attribute of this very name, whatever characters it has, as one that events must not show.
    pub fn private_name(&mut self, name: &str) -> &mut Self {
        if name.starts_with('/') {
            return self.private(&format!("/{}", name.replace('~', "~0").replace('/', "~1")));
        }
        // Nearly always the attribute that was set just now.
        let last = self.draft.attributes.iter().next_back().map(|entry| entry.name);
        match last.filter(|last| self.draft.texts.is(*last, name)) {
            Some(last) => self.draft.private.push(last),
            None => return self.private(name),
        }
        self
    }

    /// The context, or the first error. The builder stays as it is.
    pub fn build(&self) -> Result<Context, ContextError> {
        self.clone().into_context()
    }

    /// The context, or the first error.
    #[inline]
    pub fn into_context(mut self) -> Result<Context, ContextError> {
        self.finish(false)?;
        Ok(Context::from(self.draft))
    }

    /// The individual context, or the first error.
    pub(super) fn single(mut self, legacy: bool) -> Result<SingleContext, ContextError> {
        self.finish(legacy)?;
        Ok(self.draft)
    }

    /// Makes the draft what it is to be, in place: it is large. Only legacy users may have an empty key.
    fn finish(&mut self, legacy: bool) -> Result<(), ContextError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if let Some(kind) = self.draft.kind {
            check_kind(self.draft.texts.get(kind))?;
        }
        if !self.has_key {
            return Err(ContextError::KeyMissing);
        }
        if self.draft.key().is_empty() && !legacy {
            return Err(ContextError::KeyEmpty);
        }
        self.draft.canonical_key = match self.draft.kind {
            None => self.draft.key,
            Some(kind) => self.canonical_key(kind),
        };
        self.draft.attributes.settle(&self.draft.texts);
        Ok(())
    }

    fn canonical_key(&mut self, kind: Span) -> Span {
        let draft = &mut self.draft;
        let joined = Texts::join(kind, draft.key);
        let rest = draft.texts.get(joined).strip_prefix(draft.kind()).and_then(|rest| rest.strip_prefix(SEPARATOR));
        if rest == Some(draft.key()) && !draft.key().contains(['%', ':']) {
            return joined;
        }
        let text = canonical_part(draft.kind(), draft.key());
        draft.texts.push(&text)
    }

    /// Keeps a text; none if all would be too much.
    #[inline]
    fn keep(&mut self, text: &str) -> Option<Span> {
        if text.len() > Context::MAX_BYTES - self.draft.texts.len().min(Context::MAX_BYTES) {
            self.fail(ContextError::TooLarge);
            return None;
        }
        Some(self.draft.texts.push(text))
    }

    #[cold]
    fn fail(&mut self, error: ContextError) {
        self.error.get_or_insert(error);
    }

    #[inline]
    fn set_kind(&mut self, kind: &str) {
        self.draft.kind = if kind == "user" { None } else { self.keep(kind) };
    }

    #[inline]
    fn set_key(&mut self, key: &str) {
        if let Some(key) = self.keep(key) {
            self.draft.key = key;
            self.has_key = true;
        }
    }

    #[inline]
    fn set_custom(&mut self, name: &str, value: Stored) {
        if let Some(name) = self.keep(name) {
            self.draft.attributes.push(name, value);
        }
    }

    fn set_meta(&mut self, value: Value) {
        self.draft.private.clear();
        let list = match value {
            Value::Null => return,
            Value::Object(members) => members.into_iter().find(|(name, _)| &**name == "privateAttributes"),
            _ => return self.fail(wrong_type("_meta", OBJECT)),
        };
        match list.map_or(Ok(Vec::new()), |(name, value)| string_list(&name, value)) {
            Ok(references) => references.iter().for_each(|reference| {
                self.private(reference);
            }),
            Err(error) => self.fail(error),
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

const STRING: &str = "a string";
const STRING_OR_NULL: &str = "a string or null";
const STRINGS: &str = "an array of strings";
const BOOLEAN: &str = "a boolean";
const OBJECT: &str = "an object";

pub(super) fn wrong_type(property: &str, expected: &'static str) -> ContextError {
    ContextError::WrongType { property: property.into(), expected }
}

pub(super) fn optional_string(property: &str, value: Value) -> Result<Option<Box<str>>, ContextError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(wrong_type(property, STRING_OR_NULL)),
    }
}

/// An array of strings; null counts as an empty one.
pub(super) fn string_list(property: &str, value: Value) -> Result<Vec<Box<str>>, ContextError> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(wrong_type(property, STRINGS)),
            })
            .collect(),
        _ => Err(wrong_type(property, STRINGS)),
    }
}
