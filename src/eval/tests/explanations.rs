//! What is written down of an evaluation: what was looked at, in order, and what was not.

use serde_json::{Value, json};

use super::*;
use crate::eval::explain::explain;

fn explained(world: &World, context: &str) -> (Value, Vec<String>) {
    let context = Context::from_json(context).unwrap();
    let recorded = explain(world.flags["f"].as_ref().unwrap(), &context, world, world, &mut ());
    (serde_json::to_value(recorded.flag).unwrap(), recorded.troubles)
}

fn clause(attribute: &str, op: &str, values: &str) -> String {
    format!(r#"{{"contextKind":"user","attribute":"{attribute}","op":"{op}","values":[{values}]}}"#)
}

#[test]
fn a_flag_that_is_off_is_looked_at_no_further() {
    let world = World::default().flag(&base("f", r#""on":false,"prerequisites":[{"key":"p","variation":0}]"#));
    let outcome = json!({"value":"V0","variation":0,"reason":{"kind":"OFF"}});
    assert_eq!(explained(&world, USER).0, json!({"key":"f","version":1,"on":false,"outcome":outcome}));
}

#[test]
fn clauses_are_told_with_the_values_that_were_compared_up_to_the_first_that_fails() {
    let clauses = [clause("n", "greaterThan", "3"), clause("none", "in", "1"), clause("key", "in", r#""u""#)].join(",");
    let world = World::default().flag(&ruled(&clauses));
    let (flag, _) = explained(&world, r#"{"kind":"user","key":"u","n":[1,7]}"#);
    let rule = &flag["rules"][0];
    assert_eq!((&rule["matched"], &rule["clause_count"], &rule["id"]), (&json!(false), &json!(3), &json!("r")));
    assert_eq!(rule["clauses"].as_array().unwrap().len(), 2, "the third one was not looked at");
    let [first, second] = [&rule["clauses"][0], &rule["clauses"][1]];
    assert_eq!((&first["actual"], &first["passed"]), (&json!([1, 7]), &json!(true)));
    assert_eq!(
        (&second["actual"], &second["passed"], &second["has_context"]),
        (&Value::Null, &json!(false), &json!(true))
    );
    let (flag, _) = explained(&world, r#"{"kind":"org","key":"o"}"#);
    assert_eq!(flag["rules"][0]["clauses"][0]["has_context"], json!(false));
    let kinds = World::default().flag(&ruled(r#"{"attribute":"kind","op":"in","values":["org"]}"#));
    assert_eq!(explained(&kinds, USER).0["rules"][0]["clauses"][0]["actual"], json!(["user"]));
}

#[test]
fn prerequisites_and_segments_are_a_tree() {
    let world = World::default()
        .flag(&base(
            "f",
            r#""prerequisites":[{"key":"p","variation":1},{"key":"gone","variation":0},{"key":"p","variation":1}]"#,
        ))
        .flag(&base("p", r#""rules":[{"variation":1,"clauses":[{"op":"segmentMatch","values":["none","outer"]}]}]"#))
        .segment(r#"{"key":"outer","version":2,"rules":[{"clauses":[{"op":"segmentMatch","values":["inner"]}]}]}"#)
        .segment(r#"{"key":"inner","version":3,"included":["u"]}"#);
    let (flag, troubles) = explained(&world, USER);
    let required = flag["prerequisites"].as_array().unwrap();
    assert_eq!(required.len(), 2, "the third one was not looked at");
    assert_eq!(
        (&required[0]["met"], &required[1]["met"], &required[1]["flag"]),
        (&json!(true), &json!(false), &Value::Null)
    );
    let segments = &required[0]["flag"]["rules"][0]["clauses"][0]["segments"];
    assert_eq!((&segments[0]["because"], &segments[0]["contains"]), (&json!("missing"), &json!(false)));
    assert_eq!((&segments[1]["because"], &segments[1]["contains"]), (&json!("rules"), &json!(true)));
    let inner = &segments[1]["rules"][0]["clauses"][0]["segments"][0];
    assert_eq!(inner, &json!({"key":"inner","version":3,"contains":true,"because":"list"}));
    assert_eq!(troubles.len(), 1);
    assert!(troubles[0].contains("\"gone\""), "{troubles:?}");
}

#[test]
fn a_rollout_says_where_the_context_falls() {
    let rollout =
        r#""fallthrough":{"rollout":{"variations":[{"variation":0,"weight":10000},{"variation":2,"weight":90000}]}}"#;
    let world = World::default().flag(&base("f", rollout));
    let (flag, _) = explained(&world, USER);
    // The bucket of "f.salt.u" is known.
    assert_eq!(flag["rollout"]["bucket"], json!(0.18749441_f32));
    let chosen = |flag: &Value| [0, 1].map(|entry: usize| flag["rollout"]["entries"][entry]["chosen"] == json!(true));
    assert_eq!((chosen(&flag), &flag["rollout"]["entries"][1]["from"]), ([false, true], &json!(0.1_f32)));
    assert_eq!(flag["outcome"]["variation"], json!(2));
    let (other, _) = explained(&world, r#"{"kind":"org","key":"o"}"#);
    assert_eq!((chosen(&other), &other["rollout"]["has_context"]), ([true, false], &json!(false)));
}

#[test]
fn what_is_hashed_is_told_with_its_attribute() {
    let rollout = r#""fallthrough":{"rollout":{"contextKind":"user","bucketBy":"/a/b","variations":[{"variation":0,"weight":100000}]}}"#;
    let world = World::default().flag(&base("f", rollout));
    let hashed = |context: &str| {
        let rollout = &explained(&world, context).0["rollout"];
        (rollout["attribute"].clone(), rollout["actual"].clone(), rollout["bucket"] == json!(0.0))
    };
    assert_eq!(hashed(r#"{"kind":"user","key":"u","a":{"b":"x"}}"#), (json!("/a/b"), json!("x"), false));
    assert_eq!(hashed(r#"{"kind":"user","key":"u","a":{"b":[1]}}"#), (json!("/a/b"), json!([1]), true));
    assert_eq!(hashed(USER), (json!("/a/b"), Value::Null, true));
    let rule = r#"{"weight":1,"rolloutContextKind":"org","bucketBy":"name","clauses":[]}"#;
    let world = World::default()
        .flag(&ruled(r#"{"op":"segmentMatch","values":["s"]}"#))
        .segment(&format!(r#"{{"key":"s","version":1,"rules":[{rule}]}}"#));
    let share = |context: &str| {
        let (flag, _) = explained(&world, context);
        flag["rules"][0]["clauses"][0]["segments"][0]["rules"][0]["share"].clone()
    };
    let told = share(r#"{"kind":"org","key":"o","name":"Ada's"}"#);
    assert_eq!((&told["kind"], &told["attribute"], &told["actual"]), (&json!("org"), &json!("name"), &json!("Ada's")));
    assert_eq!((&share(USER)["bucket"], &share(USER)["actual"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_share_of_a_segment_and_a_target_are_told() {
    let segment = r#"{"key":"s","version":1,"salt":"salt","rules":[{"weight":20000,"clauses":[]}]}"#;
    let world = World::default().flag(&ruled(r#"{"op":"segmentMatch","values":["s"],"negate":true}"#)).segment(segment);
    let (flag, _) = explained(&world, USER);
    let step = &flag["rules"][0]["clauses"][0]["segments"][0];
    let share = &step["rules"][0]["share"];
    assert_eq!(share["below"], json!(0.2_f32));
    let is_below = share["bucket"].as_f64().unwrap() < 0.2;
    assert_eq!(step["contains"], json!(is_below));
    let target = World::default().flag(&base("f", r#""targets":[{"variation":2,"values":["u"]}]"#));
    assert_eq!(explained(&target, USER).0["targets"], json!({"lists":1,"variation":2,"kind":"user"}));
}

#[test]
fn what_stops_an_evaluation_leaves_what_was_open() {
    let world = World::default()
        .flag(&base("f", r#""prerequisites":[{"key":"p","variation":1}]"#))
        .flag(&base("p", r#""prerequisites":[{"key":"f","variation":1}]"#));
    let (flag, troubles) = explained(&world, USER);
    let inner = &flag["prerequisites"][0]["flag"]["prerequisites"][0];
    assert_eq!((&inner["key"], &inner["met"], &flag["outcome"]), (&json!("f"), &Value::Null, &Value::Null));
    assert!(troubles[0].contains("circle"), "{troubles:?}");
    let unreadable = World::default().flag(&ruled(r#"{"op":"segmentMatch","values":["s"]}"#)).unreadable("s");
    assert_eq!(explained(&unreadable, USER).0["rules"][0]["clauses"][0]["passed"], Value::Null);
}

#[test]
fn a_segment_that_is_met_again_is_as_it_was_found_before() {
    let mut world = World::default().flag(&ruled(r#"{"op":"segmentMatch","values":["s9"]}"#));
    for level in 0..10 {
        let named = if level == 0 { String::new() } else { format!(r#""s{0}","s{0}""#, level - 1) };
        let clause = format!(r#"{{"op":"segmentMatch","values":[{named}]}}"#);
        world = world.segment(&format!(r#"{{"key":"s{level}","version":1,"rules":[{{"clauses":[{clause}]}}]}}"#));
    }
    assert_eq!(world.outcome(USER), FALL);
    let (flag, _) = explained(&world, USER);
    let text = flag.to_string();
    assert!(text.contains(r#""because":"earlier""#), "{text}");
    assert!(text.matches(r#""key":"s0""#).count() < 32, "the lattice is walked once, and not path by path");
}

#[test]
fn what_is_looked_at_again_is_told_once() {
    let mut world = World::default()
        .segment(r#"{"key":"s","version":1,"rules":[{"clauses":[{"attribute":"key","op":"in","values":["x"]}]}]}"#);
    let rule = r#"{"variation":1,"clauses":[{"op":"segmentMatch","values":["s"]}]}"#;
    for level in 0..12 {
        let key = if level == 11 { "f".to_owned() } else { format!("p{level}") };
        let required = format!(r#"{{"key":"p{}","variation":1}}"#, level - 1);
        let required = if level == 0 { String::new() } else { format!("{required},{required}") };
        world = world.flag(&base(&key, &format!(r#""prerequisites":[{required}],"rules":[{rule},{rule}]"#)));
    }
    let (flag, _) = explained(&world, USER);
    assert_eq!(flag["outcome"]["reason"]["kind"], json!("FALLTHROUGH"), "{flag}");
    let [first, second] = [0, 1].map(|at: usize| &flag["prerequisites"][at]["flag"]);
    assert_eq!((&first["again"], &second["again"], &second["rules"]), (&Value::Null, &json!(true), &Value::Null));
    assert_eq!((&first["outcome"], &first["rules"][1]["matched"]), (&second["outcome"], &json!(false)));
    let text = flag.to_string();
    assert_eq!(text.matches(r#""key":"p0""#).count(), 4, "two prerequisites and two flags");
    assert_eq!(text.matches(r#""attribute":"key""#).count(), 1, "the rule of the segment");
    assert_eq!(text.matches(r#""again":true,"because":"rules""#).count(), 23, "{text}");
}

#[test]
fn an_item_is_named_as_it_was_asked_for_whatever_it_calls_itself() {
    let mut world = World::default()
        .flag(&ruled(r#"{"op":"segmentMatch","values":["outer"]}"#))
        .segment(r#"{"key":"outer","version":1,"rules":[{"clauses":[{"op":"segmentMatch","values":["alias"]}]}]}"#)
        .segment(r#"{"key":"other","version":2,"included":["u"]}"#);
    // Written under a key that is not its own.
    let other = world.segments.remove("other").unwrap();
    world.segments.insert("alias".to_owned(), other);
    let (flag, _) = explained(&world, USER);
    let inner = &flag["rules"][0]["clauses"][0]["segments"][0]["rules"][0]["clauses"][0]["segments"][0];
    assert_eq!(inner, &json!({"key":"alias","version":2,"contains":true,"because":"list"}));
}

#[test]
fn what_is_in_no_circle_is_in_none_when_somebody_looks() {
    let mut world = World::default()
        .flag(&ruled(r#"{"op":"segmentMatch","values":["outer"]}"#))
        .segment(r#"{"key":"outer","version":1,"rules":[{"clauses":[{"op":"segmentMatch","values":["alias"]}]}]}"#);
    let text = br#"{"key":"outer","version":2,"included":["u"]}"#;
    let Ok(Parsed::Live(alias)) = parse_segment("", text, &mut Interner::default()) else { panic!("a segment") };
    world.segments.insert("alias".to_owned(), Some(alias));
    let context = Context::from_json(USER).unwrap();
    let recorded = explain(world.flags["f"].as_ref().unwrap(), &context, &world, &world, &mut ());
    assert_eq!(describe(&recorded.detail), world.outcome(USER));
}

#[test]
fn a_big_segment_says_whether_its_store_was_asked() {
    let world = World::default()
        .big("u", BigSegmentsStatus::Healthy, &["+asked.g1"])
        .flag(&ruled(r#"{"op":"segmentMatch","values":["young","of-orgs","asked"]}"#))
        .segment(r#"{"key":"young","version":1,"unbounded":true}"#)
        .segment(r#"{"key":"of-orgs","version":1,"unbounded":true,"unboundedContextKind":"org","generation":1}"#)
        .segment(r#"{"key":"asked","version":1,"unbounded":true,"generation":1}"#);
    let (flag, _) = explained(&world, USER);
    let because = [0, 1, 2].map(|at: usize| {
        let segment = &flag["rules"][0]["clauses"][0]["segments"][at];
        (segment["because"].clone(), segment["contains"].clone())
    });
    let expected = [("not_ready", false), ("no_context", false), ("store", true)];
    assert_eq!(because, expected.map(|(because, contains)| (json!(because), json!(contains))));
}

#[test]
fn an_experiment_says_which_of_its_entries_are_not_tracked() {
    let rollout = r#""fallthrough":{"rollout":{"kind":"experiment","variations":[
        {"variation":0,"weight":50000},{"variation":2,"weight":50000,"untracked":true}]}}"#;
    let (flag, _) = explained(&World::default().flag(&base("f", rollout)), USER);
    let untracked = [0, 1].map(|entry: usize| flag["rollout"]["entries"][entry]["untracked"].clone());
    assert_eq!(untracked, [Value::Null, json!(true)]);
}

#[test]
fn a_variation_that_is_not_there_is_named_with_what_serves_it() {
    let nobody = r#"{"variation":0,"clauses":[{"attribute":"x","op":"in","values":[1]}]}"#;
    let rule = |serves: &str| format!(r#""rules":[{nobody},{{{serves},"clauses":[]}}]"#);
    let rolled = r#""rollout":{"variations":[{"variation":8,"weight":100000}]}"#;
    let cases = [
        (r#""on":false,"offVariation":3"#.to_owned(), "when off it serves variation 3, which it does not have: it has 3"),
        (r#""on":false,"offVariation":-1"#.to_owned(), "when off it serves a variation that it does not have: it has 3"),
        (r#""targets":[{"values":["u"],"variation":4}]"#.to_owned(), "a target list serves variation 4, which it does not have: it has 3"),
        (rule(r#""variation":5"#), "rule 2 serves variation 5, which it does not have: it has 3"),
        (rule(rolled), "rule 2 serves variation 8, which it does not have: it has 3"),
        (rule(r#""x":0"#), "rule 2 serves nothing"),
        (r#""fallthrough":{"variation":6}"#.to_owned(), "the fallthrough serves variation 6, which it does not have: it has 3"),
        (r#""fallthrough":{}"#.to_owned(), "the fallthrough serves nothing"),
        (r#""fallthrough":{"rollout":{"variations":[]}}"#.to_owned(), "the fallthrough serves nothing"),
        (
            r#""fallthrough":{"rollout":{"contextKind":"user","bucketBy":"//","variations":[{"variation":0,"weight":1}]}}"#.to_owned(),
            "the fallthrough rolls out by what is no attribute",
        ),
        (
            r#""offVariation":7,"prerequisites":[{"key":"gone","variation":0}]"#.to_owned(),
            "when off it serves variation 7, which it does not have: it has 3",
        ),
    ];
    for (properties, expected) in cases {
        let world = World::default().flag(&base("f", &properties));
        let (flag, troubles) = explained(&world, USER);
        assert_eq!(flag["outcome"]["reason"]["errorKind"], json!("MALFORMED_FLAG"), "{properties}");
        assert_eq!(troubles.last().map(String::as_str), Some(&*format!("flag \"f\": {expected}")), "{properties}");
    }
    let (_, troubles) =
        explained(&World::default().flag(&base("f", r#""targets":[{"values":["v"],"variation":4}]"#)), USER);
    assert_eq!(troubles, Vec::<String>::new(), "nobody is served it");
}

#[test]
fn a_prerequisite_that_can_never_be_met_says_why() {
    let needs = |variation: u32| base("f", &format!(r#""prerequisites":[{{"key":"p","variation":{variation}}}]"#));
    let troubles = |world: World| explained(&world, USER).1;
    let other = World::default().flag(&needs(3)).flag(&base("p", ""));
    let expected = r#"prerequisite "p" of flag "f" must serve variation 3, and has 3, so it is never met"#;
    assert_eq!(troubles(other), [expected]);
    let broken = World::default().flag(&needs(1)).flag(&base("p", r#""fallthrough":{"variation":9}"#));
    assert_eq!(troubles(broken), [r#"flag "p": the fallthrough serves variation 9, which it does not have: it has 3"#]);
    assert_eq!(troubles(World::default().flag(&needs(2)).flag(&base("p", ""))), Vec::<String>::new());
}
