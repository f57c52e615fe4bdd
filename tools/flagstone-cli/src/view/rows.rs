//! What a client holds as rows of a list.

use flagstone::model::{Interner, Kind};
use flagstone::store::{FlagEntry, SegmentEntry, State};

use crate::item::Item;
use crate::row::Row;

/// What is said of an item that has newer content that cannot be read.
const SUPERSEDED: &str = "what was written last cannot be read: what was there before stays in force";

/// A flag; none for a deleted one.
pub fn flag_row(key: &str, entry: &FlagEntry) -> Option<Row> {
    let row = Row::new(key, entry.text().len());
    match entry.state() {
        State::Live(flag) => Some(Row { error: superseded(entry.is_superseded()), ..row.with_flag(flag) }),
        State::Tombstone => None,
        State::Unreadable => Some(Row { error: Some(error(Kind::Flag, key, entry.text())), ..row }),
    }
}

/// The same of a segment.
pub fn segment_row(key: &str, entry: &SegmentEntry) -> Option<Row> {
    let row = Row::new(key, entry.text().len());
    match entry.state() {
        State::Live(segment) => Some(Row { error: superseded(entry.is_superseded()), ..row.with_segment(segment) }),
        State::Tombstone => None,
        State::Unreadable => Some(Row { error: Some(error(Kind::Segment, key, entry.text())), ..row }),
    }
}

fn superseded(is_superseded: bool) -> Option<String> {
    is_superseded.then(|| SUPERSEDED.to_owned())
}

fn error(kind: Kind, key: &str, text: &[u8]) -> String {
    let read = Item::new(kind, key.into(), text.to_vec()).read(&mut Interner::default());
    read.content.err().map(|error| error.to_string()).unwrap_or_default()
}
