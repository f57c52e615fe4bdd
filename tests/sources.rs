//! Rules of the sources that no compiler checks: every export is guarded, `unsafe` stays where it belongs, modules use each
//! other in one direction only, threads are started in one place, every file says why it exists.
//!
//! The scanner reads Rust as text: comments and literals are blanked first, so that what they say does not count. It is
//! tested itself, on planted violations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "sources/lengths.rs"]
mod lengths;
#[path = "sources/planted.rs"]
mod planted;

use std::fs;
use std::path::{Path, PathBuf};

/// Which top-level modules a top-level module may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("ffi", &["client", "context", "eval", "model", "store"]),
    ("client", &["source", "aws", "http", "store", "eval", "events", "big_segments", "context", "model"]),
    ("events", &["http", "context", "files", "model"]),
    ("source", &["http", "files", "model"]),
    ("aws", &["model"]),
    ("http", &["files"]),
    ("files", &[]),
    ("big_segments", &["model"]),
    ("store", &["files", "model"]),
    ("eval", &["context", "model"]),
    ("context", &["model"]),
    ("model", &[]),
];

/// The rooms of `store`: which of them a room may use. What lies beside the rooms (options, condition, shared) is for all.
const ROOMS: &[(&str, &[&str])] = &[
    ("memory", &[]),
    ("redis", &[]),
    ("truth", &["memory"]),
    ("inbox", &["memory"]),
    ("worker", &["memory", "redis", "truth", "inbox"]),
    ("members", &["redis"]),
];

/// Where `unsafe` is allowed.
const UNSAFE: &[&str] = &["ffi/", "client/atfork.rs", "client/signals.rs"];

/// A source file: its path below `src`, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// The top-level module that the file belongs to; none for `lib.rs`.
    fn module(&self) -> Option<&str> {
        self.path.split_once('/').map(|(module, _)| module)
    }

    fn at(&self, code: &str, position: usize) -> String {
        format!("{}:{}", self.path, code[..position].matches('\n').count() + 1)
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut sources) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                sources.push(Source { path: below, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    sources
}

/// The text with comments and the inside of literals replaced by spaces, line by line and byte by byte in the same place.
fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(code).unwrap()
}

/// Where the comment or literal that begins at `at` ends; `at` when none does.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let word_before = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    if rest.starts_with(b"//") {
        return at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }
    if rest.starts_with(b"/*") {
        return block_comment_end(bytes, at);
    }
    if !word_before && let Some(end) = raw_string_end(bytes, at) {
        return end;
    }
    match rest {
        [b'"', ..] => quoted_end(bytes, at, b'"'),
        // A character, and not a lifetime.
        [b'\'', b'\\', ..] => quoted_end(bytes, at, b'\''),
        [b'\'', inside @ ..] => {
            let width = std::str::from_utf8(&inside[..inside.len().min(4)])
                .or_else(|error| std::str::from_utf8(&inside[..error.valid_up_to()]))
                .ok()
                .and_then(|text| text.chars().next())
                .map_or(1, char::len_utf8);
            if inside.get(width) == Some(&b'\'') { at + 2 + width } else { at }
        }
        _ => at,
    }
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

fn raw_string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while at < bytes.len() && matches!(bytes[at], b'b' | b'c' | b'r') && at - start < 2 {
        at += 1;
    }
    if at == start || bytes[at - 1] != b'r' {
        return None;
    }
    let hashes = bytes[at..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(at + hashes) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    let inside = at + hashes + 1;
    let length = bytes[inside..].windows(close.len()).position(|window| window == close)?;
    Some(inside + length + close.len())
}

fn quoted_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// Where `word` stands in `code` as a word of its own.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| !code[..*at].ends_with(is_part) && !code[at + word.len()..].starts_with(is_part))
}

