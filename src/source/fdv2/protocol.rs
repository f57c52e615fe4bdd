//! What the events of FDv2 mean: a payload is announced, sent piece by piece and then declared transferred; only then does it
//! count, as a whole. Pure.
//!
//! | Event | Is |
//! |---|---|
//! | `server-intent` | what follows: everything, changes, or nothing. What was sent before without being transferred is dropped |
//! | `put-object`, `delete-object` | a piece. What is of a kind that is not known is ignored |
//! | `payload-transferred` | the pieces count now, and this is the name of the state that they lead to. What follows are changes |
//! | `error` | the pieces so far are dropped. Of changes the later ones count; of everything a part is nothing |
//! | `goodbye` | the server is about to leave |
//! | `heartbeat`, any other | nothing |

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::model::{ChangeKind, Content, Delivery, Kind, Selector, read_string, repair, scan_elements, scan_members};
use crate::source::payload::{Malformed, member, version};

/// Longest payload, in bytes of its pieces.
const LONGEST_PAYLOAD: usize = 256 << 20;

/// What an event has brought about.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Nothing yet.
    More,
    /// This is in force from now on.
    Payload(Payload),
    /// What was said before is still all there is.
    Unchanged,
    /// What was sent is dropped, for this reason.
    Dropped(String),
    /// It is ignored; what it was, for people.
    Ignored(String),
    /// A piece that nobody can name.
    Nameless,
    /// The server is about to leave.
    Goodbye(Goodbye),
}

/// A payload that was transferred.
#[derive(Debug, PartialEq)]
pub(super) struct Payload {
    pub kind: ChangeKind,
    pieces: Vec<Piece>,
    pub selector: Option<Selector>,
}

impl Payload {
    /// Its items, in the order in which they were sent.
    pub(super) fn items(&self) -> Vec<Delivery<'_>> {
        self.pieces.iter().map(Piece::item).collect()
    }
}

#[derive(Debug, PartialEq)]
struct Piece {
    kind: Kind,
    key: String,
    content: Sent,
}

impl Piece {
    fn item(&self) -> Delivery<'_> {
        let content = match &self.content {
            Sent::Text(text) => Content::Json(text),
            Sent::Deletion { version } => Content::Deleted { version: *version },
        };
        Delivery { kind: self.kind, key: Cow::Borrowed(&self.key), content }
    }
}

#[derive(Debug, PartialEq)]
enum Sent {
    Text(Vec<u8>),
    Deletion { version: i64 },
}

/// The last word of a server.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Goodbye {
    #[serde(default)]
    reason: Option<String>,
    /// For so many seconds the former protocol is to be spoken.
    #[serde(default, rename = "protocolFallbackTTL")]
    fallback_seconds: Option<serde_json::Number>,
}

impl Goodbye {
    /// Why it leaves.
    pub(super) fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or("no reason given")
    }

    /// For how long the former protocol is to be spoken; `None` if it is not asked for, zero for good.
    pub(super) fn fallback(&self) -> Option<Duration> {
        let seconds = self.fallback_seconds.as_ref()?.as_f64()?;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

#[derive(Deserialize)]
struct Intent {
    payloads: Vec<Announced>,
}

#[derive(Deserialize)]
struct Announced {
    #[serde(rename = "intentCode")]
    code: String,
}

#[derive(Deserialize)]
struct Transferred {
    state: Option<String>,
    version: Option<serde_json::Number>,
}

/// What the pieces that come are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing was announced.
    Unknown,
    /// A part of everything was dropped: nothing counts until the next announcement.
    Broken,
    Full,
    Changes,
}

/// The payload that is on its way.
#[derive(Debug)]
pub(super) struct Assembly {
    mode: Mode,
    /// The server knows what is in force here: changes of it make sense.
    has_base: bool,
    pieces: Vec<Piece>,
    size: usize,
}

impl Assembly {
    /// At the begin of a connection, for which the server was told of a state or was not.
    pub(super) fn new(has_base: bool) -> Self {
        Self { mode: Mode::Unknown, has_base, pieces: Vec::new(), size: 0 }
    }

    /// Takes an event.
    pub(super) fn take(&mut self, name: &[u8], data: &[u8]) -> Result<Step, Malformed> {
        match name {
            b"server-intent" => self.announce(data),
            b"put-object" => self.put(data),
            b"delete-object" => self.delete(data),
            b"payload-transferred" => self.transfer(data),
            b"error" => Ok(self.fail(data)),
            b"goodbye" => read::<Goodbye>(data).map(Step::Goodbye),
            b"heartbeat" => Ok(Step::More),
            name => Ok(Step::Ignored(format!("an unknown event {:?}", String::from_utf8_lossy(name)))),
        }
    }

    fn announce(&mut self, data: &[u8]) -> Result<Step, Malformed> {
        let intent: Intent = read(data)?;
        let announced = intent.payloads.first().ok_or_else(|| Malformed::new("it announces no payload"))?;
        self.drop_pieces();
        self.mode = match announced.code.as_str() {
            "xfer-full" => Mode::Full,
            "xfer-changes" | "none" if !self.has_base => {
                return Err(Malformed::new("it speaks of changes, but was told of no state"));
            }
            "xfer-changes" => Mode::Changes,
            "none" => {
                self.mode = Mode::Changes;
                return Ok(Step::Unchanged);
            }
            code => return Err(Malformed::new(&format!("the intent {code:?} is unknown"))),
        };
        Ok(Step::More)
    }

