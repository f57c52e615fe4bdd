//! Attribute references: how a rule names the part of a context that it looks at.
//!
//! A plain name addresses one attribute; a name that starts with a slash is a path into objects. References are
//! resolved here, when an item is parsed, so that evaluation never looks at slashes. Depends on nothing.

use std::fmt;

/// A parsed attribute reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeRef {
    /// No attribute was named.
    Undefined,
    /// The text is not a reference (an empty component, a bad `~` escape).
    Invalid,
    /// Well formed, but no context can have it: a path below a built-in scalar.
    Nothing,
    /// The kind of the context.
    Kind,
    /// The key of the context.
    Key,
    /// The name of the context.
    Name,
    /// Whether the context is anonymous.
    Anonymous,
    /// A custom attribute.
    Custom(Box<str>),
    /// A custom attribute and the members to descend into, at least two components in all.
    Path(Box<[Box<str>]>),
}

impl AttributeRef {
    /// Reads a reference in which a leading slash starts a path.
    pub fn parse(text: &str) -> AttributeRef {
        let Some(path) = text.strip_prefix('/') else {
            return AttributeRef::literal(text);
        };
        let mut components = Vec::new();
        for component in path.split('/') {
            match unescape(component) {
                Some(name) if !name.is_empty() => components.push(name),
                _ => return AttributeRef::Invalid,
            }
        }
        if let [single] = components.as_slice() {
            return AttributeRef::literal(single);
        }
        match components.first().map(|first| AttributeRef::literal(first)) {
            Some(AttributeRef::Custom(_)) => AttributeRef::Path(components.into_boxed_slice()),
            _ => AttributeRef::Nothing,
        }
    }

    /// Takes the text as the name of one attribute, slashes included.
    pub fn literal(name: &str) -> AttributeRef {
        match name {
            "" => AttributeRef::Undefined,
            "kind" => AttributeRef::Kind,
            "key" => AttributeRef::Key,
            "name" => AttributeRef::Name,
            "anonymous" => AttributeRef::Anonymous,
            other => AttributeRef::Custom(other.into()),
        }
    }

    /// Reads the reference of a clause or rollout: a path only when the object also names a context kind.
    pub fn scoped(text: Option<&str>, context_kind: Option<&str>) -> AttributeRef {
        let text = text.unwrap_or_default();
        match context_kind {
            Some(kind) if !kind.is_empty() => AttributeRef::parse(text),
            _ => AttributeRef::literal(text),
        }
    }
}

impl fmt::Display for AttributeRef {
    /// As a reference, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undefined => Ok(()),
            Self::Invalid => f.write_str("(no reference)"),
            Self::Nothing => f.write_str("(below a built-in attribute)"),
            Self::Kind => f.write_str("kind"),
            Self::Key => f.write_str("key"),
            Self::Name => f.write_str("name"),
            Self::Anonymous => f.write_str("anonymous"),
            Self::Custom(name) => f.write_str(name),
            Self::Path(components) => {
                components.iter().try_for_each(|name| write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")))
            }
        }
    }
}

/// Replaces `~1` by a slash and `~0` by a tilde; any other tilde is an error.
fn unescape(component: &str) -> Option<Box<str>> {
    if !component.contains('~') {
        return Some(component.into());
    }
    let mut out = String::with_capacity(component.len());
    let mut characters = component.chars();
    while let Some(character) = characters.next() {
        if character != '~' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('0') => out.push('~'),
            Some('1') => out.push('/'),
            _ => return None,
        }
    }
    Some(out.into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::AttributeRef::{self, *};

    #[test]
    fn malformed_references_are_invalid() {
        for text in ["/", "//", "//a", "/a/", "/a//b", "/a~2", "/a~", "/a/~"] {
            assert_eq!(AttributeRef::parse(text), Invalid, "{text}");
        }
        assert_eq!(AttributeRef::parse(""), Undefined);
    }

    #[test]
    fn escapes_are_read_once_from_left_to_right() {
        for (text, name) in
            [("/~01", "~1"), ("/a~1b", "a/b"), ("/~0~1", "~/"), ("~", "~"), ("a~b", "a~b"), ("a/b", "a/b")]
        {
            assert_eq!(AttributeRef::parse(text), Custom(name.into()), "{text}");
        }
    }

    #[test]
    fn built_in_names_are_recognised_with_and_without_a_slash() {
        for (text, reference) in
            [("kind", Kind), ("/key", Key), ("/name", Name), ("anonymous", Anonymous), ("/name/x", Nothing)]
        {
            assert_eq!(AttributeRef::parse(text), reference, "{text}");
        }
        assert_eq!(AttributeRef::parse("/a/b"), Path(["a".into(), "b".into()].into()));
        assert_eq!(AttributeRef::parse("/a~1b/~0").to_string(), "/a~1b/~0");
    }

    #[test]
    fn without_a_context_kind_slashes_are_plain_characters() {
        assert_eq!(AttributeRef::scoped(Some("//"), None), Custom("//".into()));
        assert_eq!(AttributeRef::scoped(Some("/a/b"), Some("")), Custom("/a/b".into()));
        assert_eq!(AttributeRef::scoped(Some("//"), Some("user")), Invalid);
        assert_eq!(AttributeRef::scoped(None, Some("user")), Undefined);
    }
}
