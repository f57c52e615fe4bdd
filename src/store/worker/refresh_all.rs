//! The store thread's reads under residency `all`: full passes and refetches of what is in use.
//!
//! A snapshot is published only when closed: what a changed item newly names is fetched first. May depend on `model`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::Kind;
use crate::store::inbox::mailbox::LinkPhase;
use crate::store::memory::draft::{Draft, in_use};
use crate::store::memory::entry::{FlagEntry, Item};
use crate::store::memory::publication::Publisher;
use crate::store::memory::snapshot::{Snapshot, Table};
use crate::store::redis::reader::{BATCH, ReadError, SCAN_ABOVE};
use crate::store::reply::{FullReply, PartReply, Presence};
use crate::store::status::Level;
use crate::store::truth::wipe::{Dependants, Evidence, wipe_reason};
use crate::store::worker::refresh::{Pass, Refresher};

type Keys = Vec<Arc<str>>;

impl Refresher<'_> {
    /// Reads the whole data set.
    pub(in crate::store) fn read_all(&mut self, generation: u64) -> Result<Pass, ReadError> {
        if self.shared.options.has_source() && !self.shared.health.was_inited() && !self.presence()?.inited {
            // Nobody has ever written a full data set: there are no last known flags, and what is there is not read.
            self.shared.set_ready();
            return Ok(Pass { settled: false, confirmed: None });
        }
        let is_first = !self.shared.health.is_ready();
        let scanning = !is_first && self.held_count() > SCAN_ABOVE;
        let reply = if scanning { self.reader.scan()? } else { self.reader.full()? };
        // Until Redis counts as read, the snapshot file may be put in force at any moment: what it holds is what this read
        // replaces, and from here on it is too late for it.
        let mut publisher = is_first.then(|| self.mailbox.publisher());
        let current = self.shared.snapshot.load_full();
        let wiped = self.wipe_of_full(&current, &reply)?;
        let wrong_type = reply.wrong_type().is_some();
        self.held_bytes = reply.bytes();
        self.judge.unnameable = 0;

        let mut draft = Draft::new(&current, generation);
        let listener = self.listener;
        let flags =
            draft.apply_hash(|s| &mut s.flags, Kind::Flag, reply.features.into_fields(), &mut self.judge, listener);
        let segments = draft.apply_hash(
            |s| &mut s.segments,
            Kind::Segment,
            reply.segments.into_fields(),
            &mut self.judge,
            listener,
        );
        let decided = wiped || self.drop_missing(&mut draft, flags, segments, scanning)?;
        if scanning {
            self.close(&mut draft)?;
        }
        match &mut publisher {
            Some(publisher) => self.publish_as(publisher, &current, draft),
            None => self.publish(&current, draft),
        }
        if !(wrong_type && self.keeps_on_wipe()) {
            if is_first {
                self.shared.note_full_set();
            }
            self.shared.set_ready();
            self.shared.set_from_file(false);
        }
        Ok(Pass { settled: decided, confirmed: (decided && !wiped).then_some(Duration::ZERO) })
    }

    /// Reads again what this process uses, most recent first, and the unknown keys it was asked for.
    pub(in crate::store) fn refetch_snapshot(&mut self, since: u32, unknown: Vec<Box<str>>) -> Result<(), ReadError> {
        let verified = |generation| self.shared.is_verified(generation);
        let (mut flags, segments) = in_use(&self.shared.snapshot.load(), since, verified);
        flags.splice(0..0, unknown.into_iter().map(Arc::from));
        let empty: &[Arc<str>] = &[];
        let rounds = flags.len().max(segments.len()).div_ceil(BATCH);
        for round in 0..rounds {
            let flags = flags.chunks(BATCH).nth(round).unwrap_or(empty);
            let segments = segments.chunks(BATCH).nth(round).unwrap_or(empty);
            self.refetch_part(flags, segments)?;
        }
        Ok(())
    }

    fn refetch_part(&mut self, flags: &[Arc<str>], segments: &[Arc<str>]) -> Result<(), ReadError> {
        let generation = self.shared.generation();
        let current = self.shared.snapshot.load_full();
        let reply = self.reader.part(flags, segments)?;
        let wiped = self.wipe_of_part(&current, &reply)?;
        let mut draft = Draft::new(&current, generation);
        self.apply_part(&mut draft, flags, segments, reply, !wiped, &mut HashSet::new());
        self.close(&mut draft)?;
        self.publish(&current, draft);
        Ok(())
    }

    fn apply_part(
        &mut self,
        draft: &mut Draft,
        flags: &[Arc<str>],
        segments: &[Arc<str>],
        reply: PartReply,
        drop_missing: bool,
        missing: &mut HashSet<(Kind, Box<str>)>,
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
        missing: &mut HashSet<(Kind, Box<str>)>,
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
    fn close(&mut self, draft: &mut Draft) -> Result<(), ReadError> {
        let mut missing = HashSet::new();
        loop {
            let (mut flags, mut segments) = draft.missing_references(&missing);
            if flags.is_empty() && segments.is_empty() {
                return Ok(());
            }
            flags.truncate(BATCH);
            segments.truncate(BATCH);
            let reply = self.reader.part(&flags, &segments)?;
            self.apply_part(draft, &flags, &segments, reply, false, &mut missing);
        }
    }

    /// Drops the held keys that a full read did not find. False when that could not be decided this time.
    fn drop_missing(
        &mut self,
        draft: &mut Draft,
        mut flags: Keys,
        mut segments: Keys,
        scanned: bool,
    ) -> Result<bool, ReadError> {
        if flags.is_empty() && segments.is_empty() {
            return Ok(true);
        }
        if scanned {
            // A scan is not a moment in time: a field moved while it ran may have been passed over.
            let before = self.shared.generation();
            if !self.link_is_drained() || self.shared.generation() != before {
                return Ok(false);
            }
            let confirmed = (self.confirm_missing(Kind::Flag, flags)?, self.confirm_missing(Kind::Segment, segments)?);
            let (Some(confirmed_flags), Some(confirmed_segments)) = confirmed else { return Ok(false) };
            (flags, segments) = (confirmed_flags, confirmed_segments);
        }
        for key in flags {
            draft.remove(|s| &mut s.flags, Kind::Flag, &key, &mut self.judge);
        }
        for key in segments {
            draft.remove(|s| &mut s.segments, Kind::Segment, &key, &mut self.judge);
        }
        Ok(true)
    }

    /// Waits until the push link has answered a ping, so that every earlier push has arrived, and notes those pushes.
    fn link_is_drained(&mut self) -> bool {
        let link = &self.mailbox.link;
        if link.phase() != LinkPhase::Up {
            return true;
        }
        let before = link.pongs();
        let deadline = Instant::now() + self.shared.options.command_timeout();
        link.want_ping();
        while link.pongs() == before {
            if Instant::now() >= deadline || self.mailbox.sleep(Duration::from_millis(5)) {
                return false;
            }
        }
        self.note_all();
        true
    }

    /// Those of `keys` that Redis does not have; `None` when the data set got lost meanwhile.
    fn confirm_missing(&mut self, kind: Kind, keys: Keys) -> Result<Option<Keys>, ReadError> {
        let empty: &[Arc<str>] = &[];
        let current = self.shared.snapshot.load_full();
        let mut missing = Vec::new();
        for batch in keys.chunks(BATCH) {
            let reply = match kind {
                Kind::Flag => self.reader.part(batch, empty)?,
                Kind::Segment => self.reader.part(empty, batch)?,
            };
            if self.wipe_of_part(&current, &reply)? {
                return Ok(None);
            }
            let texts = if kind == Kind::Flag { reply.flags } else { reply.segments };
            missing.extend(batch.iter().zip(texts).filter(|(_, text)| text.is_none()).map(|(key, _)| key.clone()));
        }
        Ok(Some(missing))
    }

    /// Number of items in the snapshot in force.
    pub(in crate::store) fn held_count(&self) -> usize {
        let snapshot = self.shared.snapshot.load();
        snapshot.flags.len() + snapshot.segments.len()
    }

    fn publish(&self, base: &Arc<Snapshot>, draft: Draft) {
        self.publish_as(&mut self.mailbox.publisher(), base, draft);
    }

    fn publish_as(&self, publisher: &mut Publisher, base: &Arc<Snapshot>, draft: Draft) {
        // When the data source has delivered since the read was sent, what Redis says does not count any more.
        if draft.changes.is_empty() || self.shared.memory_leads() {
            return;
        }
        let (announce, count) = (self.shared.answers(), draft.changes.len());
        publisher.publish(self.shared, self.listener, base, draft.snapshot, &draft.changes, announce);
        if !announce {
            self.listener.log(Level::Info, format_args!("read {count} items from Redis"));
        }
    }

    fn wipe_of_full(&mut self, current: &Snapshot, reply: &FullReply) -> Result<bool, ReadError> {
        let wrong_type = reply.wrong_type();
        if !self.shared.health.is_ready() {
            // What is held came from the snapshot file: Redis cannot have lost it.
            return self.note_wipe(reply.presence, wrong_type, false, Dependants::default);
        }
        self.note_wipe(reply.presence, wrong_type, !current.flags.is_empty(), || dependants(current))
    }

    /// Reads what exists, and nothing else.
    pub(in crate::store) fn presence(&mut self) -> Result<Presence, ReadError> {
        Ok(self.reader.part::<&str>(&[], &[])?.presence)
    }

    fn wipe_of_part(&mut self, current: &Snapshot, reply: &PartReply) -> Result<bool, ReadError> {
        let wrong_type = reply.wrong_type.as_deref();
        self.note_wipe(reply.presence, wrong_type, !current.flags.is_empty(), || dependants(current))
    }

    /// Records what a read says about the data set; true while it counts as lost.
    pub(in crate::store) fn note_wipe(
        &mut self,
        presence: Presence,
        wrong_type: Option<&str>,
        holds_flags: bool,
        dependants: impl FnOnce() -> Dependants,
    ) -> Result<bool, ReadError> {
        let was_inited = self.shared.health.was_inited();
        let evidence = Evidence { was_inited, presence, holds_flags, wrong_type };
        if presence.inited {
            self.shared.set_inited();
        }
        if let Some(error) = wrong_type {
            self.shared.health.set_last_error(error.to_owned());
        }
        let mut reason = None;
        if self.keeps_on_wipe() {
            reason = wipe_reason(&evidence);
            if reason.is_none() && evidence.segments_may_be_lost() && self.refer_still(&dependants())? {
                reason = Some("the segments hash is gone while flags refer to it".to_owned());
            }
        }
        self.set_wiped(reason.as_deref());
        Ok(reason.is_some())
    }

    /// Whether Redis still has one of the flags, and in it a reference to one of the segments.
    fn refer_still(&mut self, dependants: &Dependants) -> Result<bool, ReadError> {
        let empty: &[Arc<str>] = &[];
        for batch in dependants.flags.chunks(BATCH) {
            let keys: Keys = batch.iter().map(|(key, _)| key.clone()).collect();
            let texts = self.reader.part(&keys, empty)?.flags;
            if batch.iter().zip(texts).any(|((key, held), text)| dependants.refers(key, held, text)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn dependants(snapshot: &Snapshot) -> Dependants {
    let pair = |(key, entry): (&Arc<str>, &FlagEntry)| (key.clone(), entry.clone());
    let segments = snapshot.segments.iter().map(|(key, entry)| (key.clone(), entry.clone()));
    Dependants::new(snapshot.flags.iter().map(pair), segments)
}
