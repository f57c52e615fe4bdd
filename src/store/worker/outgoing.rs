//! What a data source delivered, on its way to Redis. Reads never wait for writes: what the server refuses stays in the outbox
//! and is tried again after a pause of its own. May depend on `memory`, `inbox`, `redis` and `truth`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::agenda::Unwritten;
use super::{Failed, Worker};
use crate::model::{ItemKey, Kind};
use crate::store::inbox::outbox::{Put, Work};
use crate::store::memory::cache::Held;
use crate::store::redis::class::Class;
use crate::store::redis::reader::BATCH;
use crate::store::redis::writer::{Upsert, Upsertion};
use crate::store::status::Level;
use crate::store::truth::comparison::{Listed, fingerprint, is_equal, is_older, listed, snapshot_items};

/// How long a full write waits for another process that is writing everything.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// How often a full write is tried before others are no longer minded that write meanwhile.
const ATTEMPTS: usize = 5;
/// How long writing keeps the store thread from all else.
const SHARE: Duration = Duration::from_millis(50);
/// How long to wait, at least and at most, before a lock that another process holds is tried again.
const LOCK_PAUSE: (f64, f64) = (0.05, 0.2);

impl Worker<'_> {
    /// Writes what the data source delivered where Redis is the truth.
    pub(super) fn send_through(&mut self) {
        if self.exchange.writes() && !self.shared.options.memory_leads() {
            self.send_outbox();
        }
    }

    /// What was delivered just before the end is written, if Redis is there: nobody will deliver it again here.
    pub(super) fn send_the_rest(&mut self) {
        let has_delivered = !self.shared.options.memory_leads() || self.shared.has_delivered();
        if has_delivered && self.condition.is_well() {
            self.send_outbox_for(Duration::MAX);
        }
    }

    /// Writes what waits, if it is time; the rest of it in the next pass, where much is delivered all the time.
    pub(super) fn send_outbox(&mut self) {
        self.send_outbox_for(SHARE);
    }

    fn send_outbox_for(&mut self, longest: Duration) {
        if !self.exchange.writes() || Instant::now() < self.agenda.outbox_at() || self.mailbox.outbox.is_empty() {
            return;
        }
        match self.try_send_outbox(longest) {
            Ok(is_done) => {
                self.condition.wrote();
                self.agenda.wrote();
                if !is_done {
                    self.agenda.found_no_hash();
                }
            }
            Err(error) => self.write_failed(&error),
        }
    }

    /// A write was refused, or failed.
    pub(super) fn write_failed(&mut self, error: &Failed) {
        self.note_login(error);
        let is_away = matches!(error.class(), Class::Later | Class::Login);
        self.condition.write_failed(self.shared, self.listener, &error.told(self.exchange.is_of_cluster()), is_away);
        self.agenda.write_failed(match error.class() {
            Class::Elsewhere => Unwritten::Elsewhere,
            _ if is_away => Unwritten::Away,
            _ => Unwritten::Refused,
        });
        self.condition.wrong_data = error.class() == Class::Data;
        match error.class() {
            // The name may lead to another server by now.
            Class::Elsewhere => {
                self.exchange.start_over();
                self.mailbox.link.want_renewal();
            }
            // Others may have written meanwhile: what waits here is not what counts where Redis is the truth.
            Class::Later | Class::Login => self.start_source_over(),
            Class::Refused | Class::Full | Class::Data => {}
        }
        self.mirror.note_write_failure();
    }

    /// Where Redis is the truth and missed something, the data source delivers everything again once Redis is back. Until then
    /// what waits here is shown, if versions tell whether Redis has something newer.
    pub(super) fn start_source_over(&mut self) {
        if self.exchange.writes() && !self.shared.options.memory_leads() {
            if !self.shared.options.versions_tell() {
                self.mailbox.outbox.clear();
            }
            self.note_cached();
            self.agenda.want_fresh();
        }
    }

    /// Writes what waits, for so long at most; false when the hash that it belongs to is gone.
    fn try_send_outbox(&mut self, longest: Duration) -> Result<bool, Failed> {
        let (began, mut count) = (Instant::now(), 0);
        while let Some(work) = self.mailbox.outbox.next(BATCH) {
            match work {
                Work::Put(_) => {
                    self.write_all()?;
                    self.mirror.forget_latest();
                    self.note_cached();
                }
                Work::Items(items) => {
                    count += items.len();
                    if !self.write_items(&items, count)? {
                        return Ok(false);
                    }
                }
            }
            self.shared.set_ready();
            if began.elapsed() >= longest {
                break;
            }
        }
        Ok(true)
    }

    /// What a full data set has put into the bounded cache is read again when its time has come.
    pub(super) fn note_cached(&mut self) {
        if let Some(cache) = self.shared.cache.as_ref().filter(|_| self.due.goes_by_age()) {
            cache.keys().into_iter().for_each(|(item, _)| self.due.read_now(item));
        }
    }

    /// Writes items; false when the hash that they belong to is gone, and they wait on.
    fn write_items(&mut self, items: &[(ItemKey, Held)], so_far: usize) -> Result<bool, Failed> {
        let expected = [self.expects_others(Kind::Flag), self.expects_others(Kind::Segment)];
        let list: Vec<Upsertion<'_>> = items
            .iter()
            .map(|(item, held)| Upsertion {
                kind: item.kind,
                key: &item.key,
                version: held.version().unwrap_or(0),
                text: held.text(),
                must_exist: expected[usize::from(item.kind == Kind::Segment)],
            })
            .collect();
        let Some(outcomes) = self.exchange.write(|writer| writer.upsert(&list))? else { return Ok(true) };
        let (mut refused, mut is_gone) = (Vec::new(), false);
        for ((item, held), outcome) in items.iter().zip(outcomes) {
            if outcome == Upsert::Gone {
                is_gone = true;
                continue;
            }
            if let Upsert::Rejected(why) = &outcome {
                self.listener.log(Level::Error, format_args!("Redis does not take {:?}: {why}", item.key));
            }
            self.mailbox.outbox.item_done(item, held);
            if outcome == Upsert::Applied {
                self.note_written(item, held);
            }
            self.mirror.note_delivered(item, so_far);
            if self.shared.cache.as_ref().is_some_and(|cache| cache.peek(item).is_some()) {
                self.due.read_now(item.clone());
            }
            if outcome == Upsert::Refused {
                refused.push(item.clone());
            }
        }
        if is_gone {
            self.hash_is_gone();
        }
        // Where Redis is the truth, what it refused was shown too early: what it has instead is read.
        if !refused.is_empty() && !self.shared.options.memory_leads() {
            self.refetch_items(&refused)?;
        }
        Ok(!is_gone)
    }

    /// Whether a hash of this kind holds other items, as far as is known: one that is gone was lost then.
    fn expects_others(&self, kind: Kind) -> bool {
        if self.shared.options.memory_leads() {
            let snapshot = self.shared.snapshot.load();
            let count = if kind == Kind::Flag { snapshot.flags.len() } else { snapshot.segments.len() };
            return count > 1;
        }
        self.accepted.get(usize::from(kind == Kind::Segment)).is_some_and(|count| *count > 0)
    }

    /// A single item found no hash to be written into.
    fn hash_is_gone(&mut self) {
        if self.shared.options.memory_leads() {
            self.mirror.look_now();
        } else {
            self.start_source_over();
        }
    }

    /// Writes the full data set that waits, unless Redis holds just that: a hundred processes that start must not write it a
    /// hundred times.
    fn write_all(&mut self) -> Result<(), Failed> {
        let owned = self.wait_for_lock()?;
        let outcome = self.unless_outrun(|worker| {
            // While the lock was waited for, a newer one may have come.
            let waiting = worker.mailbox.outbox.whole();
            waiting.map_or(Ok(true), |(put, after)| worker.write_all_locked(&put, &after))
        });
        if owned {
            self.unlock();
        }
        outcome
    }

    /// Looks at the data set and writes what follows from that, again when others write in between: `write` says no then.
    pub(super) fn unless_outrun(
        &mut self,
        mut write: impl FnMut(&mut Self) -> Result<bool, Failed>,
    ) -> Result<(), Failed> {
        for _ in 0..ATTEMPTS {
            self.exchange.write(|writer| writer.watch())?;
            if write(self)? {
                self.exchange.write(|writer| writer.unwatch())?;
                return Ok(());
            }
        }
        // Others write all the time. Single items are compared by version afterwards.
        write(self).map(drop)
    }

    /// Gives the lock back. An error leaves it to expire: the one that counts is that of the write.
    pub(super) fn unlock(&mut self) {
        let _ = self.exchange.write(|writer| writer.unlock());
    }

    /// How long to wait for a lock that another process holds.
    pub(super) fn lock_pause(&mut self) -> Duration {
        Duration::from_secs_f64(self.healing.jitter.between(LOCK_PAUSE.0, LOCK_PAUSE.1))
    }

    /// False when others wrote meanwhile.
    fn write_all_locked(&mut self, put: &Arc<Put>, after: &[(ItemKey, Held)]) -> Result<bool, Failed> {
        let expected = match &**put {
            Put::Memory => self.held_count(),
            Put::Items(items) => items.len(),
        };
        let reply = self.exchange.read(|reader| reader.everything(expected))?;
        let snapshot = self.shared.snapshot.load_full();
        let items: Vec<Listed<'_>> = match &**put {
            Put::Memory => snapshot_items(&snapshot).collect(),
            Put::Items(items) => listed(items, after).collect(),
        };
        let (count, versions_tell) = (items.len(), self.shared.options.versions_tell());
        if is_equal(&reply, &items, versions_tell) {
            self.listener.log(Level::Debug, format_args!("Redis holds the {count} items of the full data set already"));
        } else if versions_tell
            && is_older(&reply, &items)
            && self.yields_to([reply.fingerprint(), fingerprint(&items)])
        {
            self.listener.log(
                Level::Info,
                format_args!("Redis holds a newer full data set than was delivered: the data source is asked again"),
            );
            self.agenda.want_fresh();
            self.mailbox.outbox.put_done(put);
            return Ok(true);
        } else {
            if self.exchange.write(|writer| writer.init(items.iter().copied()))? == Some(false) {
                return Ok(false);
            }
            self.listener.log(Level::Info, format_args!("wrote the full data set to Redis: {count} items"));
        }
        self.yielded = None;
        self.mailbox.outbox.put_done(put);
        after.iter().for_each(|(item, held)| self.mailbox.outbox.item_done(item, held));
        self.agenda.got_fresh();
        self.note_all_written();
        let of_flags = items.iter().filter(|(kind, ..)| *kind == Kind::Flag).count();
        self.accepted = [of_flags, count - of_flags];
        self.note_whole();
        Ok(true)
    }

    /// Whether a full data set gives way to what Redis holds in higher versions. What was delivered may have been on its way
    /// while another process got and wrote what is newer, so the data source is asked again. If its word is the same and
    /// nobody has written meanwhile, versions have started over. Another old word is one more that was on its way.
    fn yields_to(&mut self, words: [u64; 2]) -> bool {
        self.yielded.replace(words) != Some(words)
    }

    /// Waits for the lock; false when another process holds it for too long: the last full write counts in any case.
    fn wait_for_lock(&mut self) -> Result<bool, Failed> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            if self.exchange.write(|writer| writer.lock())? != Some(false) {
                return Ok(true);
            }
            self.serve_requests()?;
            let pause = self.lock_pause();
            if Instant::now() >= deadline || self.mailbox.sleep(pause) {
                return Ok(false);
            }
        }
    }
}
