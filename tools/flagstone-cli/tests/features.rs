//! The library is compiled once, whatever is built with it: it and all that it depends on have the same features alone and
//! beside the program. Otherwise each change from one to the other compiles everything anew.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use support::root;

/// Packages with the features that they are compiled with, as far as `package` needs them.
fn compiled_for(package: &str) -> BTreeSet<String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--offline", "--edges", "normal,build", "--prefix", "none", "--format", "{p} [{f}]"]);
    let output = command.args(["--package", package]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

#[test]
fn the_library_has_the_same_features_beside_the_program() {
    let (alone, beside) = (compiled_for("flagstone"), compiled_for("flagstone-cli"));
    let differing: Vec<&String> = alone.difference(&beside).collect();
    assert!(alone.len() > 50 && differing.is_empty(), "other features beside the program: {differing:?}");
}
