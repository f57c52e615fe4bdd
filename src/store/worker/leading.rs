//! Memory leads (residency `all`, once the data source has delivered): Redis is made to hold what memory holds, and is never
//! read into it.
//!
//! What was delivered is written at once. What others did is found by comparing: a version lower than memory's (an older
//! full write of another process) is written again; a higher one is left, the data source will deliver it here too; a
//! lost data set is rewritten; a single lost field only after a while, because it may be a deletion that this process has not
//! heard of yet.
//!
//! After a push a small data set is compared as a whole. Of a large one only what was delivered last is read, and the
//! numbers of fields: an older full write lacks just that, and a hundred processes need not read everything a hundred times
//! for every patch. The safety poll compares everything. May depend on `memory`, `redis` and `truth`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::told::Named;
use super::{Failed, Worker};
use crate::model::{ItemKey, Kind, stamp};
use crate::store::memory::cache::Held;
use crate::store::memory::judge::Judge;
use crate::store::memory::snapshot::Snapshot;
use crate::store::reply::FullReply;
use crate::store::status::{Level, monotonic_ms};
use crate::store::truth::comparison::{Stand, entries, held_in, index, stand};

/// How long a single field has to be missing before it is written again.
const MISSING_FOR: Duration = Duration::from_secs(10);
/// How many of the items that were delivered last are looked at after a push. The last one would do if everybody got
/// everything in the same order.
const LATEST: usize = 8;
/// A data set below this size is compared as a whole.
const SMALL_SET: usize = 1 << 20;

/// A single field that Redis lacks, or what it holds too much.
#[derive(Debug, Clone, Copy)]
struct Missing {
    since: Instant,
    /// How often the data source had answered by then.
    answers: u64,
}

/// What is known of the difference between memory and Redis.
#[derive(Debug, Default)]
pub struct Mirror {
    missing: HashMap<ItemKey, Missing>,
    /// Since when Redis holds live items that memory does not.
    surplus: Option<Missing>,
    /// The single items delivered last, none twice. Emptied where it is not known which they are: after a full data set, and
    /// after many items at once.
    latest: VecDeque<ItemKey>,
    /// Numbers of fields of both hashes when they were last looked at.
    sizes: [Option<usize>; 2],
    /// Something was not written, or a hash is gone: look at the data set in the next pass.
    look: bool,
}

impl Mirror {
    /// An item was delivered, one of so many at once.
    pub fn note_delivered(&mut self, item: &ItemKey, at_once: usize) {
        self.missing.remove(item);
        if at_once > LATEST {
            // They came in no order.
            self.latest.clear();
            return;
        }
        self.latest.retain(|known| known != item);
        self.latest.push_front(item.clone());
        self.latest.truncate(LATEST);
    }

    /// It is not known what was delivered last.
    pub fn forget_latest(&mut self) {
        self.latest.clear();
    }

    /// Nothing is missing.
    pub fn forget_missing(&mut self) {
        self.missing.clear();
    }

    /// A hash is gone.
    pub fn look_now(&mut self) {
        self.look = true;
    }

    /// Something was not written, and the reason may be the state of the hashes.
    pub fn note_write_failure(&mut self) {
        self.look = true;
    }

    /// Keys to look at. Where there is none, a field that nobody has is asked for: that tells the type of the hash.
    fn latest(&self, kind: Kind) -> Vec<Arc<str>> {
        let keys: Vec<_> = self.latest.iter().filter(|item| item.kind == kind).map(|item| item.key.clone()).collect();
        if keys.is_empty() { vec![Arc::from("")] } else { keys }
    }

    /// Notes how many fields there are; true when there are fewer than before.
    fn has_shrunk(&mut self, sizes: [Option<usize>; 2]) -> bool {
        let before = std::mem::replace(&mut self.sizes, sizes);
        sizes.iter().zip(before).any(|(now, before)| *now < before)
    }

    /// When something is to be looked at again.
    pub fn due(&self) -> Option<Instant> {
        self.missing.values().map(|missing| missing.since + MISSING_FOR).filter(|due| *due > Instant::now()).min()
    }
}

