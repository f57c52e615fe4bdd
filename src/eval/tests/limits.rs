//! Hostile data: long chains, wide lattices, small stacks.

use super::*;

/// A debug build must get through on this.
const SMALL_STACK: usize = 256 * 1024;

fn required(key: &str) -> String {
    format!(r#""prerequisites":[{{"key":"{key}","variation":1}}]"#)
}

fn test_of(key: &str) -> String {
    format!(r#"{{"op":"segmentMatch","values":["{key}"]}}"#)
}

/// `f` requires `p1`, which requires `p2` and so on; the last one has these properties.
fn flag_chain(length: usize, last: &str) -> World {
    let mut world = World::default().flag(&base("f", &required("p1")));
    for number in 1..length {
        world = world.flag(&base(&format!("p{number}"), &required(&format!("p{}", number + 1))));
    }
    world.flag(&base(&format!("p{length}"), last))
}

/// Adds `s1`, which refers to `s2` and so on; the last one includes the user `u`.
fn segment_chain(mut world: World, length: usize) -> World {
    for number in 1..length {
        let clause = test_of(&format!("s{}", number + 1));
        world = world.segment(&format!(r#"{{"key":"s{number}","rules":[{{"clauses":[{clause}]}}]}}"#));
    }
    world.segment(&format!(r#"{{"key":"s{length}","included":["u"]}}"#))
}

fn on_small_stack(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(SMALL_STACK);
        builder.spawn_scoped(scope, test).unwrap().join().unwrap();
    });
}

fn result(world: &World) -> String {
    let outcome = world.outcome(USER);
    outcome.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn chains_of_a_hundred_are_fine_and_longer_ones_are_malformed() {
    assert_eq!(result(&flag_chain(100, "")), FALL);
    assert_eq!(result(&flag_chain(101, "")), MALFORMED);
    assert_eq!(result(&flag_chain(10_000, "")), MALFORMED);
    let segments = |length| segment_chain(World::default().flag(&ruled(&test_of("s1"))), length);
    assert_eq!(result(&segments(100)), MATCH);
    assert_eq!(result(&segments(101)), MALFORMED);
    assert_eq!(result(&segments(10_000)), MALFORMED);
}

#[test]
fn the_longest_chains_fit_a_small_stack() {
    let rule = format!(
        r#""rules":[{{"variation":1,"clauses":[{},{{"attribute":"key","op":"matches","values":["^[a-z]+$"]}}]}}]"#,
        test_of("s1")
    );
    let last = format!(r#"{rule},"fallthrough":{{"variation":0}}"#);
    let deepest = segment_chain(flag_chain(100, &last), 100);
    let endless = segment_chain(flag_chain(100, &last), 5_000);
    let cyclic = flag_chain(90, &required("p1"));
    let context = Context::from_json(USER).unwrap();
    for (world, expected) in [(deepest, Some(1)), (endless, None), (cyclic, None)] {
        let flag = world.flags["f"].as_ref().unwrap();
        let items = Shared(&world.flags, &world.segments);
        on_small_stack(|| {
            let detail = evaluate(flag, &context, &items, &NoMemberships, &mut ());
            assert_eq!(detail.index, expected);
        });
    }
}

/// Flags and segments of this many levels: each names both of the level below. The flag `f` of the first world requires
/// `a0`; that of the second one tests for it.
fn lattices(levels: usize) -> (World, World) {
    let mut flags = World::default().flag(&base("f", &required("a0")));
    let mut segments = World::default().flag(&ruled(&test_of("a0")));
    for level in 0..levels {
        for side in ["a", "b"] {
            let next = level + 1;
            flags = flags.flag(&base(
                &format!("{side}{level}"),
                &format!(r#""prerequisites":[{{"key":"a{next}","variation":1}},{{"key":"b{next}","variation":1}}]"#),
            ));
            segments = segments.segment(&format!(
                r#"{{"key":"{side}{level}","rules":[{{"clauses":[{}]}},{{"clauses":[{}]}}]}}"#,
                test_of(&format!("a{next}")),
                test_of(&format!("b{next}"))
            ));
        }
    }
    (flags, segments)
}

/// A clause that takes an expression without a shortcut through a kilobyte of text in vain.
const HEAVY: &str =
    r#"{"attribute":"long","contextKind":"user","op":"matches","values":["(a|aa|b.{0,40}c)+[cd]{3}x$"]}"#;

fn long_user(length: usize) -> Context {
    Context::from_json(&format!(r#"{{"kind":"user","key":"u","long":"{}"}}"#, "ab".repeat(length / 2))).unwrap()
}

fn timed<T>(body: impl FnOnce() -> T) -> (T, std::time::Duration) {
    let began = std::time::Instant::now();
    (body(), began.elapsed())
}

#[test]
fn a_lattice_of_prerequisites_with_more_paths_than_atoms_ends_quickly() {
    let flags = lattices(60).0.flag(&base("a60", "")).flag(&base("b60", ""));
    let context = Context::from_json(USER).unwrap();
    let flag = flags.flags["f"].as_ref().unwrap();
    let detail = evaluate(flag, &context, &flags, &NoMemberships, &mut ());
    assert_eq!(detail.reason, Reason::Error(ErrorKind::MalformedFlag));
}

#[test]
fn a_lattice_of_segments_is_walked_once_whatever_is_at_its_end() {
    for (levels, index) in [(3, Some(1)), (11, Some(1)), (60, Some(1))] {
        let leaf = |key: &str| format!(r#"{{"key":"{key}{levels}","rules":[{{"clauses":[{HEAVY}]}}]}}"#);
        let world = lattices(levels).1.segment(&leaf("a")).segment(&leaf("b"));
        let (context, flag) = (long_user(1_000), world.flags["f"].as_ref().unwrap());
        let (detail, took) = timed(|| evaluate(flag, &context, &world, &NoMemberships, &mut ()));
        assert_eq!(detail.index, index, "{levels}");
        // Path by path, 22 segments took minutes in a debug build, and 120 would not have ended.
        assert!(took < std::time::Duration::from_secs(20), "{levels}: {took:?}");
    }
}

#[test]
fn members_of_the_last_segment_of_a_lattice_belong_to_the_first() {
    let world = lattices(60).1.segment(r#"{"key":"a60"}"#).segment(r#"{"key":"b60","included":["u"]}"#);
    assert_eq!(result(&world), MATCH);
}

#[test]
fn bytes_to_match_are_bounded_over_one_evaluation() {
    let leaf = |key: &str| base(key, &format!(r#""rules":[{{"variation":0,"clauses":[{HEAVY}]}}]"#));
    let world = lattices(16).0.flag(&leaf("a16")).flag(&leaf("b16"));
    let flag = world.flags["f"].as_ref().unwrap();
    let context = long_user(4_000);
    let detail = evaluate(flag, &context, &world, &NoMemberships, &mut ());
    assert_eq!(detail.reason, Reason::Error(ErrorKind::MalformedFlag));
    let few = lattices(3).0.flag(&leaf("a3").replace("16", "3")).flag(&leaf("b3").replace("16", "3"));
    assert_eq!(evaluate(few.flags["f"].as_ref().unwrap(), &context, &few, &NoMemberships, &mut ()).index, Some(1));
}

#[test]
fn cheap_work_is_bounded_too_however_it_is_spread() {
    let parts: Vec<String> = (0..2_000).map(|number| format!("\"no{number}\"")).collect();
    let elements: Vec<String> = (0..2_000).map(|number| format!("\"is{number}\"")).collect();
    for op in ["startsWith", "endsWith", "contains"] {
        let clause = |op: &str| {
            format!(r#"{{"attribute":"many","contextKind":"user","op":"{op}","values":[{}]}}"#, parts.join(","))
        };
        let leaf = |key: &str| base(key, &format!(r#""rules":[{{"variation":0,"clauses":[{}]}}]"#, clause(op)));
        let world = lattices(16).0.flag(&leaf("a16")).flag(&leaf("b16"));
        let context = format!(r#"{{"kind":"user","key":"u","many":[{}]}}"#, elements.join(","));
        let detail = evaluate(
            world.flags["f"].as_ref().unwrap(),
            &Context::from_json(&context).unwrap(),
            &world,
            &NoMemberships,
            &mut (),
        );
        assert_eq!(detail.reason, Reason::Error(ErrorKind::MalformedFlag), "{op}");
    }
}

#[test]
fn a_flag_of_many_expressions_is_within_the_budget() {
    let patterns: Vec<String> = (0..1_000).map(|number| format!("\"^x{number}[0-9]+y$\"")).collect();
    let clause = format!(
        r#"{{"attribute":"long","contextKind":"user","op":"matches","negate":true,"values":[{}]}}"#,
        patterns.join(",")
    );
    let world = World::default().flag(&ruled(&clause));
    assert_eq!(world.outcome_for(&long_user(500)), MATCH);
}

#[test]
fn a_wide_flag_within_the_budget_is_fine() {
    let keys: Vec<String> = (0..50_000).map(|_| r#"{"key":"p","variation":1}"#.to_owned()).collect();
    let wide = |count: usize| {
        let list = keys.iter().cycle().take(count).cloned().collect::<Vec<_>>().join(",");
        World::default().flag(&base("f", &format!(r#""prerequisites":[{list}]"#))).flag(&base("p", ""))
    };
    let context = Context::from_json(USER).unwrap();
    for (count, index) in [(100_000, Some(1)), (100_001, None)] {
        let world = wide(count);
        let flag = world.flags["f"].as_ref().unwrap();
        assert_eq!(evaluate(flag, &context, &world, &NoMemberships, &mut ()).index, index);
    }
}

#[test]
fn deep_json_is_refused_on_a_small_stack() {
    let nested = |levels: usize, open: &str, close: &str| format!("{}1{}", open.repeat(levels), close.repeat(levels));
    on_small_stack(|| {
        for (depth, accepted) in [(126, true), (127, true), (128, false), (10_000, false)] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let inner = |levels: usize| nested(depth - levels, open, close);
                for item in [
                    format!(r#"{{"unknown":{}}}"#, inner(1)),
                    format!(r#"{{"variations":[{}]}}"#, inner(2)),
                    format!(r#"{{"rules":[{{"clauses":[{{"values":[{}]}}]}}]}}"#, inner(6)),
                ] {
                    let interner = &mut Interner::default();
                    let flag = parse_flag("f", item.as_bytes(), interner);
                    assert_eq!(flag.is_ok(), accepted, "{depth}");
                    let segment = parse_segment("s", item.as_bytes(), interner);
                    assert_eq!(segment.is_ok(), accepted, "{depth}");
                }
                let context = format!(r#"{{"kind":"user","key":"u","a":{}}}"#, inner(1));
                assert_eq!(Context::from_json(&context).is_ok(), accepted, "{depth}");
            }
        }
    });
}

#[test]
fn nested_expressions_compile_or_are_refused_on_a_small_stack() {
    let nested = |depth: usize, open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let repeated = nested(6, "(b", "a", ")*");
    on_small_stack(|| {
        for (pattern, valid) in [
            (nested(8, "(x|", &repeated, ")"), true),
            (nested(20, "(", &repeated, ")"), true),
            (nested(7, "(b", "a", ")*"), false),
            (nested(250, "(", "a", ")"), false),
            (nested(100_000, "(", "a", ")"), false),
            (nested(100_000, "(?i:a|", "a", ")*"), false),
        ] {
            let clause = format!(r#"{{"attribute":"key","op":"matches","values":["x|{pattern}|u"]}}"#);
            let world = World::default().flag(&ruled(&clause));
            let expected = if valid { MATCH } else { FALL };
            assert_eq!(world.outcome(USER), expected, "{:.60}", pattern);
        }
    });
}

/// The items of a world without its record of queries, which threads cannot share.
struct Shared<'w>(&'w HashMap<String, Option<Flag>>, &'w HashMap<String, Option<Segment>>);

impl Lookup for Shared<'_> {
    type FlagRef<'a>
        = &'a Flag
    where
        Self: 'a;
    type SegmentRef<'a>
        = &'a Segment
    where
        Self: 'a;

    fn flag(&self, key: &str) -> Found<&Flag> {
        found(self.0, key)
    }

    fn segment(&self, key: &str) -> Found<&Segment> {
        found(self.1, key)
    }
}
