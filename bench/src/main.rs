//! Measures libflagstone: speed of an evaluation, time to load, delay of a push, memory, size. See the README beside it.
//!
//! Times are printed and never fail a run: they depend on the machine and on who else uses it. What fails a run is a
//! wrong answer.

mod all_flags;
mod arguments;
mod connected;
mod evaluation;
mod events;
mod flagstone;
mod heap;
mod load;
mod machine;
mod memory;
mod peers;
mod push;
mod report;
mod sink;
mod size;
mod timing;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::{Command, HELP, Plan, Section};
use flagdata::PrivateRedis;
use report::Row;

/// Any failure: each ends the run and is told on standard error.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let outcome = match arguments::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => io::stdout().write_all(HELP.as_bytes()).map_err(Into::into),
        Ok(Command::Measure(plan)) => measure(&plan),
        Ok(Command::Writer { url, prefix }) => push::write_on_demand(&url, &prefix),
        Ok(Command::Holder { url, prefix }) => memory::hold(&url, &prefix),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed too.
            let _ = writeln!(io::stderr(), "flagstone-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(plan: &Plan) -> Outcome<()> {
    let redis = PrivateRedis::start().map_err(|error| format!("redis-server: {error}"))?;
    let mut rows = Vec::new();
    for section in &plan.sections {
        progress(&format!("measuring {}", section.name()))?;
        rows.extend(run(*section, &redis, plan.quick)?);
    }
    let text = report::render(&machine::describe(&redis)?, &rows, plan.quick);
    io::stdout().write_all(text.as_bytes())?;
    if let Some(path) = &plan.out {
        std::fs::write(path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
        progress(&format!("written to {}", path.display()))?;
    }
    Ok(())
}

fn run(section: Section, redis: &PrivateRedis, quick: bool) -> Outcome<Vec<Row>> {
    match section {
        Section::Evaluation => evaluation::measure(redis, quick),
        Section::Events => events::measure(quick),
        Section::AllFlags => all_flags::measure(redis, quick),
        Section::Load => load::measure(redis, quick),
        Section::Push => push::measure(redis, quick),
        Section::Connected => connected::measure(redis, quick),
        Section::Memory => memory::measure(redis, quick),
        Section::Size => size::measure(),
    }
}

fn progress(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{text}")
}