impl Worker<'_> {
    /// Writes what was delivered, then looks whether Redis still holds it.
    pub(super) fn lead(&mut self) -> Result<(), Failed> {
        if self.judge.malformed() != 0 {
            // It judged what was read of Redis before; all of that is replaced.
            self.judge = Judge::default();
        }
        // A doubt about Redis is none about memory.
        self.doubt.settle();
        // Whatever was told, it is not read into memory.
        self.named = Named::default();
        if !self.exchange.writes() {
            return self.only_tell_whether_redis_is_there();
        }
        // Before anything is written over a connection of its own: one that is refused tells as much as two.
        self.knock()?;
        let (generation, armed) = (self.shared.generation(), self.mailbox.link.armed());
        self.follow_watch(armed);
        let rearmed = self.agenda.armed_read != armed;
        let pushed = rearmed || generation != self.agenda.answered;
        self.send_outbox();
        let now = Instant::now();
        if pushed || self.mirror.look || self.healing.due().is_some_and(|at| at <= now) {
            let is_enough = self.look_for_loss()?;
            if rearmed || (pushed && !is_enough) {
                self.agenda.plan_full_after_change(self.held_bytes);
            }
        }
        (self.agenda.answered, self.agenda.armed_read) = (generation, armed);
        self.plan_proof();
        if self.agenda.is_full_due() {
            self.compare_everything()?;
        }
        self.write_what_stayed_missing();
        self.ping_when_idle()
    }

    /// What Redis holds counts no longer; whether it is there is still told.
    fn only_tell_whether_redis_is_there(&mut self) -> Result<(), Failed> {
        self.agenda.full_due = None;
        self.condition.unproven = None;
        if !self.shared.health.is_available() {
            self.exchange.read(|reader| reader.presence())?;
            self.shared.set_ready();
        }
        self.ping_when_idle()
    }

    /// Looks whether the data set is still there. True when everything need not be compared: a large data set holds what was
    /// delivered last, or a lost one is rewritten.
    fn look_for_loss(&mut self) -> Result<bool, Failed> {
        self.mirror.look = false;
        let (flags, segments) = (self.mirror.latest(Kind::Flag), self.mirror.latest(Kind::Segment));
        let reply = self.exchange.read(|reader| reader.part(&flags, &segments))?;
        self.shared.set_ready();
        if self.heal_if_lost(reply.presence, reply.sizes, reply.wrong_type.as_deref())? {
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
        Ok(holds_latest && self.held_bytes >= SMALL_SET && !self.mirror.has_shrunk(reply.sizes))
    }

    /// Compares everything: what Redis holds in a lower version is written again, what it lacks is noted.
    fn compare_everything(&mut self) -> Result<(), Failed> {
        let began = Instant::now();
        if self.agenda.is_only_a_look() {
            self.look_at_standing()?;
        }
        let before = self.shared.snapshot.load_full();
        let Some(reply) = self.read_beside_writes()? else { return Ok(()) };
        self.shared.set_ready();
        let (sizes, mut again) = (reply.sizes().map(Some), None);
        if !self.heal_if_lost(reply.presence, sizes, reply.wrong_type())? {
            self.held_bytes = reply.bytes();
            let snapshot = self.shared.snapshot.load_full();
            let there = index(&reply);
            self.mirror.sizes = sizes;
            let mut behind = Vec::new();
            let mut missing = HashMap::new();
            for (item, held) in entries(&snapshot) {
                if !held_in(&before, &item).is_some_and(|before| before.is_same(&held)) {
                    // It was delivered while this was read, and is written by itself.
                    continue;
                }
                match stand(&held, there.get(&(item.kind, item.key.as_bytes())).copied()) {
                    Stand::Level => {}
                    Stand::Behind => behind.push((item, held)),
                    Stand::Missing => {
                        let now = Missing { since: Instant::now(), answers: self.shared.answers_of_source() };
                        let noted = self.mirror.missing.get(&item).copied().unwrap_or(now);
                        missing.insert(item, noted);
                    }
                }
            }
            self.mirror.missing = missing;
            again = self.note_surplus(has_surplus(&snapshot, &there));
            self.write_again_what_is_behind(behind);
        }
        self.agenda.note_full(began.elapsed());
        self.shared.health.set_verified_at(monotonic_ms());
        self.prove();
        self.plan_next_full();
        again.into_iter().for_each(|at| self.agenda.plan_full_by(at));
        Ok(())
    }

    /// Everything that Redis holds, and between the steps what was delivered meanwhile is written: over a slow link everything takes
    /// minutes. `None` when there was no time left to read it.
    fn read_beside_writes(&mut self) -> Result<Option<FullReply>, Failed> {
        let (expected, mut scan) = (self.held_count(), None);
        while !self.mailbox.is_stopped() {
            let reply = self.exchange.read(|reader| reader.everything_in_turns(expected, &mut scan))?;
            if reply.is_some() {
                return Ok(reply);
            }
            self.send_outbox();
        }
        Ok(None)
    }

    /// What stays in Redis that nobody holds here has come back with an old state of it, or is new and was not delivered yet: the
    /// data source decides. Not at once: others may have been told of it before. When to look again, if sooner than otherwise.
    fn note_surplus(&mut self, is_there: bool) -> Option<Instant> {
        if !is_there {
            self.mirror.surplus = None;
            return None;
        }
        let answers = self.shared.answers_of_source();
        let surplus = *self.mirror.surplus.get_or_insert(Missing { since: Instant::now(), answers });
        let at = surplus.since + MISSING_FOR;
        if !self.is_due(&surplus) {
            // A source that polls may not have answered by then.
            return (at > Instant::now()).then_some(at);
        }
        if self.shared.is_source_valid() && self.mailbox.has_own_set() {
            self.mirror.surplus = None;
            self.agenda.want_fresh_again(false);
        }
        None
    }

    /// Whether it has been so for long enough; where the data source polls, it has answered since.
    fn is_due(&self, missing: &Missing) -> bool {
        let polls = self.shared.options.source_polls();
        missing.since.elapsed() >= MISSING_FOR && (!polls || self.shared.answers_of_source() > missing.answers + 1)
    }

    fn write_again_what_is_behind(&mut self, behind: Vec<(ItemKey, Held)>) {
        // What a forked child inherited may be what its parent has still to write: nobody vouches for it here.
        if behind.is_empty() || !self.mailbox.has_own_set() {
            return;
        }
        // While it takes no writes, that was told.
        let level = if self.condition.unwritten.is_some() { Level::Debug } else { Level::Info };
        let count = behind.len();
        self.listener.log(level, format_args!("Redis holds older versions of {count} items; writing them again"));
        self.write_again(behind);
    }

    /// Single fields that stayed missing are written again, if the data source vouches for what is held: if it polls, by an
    /// answer of its own since.
    fn write_what_stayed_missing(&mut self) {
        let due = self.mirror.missing.iter().filter(|(_, missing)| self.is_due(missing));
        let keys: Vec<ItemKey> = due.map(|(item, _)| item.clone()).collect();
        if keys.is_empty() {
            return;
        }
        keys.iter().for_each(|item| _ = self.mirror.missing.remove(item));
        if !(self.shared.is_source_valid() && self.mailbox.has_own_set()) {
            // The next comparison notes them again.
            return;
        }
        let snapshot = self.shared.snapshot.load_full();
        let held: Vec<(ItemKey, Held)> = keys
            .into_iter()
            .filter_map(|item| held_in(&snapshot, &item).filter(Held::is_live).map(|held| (item, held)))
            .collect();
        self.write_again(held);
    }

    fn write_again(&mut self, items: Vec<(ItemKey, Held)>) {
        let shared = self.shared;
        self.mailbox
            .outbox
            .add_again(items, |item, held| held_in(&shared.snapshot.load(), item).is_some_and(|now| now.is_same(held)));
        self.send_outbox();
        // They are not what was delivered last, and have taken its place.
        self.mirror.forget_latest();
    }
}

/// Whether Redis holds a live item that memory does not.
fn has_surplus(snapshot: &Snapshot, there: &HashMap<(Kind, &[u8]), &[u8]>) -> bool {
    let is_held = |(kind, key): (Kind, &[u8])| {
        std::str::from_utf8(key).is_ok_and(|key| match kind {
            Kind::Flag => snapshot.flags.get(key).is_some(),
            Kind::Segment => snapshot.segments.get(key).is_some(),
        })
    };
    there.iter().any(|(at, text)| !is_held(*at) && stamp(text).is_some_and(|stamp| !stamp.deleted))
}
