//! Where lines and texts of replies end, as far as is needed to refuse what no Redis sends: what takes replies apart looks through a
//! line that has not ended again with each piece that comes, and holds in memory what is not whole. Pure; depends on nothing.

use std::io;

/// Longest line. Redis takes none that is longer either.
const LONGEST_LINE: usize = 64 << 10;
/// Longest line that is a number of bytes.
const LONGEST_NUMBER: usize = 32;
/// Longest text: what a field of Redis may hold.
const LONGEST_TEXT: u64 = 512 << 20;
/// Most lines of a reply, each of which is a value or the length of one, and most bytes.
const MOST_LINES: u64 = 16 << 20;
const MOST_BYTES: u64 = 2 << 30;

/// What the next byte is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A line, at its first byte.
    Start,
    /// A line that says what it is by itself.
    Line,
    /// A line that says how long the text after it is.
    Number,
    /// A text and the end of its line.
    Text,
}

/// How far the reply has come.
#[derive(Debug)]
pub struct Framing {
    part: Part,
    line: usize,
    ends: bool,
    number: [u8; LONGEST_NUMBER],
    /// It may be a text that is not there.
    may_be_nil: bool,
    /// Bytes of the text that are still to come.
    text: u64,
    lines: u64,
    bytes: u64,
}

impl Framing {
    /// At the beginning.
    pub fn new() -> Self {
        let number = [0; LONGEST_NUMBER];
        Self { part: Part::Start, line: 0, ends: false, number, may_be_nil: false, text: 0, lines: 0, bytes: 0 }
    }

    /// A reply was whole: the next one may be as large.
    pub fn begin(&mut self) {
        (self.lines, self.bytes) = (0, 0);
    }

    /// These bytes have come.
    pub fn note(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            bytes = match self.part {
                Part::Text => self.skip_text(bytes),
                _ => self.take_line(bytes)?,
            };
        }
        if self.bytes > MOST_BYTES || self.lines > MOST_LINES {
            return Err(refused("larger than any that is asked for"));
        }
        Ok(())
    }

    fn skip_text<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let count = bytes.len().min(usize::try_from(self.text).unwrap_or(usize::MAX));
        self.text -= count as u64;
        if self.text == 0 {
            self.part = Part::Start;
        }
        bytes.get(count..).unwrap_or_default()
    }

    fn take_line<'b>(&mut self, bytes: &'b [u8]) -> io::Result<&'b [u8]> {
        for (at, byte) in bytes.iter().enumerate() {
            if self.part == Part::Start {
                self.part = if b"$!=".contains(byte) { Part::Number } else { Part::Line };
                (self.line, self.ends, self.may_be_nil) = (0, false, *byte == b'$');
                continue;
            }
            if self.ends && *byte == b'\n' {
                self.end_line()?;
                return Ok(bytes.get(at + 1..).unwrap_or_default());
            }
            self.note_of_line(*byte)?;
        }
        Ok(&[])
    }

    fn note_of_line(&mut self, byte: u8) -> io::Result<()> {
        self.ends = byte == b'\r';
        if self.part == Part::Line {
            self.line += 1;
            return if self.line > LONGEST_LINE { Err(refused("a line without an end")) } else { Ok(()) };
        }
        *self.number.get_mut(self.line).ok_or_else(|| refused("a length that is no number"))? = byte;
        self.line += 1;
        Ok(())
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.lines += 1;
        if self.part == Part::Number
            && let Some(length) = self.length()?
        {
            (self.part, self.text) = (Part::Text, length + 2);
        } else {
            self.part = Part::Start;
        }
        Ok(())
    }

    /// Length of the text that follows; `None`: there is none.
    fn length(&self) -> io::Result<Option<u64>> {
        let number = self.number.get(..self.line).and_then(|line| std::str::from_utf8(line).ok());
        match number.and_then(|number| number.trim().parse::<i64>().ok()) {
            Some(length) if length < 0 && self.may_be_nil => Ok(None),
            Some(length) => match u64::try_from(length) {
                Ok(length) if length <= LONGEST_TEXT => Ok(Some(length)),
                _ => Err(refused("a text of a length that cannot be")),
            },
            None => Err(refused("a length that is no number")),
        }
    }
}

/// The error of an answer that is none.
pub fn refused(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server's answer is no reply of Redis: {what}"))
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    /// What is said of a reply that comes in pieces of so many bytes.
    fn said(reply: &[u8], piece: usize) -> Result<Framing, String> {
        let mut framing = Framing::new();
        reply.chunks(piece).try_for_each(|piece| framing.note(piece)).map_err(|error| error.to_string())?;
        Ok(framing)
    }

    #[test]
    fn what_redis_sends_is_let_through_in_whatever_pieces_it_comes_and_ends_where_the_reply_does() {
        let line = format!("+{}\r\n", "x".repeat(60_000));
        let text = format!("${}\r\n{}\r\n", 1 << 20, "\n".repeat(1 << 20));
        for reply in [
            "+OK\r\n",
            ":-5\r\n",
            "$-1\r\n",
            "*-1\r\n",
            "$0\r\n\r\n",
            "$7\r\n$9\r\n+x\r\r\n",
            "_\r\n",
            "#t\r\n",
            ",nan\r\n",
            "(99\r\n",
            "+a\rb\r\n",
            "!5\r\nERR x\r\n",
            "=7\r\ntxt:abc\r\n",
            "*2\r\n$2\r\nf0\r\n%1\r\n:1\r\n$1\r\n\r\r\n",
            ">2\r\n$10\r\ninvalidate\r\n_\r\n",
            "|1\r\n+a\r\n+b\r\n+c\r\n",
            &line,
            &text,
        ] {
            assert!(parse_redis_value(reply.as_bytes()).is_ok(), "{reply:.60}");
            for piece in [1, 2, 3, 7, 4096, reply.len()] {
                let framing = said(reply.as_bytes(), piece).unwrap();
                assert_eq!(framing.part, Part::Start, "{reply:.60} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused_whatever_it_begins_with() {
        for sign in "+-:$*%_,#!=(>~|x\r\n".chars() {
            for filling in ["x", "9", " ", "\r", "\n"] {
                let reply = format!("{sign}{}", filling.repeat(LONGEST_LINE + 1));
                for piece in [1, 8192] {
                    assert!(said(reply.as_bytes(), piece).is_err(), "{sign:?} and {filling:?} in pieces of {piece}");
                }
            }
        }
    }

    #[test]
    fn a_text_that_redis_cannot_hold_is_refused_at_its_length() {
        for length in ["536870913", "9223372036854775807", "99999999999999999999", "x", "", "1 1"] {
            for sign in "$!=".chars() {
                assert!(said(format!("{sign}{length}\r\n").as_bytes(), 8).is_err(), "{sign}{length}");
            }
        }
        assert!(said(b"=-1\r\n", 8).is_err() && said(b"!-1\r\n", 8).is_err(), "there is no such text");
    }

    #[test]
    fn a_reply_that_never_ends_is_refused_and_many_that_end_are_not() {
        let values = b":1\r\n".repeat(1 << 20);
        let mut framing = Framing::new();
        for _ in 0..20 {
            framing.begin();
            framing.note(&values).unwrap();
        }
        let refused = (0..20).find_map(|_| framing.note(&values).err());
        assert!(refused.is_some_and(|error| error.to_string().contains("larger")));
    }
}
