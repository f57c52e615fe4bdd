//! The committed header is what the sources say, and its list of functions by type is that of what it declares.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "native/header.rs"]
mod header;

use std::collections::BTreeMap;
use std::path::Path;

/// What the list of functions stands for in `cbindgen.toml`.
const PLACE: &str = "@FUNCTIONS@\n";
/// Functions that are about no type.
const LIBRARY: &str = "the library";
/// Functions that are kept for old hosts alone.
const OLD: &str = "old names";

/// Functions for which C++ has something else: the code of an error is that of the outcome.
const WITHOUT_CPP: &[&str] = &["flagstone_error_code"];

/// The header as generated from `src/ffi`.
fn generated() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is readable");
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        // In the order in which a reader needs them.
        .with_src(root.join("src/ffi/version.rs"))
        .with_src(root.join("src/ffi/limits.rs"))
        .with_src(root.join("src/ffi/bytes.rs"))
        .with_src(root.join("src/ffi/error.rs"))
        .with_src(root.join("src/ffi/config.rs"))
        .with_src(root.join("src/ffi/test_data.rs"))
        .with_src(root.join("src/ffi/client.rs"))
        .with_src(root.join("src/ffi/credentials.rs"))
        .with_src(root.join("src/ffi/status.rs"))
        .with_src(root.join("src/ffi/context.rs"))
        .with_src(root.join("src/ffi/context_parts.rs"))
        .with_src(root.join("src/ffi/context_builder.rs"))
        .with_src(root.join("src/ffi/detail.rs"))
        .with_src(root.join("src/ffi/variation.rs"))
        .with_src(root.join("src/ffi/default.rs"))
        .with_src(root.join("src/ffi/variation_detail.rs"))
        .with_src(root.join("src/ffi/variation_many.rs"))
        .with_src(root.join("src/ffi/flag.rs"))
        .with_src(root.join("src/ffi/events.rs"))
        .with_src(root.join("src/ffi/migration.rs"))
        .with_src(root.join("src/ffi/all_flags.rs"))
        .with_src(root.join("src/ffi/subscribe.rs"))
        .with_src(root.join("src/ffi/big_segments.rs"))
        .with_src(root.join("src/ffi/notification.rs"))
        .with_src(root.join("src/ffi/listen.rs"))
        .generate()
        .expect("src/ffi is readable");
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).expect("the header is UTF-8");
    assert!(text.contains(PLACE));
    text.replace(PLACE, &index(&text))
}

/// The functions by type, in the order of the header, as lines of its opening comment.
fn index(text: &str) -> String {
    let types = types(text);
    let (mut groups, mut order) = (BTreeMap::<&str, Vec<String>>::new(), vec![LIBRARY]);
    for (comment, declaration) in header::documented(text) {
        let name = header::name_of(&declaration);
        let group = if comment.contains("The old name of") { OLD } else { type_of(&name, &declaration, &types) };
        if !order.contains(&group) {
            order.push(group);
        }
        groups.entry(group).or_default().push(name);
    }
    order.sort_by_key(|group| *group == OLD);
    order.iter().map(|group| lines(group, &groups[group])).collect()
}

/// The types whose names are in `text`, the longest names first.
fn types(text: &str) -> Vec<&str> {
    let names = text.lines().filter_map(|line| line.strip_prefix("typedef struct "));
    let mut types: Vec<&str> = names.filter_map(|rest| rest.split([' ', ';']).next()).collect();
    types.sort_by_key(|name| std::cmp::Reverse(name.len()));
    types
}

/// The type that a function is named after, or else takes first.
fn type_of<'t>(name: &str, declaration: &str, types: &[&'t str]) -> &'t str {
    let named = |known: &&&str| name.strip_prefix(**known).is_some_and(|rest| rest.starts_with('_'));
    let taken = declaration.split_once('(').map_or("", |(_, parameters)| parameters);
    let first = taken.split_whitespace().find(|word| *word != "const" && *word != "struct");
    types.iter().find(named).or_else(|| types.iter().find(|known| Some(**known) == first)).copied().unwrap_or(LIBRARY)
}

/// A group, with its names from the 34th column to the 120th at most.
fn lines(group: &str, names: &[String]) -> String {
    let (mut lines, mut line) = (String::new(), format!(" *   {group:<28}"));
    for (position, name) in names.iter().enumerate() {
        let comma = if position + 1 < names.len() { "," } else { "" };
        if line.len() + name.len() + comma.len() >= 120 {
            lines += &format!("{line}\n");
            line = format!(" *   {:<28}", "");
        }
        line += &format!(" {name}{comma}");
    }
    lines + &line + "\n"
}

#[test]
fn every_function_is_listed_once_under_the_type_that_it_is_about() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/flagstone.h")).unwrap();
    let start = text.find("FUNCTIONS, by the type").expect("the list has a heading");
    let list = &text[start..text.find(" * OWNERSHIP").expect("ownership follows it")];
    let mut listed: Vec<String> = list
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| header::functions(&text).iter().any(|name| name == word))
        .map(str::to_owned)
        .collect();
    listed.sort();
    assert_eq!(listed, header::functions(&text));
    for (group, name) in [
        ("flagstone_client", "flagstone_bool_variation"),
        ("flagstone_client", "flagstone_client_next_notification"),
        ("flagstone_context_builder", "flagstone_context_builder_set"),
        (LIBRARY, "flagstone_abi_version"),
        (OLD, "flagstone_poll_event"),
    ] {
        let from = list.find(&format!(" *   {group} ")).unwrap_or_else(|| unreachable!("no group {group}"));
        let line = list[from + 5..].split("\n *   f").next().unwrap();
        assert!(line.contains(name), "{group}: {line}");
    }
}

#[test]
fn the_committed_header_is_what_the_sources_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/flagstone.h");
    let generated = generated();
    if std::env::var_os("FLAGSTONE_UPDATE_HEADER").is_some() {
        std::fs::write(&path, &generated).expect("include/flagstone.h is writable");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/flagstone.h is out of date: FLAGSTONE_UPDATE_HEADER=1 cargo test --test header"
    );
}

#[test]
fn every_function_can_be_called_through_the_cpp_header() {
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let text = std::fs::read_to_string(include.join("flagstone.h")).unwrap();
    let parts = std::fs::read_dir(include.join("flagstone")).unwrap().map(|entry| entry.unwrap().path());
    let cpp: String =
        parts.chain([include.join("flagstone.hpp")]).map(|part| std::fs::read_to_string(part).unwrap()).collect();
    let called: Vec<&str> = cpp.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').collect();
    let without = |name: &str| {
        let comment =
            header::documented(&text).into_iter().find(|(_, declaration)| header::name_of(declaration) == name);
        comment.is_some_and(|(comment, _)| comment.contains("The old name of")) || WITHOUT_CPP.contains(&name)
    };
    let missing: Vec<String> = header::functions(&text)
        .into_iter()
        .filter(|name| !called.contains(&name.as_str()) && !without(name))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}
