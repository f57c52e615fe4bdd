//! What is served, in words: `true`, or `25% true, 75% false by user key`.

use flagstone::model::{Flag, Serve, Variation};

use super::json;
use super::outline::{Served, Share, shares};
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

fn variation(flag: &Flag, index: u32) -> String {
    let text = flag.variations.get(index as usize).map(Variation::json);
    text.map_or_else(|| format!("variation {index}, which it does not have"), json)
}

/// What a rule or a fallthrough serves. `variations` are those of the flag, as JSON.
pub fn served(serves: &Served, variations: &[String]) -> String {
    match serves {
        Served::Variation { variation } => named(*variation, variations),
        Served::Nothing {} => "nothing: whoever comes here gets the default".to_owned(),
        Served::Shares { shares, by, experiment } => {
            let share = |share: &Share| {
                let untracked = if share.untracked { " (untracked)" } else { "" };
                format!("{} {}{untracked}", percent(share.share), named(share.variation, variations))
            };
            let shares = shares.iter().map(share).collect::<Vec<_>>().join(", ");
            let what = if *experiment { ", an experiment" } else { "" };
            format!("{shares} by {}{what}", plain(by))
        }
    }
}

/// A variation by its index: its value and the index.
pub fn named(index: i64, variations: &[String]) -> String {
    let found = usize::try_from(index).ok().and_then(|index| variations.get(index));
    match found {
        Some(found) => format!("{} ({index})", json(found)),
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
    use super::super::written::Written;
    use super::{Served, served};

    #[test]
    fn shares_add_up_and_say_by_what() {
        let variations = ["true".to_owned(), "false".to_owned()];
        let serves = |json| served(&Served::of(Written::of(json)), &variations);
        let rollout = r#"{"rollout":{"variations":[{"variation":0,"weight":33333},{"variation":1,"weight":66667}]}}"#;
        assert_eq!(serves(rollout), "33.333% true (0), 66.667% false (1) by user key");
        assert_eq!(serves(r#"{"variation":1}"#), "false (1)");
        assert_eq!(serves(r#"{"variation":7}"#), "variation 7, which it does not have");
        assert!(serves("{}").starts_with("nothing"));
    }
}
