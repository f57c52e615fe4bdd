//! The program `flagstone`: flags in Redis and in files, looked at, explained, compared and moved, on a terminal and in scripts.
//!
//! | Module | Is |
//! |---|---|
//! | `arguments` | what may be written on the command line |
//! | `place` | where flags come from: Redis, or files |
//! | `item` | a flag or segment, as it is written there, and read |
//! | `commands` | one file a command |
//! | `row` | a flag or segment as a row of a list |
//! | `view` | the page of `view` |
//! | `interrupt` | Ctrl-C, where something must not be left half done |
//! | `words` | flags, explanations and differences in words |
//! | `output` | standard output: terminals, pipes, colours, tables, JSON |
//! | `failure` | what ends a command early, and the exit statuses |
//!
//! Everything that evaluates, reads and writes is the library `flagstone`, through its public interface.

mod arguments;
mod commands;
mod failure;
mod interrupt;
mod item;
mod output;
mod place;
mod row;
mod view;
mod words;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::Arguments;
use output::Output;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut output = Output::new(&arguments.look);
    let outcome = commands::run(arguments.command, &arguments.at, &mut output);
    failure::status(outcome.and_then(|verdict| output.finish().map(|()| verdict)), &output)
}
