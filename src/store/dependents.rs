//! Which flags are affected by a change: the flag itself, and every held flag that depends on the changed item through
//! prerequisites and segments, directly or not. May depend on `model`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::entry::{Entry, Item};
use super::judge::Change;
use crate::model::{Flag, Kind, Segment};

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

type Node<'a> = (Kind, &'a str);

/// The flags affected by `changes`: changed flags first, in their order, then those that depend on something changed.
pub fn affected<'a>(
    changes: &'a [Change],
    flags: impl Iterator<Item = (&'a Arc<str>, &'a Arc<Entry<Flag>>)> + Clone,
    segments: impl Iterator<Item = (&'a Arc<str>, &'a Arc<Entry<Segment>>)>,
) -> Vec<Affected> {
    let mut result: Vec<Affected> = Vec::new();
    let mut seen: HashSet<Node<'a>> = HashSet::new();
    for change in changes {
        seen.insert((change.kind, &change.key));
        if change.kind == Kind::Flag {
            result.push(Affected { key: change.key.clone(), old: change.old, new: change.new });
        }
    }
    let edges = reverse_edges(flags.clone(), segments);
    let versions: HashMap<&str, (&Arc<str>, i64)> =
        flags.map(|(key, entry)| (&**key, (key, entry.version()))).collect();
    let mut queue: Vec<Node<'a>> = changes.iter().map(|change| (change.kind, &*change.key)).collect();
    while let Some((kind, key)) = queue.pop() {
        for &dependent in edges.get(&(kind, Box::from(key))).into_iter().flatten() {
            if seen.insert(dependent) {
                queue.push(dependent);
                if let (Kind::Flag, Some((key, version))) = (dependent.0, versions.get(dependent.1)) {
                    result.push(Affected { key: (*key).clone(), old: Some(*version), new: Some(*version) });
                }
            }
        }
    }
    result
}

type Edges<'a> = HashMap<(Kind, Box<str>), Vec<Node<'a>>>;

/// For each item named by another: who names it.
fn reverse_edges<'a>(
    flags: impl Iterator<Item = (&'a Arc<str>, &'a Arc<Entry<Flag>>)>,
    segments: impl Iterator<Item = (&'a Arc<str>, &'a Arc<Entry<Segment>>)>,
) -> Edges<'a> {
    let mut edges = Edges::new();
    for (key, entry) in flags {
        add_edges(&mut edges, (Kind::Flag, key), entry);
    }
    for (key, entry) in segments {
        add_edges(&mut edges, (Kind::Segment, key), entry);
    }
    edges
}

fn add_edges<'a, T: Item>(edges: &mut Edges<'a>, from: Node<'a>, entry: &Entry<T>) {
    let Some(item) = entry.live() else { return };
    item.each_flag(&mut |key| edges.entry((Kind::Flag, Box::from(key))).or_default().push(from));
    item.each_segment(&mut |key| edges.entry((Kind::Segment, Box::from(key))).or_default().push(from));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Interner;
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
        let found = affected(&changes, flags.iter().map(|(k, e)| (k, e)), segments.iter().map(|(k, e)| (k, e)));
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
        let found = affected(&changes, flags.iter().map(|(k, e)| (k, e)), std::iter::empty());
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn flags_that_depended_on_a_removed_one_are_affected() {
        let flags = [held("a", flag("a", 1, &["gone"], &[]))];
        let changes = [Change { kind: Kind::Flag, key: Arc::from("gone"), old: Some(1), new: None }];
        let found = affected(&changes, flags.iter().map(|(k, e)| (k, e)), std::iter::empty());
        assert_eq!(found.iter().map(|affected| &*affected.key).collect::<Vec<_>>(), ["gone", "a"]);
    }
}
