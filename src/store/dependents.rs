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
