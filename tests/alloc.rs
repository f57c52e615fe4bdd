//! Evaluations allocate nothing: with residency `all`, after one warm call per thread, for every reason and every operator
//! except `matches` (the regex engine keeps caches of its own).
//!
//! A counting allocator stands under the whole test program; it counts what the calling thread does while it is told to,
//! so that the library's own threads do not disturb. The calls are those that a C host makes. Of a data set above 512 kB the
//! first evaluation of an item may come before the store thread has parsed it, and parses it then: the warm call covers it.
#![allow(unsafe_code, reason = "the calls of a C host, and an allocator")]
#![allow(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block, reason = "as C would")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "alloc/contexts.rs"]
mod contexts;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::ptr::{null, null_mut};

use flagdata::PrivateRedis;
use flagstone::ffi::*;
use serde_json::{Value, json};

struct Counting;

thread_local! {
    /// Allocations of this thread since counting began; `None` while it does not count.
    static COUNT: Cell<Option<u64>> = const { Cell::new(None) };
}

fn count() {
    // The slot is gone while a thread ends.
    let _ = COUNT.try_with(|count| count.set(count.get().map(|so_far| so_far + 1)));
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(place, layout, size) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Number of allocations of this thread during `body`.
fn allocations(body: impl FnOnce()) -> u64 {
    COUNT.set(Some(0));
    body();
    COUNT.replace(None).unwrap()
}

/// What an evaluation is to end in: reason, error kind.
type Expected = (flagstone_reason, flagstone_error_kind);

use flagstone_error_kind::*;
use flagstone_reason::*;
use flagstone_type::*;

const SERVED: Expected = (FLAGSTONE_REASON_FALLTHROUGH, FLAGSTONE_ERROR_KIND_NONE);
const OFF: Expected = (FLAGSTONE_REASON_OFF, FLAGSTONE_ERROR_KIND_NONE);
const TARGET: Expected = (FLAGSTONE_REASON_TARGET_MATCH, FLAGSTONE_ERROR_KIND_NONE);
const UNMET: Expected = (FLAGSTONE_REASON_PREREQUISITE_FAILED, FLAGSTONE_ERROR_KIND_NONE);
const RULE: Expected = (FLAGSTONE_REASON_RULE_MATCH, FLAGSTONE_ERROR_KIND_NONE);

fn error(kind: flagstone_error_kind) -> Expected {
    (FLAGSTONE_REASON_ERROR, kind)
}

/// A flag with the members of `more` beside the usual ones.
fn flag(key: &str, variations: &Value, more: &Value) -> Value {
    let mut flag = json!({
        "key": key, "version": 1, "on": true, "salt": "salt", "variations": variations,
        "fallthrough": {"variation": 1}, "offVariation": 0,
    });
    for (name, value) in more.as_object().unwrap() {
        flag[name] = value.clone();
    }
    flag
}

/// A rule with one clause, serving variation 1.
fn rule(clause: &Value) -> Value {
    json!({"fallthrough": {"variation": 0}, "rules": [{"id": "the-rule", "variation": 1, "clauses": [clause]}]})
}

/// Every reason that a value can have.
fn reasons() -> Vec<(&'static str, Value, Expected)> {
    let whole = json!([{"variation": 1, "weight": 60000}, {"variation": 0, "weight": 40000}]);
    let rolled = json!({"fallthrough": {"rollout": {"bucketBy": "email", "variations": whole}}});
    let experiment = json!({"fallthrough": {"rollout": {"kind": "experiment", "seed": 61, "variations": whole}}});
    let many: Vec<String> = (0..50).map(|number| format!("user-{number}")).chain(["ada".to_owned()]).collect();
    let in_rule = json!({"rules": [{"id": "rolled", "clauses": [{"attribute": "key", "op": "in", "values": ["ada"]}],
        "rollout": {"variations": whole}}]});
    vec![
        ("off", json!({"on": false}), OFF),
        ("off-without-value", json!({"on": false, "offVariation": null}), OFF),
        ("fallthrough", json!({}), SERVED),
        ("target", json!({"targets": [{"values": ["bob", "ada"], "variation": 1}]}), TARGET),
        ("many-targets", json!({"targets": [{"values": many, "variation": 1}]}), TARGET),
        (
            "other-target",
            json!({"contextTargets": [{"contextKind": "org", "values": ["example"], "variation": 1}]}),
            TARGET,
        ),
        ("rule", rule(&json!({"attribute": "key", "op": "in", "values": ["ada"]})), RULE),
        ("rollout", rolled, SERVED),
        ("experiment", experiment, SERVED),
        ("rollout-in-rule", in_rule, RULE),
        ("prerequisite-met", json!({"prerequisites": [{"key": "bool-fallthrough", "variation": 1}]}), SERVED),
        ("prerequisite-failed", json!({"prerequisites": [{"key": "bool-off", "variation": 1}]}), UNMET),
        ("prerequisite-missing", json!({"prerequisites": [{"key": "missing", "variation": 1}]}), UNMET),
        (
            "bad-reference",
            rule(&json!({"attribute": "//", "contextKind": "user", "op": "in", "values": [1]})),
            error(FLAGSTONE_ERROR_KIND_MALFORMED_FLAG),
        ),
        ("malformed", json!({"fallthrough": {"variation": 9}}), error(FLAGSTONE_ERROR_KIND_MALFORMED_FLAG)),
        (
            "needs-unreadable",
            json!({"prerequisites": [{"key": "unreadable", "variation": 1}]}),
            error(FLAGSTONE_ERROR_KIND_EXCEPTION),
        ),
        (
            "needs-itself",
            json!({"prerequisites": [{"key": "bool-needs-itself", "variation": 1}]}),
            error(FLAGSTONE_ERROR_KIND_MALFORMED_FLAG),
        ),
    ]
}

/// Every operator, with a clause that holds for the context below.
fn operators() -> Vec<(&'static str, Value)> {
    [
        ("in", "email", json!(["x", "ada@example.org"])),
        ("startsWith", "email", json!(["ada@"])),
        ("endsWith", "email", json!(["example.org"])),
        ("contains", "email", json!(["@example"])),
        ("lessThan", "age", json!([37])),
        ("lessThanOrEqual", "age", json!([36])),
        ("greaterThan", "age", json!([35.5])),
        ("greaterThanOrEqual", "age", json!([36])),
        ("before", "joined", json!(["2020-01-01T00:00:00Z"])),
        ("after", "joined", json!([0])),
        ("semVerEqual", "app", json!(["2.1.0"])),
        ("semVerLessThan", "app", json!(["2.1.1-beta"])),
        ("semVerGreaterThan", "app", json!(["2.0.9"])),
        ("segmentMatch", "", json!(["no-such-segment", "members"])),
    ]
    .into_iter()
    .map(|(operator, attribute, values)| (operator, json!({"attribute": attribute, "op": operator, "values": values})))
    .collect()
}

const CONTEXT: &str = r#"{"kind": "multi",
    "user": {"key": "ada", "email": "ada@example.org", "age": 36, "joined": "2019-05-01T12:00:00.5+02:00", "app": "2.1.0",
             "address": {"city": "London"}, "groups": ["a", "b"]},
    "org": {"key": "example", "plan": "gold"}}"#;

