//! Items that may be larger than the server takes. It closes the connection at one (`proto-max-bulk-len`,
//! `client-query-buffer-limit`, neither of which can be less than a megabyte), and what was sent with it is lost, too. So large
//! items go by themselves once a connection was closed, and must not keep the others from being written. Part of the writer.

use redis::{ConnectionLike, Value, cmd};

use super::class::is_cut;
use super::connector::describe;
use super::writer::{Upsert, Upsertion, WriteError, Writer, WrittenItem};

/// Smaller ones are taken by every server.
const LARGE: usize = 1_000_000;

impl Writer<'_> {
    /// What a full write does without: the connection was closed at one with large items in it. Those that the server does
    /// not take are missing in Redis then.
    pub(super) fn init_apart(&mut self, items: &[WrittenItem<'_>]) -> Result<(), WriteError> {
        let (large, others): (Vec<_>, Vec<_>) = items.iter().copied().partition(|(_, _, text)| is_large(text));
        // Nobody is watched over the connection that was closed, so it is written in any case.
        self.try_init(&others)?;
        for (kind, key, text) in large {
            let command = cmd("HSET").arg(self.keys.hash(kind)).arg(key).arg(text).to_owned();
            match self.call(self.keys.hash(kind), |connection| connection.req_command(&command)) {
                Err(error) if error.is_cut() => self.check_life()?,
                outcome => _ = outcome?,
            }
        }
        Ok(())
    }

    /// Writes items of which some are large: the connection was closed at all of them together.
    pub(super) fn upsert_apart(&mut self, items: &[Upsertion<'_>]) -> Result<Vec<Upsert>, WriteError> {
        let others: Vec<Upsertion<'_>> = items.iter().copied().filter(|item| !is_large(item.text)).collect();
        let mut of_others = self.try_upsert(&others)?.into_iter();
        let mut outcomes = Vec::with_capacity(items.len());
        for item in items {
            let outcome = if is_large(item.text) { Some(self.upsert_alone(*item)?) } else { of_others.next() };
            outcomes.extend(outcome);
        }
        Ok(outcomes)
    }

    fn upsert_alone(&mut self, item: Upsertion<'_>) -> Result<Upsert, WriteError> {
        match self.try_upsert(&[item]) {
            Ok(outcomes) => outcomes.into_iter().next().ok_or(WriteError::Reply("EVAL")),
            Err(WriteError::Redis(error)) if is_cut(&error) => {
                self.check_life()?;
                Ok(Upsert::Rejected(format!("{} at its {} bytes", describe(&error), item.text.len())))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether it was the item: a server that is away closes connections, too.
    fn check_life(&mut self) -> Result<(), WriteError> {
        let command = cmd("EXISTS").arg(&self.keys.inited).to_owned();
        self.call(&self.keys.inited, |connection| connection.req_command(&command)).map(|_: Value| ())
    }
}

impl WriteError {
    /// The server closed the connection.
    pub(super) fn is_cut(&self) -> bool {
        matches!(self, Self::Redis(error) if is_cut(error))
    }
}

/// Whether an item of this text may be larger than the server takes.
pub(super) fn is_large(text: &[u8]) -> bool {
    text.len() >= LARGE
}
