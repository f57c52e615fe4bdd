//! The store thread where memory is the truth (residency `all`, once the data source has delivered): Redis is made to hold
//! what memory holds, and is never read into it.
//!
//! What was delivered is written at once. What others did is found by comparing: a version lower than memory's (an older
//! full write of another process) is written again; a higher one is left, the data source will deliver it here too; a
//! lost data set is rewritten under a lock, once for all processes; a single lost field only after a while, because it may
//! be a deletion that this process has not heard of yet.
//!
//! After a push a small data set is compared as a whole. Of a large one only what was delivered last is read, and the
//! numbers of fields: an older full write lacks just that, and a hundred processes need not read everything a hundred times
//! for every patch. The safety poll compares everything. May depend on `model`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{ItemKey, Kind, stamp};
use crate::store::inbox::outbox::{Put, Work};
use crate::store::memory::cache::Held;
use crate::store::memory::judge::Judge;
use crate::store::memory::snapshot::Snapshot;
use crate::store::redis::reader::{BATCH, SCAN_ABOVE};
use crate::store::redis::writer::Upsert;
use crate::store::reply::{FullReply, Presence};
use crate::store::status::{Level, monotonic_ms};
use crate::store::worker::refresh::{Failed, Refresher};

/// How long a single field has to be missing before it is written again.
const MISSING_FOR: Duration = Duration::from_secs(10);
/// How long a full write waits for another process that is writing everything.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait, at least and at most, before a lock that another process holds is tried again.
const LOCK_PAUSE: (f64, f64) = (0.05, 0.2);
/// How many of the items that were delivered last are looked at after a push. The last one would do if everybody got
/// everything in the same order.
const LATEST: usize = 8;

/// What is known of the difference between memory and Redis.
#[derive(Debug, Default)]
pub struct Mirror {
    /// Single fields that Redis lacks, and since when.
    missing: HashMap<ItemKey, Instant>,
    /// The data set is lost, and another process is rewriting it: when to look again.
    heal_at: Option<Instant>,
    /// The single items delivered last, none twice. Emptied where it is not known which they are: after a full data set, and
    /// after many items at once.
    latest: VecDeque<ItemKey>,
    /// Numbers of fields of both hashes when they were last looked at.
    sizes: (u64, u64),
}

impl Mirror {
    fn note_delivered(&mut self, item: &ItemKey) {
        self.latest.retain(|known| known != item);
        self.latest.push_front(item.clone());
        self.latest.truncate(LATEST);
    }

    /// Keys to look at. Where there is none, a field that nobody has is asked for: that tells the type of the hash.
    fn latest(&self, kind: Kind) -> Vec<Arc<str>> {
        let keys: Vec<_> = self.latest.iter().filter(|item| item.kind == kind).map(|item| item.key.clone()).collect();
        if keys.is_empty() { vec![Arc::from("")] } else { keys }
    }

    /// Notes how many fields there are; true when there are fewer than before.
    fn has_shrunk(&mut self, sizes: (u64, u64)) -> bool {
        let before = std::mem::replace(&mut self.sizes, sizes);
        sizes.0 < before.0 || sizes.1 < before.1
    }

    /// When something is to be looked at again.
    pub fn due(&self) -> Option<Instant> {
        let missing = self.missing.values().min().map(|since| *since + MISSING_FOR);
        [missing, self.heal_at].into_iter().flatten().min()
    }
}

