//! Reads of chosen items under residency `all` while Redis leads: what is in use, and what a changed item newly names. May
//! depend on `memory`, `redis` and `truth`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::condition::keeps_on_wipe;
use super::following_all::TRIES;
use super::told::Named;
use super::{Failed, Worker};
use crate::model::Kind;
use crate::store::memory::draft::{Draft, in_use};
use crate::store::memory::entry::Item;
use crate::store::memory::snapshot::{Snapshot, Table};
use crate::store::redis::reader::BATCH;
use crate::store::reply::PartReply;
use crate::store::truth::loss::has_shrunk_much;

/// Items that were asked for and were not there.
pub(super) type Missing = HashSet<(Kind, Box<str>)>;

impl Worker<'_> {
    /// Reads again what this process uses, most recent first, and the unknown keys it was asked for.
    pub(super) fn refetch_snapshot(&mut self, since: u32, unknown: Vec<Box<str>>) -> Result<(), Failed> {
        let verified = |generation| self.shared.is_verified(generation);
        let (mut flags, segments) = in_use(&self.shared.snapshot.load(), since, verified);
        flags.splice(0..0, unknown.into_iter().map(Arc::from));
        self.refetch_parts(&flags, &segments).map(drop)
    }

    /// Reads these items, flags and segments at one moment as far as they fit; the numbers of fields that there were at the end, and
    /// which of the items were not there.
    pub(super) fn refetch_parts(
        &mut self,
        flags: &[Arc<str>],
        segments: &[Arc<str>],
    ) -> Result<([Option<usize>; 2], Missing), Failed> {
        let empty: &[Arc<str>] = &[];
        let rounds = flags.len().max(segments.len()).div_ceil(BATCH);
        let (mut sizes, mut missing) = ([None, None], Missing::new());
        for round in 0..rounds {
            let flags = flags.chunks(BATCH).nth(round).unwrap_or(empty);
            let segments = segments.chunks(BATCH).nth(round).unwrap_or(empty);
            sizes = self.refetch_part(flags, segments, &mut missing)?;
        }
        Ok((sizes, missing))
    }

    /// Reads fields that were named. True when what is held then is all that there is, by number: a hash that was removed in the
    /// same turn of the server, before fields of it were set and named, has taken fields away that nobody named; what is held is
    /// then more than what is there.
    pub(super) fn refetch_fields(&mut self, named: &Named) -> Result<bool, Failed> {
        let flags: Vec<Arc<str>> = named.flags.iter().cloned().collect();
        let segments: Vec<Arc<str>> = named.segments.iter().cloned().collect();
        let (sizes, _) = self.refetch_parts(&flags, &segments)?;
        let held = self.shared.snapshot.load();
        let is_sound = self.condition.wiped.is_none() && self.condition.unproven.is_none() && !self.doubt.is_open();
        // Names that are not UTF-8 are counted by Redis and not held.
        let is_countable = self.judge.unnameable == 0 && !self.condition.wrong_type;
        Ok(is_sound && is_countable && sizes == [Some(held.flags.len()), Some(held.segments.len())])
    }

    /// Reads these items; the numbers of fields that there were. What was not there is gone if that was so at one moment, for which
    /// it is read again some times; after that a read of everything decides.
    fn refetch_part(
        &mut self,
        flags: &[Arc<str>],
        segments: &[Arc<str>],
        missing: &mut Missing,
    ) -> Result<[Option<usize>; 2], Failed> {
        let mut again = 1..TRIES;
        loop {
            let generation = self.shared.generation();
            let current = self.shared.snapshot.load_full();
            let armed = self.watch_armed();
            let reply = self.exchange.read(|reader| reader.part(flags, segments))?;
            let sizes = reply.sizes;
            let may_be_lost = self.may_be_lost(armed);
            let wiped = self.wipe_of_part(&current, &reply)?;
            let loses =
                lacks(flags, &reply.flags, &current.flags) || lacks(segments, &reply.segments, &current.segments);
            let may_drop = !wiped && self.may_drop(&current, reply.sizes, loses, may_be_lost);
            let is_moment = !(may_drop && loses) || self.is_moment(generation);
            if !is_moment {
                if again.next().is_some() {
                    continue;
                }
                self.agenda.plan_full_by(self.agenda.soonest_full());
            }
            let mut draft = Draft::new(&current, generation);
            self.apply_part(&mut draft, flags, segments, reply, may_drop && is_moment, missing);
            self.close(&mut draft)?;
            self.publish(&current, draft);
            return Ok(sizes);
        }
    }

    /// Whether what a read of a few items did not find is gone for good: not when much else is gone, too, or when the server
    /// does not tell; then a read of everything decides. Until that was made, the loss is remembered: by then most may be there
    /// again, and the rest would look like an ordinary deletion.
    fn may_drop(&mut self, held: &Snapshot, sizes: [Option<usize>; 2], loses: bool, may_be_lost: bool) -> bool {
        if !keeps_on_wipe(self.shared) {
            return true;
        }
        let sizes = || sizes.into_iter().zip([held.flags.len(), held.segments.len()]);
        let has_shrunk = sizes().any(|(there, held)| there.is_some_and(|there| has_shrunk_much(held, there)));
        let is_sure = !may_be_lost && !has_shrunk && sizes().all(|(there, _)| there.is_some());
        if has_shrunk || !is_sure && loses {
            let at = self.doubt.look_again().unwrap_or_else(|| self.agenda.soonest_full());
            self.agenda.plan_full_by(at);
        }
        if has_shrunk {
            self.doubt.begin(Instant::now());
        }
        is_sure
    }

    /// Whether what was read of several servers was there at one moment: flags may have been read before others took their place
    /// that do without a segment.
    fn is_moment(&mut self, generation: u64) -> bool {
        !self.exchange.is_spread() || self.nothing_was_told_since(generation)
    }

    fn apply_part(
        &mut self,
        draft: &mut Draft,
        flags: &[Arc<str>],
        segments: &[Arc<str>],
        reply: PartReply,
        drop_missing: bool,
        missing: &mut Missing,
    ) {
        let flags = flags.iter().zip(reply.flags);
        self.apply_texts(draft, |s| &mut s.flags, Kind::Flag, flags, drop_missing, missing);
        let segments = segments.iter().zip(reply.segments);
        self.apply_texts(draft, |s| &mut s.segments, Kind::Segment, segments, drop_missing, missing);
    }

    fn apply_texts<'k, T: Item>(
        &mut self,
        draft: &mut Draft,
        table: fn(&mut Snapshot) -> &mut Table<T>,
        kind: Kind,
        texts: impl Iterator<Item = (&'k Arc<str>, Option<Vec<u8>>)>,
        drop_missing: bool,
        missing: &mut Missing,
    ) {
        for (key, text) in texts {
            let Some(text) = text else {
                missing.insert((kind, Box::from(&**key)));
                if drop_missing {
                    draft.remove(table, kind, key, &mut self.judge);
                } else {
                    draft.keep(table, key);
                }
                continue;
            };
            draft.apply_text(table, kind, key, text, &mut self.judge, self.listener);
        }
    }

    /// Fetches what changed items newly name, until nothing is missing that Redis has.
    pub(super) fn close(&mut self, draft: &mut Draft) -> Result<(), Failed> {
        let mut missing = Missing::new();
        loop {
            let (mut flags, mut segments) = draft.missing_references(&missing);
            if flags.is_empty() && segments.is_empty() {
                return Ok(());
            }
            flags.truncate(BATCH);
            segments.truncate(BATCH);
            let reply = self.exchange.read(|reader| reader.part(&flags, &segments))?;
            self.apply_part(draft, &flags, &segments, reply, false, &mut missing);
        }
    }
}

/// Whether something is held that was asked for and was not there.
fn lacks<T: Item>(keys: &[Arc<str>], texts: &[Option<Vec<u8>>], held: &Table<T>) -> bool {
    keys.iter().zip(texts).any(|(key, text)| text.is_none() && held.get(key).is_some())
}
