//! What a context is made of lies in the context itself, as long as it is of the usual size: making and freeing one then takes
//! one allocation, that of its handle, and an evaluation finds everything in a few neighbouring cache lines.
//!
//! Texts lie one behind the other and are named by where they lie. Depends on `arrayvec`.

use std::ops::{Deref, DerefMut};

use arrayvec::{ArrayString, ArrayVec};

/// Bytes of text that need no allocation of their own.
const IN_PLACE: usize = 160;

/// Where a text lies among the texts of its context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The number of bytes.
    #[inline]
    fn len(self) -> usize {
        self.end.wrapping_sub(self.start) as usize
    }
}

/// The texts of an individual context; less than 4 GB.
#[derive(Clone, Debug)]
pub(super) enum Texts {
    Here(ArrayString<IN_PLACE>),
    There(String),
}

impl Texts {
    pub(super) const fn new() -> Self {
        Texts::Here(ArrayString::new_const())
    }

    /// Adds a text.
    #[inline]
    pub(super) fn push(&mut self, text: &str) -> Span {
        let start = self.all().len();
        match self {
            Texts::Here(texts) => {
                if texts.try_push_str(text).is_err() {
                    self.move_out(text);
                }
            }
            Texts::There(texts) => texts.push_str(text),
        }
        Span { start: start as u32, end: (start + text.len()) as u32 }
    }

    #[cold]
    fn move_out(&mut self, text: &str) {
        let mut all = String::with_capacity((self.all().len() + text.len()).saturating_mul(2));
        all.push_str(self.all());
        all.push_str(text);
        *self = Texts::There(all);
    }

    /// The text from the beginning of one to the end of another.
    pub(super) fn join(first: Span, last: Span) -> Span {
        Span { start: first.start, end: last.end }
    }

    /// The number of bytes.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.all().len()
    }

    #[inline]
    pub(super) fn get(&self, span: Span) -> &str {
        self.all().get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Whether a text is this one.
    #[inline]
    pub(super) fn is(&self, span: Span, text: &str) -> bool {
        span.len() == text.len() && same(self.bytes(span), text.as_bytes())
    }

    /// Whether two texts are equal.
    #[inline]
    pub(super) fn are_equal(&self, one: Span, other: Span) -> bool {
        one.len() == other.len() && same(self.bytes(one), self.bytes(other))
    }

    /// Bytes are compared, which spares a look for the ends of characters.
    #[inline]
    fn bytes(&self, span: Span) -> &[u8] {
        self.all().as_bytes().get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    #[inline]
    fn all(&self) -> &str {
        match self {
            Texts::Here(texts) => texts,
            Texts::There(texts) => texts,
        }
    }
}

/// Whether two texts of one length are equal. Names are so short that calling the C library would take longer than to compare.
#[inline]
fn same(one: &[u8], other: &[u8]) -> bool {
    match one.len() {
        8..=16 => one.first_chunk::<8>() == other.first_chunk() && one.last_chunk::<8>() == other.last_chunk(),
        4..8 => one.first_chunk::<4>() == other.first_chunk() && one.last_chunk::<4>() == other.last_chunk(),
        2..4 => one.first_chunk::<2>() == other.first_chunk() && one.last_chunk::<2>() == other.last_chunk(),
        _ => one == other,
    }
}

/// A list of which the first `N` items need no allocation.
#[derive(Debug)]
pub(super) enum Few<T, const N: usize> {
    Here(ArrayVec<T, N>),
    There(Vec<T>),
}

impl<T, const N: usize> Few<T, N> {
    pub(super) const fn new() -> Self {
        Few::Here(ArrayVec::new_const())
    }

    #[inline]
    pub(super) fn push(&mut self, item: T) {
        match self {
            Few::Here(items) => {
                if let Err(full) = items.try_push(item) {
                    self.move_out(full.element());
                }
            }
            Few::There(items) => items.push(item),
        }
    }

    #[cold]
    fn move_out(&mut self, item: T) {
        let mut all = Vec::with_capacity(N * 2);
        if let Few::Here(items) = self {
            all.extend(items.drain(..));
        }
        all.push(item);
        *self = Few::There(all);
    }

    pub(super) fn clear(&mut self) {
        *self = Few::new();
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        match self {
            Few::Here(items) => items.retain(|item| keep(item)),
            Few::There(items) => items.retain(keep),
        }
    }
}

impl<T: Copy, const N: usize> Clone for Few<T, N> {
    #[inline]
    fn clone(&self) -> Self {
        match self {
            Few::Here(items) => {
                let mut copy = ArrayVec::new_const();
                // They fit: both lists are of one size.
                let _ = copy.try_extend_from_slice(items);
                Few::Here(copy)
            }
            Few::There(items) => Few::There(items.clone()),
        }
    }
}

impl<T, const N: usize> Deref for Few<T, N> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Few::Here(items) => items,
            Few::There(items) => items,
        }
    }
}

impl<T, const N: usize> DerefMut for Few<T, N> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Few::Here(items) => items,
            Few::There(items) => items,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_exactly_if_every_byte_is() {
        for length in 0..40 {
            let text = vec![b'x'; length];
            assert!(same(&text, &text.clone()));
            for place in 0..length {
                let mut other = text.clone();
                other[place] = b'y';
                assert!(!same(&text, &other), "{length}, {place}");
            }
        }
    }

    #[test]
    fn texts_and_lists_of_any_size_stay_what_they_were() {
        for step in [0, 1, 7, 40, 1000] {
            let (mut texts, mut spans) = (Texts::new(), Few::<Span, 4>::new());
            let text = |number: usize| "é".repeat(number * step / 2) + &number.to_string();
            for number in 0..20 {
                spans.push(texts.push(&text(number)));
                for (known, span) in spans.iter().enumerate() {
                    assert_eq!(texts.get(*span), text(known));
                }
            }
            for (one, span) in spans.iter().enumerate() {
                for (other, another) in spans.iter().enumerate() {
                    assert_eq!(texts.is(*span, &text(other)), one == other);
                    assert_eq!(texts.are_equal(*span, *another), one == other);
                }
            }
            let (copied, kept) = (texts.clone(), spans.clone());
            spans.retain(|span| texts.get(*span).ends_with('7'));
            assert_eq!(spans.iter().map(|span| texts.get(*span)).collect::<Vec<_>>(), [text(7), text(17)]);
            assert_eq!(kept.last().map(|span| copied.get(*span)), Some(&*text(19)));
        }
    }
}
