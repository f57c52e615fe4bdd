//! Residency `lazy` and `off`: the whole data set, read once for hosts that want all flags at one moment. It is handed out
//! and not kept: the bounded cache lends what it holds, so that equal texts are not parsed again, and is not changed.
//!
//! May depend on `model`.

use std::sync::Arc;
use std::time::Instant;

use crate::model::{ItemKey, Kind};
use crate::store::inbox::mailbox::Mailbox;
use crate::store::inbox::read_through::Unreachable;
use crate::store::memory::cache::{CacheItem, Held};
use crate::store::memory::snapshot::Snapshot;
use crate::store::redis::reader::{BATCH, ReadError, SCAN_ABOVE};
use crate::store::reply::{Field, FullReply};
use crate::store::shared::Shared;
use crate::store::worker::refresh::Refresher;

/// Waits until the store thread has read everything, at most one command timeout, and not at all while Redis is known to
/// be away.
pub fn read_whole(shared: &Shared, mailbox: &Mailbox) -> Result<Arc<Snapshot>, Unreachable> {
    if !shared.health.is_available() || mailbox.is_stopped() {
        return Err(Unreachable);
    }
    let flight = mailbox.request_whole();
    if mailbox.is_stopped() {
        // Stopped in between: nobody is left who would answer.
        mailbox.abandon_flights();
    }
    match flight.wait(Instant::now() + shared.options.command_timeout()) {
        Some(Ok(snapshot)) => Ok(snapshot),
        Some(Err(())) | None => Err(Unreachable),
    }
}

impl Refresher<'_> {
    /// Answers the host threads that wait for everything.
    pub(in crate::store) fn serve_whole(&mut self) -> Result<(), ReadError> {
        // Whoever comes after the read was sent must not get what was written before he came, so he starts another one.
        let Some(flight) = self.mailbox.take_whole() else { return Ok(()) };
        let outcome = self.whole();
        flight.land(match &outcome {
            Ok(Some(snapshot)) => Ok(snapshot.clone()),
            Ok(None) | Err(_) => Err(()),
        });
        outcome?;
        self.succeeded();
        Ok(())
    }

    /// Everything; `None` when Redis has lost the data set, or holds something else in its place.
    fn whole(&mut self) -> Result<Option<Arc<Snapshot>>, ReadError> {
        let reply = if self.whole_fields > SCAN_ABOVE { self.reader.scan()? } else { self.reader.full()? };
        let wrong_type = reply.wrong_type().map(str::to_owned);
        let FullReply { features, segments, presence } = reply;
        let wiped = self.wipe_of_cache(presence, wrong_type.as_deref())?;
        let (features, segments) = (features.into_fields(), segments.into_fields());
        if wiped || wrong_type.is_some() {
            return Ok(None);
        }
        self.whole_fields = features.len() + segments.len();
        let mut snapshot = Snapshot::default();
        if !(self.fill(&mut snapshot, Kind::Flag, features)? && self.fill(&mut snapshot, Kind::Segment, segments)?) {
            return Ok(None);
        }
        self.judge.retain(Kind::Flag, |key| snapshot.flags.get(key).is_some());
        self.judge.retain(Kind::Segment, |key| snapshot.segments.get(key).is_some());
        Ok(Some(Arc::new(snapshot)))
    }

    /// Adds the fields of a hash; false when there was no time left to do so.
    fn fill(&mut self, snapshot: &mut Snapshot, kind: Kind, fields: Vec<Field>) -> Result<bool, ReadError> {
        for (position, (field, text)) in fields.into_iter().enumerate() {
            if position % BATCH == 0 {
                // Whoever waits for a single key goes first.
                self.serve_requests()?;
                if self.mailbox.is_stopped() {
                    return Ok(false);
                }
            }
            let Ok(key) = String::from_utf8(field) else { continue };
            let item = ItemKey { kind, key: Arc::from(key) };
            let before = self.shared.cache.as_ref().and_then(|cache| cache.peek(&item));
            match self.read_item(&item, before.as_ref(), text) {
                Held::Flag(entry) => snapshot.flags.insert(&item.key, entry),
                Held::Segment(entry) => snapshot.segments.insert(&item.key, entry),
                Held::Missing => {}
            }
        }
        Ok(true)
    }

    fn read_item(&mut self, item: &ItemKey, before: Option<&CacheItem>, text: Vec<u8>) -> Held {
        match before {
            Some(before) => self.compare(item, before, Some(text)),
            None => self.parse(item, Some(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn hosts_join_a_read_that_was_not_sent_yet_and_start_another_after_that() {
        let (sender, wake) = channel();
        let mailbox = Mailbox::new(sender);
        assert!(mailbox.take_whole().is_none());
        let first = mailbox.request_whole();
        assert!(Arc::ptr_eq(&first, &mailbox.request_whole()));
        assert_eq!(wake.try_iter().count(), 1, "the store thread is woken once");
        assert!(Arc::ptr_eq(&first, &mailbox.take_whole().unwrap()));
        assert!(mailbox.take_whole().is_none());
        assert!(!Arc::ptr_eq(&first, &mailbox.request_whole()));
    }

    #[test]
    fn a_stop_ends_the_wait_without_an_answer() {
        let mailbox = Mailbox::new(channel().0);
        let flight = mailbox.request_whole();
        mailbox.stop();
        assert!(matches!(flight.wait(Instant::now()), Some(Err(()))));
        assert!(mailbox.take_whole().is_none());
    }
}