impl Refresher<'_> {
    /// Writes what was delivered, then looks whether Redis still holds it.
    pub(in crate::store) fn mirror_what_is_due(&mut self) -> Result<(), Failed> {
        if self.judge.malformed() != 0 {
            // It judged what was read of Redis before; all of that is replaced.
            self.judge = Judge::default();
        }
        if self.writer.is_none() {
            // What Redis holds counts no longer; whether it is there is still told.
            self.full_due = None;
            if !self.shared.health.is_available() {
                self.presence()?;
                self.shared.set_ready();
                self.succeeded();
            }
            return Ok(self.ping_when_idle()?);
        }
        let (generation, armed) = (self.shared.generation(), self.mailbox.link.armed());
        let rearmed = self.armed_read != armed;
        let pushed = rearmed || generation != self.answered;
        match self.send_outbox() {
            // What waits can be written only once the hash is replaced.
            Err(Failed::Write(error)) if error.is_wrong_type() => self.compare_with_memory()?,
            sent => sent?,
        }
        let now = Instant::now();
        if pushed || self.mirror.heal_at.is_some_and(|at| at <= now) {
            let is_enough = self.look_for_loss()?;
            if rearmed || (pushed && !is_enough) {
                self.plan_full_after_push();
            }
        }
        (self.answered, self.armed_read) = (generation, armed);
        if self.full_due.is_some_and(|due| due <= Instant::now()) {
            self.timed_full(Self::compare_with_memory)?;
        }
        self.write_what_stayed_missing()?;
        Ok(self.ping_when_idle()?)
    }

    /// Writes what the data source delivered where Redis is the truth.
    pub(in crate::store) fn send_through(&mut self) -> Result<(), Failed> {
        if self.writer.is_some() && !self.shared.options.memory_leads() { self.send_outbox() } else { Ok(()) }
    }

    /// What was delivered just before the end is written, if Redis is there: nobody will deliver it again here.
    pub(in crate::store) fn send_the_rest(&mut self) {
        let has_delivered = !self.shared.options.memory_leads() || self.shared.has_delivered();
        if self.writer.is_some() && has_delivered && self.is_well() {
            // There is nobody left to tell of an error.
            let _ = self.send_outbox();
        }
    }

    fn send_outbox(&mut self) -> Result<(), Failed> {
        let mut count = 0;
        while let Some(work) = self.mailbox.outbox.next(BATCH) {
            match work {
                Work::Put(put) => {
                    self.write_all(&put)?;
                    self.mailbox.outbox.put_done(&put);
                    self.mirror.latest.clear();
                    self.wrote_full();
                    self.note_cached();
                }
                Work::Items(items) => {
                    self.write_items(&items)?;
                    count += items.len();
                    if count > LATEST {
                        // They came in no order.
                        self.mirror.latest.clear();
                    }
                }
            }
            self.wrote();
        }
        Ok(())
    }

    /// What a full data set has put into the bounded cache is read again when its time has come.
    pub(in crate::store) fn note_cached(&mut self) {
        if let Some(cache) = self.shared.cache.as_ref().filter(|_| self.due.goes_by_age()) {
            cache.keys().into_iter().for_each(|(item, _)| self.due.read_now(item));
        }
    }

    fn wrote(&mut self) {
        self.shared.set_ready();
        self.succeeded();
    }

    fn write_items(&mut self, items: &[(ItemKey, Held)]) -> Result<(), Failed> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let outcomes = writer.upsert(items)?;
        let mut refused = Vec::new();
        for ((item, held), outcome) in items.iter().zip(outcomes) {
            self.mailbox.outbox.item_done(item, held);
            self.mirror.note_delivered(item);
            self.mirror.missing.remove(item);
            if self.shared.cache.as_ref().is_some_and(|cache| cache.peek(item).is_some()) {
                self.due.read_now(item.clone());
            }
            if outcome == Upsert::Refused {
                refused.push(item.clone());
            }
        }
        // Where Redis is the truth, what it refused was shown too early: what it has instead is read.
        if !refused.is_empty() && !self.shared.options.memory_leads() {
            self.refetch_items(refused)?;
        }
        Ok(())
    }

    /// Writes a full data set, unless Redis holds just that: a hundred processes that start must not write it a hundred times.
    fn write_all(&mut self, put: &Put) -> Result<(), Failed> {
        let owned = self.wait_for_lock()?;
        let outcome = self.write_all_locked(put);
        if owned {
            self.unlock();
        }
        outcome
    }

    /// Gives the lock back. An error leaves it to expire: the one that counts is that of the write.
    fn unlock(&mut self) {
        if let Some(writer) = &mut self.writer {
            let _ = writer.unlock();
        }
    }

    /// How long to wait for a lock that another process holds.
    fn lock_pause(&mut self) -> Duration {
        Duration::from_secs_f64(self.jitter.between(LOCK_PAUSE.0, LOCK_PAUSE.1))
    }

    fn write_all_locked(&mut self, put: &Put) -> Result<(), Failed> {
        let expected = match put {
            Put::Memory => self.held_count(),
            Put::Items(items) => items.len(),
        };
        let reply = self.read_for_comparison(expected)?;
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let snapshot = self.shared.snapshot.load_full();
        let items: Vec<Listed<'_>> = match put {
            Put::Memory => snapshot_items(&snapshot).collect(),
            Put::Items(items) => listed(items).collect(),
        };
        let count = items.len();
        if is_equal(&reply, &items, self.shared.options.versions_tell()) {
            self.listener.log(Level::Debug, format_args!("Redis holds the {count} items of the full data set already"));
        } else {
            writer.init(items.into_iter())?;
            self.listener.log(Level::Info, format_args!("wrote the full data set to Redis: {count} items"));
        }
        self.note_whole();
        Ok(())
    }

    /// Redis holds the data set.
    fn note_whole(&mut self) {
        self.mirror.heal_at = None;
        self.mirror.missing.clear();
        self.shared.set_inited();
        self.set_wiped(None);
    }

    /// Waits for the lock; false when another process holds it for too long: the last full write counts in any case.
    fn wait_for_lock(&mut self) -> Result<bool, Failed> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            let Some(writer) = &mut self.writer else { return Ok(false) };
            if writer.lock()? {
                return Ok(true);
            }
            self.serve_requests()?;
            let pause = self.lock_pause();
            if Instant::now() >= deadline || self.mailbox.sleep(pause) {
                return Ok(false);
            }
        }
    }

    /// Everything, to be compared with `count` items.
    fn read_for_comparison(&mut self, count: usize) -> Result<FullReply, Failed> {
        Ok(if count > SCAN_ABOVE { self.reader.scan()? } else { self.reader.full()? })
    }

    /// Looks whether the data set is still there. True when everything need not be compared: a large data set holds what was
    /// delivered last, or a lost one is rewritten.
    fn look_for_loss(&mut self) -> Result<bool, Failed> {
        let (flags, segments) = (self.mirror.latest(Kind::Flag), self.mirror.latest(Kind::Segment));
        let reply = self.reader.part(&flags, &segments)?;
        self.succeeded();
        self.shared.set_ready();
        if self.heal_if_lost(reply.presence, reply.wrong_type.as_deref())? {
            return Ok(true);
        }
        let snapshot = self.shared.snapshot.load();
        let holds = |kind, keys: Vec<Arc<str>>, texts: Vec<Option<Vec<u8>>>| {
            keys.into_iter().zip(texts).all(|(key, text)| {
                held_in(&snapshot, &ItemKey { kind, key })
                    .is_none_or(|held| stand(&held, text.as_deref()) == Stand::Level)
            })
        };
        let holds_latest = !self.mirror.latest.is_empty()
            && holds(Kind::Flag, flags, reply.flags)
            && holds(Kind::Segment, segments, reply.segments);
        // A small data set is compared as a whole anyway.
        Ok(holds_latest && self.is_large() && !self.mirror.has_shrunk(self.reader.sizes()?))
    }

    /// Rewrites a lost data set; true when it was lost.
    fn heal_if_lost(&mut self, presence: Presence, wrong_type: Option<&str>) -> Result<bool, Failed> {
        let Some(reason) = loss(&self.shared.snapshot.load(), presence, wrong_type) else {
            if presence.inited {
                self.shared.set_inited();
            }
            self.mirror.heal_at = None;
            self.set_wiped(None);
            return Ok(false);
        };
        self.set_wiped(Some(&reason));
        let Some(writer) = &mut self.writer else { return Ok(true) };
        if !writer.lock()? {
            self.mirror.heal_at = Some(Instant::now() + self.lock_pause());
            return Ok(true);
        }
        let outcome = self.heal_locked();
        self.unlock();
        outcome.map(|()| true)
    }

    /// With the lock: another process may have done it just before.
    fn heal_locked(&mut self) -> Result<(), Failed> {
        // A field that nobody has, asked for in both hashes, tells the type without reading the items.
        let reply = self.reader.part(&[""], &[""])?;
        let snapshot = self.shared.snapshot.load_full();
        if loss(&snapshot, reply.presence, reply.wrong_type.as_deref()).is_some()
            && let Some(writer) = &mut self.writer
        {
            writer.init(snapshot_items(&snapshot))?;
            let count = snapshot.flags.len() + snapshot.segments.len();
            self.listener.log(Level::Warn, format_args!("rewrote the lost data set in Redis: {count} items"));
        }
        self.note_whole();
        Ok(())
    }

    /// Compares everything: what Redis holds in a lower version is written again, what it lacks is noted.
    fn compare_with_memory(&mut self) -> Result<(), Failed> {
        let reply = self.read_for_comparison(self.held_count())?;
        self.shared.set_ready();
        if self.heal_if_lost(reply.presence, reply.wrong_type())? {
            return Ok(());
        }
        self.held_bytes = reply.bytes();
        let snapshot = self.shared.snapshot.load_full();
        let there = index(&reply);
        self.mirror.sizes = sizes(&there);
        let mut behind = Vec::new();
        let mut missing = HashMap::new();
        for (item, held) in entries(&snapshot) {
            match stand(&held, there.get(&(item.kind, item.key.as_bytes())).copied()) {
                Stand::Level => {}
                Stand::Behind => behind.push((item, held)),
                Stand::Missing => {
                    let since = self.mirror.missing.get(&item).copied().unwrap_or_else(Instant::now);
                    missing.insert(item, since);
                }
            }
        }
        self.mirror.missing = missing;
        // What a forked child inherited may be what its parent has still to write: nobody vouches for it here.
        if !behind.is_empty() && self.mailbox.has_own_set() {
            let count = behind.len();
            self.listener
                .log(Level::Info, format_args!("Redis holds older versions of {count} items; writing them again"));
            self.write_again(behind)?;
        }
        Ok(())
    }

    /// Single fields that stayed missing are written again, if the data source vouches for what is held.
    fn write_what_stayed_missing(&mut self) -> Result<(), Failed> {
        let due = |since: &Instant| since.elapsed() >= MISSING_FOR;
        let keys: Vec<ItemKey> =
            self.mirror.missing.iter().filter(|(_, since)| due(since)).map(|(item, _)| item.clone()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        keys.iter().for_each(|item| _ = self.mirror.missing.remove(item));
        if !(self.shared.is_source_valid() && self.mailbox.has_own_set()) {
            // The next comparison notes them again.
            return Ok(());
        }
        let snapshot = self.shared.snapshot.load_full();
        let held: Vec<(ItemKey, Held)> = keys
            .into_iter()
            .filter_map(|item| held_in(&snapshot, &item).filter(Held::is_live).map(|held| (item, held)))
            .collect();
        self.write_again(held)
    }

    fn write_again(&mut self, items: Vec<(ItemKey, Held)>) -> Result<(), Failed> {
        let shared = self.shared;
        self.mailbox
            .outbox
            .add_again(items, |item, held| held_in(&shared.snapshot.load(), item).is_some_and(|now| now.is_same(held)));
        self.send_outbox()?;
        // They are not what was delivered last, and have taken its place.
        self.mirror.latest.clear();
        Ok(())
    }

    /// Runs a pass over everything and plans the next one by what it cost.
    fn timed_full(&mut self, pass: impl FnOnce(&mut Self) -> Result<(), Failed>) -> Result<(), Failed> {
        let began = Instant::now();
        pass(self)?;
        self.note_full(began.elapsed());
        self.shared.health.set_verified_at(monotonic_ms());
        self.succeeded();
        self.plan_next_full();
        Ok(())
    }
}