    fn put(&mut self, data: &[u8]) -> Result<Step, Malformed> {
        let members = scan_members(data)?;
        let (kind, key) = match self.identity(&members)? {
            Ok(identity) => identity,
            Err(step) => return Ok(step),
        };
        // What is no object at all says nothing of an item; null is what some writers make of one.
        let object = member(&members, "object").filter(|object| object.starts_with(b"{") || *object == b"null");
        let text = object.ok_or_else(|| Malformed::new("the object is none"))?.to_vec();
        self.add(Piece { kind, key, content: Sent::Text(text) })
    }

    fn delete(&mut self, data: &[u8]) -> Result<Step, Malformed> {
        let members = scan_members(data)?;
        let (kind, key) = match self.identity(&members)? {
            Ok(identity) => identity,
            Err(step) => return Ok(step),
        };
        let stated = member(&members, "version").ok_or_else(|| Malformed::new("the version is missing"))?;
        self.add(Piece { kind, key, content: Sent::Deletion { version: version(&read(stated)?)? } })
    }

    /// What a piece is of, or what becomes of one that is of nothing that is known.
    fn identity(&self, members: &[crate::model::RawMember<'_>]) -> Result<Result<(Kind, String), Step>, Malformed> {
        match self.mode {
            Mode::Unknown => return Err(Malformed::new("nothing was announced")),
            Mode::Broken => return Ok(Err(Step::More)),
            Mode::Full | Mode::Changes => {}
        }
        let kind = member(members, "kind").and_then(read_string);
        let kind = match kind.as_deref() {
            Some("flag") => Kind::Flag,
            Some("segment") => Kind::Segment,
            Some(other) => return Ok(Err(Step::Ignored(format!("an object of the unknown kind {other:?}")))),
            None => return Err(Malformed::new("the kind is missing or no text")),
        };
        let key = member(members, "key").and_then(read_string).filter(|key| !key.is_empty());
        Ok(key.map(|key| (kind, key.into_owned())).ok_or(Step::Nameless))
    }

    fn add(&mut self, piece: Piece) -> Result<Step, Malformed> {
        self.size += piece.key.len() + if let Sent::Text(text) = &piece.content { text.len() } else { 0 };
        if self.size > LONGEST_PAYLOAD {
            return Err(Malformed::new(&format!("the payload has more than {LONGEST_PAYLOAD} bytes")));
        }
        self.pieces.push(piece);
        Ok(Step::More)
    }

    fn transfer(&mut self, data: &[u8]) -> Result<Step, Malformed> {
        let transferred: Transferred = read(data)?;
        let kind = match self.mode {
            Mode::Full => ChangeKind::Full,
            Mode::Changes => ChangeKind::Partial,
            Mode::Unknown => return Err(Malformed::new("nothing was announced")),
            Mode::Broken => return Err(Malformed::new("a part of it was dropped")),
        };
        let pieces = self.drop_pieces();
        self.mode = Mode::Changes;
        self.has_base = true;
        let version = transferred.version.and_then(|version| version.as_i64()).unwrap_or(0);
        let state = transferred.state.filter(|state| !state.is_empty());
        let selector = state.map(|state| Selector { state: Arc::from(state), version });
        Ok(Step::Payload(Payload { kind, pieces, selector }))
    }

    fn fail(&mut self, data: &[u8]) -> Step {
        self.drop_pieces();
        if self.mode == Mode::Full {
            self.mode = Mode::Broken;
        }
        let reason = member(&scan_members(data).unwrap_or_default(), "reason").and_then(read_string);
        Step::Dropped(reason.map_or_else(|| "no reason given".to_owned(), Cow::into_owned))
    }

    fn drop_pieces(&mut self) -> Vec<Piece> {
        self.size = 0;
        std::mem::take(&mut self.pieces)
    }
}

/// Name and data of an event.
type Event<'a> = (Cow<'a, str>, &'a [u8]);

/// The events of an answer to a poll.
pub(super) fn read_poll(body: &[u8]) -> Result<Vec<Event<'_>>, Malformed> {
    let members = scan_members(body)?;
    let events = member(&members, "events").ok_or_else(|| Malformed::new("it has no events"))?;
    scan_elements(events)?.into_iter().map(read_polled).collect()
}

fn read_polled(event: &[u8]) -> Result<Event<'_>, Malformed> {
    let members = scan_members(event)?;
    let name = member(&members, "event").and_then(read_string);
    let name = name.ok_or_else(|| Malformed::new("an event has no name"))?;
    Ok((name, member(&members, "data").unwrap_or(b"{}")))
}

fn read<T: for<'de> Deserialize<'de>>(data: &[u8]) -> Result<T, Malformed> {
    serde_json::from_slice(&repair(data)).map_err(|error| Malformed::new(&error.to_string()))
}

#[cfg(test)]
mod tests;
