//! The text of an item, and parts of it.
//!
//! Most of what is read from a text stands in it word by word, and the text is kept anyway. So the strings of a compiled
//! item are places in it, and the text lives as long as one of them. Depends on nothing.

use std::ops::Deref;
use std::sync::Arc;

/// A text that is shared.
#[derive(Clone, Debug)]
pub struct Text(Arc<Box<str>>);

impl Text {
    /// Shares this text from now on.
    pub fn new(text: impl Into<Box<str>>) -> Text {
        Text(Arc::new(text.into()))
    }

    /// Where in this text a string lies that was read from it: begin and length. None if it is another one's.
    pub(super) fn place_of(&self, part: &str) -> Option<(u32, u32)> {
        let begin = part.as_ptr().addr().checked_sub(self.as_ptr().addr())?;
        if begin + part.len() > self.len() {
            return None;
        }
        Some((u32::try_from(begin).ok()?, u32::try_from(part.len()).ok()?))
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        &self.0
    }
}

/// A part of a text.
#[derive(Clone, Debug)]
pub struct Piece {
    text: Text,
    begin: u32,
    length: u32,
}

impl Piece {
    /// A string that was read from this text, or another one, which is copied then.
    pub(super) fn new(text: &Text, part: &str) -> Piece {
        match text.place_of(part) {
            Some((begin, length)) => Piece { text: text.clone(), begin, length },
            // The parser has refused texts of 4 GB, and no string is longer than its text.
            None => Piece { text: Text::new(part), begin: 0, length: u32::try_from(part.len()).unwrap_or_default() },
        }
    }

    /// How many bytes the text has that it keeps in memory.
    pub(super) fn kept(&self) -> usize {
        self.text.len()
    }
}

impl Deref for Piece {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        let begin = self.begin as usize;
        self.text.get(begin..begin + self.length as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_the_very_string_that_was_read_and_outlives_the_text() {
        let text = Text::new("say é and b");
        let read = text.get(4..6).unwrap();
        let (piece, at) = (Piece::new(&text, read), read.as_ptr());
        drop(text);
        assert_eq!((&*piece, piece.as_ptr()), ("é", at));
    }

    #[test]
    fn what_is_not_of_the_text_is_copied() {
        let (text, other) = (Text::new("abc"), Text::new("abc"));
        assert_eq!((text.place_of(&text), text.place_of(&other)), (Some((0, 3)), None));
        assert_eq!(&*Piece::new(&text, &other), "abc");
        assert_eq!(&*Piece::new(&text, ""), "");
    }
}
