//! A flag or segment in words, from its JSON.

use std::collections::HashSet;

use serde_json::Value;

use super::clause::Clause;
use super::serve::{named, percent, served};
use super::{quoted, some};
use crate::output::{Node, Output, count, plain};

/// Of a list of keys, so many are shown.
const SHOWN: usize = 8;

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The targeting of a flag.
pub fn flag(json: &Value, output: &Output) -> Vec<Node> {
    let variations = list(&json["variations"]);
    let mut nodes = Vec::new();
    let mut section = |title: &str, lines: Vec<Node>| {
        if !lines.is_empty() {
            let mut node = Node::note(output.strong(title));
            lines.into_iter().for_each(|line| node.push(line));
            nodes.push(node);
        }
    };
    let all: Vec<_> = (0..variations.len()).map(|index| Node::note(named(index as i64, variations))).collect();
    section("Variations", all);
    section("Needs", list(&json["prerequisites"]).iter().map(prerequisite).collect());
    section("Targets", targets(json, variations));
    section("Rules", rules(json, variations));
    section("Otherwise", vec![Node::note(served(&json["fallthrough"], variations))]);
    let off = json["offVariation"].as_i64();
    section(
        "When off",
        vec![Node::note(off.map_or_else(|| "the caller's default".to_owned(), |off| named(off, variations)))],
    );
    section("Also", also(json));
    nodes
}

fn prerequisite(json: &Value) -> Node {
    let key = json["key"].as_str().unwrap_or_default();
    Node::note(format!(
        "{} to be on and to serve its variation {}",
        quoted(key),
        json["variation"].as_i64().unwrap_or_default()
    ))
}

/// The lists in the order in which they are tried. Where there are lists for contexts only their order counts, and an entry for
/// users without keys stands for the list of users with its variation; lists of users that nothing stands for are not tried.
fn targets(json: &Value, variations: &[Value]) -> Vec<Node> {
    let line = |target: &Value, kind: &str| {
        let keys = list(&target["values"]);
        let shown: Vec<_> = keys.iter().take(SHOWN).filter_map(Value::as_str).map(quoted).collect();
        let serves = named(target["variation"].as_i64().unwrap_or_default(), variations);
        Node::note(format!("{serves} for {} {}", plain(kind), some(&shown, keys.len())))
    };
    let has_keys = |target: &&Value| !list(&target["values"]).is_empty();
    let (users, contexts) = (list(&json["targets"]), list(&json["contextTargets"]));
    if contexts.is_empty() {
        return users.iter().filter(has_keys).map(|target| line(target, "user")).collect();
    }
    let mut stood_for = HashSet::new();
    let tried = contexts.iter().filter_map(|target| {
        let kind = target["contextKind"].as_str().filter(|kind| !kind.is_empty()).unwrap_or("user");
        if kind != "user" || has_keys(&target) {
            return Some((target, kind));
        }
        let variation = target["variation"].as_i64().unwrap_or_default();
        let is_its = |user: &&Value| user["variation"].as_i64().unwrap_or_default() == variation;
        let user = users.iter().find(is_its).filter(|_| stood_for.insert(variation));
        user.map(|user| (user, kind))
    });
    tried.filter(|(target, _)| has_keys(target)).map(|(target, kind)| line(target, kind)).collect()
}

fn rules(json: &Value, variations: &[Value]) -> Vec<Node> {
    let numbered = list(&json["rules"]).iter().enumerate();
    numbered
        .map(|(index, rule)| {
            let name = rule["description"].as_str().filter(|text| !text.is_empty());
            let name = name.map_or_else(String::new, |name| format!(" ({})", plain(name)));
            let mut node = Node::note(format!("{}.{name} {}", index + 1, served(rule, variations)));
            clauses(rule).into_iter().for_each(|clause| node.push(clause));
            node
        })
        .collect()
}

fn clauses(rule: &Value) -> Vec<Node> {
    let clauses = list(&rule["clauses"]);
    if clauses.is_empty() {
        return vec![Node::note("for everybody")];
    }
    let word = |index: usize| if index == 0 { "if" } else { "and" };
    let lines = clauses.iter().enumerate();
    lines.map(|(index, clause)| Node::note(format!("{} {}", word(index), Clause::of(clause).words()))).collect()
}

fn also(json: &Value) -> Vec<Node> {
    let is = |value: &Value| value.as_bool() == Some(true);
    let availability = &json["clientSideAvailability"];
    let mut lines = Vec::new();
    let mut add = |condition: bool, text: String| {
        if condition {
            lines.push(Node::note(text));
        }
    };
    let client = is(&availability["usingEnvironmentId"]) || is(&json["clientSide"]);
    add(client, "browsers may see it".to_owned());
    add(is(&availability["usingMobileKey"]), "mobile devices may see it".to_owned());
    add(is(&json["trackEvents"]), "every evaluation makes a full event".to_owned());
    add(is(&json["trackEventsFallthrough"]), "whoever no rule names is in an experiment".to_owned());
    add(is(&json["excludeFromSummaries"]), "summaries of events leave it out".to_owned());
    let ratio = json["samplingRatio"].as_i64();
    add(ratio.is_some_and(|ratio| ratio != 1), format!("one in {} full events is sent", ratio.unwrap_or(1)));
    add(json["migration"].is_object(), "it controls a migration".to_owned());
    lines
}

/// Who is in a segment.
pub fn segment(json: &Value, output: &Output) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut section = |title: &str, lines: Vec<Node>| {
        if !lines.is_empty() {
            let mut node = Node::note(output.strong(title));
            lines.into_iter().for_each(|line| node.push(line));
            nodes.push(node);
        }
    };
    if json["unbounded"].as_bool() == Some(true) {
        let kind = json["unboundedContextKind"].as_str().unwrap_or("user");
        let generation = json["generation"].as_i64();
        let generation = generation.map_or_else(|| "not ready yet".to_owned(), |number| format!("generation {number}"));
        section(
            "Big segment",
            vec![Node::note(format!("its members, of kind {}, are in a store; {generation}", plain(kind)))],
        );
    }
    section("Included", members(json, "included", "includedContexts"));
    section("Excluded", members(json, "excluded", "excludedContexts"));
    let rules = list(&json["rules"]).iter().enumerate().map(|(index, rule)| {
        let text = |name: &str, usual: &'static str| {
            plain(rule[name].as_str().filter(|text| !text.is_empty()).unwrap_or(usual)).into_owned()
        };
        let share = rule["weight"].as_f64().map_or_else(String::new, |weight| {
            let (kind, by) = (text("rolloutContextKind", "user"), text("bucketBy", "key"));
            format!(": {} of them, by {kind} {by}", percent(weight / 100_000.0))
        });
        let mut node = Node::note(format!("{}. who passes{share}", index + 1));
        clauses(rule).into_iter().for_each(|clause| node.push(clause));
        node
    });
    section("Rules", rules.collect());
    nodes
}

fn members(json: &Value, users: &str, contexts: &str) -> Vec<Node> {
    let line = |kind: &str, keys: &[Value]| {
        let shown: Vec<_> = keys.iter().take(SHOWN).filter_map(Value::as_str).map(quoted).collect();
        let noun = count(keys.len(), "key");
        (!keys.is_empty()).then(|| Node::note(format!("{noun} of kind {}: {}", plain(kind), some(&shown, keys.len()))))
    };
    let of_kinds = list(&json[contexts]);
    let of_kinds = of_kinds
        .iter()
        .map(|members| line(members["contextKind"].as_str().unwrap_or("user"), list(&members["values"])));
    std::iter::once(line("user", list(&json[users]))).chain(of_kinds).flatten().collect()
}