/// Keys of the flags and what they end in, by type of value.
type Flags = BTreeMap<String, (flagstone_type, Expected)>;

/// The data set: each reason and each operator for each type of value.
fn flags_and_items() -> (Flags, BTreeMap<String, String>) {
    let mut cases: Vec<(String, Value, Expected)> =
        reasons().into_iter().map(|(name, more, expected)| (name.to_owned(), more, expected)).collect();
    for (operator, clause) in operators() {
        cases.push((format!("op-{operator}"), rule(&clause), RULE));
    }
    let address = json!({"attribute": "/address/city", "contextKind": "user", "op": "in", "values": ["London"]});
    let list = json!({"attribute": "groups", "op": "in", "values": ["b"], "contextKind": "user"});
    let other_kind = json!({"attribute": "plan", "op": "in", "values": ["free"], "contextKind": "org", "negate": true});
    let anonymous = json!({"attribute": "anonymous", "op": "in", "values": [false], "contextKind": "user"});
    let kind = json!({"attribute": "kind", "op": "in", "values": ["org"]});
    let nested = json!({"attribute": "", "op": "segmentMatch", "values": ["nested"]});
    for (name, clause) in [
        ("path", address),
        ("list", list),
        ("other-kind", other_kind),
        ("anonymous", anonymous),
        ("kind", kind),
        ("nested-segment", nested),
    ] {
        cases.push((name.to_owned(), rule(&clause), RULE));
    }
    let types = [
        ("bool", FLAGSTONE_TYPE_BOOL, json!([false, true])),
        ("number", FLAGSTONE_TYPE_NUMBER, json!([0, 2.5])),
        ("string", FLAGSTONE_TYPE_STRING, json!(["", "text"])),
        ("json", FLAGSTONE_TYPE_JSON, json!([[], {"a": [1, 2]}])),
    ];
    let (mut flags, mut items) = (Flags::new(), BTreeMap::new());
    for (prefix, r#type, variations) in types {
        for (name, more, expected) in &cases {
            let key = format!("{prefix}-{name}");
            items.insert(key.clone(), flag(&key, &variations, more).to_string());
            flags.insert(key, (r#type, *expected));
        }
    }
    items.insert("unreadable".to_owned(), "{".to_owned());
    items.insert("tombstone".to_owned(), json!({"key": "tombstone", "version": 1, "deleted": true}).to_string());
    flags.insert("unreadable".to_owned(), (FLAGSTONE_TYPE_BOOL, error(FLAGSTONE_ERROR_KIND_EXCEPTION)));
    flags.insert("tombstone".to_owned(), (FLAGSTONE_TYPE_BOOL, error(FLAGSTONE_ERROR_KIND_FLAG_NOT_FOUND)));
    flags.insert("missing".to_owned(), (FLAGSTONE_TYPE_BOOL, error(FLAGSTONE_ERROR_KIND_FLAG_NOT_FOUND)));
    (flags, items)
}

/// Writes the items, and the segment that one operator needs.
fn write(redis: &PrivateRedis, items: &BTreeMap<String, String>) {
    let segment = json!({"key": "members", "version": 1, "salt": "s", "rules": [
        {"clauses": [{"attribute": "email", "op": "endsWith", "values": [".org"]}], "weight": 100_000, "bucketBy": "age"}]});
    let mut pipeline = redis::pipe();
    for (key, item) in items {
        pipeline.hset("launchdarkly:features", key, item).ignore();
    }
    let nested = json!({"key": "nested", "version": 1, "salt": "s", "rules": [
        {"clauses": [{"attribute": "", "op": "segmentMatch", "values": ["members"]}]}]});
    pipeline.hset("launchdarkly:segments", "members", segment.to_string()).ignore();
    pipeline.hset("launchdarkly:segments", "nested", nested.to_string()).ignore();
    pipeline.set("launchdarkly:$inited", "").ignore();
    pipeline.exec(&mut redis.connect().unwrap()).unwrap();
}

/// The handles of one host. Dropping it gives them back.
struct Host {
    client: *mut flagstone_client,
    context: *mut flagstone_context,
}

impl Host {
    fn new(redis: &PrivateRedis) -> Self {
        Self::with(redis, &json!({}))
    }

    /// With these options beside the usual ones.
    fn with(redis: &PrivateRedis, more: &Value) -> Self {
        let (mut client, mut context) = (null_mut(), null_mut());
        // A server that a busy machine keeps from answering for a while is not away: after an outage an evaluation may ask
        // for what has changed meanwhile.
        let mut options = json!({"redis.url": redis.url(), "redis.command_timeout_ms": 60_000});
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let options = options.to_string();
        unsafe {
            let config = flagstone_config_new();
            let loaded = flagstone_config_load_json(config, options.as_ptr().cast(), options.len(), null_mut());
            assert_eq!(loaded, 0);
            assert_eq!(flagstone_client_new(config, &raw mut client, null_mut()), 0);
            flagstone_config_free(config);
            let made =
                flagstone_context_from_json(CONTEXT.as_ptr().cast(), CONTEXT.len(), &raw mut context, null_mut());
            assert_eq!(made, 0);
        }
        Self { client, context }
    }

    fn start(&self) {
        unsafe {
            assert_eq!(flagstone_client_start(self.client, 30_000, null_mut()), 0);
            let valid = flagstone_state::FLAGSTONE_STATE_VALID as i32;
            assert_eq!(flagstone_client_wait(self.client, valid, 30_000), 0);
        }
    }

    fn prepare(&self, key: &str, r#type: flagstone_type) -> *mut flagstone_flag {
        let mut flag = null_mut();
        unsafe {
            let (text, out) = (key.as_ptr().cast(), &raw mut flag);
            let made = flagstone_flag_new(self.client, text, key.len(), r#type as i32, null(), 0, out, null_mut());
            assert_eq!(made, 0);
        }
        flag
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        unsafe {
            flagstone_context_release(self.context);
            flagstone_client_close(self.client, 30_000);
            flagstone_client_release(self.client);
        }
    }
}

fn empty_detail() -> flagstone_detail {
    flagstone_detail {
        struct_size: u32::try_from(size_of::<flagstone_detail>()).unwrap(),
        ..unsafe { std::mem::zeroed() }
    }
}

/// Every way to evaluate one flag. Gives reason and error kind of the details, which must agree.
fn evaluate_in_every_way(
    client: *const flagstone_client,
    context: *const flagstone_context,
    key: &str,
    r#type: flagstone_type,
    flag: *const flagstone_flag,
) -> (i32, i32) {
    let (text, len) = (key.as_ptr().cast(), key.len());
    let (mut by_key, mut prepared, mut of_many) = (empty_detail(), empty_detail(), empty_detail());
    let keys = flagstone_str { ptr: text, len };
    unsafe {
        black_box(flagstone_bool_variation(client, context, text, len, 0));
        black_box(flagstone_int_variation(client, context, text, len, 0));
        black_box(flagstone_double_variation(client, context, text, len, 0.0));
        let mut bytes = flagstone_bytes { ptr: null_mut(), len: 0, owner: null_mut() };
        black_box(flagstone_string_variation(client, context, text, len, c"default".as_ptr(), 7, &raw mut bytes));
        flagstone_bytes_clear(&raw mut bytes);
        black_box(flagstone_flag_string(flag, context, &raw mut bytes));
        flagstone_bytes_clear(&raw mut bytes);
        black_box(flagstone_flag_bool(flag, context));
        black_box(flagstone_flag_bool_try(flag, context));
        black_box(flagstone_flag_int(flag, context));
        black_box(flagstone_flag_double(flag, context));
        for want_type in 0..=FLAGSTONE_TYPE_JSON as i32 {
            flagstone_variation(client, context, text, len, want_type, null(), 0, &raw mut by_key);
            flagstone_detail_clear(&raw mut by_key);
        }
        flagstone_variation(client, context, text, len, r#type as i32, null(), 0, &raw mut by_key);
        black_box(flagstone_detail_int(&raw const by_key, 0));
        flagstone_flag_detail(flag, context, &raw mut prepared);
        flagstone_variation_many(client, context, &raw const keys, 1, &raw mut of_many);
    }
    let outcome = (by_key.reason, by_key.error_kind);
    assert_eq!((prepared.reason, prepared.error_kind), outcome);
    unsafe {
        flagstone_detail_clear(&raw mut by_key);
        flagstone_detail_clear(&raw mut prepared);
        flagstone_detail_clear(&raw mut of_many);
    }
    outcome
}

/// Evaluates in every way, once warm and then counted, and checks what the evaluation ends in.
fn assert_allocates_nothing(
    host: &Host,
    context: *const flagstone_context,
    key: &str,
    r#type: flagstone_type,
    expected: Expected,
) {
    let flag = host.prepare(key, r#type);
    let mut outcome = evaluate_in_every_way(host.client, context, key, r#type, flag);
    assert_eq!(outcome, (expected.0 as i32, expected.1 as i32), "{key}");
    let counted = allocations(|| {
        for _ in 0..3 {
            outcome = evaluate_in_every_way(host.client, context, key, r#type, flag);
        }
    });
    assert_eq!(counted, 0, "allocations in evaluations of {key}");
    assert_eq!(outcome, (expected.0 as i32, expected.1 as i32), "{key}");
    unsafe { flagstone_flag_release(flag) };
}

#[test]
fn evaluations_allocate_nothing_whatever_the_reason_and_operator() {
    let redis = PrivateRedis::start().expect("redis-server is needed (package redis-server)");
    let (flags, items) = flags_and_items();
    write(&redis, &items);
    let host = Host::new(&redis);
    let not_ready = error(FLAGSTONE_ERROR_KIND_CLIENT_NOT_READY);
    assert_allocates_nothing(&host, host.context, "bool-rule", FLAGSTONE_TYPE_BOOL, not_ready);

    host.start();
    for (key, (r#type, expected)) in &flags {
        assert_allocates_nothing(&host, host.context, key, *r#type, *expected);
    }
    let wrong_type = error(FLAGSTONE_ERROR_KIND_WRONG_TYPE);
    assert_allocates_nothing(&host, host.context, "string-rule", FLAGSTONE_TYPE_BOOL, wrong_type);
    let nobody = error(FLAGSTONE_ERROR_KIND_USER_NOT_SPECIFIED);
    assert_allocates_nothing(&host, null(), "bool-rule", FLAGSTONE_TYPE_BOOL, nobody);
    for (key, r#type) in [("number-rule", FLAGSTONE_TYPE_JSON), ("json-rule", FLAGSTONE_TYPE_NONE)] {
        assert_allocates_nothing(&host, host.context, key, r#type, RULE);
    }

    // Every reason and every error kind was among them.
    let mut seen: Vec<(i32, i32)> =
        flags.values().map(|(_, expected)| (expected.0 as i32, expected.1 as i32)).collect();
    seen.extend([not_ready, wrong_type, nobody].map(|expected| (expected.0 as i32, expected.1 as i32)));
    for reason in 0..=FLAGSTONE_REASON_ERROR as i32 {
        assert!(seen.iter().any(|outcome| outcome.0 == reason), "reason {reason}");
    }
    for kind in 0..=FLAGSTONE_ERROR_KIND_EXCEPTION as i32 {
        assert!(seen.iter().any(|outcome| outcome.1 == kind), "error kind {kind}");
    }
}

#[test]
fn evaluations_that_events_only_count_allocate_nothing_once_flag_and_context_were_seen() {
    let redis = PrivateRedis::start().expect("redis-server is needed (package redis-server)");
    let (flags, items) = flags_and_items();
    write(&redis, &items);
    // Nobody listens there, and nothing is sent before the end.
    let host = Host::with(
        &redis,
        &json!({"sdk.key": "sdk-key", "endpoints.events": "http://127.0.0.1:1", "events.flush_interval_ms": 86_400_000,
            "events.diagnostics": false}),
    );
    let not_ready = error(FLAGSTONE_ERROR_KIND_CLIENT_NOT_READY);
    assert_allocates_nothing(&host, host.context, "bool-rule", FLAGSTONE_TYPE_BOOL, not_ready);
    host.start();
    // Whoever takes part in an experiment makes an event of his own.
    for (key, (r#type, expected)) in flags.iter().filter(|(key, _)| !key.ends_with("-experiment")) {
        assert_allocates_nothing(&host, host.context, key, *r#type, *expected);
    }
    let wrong_type = error(FLAGSTONE_ERROR_KIND_WRONG_TYPE);
    assert_allocates_nothing(&host, host.context, "string-rule", FLAGSTONE_TYPE_BOOL, wrong_type);
}

#[test]
fn what_a_large_first_read_left_unparsed_is_paid_by_its_first_evaluation_only() {
    let redis = PrivateRedis::start().expect("redis-server is needed (package redis-server)");
    let (flags, mut items) = flags_and_items();
    let description = json!({"description": "x".repeat(4_000)});
    items.extend((0..500).map(|number| {
        let key = format!("padding-{number}");
        let item = flag(&key, &json!([false, true]), &description).to_string();
        (key, item)
    }));
    write(&redis, &items);
    let host = Host::new(&redis);
    host.start();
    for (key, (r#type, expected)) in &flags {
        assert_allocates_nothing(&host, host.context, key, *r#type, *expected);
    }
}

#[test]
fn a_thread_pays_with_its_first_evaluation_only() {
    let redis = PrivateRedis::start().expect("redis-server is needed (package redis-server)");
    let (_, items) = flags_and_items();
    write(&redis, &items);
    let host = Host::new(&redis);
    host.start();
    let (client, context) = (host.client as usize, host.context as usize);
    for _ in 0..4 {
        let counted = std::thread::spawn(move || {
            let evaluate = || unsafe {
                let (client, context) = (client as *const flagstone_client, context as *const flagstone_context);
                flagstone_bool_variation(client, context, c"bool-rule".as_ptr(), 9, 0)
            };
            assert_eq!(evaluate(), 1);
            allocations(|| assert_eq!(evaluate(), 1))
        });
        assert_eq!(counted.join().unwrap(), 0);
    }
}

#[test]
fn the_allocator_counts_what_this_thread_allocates() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
    assert_eq!(allocations(|| drop(black_box(vec![0_u8; 100]))), 1);
    let mut list = Vec::with_capacity(1);
    list.push(1);
    assert_eq!(allocations(|| list.push(black_box(2))), 1);
    let elsewhere = std::thread::spawn(|| drop(black_box(vec![0_u8; 100])));
    assert_eq!(allocations(|| while !elsewhere.is_finished() {}), 0);
    elsewhere.join().unwrap();
}
