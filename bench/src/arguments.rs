//! The command line, read into what it asks for. Depends on nothing.

use std::path::PathBuf;

/// What `--help` prints.
pub const HELP: &str = "\
flagstone-bench - measures libflagstone beside LaunchDarkly's Rust SDK and a bare Redis client

  --quick        few rounds and few changes: shows that everything works, not how fast it is
  --only LIST    some of: evaluation,events,all-flags,load,push,connected,memory,size
  --out PATH     where the table goes as well as to standard output
                 (results.md beside this program's sources; with --quick or --only: nowhere)

It starts a redis-server of its own, which must be in PATH, and needs no network.
";

/// A group of measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Nanoseconds per evaluation.
    Evaluation,
    /// What events add to an evaluation.
    Events,
    /// State of all flags as text.
    AllFlags,
    /// Start of a client to ready.
    Load,
    /// A write in one process to the new value in another.
    Push,
    /// What a data source delivers: a patch, a full data set, and evaluations meanwhile.
    Connected,
    /// Memory of held flags.
    Memory,
    /// Size of the library on disk.
    Size,
}

impl Section {
    const ALL: [Section; 8] = [
        Section::Evaluation,
        Section::Events,
        Section::AllFlags,
        Section::Load,
        Section::Push,
        Section::Connected,
        Section::Memory,
        Section::Size,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Section::Evaluation => "evaluation",
            Section::Events => "events",
            Section::AllFlags => "all-flags",
            Section::Load => "load",
            Section::Push => "push",
            Section::Connected => "connected",
            Section::Memory => "memory",
            Section::Size => "size",
        }
    }
}

/// What to measure.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// Few rounds.
    pub quick: bool,
    /// Which groups, in order.
    pub sections: Vec<Section>,
    /// File for the table.
    pub out: Option<PathBuf>,
}

/// What this process shall do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Print [`HELP`].
    Help,
    /// Measure.
    Measure(Plan),
    /// Be the process that writes changes, for the push measurement.
    Writer { url: String, prefix: String },
    /// Be the process that holds flags, for the memory measurement.
    Holder { url: String, prefix: String },
}

/// Reads the words after the program's name.
pub fn parse(words: impl Iterator<Item = String>) -> Result<Command, String> {
    let words: Vec<String> = words.collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--help" | "-h"] => return Ok(Command::Help),
        ["writer", url, prefix] => return Ok(Command::Writer { url: url.to_owned(), prefix: prefix.to_owned() }),
        ["holder", url, prefix] => return Ok(Command::Holder { url: url.to_owned(), prefix: prefix.to_owned() }),
        _ => {}
    }
    let (mut quick, mut only, mut out) = (false, None, None);
    let mut rest = words.into_iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--quick" => quick = true,
            "--only" => only = Some(sections(&rest.next().ok_or("--only: a list must follow")?)?),
            "--out" => out = Some(PathBuf::from(rest.next().ok_or("--out: a path must follow")?)),
            other => return Err(format!("unexpected `{other}`, see --help")),
        }
    }
    if out.is_none() && !quick && only.is_none() {
        out = Some(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/results.md")));
    }
    Ok(Command::Measure(Plan { quick, sections: only.unwrap_or_else(|| Section::ALL.to_vec()), out }))
}

fn sections(list: &str) -> Result<Vec<Section>, String> {
    let find = |name: &str| {
        let found = Section::ALL.into_iter().find(|section| section.name() == name);
        found.ok_or_else(|| format!("--only: there is no `{name}`"))
    };
    list.split(',').map(find).collect()
}
