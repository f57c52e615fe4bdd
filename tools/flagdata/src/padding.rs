//! Grows a flag to a wanted size with what makes real flags large: more targets and more rules. What is added names
//! nobody and matches nobody, so a padded flag serves what it served before. Depends on `item` and `clauses`.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::clauses::{unmatched_clause, user_key, uuid};
use crate::item::list;

/// Values per target list that is added; a list that is complete is followed by a rule.
const TARGETS_PER_STEP: usize = 12;

/// Appends to `flag` until its JSON is at least `bytes` long. What was there stays in front.
pub fn pad(flag: &mut Value, bytes: usize, regex: bool, rng: &mut Rng) {
    let mut missing = bytes.saturating_sub(flag.to_string().len());
    while missing > 0 {
        let grown = add_targets(flag, missing, rng);
        // A flag without room for targets cannot be grown.
        if grown == 0 {
            return;
        }
        missing = missing.saturating_sub(grown);
        // A rule is never split: once less than one is missing, targets fill the gap.
        if missing > 600 {
            missing = missing.saturating_sub(add_rule(flag, regex, rng));
        }
    }
}

/// Adds one list of targets, cut short where it fills the gap. Returns by how many bytes the flag has grown.
fn add_targets(flag: &mut Value, missing: usize, rng: &mut Rng) -> usize {
    let variation = usize::from(rng.bool());
    let mut values = Vec::new();
    let mut length = json!({"variation": variation, "values": [], "contextKind": "user"}).to_string().len();
    while length < missing && values.len() < TARGETS_PER_STEP {
        let key = user_key(rng);
        length += key.len() + 2 + usize::from(!values.is_empty());
        values.push(key);
    }
    append(flag, "targets", json!({"variation": variation, "values": values, "contextKind": "user"}))
}

fn add_rule(flag: &mut Value, regex: bool, rng: &mut Rng) -> usize {
    let clauses: Vec<Value> = (0..rng.usize(1..3)).map(|_| unmatched_clause(rng, regex)).collect();
    let rule = json!({
        "id": uuid(rng),
        "variation": usize::from(rng.bool()),
        "clauses": clauses,
        "trackEvents": false,
    });
    append(flag, "rules", rule)
}

/// Appends `element` to a list of the flag. Returns by how many bytes the flag has grown.
fn append(flag: &mut Value, property: &str, element: Value) -> usize {
    let Some(elements) = flag.as_object_mut().and_then(|flag| list(flag, property)) else { return 0 };
    let comma = usize::from(!elements.is_empty());
    let length = element.to_string().len();
    elements.push(element);
    length + comma
}
