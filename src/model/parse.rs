//! From the JSON of an item to a compiled flag or segment.
//!
//! Any bytes may come out of a store, so nothing here may panic, recurse without bound or take time out of proportion.

use memchr::memchr2_iter;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::ParseError;
use super::flag::Flag;
use super::regexes::Interner;
use super::segment::Segment;
use super::text::Text;
use super::wire;

/// JSON nested this deep is refused, wherever the nesting is; the JSON reader has the same limit for what it builds.
pub const DEPTH_LIMIT: usize = 128;

/// A live item, or the mark of a deleted one.
#[derive(Clone, Debug)]
pub enum Parsed<T> {
    /// The item.
    Live(T),
    /// The item was deleted.
    Tombstone {
        /// The version of the deletion; 0 if the tombstone has none.
        version: i64,
    },
}

/// Reads a flag from a text that is copied; see [`read_flag`].
pub fn parse_flag(field: &str, json: &[u8], interner: &mut Interner) -> Result<Parsed<Flag>, ParseError> {
    read_flag(field, &text(json)?, interner)
}

/// Reads a segment from a text that is copied; see [`read_segment`].
pub fn parse_segment(field: &str, json: &[u8], interner: &mut Interner) -> Result<Parsed<Segment>, ParseError> {
    read_segment(field, &text(json)?, interner)
}

/// Reads a flag, which shares the text. `field` is its identity in the store and its key if the JSON has none.
pub fn read_flag(field: &str, text: &Text, interner: &mut Interner) -> Result<Parsed<Flag>, ParseError> {
    interner.begin_item();
    check(text)?;
    let wire = match serde_json::from_str::<wire::Flag<'_>>(text) {
        Ok(wire) => wire,
        Err(error) => return tombstone(text).ok_or_else(|| describe(text, &error)),
    };
    if wire.deleted == Some(true) {
        return Ok(Parsed::Tombstone { version: wire.version.0.map_or(0, |version| version.0) });
    }
    Flag::new(field, wire, text, interner).map(Parsed::Live).map_err(|error| describe(text, &error))
}

/// Reads a segment, which shares the text. `field` is its identity in the store and its key if the JSON has none.
pub fn read_segment(field: &str, text: &Text, interner: &mut Interner) -> Result<Parsed<Segment>, ParseError> {
    interner.begin_item();
    check(text)?;
    let wire = match serde_json::from_str::<wire::Segment<'_>>(text) {
        Ok(wire) => wire,
        Err(error) => return tombstone(text).ok_or_else(|| describe(text, &error)),
    };
    if wire.deleted == Some(true) {
        return Ok(Parsed::Tombstone { version: wire.version.0.map_or(0, |version| version.0) });
    }
    Ok(Parsed::Live(Segment::new(field, wire, text, interner)))
}

fn text(json: &[u8]) -> Result<Text, ParseError> {
    std::str::from_utf8(json).map(Text::new).map_err(|_| ParseError::NotUtf8)
}

/// The text must be small and shallow enough to be read.
fn check(text: &str) -> Result<(), ParseError> {
    if u32::try_from(text.len()).is_err() {
        return Err(ParseError::Json("longer than 4 GB".to_owned()));
    }
    if exceeds_depth(text.as_bytes()) {
        return Err(ParseError::Json("recursion limit exceeded".to_owned()));
    }
    Ok(())
}

/// Whether JSON is nested so deep that it is refused.
pub fn exceeds_depth(json: &[u8]) -> bool {
    // Cheap for nearly all items: too few brackets to be deep.
    if memchr2_iter(b'[', b'{', json).take(DEPTH_LIMIT).count() < DEPTH_LIMIT {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth >= DEPTH_LIMIT {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Recognises a tombstone whose other properties are malformed, as some SDKs write them.
fn tombstone<T>(text: &str) -> Option<Parsed<T>> {
    let wire: wire::Tombstone<'_> = serde_json::from_str(text).ok()?;
    if wire.deleted?.get() != "true" {
        return None;
    }
    let version = wire
        .version
        .and_then(|raw| wire::Integer::deserialize(&mut serde_json::Deserializer::from_str(raw.get())).ok());
    Some(Parsed::Tombstone { version: version.map_or(0, |version| version.0) })
}

/// Tells text that is not JSON from JSON of the wrong shape.
fn describe(text: &str, error: &serde_json::Error) -> ParseError {
    match serde_json::from_str::<IgnoredAny>(text) {
        Err(syntax) => ParseError::Json(syntax.to_string()),
        Ok(_) => ParseError::Field { message: error.to_string() },
    }
}
