//! Which flags are affected by a change: the flag itself, and every held flag that depends on the changed item through
//! prerequisites and segments, directly or not.
//!
//! The edges are kept from change to change, so that one changed flag among ten thousand costs what it touches and not a
//! pass over all of them, however many flags name the same segment. May depend on `model`.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::model::{Flag, Kind, Segment};
use crate::store::memory::entry::{Entry, Item};
use crate::store::memory::judge::Change;
use crate::store::memory::snapshot::{Snapshot, Table};

/// A flag to report as changed. Equal versions: something it depends on changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Affected {
    /// Key of the flag.
    pub key: Arc<str>,
    /// Version held before.
    pub old: Option<i64>,
    /// Version held now.
    pub new: Option<i64>,
}

type Node = (Kind, Arc<str>);
type Hasher = foldhash::fast::RandomState;
/// Who names an item. A set: taking one of twenty thousand out must not be a search.
type Nodes = HashSet<Node, Hasher>;
type Edges = HashMap<Arc<str>, Nodes, Hasher>;

/// For each item that another one names: who names it.
#[derive(Debug, Default)]
pub struct Graph {
    of_flags: Edges,
    of_segments: Edges,
}

impl Graph {
    /// The edges between these items.
    pub fn new<'a>(
        flags: impl Iterator<Item = (&'a Arc<str>, &'a Arc<Entry<Flag>>)>,
        segments: impl Iterator<Item = (&'a Arc<str>, &'a Arc<Entry<Segment>>)>,
    ) -> Self {
        let mut graph = Self::default();
        flags.for_each(|(key, entry)| graph.add(Kind::Flag, key, entry));
        segments.for_each(|(key, entry)| graph.add(Kind::Segment, key, entry));
        graph
    }

    /// Brings the edges of changed items up to date.
    pub fn update(&mut self, changes: &[Change], before: &Snapshot, after: &Snapshot) {
        for change in changes {
            match change.kind {
                Kind::Flag => self.replace(change, &before.flags, &after.flags),
                Kind::Segment => self.replace(change, &before.segments, &after.segments),
            }
        }
    }

    /// The flags affected by `changes`: changed flags first, in their order, then those that depend on something changed.
    /// `version` gives key and version of a held flag.
    pub fn affected(&self, changes: &[Change], version: impl Fn(&str) -> Option<i64>) -> Vec<Affected> {
        let mut result: Vec<Affected> = Vec::new();
        let changed: Vec<Node> = changes.iter().map(|change| (change.kind, change.key.clone())).collect();
        let mut seen: HashSet<&Node, Hasher> = HashSet::default();
        for (change, node) in changes.iter().zip(&changed) {
            seen.insert(node);
            if change.kind == Kind::Flag {
                result.push(Affected { key: change.key.clone(), old: change.old, new: change.new });
            }
        }
        let mut queue: Vec<&Node> = changed.iter().collect();
        while let Some((kind, key)) = queue.pop() {
            for dependent in self.dependents_of(*kind, key) {
                if seen.insert(dependent) {
                    queue.push(dependent);
                    if let (Kind::Flag, Some(version)) = (dependent.0, version(&dependent.1)) {
                        result.push(Affected { key: dependent.1.clone(), old: Some(version), new: Some(version) });
                    }
                }
            }
        }
        result
    }

    fn dependents_of(&self, kind: Kind, key: &str) -> impl Iterator<Item = &Node> {
        let edges = match kind {
            Kind::Flag => &self.of_flags,
            Kind::Segment => &self.of_segments,
        };
        edges.get(key).into_iter().flatten()
    }

    fn replace<T: Item>(&mut self, change: &Change, before: &Table<T>, after: &Table<T>) {
        if let Some(entry) = before.get(&change.key) {
            self.remove(change.kind, &change.key, entry);
        }
        if let Some(entry) = after.get(&change.key) {
            self.add(change.kind, &change.key, entry);
        }
    }

    /// Adds the edges from what an item names.
    pub fn add<T: Item>(&mut self, kind: Kind, key: &Arc<str>, entry: &Entry<T>) {
        let Some(item) = entry.live() else { return };
        let node = (kind, key.clone());
        item.each_flag(&mut |named| insert(&mut self.of_flags, named, &node));
        item.each_segment(&mut |named| insert(&mut self.of_segments, named, &node));
    }

    /// Takes the edges away that [`Graph::add`] added for this entry.
    pub fn remove<T: Item>(&mut self, kind: Kind, key: &Arc<str>, entry: &Entry<T>) {
        let Some(item) = entry.live() else { return };
        let node = (kind, key.clone());
        item.each_flag(&mut |named| take(&mut self.of_flags, named, &node));
        item.each_segment(&mut |named| take(&mut self.of_segments, named, &node));
    }
}

fn insert(edges: &mut Edges, named: &str, node: &Node) {
    match edges.get_mut(named) {
        Some(nodes) => _ = nodes.insert(node.clone()),
        None => _ = edges.entry(Arc::from(named)).or_default().insert(node.clone()),
    }
}

