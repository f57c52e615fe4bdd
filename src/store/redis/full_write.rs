//! A full data set is written in one transaction, which the server gives up when somebody else has written since the data set
//! was looked at: so nothing newer is ever replaced unseen. Part of the writer.

use std::time::Duration;

use redis::{ConnectionLike, RedisError, Value, cmd};

use super::abilities::is_denied;
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
    /// without.
    pub fn watch(&mut self) -> Result<(), WriteError> {
        self.is_watching = false;
        if !self.watches {
            return Ok(());
        }
        let mut watch = cmd("WATCH");
        watch.arg(&self.keys.features).arg(&self.keys.segments).arg(&self.keys.inited);
        match self.call(|connection| connection.req_command(&watch))? {
            Value::ServerError(error) => match RedisError::from(error) {
                error if is_denied(&error) => self.watches = false,
                error => return Err(error.into()),
            },
            _ => self.is_watching = true,
        }
        Ok(())
    }

    /// Nothing is to be written after all, or others may have written.
    pub fn unwatch(&mut self) -> Result<(), WriteError> {
        if std::mem::take(&mut self.is_watching) {
            self.call(|connection| connection.req_command(&cmd("UNWATCH")))?;
        }
        Ok(())
    }

    /// Replaces the data set in one transaction; without the items that are larger than the server takes. False when others
    /// have written since it was watched: nothing was written then.
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
        let (packed, replies) = self.pack_init(items.iter().copied());
        let patience = self.timeout + PATIENCE_PER_MIB * u32::try_from(packed.len() >> 20).unwrap_or(u32::MAX);
        let timeout = self.timeout;
        let send = |connection: &mut Connection| {
            connection.set_read_timeout(Some(patience))?;
            connection.send_packed_command(&packed)?;
            let replies =
                (0..replies).map(|_| connection.recv_response()).collect::<Result<Vec<Value>, RedisError>>()?;
            connection.set_read_timeout(Some(timeout))?;
            Ok(replies)
        };
        let replies = if std::mem::take(&mut self.is_watching) {
            // Another connection does not watch.
            let Some(result) = self.session.call_same(send) else { return Ok(false) };
            let replies = self.note(result)?;
            if matches!(replies.last(), Some(Value::Nil)) {
                return Ok(false);
            }
            replies
        } else {
            self.call(send)?
        };
        check_transaction("full write", replies).map(|()| true)
    }

    /// The commands of a full write, and how many replies they have.
    fn pack_init<'i>(&self, items: impl Iterator<Item = WrittenItem<'i>>) -> (Vec<u8>, usize) {
        let mut packed = Packed::default();
        packed.command(&[b"MULTI"]);
        packed.command(&[b"DEL", self.keys.segments.as_bytes(), self.keys.features.as_bytes()]);
        let (mut flags, mut segments) = (Vec::new(), Vec::new());
        for (kind, key, text) in items {
            let (hash, fields) = match kind {
                Kind::Flag => (&self.keys.features, &mut flags),
                Kind::Segment => (&self.keys.segments, &mut segments),
            };
            fields.extend([key.as_bytes(), text]);
            if fields.len() >= 2 * FIELDS {
                packed.hset(hash, fields);
                fields.clear();
            }
        }
        packed.hset(&self.keys.segments, &segments);
        packed.hset(&self.keys.features, &flags);
        packed.command(&[b"SET", self.keys.inited.as_bytes(), b""]);
        packed.command(&[b"EXEC"]);
        (packed.bytes, packed.commands)
    }
}
