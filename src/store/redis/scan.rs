//! Everything in steps, so that no other client of the server waits long, and so that something else can be read between two of
//! them: over a slow link everything takes minutes. Part of `reader`.

use std::time::{Duration, Instant};

use redis::{ConnectionLike, Value, cmd};

use super::connector::describe;
use super::endpoints::Address;
use super::reader::{ReadError, Reader};
use super::values::{error_of, flat_fields, is_wrong_type};
use crate::model::Kind;
use crate::store::reply::{Field, FullReply, HashReply};

/// Most fields of a step, and fewest.
const MOST: usize = 500;
const FEWEST: usize = 5;
/// A step that takes longer is followed by smaller ones, one that takes a tenth of it by larger ones.
const LONG_STEP: Duration = Duration::from_millis(250);

/// How many fields a step asks for.
#[derive(Debug)]
pub struct Size {
    now: usize,
    most: usize,
    /// What a step takes that asks for next to nothing: smaller ones take no less.
    least: Duration,
}

impl Size {
    pub fn new() -> Self {
        Self { now: MOST, most: MOST, least: Duration::ZERO }
    }

    /// The connection was cut in a step: no later one is as large.
    pub fn was_cut(&mut self) {
        self.most = (self.now / 10).max(FEWEST);
        self.now = self.now.min(self.most);
    }

    /// A step that asks for next to nothing takes so long.
    fn takes_at_least(&mut self, time: Duration) {
        self.least = time;
    }

    /// So many fields took so long.
    pub fn took(&mut self, fields: usize, time: Duration) {
        let time = time.saturating_sub(self.least);
        if time > LONG_STEP {
            let fitting = fields as f64 * LONG_STEP.as_secs_f64() / time.as_secs_f64();
            self.now = self.now.min(fitting as usize).max(FEWEST);
        } else if time < LONG_STEP / 10 {
            self.now = (self.now * 2).min(self.most);
        }
    }
}

/// How far a read in steps has come.
#[derive(Debug, Default)]
pub struct Scan {
    /// What was read whole: the flags, the segments.
    whole: Vec<HashReply>,
    /// What was read of the next one.
    fields: Vec<Field>,
    /// Where it goes on; `None` at its beginning.
    cursor: Option<Vec<u8>>,
    /// Who gave that cursor.
    peer: Option<Address>,
}

impl Scan {
    fn is_new(&self) -> bool {
        self.whole.is_empty() && self.peer.is_none() && self.cursor.is_none()
    }

    fn end_hash(&mut self, reply: HashReply) {
        self.whole.push(reply);
        (self.fields, self.cursor, self.peer) = (Vec::new(), None, None);
    }
}

impl Reader<'_> {
    /// The next step: features, then segments, then what exists, with which it is whole.
    pub(super) fn go_on(&mut self, scan: &mut Scan) -> Result<Option<FullReply>, ReadError> {
        if scan.is_new() {
            let began = Instant::now();
            self.presence()?;
            self.step.takes_at_least(began.elapsed());
        }
        match scan.whole.len() {
            0 => self.scan_step(Kind::Flag, scan)?,
            1 => self.scan_step(Kind::Segment, scan)?,
            _ => {
                let presence = self.presence()?.presence;
                let mut whole = std::mem::take(&mut scan.whole).into_iter();
                let (Some(features), Some(segments)) = (whole.next(), whole.next()) else {
                    return Err(ReadError::Reply("HSCAN"));
                };
                return Ok(Some(FullReply { features, segments, presence, is_moment: false, in_steps: true }));
            }
        }
        Ok(None)
    }

    fn scan_step(&mut self, kind: Kind, scan: &mut Scan) -> Result<(), ReadError> {
        let (hash, began) = (self.keys.hash(kind), Instant::now());
        let cursor = scan.cursor.clone().unwrap_or_else(|| b"0".to_vec());
        let command = cmd("HSCAN").arg(hash).arg(&cursor).arg("COUNT").arg(self.step.now).to_owned();
        let reply = self.owners.call(hash, |connection| connection.req_command(&command))?;
        let peer = self.owners.latest_peer();
        if scan.cursor.is_some() && peer != scan.peer {
            // What a cursor means is a matter of each server.
            (scan.fields, scan.cursor) = (Vec::new(), None);
            return Ok(());
        }
        scan.peer = peer;
        match reply {
            Value::ServerError(error) if is_wrong_type(&error) => {
                scan.end_hash(HashReply::WrongType(describe(&error_of(error))));
            }
            Value::ServerError(error) => return Err(error_of(error).into()),
            Value::Array(mut parts) if parts.len() == 2 => {
                let fields = flat_fields(parts.pop())?;
                let Some(Value::BulkString(next)) = parts.pop() else { return Err(ReadError::Reply("HSCAN")) };
                self.step.took(fields.len(), began.elapsed());
                scan.fields.extend(fields);
                if next == b"0" {
                    let fields = std::mem::take(&mut scan.fields);
                    scan.end_hash(HashReply::Fields(fields));
                } else {
                    scan.cursor = Some(next);
                }
            }
            _ => return Err(ReadError::Reply("HSCAN")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_become_as_small_as_the_link_wants_and_grow_again() {
        let mut size = Size::new();
        size.took(500, Duration::from_secs(5));
        assert_eq!(size.now, 25);
        size.took(25, Duration::from_secs(25));
        assert_eq!(size.now, FEWEST);
        for _ in 0..10 {
            size.took(5, Duration::from_millis(2));
        }
        assert_eq!(size.now, MOST);
        size.took(400, Duration::from_millis(100));
        assert_eq!(size.now, MOST, "neither long nor short");
    }

    #[test]
    fn what_the_way_takes_makes_no_step_smaller() {
        let mut size = Size::new();
        size.takes_at_least(Duration::from_millis(300));
        size.took(500, Duration::from_millis(320));
        assert_eq!(size.now, MOST);
        size.took(500, Duration::from_millis(800));
        assert_eq!(size.now, 250);
        size.took(250, Duration::from_millis(310));
        assert_eq!(size.now, MOST);
    }

    #[test]
    fn after_a_connection_that_was_cut_no_step_is_as_large() {
        let mut size = Size::new();
        size.was_cut();
        size.took(50, Duration::ZERO);
        assert_eq!(size.now, 50);
        size.was_cut();
        size.was_cut();
        assert_eq!(size.now, FEWEST);
    }
}
