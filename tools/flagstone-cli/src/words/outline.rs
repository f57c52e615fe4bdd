//! What a flag or segment says, from its JSON, in the order in which an evaluation looks at it: conditions in words, what is
//! served as data. The terminal's trees and the viewer's pictures are made of it.

use std::collections::HashSet;

use serde::Serialize;

use super::clause::Clause;
use super::written::{Members, Written};

/// Of a list of keys, so many are shown.
const SHOWN: usize = 8;

/// A flag.
#[derive(Debug, Serialize)]
pub struct FlagOutline {
    /// Its values, as they are written.
    pub variations: Vec<String>,
    /// Prerequisites.
    pub needs: Vec<Need>,
    /// Lists of targets, in the order in which they are tried.
    pub targets: Vec<TargetList>,
    /// Rules.
    pub rules: Vec<Rule>,
    /// What is served to everybody else.
    pub otherwise: Served,
    /// The index of what is served when it is off; none for the caller's default.
    pub off: Option<i64>,
    /// What else it says.
    pub also: Vec<String>,
}

/// A segment.
#[derive(Debug, Serialize)]
pub struct SegmentOutline {
    /// Its members are in a store.
    pub big: Option<Big>,
    /// Who is in it.
    pub included: Vec<Keys>,
    /// Who is not.
    pub excluded: Vec<Keys>,
    /// Who else is.
    pub rules: Vec<SegmentRule>,
}

/// A prerequisite.
#[derive(Debug, Serialize)]
pub struct Need {
    /// The other flag.
    pub key: String,
    /// The index that it must serve.
    pub variation: i64,
}

/// Some of many keys.
#[derive(Debug, Serialize)]
pub struct Keys {
    /// The kind of context.
    pub kind: String,
    /// The first ones.
    pub first: Vec<String>,
    /// How many there are.
    pub count: usize,
}

/// Keys that get a variation.
#[derive(Debug, Serialize)]
pub struct TargetList {
    /// The index.
    pub variation: i64,
    /// The keys.
    #[serde(flatten)]
    pub keys: Keys,
}

/// A rule of a flag.
#[derive(Debug, Serialize)]
pub struct Rule {
    /// Its description.
    pub name: Option<String>,
    /// Its clauses, in words.
    pub clauses: Vec<String>,
    /// What it serves.
    pub serves: Served,
}

/// A rule of a segment.
#[derive(Debug, Serialize)]
pub struct SegmentRule {
    /// Its clauses, in words.
    pub clauses: Vec<String>,
    /// The share of those who pass, if it takes one.
    pub share: Option<f64>,
    /// By what the share is taken.
    pub by: String,
}

/// A segment whose members are in a store.
#[derive(Debug, Serialize)]
pub struct Big {
    /// Their kind.
    pub kind: String,
    /// None as long as it is not ready.
    pub generation: Option<i64>,
}

/// What is served.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Served {
    /// One variation.
    Variation {
        /// Its index.
        variation: i64,
    },
    /// Shares of several.
    Shares {
        /// In order.
        shares: Vec<Share>,
        /// By what, such as `user key`.
        by: String,
        /// Whether it is an experiment.
        experiment: bool,
    },
    /// Nothing.
    Nothing {},
}

/// A variation and how many get it.
#[derive(Debug, Serialize)]
pub struct Share {
    /// The index.
    pub variation: i64,
    /// Of one.
    pub share: f64,
    /// Whoever gets it is in no experiment.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untracked: bool,
}

impl FlagOutline {
    /// Of the JSON of a flag.
    pub fn of(json: Written<'_>) -> Self {
        let json = json.members();
        let need = |need: Written<'_>| {
            let need = need.members();
            Need { key: need.get("key").text().unwrap_or_default(), variation: index(&need) }
        };
        Self {
            variations: json.get("variations").items().into_iter().map(|value| value.json().to_owned()).collect(),
            needs: json.get("prerequisites").items().into_iter().map(need).collect(),
            targets: targets(&json),
            rules: json.get("rules").items().into_iter().map(Rule::of).collect(),
            otherwise: Served::of(json.get("fallthrough")),
            off: json.get("offVariation").whole(),
            also: also(&json),
        }
    }
}

impl Rule {
    fn of(json: Written<'_>) -> Self {
        let members = json.members();
        let name = members.get("description").some_text();
        Self { name, clauses: clauses(&members), serves: Served::of(json) }
    }
}

impl Served {
    /// Of the JSON of a rule or of a fallthrough.
    pub fn of(json: Written<'_>) -> Self {
        let json = json.members();
        if let Some(variation) = json.get("variation").whole() {
            return Self::Variation { variation };
        }
        let rollout = json.get("rollout").members();
        let entries: Vec<_> = rollout.get("variations").items().into_iter().map(Written::members).collect();
        if entries.is_empty() {
            return Self::Nothing {};
        }
        let mut to = 0.0;
        let bounds = entries.iter().map(|entry| {
            to += entry.get("weight").number().unwrap_or_default() / 100_000.0;
            to
        });
        let shares = entries.iter().zip(shares(bounds)).map(|(entry, share)| {
            let untracked = entry.get("untracked").is_true();
            Share { variation: index(entry), share, untracked }
        });
        let shares = shares.collect();
        let experiment = rollout.get("kind").text().as_deref() == Some("experiment");
        let attribute = rollout.get("bucketBy").some_text().filter(|_| !experiment);
        let by = by(rollout.get("contextKind").some_text(), attribute);
        Self::Shares { shares, by, experiment }
    }
}

