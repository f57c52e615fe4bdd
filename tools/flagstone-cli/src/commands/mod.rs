//! One file a command. Each reads a place, judges, and prints for people or for programs.

mod bench;
mod diff;
mod doctor;
mod eval;
mod export;
mod flags;
mod import;
mod manual;
mod show;
pub mod verify;
mod view;
mod watch;

use std::io::Read as _;

use flagstone::context::Context;

use crate::arguments::{At, Command};
use crate::failure::{Failure, Verdict};
use crate::output::Output;
use crate::place::Place;

/// Carries a command out.
pub fn run(command: Command, at: &At, output: &mut Output) -> Result<Verdict, Failure> {
    let place = Place::of(at);
    match command {
        Command::Flags(what) => flags::run(&what, &place, output),
        Command::Show(what) => show::run(&what, &place, output),
        Command::Eval(what) => eval::run(&what, &place, output),
        Command::Watch(what) => watch::run(&what, &place, output),
        Command::View(what) => view::run(&what, &place, output),
        Command::Doctor => doctor::run(&place, output),
        Command::Diff(what) => diff::run(&what, at, output),
        Command::Export(what) => export::run(&what, &place, output),
        Command::Import(what) => import::run(&what, &place, output),
        Command::Verify(what) => verify::run(&what, at, output),
        Command::Bench(what) => bench::run(&what, &place, output),
        Command::Completions { shell } => manual::completions(shell, output),
        Command::Man { out } => manual::pages(out.as_deref(), output),
    }
}

/// A context from JSON, from a file after an `@`, or from standard input.
fn context(text: &str) -> Result<Context, Failure> {
    let failed = |error: std::io::Error| Failure::Away(format!("the context cannot be read: {error}"));
    let json = match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(failed)?,
        None if text == "-" => {
            let mut json = String::new();
            std::io::stdin().read_to_string(&mut json).map_err(failed)?;
            json
        }
        None => text.to_owned(),
    };
    Context::from_json(&json).map_err(|error| {
        Failure::Usage(format!("this is no context: {error}; one is for example {}", r#"{"kind":"user","key":"ada"}"#))
    })
}

/// Keys that are a little like one that is not there.
fn like<'a>(key: &str, keys: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 3;
    let parts: Vec<String> =
        key.split(['-', '_', '.', ' ']).filter(|part| part.len() > 2).map(str::to_lowercase).collect();
    let mut alike: Vec<(usize, &str)> = keys
        .map(|other| (parts.iter().filter(|part| other.to_lowercase().contains(part.as_str())).count(), other))
        .filter(|(count, _)| *count > 0)
        .collect();
    alike.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(other.1)));
    let names: Vec<String> = alike.iter().take(MOST).map(|(_, key)| format!("{key:?}")).collect();
    if names.is_empty() { String::new() } else { format!("; there is {}", names.join(", ")) }
}
