//! What the received events say, added up: for demos and for eyes.

use std::collections::BTreeMap;

use fakeld::Request;
use serde_json::Value;

/// All events of all payloads.
fn events(payloads: &[Request]) -> Vec<Value> {
    payloads.iter().filter_map(Request::json).filter_map(|body| body.as_array().cloned()).flatten().collect()
}

/// What the summaries count: flag, value and number, a line each, in the order of flags and values.
pub fn counts(payloads: &[Request]) -> String {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for event in events(payloads) {
        for (flag, summed) in event["features"].as_object().into_iter().flatten() {
            for counter in summed["counters"].as_array().into_iter().flatten() {
                let count = counter["count"].as_u64().unwrap_or_default();
                *counts.entry((flag.clone(), counter["value"].to_string())).or_default() += count;
            }
        }
    }
    counts.into_iter().map(|((flag, value), count)| format!("{flag}\t{value}\t{count}\n")).collect()
}

/// How many events of each kind there are, a line each.
pub fn kinds(payloads: &[Request]) -> String {
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for event in events(payloads) {
        *kinds.entry(event["kind"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    kinds.into_iter().map(|(kind, count)| format!("{kind}\t{count}\n")).collect()
}

/// How many payloads there are, and how many bytes they took on the wire.
pub fn sizes(payloads: &[Request]) -> String {
    format!("{} {}\n", payloads.len(), payloads.iter().map(|payload| payload.body.len()).sum::<usize>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(body: &str) -> Request {
        Request { body: body.as_bytes().to_vec(), ..Request::default() }
    }

    #[test]
    fn summaries_of_several_payloads_are_added_up() {
        let summary = |count: u64| {
            payload(&format!(
                r#"[{{"kind":"index"}},{{"kind":"summary","features":{{"b":{{"counters":[{{"value":"x","count":{count}}}]}},
                "a":{{"counters":[{{"value":true,"count":1}}]}}}}}}]"#
            ))
        };
        let payloads = [summary(2), summary(3)];
        assert_eq!(counts(&payloads), "a\ttrue\t2\nb\t\"x\"\t5\n");
        assert_eq!(kinds(&payloads), "index\t2\nsummary\t2\n");
        assert_eq!(sizes(&payloads), format!("2 {}\n", payloads[0].body.len() * 2));
    }
}
