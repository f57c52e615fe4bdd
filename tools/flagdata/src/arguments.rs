//! The command line, read into what it asks for. Depends on the library's options alone: it opens nothing.

use std::fmt;
use std::str::FromStr;

use flagdata::Options;
use flagdata::members::{Line, Membership};
use flagdata::store::Change;

/// What `--help` prints.
pub const HELP: &str = "\
flagdata - LaunchDarkly-format flags and segments, the same on every machine

USAGE
  flagdata generate [DATA OPTIONS]
        Print {\"flags\":{..},\"segments\":{..}}.
  flagdata fill --redis URL [--prefix P] [DATA OPTIONS]
        Replace everything under the prefix with that data, in one transaction.
  flagdata set --redis URL [--prefix P] FLAG --json-patch JSON
  flagdata set --redis URL [--prefix P] FLAG --fallthrough N
        Change one flag and raise its version: merge a JSON object into it (null removes a property),
        or serve variation N to whoever no target and no rule matches. Prints the new version, a space,
        and the microseconds since 1970 at the moment just before the write was sent.
  flagdata delete --redis URL [--prefix P] FLAG
        Replace one flag with a tombstone of the next version. Prints the same.
  flagdata big-segments --redis URL [--prefix P] [--segments N] [--contexts N] [--seed N]
        Add big segments big-0, big-1 .., a flag in-big-0 .. for each, and users user-0 .. (100), half of whom are members
        of each; everything else stays.
  flagdata member --redis URL [--prefix P] CONTEXT --of SEGMENT.gN [--exclude | --forget]
        Put the context with this key into a big segment, or out of it, or leave it to the rules.

REDIS
  --redis URL       redis://host:port[/database]; there is no default, so that nothing is overwritten by accident
  --prefix P        first part of the keys P:features, P:segments, P:$inited and P:big_segment... (launchdarkly)

DATA OPTIONS
  --flags N         number of flags, deleted ones included (200)
  --segments N      number of segments, deleted ones included (20)
  --seed N          seed of what is chosen at random; equal options give equal bytes (2015)
  --bytes N         grow every flag to about N bytes with more targets and rules, which match nobody
  --no-regex        no `matches` clauses
  --shape S         mixed (default): every operator, reason, target, rollout and tombstone there is; or N boolean
                    flags of one kind: off, fallthrough, target, rule (also: one-rule), rollout, prerequisite, segment

EXIT STATUS
  0 done, 1 not done, 2 the command line makes no sense
";

/// A complete command.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Print [`HELP`].
    Help,
    /// Print a data set.
    Generate(Options),
    /// Write a data set to Redis.
    Fill(Redis, Options),
    /// Change one flag in Redis.
    Change(Redis, String, Change),
    /// Add so many big segments with members among so many users, by this seed.
    BigSegments(Redis, (usize, usize), u64),
    /// Change what one context is in one big segment.
    Member(Redis, Line),
}

/// Where the data are.
#[derive(Debug, PartialEq)]
pub struct Redis {
    /// The server's URL.
    pub url: String,
    /// First part of each key.
    pub prefix: String,
}

/// Why the command line makes no sense.
#[derive(Debug, PartialEq)]
pub enum UsageError {
    /// No command, or one that does not exist.
    Command(String),
    /// An option that the command does not have, or a word too many.
    Unexpected(String),
    /// Something that the command needs.
    Missing(&'static str),
    /// An option's value that cannot be read.
    Value(String, String),
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UsageError::Command(name) => write!(f, "unknown command `{name}`, see flagdata --help"),
            UsageError::Unexpected(word) => write!(f, "unexpected `{word}`, see flagdata --help"),
            UsageError::Missing(what) => write!(f, "missing {what}, see flagdata --help"),
            UsageError::Value(option, why) => write!(f, "{option}: {why}"),
        }
    }
}

/// Everything that may follow a command, before it is known which command needs what.
#[derive(Default)]
struct Words {
    data: Options,
    data_option: Option<String>,
    shared_option: Option<String>,
    redis: Option<String>,
    prefix: Option<String>,
    flag: Option<String>,
    change: Option<Change>,
    contexts: Option<usize>,
    reference: Option<String>,
    membership: Option<Membership>,
}

/// Reads the words after the program's name.
pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Command, UsageError> {
    let name = words.next().ok_or(UsageError::Missing("a command"))?;
    if name == "--help" || name == "-h" || name == "help" {
        return Ok(Command::Help);
    }
    if !["generate", "fill", "set", "delete", "big-segments", "member"].contains(&name.as_str()) {
        return Err(UsageError::Command(name));
    }
    let mut read = Words::default();
    while let Some(word) = words.next() {
        if word == "--help" {
            return Ok(Command::Help);
        }
        read.take(&word, &mut words)?;
    }
    read.into_command(&name)
}

