//! A full data set is written in one transaction, which the server gives up when somebody else has written since the data set
//! was looked at: so nothing newer is ever replaced unseen. Where a cluster has its keys on several servers, it is one for each
//! of them. Part of the writer.

use std::time::Duration;

use redis::{ConnectionLike, RedisError, Value, cmd};

use super::abilities::is_denied;
use super::class::{Class, class, is_cut};
use super::connection::Connection;
use super::large::is_large;
use super::packed::Packed;
use super::writer::{WriteError, Writer, WrittenItem, check_transaction};
use crate::model::Kind;

/// Fields of one HSET.
const FIELDS: usize = 50;
/// A full write may be answered this much later for each MiB of it.
const PATIENCE_PER_MIB: Duration = Duration::from_millis(250);

impl Writer<'_> {
    /// From now on others are noticed that write: before the data set is read for a full write. A user who may not watch does
    /// without, and so does who finds keys on their way to another server.
    pub fn watch(&mut self) -> Result<(), WriteError> {
        self.is_watching = false;
        if !self.watches {
            return Ok(());
        }
        let keys = self.keys;
        let groups: &[&[&str]] = match self.is_spread() {
            // `$inited` says nothing that the hashes do not say.
            true => &[&[&keys.segments], &[&keys.features]],
            false => &[&[&keys.features, &keys.segments, &keys.inited]],
        };
        for group in groups {
            let watch = cmd("WATCH").arg(group).to_owned();
            match self.call(group[0], |connection| connection.req_command(&watch))? {
                reply if self.owners.was_aside() || self.owners.is_torn(&reply) => {
                    if self.owners.was_aside() {
                        self.call_watched(|connection| connection.req_command(&cmd("UNWATCH")))?;
                    }
                    return self.unwatch_all();
                }
                Value::ServerError(error) => match RedisError::from(error) {
                    error if is_denied(&error) => {
                        self.watches = false;
                        return Ok(());
                    }
                    error => return Err(error.into()),
                },
                _ => {}
            }
        }
        self.is_watching = true;
        Ok(())
    }

    /// Nothing is to be written after all, or others may have written.
    pub fn unwatch(&mut self) -> Result<(), WriteError> {
        if std::mem::take(&mut self.is_watching) { self.unwatch_all() } else { Ok(()) }
    }

    fn unwatch_all(&mut self) -> Result<(), WriteError> {
        for key in self.keys.hashes() {
            // Where there is no connection any more nothing is watched.
            if let Some(result) = self.owners.call_same_owner(key, |connection| connection.req_command(&cmd("UNWATCH")))
            {
                self.note(result)?;
            }
            if !self.is_spread() {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn is_spread(&self) -> bool {
        self.owners.is_spread(self.keys.parts().map(|(_, key)| key))
    }

    /// Replaces the data set in one transaction, or in one for each server that has a part of it; without the items that are
    /// larger than the server takes. False when others have written since it was watched: nothing was written then, or in a
    /// cluster over which the keys are spread maybe the segments.
    pub fn init<'i>(&mut self, items: impl Iterator<Item = WrittenItem<'i>>) -> Result<bool, WriteError> {
        let items: Vec<WrittenItem<'_>> = items.collect();
        let outcome = match self.try_init(&items) {
            Err(error) if error.is_cut() && items.iter().any(|(_, _, text)| is_large(text)) => {
                self.init_apart(&items).map(|()| true)
            }
            outcome => outcome,
        };
        self.start_over_after(outcome)
    }

    pub(super) fn try_init(&mut self, items: &[WrittenItem<'_>]) -> Result<bool, WriteError> {
        let is_watching = std::mem::take(&mut self.is_watching);
        if !self.is_spread() {
            let mut packed = Packed::default();
            packed.command(&[b"MULTI"]);
            packed.command(&[b"DEL", self.keys.segments.as_bytes(), self.keys.features.as_bytes()]);
            pack_fields(&mut packed, &self.keys.segments, Kind::Segment, items);
            pack_fields(&mut packed, &self.keys.features, Kind::Flag, items);
            packed.command(&[b"SET", self.keys.inited.as_bytes(), b""]);
            packed.command(&[b"EXEC"]);
            match self.transact(&self.keys.features, &packed, (is_watching, false))? {
                // Some are on their way to another server: each is written where it is.
                Outcome::Torn => {}
                outcome => return Ok(outcome == Outcome::Done),
            }
        }
        let is_watching = is_watching && self.is_spread();
        let is_done = self.init_each(items, is_watching)?;
        if is_watching {
            // Where it was given up, or nothing was to be removed, keys are watched still.
            self.unwatch_all()?;
        }
        Ok(is_done)
    }

    /// A transaction for each key. Flags refer to nothing that is not there at any moment: segments that are gone go last.
    fn init_each(&mut self, items: &[WrittenItem<'_>], is_watching: bool) -> Result<bool, WriteError> {
        let adds = match self.held_segments(is_watching)? {
            Held::Unwatched => return Ok(false),
            held => held != Held::Count(0),
        };
        let first = if adds { Step::Add } else { Step::Replace };
        let is_done = self.init_kind(Kind::Segment, first, items, is_watching)?
            && self.init_kind(Kind::Flag, Step::Replace, items, is_watching)?;
        if !is_done {
            return Ok(false);
        }
        let count = items.iter().filter(|(kind, ..)| *kind == Kind::Segment).count();
        if adds {
            let is_done = match self.held_segments(is_watching)? {
                Held::Unwatched => false,
                held if held == Held::Count(count) => true,
                _ => self.init_kind(Kind::Segment, Step::Replace, items, is_watching)?,
            };
            if !is_done {
                return Ok(false);
            }
        }
        let set = cmd("SET").arg(&self.keys.inited).arg("").to_owned();
        match self.call(&self.keys.inited, |connection| connection.req_command(&set))? {
            Value::ServerError(error) => Err(RedisError::from(error).into()),
            _ => Ok(true),
        }
    }

    fn init_kind(
        &mut self,
        kind: Kind,
        step: Step,
        items: &[WrittenItem<'_>],
        is_watching: bool,
    ) -> Result<bool, WriteError> {
        let hash = self.keys.hash(kind);
        let mut packed = Packed::default();
        packed.command(&[b"MULTI"]);
        if step == Step::Replace {
            packed.command(&[b"DEL", hash.as_bytes()]);
        }
        pack_fields(&mut packed, hash, kind, items);
        packed.command(&[b"EXEC"]);
        let goes_on = is_watching && step == Step::Add;
        if goes_on {
            // With the end of the transaction, so that nobody writes between the two.
            packed.command(&[b"WATCH", hash.as_bytes()]);
        }
        Ok(self.transact(hash, &packed, (is_watching, goes_on))? == Outcome::Done)
    }

    /// How many segments there are; where they are watched, over the connection that does so.
    fn held_segments(&mut self, is_watching: bool) -> Result<Held, WriteError> {
        let hash = &self.keys.segments;
        let ask = cmd("HLEN").arg(hash).to_owned();
        let send = |connection: &mut Connection| connection.req_command(&ask);
        let reply = if is_watching {
            match self.owners.call_same_owner(hash, send) {
                // Another connection does not watch.
                None => return Ok(Held::Unwatched),
                Some(Err(error)) if is_cut(&error) => return Ok(Held::Unwatched),
                Some(result) => self.note(result)?,
            }
        } else {
            self.call(hash, send)?
        };
        if is_watching && (self.owners.has_moved(hash, &reply) || self.owners.is_torn(&reply)) {
            return Ok(Held::Unwatched);
        }
        Ok(match reply {
            Value::Int(held) => usize::try_from(held).map_or(Held::Unknown, Held::Count),
            Value::ServerError(error) if class(&error.clone().into()) == Class::Data => Held::Count(0),
            _ => Held::Unknown,
        })
    }

    /// Sends a transaction to whoever has this key; where the key is watched, over the connection that does so, and maybe with
    /// a command after it that watches the key from then on.
    fn transact(
        &mut self,
        key: &str,
        packed: &Packed,
        (is_watching, goes_on): (bool, bool),
    ) -> Result<Outcome, WriteError> {
        let patience = self.timeout + PATIENCE_PER_MIB * u32::try_from(packed.bytes.len() >> 20).unwrap_or(u32::MAX);
        let timeout = self.timeout;
        let send = |connection: &mut Connection| {
            connection.set_read_timeout(Some(patience))?;
            connection.send_packed_command(&packed.bytes)?;
            let replies =
                (0..packed.commands).map(|_| connection.recv_response()).collect::<Result<Vec<Value>, RedisError>>()?;
            connection.set_read_timeout(Some(timeout))?;
            Ok(replies)
        };
        let mut replies = if is_watching {
            // Another connection does not watch.
            let Some(result) = self.owners.call_same_owner(key, send) else { return Ok(Outcome::Outrun) };
            self.note(result)?
        } else {
            self.call(key, send)?
        };
        if goes_on {
            replies.pop();
        }
        if matches!(replies.last(), Some(Value::Nil)) || is_watching && self.owners.has_moved(key, &replies) {
            return Ok(Outcome::Outrun);
        }
        if self.owners.is_torn(&replies) {
            return Ok(Outcome::Torn);
        }
        check_transaction("full write", replies).map(|()| Outcome::Done)
    }
}

/// What is done with what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It stays, as far as it is not replaced.
    Add,
    /// It goes.
    Replace,
}

/// How many segments there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Count(usize),
    /// It is forbidden to ask.
    Unknown,
    /// They are not watched any more.
    Unwatched,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It was carried out.
    Done,
    /// Others have written since the keys were watched, or have them by now: it was not.
    Outrun,
    /// Keys are on their way to another server: it was not.
    Torn,
}

/// All items of a kind.
fn pack_fields(packed: &mut Packed, hash: &str, kind: Kind, items: &[WrittenItem<'_>]) {
    let mut fields: Vec<&[u8]> = Vec::new();
    for (_, key, text) in items.iter().filter(|(other, ..)| *other == kind) {
        fields.extend([key.as_bytes(), text]);
        if fields.len() >= 2 * FIELDS {
            packed.hset(hash, &fields);
            fields.clear();
        }
    }
    packed.hset(hash, &fields);
}
