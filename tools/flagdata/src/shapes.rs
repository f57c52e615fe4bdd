//! Flags of one kind, one kind per way to arrive at a value, for measurements that must not mix them. Depends on `item`
//! and `clauses`.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::clauses::{clause, in_segment, user_key};
use crate::item::{bool_flag, rule, segment};
use crate::{DataSet, Shape};

/// The flag that every flag of [`Shape::Prerequisite`] requires.
pub const BASE_FLAG: &str = "bench.base";

/// A context of five attributes that matches what the one-kind shapes ask for.
pub const CONTEXT_JSON: &str = r#"{"kind":"user","key":"usr_0000000004711","email":"ada@northwind.example","name":"Ada","country":"GB","plan":"pro","age":36}"#;

const USER: &str = "usr_0000000004711";
const SEGMENT: &str = "bench-members";

/// `count` flags named `bench.<shape>-00000` and so on.
pub fn generate(shape: Shape, count: usize, rng: &mut Rng) -> DataSet {
    let mut data = DataSet::default();
    match shape {
        Shape::Prerequisite => data.flags.extend([bool_flag(BASE_FLAG, json!({}))]),
        Shape::Segment => {
            let members = others_and_the_user(rng);
            data.segments.extend([segment(SEGMENT, json!({"included": members}))]);
        }
        _ => {}
    }
    for number in 0..count {
        let key = format!("bench.{}-{number:05}", shape.name());
        data.flags.extend([bool_flag(&key, special(shape, rng))]);
    }
    data
}

/// What makes a flag one of its shape. Each serves `true` by the way it is named after, and `false` otherwise; the
/// rollout sends the larger part to `true`.
fn special(shape: Shape, rng: &mut Rng) -> Value {
    match shape {
        Shape::Mixed | Shape::Fallthrough => json!({}),
        Shape::Off => json!({"on": false, "offVariation": 0}),
        Shape::Target => {
            json!({"targets": [{"variation": 0, "values": others_and_the_user(rng)}], "fallthrough": {"variation": 1}})
        }
        Shape::Rule => one_rule(clause("user", "email", "endsWith", json!(["@northwind.example"]))),
        Shape::Rollout => json!({"fallthrough": {"rollout": {"contextKind": "user", "variations": [
            {"variation": 0, "weight": 60_000},
            {"variation": 1, "weight": 40_000},
        ]}}}),
        Shape::Prerequisite => json!({"prerequisites": [{"key": BASE_FLAG, "variation": 0}]}),
        Shape::Segment => one_rule(in_segment(json!([SEGMENT]))),
    }
}

fn one_rule(clause: Value) -> Value {
    json!({"rules": [rule("only-rule", 0, json!([clause]))], "fallthrough": {"variation": 1}})
}

fn others_and_the_user(rng: &mut Rng) -> Vec<String> {
    let mut keys: Vec<String> = (0..20).map(|_| user_key(rng)).collect();
    keys.insert(rng.usize(..=keys.len()), USER.to_owned());
    keys
}
