//! What was received for an item: the text that the parsed item shares, or bytes that are no text. May depend on `model`.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::{Interner, ParseError, Parsed, Text, repair};
use crate::store::memory::entry::{Item, State};

/// What was received.
#[derive(Debug, Clone)]
pub enum Received {
    /// A text, which the item shares.
    Text(Text),
    /// No text.
    Bytes(Arc<[u8]>),
}

impl Received {
    /// Bytes as they came.
    pub fn new(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(Text::new(text)),
            Err(error) => Self::Bytes(error.into_bytes().into()),
        }
    }

    /// As they came.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// What it is, lone surrogates repaired, with its version.
    pub fn parse<T: Item>(&self, field: &str, interner: &mut Interner) -> (State<T>, i64, Option<ParseError>) {
        let parsed = match self {
            Self::Bytes(_) => Err(ParseError::NotUtf8),
            Self::Text(text) => match repair(text.as_bytes()) {
                Cow::Borrowed(_) => T::parse(field, text, interner),
                Cow::Owned(repaired) => String::from_utf8(repaired)
                    .map_err(|_| ParseError::NotUtf8)
                    .and_then(|repaired| T::parse(field, &Text::new(repaired), interner)),
            },
        };
        match parsed {
            Ok(Parsed::Live(item)) => {
                let version = item.version();
                (State::Live(item), version, None)
            }
            Ok(Parsed::Tombstone { version }) => (State::Tombstone, version, None),
            Err(error) => (State::Unreadable, 0, Some(error)),
        }
    }
}
