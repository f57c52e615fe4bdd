//! Parses, piece by piece, what the first read put in force sealed: what does not parse is found without anybody asking for
//! it, and no evaluation has to parse anything from then on. May depend on `memory`.

use crate::model::Kind;
use crate::store::memory::entry::Item;
use crate::store::memory::judge::Judge;
use crate::store::memory::snapshot::Table;
use crate::store::status::Listener;

use super::Worker;

/// Bytes that are parsed before the thread looks again whether something else is to be done.
const PIECE: usize = 512 << 10;

impl Worker<'_> {
    /// Whether there may be something to open.
    pub(super) fn may_open(&self) -> bool {
        self.has_sealed && self.shared.answers()
    }

    /// Opens a piece of what is sealed.
    pub(super) fn open_some(&mut self) {
        // From the first read on what comes may replace something.
        self.judge.seals = false;
        let mut publisher = self.mailbox.publisher();
        let mut next = (**self.shared.snapshot.load()).clone();
        let mut room = PIECE;
        open(&mut next.flags, Kind::Flag, &mut room, &mut self.judge, self.listener);
        open(&mut next.segments, Kind::Segment, &mut room, &mut self.judge, self.listener);
        self.has_sealed = room == 0;
        if room < PIECE {
            publisher.reopen(self.shared, next);
            self.shared.health.set_malformed(self.judge.malformed());
        }
        if !self.has_sealed {
            publisher.prepare(&self.shared.snapshot.load());
        }
    }
}

/// Opens what is sealed in a table as long as there is room for its text; none is left when there is more.
fn open<T: Item>(table: &mut Table<T>, kind: Kind, room: &mut usize, judge: &mut Judge, listener: &dyn Listener) {
    let sealed = table.iter().filter(|(_, entry)| entry.is_sealed() && !entry.is_superseded());
    let mut piece = Vec::new();
    for (key, entry) in sealed {
        if *room == 0 {
            break;
        }
        *room = room.saturating_sub(entry.text().len());
        piece.push((key.clone(), entry.clone()));
    }
    for (key, entry) in piece {
        table.insert(&key, judge.open(kind, &key, &entry, listener));
    }
}
