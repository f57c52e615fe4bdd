//! What is served, in words: `true`, or `25% true, 75% false by user key`.

use flagstone::model::{Flag, Serve, Variation};
use serde_json::Value;

use super::{json, value};
use crate::output::plain;

/// What a flag that is read serves to whoever no target and no rule names, or when it is off.
pub fn otherwise(flag: &Flag) -> String {
    if !flag.on {
        return match flag.off_variation {
            Some(index) => variation(flag, index),
            None => "default".to_owned(),
        };
    }
    match &flag.fallthrough {
        Serve::Nothing => "nothing".to_owned(),
        Serve::Variation(index) => variation(flag, *index),
        Serve::Rollout(rollout) => {
            let shares = shares(rollout.variations.iter().map(|entry| f64::from(entry.bound)));
            let shares = rollout.variations.iter().zip(shares).filter(|(_, share)| *share > 0.0);
            let words = shares.map(|(entry, share)| format!("{} {}", percent(share), variation(flag, entry.variation)));
            words.collect::<Vec<_>>().join(", ")
        }
    }
}

/// What entries with these upper bounds get: nothing is above 1, and the last one gets what is left.
fn shares(bounds: impl ExactSizeIterator<Item = f64>) -> Vec<f64> {
    let last = bounds.len().saturating_sub(1);
    let mut from = 0.0;
    let share = |(position, bound): (usize, f64)| {
        let to = if position == last { 1.0 } else { bound.clamp(from, 1.0) };
        to - std::mem::replace(&mut from, to)
    };
    bounds.enumerate().map(share).collect()
}

fn variation(flag: &Flag, index: u32) -> String {
    let text = flag.variations.get(index as usize).map(Variation::json);
    text.map_or_else(|| format!("variation {index}, which it does not have"), json)
}

/// What the JSON of a rule or of a fallthrough serves. `variations` are those of the flag.
pub fn served(serve: &Value, variations: &[Value]) -> String {
    if let Some(index) = serve["variation"].as_i64() {
        return named(index, variations);
    }
    let rollout = &serve["rollout"];
    let entries = rollout["variations"].as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() {
        return "nothing: whoever comes here gets the default".to_owned();
    }
    let mut to = 0.0;
    let bounds = entries.iter().map(|entry| {
        to += entry["weight"].as_f64().unwrap_or_default() / 100_000.0;
        to
    });
    let shares = entries.iter().zip(shares(bounds)).map(|(entry, share)| {
        let untracked = if entry["untracked"].as_bool() == Some(true) { " (untracked)" } else { "" };
        format!("{} {}{untracked}", percent(share), named(entry["variation"].as_i64().unwrap_or_default(), variations))
    });
    let shares = shares.collect::<Vec<_>>().join(", ");
    let is_experiment = rollout["kind"].as_str() == Some("experiment");
    let text = |name: &str| rollout[name].as_str().filter(|text| !text.is_empty());
    let attribute = if is_experiment { "key" } else { text("bucketBy").unwrap_or("key") };
    let what = if is_experiment { ", an experiment" } else { "" };
    format!("{shares} by {} {}{what}", plain(text("contextKind").unwrap_or("user")), plain(attribute))
}

/// A variation by its index: its value and the index.
pub fn named(index: i64, variations: &[Value]) -> String {
    let found = usize::try_from(index).ok().and_then(|index| variations.get(index));
    match found {
        Some(found) => format!("{} ({index})", value(found)),
        None => format!("variation {index}, which it does not have"),
    }
}

/// A share of one.
pub fn percent(share: f64) -> String {
    let rounded = (share * 100_000.0).round() / 1_000.0;
    format!("{rounded}%")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::served;

    #[test]
    fn shares_add_up_and_say_by_what() {
        let variations = [json!(true), json!(false)];
        let rollout = json!({"rollout":{"variations":[{"variation":0,"weight":33333},{"variation":1,"weight":66667}]}});
        assert_eq!(served(&rollout, &variations), "33.333% true (0), 66.667% false (1) by user key");
        assert_eq!(served(&json!({"variation":1}), &variations), "false (1)");
        assert_eq!(served(&json!({"variation":7}), &variations), "variation 7, which it does not have");
        assert!(served(&json!({}), &variations).starts_with("nothing"));
    }
}