impl Words {
    fn take(&mut self, word: &str, rest: &mut impl Iterator<Item = String>) -> Result<(), UsageError> {
        match word {
            "--redis" => self.redis = Some(text(word, rest)?),
            "--prefix" => self.prefix = Some(text(word, rest)?),
            "--json-patch" => self.set_change(word, Change::Patch(value(word, rest)?))?,
            "--fallthrough" => self.set_change(word, Change::Fallthrough(value(word, rest)?))?,
            "--contexts" => self.contexts = Some(value(word, rest)?),
            "--of" => self.reference = Some(text(word, rest)?),
            "--exclude" => self.set_membership(word, Membership::Excluded)?,
            "--forget" => self.set_membership(word, Membership::Unknown)?,
            "--flags" => self.data.flags = self.data_value(word, rest)?,
            "--segments" => self.data.segments = self.data_value(word, rest)?,
            "--seed" => self.data.seed = self.data_value(word, rest)?,
            "--bytes" => self.data.bytes = Some(self.data_value(word, rest)?),
            "--shape" => self.data.shape = self.data_value::<flagdata::Shape>(word, rest)?,
            "--no-regex" => {
                self.data_option = Some(word.to_owned());
                self.data.regex = false;
            }
            flag if !flag.starts_with("--") && self.flag.is_none() => self.flag = Some(flag.to_owned()),
            other => return Err(UsageError::Unexpected(other.to_owned())),
        }
        Ok(())
    }

    fn set_change(&mut self, word: &str, change: Change) -> Result<(), UsageError> {
        match self.change.replace(change) {
            None => Ok(()),
            Some(_) => Err(UsageError::Unexpected(word.to_owned())),
        }
    }

    fn set_membership(&mut self, word: &str, membership: Membership) -> Result<(), UsageError> {
        match self.membership.replace(membership) {
            None => Ok(()),
            Some(_) => Err(UsageError::Unexpected(word.to_owned())),
        }
    }

    fn data_value<T: FromStr<Err: fmt::Display>>(
        &mut self,
        word: &str,
        rest: &mut impl Iterator<Item = String>,
    ) -> Result<T, UsageError> {
        // Segments and seeds are of big segments, too.
        let is_shared = word == "--segments" || word == "--seed";
        let place = if is_shared { &mut self.shared_option } else { &mut self.data_option };
        *place = Some(word.to_owned());
        value(word, rest)
    }

    fn into_command(mut self, name: &str) -> Result<Command, UsageError> {
        let for_data = name == "generate" || name == "fill";
        let shared_option = self.shared_option.take().filter(|_| name != "big-segments");
        if let Some(option) = self.data_option.take().or(shared_option).filter(|_| !for_data) {
            return Err(UsageError::Unexpected(option));
        }
        self.check_members(name)?;
        if for_data && let Some(flag) = self.flag {
            return Err(UsageError::Unexpected(flag));
        }
        if name == "generate" {
            return match self.redis.or(self.prefix) {
                Some(word) => Err(UsageError::Unexpected(word)),
                None => Ok(Command::Generate(self.data)),
            };
        }
        let redis = Redis {
            url: self.redis.ok_or(UsageError::Missing("--redis URL"))?,
            prefix: self.prefix.filter(|prefix| !prefix.is_empty()).unwrap_or_else(|| "launchdarkly".to_owned()),
        };
        if for_data {
            return Ok(Command::Fill(redis, self.data));
        }
        if name == "big-segments" {
            let contexts = self.contexts.unwrap_or(100);
            return match self.flag {
                Some(word) => Err(UsageError::Unexpected(word)),
                None => Ok(Command::BigSegments(redis, (self.data.segments, contexts), self.data.seed)),
            };
        }
        if name == "member" {
            let context = self.flag.ok_or(UsageError::Missing("the key of a context"))?;
            let reference = self.reference.ok_or(UsageError::Missing("--of SEGMENT.gN"))?;
            let membership = self.membership.unwrap_or(Membership::Included);
            return Ok(Command::Member(redis, Line { context, reference, membership }));
        }
        let flag = self.flag.ok_or(UsageError::Missing("the key of a flag"))?;
        match (name, self.change) {
            ("delete", None) => Ok(Command::Change(redis, flag, Change::Delete)),
            ("delete", Some(_)) => Err(UsageError::Unexpected("a change".to_owned())),
            (_, Some(change)) => Ok(Command::Change(redis, flag, change)),
            (_, None) => Err(UsageError::Missing("--json-patch JSON or --fallthrough N")),
        }
    }
}

