//! The `flagdata` program: prints and writes data sets and single changes. See `flagdata --help`.

mod arguments;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::{Command, HELP, Redis};
use flagdata::members;
use flagdata::store::{self, Change};
use flagdata::{Options, generate};

fn main() -> ExitCode {
    let command = match arguments::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(error) => return fail(&error.to_string(), 2),
    };
    match run(command) {
        Ok(text) => match io::stdout().write_all(text.as_bytes()) {
            // The reader has seen enough, as in `flagdata generate | head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(error) => fail(&error.to_string(), 1),
            Ok(()) => ExitCode::SUCCESS,
        },
        Err(error) => fail(&error.to_string(), 1),
    }
}

fn fail(message: &str, status: u8) -> ExitCode {
    // Nobody is left to tell when standard error is closed too.
    let _ = writeln!(io::stderr(), "flagdata: {message}");
    ExitCode::from(status)
}

/// Carries the command out and returns what it prints.
fn run(command: Command) -> Result<String, Box<dyn Error>> {
    match command {
        Command::Help => Ok(HELP.to_owned()),
        Command::Generate(options) => Ok(format!("{}\n", generate(&options).to_json())),
        Command::Fill(redis, options) => fill(&redis, &options),
        Command::Change(redis, flag, change) => write_change(&redis, &flag, &change),
        Command::BigSegments(redis, numbers, seed) => {
            members::fill(&mut connect(&redis)?, &redis.prefix, numbers, seed)?;
            let (segments, contexts) = numbers;
            Ok(format!("{segments} big segments with members among {contexts} users written under {}:\n", redis.prefix))
        }
        Command::Member(redis, line) => {
            members::apply(&mut connect(&redis)?, &redis.prefix, &[line])?;
            Ok(String::new())
        }
    }
}

fn fill(redis: &Redis, options: &Options) -> Result<String, Box<dyn Error>> {
    let data = generate(options);
    store::fill(&mut connect(redis)?, &redis.prefix, &data)?;
    let (flags, segments) = (data.flags.len(), data.segments.len());
    Ok(format!("{flags} flags and {segments} segments written under {}:\n", redis.prefix))
}

fn write_change(redis: &Redis, flag: &str, change: &Change) -> Result<String, Box<dyn Error>> {
    let written = store::change(&mut connect(redis)?, &redis.prefix, flag, change)?;
    Ok(format!("{} {}\n", written.version, written.unix_micros))
}

fn connect(redis: &Redis) -> redis::RedisResult<redis::Connection> {
    redis::Client::open(redis.url.as_str())?.get_connection()
}
