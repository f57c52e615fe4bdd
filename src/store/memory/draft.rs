//! Residency `all`: turns reads into the next snapshot.
//!
//! Everything here is computed from a reply and the snapshot before it, without I/O, so that each rule has a test of its
//! own. May depend on `model`.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use crate::model::Kind;
use crate::store::memory::entry::{Entry, Item};
use crate::store::memory::judge::{Change, Judge, Verdict};
use crate::store::memory::snapshot::{Snapshot, Table};
use crate::store::reply::Field;
use crate::store::status::{Level, Listener};

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

    /// Keeps an item in force that Redis has lost: reading it again would find nothing else.
    pub fn keep<T: Item>(&mut self, table: fn(&mut Snapshot) -> &mut Table<T>, key: &str) {
        if let Some(entry) = table(&mut self.snapshot).get(key) {
            entry.mark_verified(self.generation);
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

/// What this process evaluated since tick `since` and is not verified, most recent first, with everything those flags
/// depend on. `verified` tells whether a read at that generation still counts.
pub fn in_use(snapshot: &Snapshot, since: u32, verified: impl Fn(u64) -> bool) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
    let mut used: Vec<(u32, &Arc<str>)> = snapshot
        .flags
        .iter()
        .filter(|(_, entry)| entry.used() != 0 && entry.used() >= since && !verified(entry.verified()))
        .map(|(key, entry)| (entry.used(), key))
        .collect();
    used.sort_unstable_by_key(|(tick, _)| Reverse(*tick));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Recorder, field, flag, segment};

    struct Bench {
        snapshot: Snapshot,
        judge: Judge,
        recorder: Recorder,
        generation: u64,
    }

    impl Bench {
        fn new() -> Self {
            let (snapshot, judge) = (Snapshot::default(), Judge::default());
            Self { snapshot, judge, recorder: Recorder::default(), generation: 0 }
        }

        /// Applies a full read of the flags hash as the store thread does without a wipe.
        fn read_flags(&mut self, fields: Vec<Field>) -> Vec<Change> {
            self.generation += 1;
            let mut draft = Draft::new(&self.snapshot, self.generation);
            let missing = draft.apply_hash(|s| &mut s.flags, Kind::Flag, fields, &mut self.judge, &self.recorder);
            for key in missing {
                draft.remove(|s| &mut s.flags, Kind::Flag, &key, &mut self.judge);
            }
            self.snapshot = draft.snapshot;
            draft.changes
        }
    }

    fn change(key: &str, old: Option<i64>, new: Option<i64>) -> Change {
        Change { kind: Kind::Flag, key: Arc::from(key), old, new }
    }

    #[test]
    fn only_what_differs_is_a_change_and_unchanged_items_are_not_parsed_again() {
        let mut bench = Bench::new();
        bench.read_flags(vec![field("a", flag("a", 1, &[], &[])), field("b", flag("b", 1, &[], &[]))]);
        let before = bench.snapshot.flags.get("a").unwrap().clone();
        let changes = bench.read_flags(vec![field("a", flag("a", 1, &[], &[])), field("b", flag("b", 2, &[], &[]))]);
        assert_eq!(changes, [change("b", Some(1), Some(2))]);
        assert!(Arc::ptr_eq(&before, bench.snapshot.flags.get("a").unwrap()));
    }

    #[test]
    fn a_full_read_drops_what_it_does_not_find_and_takes_lower_versions() {
        let mut bench = Bench::new();
        bench.read_flags(vec![field("a", flag("a", 9, &[], &[])), field("b", flag("b", 9, &[], &[]))]);
        let changes = bench.read_flags(vec![field("a", flag("a", 2, &[], &[])), field("c", flag("c", 1, &[], &[]))]);
        assert_eq!(changes, [change("a", Some(9), Some(2)), change("c", None, Some(1)), change("b", Some(9), None)]);
        assert!(bench.snapshot.flags.get("b").is_none());
    }

    #[test]
    fn bad_content_leaves_the_good_version_in_force_and_is_reported_once_per_content() {
        let mut bench = Bench::new();
        bench.read_flags(vec![field("a", flag("a", 1, &[], &[])), field("b", flag("b", 1, &[], &[]))]);
        for _ in 0..3 {
            bench.read_flags(vec![field("a", b"{oops".to_vec()), field("b", flag("b", 2, &[], &[]))]);
        }
        let held = bench.snapshot.flags.get("a").unwrap().clone();
        assert!(held.live().is_some() && held.is_superseded());
        assert_eq!(bench.snapshot.flags.get("b").unwrap().version(), 2);
        assert_eq!((bench.recorder.count("does not parse"), bench.judge.malformed()), (1, 1));

        bench.read_flags(vec![field("a", b"{oops again".to_vec()), field("b", flag("b", 2, &[], &[]))]);
        assert_eq!(bench.recorder.count("does not parse"), 2);

        let changes = bench.read_flags(vec![field("a", flag("a", 1, &[], &[])), field("b", flag("b", 2, &[], &[]))]);
        assert!(changes.is_empty() && !held.is_superseded());
        assert_eq!(bench.judge.malformed(), 0);
    }

    #[test]
    fn bad_content_without_a_good_version_is_held_as_unreadable() {
        let mut bench = Bench::new();
        bench.read_flags(vec![field("a", b"[1,2".to_vec()), field("b", flag("b", 1, &[], &[]))]);
        assert!(matches!(bench.snapshot.flags.get("a").unwrap().state(), crate::store::State::Unreadable));
        assert!(bench.snapshot.flags.get("b").unwrap().live().is_some());
        bench.read_flags(vec![field("b", flag("b", 1, &[], &[]))]);
        assert_eq!(bench.judge.malformed(), 0);
    }

    #[test]
    fn field_names_that_are_not_utf8_are_left_out() {
        let mut bench = Bench::new();
        bench.read_flags(vec![(vec![0xff, 0xfe], flag("x", 1, &[], &[])), field("b", flag("b", 1, &[], &[]))]);
        assert_eq!((bench.snapshot.flags.len(), bench.judge.malformed()), (1, 1));
    }

    #[test]
    fn a_changed_item_asks_for_what_it_names_and_is_not_held() {
        let mut bench = Bench::new();
        bench.read_flags(vec![field("held", flag("held", 1, &[], &[]))]);
        let mut draft = Draft::new(&bench.snapshot, 2);
        let text = flag("a", 1, &["held", "new"], &["s"]);
        draft.apply_text(|s| &mut s.flags, Kind::Flag, "a", text, &mut bench.judge, &bench.recorder);
        let (flags, segments) = draft.missing_references(&HashSet::new());
        assert_eq!((flags, segments), (vec![Arc::from("new")], vec![Arc::from("s")]));
        let known = HashSet::from([(Kind::Flag, Box::from("new")), (Kind::Segment, Box::from("s"))]);
        assert_eq!(draft.missing_references(&known), (vec![], vec![]));
    }

    #[test]
    fn what_is_in_use_comes_most_recent_first_with_everything_it_depends_on() {
        let mut bench = Bench::new();
        bench.read_flags(vec![
            field("old", flag("old", 1, &[], &[])),
            field("new", flag("new", 1, &["p"], &["s"])),
            field("p", flag("p", 1, &[], &[])),
            field("idle", flag("idle", 1, &[], &[])),
        ]);
        let mut draft = Draft::new(&bench.snapshot, 2);
        let inner = segment("s", 1, &["t"]);
        draft.apply_text(|s| &mut s.segments, Kind::Segment, "s", inner, &mut bench.judge, &bench.recorder);
        let snapshot = draft.snapshot;
        snapshot.flags.get("old").unwrap().mark_used(4);
        snapshot.flags.get("new").unwrap().mark_used(7);
        let (flags, segments) = in_use(&snapshot, 4, |_| false);
        assert_eq!(flags, ["new", "p", "old"].map(Arc::from));
        assert_eq!(segments, ["s", "t"].map(Arc::from));
        assert_eq!(in_use(&snapshot, 5, |_| false).0, ["new", "p"].map(Arc::from));
        assert!(in_use(&snapshot, 4, |_| true).0.is_empty());
    }

    #[test]
    fn a_replaced_item_keeps_its_use_mark() {
        let mut bench = Bench::new();
        bench.read_flags(vec![field("a", flag("a", 1, &[], &[]))]);
        bench.snapshot.flags.get("a").unwrap().mark_used(7);
        bench.read_flags(vec![field("a", flag("a", 2, &[], &[]))]);
        assert_eq!(bench.snapshot.flags.get("a").unwrap().used(), 7);
    }
}