/// How Redis stands to a held item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// It holds it, or something newer, or lacks what counts as absent.
    Level,
    /// It holds a lower version, or no item.
    Behind,
    /// It lacks a live item.
    Missing,
}

fn stand(held: &Held, text: Option<&[u8]>) -> Stand {
    match text {
        Some(text) if text == held.text() => Stand::Level,
        Some(text) if stamp(text).is_some_and(|stamp| Some(stamp.version) >= held.version()) => Stand::Level,
        Some(_) => Stand::Behind,
        None if held.is_live() => Stand::Missing,
        None => Stand::Level,
    }
}

/// Why the data set counts as lost: memory holds live items of a hash that is gone, or the marker is gone.
fn loss(snapshot: &Snapshot, presence: Presence, wrong_type: Option<&str>) -> Option<String> {
    if let Some(error) = wrong_type {
        return Some(format!("a hash is of a wrong type: {error}"));
    }
    if !presence.inited {
        return Some("$inited is gone".to_owned());
    }
    if !presence.features && snapshot.flags.iter().any(|(_, entry)| entry.live().is_some()) {
        return Some("the features hash is gone".to_owned());
    }
    (!presence.segments && snapshot.segments.iter().any(|(_, entry)| entry.live().is_some()))
        .then(|| "the segments hash is gone".to_owned())
}

