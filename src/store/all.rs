//! Residency `all`: turns reads into the next snapshot.
//!
//! Everything here is computed from a reply and the snapshot before it, without I/O, so that each rule has a test of its
//! own. May depend on `model`.

use std::collections::HashSet;
use std::sync::Arc;

use super::entry::{Entry, Item};
use super::judge::{Change, Judge, Verdict};
use super::reader::Field;
use super::snapshot::{Snapshot, Table};
use super::status::{Level, Listener};
use crate::model::Kind;

/// The next snapshot while it is being made.
pub struct Draft {
    /// The snapshot as far as it goes.
    pub snapshot: Snapshot,
    /// What differs from the one before.
    pub changes: Vec<Change>,
    generation: u64,
}

impl Draft {
    /// Starts from the snapshot in force; `generation` is that of the read to be applied.
    pub fn new(current: &Snapshot, generation: u64) -> Self {
        Self { snapshot: current.clone(), changes: Vec::new(), generation }
    }

    /// Applies all fields of a hash. Returns the held keys that were not among them.
    pub fn apply_hash<T: Item>(
        &mut self,
        table: fn(&mut Snapshot) -> &mut Table<T>,
        kind: Kind,
        fields: Vec<Field>,
        judge: &mut Judge,
        listener: &dyn Listener,
    ) -> Vec<Arc<str>> {
        let mut met = vec![false; table(&mut self.snapshot).slots()];
        for (field, text) in fields {
            let Ok(key) = String::from_utf8(field) else {
                judge.unnameable += 1;
                listener.log(Level::Debug, format_args!("a field of the {kind:?} hash has a name that is not UTF-8"));
                continue;
            };
            if let Some(met) = table(&mut self.snapshot).slot(&key).and_then(|slot| met.get_mut(slot)) {
                *met = true;
            }
            self.apply_text(table, kind, &key, text, judge, listener);
        }
        table(&mut self.snapshot).held_among(&met, false)
    }

    /// Applies the text of one item.
    pub fn apply_text<T: Item>(
        &mut self,
        table: fn(&mut Snapshot) -> &mut Table<T>,
        kind: Kind,
        key: &str,
        text: Vec<u8>,
        judge: &mut Judge,
        listener: &dyn Listener,
    ) -> Option<Arc<Entry<T>>> {
        let table = table(&mut self.snapshot);
        let held = table.get(key);
        match judge.judge(kind, key, held, text, listener) {
            Verdict::Keep => {
                if let Some(held) = held {
                    held.mark_verified(self.generation);
                }
                None
            }
            Verdict::Replace(entry) => {
                let old = held.map(|held| held.version());
                entry.mark_verified(self.generation);
                table.insert(key, entry.clone());
                let key = table.key(key).cloned().unwrap_or_else(|| Arc::from(key));
                self.changes.push(Change { kind, key, old, new: Some(entry.version()) });
                Some(entry)
            }
        }
    }

    /// Drops an item that Redis does not have any more.
    pub fn remove<T: Item>(
        &mut self,
        table: fn(&mut Snapshot) -> &mut Table<T>,
        kind: Kind,
        key: &Arc<str>,
        judge: &mut Judge,
    ) {
        judge.forget(kind, key);
        if let Some(removed) = table(&mut self.snapshot).remove(key) {
            self.changes.push(Change { kind, key: key.clone(), old: Some(removed.version()), new: None });
        }
    }

    /// Keys named by changed items that are not held: (flags, segments).
    pub fn missing_references(&self, known_missing: &HashSet<(Kind, Box<str>)>) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let mut flags = Vec::new();
        let mut segments = Vec::new();
        for change in &self.changes {
            match change.kind {
                Kind::Flag => self.references_of(self.snapshot.flags.get(&change.key), &mut flags, &mut segments),
                Kind::Segment => self.references_of(self.snapshot.segments.get(&change.key), &mut flags, &mut segments),
            }
        }
        flags.retain(|key| !known_missing.contains(&(Kind::Flag, Box::from(&**key))));
        segments.retain(|key| !known_missing.contains(&(Kind::Segment, Box::from(&**key))));
        (flags, segments)
    }

    fn references_of<T: Item>(
        &self,
        entry: Option<&Arc<Entry<T>>>,
        flags: &mut Vec<Arc<str>>,
        segments: &mut Vec<Arc<str>>,
    ) {
        let Some(item) = entry.and_then(|entry| entry.live()) else { return };
        item.each_flag(&mut |key| {
            if self.snapshot.flags.get(key).is_none() && !flags.iter().any(|known| &**known == key) {
                flags.push(Arc::from(key));
            }
        });
        item.each_segment(&mut |key| {
            if self.snapshot.segments.get(key).is_none() && !segments.iter().any(|known| &**known == key) {
                segments.push(Arc::from(key));
            }
        });
    }
}

/// What this process evaluated since tick `since`, most recent first, with everything those flags depend on.
pub fn in_use(snapshot: &Snapshot, since: u32) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
    let mut used: Vec<(u32, &Arc<str>)> = snapshot
        .flags
        .iter()
        .filter(|(_, entry)| entry.used() != 0 && entry.used() >= since)
        .map(|(key, entry)| (entry.used(), key))
        .collect();
    used.sort_unstable_by(|a, b| b.0.cmp(&a.0));
    with_dependencies(snapshot, used.into_iter().map(|(_, key)| key.clone()))
}

/// The given flags and everything held that they depend on: (flags, segments), each once.
pub fn with_dependencies(snapshot: &Snapshot, roots: impl Iterator<Item = Arc<str>>) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
    let mut flags: Vec<Arc<str>> = Vec::new();
    let mut segments: Vec<Arc<str>> = Vec::new();
    let mut met_flags: HashSet<Arc<str>> = HashSet::new();
    let mut met_segments: HashSet<Arc<str>> = HashSet::new();
    for root in roots {
        let mut next = vec![root];
        while let Some(key) = next.pop() {
            if !met_flags.insert(key.clone()) {
                continue;
            }
            if let Some(flag) = snapshot.flags.get(&key).and_then(|entry| entry.live()) {
                flag.each_flag(&mut |key| next.push(Arc::from(key)));
                flag.each_segment(&mut |key| add_segment(snapshot, key, &mut met_segments, &mut segments));
            }
            flags.push(key);
        }
    }
    (flags, segments)
}

fn add_segment(snapshot: &Snapshot, key: &str, met: &mut HashSet<Arc<str>>, segments: &mut Vec<Arc<str>>) {
    let mut next: Vec<Arc<str>> = vec![Arc::from(key)];
    while let Some(key) = next.pop() {
        if !met.insert(key.clone()) {
            continue;
        }
        if let Some(segment) = snapshot.segments.get(&key).and_then(|entry| entry.live()) {
            segment.each_segment(&mut |key| next.push(Arc::from(key)));
        }
        segments.push(key);
    }
}
