//! Texts with a few random changes, the same ones in every run, for tests of whatever reads texts. Depends on nothing.

/// Numbers without a pattern.
pub struct Random(u64);

impl Default for Random {
    /// Always the same numbers.
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Random {
    /// The next number, less than `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % limit
    }

    /// A text in which fewer than `limit` bytes are others, are gone, or are more, taken from `bytes`.
    pub fn changed(&mut self, text: &str, bytes: &[u8], limit: usize) -> Vec<u8> {
        let mut text = text.as_bytes().to_vec();
        for _ in 0..self.below(limit) {
            let at = self.below(text.len());
            match self.below(3) {
                0 => text[at] = bytes[self.below(bytes.len())],
                1 => drop(text.remove(at)),
                _ => text.insert(at, bytes[self.below(bytes.len())]),
            }
        }
        text
    }
}
