//! An evaluation allocates nothing: for every reason, every kind of error and every operator, by key and prepared.
//!
//! Residency `all`, after one warm call per thread. Allocations are counted on the calling thread alone, because the
//! library's own threads go on working. `matches` is left out: the regex engine may allocate.
#![allow(unsafe_code, reason = "a counting allocator, and the exported functions")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "pointers that live on the stack"
)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::c_char;
use std::ptr::{null, null_mut};

use flagstone::ffi::*;
use serde_json::{Value, json};
use support::{PREFIX, RedisServer};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
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
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(body: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    body();
    COUNT.with(Cell::get) - before
}

/// A flag that is on, with variations of every type.
fn flag(rest: Value) -> String {
    let mut flag = json!({
        "version": 1, "on": true, "salt": "s", "offVariation": 0, "fallthrough": { "variation": 0 },
        "variations": [true, 1.5, "text", { "a": [1] }, null],
    });
    let members = flag.as_object_mut().unwrap();
    members.extend(rest.as_object().unwrap().clone());
    flag.to_string()
}

fn rule(clause: Value) -> Value {
    json!({ "rules": [{ "id": "r", "variation": 1, "clauses": [clause] }] })
}

/// A flag for every reason, kind of error and operator, with the reason (and kind of error) that it has for [`CONTEXT`].
fn flags() -> Vec<(String, String, i32, i32)> {
    let experiment = json!({ "rollout": { "kind": "experiment", "seed": 3,
        "variations": [{ "variation": 0, "weight": 50000 }, { "variation": 2, "weight": 50000 }] } });
    let rollout = json!({ "rollout": { "bucketBy": "number",
        "variations": [{ "variation": 3, "weight": 50000 }, { "variation": 4, "weight": 50000 }] } });
    let many: Vec<String> = (0..50).map(|number| format!("user-{number}")).collect();
    let mut flags = vec![
        ("off", json!({ "on": false }), 0, 0),
        ("off-without-variation", json!({ "on": false, "offVariation": null }), 0, 0),
        ("fallthrough", json!({}), 1, 0),
        ("rollout", json!({ "fallthrough": rollout }), 1, 0),
        ("experiment", json!({ "fallthrough": experiment }), 1, 0),
        ("target", json!({ "targets": [{ "variation": 2, "values": ["user-7"] }] }), 2, 0),
        ("many-targets", json!({ "targets": [{ "variation": 2, "values": many }] }), 2, 0),
        (
            "context-target",
            json!({ "contextTargets": [{ "contextKind": "org", "variation": 3, "values": ["o"] }] }),
            2,
            0,
        ),
        ("prerequisite-met", json!({ "prerequisites": [{ "key": "fallthrough", "variation": 0 }] }), 1, 0),
        ("prerequisite-failed", json!({ "prerequisites": [{ "key": "off", "variation": 0 }] }), 4, 0),
        ("prerequisite-missing", json!({ "prerequisites": [{ "key": "none", "variation": 0 }] }), 4, 0),
        ("malformed", json!({ "fallthrough": {} }), 5, 4),
        ("cycle", json!({ "prerequisites": [{ "key": "cycle", "variation": 0 }] }), 5, 4),
        ("wrong-reference", rule(json!({ "contextKind": "user", "attribute": "//", "op": "in", "values": [1] })), 5, 4),
        ("needs-unreadable", json!({ "prerequisites": [{ "key": "unreadable", "variation": 0 }] }), 5, 6),
    ];
    for (op, attribute, value) in [
        ("in", "name", json!("Ada")),
        ("in", "number", json!(61)),
        ("in", "tags", json!("b")),
        ("in", "anonymous", json!(false)),
        ("in", "kind", json!("org")),
        ("startsWith", "name", json!("A")),
        ("endsWith", "email", json!("@example.org")),
        ("contains", "email", json!("@")),
        ("lessThan", "number", json!(62)),
        ("lessThanOrEqual", "number", json!(61)),
        ("greaterThan", "number", json!(60)),
        ("greaterThanOrEqual", "number", json!(61)),
        ("before", "date", json!("2030-01-01T00:00:00Z")),
        ("after", "date", json!(0)),
        ("semVerEqual", "version", json!("2.1.0")),
        ("semVerLessThan", "version", json!("3.0.0-rc.1")),
        ("semVerGreaterThan", "version", json!("2.0.9")),
        ("segmentMatch", "", json!("members")),
        ("segmentMatch", "", json!("nested")),
        ("segmentMatch", "", json!("weighted")),
    ] {
        let clause = json!({ "attribute": attribute, "op": op, "values": ["no match", value] });
        flags.push(("", rule(clause), 3, 0));
    }
    let path = json!({ "contextKind": "user", "attribute": "/address/city", "op": "in", "values": ["London"] });
    flags.push(("path", rule(path), 3, 0));
    flags
        .into_iter()
        .enumerate()
        .map(|(position, (name, rest, reason, error))| {
            let key = if name.is_empty() { format!("operator-{position}") } else { name.to_owned() };
            (key, flag(rest), reason, error)
        })
        .collect()
}

const CONTEXT: &str = r#"{"kind":"multi","org":{"key":"o"},"user":{"key":"user-7","name":"Ada","email":"ada@example.org",
    "number":61,"tags":["a","b"],"date":"2026-01-01T00:00:00.5Z","version":"2.1","address":{"city":"London"}}}"#;

