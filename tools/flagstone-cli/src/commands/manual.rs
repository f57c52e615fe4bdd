//! `completions` and `man`: what an installation puts beside the program.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::arguments::Arguments;
use crate::failure::{Failure, Verdict};
use crate::output::Output;

/// Completions for a shell.
pub fn completions(shell: Shell, output: &mut Output) -> Result<Verdict, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "flagstone", &mut text);
    output.raw(&text)?;
    Ok(Verdict::Fine)
}

/// The manual page; or one for the program and one for each command, into a directory.
pub fn pages(directory: Option<&Path>, output: &mut Output) -> Result<Verdict, Failure> {
    match directory {
        Some(directory) => {
            let failed = |error: io::Error| Failure::Away(format!("{}: {error}", directory.display()));
            fs::create_dir_all(directory).map_err(failed)?;
            clap_mangen::generate_to(Arguments::command(), directory).map_err(failed)?;
        }
        None => {
            let mut text = Vec::new();
            Man::new(Arguments::command()).render(&mut text)?;
            output.raw(&text)?;
        }
    }
    Ok(Verdict::Fine)
}
