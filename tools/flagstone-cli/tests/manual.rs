//! What is said about the program is so: examples of the documentation, completions, manual pages.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::Command;

use support::{Ran, flagstone, redis, root};

/// What may be anything in an expected line.
const ANYTHING: &str = "[..]";

fn fits(actual: &str, expected: &str) -> bool {
    let mut parts = expected.split(ANYTHING);
    let Some(mut rest) = actual.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (position, part) in parts.iter().enumerate() {
        if position + 1 == parts.len() {
            return rest.ends_with(part);
        }
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
    }
    rest.is_empty()
}

/// The commands of the `console` blocks with what they print, in order.
fn examples(text: &str) -> Vec<(String, Vec<String>)> {
    let mut examples: Vec<(String, Vec<String>)> = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        match line.strip_prefix("$ ") {
            _ if line.starts_with("```") => is_open = line == "```console",
            Some(command) if is_open => examples.push((command.to_owned(), Vec::new())),
            None if is_open => examples.last_mut().unwrap().1.push(line.to_owned()),
            _ => {}
        }
    }
    examples
}

/// Runs the examples of a page in order, with an empty Redis at hand, and compares what they print. Of those without a line of
/// output, where the page leaves it out, only the end counts.
fn run_examples(page: &str, leaves_out: bool) -> usize {
    let redis = redis();
    let bin = Path::new(env!("CARGO_BIN_EXE_flagstone")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let examples = examples(&text);
    let folder = support::file(&page.replace('/', "-"), "").parent().unwrap().to_owned();
    let flags = folder.join("examples/cli/flags.yaml");
    std::fs::create_dir_all(flags.parent().unwrap()).unwrap();
    std::fs::copy(support::examples(), &flags).unwrap();
    let mut exported = String::new();
    for (line, expected) in &examples {
        if line.starts_with("export ") {
            exported = format!("{exported}{line}\n");
            continue;
        }
        // It goes on until somebody ends it.
        let ending = if line.split('#').next().unwrap().trim_end().ends_with(" watch") { " --for 0.1" } else { "" };
        let line = line.split('#').next().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{exported}{line}{ending}")]).current_dir(&folder);
        let output = command.env("PATH", &path).env("FLAGSTONE_REDIS_URL", redis.url()).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        // The documentation is written where Redis is at its usual place.
        let told = told.replace(redis.url().trim_start_matches("redis://"), "localhost:6379");
        if leaves_out && expected.is_empty() {
            assert!(output.status.success(), "$ {line}\n{told}");
            continue;
        }
        let told: Vec<&str> = told.lines().collect();
        let is_so =
            told.len() == expected.len() && told.iter().zip(expected).all(|(told, expected)| fits(told, expected));
        assert!(is_so, "$ {line}\n{}\n--- but {page} says\n{}", told.join("\n"), expected.join("\n"));
    }
    examples.len()
}

#[test]
fn the_examples_of_the_documentation_print_what_it_says() {
    assert!(run_examples("docs/cli.md", false) >= 12);
}

#[test]
fn the_first_minute_of_the_readme_is_as_it_says() {
    assert!(run_examples("README.md", true) >= 5);
}

#[test]
fn every_command_and_exit_status_is_documented() {
    let help = Ran::of(flagstone().arg("--help").output().unwrap()).ended(0);
    let text = std::fs::read_to_string(root().join("docs/cli.md")).unwrap();
    let commands = help.split("Commands:").nth(1).unwrap().lines().skip(1).take_while(|line| line.starts_with("  "));
    for line in commands {
        let name = line.split_whitespace().next().unwrap();
        assert!(name == "help" || text.contains(&format!("`{name}`")), "{name}");
    }
    for status in ["0", "1", "2", "3", "4", "130"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(&format!("{status} "))), "{status}");
        assert!(text.contains(&format!("| {status} |")), "{status}");
    }
}

#[test]
fn shells_get_completions_and_the_manual_has_a_page_for_each_command() {
    for shell in ["bash", "zsh", "fish"] {
        let text = Ran::of(flagstone().args(["completions", shell]).output().unwrap()).ended(0);
        assert!(text.contains("doctor") && text.contains("json"), "{shell}");
    }
    let text = Ran::of(flagstone().args(["completions", "bash"]).output().unwrap()).ended(0);
    let script = support::file("completions.bash", &text);
    assert!(Command::new("bash").arg("-n").arg(script).status().unwrap().success());
    let page = Ran::of(flagstone().arg("man").output().unwrap()).ended(0);
    assert!(page.contains(".TH flagstone 1"), "{page}");
    let folder = support::file("pages", "").parent().unwrap().join("man1");
    Ran::of(flagstone().args(["man", "--out"]).arg(&folder).output().unwrap()).ended(0);
    for name in ["flagstone.1", "flagstone-eval.1", "flagstone-doctor.1"] {
        assert!(folder.join(name).is_file(), "{name}");
    }
}