fn segments() -> Vec<(&'static str, String)> {
    let nested = json!({ "rules": [{ "clauses": [{ "op": "segmentMatch", "values": ["members"] }] }] });
    let weighted = json!({ "salt": "s", "rules": [{ "weight": 100000, "bucketBy": "name", "clauses": [] }] });
    vec![
        ("members", json!({ "included": ["user-7"] }).to_string()),
        ("nested", nested.to_string()),
        ("weighted", weighted.to_string()),
    ]
}

fn detail() -> flagstone_detail {
    // SAFETY: all members are plain data for which zero is a value.
    let mut detail: flagstone_detail = unsafe { std::mem::zeroed() };
    detail.struct_size = size_of::<flagstone_detail>() as u32;
    detail
}

struct Host {
    _server: RedisServer,
    client: *mut flagstone_client,
    context: *mut flagstone_context,
}

fn text(text: &str) -> (*const c_char, usize) {
    (text.as_ptr().cast(), text.len())
}

fn host(flags: &[(String, String, i32, i32)]) -> Host {
    let server = RedisServer::start();
    flags.iter().for_each(|(key, text, ..)| server.set_flag(key.as_str(), text.as_str()));
    segments().iter().for_each(|(key, text)| server.set_segment(*key, text.as_str()));
    server.set_flag("unreadable", "{");
    server.set_inited();
    let (mut client, mut context) = (null_mut(), null_mut());
    unsafe {
        let config = flagstone_config_new();
        for (name, value) in [("redis.url", server.url().as_str()), ("redis.prefix", PREFIX)] {
            let ((name, name_len), (value, value_len)) = (text(name), text(value));
            assert_eq!(flagstone_config_set(config, name, name_len, value, value_len, null_mut()), 0);
        }
        assert_eq!(flagstone_client_new(config, &mut client, null_mut()), 0);
        flagstone_config_free(config);
        let (json, len) = text(CONTEXT);
        assert_eq!(flagstone_context_from_json(json, len, &mut context, null_mut()), 0);
    }
    Host { _server: server, client, context }
}

impl Host {
    fn detail_of(&self, key: &str, context: *const flagstone_context) -> flagstone_detail {
        let mut out = detail();
        let (key, len) = text(key);
        unsafe { flagstone_variation(self.client, context, key, len, 0, null(), 0, &mut out) };
        out
    }

    /// Every way of asking for a flag, once.
    fn ask(&self, key: &str, prepared: *const flagstone_flag) {
        let (text, len) = text(key);
        unsafe {
            flagstone_bool_variation(self.client, self.context, text, len, 0);
            flagstone_int_variation(self.client, self.context, text, len, 0);
            flagstone_double_variation(self.client, self.context, text, len, 0.0);
            flagstone_flag_bool(prepared, self.context);
            flagstone_flag_bool_try(prepared, self.context);
            flagstone_flag_int(prepared, self.context);
            flagstone_flag_double(prepared, self.context);
            for want in 0..=4 {
                let mut out = detail();
                flagstone_variation(self.client, self.context, text, len, want, null(), 0, &mut out);
                flagstone_detail_clear(&mut out);
            }
            let mut out = detail();
            flagstone_flag_detail(prepared, self.context, &mut out);
            flagstone_detail_clear(&mut out);
            flagstone_variation(self.client, null(), text, len, 0, null(), 0, &mut out);
            flagstone_detail_clear(&mut out);
        }
    }

    fn prepare(&self, key: &str) -> *mut flagstone_flag {
        let mut prepared = null_mut();
        let (key, len) = text(key);
        let status = unsafe { flagstone_flag_new(self.client, key, len, 0, null(), 0, &mut prepared, null_mut()) };
        assert_eq!(status, 0);
        prepared
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        unsafe {
            flagstone_client_close(self.client, 10_000);
            flagstone_client_release(self.client);
            flagstone_context_release(self.context);
        }
    }
}

#[test]
fn no_evaluation_allocates_whatever_its_reason() {
    let flags = flags();
    let host = host(&flags);
    let prepared = host.prepare("fallthrough");
    assert_eq!(allocations(|| drop(Box::new(1))), 1, "the allocator counts");

    host.ask("fallthrough", prepared);
    assert_eq!(allocations(|| host.ask("fallthrough", prepared)), 0, "CLIENT_NOT_READY");
    assert_eq!(unsafe { flagstone_client_start(host.client, 10_000, null_mut()) }, 0);

    for (key, _, reason, error) in &flags {
        let mut detail = host.detail_of(key, host.context);
        assert_eq!((detail.reason, detail.error_kind), (*reason, *error), "{key}");
        unsafe { flagstone_detail_clear(&mut detail) };
        let prepared = host.prepare(key);
        host.ask(key, prepared);
        assert_eq!(allocations(|| host.ask(key, prepared)), 0, "{key}");
        unsafe { flagstone_flag_release(prepared) };
    }
    for (key, error) in [("no-such-flag", 2), ("unreadable", 6)] {
        assert_eq!(host.detail_of(key, host.context).error_kind, error, "{key}");
        let prepared = host.prepare(key);
        host.ask(key, prepared);
        assert_eq!(allocations(|| host.ask(key, prepared)), 0, "{key}");
        unsafe { flagstone_flag_release(prepared) };
    }
    unsafe { flagstone_flag_release(prepared) };
}