/// The texts that Redis holds, by kind and key.
fn index(reply: &FullReply) -> HashMap<(Kind, &[u8]), &[u8]> {
    let flags = reply.features.fields().iter().map(|(key, text)| ((Kind::Flag, key.as_slice()), text.as_slice()));
    let segments = reply.segments.fields().iter().map(|(key, text)| ((Kind::Segment, key.as_slice()), text.as_slice()));
    flags.chain(segments).collect()
}

/// Numbers of flags and segments.
fn sizes(there: &HashMap<(Kind, &[u8]), &[u8]>) -> (u64, u64) {
    let flags = there.keys().filter(|(kind, _)| *kind == Kind::Flag).count();
    (flags as u64, (there.len() - flags) as u64)
}

type Listed<'a> = (Kind, &'a str, &'a [u8]);

fn snapshot_items(snapshot: &Snapshot) -> impl Iterator<Item = Listed<'_>> {
    let flags = snapshot.flags.iter().map(|(key, entry)| (Kind::Flag, &**key, entry.text()));
    let segments = snapshot.segments.iter().map(|(key, entry)| (Kind::Segment, &**key, entry.text()));
    segments.chain(flags)
}

fn listed(items: &[(ItemKey, Held)]) -> impl Iterator<Item = Listed<'_>> {
    items.iter().map(|(item, held)| (item.kind, &*item.key, held.text()))
}