/// Exports without guard, with another ABI, or outside `ffi`; and texts read up to a NUL.
fn check_exports(source: &Source) -> Vec<String> {
    let code = code(&source.text);
    let mut problems = Vec::new();
    for attribute in ["no_mangle", "export_name"] {
        for at in words(&code, attribute) {
            let place = source.at(&code, at);
            if source.module() != Some("ffi") {
                problems.push(format!("{place}: an export outside src/ffi"));
            } else if let Some(problem) = export_problem(&code[at..], &source.text[at..]) {
                problems.push(format!("{place}: {problem}"));
            }
        }
    }
    if source.module() == Some("ffi") {
        problems.extend(
            words(&code, "CStr")
                .filter(|at| code[*at..].starts_with("CStr::from_ptr"))
                .map(|at| format!("{}: text is pointer and length, never ended by NUL", source.at(&code, at))),
        );
    }
    problems
}

/// What is wrong with the function after an export attribute; `code` and `text` begin at the same place.
fn export_problem(code: &str, text: &str) -> Option<&'static str> {
    let Some(function) = words(code, "fn").next() else { return Some("an export that is no function") };
    let signature: String =
        text[code.find(']').unwrap_or(0)..function].split_whitespace().collect::<Vec<_>>().join(" ");
    if !matches!(signature.as_str(), "] pub unsafe extern \"C\"" | "] pub extern \"C\"") {
        return Some("an export that is not pub extern \"C\"");
    }
    let Some(body) = code[function..].find('{') else { return Some("an export without a body") };
    if !code[function + body + 1..].trim_start().starts_with("guard!(") {
        return Some("an export whose body does not begin with guard!(");
    }
    None
}

/// `unsafe` where it does not belong.
fn check_unsafe(source: &Source) -> Vec<String> {
    if UNSAFE.iter().any(|allowed| source.path.starts_with(allowed)) {
        return Vec::new();
    }
    let code = code(&source.text);
    words(&code, "unsafe").map(|at| format!("{}: unsafe code", source.at(&code, at))).collect()
}

/// Threads that are started elsewhere than in `client`; unit tests may start some.
fn check_threads(source: &Source) -> Vec<String> {
    let is_test = source.path.contains("/tests/") || source.path.ends_with("/tests.rs");
    if source.module() == Some("client") || is_test {
        return Vec::new();
    }
    let code = code(source.text.split("#[cfg(test)]").next().unwrap_or_default());
    ["spawn", "scope", "Builder"]
        .into_iter()
        .flat_map(|start| words(&code, start))
        .filter(|at| code[..*at].ends_with("thread::"))
        .map(|at| format!("{}: a thread is started", source.at(&code, at)))
        .collect()
}

/// A file that does not begin by saying why it exists.
fn check_first_line(source: &Source) -> Vec<String> {
    if source.text.starts_with("//! ") { Vec::new() } else { vec![format!("{}: no //! at the top", source.path)] }
}

/// Uses of a top-level module that the arrows do not allow.
fn check_arrows(source: &Source) -> Vec<String> {
    let Some(module) = source.module() else { return Vec::new() };
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{}: the module {module} has no arrows", source.path)];
    };
    let code = code(&source.text);
    let mut problems = Vec::new();
    for (at, path) in paths_from_the_root(source, &code) {
        let used = path.split("::").next().unwrap_or_default();
        let problem = if used != module && !allowed.contains(&used) {
            format!("{module} may not use {path}")
        } else if (module, used) == ("ffi", "store") && !path.rsplit("::").next().is_some_and(is_type) {
            format!("{module} may use types of {used} only, not {path}")
        } else {
            continue;
        };
        problems.push(format!("{}: {problem}", source.at(&code, at)));
    }
    problems
}

/// Uses of a room of the store that its own room may not make.
fn check_rooms(source: &Source) -> Vec<String> {
    let mut parts = source.path.split('/');
    let (Some("store"), Some(room)) = (parts.next(), parts.next()) else { return Vec::new() };
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else { return Vec::new() };
    let code = code(source.text.split("#[cfg(test)]").next().unwrap_or_default());
    let mut problems = Vec::new();
    for (at, path) in paths_from(source, &code, 1) {
        let Some(used) = path.split("::").next() else { continue };
        if used != room && ROOMS.iter().any(|(name, _)| *name == used) && !allowed.contains(&used) {
            problems.push(format!("{}: {room} may not use {path}", source.at(&code, at)));
        }
    }
    problems
}