impl SegmentOutline {
    /// Of the JSON of a segment.
    pub fn of(json: Written<'_>) -> Self {
        let json = json.members();
        let big = json.get("unbounded").is_true().then(|| Big {
            kind: json.get("unboundedContextKind").text().unwrap_or_else(|| "user".to_owned()),
            generation: json.get("generation").whole(),
        });
        Self {
            big,
            included: lists(&json, "included", "includedContexts"),
            excluded: lists(&json, "excluded", "excludedContexts"),
            rules: json.get("rules").items().into_iter().map(SegmentRule::of).collect(),
        }
    }
}

impl SegmentRule {
    fn of(json: Written<'_>) -> Self {
        let json = json.members();
        let share = json.get("weight").number().map(|weight| weight / 100_000.0);
        let by = by(json.get("rolloutContextKind").some_text(), json.get("bucketBy").some_text());
        Self { clauses: clauses(&json), share, by }
    }
}

impl Keys {
    fn of(kind: String, keys: Written<'_>) -> Self {
        let keys = keys.items();
        let first = keys.iter().take(SHOWN).filter_map(|key| key.text()).collect();
        Self { kind, first, count: keys.len() }
    }
}

/// What entries with these upper bounds get: nothing is above 1, and the last one gets what is left.
pub fn shares(bounds: impl ExactSizeIterator<Item = f64>) -> Vec<f64> {
    let last = bounds.len().saturating_sub(1);
    let mut from = 0.0;
    let share = |(position, bound): (usize, f64)| {
        let is_last = position == last;
        // A bound may be no number, which is above nothing.
        let to = if is_last {
            1.0
        } else if bound > from {
            bound.min(1.0)
        } else {
            from
        };
        to - std::mem::replace(&mut from, to)
    };
    bounds.enumerate().map(share).collect()
}

fn by(kind: Option<String>, attribute: Option<String>) -> String {
    format!("{} {}", kind.as_deref().unwrap_or("user"), attribute.as_deref().unwrap_or("key"))
}

fn index(json: &Members<'_>) -> i64 {
    json.get("variation").whole().unwrap_or_default()
}

fn kind(json: &Members<'_>) -> String {
    json.get("contextKind").some_text().unwrap_or_else(|| "user".to_owned())
}

fn clauses(json: &Members<'_>) -> Vec<String> {
    json.get("clauses").items().into_iter().map(|clause| Clause::of(clause).words()).collect()
}

/// Where there are lists for contexts only their order counts, and an entry for users without keys stands for the list of users
/// with its variation; lists of users that nothing stands for are not tried.
fn targets(json: &Members<'_>) -> Vec<TargetList> {
    let read = |target: Written<'_>| {
        let target = target.members();
        TargetList { variation: index(&target), keys: Keys::of(kind(&target), target.get("values")) }
    };
    let of = |name| json.get(name).items().into_iter().map(read).collect::<Vec<_>>();
    let (mut users, contexts) = (of("targets"), of("contextTargets"));
    users.iter_mut().for_each(|list| "user".clone_into(&mut list.keys.kind));
    let has_keys = |list: &TargetList| list.keys.count > 0;
    if contexts.is_empty() {
        users.retain(has_keys);
        return users;
    }
    let mut stood_for = HashSet::new();
    let tried = contexts.into_iter().filter_map(|list| {
        if list.keys.kind != "user" || has_keys(&list) {
            return Some(list);
        }
        let at = users.iter().position(|user| user.variation == list.variation)?;
        stood_for.insert(list.variation).then(|| users.remove(at))
    });
    tried.filter(has_keys).collect()
}

fn lists(json: &Members<'_>, users: &str, contexts: &str) -> Vec<Keys> {
    let of_users = Keys::of("user".to_owned(), json.get(users));
    let of_kinds = json.get(contexts).items().into_iter().map(|list| {
        let list = list.members();
        Keys::of(kind(&list), list.get("values"))
    });
    std::iter::once(of_users).chain(of_kinds).filter(|keys| keys.count > 0).collect()
}

fn also(json: &Members<'_>) -> Vec<String> {
    let availability = json.get("clientSideAvailability").members();
    let ratio = json.get("samplingRatio").whole();
    let client = availability.get("usingEnvironmentId").is_true() || json.get("clientSide").is_true();
    let lines = [
        (client, "browsers may see it".to_owned()),
        (availability.get("usingMobileKey").is_true(), "mobile devices may see it".to_owned()),
        (json.get("trackEvents").is_true(), "every evaluation makes a full event".to_owned()),
        (json.get("trackEventsFallthrough").is_true(), "whoever no rule names is in an experiment".to_owned()),
        (json.get("excludeFromSummaries").is_true(), "summaries of events leave it out".to_owned()),
        (ratio.is_some_and(|ratio| ratio != 1), format!("one in {} full events is sent", ratio.unwrap_or(1))),
        (json.get("migration").is_object(), "it controls a migration".to_owned()),
    ];
    lines.into_iter().filter_map(|(is_so, line)| is_so.then_some(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn whatever_the_bounds_are_shares_are_of_one_and_add_up_to_it() {
        let of = |bounds: &[f64]| shares(bounds.iter().copied());
        assert_eq!(of(&[0.25, 0.5, 0.75]), [0.25, 0.25, 0.5]);
        assert_eq!(of(&[f64::INFINITY, f64::NAN, 1.0, 1.0]), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(of(&[f64::NAN, 0.25, f64::NEG_INFINITY, 0.0]), [0.0, 0.25, 0.0, 0.75]);
        assert_eq!(of(&[]), [0.0; 0]);
    }
}
