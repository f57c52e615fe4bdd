//! Parses, piece by piece, what the first read put in force sealed: what does not parse is found without anybody asking for
//! it, and no evaluation has to parse anything from then on. May depend on `memory`.

use std::sync::Arc;

use crate::model::Kind;
use crate::store::memory::entry::{Entry, Item};
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
        self.judge.seal_no_more();
        let mut publisher = self.mailbox.publisher();
        let mut next = (**self.shared.snapshot.load()).clone();
        let mut room = PIECE;
        let flags = open(&mut next.flags, Kind::Flag, &mut room, &mut self.judge, self.listener);
        let segments = open(&mut next.segments, Kind::Segment, &mut room, &mut self.judge, self.listener);
        self.has_sealed = room == 0;
        if !flags.is_empty() || !segments.is_empty() {
            publisher.reopen(self.shared, next);
            self.shared.health.set_malformed(self.judge.malformed());
        }
        // Evaluations went on with what was sealed meanwhile.
        flags.iter().for_each(|(opened, sealed)| opened.inherit_marks(sealed));
        segments.iter().for_each(|(opened, sealed)| opened.inherit_marks(sealed));
        if !self.has_sealed {
            publisher.prepare(&self.shared.snapshot.load());
        }
    }
}

/// An entry that was opened, beside what it was sealed.
type Opened<T> = (Arc<Entry<T>>, Arc<Entry<T>>);

/// Opens what is sealed in a table as long as there is room for its text; none is left when there is more.
fn open<T: Item>(
    table: &mut Table<T>,
    kind: Kind,
    room: &mut usize,
    judge: &mut Judge,
    listener: &dyn Listener,
) -> Vec<Opened<T>> {
    let mut piece = Vec::new();
    for (key, entry) in table.iter().filter(|(_, entry)| entry.is_sealed() && !entry.is_superseded()) {
        if *room == 0 {
            break;
        }
        *room = room.saturating_sub(entry.text().len());
        piece.push((key.clone(), entry.clone()));
    }
    let open = |(key, sealed): (Arc<str>, Arc<Entry<T>>)| {
        let opened = judge.open(kind, &key, &sealed, listener);
        table.insert(&key, opened.clone());
        (opened, sealed)
    };
    piece.into_iter().map(open).collect()
}
