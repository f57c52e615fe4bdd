//! Why a context is not valid.

use thiserror::Error;

/// Why a context is not valid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContextError {
    /// The text is not JSON, or it is nested too deep.
    #[error("the context is not valid JSON: {0}")]
    Json(String),
    /// The JSON is not an object.
    #[error("the context is not a JSON object")]
    NotAnObject,
    /// The key is missing or null.
    #[error("the context has no key")]
    KeyMissing,
    /// The key is empty.
    #[error("the context key is empty")]
    KeyEmpty,
    /// The kind is empty.
    #[error("the context kind is empty")]
    KindEmpty,
    /// The kind is `kind`, which is not allowed.
    #[error("\"kind\" is not allowed as a context kind")]
    KindIsKind,
    /// A single context has the kind `multi`.
    #[error("a single context cannot have the kind \"multi\"")]
    KindIsMulti,
    /// The kind has characters other than letters, digits, `.`, `_` and `-`.
    #[error("the context kind {0:?} has characters that are not allowed")]
    KindCharacters(Box<str>),
    /// The texts are longer than [`Context::MAX_BYTES`](super::Context::MAX_BYTES).
    #[error("the context is too large: its texts have more than {} bytes", super::Context::MAX_BYTES)]
    TooLarge,
    /// A multi-kind context without any context.
    #[error("a multi-kind context needs at least one kind")]
    MultiEmpty,
    /// A kind comes twice in a multi-kind context.
    #[error("the multi-kind context has the kind {0:?} twice")]
    MultiDuplicate(Box<str>),
    /// A property has the wrong JSON type.
    #[error("the property {property:?} must be {expected}")]
    WrongType {
        /// The name of the property.
        property: Box<str>,
        /// What it must be.
        expected: &'static str,
    },
    /// Contexts of a multi-kind context are not valid: all of them, by kind.
    #[error("{}", list(.0))]
    Members(Vec<(Box<str>, ContextError)>),
}

fn list(members: &[(Box<str>, ContextError)]) -> String {
    let described: Vec<String> = members.iter().map(|(kind, error)| format!("in kind {kind:?}: {error}")).collect();
    described.join("; ")
}