fn take(edges: &mut Edges, named: &str, node: &Node) {
    let Some(nodes) = edges.get_mut(named) else { return };
    nodes.remove(node);
    if nodes.is_empty() {
        edges.remove(named);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::model::Interner;

    type Held<T> = (Arc<str>, Arc<Entry<T>>);

    fn affected(changes: &[Change], flags: &[Held<Flag>], segments: &[Held<Segment>]) -> Vec<Affected> {
        let graph = Graph::new(flags.iter().map(|(k, e)| (k, e)), segments.iter().map(|(k, e)| (k, e)));
        graph.affected(changes, |key| flags.iter().find(|(held, _)| &**held == key).map(|(_, e)| e.version()))
    }
    use crate::store::testing::{flag, segment};

    fn held<T: Item>(key: &str, text: Vec<u8>) -> (Arc<str>, Arc<Entry<T>>) {
        (Arc::from(key), Arc::new(Entry::parse(key, text, &mut Interner::default()).0))
    }

    #[test]
    fn dependants_are_found_through_prerequisites_and_nested_segments_once_each() {
        let flags = [
            held("direct", flag("direct", 3, &["changed"], &[])),
            held("second", flag("second", 4, &["direct"], &["outer"])),
            held("through-segment", flag("through-segment", 5, &[], &["outer"])),
            held("apart", flag("apart", 6, &["missing"], &["other"])),
            held("changed", flag("changed", 8, &[], &[])),
        ];
        let segments = [held("outer", segment("outer", 1, &["inner"])), held("inner", segment("inner", 2, &[]))];
        let changes = [
            Change { kind: Kind::Flag, key: Arc::from("changed"), old: Some(7), new: Some(8) },
            Change { kind: Kind::Segment, key: Arc::from("inner"), old: Some(1), new: Some(2) },
        ];
        let found = affected(&changes, &flags, &segments);
        assert_eq!(found[0], Affected { key: Arc::from("changed"), old: Some(7), new: Some(8) });
        let mut rest: Vec<(&str, Option<i64>, Option<i64>)> =
            found[1..].iter().map(|affected| (&*affected.key, affected.old, affected.new)).collect();
        rest.sort_unstable();
        assert_eq!(
            rest,
            [("direct", Some(3), Some(3)), ("second", Some(4), Some(4)), ("through-segment", Some(5), Some(5))]
        );
    }

    #[test]
    fn a_cycle_of_dependencies_ends() {
        let flags = [held("a", flag("a", 1, &["b"], &[])), held("b", flag("b", 1, &["a"], &[]))];
        let changes = [Change { kind: Kind::Flag, key: Arc::from("a"), old: None, new: Some(1) }];
        let found = affected(&changes, &flags, &[]);
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn flags_that_depended_on_a_removed_one_are_affected() {
        let flags = [held("a", flag("a", 1, &["gone"], &[]))];
        let changes = [Change { kind: Kind::Flag, key: Arc::from("gone"), old: Some(1), new: None }];
        let found = affected(&changes, &flags, &[]);
        assert_eq!(found.iter().map(|affected| &*affected.key).collect::<Vec<_>>(), ["gone", "a"]);
    }

    #[test]
    fn edges_follow_the_changes_as_if_they_were_made_anew() {
        let snapshot = |flags: &[(&str, &[&str], &[&str])]| {
            let mut snapshot = Snapshot::default();
            for (key, needs, segments) in flags {
                snapshot.flags.insert(key, held(key, flag(key, 1, needs, segments)).1);
            }
            snapshot
        };
        let change = |key: &str| Change { kind: Kind::Flag, key: Arc::from(key), old: Some(1), new: Some(1) };
        let before = snapshot(&[("a", &["p", "p"], &["s"]), ("b", &["p"], &[]), ("c", &["a"], &["s"])]);
        let after = snapshot(&[("a", &["q"], &[]), ("b", &["p"], &["s"]), ("d", &["a"], &[])]);
        let mut graph = Graph::new(before.flags.iter(), before.segments.iter());
        graph.update(&["a", "b", "c", "d"].map(change), &before, &after);
        let fresh = Graph::new(after.flags.iter(), after.segments.iter());
        let sorted = |edges: &Edges| {
            let nodes = |nodes: &Nodes| nodes.iter().cloned().collect::<std::collections::BTreeSet<_>>();
            edges.iter().map(|(key, named)| (key.clone(), nodes(named))).collect::<std::collections::BTreeMap<_, _>>()
        };
        assert_eq!(sorted(&graph.of_flags), sorted(&fresh.of_flags));
        assert_eq!(sorted(&graph.of_segments), sorted(&fresh.of_segments));
        assert!(!graph.of_flags.is_empty() && !graph.of_segments.is_empty());
    }

    /// How long it takes to replace one of so many flags that name the same segment: the median of many, as a busy machine
    /// interrupts some.
    fn cost_of_a_change(flags: usize) -> Duration {
        let table = |version| {
            let mut snapshot = Snapshot::default();
            for number in 0..flags {
                let key = format!("flag-{number}");
                snapshot.flags.insert(&key, held(&key, flag(&key, version, &[], &["everybody"])).1);
            }
            snapshot
        };
        let (before, after) = (table(1), table(2));
        let mut graph = Graph::new(before.flags.iter(), before.segments.iter());
        let mut costs = Vec::new();
        for (key, _) in before.flags.iter() {
            let change = Change { kind: Kind::Flag, key: key.clone(), old: Some(1), new: Some(2) };
            let began = Instant::now();
            graph.update(&[change], &before, &after);
            costs.push(began.elapsed());
        }
        let change = Change { kind: Kind::Segment, key: Arc::from("everybody"), old: None, new: Some(1) };
        assert_eq!(graph.affected(&[change], |_| Some(2)).len(), flags);
        costs.sort_unstable();
        costs[costs.len() / 2]
    }

    #[test]
    fn replacing_many_flags_that_name_one_segment_costs_what_changed() {
        let (few, many) = (cost_of_a_change(50), cost_of_a_change(5_000));
        // A search through all that name the segment takes forty times as long among many.
        assert!(many < few * 10, "{few:?} among few, {many:?} among many");
    }
}