fn entries(snapshot: &Snapshot) -> impl Iterator<Item = (ItemKey, Held)> {
    let item = |kind, key: &Arc<str>| ItemKey { kind, key: key.clone() };
    let flags = snapshot.flags.iter().map(move |(key, entry)| (item(Kind::Flag, key), Held::Flag(entry.clone())));
    let segments =
        snapshot.segments.iter().map(move |(key, entry)| (item(Kind::Segment, key), Held::Segment(entry.clone())));
    flags.chain(segments)
}

fn held_in(snapshot: &Snapshot, item: &ItemKey) -> Option<Held> {
    match item.kind {
        Kind::Flag => snapshot.flags.get(&item.key).cloned().map(Held::Flag),
        Kind::Segment => snapshot.segments.get(&item.key).cloned().map(Held::Segment),
    }
}

/// Whether Redis holds just these items, by key and version, or by text where versions do not tell. Deletion marks count as
/// absent on both sides: a full data set names no deleted items, the hash keeps them.
fn is_equal(reply: &FullReply, items: &[Listed<'_>], versions_tell: bool) -> bool {
    if !reply.presence.inited || reply.wrong_type().is_some() {
        return false;
    }
    let there = index(reply);
    let mut met = 0;
    for (kind, key, text) in items {
        let found = there.get(&(*kind, key.as_bytes())).copied();
        let same = match found {
            Some(found) if found == *text => true,
            Some(found) => stamp(text).is_some_and(|own| {
                // Other writers write other texts for the same deletion.
                (versions_tell || own.deleted) && stamp(found) == Some(own)
            }),
            None => stamp(text).is_some_and(|stamp| stamp.deleted),
        };
        if !same {
            return false;
        }
        met += usize::from(found.is_some());
    }
    if met == there.len() {
        return true;
    }
    let known: std::collections::HashSet<(Kind, &[u8])> =
        items.iter().map(|(kind, key, _)| (*kind, key.as_bytes())).collect();
    let mut extra = there.iter().filter(|(key, _)| !known.contains(*key));
    extra.all(|(_, text)| stamp(text).is_some_and(|stamp| stamp.deleted))
}
