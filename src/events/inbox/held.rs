//! Which flags the events that wait keep in memory. One flag of a key is there anyway; another one of the same key, which was
//! read anew or replaced, may be there for its events alone.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::quality::RandomState;

use crate::model::Tally;

/// The tally of the latest event of each key.
#[derive(Debug, Default)]
pub(super) struct Held(HashMap<Box<str>, Arc<Tally>, RandomState>);

impl Held {
    /// How many bytes an event of this flag keeps in memory that were not counted, roughly; `None` when it is noted already.
    pub(super) fn weight(&self, tally: &Arc<Tally>) -> Option<usize> {
        match self.0.get(tally.key()) {
            None => Some(0),
            Some(noted) => (!Arc::ptr_eq(noted, tally)).then(|| tally.weight()),
        }
    }

    pub(super) fn note(&mut self, tally: &Arc<Tally>) {
        self.0.insert(Box::from(tally.key()), Arc::clone(tally));
    }
}
