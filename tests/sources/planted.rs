//! The scanner itself: it finds what is planted, and nothing in comments and literals.

use super::*;

#[test]
fn the_scanner_ignores_comments_and_literals() {
    let text = concat!(
        "// unsafe\n/* unsafe /* unsafe */ unsafe */ let a = \"unsafe \\\" unsafe\"; let b = r#\"unsafe \" unsafe\"#;\n",
        "let c = '\"'; let d = '\\''; let e: &'static str = b\"unsafe\"; let f = 'ü'; let unsafely = br\"unsafe\"; c\"unsafe\";",
    );
    assert_eq!(check_unsafe(&Source::new("model/x.rs", text)), Vec::<String>::new());
    assert_eq!(code(text).len(), text.len());
    assert_eq!(check_unsafe(&Source::new("model/x.rs", "let a = '\"'; unsafe {}")), ["model/x.rs:1: unsafe code"]);
    assert_eq!(
        check_unsafe(&Source::new("model/x.rs", "fn f<'a>(a: &'a u8) {\nunsafe {} }")),
        ["model/x.rs:2: unsafe code"]
    );
}

#[test]
fn the_scanner_finds_planted_threads() {
    for text in ["std::thread::spawn(f);", "thread::Builder::new();", "thread::scope(|s| {});"] {
        assert_eq!(check_threads(&Source::new("store/x.rs", text)), ["store/x.rs:1: a thread is started"]);
        assert_eq!(check_threads(&Source::new("client/x.rs", text)), Vec::<String>::new());
        let in_test = format!("#[cfg(test)]\nmod tests {{ {text} }}");
        assert_eq!(check_threads(&Source::new("store/x.rs", &in_test)), Vec::<String>::new());
    }
}

#[test]
fn the_scanner_finds_planted_exports() {
    let guarded =
        "#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn flagstone_x(a: [u8; 2]) -> i32 {\n    guard!(0, { 1 })\n}\n";
    assert_eq!(check_exports(&Source::new("ffi/x.rs", guarded)), Vec::<String>::new());
    let planted = [
        ("model/x.rs", guarded.to_owned(), "outside src/ffi"),
        ("lib.rs", guarded.to_owned(), "outside src/ffi"),
        ("ffi/x.rs", guarded.replace("guard!(0, { 1 })", "let x = 1; guard!(0, { x })"), "does not begin with guard!("),
        ("ffi/x.rs", guarded.replace("guard!(0, { 1 })", "/* guard!( */ 1"), "does not begin with guard!("),
        ("ffi/x.rs", guarded.replace("extern \"C\" ", ""), "not pub extern"),
        ("ffi/x.rs", guarded.replace("\"C\"", "\"C-unwind\""), "not pub extern"),
        ("ffi/x.rs", guarded.replace("pub ", ""), "not pub extern"),
        ("ffi/x.rs", guarded.replace("no_mangle", "export_name = \"y\"").replace("guard!(0, { 1 })", "1"), "guard!("),
        ("ffi/x.rs", "#[no_mangle]\npub static X: i32 = 1;".to_owned(), "no function"),
        ("ffi/x.rs", "let text = unsafe { CStr::from_ptr(text) };".to_owned(), "pointer and length"),
        ("ffi/x.rs", "let text = unsafe { std::ffi::CStr::from_ptr(text) };".to_owned(), "pointer and length"),
    ];
    for (path, text, problem) in planted {
        let found = check_exports(&Source::new(path, &text));
        assert!(found.len() == 1 && found[0].contains(problem), "{found:?} for {text}");
    }
}

