//! Rules of the source that no compiler checks: arrows of use, guarded exports, where `unsafe` may stand, module comments.
//!
//! The scanner is plain text work on the sources; planted violations show that it finds what it looks for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// For each module: the modules of the crate that it may use.
const ARROWS: [(&str, &[&str]); 6] = [
    ("model", &[]),
    ("context", &["model"]),
    ("eval", &["context", "model"]),
    ("store", &["model"]),
    ("client", &["store", "eval", "context", "model"]),
    ("ffi", &["client", "store", "eval", "context", "model"]),
];

/// Every source file, by its path below `src`, with its text.
fn sources() -> Vec<(String, String)> {
    fn walk(dir: &Path, root: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    assert!(found.len() > 40, "the sources were found");
    found
}

/// The text without comments, and with every `use crate::{…}` written out as `crate::…`.
fn code(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let text = lines.join("\n");
    let mut code = text.clone();
    for group in text.split("crate::{").skip(1) {
        let inner = group.split("};").next().unwrap_or_default();
        for part in inner.split(',') {
            code.push_str(&format!("\ncrate::{}", part.trim()));
        }
    }
    code
}

/// Modules of the crate that a source names by `crate::`.
fn used_modules(text: &str) -> Vec<String> {
    code(text)
        .split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>())
        .filter(|module| ARROWS.iter().any(|(name, _)| name == module))
        .collect()
}

fn forbidden_arrows(file: &str, text: &str) -> Vec<String> {
    let module = file.split('/').next().unwrap_or_default();
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == module) else { return Vec::new() };
    used_modules(text).into_iter().filter(|used| used != module && !allowed.contains(&used.as_str())).collect()
}

#[test]
fn modules_use_each_other_only_along_the_arrows() {
    for (file, text) in sources() {
        assert_eq!(forbidden_arrows(&file, &text), Vec::<String>::new(), "{file}");
    }
}

#[test]
fn a_planted_arrow_is_found_in_every_spelling() {
    for text in [
        "use crate::store::Shared;",
        "use crate::{model::Flag, store::Shared};",
        "fn f() { crate::store::now() }",
        "use crate::{\n    store::{\n        Shared,\n    },\n};",
    ] {
        assert_eq!(forbidden_arrows("eval/mod.rs", text), ["store"], "{text}");
    }
    assert!(forbidden_arrows("eval/mod.rs", "use crate::model::Flag; // not crate::store").is_empty());
    assert_eq!(forbidden_arrows("model/flag.rs", "use crate::context::Context;"), ["context"]);
}

/// What is wrong with the exports of a file.
fn export_faults(file: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (position, part) in text.split("#[unsafe(no_mangle)]").enumerate().skip(1) {
        let (head, body) = part.split_once('{').unwrap_or((part, ""));
        if !file.starts_with("ffi/") {
            faults.push(format!("export {position} outside ffi"));
        }
        if !head.contains("extern \"C\" fn flagstone_") {
            faults.push(format!("export {position} is no extern \"C\" function of the library: {}", head.trim()));
        }
        if !body.trim_start().starts_with("guard!(") {
            faults.push(format!("export {position} is not guarded: {}", head.trim()));
        }
    }
    if text.contains("export_name") || text.replace("#[unsafe(no_mangle)]", "").contains("#[no_mangle]") {
        faults.push("an export in another spelling".to_owned());
    }
    if text.contains("CStr::from_ptr") {
        faults.push("text that depends on NUL".to_owned());
    }
    faults
}

#[test]
fn every_export_is_guarded_and_in_its_place() {
    let mut exports = 0;
    for (file, text) in sources() {
        exports += text.matches("#[unsafe(no_mangle)]").count();
        assert_eq!(export_faults(&file, &text), Vec::<String>::new(), "{file}");
    }
    assert!(exports > 40, "{exports} exports were found");
}

#[test]
fn planted_exports_without_guard_or_out_of_place_are_found() {
    let good = "#[unsafe(no_mangle)]\npub extern \"C\" fn flagstone_x() -> i32 {\n    guard!(0, { 1 })\n}";
    assert!(export_faults("ffi/x.rs", good).is_empty());
    assert_eq!(export_faults("store/x.rs", good).len(), 1);
    assert_eq!(export_faults("ffi/x.rs", &good.replace("guard!(0, { 1 })", "let x = guard!(0, { 1 }); x")).len(), 1);
    assert_eq!(export_faults("ffi/x.rs", &good.replace("extern \"C\" ", "")).len(), 1);
    assert_eq!(export_faults("ffi/x.rs", &good.replace("flagstone_x", "x")).len(), 1);
    assert_eq!(export_faults("ffi/x.rs", "#[no_mangle]\npub extern \"C\" fn x() {}").len(), 1);
}

/// Whether code of a file has `unsafe` blocks or functions.
fn has_unsafe(text: &str) -> bool {
    let code = code(text).replace("unsafe_code", "").replace("#[unsafe(no_mangle)]", "");
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe")
}

#[test]
fn unsafe_code_stands_at_the_border_and_in_the_fork_guard_only() {
    for (file, text) in sources() {
        let may = file.starts_with("ffi/") || file == "client/atfork.rs";
        assert!(may || !has_unsafe(&text), "{file}");
    }
    assert!(has_unsafe("fn f() { unsafe { g() } }") && !has_unsafe("// unsafe\nfn f() {}"));
}

#[test]
fn every_module_says_at_its_top_why_it_exists() {
    for (file, text) in sources() {
        let comment = text.lines().take_while(|line| line.starts_with("//!")).count();
        assert!(comment >= 1, "{file}");
    }
}

#[test]
fn only_the_client_starts_threads() {
    for (file, text) in sources() {
        let code = code(text.split("#[cfg(test)]").next().unwrap_or_default());
        let starts = ["thread::spawn", "thread::scope", "thread::Builder"].iter().any(|call| code.contains(call));
        let is_test = file.ends_with("tests.rs") || file.contains("/tests/");
        assert!(!starts || file.starts_with("client/") || is_test, "{file}");
    }
}
