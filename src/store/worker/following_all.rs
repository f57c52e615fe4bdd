//! Reads of everything under residency `all` while Redis leads, and what is gone.
//!
//! A snapshot is published only when closed: what a changed item newly names is fetched first. May depend on `memory`,
//! `redis` and `truth`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::condition::keeps_on_wipe;
use super::following::Pass;
use super::{Failed, Worker};
use crate::model::Kind;
use crate::store::inbox::link::LinkPhase;
use crate::store::memory::draft::Draft;
use crate::store::memory::entry::FlagEntry;
use crate::store::memory::publication::Publisher;
use crate::store::memory::snapshot::Snapshot;
use crate::store::redis::reader::BATCH;
use crate::store::reply::{FullReply, PartReply};
use crate::store::status::Level;
use crate::store::truth::loss::{has_shrunk_much, is_much};
use crate::store::truth::wipe::Dependants;

type Keys = Vec<Arc<str>>;

/// How often a read that is no single moment is repeated until two agree.
pub(super) const TRIES: usize = 3;
/// What is not of one moment is not put in force for this long, if something else is held.
const TORN_PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether the watch has told everything.
const DRAIN_POLL: Duration = Duration::from_millis(1);

impl Worker<'_> {
    /// Reads the whole data set.
    pub(super) fn read_all(&mut self, generation: u64) -> Result<Pass, Failed> {
        if self.shared.options.has_source()
            && !self.shared.health.was_inited()
            && !self.exchange.read(|reader| reader.presence())?.presence.inited
        {
            // Nobody has ever written a full data set: there are no last known flags, and what is there is not read.
            self.shared.set_ready();
            return Ok(Pass { settled: false, undecided: false, confirmed: None });
        }
        let is_first = !self.shared.health.is_ready();
        let expected = if is_first { 0 } else { self.held_count() };
        let armed = self.watch_armed();
        let Some((reply, is_moment)) = self.read_a_moment(expected)? else {
            return Ok(Pass { settled: false, undecided: false, confirmed: None });
        };
        if is_moment {
            self.torn_since = None;
        } else {
            // It changes faster than it can be read: what is held stays for a while, and it is tried again. To hold nothing, or
            // what grows older and older, is worse than to hold what is not of one moment.
            let torn_since = *self.torn_since.get_or_insert_with(Instant::now);
            if !is_first && torn_since.elapsed() < TORN_PATIENCE {
                return Ok(Pass { settled: false, undecided: true, confirmed: None });
            }
            self.condition.unproven = Some("the data set changes while it is read".to_owned());
        }
        // Until Redis counts as read, the snapshot file may be put in force at any moment: what it holds is what this read
        // replaces, and from here on it is too late for it.
        let mut publisher = is_first.then(|| self.mailbox.publisher());
        let current = self.shared.snapshot.load_full();
        let may_be_lost = self.may_be_lost(armed);
        let wiped = self.wipe_of_full(&current, &reply)?;
        let wrong_type = reply.wrong_type().is_some();
        self.held_bytes = reply.bytes();
        self.judge.unnameable = 0;
        let (in_steps, names) = (reply.in_steps || !is_moment, reply.names());
        let is_empty = reply.sizes() == [0, 0];

        let mut draft = Draft::new(&current, generation);
        let (judge, listener) = (&mut self.judge, self.listener);
        let flags = draft.apply_hash(|s| &mut s.flags, Kind::Flag, reply.features.into_fields(), judge, listener);
        let segments =
            draft.apply_hash(|s| &mut s.segments, Kind::Segment, reply.segments.into_fields(), judge, listener);
        let decided = if wiped {
            keep(&mut draft, &flags, &segments);
            true
        } else if !is_first && self.is_doubtful(&current, [flags.len(), segments.len()], may_be_lost, names) {
            keep(&mut draft, &flags, &segments);
            false
        } else {
            self.drop_missing(&mut draft, flags, segments, in_steps)?
        };
        if in_steps {
            self.close(&mut draft)?;
        }
        match &mut publisher {
            Some(publisher) => self.publish_as(publisher, &current, draft),
            None => self.publish(&current, draft),
        }
        if !(wrong_type && keeps_on_wipe(self.shared)) {
            if is_first {
                self.shared.note_full_set();
            }
            self.shared.set_ready();
            self.shared.set_from_file(false);
            self.condition.tell_uninitialized(self.shared, self.listener, is_empty);
        }
        let settled = decided && is_moment;
        if settled && !wiped {
            self.is_certain(armed);
        }
        Ok(Pass { settled, undecided: !settled, confirmed: (settled && !wiped).then_some(Duration::ZERO) })
    }

    /// Everything at one moment, or what is as good: nothing was told while it was read, or two reads are the same. Beside it
    /// whether it is: not when it changed each time. `None` when there was no time left to read it.
    fn read_a_moment(&mut self, expected: usize) -> Result<Option<(FullReply, bool)>, Failed> {
        self.mailbox.link.hurry(true);
        let outcome = self.read_until(expected, Self::nothing_was_told_since);
        self.mailbox.link.hurry(false);
        outcome
    }

    /// Whether there is a watch, and it has told nothing since the time with this generation.
    pub(super) fn nothing_was_told_since(&mut self, generation: u64) -> bool {
        let is_watched = self.mailbox.link.phase() == LinkPhase::Up;
        is_watched && self.watch_is_drained() && self.shared.generation() == generation
    }

    /// Everything as it was at one moment by what `is_moment` says, who gets the generation before a read, or by two reads.
    pub(super) fn read_until(
        &mut self,
        expected: usize,
        is_moment: impl Fn(&mut Self, u64) -> bool,
    ) -> Result<Option<(FullReply, bool)>, Failed> {
        let (mut before, mut tries) = (None, 1..=TRIES);
        loop {
            let (generation, is_last) = (self.shared.generation(), tries.next() == Some(TRIES));
            let Some(reply) = self.read_whole(expected)? else { return Ok(None) };
            let is_known = reply.is_moment || reply.in_steps && !self.exchange.is_spread();
            let is_same = |before: Option<u64>| before == Some(reply.fingerprint());
            let is_moment = is_known || is_moment(self, generation) || is_same(before.replace(reply.fingerprint()));
            if is_moment || is_last {
                return Ok(Some((reply, is_moment)));
            }
        }
    }

    /// Much of the data set is gone, and no second read has agreed yet. One that may be lost is doubtful until nothing is missing.
    fn is_doubtful(&mut self, held: &Snapshot, missing: [usize; 2], may_be_lost: bool, names: u64) -> bool {
        let [flags, segments] = missing;
        let (all_flags, all_segments) = (held.flags.len(), held.segments.len());
        let much =
            is_much(all_flags, flags) || is_much(all_segments, segments) || (may_be_lost && flags + segments > 0);
        self.doubts(much, names, || {
            format!("{flags} of {all_flags} flags and {segments} of {all_segments} segments are gone at once")
        })
    }

    /// Judges a read in which much may be gone; true while nothing is to be dropped.
    pub(super) fn doubts(&mut self, much: bool, fingerprint: u64, what: impl FnOnce() -> String) -> bool {
        if !much || !keeps_on_wipe(self.shared) {
            self.doubt.settle();
            return false;
        }
        let is_new = self.doubt.look_again().is_none();
        if self.doubt.agrees(Instant::now(), fingerprint) {
            return false;
        }
        let what = what();
        if is_new {
            self.listener.log(Level::Warn, format_args!("{what}; they stay in force until a second read agrees"));
        }
        self.condition.unproven = Some(what);
        true
    }

    /// Drops the held keys that a full read did not find. False when that could not be decided this time.
    fn drop_missing(
        &mut self,
        draft: &mut Draft,
        mut flags: Keys,
        mut segments: Keys,
        in_steps: bool,
    ) -> Result<bool, Failed> {
        if flags.is_empty() && segments.is_empty() {
            self.restless_since = None;
            return Ok(true);
        }
        if in_steps {
            // Steps are not a moment in time: a field moved while they ran may have been passed over.
            if !self.is_calm() {
                return Ok(false);
            }
            let held = self.shared.snapshot.load();
            let found = [(held.flags.len(), flags.len()), (held.segments.len(), segments.len())];
            let found = found.map(|(held, missing)| held.saturating_sub(missing));
            drop(held);
            let confirmed = (
                self.confirm_missing(Kind::Flag, flags, found)?,
                self.confirm_missing(Kind::Segment, segments, found)?,
            );
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

    /// Whether nothing was told that was not noted before. Where that is never so, it is done without after a while.
    fn is_calm(&mut self) -> bool {
        let before = self.shared.generation();
        if !self.watch_is_drained() {
            return false;
        }
        if self.shared.generation() == before {
            self.restless_since = None;
            return true;
        }
        let is_over = self.restless_since.get_or_insert_with(Instant::now).elapsed() >= TORN_PATIENCE;
        if is_over {
            self.restless_since = None;
        }
        is_over
    }

    /// Waits until everything that happened up to now has been told, and notes it.
    pub(super) fn watch_is_drained(&mut self) -> bool {
        let link = &self.mailbox.link;
        if link.phase() != LinkPhase::Up {
            return true;
        }
        let deadline = Instant::now() + self.shared.options.command_timeout();
        let (armed, wish) = (link.armed(), link.want_drain());
        while !link.is_drained(wish) {
            // Another watch knows nothing of what the one before would have told.
            let is_same = link.is_listening() && link.armed() == armed;
            if !is_same || Instant::now() >= deadline || self.mailbox.sleep(DRAIN_POLL) {
                return false;
            }
        }
        self.note_all();
        true
    }

    /// Those of `keys` that Redis does not have; `None` when the data set got lost meanwhile, of which so many items were found.
    fn confirm_missing(&mut self, kind: Kind, keys: Keys, found: [usize; 2]) -> Result<Option<Keys>, Failed> {
        let empty: &[Arc<str>] = &[];
        let current = self.shared.snapshot.load_full();
        let (keeps, mut missing) = (keeps_on_wipe(self.shared), Vec::new());
        for batch in keys.chunks(BATCH) {
            let (flags, segments) = if kind == Kind::Flag { (batch, empty) } else { (empty, batch) };
            let reply = self.exchange.read(|reader| reader.part(flags, segments))?;
            if self.wipe_of_part(&current, &reply)? || keeps && is_much_gone(found, reply.sizes) {
                return Ok(None);
            }
            let texts = if kind == Kind::Flag { reply.flags } else { reply.segments };
            missing.extend(batch.iter().zip(texts).filter(|(_, text)| text.is_none()).map(|(key, _)| key.clone()));
        }
        Ok(Some(missing))
    }

    /// Number of items in the snapshot in force.
    pub(super) fn held_count(&self) -> usize {
        let snapshot = self.shared.snapshot.load();
        snapshot.flags.len() + snapshot.segments.len()
    }

    pub(super) fn publish(&self, base: &Arc<Snapshot>, draft: Draft) {
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

    fn wipe_of_full(&mut self, current: &Snapshot, reply: &FullReply) -> Result<bool, Failed> {
        let wrong_type = reply.wrong_type();
        if !self.shared.health.is_ready() {
            // What is held came from the snapshot file: Redis cannot have lost it.
            return self.note_wipe(reply.presence, wrong_type, false, Dependants::default);
        }
        self.note_wipe(reply.presence, wrong_type, !current.flags.is_empty(), || dependants(current))
    }

    pub(super) fn wipe_of_part(&mut self, current: &Snapshot, reply: &PartReply) -> Result<bool, Failed> {
        let wrong_type = reply.wrong_type.as_deref();
        self.note_wipe(reply.presence, wrong_type, !current.flags.is_empty(), || dependants(current))
    }
}

/// Whether much less is there by now than was found.
fn is_much_gone(found: [usize; 2], sizes: [Option<usize>; 2]) -> bool {
    found.into_iter().zip(sizes).any(|(found, there)| there.is_some_and(|there| has_shrunk_much(found, there)))
}

fn keep(draft: &mut Draft, flags: &[Arc<str>], segments: &[Arc<str>]) {
    flags.iter().for_each(|key| draft.keep(|s| &mut s.flags, key));
    segments.iter().for_each(|key| draft.keep(|s| &mut s.segments, key));
}

fn dependants(snapshot: &Snapshot) -> Dependants {
    let pair = |(key, entry): (&Arc<str>, &FlagEntry)| (key.clone(), entry.clone());
    let segments = snapshot.segments.iter().map(|(key, entry)| (key.clone(), entry.clone()));
    Dependants::new(snapshot.flags.iter().map(pair), segments)
}
