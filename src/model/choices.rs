//! Decisions that are taken from bytes: what is built by them is as arbitrary as the bytes are, and the same whenever they are.
//! For tests and fuzz targets. Depends on nothing.

/// Bytes, the first ones first. Once they are used up, every decision is the first one there is.
#[derive(Debug)]
pub struct Choices<'b> {
    rest: &'b [u8],
}

impl<'b> Choices<'b> {
    /// Decisions by these bytes.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// A number less than `limit`, which is at most 256.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit.max(1)
    }

    /// True once in `limit` times, and not without bytes.
    pub fn one_in(&mut self, limit: usize) -> bool {
        self.below(limit) == limit - 1
    }

    /// One of these.
    pub fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// As many bytes as the next one says, as far as there are so many.
    pub fn bytes(&mut self) -> &'b [u8] {
        let length = usize::from(self.byte()).min(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'b [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Whether they are used up.
    pub fn is_over(&self) -> bool {
        self.rest.is_empty()
    }
}
