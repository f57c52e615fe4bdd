//! Commands packed by hand: what a data set of many megabytes needs is copied once. Depends on nothing.

/// Commands in the form in which they are sent; what a data set of many megabytes needs is copied once.
#[derive(Default)]
pub struct Packed {
    /// Bytes to send.
    pub bytes: Vec<u8>,
    /// Number of replies to expect.
    pub commands: usize,
}

impl Packed {
    /// Any command.
    pub fn command(&mut self, words: &[&[u8]]) {
        self.begin(words.len());
        words.iter().for_each(|word| self.word(word));
    }

    /// Fields and texts in turn; nothing for none.
    pub fn hset(&mut self, hash: &str, fields: &[&[u8]]) {
        if fields.is_empty() {
            return;
        }
        self.begin(2 + fields.len());
        self.word(b"HSET");
        self.word(hash.as_bytes());
        fields.iter().for_each(|word| self.word(word));
    }

    fn begin(&mut self, words: usize) {
        self.commands += 1;
        self.bytes.extend_from_slice(format!("*{words}\r\n").as_bytes());
    }

    fn word(&mut self, word: &[u8]) {
        self.bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        self.bytes.extend_from_slice(word);
        self.bytes.extend_from_slice(b"\r\n");
    }
}
