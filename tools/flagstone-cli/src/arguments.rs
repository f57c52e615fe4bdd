//! What may be written on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

const AFTER_HELP: &str = "\
Exit status:
  0    done
  1    something is to be looked at: data that differ, items that are bad
  2    the command line, a context or an option makes no sense
  3    Redis or a file cannot be read or written
  4    there is no such flag, or there are no flags at all
  130  ended by Ctrl-C

The password for Redis is taken from FLAGSTONE_REDIS_PASSWORD, or from the URL.
The environment variables NO_COLOR and TERM=dumb switch colours off.";

const VIEW_HELP: &str = "\
The environment variable FLAGSTONE_VIEW_TOKEN is a token that whoever looks must show. Where others than this machine can
reach the page there must be one.";

/// No wait is longer.
pub const LONGEST_SECONDS: f64 = 1e6;

/// Looks at feature flags in Redis and in files, explains evaluations, compares, exports and imports.
#[derive(Debug, Parser)]
#[command(name = "flagstone", version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub at: At,
    #[command(flatten)]
    pub look: Look,
    #[command(subcommand)]
    pub command: Command,
}

/// Where flags come from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where flags are")]
pub struct At {
    /// Redis, for example redis://localhost:6379 or rediss://host/1
    #[arg(long, global = true, value_name = "URL", env = "FLAGSTONE_REDIS_URL", hide_env_values = true)]
    pub url: Option<String>,
    /// What the names of the keys begin with [default: launchdarkly]
    #[arg(long, global = true, value_name = "PREFIX", env = "FLAGSTONE_REDIS_PREFIX")]
    pub prefix: Option<String>,
    /// A file of flags (JSON or YAML) instead of Redis; may be given more than once
    #[arg(long, global = true, value_name = "PATH")]
    pub file: Vec<PathBuf>,
    /// User who logs in
    #[arg(long, global = true, value_name = "USER", env = "FLAGSTONE_REDIS_USERNAME")]
    pub username: Option<String>,
    /// Read from the environment alone: a command line is seen by everybody on the machine.
    #[arg(skip = Secret::from_environment())]
    pub password: Option<Secret>,
    /// Any option of the library, for example redis.tls.ca_file=/etc/ca.pem
    #[arg(short = 'o', long = "option", global = true, value_name = "NAME=VALUE")]
    pub options: Vec<String>,
    /// Longest time to wait for Redis or a file, in seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub timeout: f64,
}

/// A text that is never shown.
#[derive(Clone)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl Secret {
    fn from_environment() -> Option<Self> {
        std::env::var("FLAGSTONE_REDIS_PASSWORD").ok().map(Self)
    }
}

/// What the output looks like.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct Look {
    /// Prints JSON, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// Whether to use colours
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: Color,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On terminals
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// One a command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists flags as a table
    Flags(Flags),
    /// Shows one flag, its targeting in words
    Show(Show),
    /// Evaluates a flag for a context, and explains the result
    Eval(Eval),
    /// Tells of changes as they happen
    Watch(Watch),
    /// Serves a page to look at flags, changes and health in a browser
    View(View),
    /// Examines Redis, rights and data, and says what is wrong
    Doctor,
    /// Compares two places, item by item
    Diff(Diff),
    /// Writes flags and segments to a file or standard output
    Export(Export),
    /// Writes flags and segments of a file to Redis
    Import(Import),
    /// Checks every flag and segment, and says what is wrong with which
    Verify(Verify),
    /// Measures reads and evaluations
    Bench(Bench),
    /// Prints completions for a shell
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Prints the manual page, or writes one for each command
    Man {
        /// Directory to write to
        #[arg(long, value_name = "DIRECTORY")]
        out: Option<PathBuf>,
    },
}

/// Of `flags`.
#[derive(Debug, Args)]
pub struct Flags {
    /// Only flags whose key contains this text, or matches it with * and ?
    pub pattern: Option<String>,
    /// Only flags that are on
    #[arg(long, conflicts_with = "off")]
    pub on: bool,
    /// Only flags that are off
    #[arg(long)]
    pub off: bool,
    /// Only flags with rules, targets, prerequisites or a rollout
    #[arg(long)]
    pub targeted: bool,
    /// Only flags that refer to this segment or flag, directly
    #[arg(long, value_name = "KEY")]
    pub uses: Option<String>,
    /// Only flags that cannot be read
    #[arg(long)]
    pub bad: bool,
    /// Segments instead of flags
    #[arg(long, conflicts_with_all = ["on", "off", "targeted"])]
    pub segments: bool,
    /// Only keys, one a line
    #[arg(long, short)]
    pub quiet: bool,
}

/// Of `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// Key of the flag
    pub key: String,
    /// A segment instead of a flag
    #[arg(long)]
    pub segment: bool,
    /// Prints the text as it is stored
    #[arg(long)]
    pub raw: bool,
}

/// Who is asking.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Who {
    /// Context as JSON; @FILE reads a file, - standard input
    #[arg(long, short, value_name = "JSON")]
    pub context: Option<String>,
    /// Key of a user, instead of a context
    #[arg(long, short, value_name = "KEY")]
    pub user: Option<String>,
}

/// Of `eval`.
#[derive(Debug, Args)]
pub struct Eval {
    /// Key of the flag
    pub key: String,
    #[command(flatten)]
    pub who: Who,
    /// Says what was looked at, step by step
    #[arg(long, short)]
    pub explain: bool,
}

/// Of `watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// Only flags whose key contains this text, or matches it with * and ?
    pub pattern: Option<String>,
    /// Ends after so many changes
    #[arg(long, value_name = "NUMBER")]
    pub count: Option<u64>,
    /// Ends after so many seconds
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    pub seconds: Option<f64>,
}

/// Of `view`.
#[derive(Debug, Args)]
#[command(after_help = VIEW_HELP)]
pub struct View {
    /// Address and port of the page; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = address)]
    pub listen: SocketAddr,
    /// A name by which browsers come, beside addresses; may be given more than once
    #[arg(long = "name", value_name = "NAME")]
    pub names: Vec<String>,
}

/// Of `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// A file, a prefix, or PREFIX@URL
    pub before: String,
    /// The same; the place that the options name if it is left out
    pub after: Option<String>,
    /// Counts only, no items
    #[arg(long)]
    pub summary: bool,
}

/// Of `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// File to write; standard output without one
    pub to: Option<PathBuf>,
}

/// Of `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// File of flags and segments, JSON or YAML; - is standard input
    pub from: PathBuf,
    /// Writes without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Also writes items that are older than what is there
    #[arg(long)]
    pub force: bool,
    /// Removes what the file does not have
    #[arg(long)]
    pub replace: bool,
    /// Says what would be written, and writes nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// A file, a prefix, or PREFIX@URL; the place that the options name if it is left out
    pub place: Option<String>,
    /// Also lists what is good
    #[arg(long)]
    pub all: bool,
}

/// Of `bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// Only flags whose key contains this text, or matches it with * and ?
    pub pattern: Option<String>,
    /// Context as JSON; @FILE reads a file, - standard input
    #[arg(long, short, value_name = "JSON", default_value = r#"{"kind":"user","key":"bench"}"#)]
    pub context: String,
    /// How long to evaluate
    #[arg(long = "for", value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub seconds: f64,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an address and a port, such as 127.0.0.1:8090 or [::1]:8090".to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=LONGEST_SECONDS).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to a million".to_owned()),
    }
}
