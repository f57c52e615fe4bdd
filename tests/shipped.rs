//! The library that is tested is the one that ships: cargo turns the features of a dependency on for all that are built
//! together, so a tool or a test could change what the library does where it is tested, and there alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod native;

use std::collections::{BTreeMap, BTreeSet};

use native::{cargo, run};

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
    let alone = packages(&["--package", "flagstone", "--edges", "normal"]);
    assert!(alone.len() > 30 && alone.keys().any(|package| package.starts_with("serde_json ")), "{alone:?}");
    for (what, together) in [
        ("the tests", packages(&["--package", "flagstone", "--edges", "normal,dev"])),
        ("the workspace", packages(&["--workspace", "--edges", "normal"])),
        ("the workspace and its tests", packages(&["--workspace", "--edges", "normal,dev"])),
    ] {
        for (package, features) in &alone {
            assert_eq!(together.get(package), Some(features), "{package}, built with {what}");
        }
    }
}

/// The test above would see a difference.
#[test]
fn features_that_differ_are_seen() {
    let alone = packages(&["--package", "fakeld", "--edges", "normal"]);
    let together = packages(&["--workspace", "--edges", "normal"]);
    assert!(alone.iter().any(|(package, features)| together.get(package) != Some(features)), "fakeld's own differ");
}
