//! What a flag or segment depends on, and who depends on it, as nodes and edges.

use std::collections::{HashMap, HashSet, VecDeque};

use flagstone::model::Kind;
use flagstone::store::{FlagEntry, SegmentEntry, Snapshot, State};
use serde::Serialize;

use crate::item::noun;

/// A picture with more nodes is none.
const MOST_NODES: usize = 80;

/// A flag or segment in the picture.
#[derive(Debug, Serialize)]
struct Node {
    kind: &'static str,
    key: String,
    /// How many steps it is away: what it depends on is ahead, those who depend on it are behind.
    step: i32,
    /// Of a flag.
    on: Option<bool>,
    /// None where there is no such item, or none that can be read.
    version: Option<i64>,
}

/// One node refers to another.
#[derive(Debug, Serialize)]
struct Edge {
    from: usize,
    to: usize,
    /// The variation that a prerequisite must serve.
    variation: Option<u32>,
}

/// Nodes, the item itself first, and edges between them.
#[derive(Debug, Default, Serialize)]
pub struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// So many more nodes there are, one step further, than a picture takes.
    left_out: usize,
    #[serde(skip)]
    without: HashSet<(Kind, String)>,
}

/// What an item names: kind, key, and the variation that is wanted.
type Named = (Kind, String, Option<u32>);

impl Graph {
    /// Around an item.
    pub fn around(kind: Kind, key: &str, data: &Snapshot) -> Self {
        let mut graph = Self::default();
        let mut places = HashMap::new();
        graph.place(kind, key, 0, data, &mut places);
        for (user_kind, user) in users(kind, key, data) {
            let Some(from) = graph.place(user_kind, &user, -1, data, &mut places) else { continue };
            let wanted = named(user_kind, &user, data);
            let variation = wanted.into_iter().find(|(of, named, _)| *of == kind && named == key);
            graph.edges.push(Edge { from, to: 0, variation: variation.and_then(|(.., variation)| variation) });
        }
        let mut waiting = VecDeque::from([(kind, key.to_owned(), 0_usize, 0_i32)]);
        while let Some((kind, key, from, step)) = waiting.pop_front() {
            for (kind, key, variation) in named(kind, &key, data) {
                let is_new = !places.contains_key(&(kind, key.clone()));
                let Some(to) = graph.place(kind, &key, step + 1, data, &mut places) else { continue };
                graph.edges.push(Edge { from, to, variation });
                if is_new {
                    waiting.push_back((kind, key, to, step + 1));
                }
            }
        }
        graph
    }

    /// The place of a node, which is added if it is not there yet; none if there are too many.
    fn place(
        &mut self,
        kind: Kind,
        key: &str,
        step: i32,
        data: &Snapshot,
        places: &mut HashMap<(Kind, String), usize>,
    ) -> Option<usize> {
        if let Some(&place) = places.get(&(kind, key.to_owned())) {
            return Some(place);
        }
        if self.nodes.len() >= MOST_NODES {
            self.without.insert((kind, key.to_owned()));
            self.left_out = self.without.len();
            return None;
        }
        let (on, version) = match kind {
            Kind::Flag => {
                let flag = data.flags.get(key).and_then(|entry| entry.live());
                (flag.map(|flag| flag.on), flag.map(|flag| flag.version))
            }
            Kind::Segment => {
                (None, data.segments.get(key).and_then(|entry| entry.live()).map(|segment| segment.version))
            }
        };
        self.nodes.push(Node { kind: noun(kind), key: key.to_owned(), step, on, version });
        places.insert((kind, key.to_owned()), self.nodes.len() - 1);
        Some(self.nodes.len() - 1)
    }
}

fn named(kind: Kind, key: &str, data: &Snapshot) -> Vec<Named> {
    let segment = |key: &str| (Kind::Segment, key.to_owned(), None);
    let mut named: Vec<Named> = match kind {
        Kind::Flag => {
            let Some(flag) = data.flags.get(key).and_then(|entry| entry.live()) else { return Vec::new() };
            let required = flag.prerequisites.iter();
            let flags = required.map(|required| (Kind::Flag, required.key.to_string(), Some(required.variation)));
            flags.chain(flag.segments().map(segment)).collect()
        }
        Kind::Segment => {
            let live = data.segments.get(key).and_then(|entry| entry.live());
            live.map(|live| live.segments().map(segment).collect()).unwrap_or_default()
        }
    };
    named.sort();
    named.dedup();
    named
}

/// The flags and segments that name this one.
pub fn users(kind: Kind, key: &str, data: &Snapshot) -> Vec<(Kind, String)> {
    let flag_names = |(_, entry): &(&_, &FlagEntry)| match (entry.state(), kind) {
        (State::Live(flag), Kind::Flag) => flag.prerequisite_keys().any(|used| used == key),
        (State::Live(flag), Kind::Segment) => flag.segments().any(|used| used == key),
        _ => false,
    };
    let segment_names = |(_, entry): &(&_, &SegmentEntry)| match (entry.state(), kind) {
        (State::Live(segment), Kind::Segment) => segment.segments().any(|used| used == key),
        _ => false,
    };
    let flags = data.flags.iter_sorted().filter(flag_names).map(|(key, _)| (Kind::Flag, key.to_string()));
    let segments = data.segments.iter_sorted().filter(segment_names).map(|(key, _)| (Kind::Segment, key.to_string()));
    flags.chain(segments).collect()
}