fn is_type(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
}

/// Every path that leads to the root of the crate, by `crate::` or by enough `super::`, without that beginning; groups in
/// braces are spread out.
fn paths_from_the_root(source: &Source, code: &str) -> Vec<(usize, String)> {
    paths_from(source, code, 0)
}

/// The same for what lies `level` modules below the root on the way to the file, without the beginning that leads there.
fn paths_from(source: &Source, code: &str, level: usize) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    let start =
        source.path.split('/').take(level).fold("crate::".to_owned(), |start, module| format!("{start}{module}::"));
    for at in words(code, "crate").filter(|at| code[*at..].starts_with(&start)) {
        spread(&code[at + start.len()..], "", &mut |path| paths.push((at, path)));
    }
    for at in words(code, "super").filter(|at| code[*at..].starts_with("super::") && !code[..*at].ends_with("super::"))
    {
        let rest = code[at..].trim_start_matches("super::");
        let ups = (code.len() - at - rest.len()) / "super::".len();
        if ups + level >= depth(source, &code[..at]) && (level == 0 || ups + level == depth(source, &code[..at])) {
            spread(rest, "", &mut |path| paths.push((at, path)));
        }
    }
    paths
}

/// How many `super` lead from a place to the root: the module of the file, and the modules that are open in it.
fn depth(source: &Source, before: &str) -> usize {
    let file = source.path.trim_end_matches(".rs").trim_end_matches("/mod").split('/').count();
    let mut open = Vec::new();
    for (at, character) in before.char_indices() {
        match character {
            '{' => {
                let line = before[..at].rsplit(['\n', ';', '}']).next().unwrap_or_default();
                open.push(line.trim_start().trim_start_matches("pub ").starts_with("mod "));
            }
            '}' => drop(open.pop()),
            _ => {}
        }
    }
    file + open.iter().filter(|is_module| **is_module).count()
}

/// Hands out every path that `text` begins with: `a::{b, c::D}` are `a::b` and `a::c::D`.
fn spread(text: &str, before: &str, found: &mut impl FnMut(String)) -> usize {
    let length =
        text.find(|character: char| !(character.is_alphanumeric() || "_:".contains(character))).unwrap_or(text.len());
    let path = format!("{before}{}", &text[..length]);
    if !text[length..].starts_with('{') {
        found(path.trim_end_matches("::").to_owned());
        return length;
    }
    let mut at = length + 1;
    loop {
        at += text[at..].len() - text[at..].trim_start_matches([' ', '\n', ',', '*']).len();
        if at >= text.len() || text[at..].starts_with('}') {
            return (at + 1).min(text.len());
        }
        let taken = spread(&text[at..], &path, found);
        at += taken;
        // What is in the way is no path, for example a rename.
        if taken == 0 {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
        if let Some(renamed) = text[at..].strip_prefix(" as ") {
            at = text.len() - renamed.trim_start_matches(|name: char| name.is_alphanumeric() || name == '_').len();
        }
    }
}

fn assert_clean(check: impl Fn(&Source) -> Vec<String>) {
    let sources = sources();
    assert!(sources.len() > 30, "the sources were not found");
    let problems: Vec<String> = sources.iter().flat_map(check).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_export_is_a_guarded_c_function_of_ffi() {
    assert_clean(check_exports);
    let exports: usize = sources().iter().map(|source| words(&code(&source.text), "no_mangle").count()).sum();
    let symbols = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/abi/symbols.txt");
    assert_eq!(exports, fs::read_to_string(symbols).unwrap().lines().count());
}

#[test]
fn unsafe_code_is_at_the_border_and_where_forks_and_signals_are_met_only() {
    assert_clean(check_unsafe);
}

#[test]
fn modules_use_each_other_in_one_direction_only() {
    assert_clean(check_arrows);
}

#[test]
fn the_rooms_of_the_store_use_each_other_in_one_direction_only() {
    assert_clean(check_rooms);
}

#[test]
fn only_the_client_starts_threads() {
    assert_clean(check_threads);
}

#[test]
fn every_file_begins_by_saying_why_it_exists() {
    assert_clean(check_first_line);
}
