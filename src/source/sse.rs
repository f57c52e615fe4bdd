//! Reads an event stream (`text/event-stream`) from bytes as they come.
//!
//! A line may end with CR, LF or CRLF, an event may come in any number of pieces, and each byte is looked at once. Knows
//! nothing of what the events mean. Event ids are skipped: a connection always begins with everything, so there is
//! nothing to resume.

use std::time::Duration;

/// As much memory is kept from one event to the next.
const ROUTINE: usize = 64 << 10;

/// An event that is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// Its name; `message` if it has none.
    pub name: &'a [u8],
    /// Its data lines, joined by LF.
    pub data: &'a [u8],
}

/// An event is longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// What has been read of a stream.
pub(super) struct Parser {
    limit: usize,
    /// The line that is not complete yet.
    line: Vec<u8>,
    /// The previous byte was CR: an LF that follows belongs to it.
    after_cr: bool,
    /// No line has ended yet: the first one may begin with a byte order mark.
    is_first_line: bool,
    name: Vec<u8>,
    data: Vec<u8>,
    /// Where the data begin in `data`: a single data line is taken over with its field name, not copied.
    data_start: usize,
    has_data: bool,
    retry: Option<Duration>,
}

impl Parser {
    /// A parser that accepts events of this many bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            after_cr: false,
            is_first_line: true,
            name: Vec::new(),
            data: Vec::new(),
            data_start: 0,
            has_data: false,
            retry: None,
        }
    }

    /// The pause before reconnecting that the server asked for last, if it has since this was called last.
    pub(super) fn take_retry(&mut self) -> Option<Duration> {
        self.retry.take()
    }

    /// Takes the next bytes, and hands out the events that they complete until one is answered with an error.
    pub(super) fn feed<E: From<TooLong>>(
        &mut self,
        mut bytes: &[u8],
        mut on_event: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            let (head, rest) = bytes.split_at(end);
            let terminator = rest.first().copied();
            bytes = rest.get(1..).unwrap_or_default();
            let is_second_half = self.after_cr && head.is_empty() && terminator == Some(b'\n');
            self.after_cr = terminator == Some(b'\r');
            if is_second_half {
                continue;
            }
            self.append(head)?;
            if self.end_line() {
                if self.has_data {
                    on_event(self.event())?;
                }
                self.forget();
            }
        }
        if !bytes.is_empty() {
            self.after_cr = false;
            self.append(bytes)?;
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + self.data.len() + bytes.len() > self.limit {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// The line is complete. True if it is empty, which ends an event.
    fn end_line(&mut self) -> bool {
        if std::mem::take(&mut self.is_first_line) && self.line.starts_with(b"\xef\xbb\xbf") {
            self.line.drain(..3);
        }
        if self.line.is_empty() {
            return true;
        }
        let colon = self.line.iter().position(|byte| *byte == b':');
        let (field, value) = self.line.split_at(colon.unwrap_or(self.line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            b"data" if self.has_data => {
                self.data.push(b'\n');
                self.data.extend_from_slice(value);
            }
            b"data" => {
                self.data_start = self.line.len() - value.len();
                self.has_data = true;
                std::mem::swap(&mut self.data, &mut self.line);
            }
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let number = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                self.retry = Some(Duration::from_millis(number.unwrap_or(u64::MAX).max(1)));
            }
            // Comments, ids, and what later versions may bring.
            _ => {}
        }
        self.line.clear();
        false
    }

    fn event(&self) -> Event<'_> {
        let name: &[u8] = if self.name.is_empty() { b"message" } else { &self.name };
        Event { name, data: self.data.get(self.data_start..).unwrap_or_default() }
    }

    fn forget(&mut self) {
        self.name.clear();
        self.data.clear();
        self.data_start = 0;
        self.has_data = false;
        // One large event shall not keep its memory for as long as the stream lasts.
        self.data.shrink_to(ROUTINE);
        self.line.shrink_to(ROUTINE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::mutation::Random;

    type Events = Vec<(String, String)>;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn read_in(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> (Events, Option<Duration>) {
        let (mut parser, mut events) = (Parser::new(1 << 20), Events::new());
        for piece in pieces {
            parser
                .feed::<TooLong>(piece.as_ref(), |event| {
                    events.push((text(event.name), text(event.data)));
                    Ok(())
                })
                .unwrap();
        }
        (events, parser.take_retry())
    }

    fn read(stream: &str) -> Events {
        read_in([stream]).0
    }

    fn event(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn an_event_has_a_name_and_data() {
        assert_eq!(read("event: put\ndata: {}\n\n"), [event("put", "{}")]);
        assert_eq!(read("event:put\ndata:{}\n\n"), [event("put", "{}")]);
        assert_eq!(read("data: {}\nevent: put\n\n"), [event("put", "{}")]);
        assert_eq!(read("data:  a \n\n"), [event("message", " a ")], "one space belongs to the syntax");
    }

    #[test]
    fn a_line_ends_with_any_of_three_terminators() {
        for end in ["\n", "\r", "\r\n"] {
            let stream = ["event: a", "data: 1", "data: 2", "", "data: 3", "", ""].join(end);
            assert_eq!(read(&stream), [event("a", "1\n2"), event("message", "3")], "{end:?}");
        }
        assert_eq!(read("data: 1\r\rdata: 2\n\ndata: 3\r\n\r\n").len(), 3);
    }

    #[test]
    fn an_event_without_data_is_none_and_leaves_no_name_behind() {
        assert_eq!(read("event: a\n\ndata: 1\n\n"), [event("message", "1")]);
        assert_eq!(read("event: a\ndata\n\n"), [event("a", "")], "an empty data line is data");
        assert_eq!(read("\n\n\n"), []);
    }

    #[test]
    fn what_is_not_understood_is_skipped() {
        assert_eq!(read(": comment\n:\nid: 7\nother: x\nnothing\ndata: 1\n\n"), [event("message", "1")]);
        assert_eq!(read("data: 1"), [], "an event that is not ended is none");
        assert_eq!(read("data: 1\n"), []);
    }

    #[test]
    fn a_byte_order_mark_counts_at_the_beginning_only() {
        assert_eq!(read("\u{feff}data: 1\n\n"), [event("message", "1")]);
        assert_eq!(read("\n\u{feff}data: 1\n\n"), []);
    }

    #[test]
    fn the_server_can_ask_for_a_pause() {
        let retry = |stream: &str| read_in([stream]).1;
        assert_eq!(retry("retry: 250\n"), Some(Duration::from_millis(250)));
        assert_eq!(retry("retry: 0\n"), Some(Duration::from_millis(1)));
        assert_eq!(retry("retry: 1\nretry: 2\n"), Some(Duration::from_millis(2)));
        assert_eq!(retry("retry: soon\nretry:\nretry: -1\n"), None);
        assert_eq!(retry("retry: 99999999999999999999999\n"), Some(Duration::from_millis(u64::MAX)));
    }

    const STREAMS: [&str; 5] = [
        "\u{feff}event: put\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n:\r\nevent: patch\rdata: \u{fc}\r\rretry: 5\n\n",
        "data: 1\r\n\r\n\r\n\ndata\n\n",
        "event: a\nevent: b\n\n\rdata:x\r\n\rdata: y\n\n",
        ":\n\r\n\r\r\n\ndata: z\r\n\n",
        "data: 1\n\ndata: not ended",
    ];

    #[test]
    fn every_split_of_a_stream_gives_the_same_events() {
        for stream in STREAMS {
            let (bytes, whole) = (stream.as_bytes(), read_in([stream]));
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    assert_eq!(read_in(pieces), whole, "{stream:?} at {first} and {second}");
                }
            }
            assert_eq!(read_in(bytes.chunks(1)), whole, "{stream:?} byte by byte");
        }
    }

    #[test]
    fn any_bytes_in_any_pieces_give_the_same_events_as_a_reader_of_lines() {
        const ALPHABET: [&[u8]; 12] =
            [b"\r", b"\n", b"\r\n", b"data", b"event", b"retry", b":", b" ", b"7", b"\xef\xbb\xbf", b"\xff", b"x"];
        let mut random = Random::default();
        for _ in 0..3000 {
            let stream: Vec<u8> =
                (0..random.below(40)).flat_map(|_| ALPHABET[random.below(ALPHABET.len())].to_vec()).collect();
            let mut pieces = Vec::new();
            let mut rest = stream.as_slice();
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(random.below(rest.len() + 1));
                pieces.push(piece);
                rest = more;
            }
            assert_eq!(read_in(pieces).0, read_by_lines(&stream), "{:?}", text(&stream));
        }
    }

    /// The rules once more, on a whole stream and as plainly as possible.
    fn read_by_lines(stream: &[u8]) -> Events {
        let mut lines = Vec::new();
        let (mut line, mut at) = (Vec::new(), 0);
        while at < stream.len() {
            match stream[at] {
                b'\r' | b'\n' => {
                    if stream[at..].starts_with(b"\r\n") {
                        at += 1;
                    }
                    lines.push(std::mem::take(&mut line));
                }
                byte => line.push(byte),
            }
            at += 1;
        }
        if let Some(first) = lines.first_mut()
            && first.starts_with(b"\xef\xbb\xbf")
        {
            first.drain(..3);
        }
        let (mut events, mut name, mut data) = (Events::new(), Vec::new(), Vec::<Vec<u8>>::new());
        for line in lines {
            if line.is_empty() {
                if !data.is_empty() {
                    let shown: &[u8] = if name.is_empty() { b"message" } else { &name };
                    events.push((text(shown), text(&data.join(&b'\n'))));
                }
                name.clear();
                data.clear();
                continue;
            }
            let mut parts = line.splitn(2, |byte| *byte == b':');
            let (field, value) = (parts.next().unwrap(), parts.next().unwrap_or_default());
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match field {
                b"event" => name = value.to_vec(),
                b"data" => data.push(value.to_vec()),
                _ => {}
            }
        }
        events
    }

    #[test]
    fn an_event_that_is_too_long_is_an_error_and_no_memory() {
        let feed = |stream: &str| Parser::new(100).feed::<TooLong>(stream.as_bytes(), |_| Ok(()));
        assert_eq!(feed(&"x".repeat(101)), Err(TooLong));
        assert_eq!(feed(&format!("data: {}\ndata: {}\n", "x".repeat(60), "y".repeat(60))), Err(TooLong));
        assert_eq!(feed(&"data: 123456789\n\n".repeat(100)), Ok(()));
    }

    #[test]
    fn five_megabytes_in_pieces_of_one_byte_cost_no_more_than_their_bytes() {
        let stream = format!("data: {}\n\n", "x".repeat(5 << 20));
        let (mut parser, mut length) = (Parser::new(1 << 30), 0);
        let begin = std::time::Instant::now();
        for piece in stream.as_bytes().chunks(1) {
            parser
                .feed::<TooLong>(piece, |event| {
                    length = event.data.len();
                    Ok(())
                })
                .unwrap();
        }
        assert_eq!(length, 5 << 20);
        // A quadratic reader would look at more than 10^13 bytes.
        assert!(begin.elapsed() < Duration::from_secs(30));
    }
}
