//! Why an item could not be read.

use thiserror::Error;

/// Why the JSON of a flag or segment could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// The bytes are not UTF-8.
    #[error("the item is not valid UTF-8")]
    NotUtf8,
    /// The text is not JSON, or it is nested too deep.
    #[error("the item is not valid JSON: {0}")]
    Json(String),
    /// A property has a wrong type or value.
    #[error("{message}")]
    Field {
        /// Names the property by its path and says what is wrong with it.
        message: String,
    },
}
