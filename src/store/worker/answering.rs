//! Host threads that wait for a read under residency `lazy` and `off`: single items, and the whole data set for those that want
//! all flags at one moment. What is read whole is handed out and not kept: the bounded cache lends what it holds, so that equal
//! texts are not parsed again, and is not changed. May depend on `memory`, `inbox` and `redis`.

use std::sync::Arc;

use super::{Failed, Worker};
use crate::model::{ItemKey, Kind};
use crate::store::inbox::flight::Taken;
use crate::store::memory::cache::{CacheItem, Held};
use crate::store::memory::snapshot::Snapshot;
use crate::store::options::Residency;
use crate::store::redis::reader::BATCH;
use crate::store::reply::{Field, FullReply};

impl Worker<'_> {
    /// Answers the host threads that wait for a read.
    pub(super) fn serve_requests(&mut self) -> Result<(), Failed> {
        let requests = self.mailbox.take_requests();
        if self.shared.options.residency == Residency::Off {
            // A reader that comes after the read was sent must not get what was written before he came.
            for (item, flight) in &requests {
                self.mailbox.close_flight(item, flight);
            }
        }
        for (position, batch) in requests.chunks(BATCH).enumerate() {
            if let Err(error) = self.serve_batch(batch) {
                for (item, flight) in requests.iter().skip(position * BATCH) {
                    self.mailbox.close_flight(item, flight);
                    flight.land(Err(()));
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn serve_batch(&mut self, batch: &[(ItemKey, Taken)]) -> Result<(), Failed> {
        let items: Vec<ItemKey> = batch.iter().map(|(item, _)| item.clone()).collect();
        let generation = self.shared.generation();
        let tick = self.shared.tick();
        let read = self.read_items(&items)?;
        for ((item, flight), text) in batch.iter().zip(read.texts) {
            let stays = self.stays(item, text.is_some(), read.sight);
            // It may have been read, or delivered, since it was asked for.
            let kept = self.shared.cache.as_ref().filter(|_| stays).and_then(|cache| cache.peek(item));
            let held = if let Some(kept) = kept { kept.held } else { self.parse(item, text) };
            if let Some(cache) = &self.shared.cache
                && !stays
            {
                let put = || cache.put(item.clone(), held.clone(), generation, tick);
                self.mailbox.outbox.unless_waiting(item, put);
                self.due.read_now(item.clone());
            }
            self.mailbox.close_flight(item, flight);
            flight.land(Ok(held));
        }
        Ok(())
    }

    /// Answers the host threads that wait for everything.
    pub(super) fn serve_whole(&mut self) -> Result<(), Failed> {
        // Whoever comes after the read was sent must not get what was written before he came, so he starts another one.
        let Some(flight) = self.mailbox.take_whole() else { return Ok(()) };
        let outcome = self.whole();
        flight.land(match &outcome {
            Ok(Some(snapshot)) => Ok(snapshot.clone()),
            Ok(None) | Err(_) => Err(()),
        });
        outcome?;
        Ok(())
    }

    /// Everything; `None` when Redis has lost the data set, or holds something else in its place, or no time was left to read it.
    fn whole(&mut self) -> Result<Option<Arc<Snapshot>>, Failed> {
        let expected = self.whole_fields;
        // A host waits: two reads are faster than a watch that is drained.
        let Some((reply, _)) = self.read_until(expected, |_, _| false)? else { return Ok(None) };
        let wrong_type = reply.wrong_type().map(str::to_owned);
        let FullReply { features, segments, presence, .. } = reply;
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
    fn fill(&mut self, snapshot: &mut Snapshot, kind: Kind, fields: Vec<Field>) -> Result<bool, Failed> {
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
