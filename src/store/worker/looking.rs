//! The look whether anything was missed (residency `all` while Redis leads): each time a part of what is held is compared,
//! beside the sizes of the hashes and the marker. A thousand idle clients must not read everything again and again. May depend
//! on `memory` and `redis`.

use std::sync::Arc;

use super::{Failed, Worker};
use crate::model::Kind;
use crate::store::memory::entry::Item;
use crate::store::memory::snapshot::{Snapshot, Table};
use crate::store::redis::reader::{BATCH, Reader};
use crate::store::redis::role::Standalone;
use crate::store::reply::PartReply;

type Keys = Vec<Arc<str>>;

/// A look reads this part of all items, and at least so many as one command asks for.
const LOOK_PART: usize = 16;

impl Worker<'_> {
    /// Whether the server that is read is one that gets what is written. A name may lead to a replica, or to a primary of before
    /// that became one, whose connections stayed open.
    pub(super) fn look_at_standing(&mut self) -> Result<(), Failed> {
        if self.exchange.is_sought() {
            return Ok(());
        }
        let standing = match self.exchange.server() {
            Some(_) => self.exchange.read(Reader::standalone)?,
            None => Standalone::Primary,
        };
        match standing {
            Standalone::Replica { .. } if self.exchange.writes() => {
                self.exchange.start_over();
                self.mailbox.link.want_renewal();
            }
            Standalone::Replica { is_in_touch: false } => {
                self.condition.contested = Some(Arc::from("the server is a replica that does not get everything"));
            }
            _ => self.condition.contested = None,
        }
        Ok(())
    }

    /// Reads a part of what is held, sizes and presence, and everything if that tells of something that nobody told; true
    /// when it does.
    pub(super) fn look_for_what_was_missed(&mut self) -> Result<bool, Failed> {
        let current = self.shared.snapshot.load_full();
        let (flags, segments) = (current.flags.len(), current.segments.len());
        let count = ((flags + segments) / LOOK_PART).max(BATCH);
        let (keys_of_flags, keys_of_segments) = self.next_to_look_at(&current, count);
        let empty: &[Arc<str>] = &[];
        for kind_is_flag in [true, false] {
            let keys = if kind_is_flag { &keys_of_flags } else { &keys_of_segments };
            for batch in keys.chunks(BATCH) {
                let (of_flags, of_segments) = if kind_is_flag { (batch, empty) } else { (empty, batch) };
                let reply = self.exchange.read(|reader| reader.part(of_flags, of_segments))?;
                if self.differs(&current, of_flags, of_segments, reply)? {
                    return Ok(true);
                }
            }
        }
        if keys_of_flags.is_empty() && keys_of_segments.is_empty() {
            let reply = self.exchange.read(|reader| reader.presence())?;
            return self.differs(&current, empty, empty, reply);
        }
        Ok(false)
    }

    fn differs(
        &mut self,
        held: &Snapshot,
        flags: &[Arc<str>],
        segments: &[Arc<str>],
        reply: PartReply,
    ) -> Result<bool, Failed> {
        let wiped = self.wipe_of_part(held, &reply)?;
        let sizes = [held.flags.len(), held.segments.len()];
        let resized = reply.sizes.iter().zip(sizes).any(|(there, held)| there.is_some_and(|there| there != held));
        // Names that are not UTF-8 are counted by Redis and not held.
        let resized = resized && self.judge.unnameable == 0;
        // Of an item whose text is no item an older one is held, and said to be.
        let flags = flags.iter().zip(&reply.flags).all(|(key, text)| is_as_held(&held.flags, key, text.as_deref()));
        let segments =
            segments.iter().zip(&reply.segments).all(|(key, text)| is_as_held(&held.segments, key, text.as_deref()));
        Ok(wiped || resized || !(flags && segments) || reply.sizes.contains(&None))
    }

    /// The items that are looked at next: all are, one part after the other.
    fn next_to_look_at(&mut self, held: &Snapshot, count: usize) -> (Keys, Keys) {
        let all = held.flags.len() + held.segments.len();
        let start = if self.looked_at >= all { 0 } else { self.looked_at };
        self.looked_at = start + count;
        let flags = held.flags.iter().map(|(key, _)| (Kind::Flag, key));
        let segments = held.segments.iter().map(|(key, _)| (Kind::Segment, key));
        let chosen = flags.chain(segments).skip(start).take(count);
        let (flags, segments): (Vec<_>, Vec<_>) = chosen.partition(|(kind, _)| *kind == Kind::Flag);
        let keys = |items: Vec<(Kind, &Arc<str>)>| items.into_iter().map(|(_, key)| key.clone()).collect();
        (keys(flags), keys(segments))
    }
}

fn is_as_held<T: Item>(held: &Table<T>, key: &str, text: Option<&[u8]>) -> bool {
    held.get(key).is_some_and(|held| held.is_superseded() || text == Some(held.text()))
}
