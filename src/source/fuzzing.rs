//! Fuzz targets of what data sources read: event streams, the messages of both protocols, files. Depends on `model`.
#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use std::time::Duration;

pub use super::fdv2::fuzzing::fdv2;
pub use super::file::fuzzing::data_file;
use super::payload::{All, Message, collection, read_all, read_event};
use super::sse::{Parser, TooLong};
use crate::model::choices::Choices;
use crate::model::{Content, LARGEST_VERSION, scan_members};

/// Events longer than this are refused by the parsers here.
const LIMIT: usize = 512;

/// An event stream in pieces that the first bytes determine: the events are those of the whole, and those that the rules of event
/// streams give when all is there from the beginning.
pub fn sse(data: &[u8]) {
    let mut choices = Choices::new(data);
    let sizes: Vec<usize> = (0..4).map(|_| 1 + choices.below(40)).collect();
    let stream = choices.rest();
    let whole = read_in_pieces(&[stream]);
    let mut pieces = Vec::new();
    let (mut rest, mut sizes) = (stream, sizes.into_iter().cycle());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    assert_eq!(read_in_pieces(&pieces), whole);
    if whole.refused.is_none() {
        assert_eq!(whole, read_by_the_rules(stream));
    }
}

#[derive(Debug, Default, PartialEq)]
struct Heard {
    events: Vec<(Vec<u8>, Vec<u8>)>,
    retry: Option<Duration>,
    refused: Option<TooLong>,
}

fn read_in_pieces(pieces: &[&[u8]]) -> Heard {
    let (mut parser, mut heard) = (Parser::new(LIMIT), Heard::default());
    for piece in pieces {
        let fed = parser.feed(piece, |event| {
            heard.events.push((event.name.to_vec(), event.data.to_vec()));
            Ok::<(), TooLong>(())
        });
        heard.retry = parser.take_retry().or(heard.retry);
        if let Err(refused) = fed {
            heard.refused = Some(refused);
            break;
        }
    }
    heard
}

/// The same by the words of the specification: lines first, then fields.
fn read_by_the_rules(stream: &[u8]) -> Heard {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    // Bytes as characters, so that they can be searched as text.
    let text: String = stream.iter().map(|byte| char::from(*byte)).collect();
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let bytes = |text: &str| text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect();
    let mut heard = Heard::default();
    let (mut name, mut data) = (String::new(), Vec::new());
    let Some((lines, _)) = text.rsplit_once('\n') else { return heard };
    for line in lines.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            _ if line.is_empty() => {
                if !data.is_empty() {
                    let name = if name.is_empty() { "message" } else { &name };
                    heard.events.push((bytes(name), bytes(&data.join("\n"))));
                }
                (name, data) = (String::new(), Vec::new());
            }
            "event" => value.clone_into(&mut name),
            "data" => data.push(value.to_owned()),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                heard.retry = Some(Duration::from_millis(value.parse().unwrap_or(u64::MAX).max(1)));
            }
            _ => {}
        }
    }
    heard
}

/// A message of the stream, or an answer to a poll, by the first byte: its items are parts of the text, as many as are written.
pub fn payload(data: &[u8]) {
    let mut choices = Choices::new(data);
    let name: &[u8] = choices.one_of(&[b"put".as_slice(), b"patch", b"delete", b"poll", b"other"]);
    let text = choices.rest();
    if name == b"poll" {
        return if let Ok(all) = read_all(text) {
            check_all(&all, text)
        };
    }
    match read_event(name, text) {
        Ok(Message::Put(all)) => {
            let members = scan_members(text).unwrap();
            check_all(&all, members.iter().rev().find(|it| it.key.as_deref() == Some("data")).unwrap().value);
        }
        Ok(Message::Patch(delivery)) => {
            assert!(!delivery.key.is_empty());
            check_content(&delivery.content, text);
        }
        Ok(Message::UnknownEvent) => assert_eq!(name, b"other"),
        Ok(Message::UnknownPath(path)) => assert!(path != "/" && !path.is_empty() || name != b"put"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn check_all(all: &All<'_>, text: &[u8]) {
    let members = scan_members(text).unwrap();
    let count = |name| collection(&members, name).unwrap().map_or(0, |members| members.len());
    assert_eq!(all.items.len() + all.unnameable, count("flags") + count("segments"));
    all.items.iter().for_each(|item| check_content(&item.content, text));
}

fn check_content(content: &Content<'_>, text: &[u8]) {
    match content {
        Content::Json(item) => assert!(text.as_ptr_range().contains(&item.as_ptr())),
        Content::Deleted { version } => assert!((0..=LARGEST_VERSION).contains(version)),
    }
}
