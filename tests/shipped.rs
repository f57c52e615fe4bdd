//! The library that is tested is the one that ships: cargo turns the features of a dependency on for all that are built
//! together, so a tool or a test could change what the library does where it is tested, and there alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod native;

use std::collections::{BTreeMap, BTreeSet};

use native::{build_of_the_library, cargo, run};

/// What cargo builds for these arguments: each package with its features.
fn packages(arguments: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut command = cargo();
    command.args(["tree", "--quiet", "--offline", "--prefix", "none", "--format", "{p}|{f}"]).args(arguments);
    let mut packages = BTreeMap::<String, BTreeSet<String>>::new();
    for line in run(&mut command).lines().filter(|line| !line.is_empty()) {
        let (package, features) = line.trim_end_matches(" (*)").split_once('|').unwrap();
        packages.entry(package.to_owned()).or_default().insert(features.to_owned());
    }
    packages
}

#[test]
fn what_the_library_depends_on_has_the_same_features_whatever_is_built_with_it() {
    let alone = packages(&["--package", "flagstone-capi", "--edges", "normal"]);
    assert!(alone.len() > 30 && alone.keys().any(|package| package.starts_with("serde_json ")), "{alone:?}");
    for (what, together) in [
        ("the tests", packages(&["--package", "flagstone", "--edges", "normal,dev"])),
        ("the workspace", packages(&["--workspace", "--edges", "normal"])),
        ("the workspace and its tests", packages(&["--workspace", "--edges", "normal,dev"])),
    ] {
        for (package, features) in alone.iter().filter(|(package, _)| !package.starts_with("flagstone-capi ")) {
            assert_eq!(together.get(package), Some(features), "{package}, built with {what}");
        }
    }
}

/// It takes a minute, and a library of which nothing was tested could be what comes out.
#[test]
fn the_library_for_c_is_made_of_what_the_tests_are_linked_with() {
    let mut command = build_of_the_library();
    let told = run(command.args(["--message-format", "json"]));
    let engine: Vec<&str> = told
        .lines()
        .filter(|line| line.contains(r#""reason":"compiler-artifact""#) && line.contains(r#""kind":["lib"]"#))
        .filter(|line| line.contains(r#""name":"flagstone""#))
        .collect();
    assert_eq!(engine.len(), 1, "{told}");
    assert!(engine[0].contains(r#""fresh":true"#), "{}", engine[0]);
}

/// The first test would see a difference.
#[test]
fn features_that_differ_are_seen() {
    let alone = packages(&["--package", "fakeld", "--edges", "normal"]);
    let together = packages(&["--workspace", "--edges", "normal"]);
    assert!(alone.iter().any(|(package, features)| together.get(package) != Some(features)), "fakeld's own differ");
}
