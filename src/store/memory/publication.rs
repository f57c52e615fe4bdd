//! Puts snapshots in force, one at a time.
//!
//! Three may publish: the store thread what it read, the data source what it delivered, the start what the snapshot file
//! held. Whoever publishes holds the [`Publisher`], so that nothing is computed from a snapshot that is no longer in force
//! and told as a change of it. May depend on `model`.

use std::sync::Arc;

use crate::model::{Interner, Kind};
use crate::store::memory::dependents::Graph;
use crate::store::memory::judge::{Change, tell_remarks};
use crate::store::memory::snapshot::Snapshot;
use crate::store::shared::Shared;
use crate::store::status::Listener;

/// What publishing needs to remember. Belongs to one set of threads, behind their mailbox's lock.
#[derive(Debug, Default)]
pub struct Publisher {
    /// Who depends on whom in the snapshot in force; made when first needed.
    graph: Option<Graph>,
    /// Shares what the texts of a data source have in common.
    pub(in crate::store) interner: Interner,
}

impl Publisher {
    /// Puts `next` in force, which differs from `base` by `changes`; `announce` tells listeners.
    pub fn publish(
        &mut self,
        shared: &Shared,
        listener: &dyn Listener,
        base: &Arc<Snapshot>,
        mut next: Snapshot,
        changes: &[Change],
        announce: bool,
    ) {
        next.flags.compact();
        next.segments.compact();
        if changes.iter().any(|change| is_big_segment(change, &next)) {
            // Before an evaluation can meet it.
            shared.set_holds_big_segments();
        }
        let next = Arc::new(next);
        let before = shared.snapshot.swap(next.clone());
        match &mut self.graph {
            Some(graph) if Arc::ptr_eq(&before, base) => graph.update(changes, base, &next),
            // Nobody asks it yet: it is made when sealed items are opened, or when it is first needed.
            None if !announce => {}
            // The first one, or one that replaces what it was not made from.
            graph => *graph = Some(Graph::new(next.flags.iter(), next.segments.iter())),
        }
        for change in changes {
            remark(change, &next, listener);
        }
        if let (true, Some(graph)) = (announce, &self.graph) {
            let version = |key: &str| next.flags.get(key).map(|entry| entry.version());
            for flag in graph.affected(changes, version) {
                listener.flag_changed(&flag.key, flag.old, flag.new);
            }
        }
    }
}

impl Publisher {
    /// Puts `next` in force, which says what the snapshot in force says: some of it was sealed there.
    pub fn reopen(&mut self, shared: &Shared, next: Snapshot) {
        shared.snapshot.store(Arc::new(next));
    }

    /// Makes what is needed to tell who depends on whom, unless it is there.
    pub fn prepare(&mut self, snapshot: &Snapshot) {
        self.graph.get_or_insert_with(|| Graph::new(snapshot.flags.iter(), snapshot.segments.iter()));
    }
}

/// Whether a change brings a big segment. None is sealed, so nothing is parsed for this question.
fn is_big_segment(change: &Change, next: &Snapshot) -> bool {
    let entry = if change.kind == Kind::Segment { next.segments.get(&change.key) } else { None };
    entry.is_some_and(|entry| !entry.is_sealed() && entry.live().is_some_and(|segment| segment.unbounded.is_some()))
}

/// Tells what is remarkable about a new item, whoever delivered it.
fn remark(change: &Change, next: &Snapshot, listener: &dyn Listener) {
    let key = &change.key;
    match change.kind {
        Kind::Flag => next.flags.get(key).into_iter().for_each(|it| tell_remarks(Kind::Flag, key, it, listener)),
        Kind::Segment => {
            next.segments.get(key).into_iter().for_each(|it| tell_remarks(Kind::Segment, key, it, listener))
        }
    }
}