#[test]
fn the_scanner_finds_planted_arrows() {
    let planted = [
        ("model/x.rs", "use crate::eval::Detail;", "model may not use eval::Detail"),
        ("model/x.rs", "fn f() { crate::store::g() }", "model may not use store::g"),
        ("store/x.rs", "use crate::{model::Flag, eval::{Detail, Reason as R}};", "store may not use eval::Detail"),
        ("eval/x.rs", "use crate::store;", "eval may not use store"),
        ("eval/mod.rs", "use super::store::Entry;", "eval may not use store::Entry"),
        ("eval/x.rs", "use super::super::store::Entry;", "eval may not use store::Entry"),
        ("eval/x.rs", "mod tests { use super::super::super::client::Client; }", "eval may not use client::Client"),
        ("model/deep/x.rs", "use super::super::super::context::Context;", "model may not use context::Context"),
        ("ffi/x.rs", "use crate::store::{Entry, check_url};", "ffi may use types of store only, not store::check_url"),
        ("later/x.rs", "use crate::model::Flag;", "no arrows"),
        ("client/x.rs", "use crate::ffi::flagstone_str;", "client may not use ffi"),
        ("source/x.rs", "use crate::store::Entry;", "source may not use store::Entry"),
        ("store/x.rs", "use crate::source::Sink;", "store may not use source::Sink"),
        ("http/x.rs", "use crate::model::Kind;", "http may not use model::Kind"),
        ("ffi/x.rs", "use crate::http::HttpOptions;", "ffi may not use http::HttpOptions"),
    ];
    for (path, text, problem) in planted {
        let found = check_arrows(&Source::new(path, text));
        assert!(!found.is_empty() && found[0].contains(problem), "{found:?} for {text}");
    }
    let both = check_arrows(&Source::new(
        "store/x.rs",
        "use crate::{\n    eval::{Detail, Reason as R},\n    client::Client,\n};",
    ));
    assert_eq!(both.len(), 3, "{both:?}");
    let allowed = [
        (
            "ffi/x.rs",
            "use crate::store::{Entry, State as S};\nuse super::client::handle_status;\nuse crate::client::Client;",
        ),
        ("ffi/x.rs", "mod tests { use super::super::client::x; }"),
        ("client/x.rs", "use crate::{context::Context, eval::{self, Detail}, model::*, store::run};"),
        ("eval/tests/x.rs", "use super::super::scope::Scope; use crate::eval::evaluate;"),
        ("model/x.rs", "//! [`crate::store`]\n// crate::eval::x\nlet crates = 1;"),
        ("lib.rs", "pub mod store;"),
    ];
    for (path, text) in allowed {
        assert_eq!(check_arrows(&Source::new(path, text)), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_scanner_finds_planted_ways_between_rooms() {
    let planted = [
        ("store/memory/x.rs", "use crate::store::redis::reader::Reader;", "memory may not use redis::reader::Reader"),
        ("store/redis/deep/x.rs", "use crate::store::{options::A, worker::B};", "redis may not use worker::B"),
        ("store/truth/x.rs", "use super::super::worker::run;", "truth may not use worker::run"),
        ("store/inbox/mod.rs", "use super::truth::wipe;", "inbox may not use truth::wipe"),
    ];
    for (path, text, problem) in planted {
        let found = check_rooms(&Source::new(path, text));
        assert!(found.len() == 1 && found[0].contains(problem), "{found:?} for {text}");
    }
    let allowed = [
        ("store/worker/x.rs", "use crate::store::{redis::reader::Reader, inbox::Mailbox};"),
        ("store/truth/x.rs", "use crate::store::memory::Snapshot; use super::wipe; use crate::store::options::A;"),
        ("store/memory/x.rs", "#[cfg(test)]\nmod tests { use crate::store::redis::reader::Field; }"),
        ("store/file.rs", "use crate::store::inbox::Mailbox;"),
    ];
    for (path, text) in allowed {
        assert_eq!(check_rooms(&Source::new(path, text)), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_scanner_finds_a_file_that_does_not_say_why_it_exists() {
    assert_eq!(check_first_line(&Source::new("model/x.rs", "use a::b;\n//! Late.\n")).len(), 1);
}