impl Words {
    /// Options of the commands about big segments, for others.
    fn check_members(&self, name: &str) -> Result<(), UsageError> {
        let of_member = self.reference.is_some() || self.membership.is_some();
        if self.contexts.is_some() && name != "big-segments" || of_member && name != "member" {
            return Err(UsageError::Unexpected("an option about big segments".to_owned()));
        }
        match &self.change {
            Some(_) if name == "member" || name == "big-segments" => Err(UsageError::Unexpected("a change".to_owned())),
            _ => Ok(()),
        }
    }
}

fn text(option: &str, rest: &mut impl Iterator<Item = String>) -> Result<String, UsageError> {
    rest.next().ok_or_else(|| UsageError::Value(option.to_owned(), "a value must follow".to_owned()))
}

fn value<T: FromStr<Err: fmt::Display>>(
    option: &str,
    rest: &mut impl Iterator<Item = String>,
) -> Result<T, UsageError> {
    let text = text(option, rest)?;
    text.parse().map_err(|error: T::Err| UsageError::Value(option.to_owned(), format!("`{text}`: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use flagdata::Shape;

    fn read(line: &str) -> Result<Command, UsageError> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn generate_takes_every_data_option() {
        let line = "generate --flags 10 --segments 2 --seed 3 --bytes 2048 --no-regex --shape one-rule";
        let options = Options { flags: 10, segments: 2, seed: 3, bytes: Some(2048), regex: false, shape: Shape::Rule };
        assert_eq!(read(line), Ok(Command::Generate(options)));
    }

    #[test]
    fn set_takes_exactly_one_change() {
        let redis = Redis { url: "redis://h:1".to_owned(), prefix: "p".to_owned() };
        let change = Change::Fallthrough(2);
        let line = "set --redis redis://h:1 --prefix p some.flag --fallthrough 2";
        assert_eq!(read(line), Ok(Command::Change(redis, "some.flag".to_owned(), change)));
        assert!(read(&format!("{line} --json-patch {{}}")).is_err());
        assert!(read("set --redis redis://h:1 some.flag").is_err());
    }

    #[test]
    fn big_segments_and_members_take_their_options_and_no_others() {
        let redis = || Redis { url: "u".to_owned(), prefix: "launchdarkly".to_owned() };
        let line = "big-segments --redis u --segments 3 --contexts 7 --seed 9";
        assert_eq!(read(line), Ok(Command::BigSegments(redis(), (3, 7), 9)));
        for (option, membership) in
            [("", Membership::Included), ("--exclude", Membership::Excluded), ("--forget", Membership::Unknown)]
        {
            let line = Line { context: "ada".to_owned(), reference: "vip.g7".to_owned(), membership };
            assert_eq!(read(&format!("member --redis u ada --of vip.g7 {option}")), Ok(Command::Member(redis(), line)));
        }
        for line in [
            "member --redis u ada",
            "member --redis u --of vip.g7",
            "member --redis u ada --of vip.g7 --exclude --forget",
            "member --redis u ada --of vip.g7 --seed 3",
            "member --redis u ada --of vip.g7 --fallthrough 1",
            "big-segments --redis u ada",
            "big-segments --redis u --flags 3",
            "big-segments --redis u --exclude",
            "fill --redis u --contexts 3",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn an_option_of_another_command_is_refused() {
        assert_eq!(read("delete --redis u f --flags 3"), Err(UsageError::Unexpected("--flags".to_owned())));
        assert_eq!(read("generate --redis u"), Err(UsageError::Unexpected("u".to_owned())));
        assert_eq!(read("fill"), Err(UsageError::Missing("--redis URL")));
        assert_eq!(read("generate --colour"), Err(UsageError::Unexpected("--colour".to_owned())));
    }

    #[test]
    fn a_value_that_cannot_be_read_is_named() {
        let error = read("generate --shape round").map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "--shape: `round`: unknown shape `round`");
    }

    #[test]
    fn an_empty_prefix_means_the_default_one() {
        let words = ["fill", "--redis", "u", "--prefix", ""].map(str::to_owned);
        let redis = Redis { url: "u".to_owned(), prefix: "launchdarkly".to_owned() };
        assert_eq!(parse(words.into_iter()), Ok(Command::Fill(redis, Options::default())));
    }
}
