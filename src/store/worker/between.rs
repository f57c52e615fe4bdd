//! What is told while everything is read in steps. Over a slow link that takes minutes, so what is in use is read between two
//! steps; the signals themselves are answered afterwards, as if they had come then. May depend on `memory` and `redis`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::following::LATELY_TICKS;
use super::{Failed, Worker};
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
    is_told: bool,
    /// What was told is read from then on.
    due: Instant,
}

impl Worker<'_> {
    /// Everything that Redis holds.
    pub(super) fn read_whole(&mut self, expected: usize) -> Result<FullReply, Failed> {
        let (flags, segments, due) = (HashSet::new(), HashSet::new(), Instant::now() + PAUSE);
        let (mut scan, mut later) = (None, Later { flags, segments, is_told: false, due });
        loop {
            let reply = self.exchange.read(|reader| reader.everything_in_turns(expected, &mut scan))?;
            if let Some(mut reply) = reply {
                let held = self.shared.snapshot.load();
                put_in_place(&mut reply.features, &later.flags, &held.flags);
                put_in_place(&mut reply.segments, &later.segments, &held.segments);
                return Ok(reply);
            }
            self.read_between(&mut later)?;
        }
    }

    fn read_between(&mut self, later: &mut Later) -> Result<(), Failed> {
        later.is_told |= self.hear();
        let began = Instant::now();
        if !later.is_told || began < later.due || !self.may_read_between() {
            return Ok(());
        }
        let since = self.shared.tick().saturating_sub(LATELY_TICKS);
        let (flags, segments) = in_use(&self.shared.snapshot.load(), since, |_| false);
        self.refetch_parts(&flags, &segments)?;
        later.flags.extend(flags);
        later.segments.extend(segments);
        // At least half of the time is for everything.
        (later.is_told, later.due) = (false, Instant::now() + began.elapsed().max(PAUSE));
        Ok(())
    }

    /// Takes what has arrived; true when some of it may have changed items.
    fn hear(&mut self) -> bool {
        let mut is_told = false;
        while let Ok(message) = self.wake.try_recv() {
            is_told |=
                matches!(message, Wake::Told(Signal::All | Signal::Flushed | Signal::Kind(_) | Signal::Fields(_)));
            self.postponed.push_back(message);
        }
        is_told
    }

    /// Not while it is doubtful what is held: a read of everything decides that.
    fn may_read_between(&self) -> bool {
        let options = &self.shared.options;
        let follows = options.residency == Residency::All && options.freshness == Freshness::Push;
        let is_sound = self.condition.wiped.is_none() && !self.doubt.is_open();
        follows && is_sound && self.shared.health.is_ready() && !self.shared.memory_leads()
    }
}

/// Of these items a reply says what is held.
fn put_in_place<T: Item>(reply: &mut HashReply, keys: &HashSet<Arc<str>>, held: &Table<T>) {
    let HashReply::Fields(fields) = reply else { return };
    if keys.is_empty() {
        return;
    }
    fields.retain(|(field, _)| !std::str::from_utf8(field).is_ok_and(|key| keys.contains(key)));
    let texts = keys.iter().filter_map(|key| held.get(key).map(|entry| (key, entry.text())));
    fields.extend(texts.map(|(key, text)| (key.as_bytes().to_vec(), text.to_vec())));
}
