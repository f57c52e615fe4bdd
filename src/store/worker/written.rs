//! What was written last where Redis leads. Another server that answers by now may lack it, for what a failover, a restart or a
//! name that leads elsewhere takes back is the end of what was acknowledged: who has the last of it has everything. Who has not
//! gets it again from the data source. May depend on `memory`, `redis` and `truth`.

use super::{Failed, Worker};
use crate::model::{ItemKey, Kind};
use crate::store::memory::cache::Held;
use crate::store::truth::comparison::{Stand, stand};

/// The last of what was written to a hash.
#[derive(Debug, Clone, Default)]
enum Last {
    /// Nothing was written by this process.
    #[default]
    Nothing,
    /// A full data set, of which no part stands for the rest.
    All,
    /// An item.
    Item(ItemKey, Held),
}

/// What was written last.
#[derive(Debug, Default)]
pub struct Written {
    /// Where both hashes are on one server, the one thing that was written last; otherwise that of flags and that of segments.
    last: [Last; 2],
    /// Another server answers; whether servers tell who they are.
    others: Option<bool>,
}

impl Worker<'_> {
    /// A full data set was written, or is there: whatever was lost is there again.
    pub(super) fn note_all_written(&mut self) {
        self.written.last = [Last::All, Last::All];
        if !self.exchange.is_apart() {
            self.exchange.take_others();
            self.written.others = None;
        }
    }

    /// An item was written.
    pub(super) fn note_written(&mut self, item: &ItemKey, held: &Held) {
        self.written.others = self.exchange.take_others().or(self.written.others);
        // Where another server took it, it says nothing of what the one before took.
        if self.written.others.is_some() {
            return;
        }
        let last = Last::Item(item.clone(), held.clone());
        match (self.exchange.is_spread(), item.kind) {
            (false, _) => self.written.last = [last, Last::Nothing],
            (true, Kind::Flag) => self.written.last[0] = last,
            (true, Kind::Segment) => self.written.last[1] = last,
        }
    }

    /// Finds out whether the server that answers by now has what was written, if it is another one.
    pub(super) fn look_for_lost_writes(&mut self) -> Result<(), Failed> {
        if !self.exchange.writes() || self.shared.options.memory_leads() {
            return Ok(());
        }
        self.written.others = self.exchange.take_others().or(self.written.others);
        let Some(is_sure) = self.written.others else { return Ok(()) };
        // Both connections are brought to one server first.
        if self.exchange.is_apart() {
            return Ok(());
        }
        if !self.has_what_was_written_last()? {
            self.note_cached();
            self.agenda.want_fresh_again(is_sure);
        }
        self.written.others = None;
        Ok(())
    }

    fn has_what_was_written_last(&mut self) -> Result<bool, Failed> {
        for last in self.written.last.clone() {
            let has_it = match last {
                Last::Nothing => true,
                Last::All => false,
                Last::Item(item, held) => self.shared.options.versions_tell() && self.has(&item, &held)?,
            };
            if !has_it {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn has(&mut self, item: &ItemKey, held: &Held) -> Result<bool, Failed> {
        let keys = |kind| if item.kind == kind { vec![&*item.key] } else { Vec::new() };
        let reply = self.exchange.read(|reader| reader.part(&keys(Kind::Flag), &keys(Kind::Segment)))?;
        let text = reply.flags.into_iter().chain(reply.segments).next().flatten();
        // A mark of a deletion has to be there as well.
        Ok(text.is_some() && stand(held, text.as_deref()) == Stand::Level)
    }
}
