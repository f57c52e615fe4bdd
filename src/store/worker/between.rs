//! What is told while everything is read in steps. Over a slow link that takes minutes, so what is in use is read between two
//! steps; the signals themselves are answered afterwards, as if they had come then. May depend on `memory` and `redis`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::following::LATELY_TICKS;
use super::following_part::Missing;
use super::{Failed, Worker};
use crate::model::Kind;
use crate::store::inbox::mailbox::Wake;
use crate::store::memory::draft::in_use;
use crate::store::memory::entry::Item;
use crate::store::memory::snapshot::Table;
use crate::store::options::{Freshness, Residency};
use crate::store::reply::{FullReply, HashReply};
use crate::store::signal::Signal;

/// Shortest time from one such read to the next: a read of everything that takes no longer needs none.
const PAUSE: Duration = Duration::from_millis(100);

/// What was read between the steps, which is newer than what the steps found of it.
#[derive(Debug)]
struct Later {
    flags: HashSet<Arc<str>>,
    segments: HashSet<Arc<str>>,
    /// Those of them that were not there.
    missing: Missing,
    is_told: bool,
    /// What was told is read from then on.
    due: Instant,
}

impl Later {
    /// These were read, of which some were not there.
    fn note(&mut self, flags: Vec<Arc<str>>, segments: Vec<Arc<str>>, missing: Missing) {
        flags.iter().for_each(|key| _ = self.missing.remove(&(Kind::Flag, Box::from(&**key))));
        segments.iter().for_each(|key| _ = self.missing.remove(&(Kind::Segment, Box::from(&**key))));
        self.missing.extend(missing);
        self.flags.extend(flags);
        self.segments.extend(segments);
    }
}

impl Worker<'_> {
    /// Everything that Redis holds; `None` when there was no time left to read it.
    pub(super) fn read_whole(&mut self, expected: usize) -> Result<Option<FullReply>, Failed> {
        let (flags, segments, missing) = (HashSet::new(), HashSet::new(), Missing::new());
        let mut later = Later { flags, segments, missing, is_told: false, due: Instant::now() + PAUSE };
        let mut scan = None;
        while !self.mailbox.is_stopped() {
            let reply = self.exchange.read(|reader| reader.everything_in_turns(expected, &mut scan))?;
            if let Some(mut reply) = reply {
                let (held, missing) = (self.shared.snapshot.load(), &later.missing);
                let is_there = |kind| move |key: &str| !missing.contains(&(kind, Box::from(key)));
                put_in_place(&mut reply.features, &later.flags, &held.flags, is_there(Kind::Flag));
                put_in_place(&mut reply.segments, &later.segments, &held.segments, is_there(Kind::Segment));
                return Ok(Some(reply));
            }
            self.read_between(&mut later)?;
        }
        Ok(None)
    }

    fn read_between(&mut self, later: &mut Later) -> Result<(), Failed> {
        later.is_told |= self.hear();
        // Whoever waits for a key that is not held goes first.
        self.serve_requests()?;
        let began = Instant::now();
        if !later.is_told || began < later.due || !self.may_read_between() {
            return Ok(());
        }
        let since = self.shared.tick().saturating_sub(LATELY_TICKS);
        if self.shared.options.residency == Residency::Lazy {
            self.refetch_cache(since)?;
        } else {
            let (flags, segments) = in_use(&self.shared.snapshot.load(), since, |_| false);
            let (_, missing) = self.refetch_parts(&flags, &segments)?;
            later.note(flags, segments, missing);
        }
        // At least half of the time is for everything.
        (later.is_told, later.due) = (false, Instant::now() + began.elapsed().max(PAUSE));
        Ok(())
    }

    /// Takes what has arrived; true when some of it may have changed items.
    fn hear(&mut self) -> bool {
        let mut is_told = false;
        while let Ok(message) = self.wake.try_recv() {
            if matches!(message, Wake::Told(Signal::Flushed)) {
                // What is read before this is answered may lack what a refill has not come to yet.
                self.certain.broken();
            }
            is_told |=
                matches!(message, Wake::Told(Signal::All | Signal::Flushed | Signal::Kind(_) | Signal::Fields(_)));
            self.postponed.push_back(message);
        }
        is_told
    }

    /// Not while it is doubtful what is held: a read of everything decides that.
    fn may_read_between(&self) -> bool {
        let options = &self.shared.options;
        let follows = options.residency != Residency::Off && options.freshness == Freshness::Push;
        let is_sound = self.condition.wiped.is_none() && !self.doubt.is_open();
        follows && is_sound && self.shared.health.is_ready() && !self.shared.memory_leads()
    }
}

/// Of these items a reply says what is held, if it is there.
fn put_in_place<T: Item>(
    reply: &mut HashReply,
    keys: &HashSet<Arc<str>>,
    held: &Table<T>,
    is_there: impl Fn(&str) -> bool,
) {
    let HashReply::Fields(fields) = reply else { return };
    if keys.is_empty() {
        return;
    }
    fields.retain(|(field, _)| !std::str::from_utf8(field).is_ok_and(|key| keys.contains(key)));
    let texts =
        keys.iter().filter(|key| is_there(key)).filter_map(|key| held.get(key).map(|entry| (key, entry.text())));
    fields.extend(texts.map(|(key, text)| (key.as_bytes().to_vec(), text.to_vec())));
}
