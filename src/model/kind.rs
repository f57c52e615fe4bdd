//! Names of context kinds, with the overwhelmingly common `user` made cheap to compare.
//!
//! Both contexts and rules hold kinds in this form. Depends on nothing.

/// The kind of an individual context, or the kind that a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextKind {
    /// `user`, the default.
    User,
    /// Any other kind.
    Other(Box<str>),
}

impl ContextKind {
    /// The kind of this name; an empty name means `user`.
    pub fn new(name: &str) -> ContextKind {
        match name {
            "" | "user" => ContextKind::User,
            other => ContextKind::Other(other.into()),
        }
    }

    /// The kind named by an optional property.
    pub fn from_option(name: Option<&str>) -> ContextKind {
        name.map_or(ContextKind::User, ContextKind::new)
    }

    /// The name.
    #[inline]
    pub fn as_str(&self) -> &str {
        match self {
            ContextKind::User => "user",
            ContextKind::Other(name) => name,
        }
    }

    /// True for `user`.
    #[inline]
    pub fn is_user(&self) -> bool {
        matches!(self, ContextKind::User)
    }
}
