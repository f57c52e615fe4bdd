//! A flag or segment as a tree in words.

use super::outline::{FlagOutline, Keys, SegmentOutline};
use super::serve::{named, percent, served};
use super::written::Written;
use super::{quoted, some};
use crate::output::{Node, Output, count, plain};

/// The targeting of a flag, from its JSON.
pub fn flag(json: Written<'_>, output: &Output) -> Vec<Node> {
    let outline = FlagOutline::of(json);
    let FlagOutline { variations, needs, targets, rules, otherwise, off, also } = &outline;
    let mut sections = Sections { output, nodes: Vec::new() };
    sections.add("Variations", (0..).zip(variations).map(|(index, _)| Node::note(named(index, variations))));
    sections.add(
        "Needs",
        needs.iter().map(|need| {
            let (key, variation) = (quoted(&need.key), need.variation);
            Node::note(format!("{key} to be on and to serve its variation {variation}"))
        }),
    );
    sections.add(
        "Targets",
        targets.iter().map(|list| {
            let (serves, kind) = (named(list.variation, variations), plain(&list.keys.kind));
            Node::note(format!("{serves} for {kind} {}", keys(&list.keys)))
        }),
    );
    sections.add(
        "Rules",
        (1..).zip(rules).map(|(number, rule)| {
            let name = rule.name.as_ref().map_or_else(String::new, |name| format!(" ({})", plain(name)));
            with_clauses(format!("{number}.{name} {}", served(&rule.serves, variations)), &rule.clauses)
        }),
    );
    sections.add("Otherwise", [Node::note(served(otherwise, variations))]);
    let off = off.map_or_else(|| "the caller's default".to_owned(), |off| named(off, variations));
    sections.add("When off", [Node::note(off)]);
    sections.add("Also", also.iter().map(Node::note));
    sections.nodes
}

/// Who is in a segment, from its JSON.
pub fn segment(json: Written<'_>, output: &Output) -> Vec<Node> {
    let SegmentOutline { big, included, excluded, rules } = SegmentOutline::of(json);
    let mut sections = Sections { output, nodes: Vec::new() };
    sections.add(
        "Big segment",
        big.map(|big| {
            let generation =
                big.generation.map_or_else(|| "not ready yet".to_owned(), |number| format!("generation {number}"));
            Node::note(format!("its members, of kind {}, are in a store; {generation}", plain(&big.kind)))
        }),
    );
    for (title, lists) in [("Included", included), ("Excluded", excluded)] {
        sections.add(
            title,
            lists.iter().map(|list| {
                let (number, kind) = (count(list.count, "key"), plain(&list.kind));
                Node::note(format!("{number} of kind {kind}: {}", keys(list)))
            }),
        );
    }
    sections.add(
        "Rules",
        (1..).zip(&rules).map(|(number, rule)| {
            let share = rule.share.map(|share| format!(": {} of them, by {}", percent(share), plain(&rule.by)));
            with_clauses(format!("{number}. who passes{}", share.unwrap_or_default()), &rule.clauses)
        }),
    );
    sections.nodes
}

/// Parts under headings; those that are empty are left out.
struct Sections<'a> {
    output: &'a Output,
    nodes: Vec<Node>,
}

impl Sections<'_> {
    fn add(&mut self, title: &str, lines: impl IntoIterator<Item = Node>) {
        let mut lines = lines.into_iter().peekable();
        if lines.peek().is_some() {
            let mut node = Node::note(self.output.strong(title));
            lines.for_each(|line| node.push(line));
            self.nodes.push(node);
        }
    }
}

fn keys(keys: &Keys) -> String {
    let shown: Vec<_> = keys.first.iter().map(|key| quoted(key)).collect();
    some(&shown, keys.count)
}

fn with_clauses(text: String, clauses: &[String]) -> Node {
    let mut node = Node::note(text);
    if clauses.is_empty() {
        node.push(Node::note("for everybody"));
    }
    for (index, clause) in clauses.iter().enumerate() {
        let word = if index == 0 { "if" } else { "and" };
        node.push(Node::note(format!("{word} {clause}")));
    }
    node
}
