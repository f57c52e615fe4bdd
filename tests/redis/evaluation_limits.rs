//! No data make an evaluation take long, and none make the library take much memory: through the C functions, with flags and
//! segments from Redis.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::*;

const HEAVY: &str = "(a|aa|b.{0,40}c)+[cd]{3}x$";

fn test_of(keys: &[String]) -> Value {
    json!({ "clauses": [{ "op": "segmentMatch", "values": keys }] })
}

/// Segments in levels of two, each naming both of the level below; the last ones match the key.
fn lattice(levels: usize) -> Vec<(String, String)> {
    let mut segments = Vec::new();
    for level in 0..levels {
        for side in ["a", "b"] {
            let below = ["a", "b"].map(|side| format!("{side}{}", level + 1));
            let rules = if level + 1 == levels {
                json!([{ "clauses": [{ "attribute": "key", "op": "matches", "values": [HEAVY] }] }])
            } else {
                json!([test_of(&below[..1]), test_of(&below[1..])])
            };
            let key = format!("{side}{level}");
            let text = json!({ "key": key, "version": 1, "rules": rules }).to_string();
            segments.push((key, text));
        }
    }
    segments
}

#[test]
fn twenty_two_segments_in_a_lattice_with_a_heavy_expression_end_soon() {
    let segments = lattice(11);
    let segments: Vec<(&str, String)> = segments.iter().map(|(key, text)| (&**key, text.clone())).collect();
    let server = RedisServer::holding(&[("f", Flag::new("f", 1, "in").for_segment("a0").text())], &segments);
    let long = Context::user(&"ab".repeat(500));
    for residency in ["all", "lazy"] {
        let client = Config::of(&server).with("cache.residency", residency).started();
        assert_eq!(client.detail_for(&long, "f").word(), OTHER);
        // Path by path it took 17 seconds optimised, and minutes otherwise.
        in_time(Duration::from_secs(3), || {
            let began = Instant::now();
            assert_eq!(client.detail_for(&long, "f").word(), OTHER);
            began.elapsed()
        });
    }
}

#[test]
fn work_beyond_the_bound_is_a_malformed_flag_and_is_told() {
    let rules = json!([{ "id": "r", "variation": 1,
        "clauses": [{ "attribute": "key", "op": "matches", "values": [HEAVY] }] }]);
    let mut flags = vec![("p14".to_owned(), Flag::new("p14", 1, "on").with("rules", rules).text())];
    for level in 0..14 {
        let key = format!("p{level}");
        let below = json!({ "key": format!("p{}", level + 1), "variation": 0 });
        flags.push((key.clone(), Flag::new(&key, 1, "on").with("prerequisites", json!([below, below])).text()));
    }
    let flags: Vec<(&str, String)> = flags.iter().map(|(key, text)| (&**key, text.clone())).collect();
    let server = RedisServer::holding(&flags, &[]);
    let client = Config::of(&server).started();
    assert_eq!(client.detail_for(&Context::user("short"), "p0").word(), "on");
    let long = Context::user(&"ab".repeat(2_000));
    for _ in 0..2 {
        assert_eq!(client.detail_for(&long, "p0").word(), "MALFORMED_FLAG");
    }
    let is_told = |notice: &Notice| matches!(notice, Notice::Log { level: 2, text } if text.contains("flag \"p0\"") && text.contains("too much work"));
    assert_eq!(client.drain().iter().filter(|notice| is_told(notice)).count(), 1);
}
