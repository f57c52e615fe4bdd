//! `make test` begins with the tests that are near to what changed: tools/changed.sh knows which, and leaves nothing out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod native;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use native::{cargo, root, run, work_dir};

/// Runs a function of tools/changed.sh as for the tree `of`.
fn asked(of: &Path, call: &str) -> String {
    let script = root().join("tools/changed.sh");
    let program = format!("set -uo pipefail; root=$1; . \"$2\"; {call}");
    // The cargo that runs this test, whatever it has told it.
    let path = format!("{}:{}", Path::new(env!("CARGO")).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    run(command.args(["-c", &program, "bash"]).arg(of).arg(script).env("PATH", path).env_remove("GIT_DIR"))
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

/// The names of all targets of tests in the workspace.
fn targets() -> BTreeSet<String> {
    let told = run(cargo().args(["metadata", "--no-deps", "--format-version", "1"]));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let packages = told["packages"].as_array().unwrap().iter();
    let targets = packages.flat_map(|package| package["targets"].as_array().unwrap());
    targets.filter(|one| one["kind"][0] == "test").map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn whatever_comes_first_every_target_runs_once() {
    let targets = targets();
    assert!(targets.len() > 20, "{targets:?}");
    for first in ["", "lib redis", "sources", "python dotnet", "none-such"] {
        let runs = asked(root(), &format!("rust_runs {first}"));
        let told: Vec<&str> = runs.split_whitespace().collect();
        let named: Vec<&str> = told.windows(2).filter(|pair| pair[0] == "--test").map(|pair| pair[1]).collect();
        assert_eq!(named.len(), targets.len(), "{first}: {runs}");
        assert_eq!(named.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), targets, "{first}");
        for kind in ["--lib", "--bins", "--doc"] {
            assert_eq!(told.iter().filter(|word| **word == kind).count(), 1, "{first}: {kind} in {runs}");
        }
    }
    assert_eq!(asked(root(), "rust_runs lib redis python").lines().next(), Some("--lib --test redis"));
    assert_eq!(asked(root(), "rust_runs python").lines().count(), 2);
}

#[test]
fn every_folder_of_the_sources_and_of_the_tests_has_tests_near_to_it() {
    let known = targets();
    let is_known = |word: &str| ["lib", "python", "dotnet"].contains(&word) || known.contains(word);
    for folder in ["src", "src/store", "src/store/redis", "tests", "tools/flagstone-cli/tests", "bindings", "examples"]
    {
        for entry in fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let is_test = folder.ends_with("tests") && name.ends_with(".rs");
            let is_programs = folder == "examples" && !["dotnet", "python"].contains(&name.as_str());
            if is_programs || !(entry.path().is_dir() || is_test) || ["support", "target"].contains(&name.as_str()) {
                continue;
            }
            let file = if is_test { format!("{folder}/{name}") } else { format!("{folder}/{name}/file") };
            let near = asked(root(), &format!("near {file}"));
            let is_of_another = ["tests/chaos/file", "tests/conan/file", "tests/peers/file"].contains(&file.as_str());
            assert!(
                is_of_another || !near.trim().is_empty() && words(&near).iter().all(|word| is_known(word)),
                "{file}: {near}"
            );
        }
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args([
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@localhost",
        "-c",
        "commit.gpgsign=false",
    ]);
    run(command.args(arguments).env_remove("GIT_DIR"));
}

fn write(folder: &Path, path: &str) {
    fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
    fs::write(folder.join(path), path).unwrap();
}

fn commit(folder: &Path, path: &str) {
    write(folder, path);
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", path]);
}

#[test]
fn what_changed_is_what_differs_from_main_or_from_the_state_before() {
    let folder = work_dir("changed");
    git(&folder, &["init", "--quiet", "--initial-branch", "main"]);
    commit(&folder, "src/lib.rs");
    assert_eq!(asked(&folder, "changed_files"), "", "a first state was made from nothing");
    commit(&folder, "src/events/queue.rs");
    assert_eq!(words(&asked(&folder, "changed_files")), words("src/events/queue.rs"));
    git(&folder, &["checkout", "--quiet", "-b", "branch"]);
    commit(&folder, "src/source/poll.rs");
    commit(&folder, "tests/redis/wipe.rs");
    write(&folder, "bindings/python/new.py");
    let expected = "src/source/poll.rs tests/redis/wipe.rs bindings/python/new.py";
    assert_eq!(words(&asked(&folder, "changed_files")), words(expected));
    assert_eq!(words(&asked(&folder, "near_changes")), words("connected lib python redis"));
    // What is no tree of its own is none of which git knows.
    assert_eq!(asked(&folder.join("src"), "changed_files"), "");
    fs::remove_dir_all(folder.join(".git")).unwrap();
    assert_eq!(asked(&folder, "near_changes"), "");
}
