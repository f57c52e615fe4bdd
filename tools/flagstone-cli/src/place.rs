//! Where flags come from: an environment in Redis, or files. What is common to all commands that read.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flagstone::client::Event;
use flagstone::client::{Client, Config, Polled};
use flagstone::model::Kind;
use flagstone::store::{Contents, Depot, Entry, Level, Snapshot, StoreState};

use crate::arguments::At;
use crate::failure::Failure;
use crate::item::Item;
use crate::output::Output;

/// How names of files end that hold flags.
const FILE_ENDINGS: &[&str] = &["json", "yaml", "yml"];
/// What is asked of Redis takes so long at most where it answers; the whole set may take several.
const SHORTEST_COMMAND: Duration = Duration::from_millis(100);
/// A file is looked after so often until it has been read.
const TURN: Duration = Duration::from_millis(1);

/// What a server says to whoever has not logged in as he should.
const LOGINS: [&str; 2] = ["NOAUTH", "WRONGPASS"];
const WHO: &str = "; --username and FLAGSTONE_REDIS_PASSWORD say who logs in";
const WHERE: &str = "; --url or FLAGSTONE_REDIS_URL says where Redis is";

/// A place with flags.
#[derive(Debug, Clone)]
pub enum Place {
    /// An environment in Redis.
    Redis(At),
    /// Files, which are merged.
    Files(Vec<PathBuf>, At),
}

/// Everything that a place holds.
#[derive(Debug)]
pub struct Held {
    /// Flags, by key.
    pub flags: Vec<Item>,
    /// Segments, by key.
    pub segments: Vec<Item>,
    /// Somebody has written a full data set; none where nobody can tell, as of a file.
    pub inited: Option<bool>,
}

impl Held {
    /// All items, flags first.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.flags.iter().chain(&self.segments)
    }

    /// An item by its key.
    pub fn find(&self, kind: Kind, key: &str) -> Option<&Item> {
        let items = self.of(kind);
        items.binary_search_by(|item| item.key.as_str().cmp(key)).ok().and_then(|at| items.get(at))
    }

    /// The items of a kind.
    pub fn of(&self, kind: Kind) -> &[Item] {
        match kind {
            Kind::Flag => &self.flags,
            Kind::Segment => &self.segments,
        }
    }

    fn sorted(mut self) -> Self {
        self.flags.sort_by(|one, other| one.key.cmp(&other.key));
        self.segments.sort_by(|one, other| one.key.cmp(&other.key));
        self
    }
}

impl From<Contents> for Held {
    fn from(contents: Contents) -> Self {
        let of = |kind, fields: Vec<(Vec<u8>, Vec<u8>)>| {
            fields.into_iter().map(|(field, text)| Item::new(kind, field, text)).collect()
        };
        let (flags, segments) = (of(Kind::Flag, contents.flags), of(Kind::Segment, contents.segments));
        Self { flags, segments, inited: contents.inited }.sorted()
    }
}

impl From<&Snapshot> for Held {
    fn from(data: &Snapshot) -> Self {
        let of = |kind, key: &str, text: &[u8]| Item::new(kind, key.into(), text.to_vec());
        let flags = data.flags.iter().map(|(key, entry)| of(Kind::Flag, key, Entry::text(entry))).collect();
        let segments = data.segments.iter().map(|(key, entry)| of(Kind::Segment, key, Entry::text(entry))).collect();
        Self { flags, segments, inited: None }.sorted()
    }
}

impl Place {
    /// The place that the options name.
    pub fn of(at: &At) -> Self {
        if at.file.is_empty() { Self::Redis(at.clone()) } else { Self::Files(at.file.clone(), at.clone()) }
    }

    /// A place that is written as one word: a file, a prefix, or `PREFIX@URL`; the options say the rest.
    pub fn parse(word: &str, at: &At) -> Self {
        let mut at = At { file: Vec::new(), ..at.clone() };
        // Before the scheme: behind it, an @ ends a login.
        let split = word.find("://").and_then(|scheme| word.get(..scheme)).map(|before| before.rsplit_once('@'));
        match split {
            Some(Some((prefix, _))) => {
                at.url = word.get(prefix.len() + 1..).map(str::to_owned);
                at.prefix = Some(prefix.to_owned());
            }
            Some(None) => at.url = Some(word.to_owned()),
            None if is_file(word) => return Self::Files(vec![PathBuf::from(word)], at),
            None => at.prefix = Some(word.to_owned()),
        }
        Self::Redis(at)
    }

    fn at(&self) -> &At {
        match self {
            Self::Redis(at) | Self::Files(_, at) => at,
        }
    }

    /// The longest time to wait.
    pub fn patience(&self) -> Duration {
        Duration::from_secs_f64(self.at().timeout)
    }

    /// The options of a client that reads this place.
    pub fn config(&self) -> Result<Config, Failure> {
        let mut config = Config::default();
        config.set("log.level", "warn")?;
        config.set("notifications.capacity", "100000")?;
        match self {
            Self::Redis(at) => {
                let limit = self.patience().max(SHORTEST_COMMAND).as_millis().to_string();
                config.set("redis.connect_timeout_ms", &limit)?;
                config.set("redis.command_timeout_ms", &limit)?;
                set(&mut config, "redis.url", at.url.as_deref())?;
                set(&mut config, "redis.prefix", at.prefix.as_deref())?;
                set(&mut config, "redis.username", at.username.as_deref())?;
                set(&mut config, "redis.password", at.password.as_ref().map(|password| password.0.as_str()))?;
            }
            Self::Files(paths, _) => {
                let names = paths.iter().map(|path| path.to_str()).collect::<Option<Vec<_>>>();
                let names = names.ok_or_else(|| Failure::Usage("a path must be text in UTF-8".to_owned()))?;
                config.set("source.kind", "file")?;
                config.set("file.paths", &serde_json::Value::from(names).to_string())?;
            }
        }
        for option in &self.at().options {
            let Some((name, value)) = option.split_once('=') else {
                return Err(Failure::Usage(format!("-o {option}: an option is written NAME=VALUE")));
            };
            config.set(name.trim(), value)?;
        }
        Ok(config)
    }

    /// The environment in Redis, without a client.
    pub fn depot(&self) -> Result<Depot, Failure> {
        let settings = self.config()?.resolve()?;
        match settings.store.redis {
            Some(redis) => Ok(Depot::new(&redis, &settings.store.prefix)?),
            None => Err(Failure::Usage("this needs Redis, and the options name files".to_owned())),
        }
    }

    /// A client that follows this place, not started.
    pub fn new_client(&self, extra: &[(&str, &str)]) -> Result<Client, Failure> {
        let mut config = self.config()?;
        for (name, value) in extra {
            config.set(name, value)?;
        }
        Ok(Client::new(config.resolve()?)?)
    }

    /// A client that follows this place, started; with what kept it from being ready, if something did.
    pub fn client(&self, extra: &[(&str, &str)]) -> Result<(Client, Option<Failure>), Failure> {
        let client = self.new_client(extra)?;
        let failure = self.start(&client).err();
        Ok((client, failure))
    }

    /// A client that has read this place.
    pub fn ready_client(&self) -> Result<Client, Failure> {
        match self.client(&[])? {
            (client, None) => Ok(client),
            (_, Some(failure)) => Err(failure),
        }
    }

    /// Starts a client, and waits until everything has been read. What is wrong with a file is known long before the time is
    /// over.
    pub fn start(&self, client: &Client) -> Result<(), Failure> {
        if let Self::Redis(_) = self {
            return client.start(self.patience()).map_err(|error| self.placed(error));
        }
        client.start(Duration::ZERO)?;
        let end = Instant::now() + self.patience();
        // Data are there a moment before they are known to be up to date.
        while client.state() != StoreState::Valid {
            if let Some(error) = client.source_condition().and_then(|condition| condition.error.clone()) {
                return Err(Failure::Away(error.failure.message));
            }
            if Instant::now() >= end {
                if client.is_ready() {
                    break;
                }
                return Err(Failure::Away(format!("not read in time: {}", self.describe())));
            }
            std::thread::sleep(TURN);
        }
        Ok(())
    }

    /// Where it is, for people: never with a password.
    pub fn describe(&self) -> String {
        match self {
            Self::Files(paths, _) => {
                let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
                names.join(", ")
            }
            Self::Redis(_) => match self.depot() {
                Ok(depot) => {
                    let database =
                        if depot.database() == 0 { String::new() } else { format!(", database {}", depot.database()) };
                    format!("{}{database}, prefix {:?}", depot.address(), depot.prefix())
                }
                Err(_) => "Redis".to_owned(),
            },
        }
    }

    /// Reads everything.
    pub fn read(&self, output: &Output) -> Result<Held, Failure> {
        let waiting = output.waiting(format!("reading {}", self.describe()));
        let held = self.read_all();
        drop(waiting);
        held
    }

    fn read_all(&self) -> Result<Held, Failure> {
        match self {
            Self::Redis(_) => Ok(self.depot()?.read().map_err(|error| self.placed(error))?.into()),
            Self::Files(..) => {
                let client = self.ready_client()?;
                let data = client.data().ok_or_else(|| Failure::Away("the file has not been read".to_owned()))?;
                Ok(Held::from(&*data))
            }
        }
    }

    /// Reads everything; a place without a single flag is a failure.
    pub fn read_some(&self, output: &Output) -> Result<Held, Failure> {
        let held = self.read(output)?;
        if held.flags.is_empty() && held.segments.is_empty() {
            return Err(self.without_flags());
        }
        Ok(held)
    }

    /// A failure with where it was; and with how to say otherwise, where that may be what is missing.
    pub fn placed(&self, failure: impl Into<Failure>) -> Failure {
        match (failure.into(), self) {
            (Failure::Away(text), Self::Redis(at)) => {
                let address = self.depot().map(|depot| depot.address()).unwrap_or_default();
                let place = if text.contains(&address) { String::new() } else { format!("{address}: ") };
                let is_chosen = at.url.is_some() || at.options.iter().any(|option| option.starts_with("redis.url"));
                let is_login = LOGINS.iter().any(|said| text.contains(said));
                let hint = if is_login { WHO } else { WHERE };
                let hint = if is_login || !is_chosen { hint } else { "" };
                Failure::Away(format!("{place}{text}{hint}"))
            }
            (failure, _) => failure,
        }
    }

    /// There is not a single flag.
    pub fn without_flags(&self) -> Failure {
        let elsewhere = match self {
            Self::Redis(_) => "; --prefix names another one, --url another Redis",
            Self::Files(..) => "",
        };
        Failure::Missing(format!("there are no flags: {}{elsewhere}", self.describe()))
    }
}

/// What a client had to say that somebody should know.
pub fn warnings(client: &Client) -> Vec<String> {
    let mut warnings = Vec::new();
    while let Polled::Event(notification) = client.poll(Duration::ZERO) {
        if let Event::Log { level, text, .. } = notification.event
            && level >= Level::Warn
        {
            warnings.push(text);
        }
    }
    warnings
}

fn set(config: &mut Config, name: &str, value: Option<&str>) -> Result<(), Failure> {
    value.map_or(Ok(()), |value| Ok(config.set(name, value)?))
}

fn is_file(word: &str) -> bool {
    let path = Path::new(word);
    let ending = path.extension().and_then(|ending| ending.to_str());
    word.contains('/') || ending.is_some_and(|ending| FILE_ENDINGS.contains(&ending)) || path.is_file()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::Arguments;

    fn parse(word: &str) -> (Option<String>, Option<String>, Vec<PathBuf>) {
        let arguments = Arguments::try_parse_from(["flagstone", "--url", "redis://known", "doctor"]);
        let at = arguments.map(|arguments| arguments.at);
        match at.map(|at| Place::parse(word, &at)) {
            Ok(Place::Redis(at)) => (at.url, at.prefix, Vec::new()),
            Ok(Place::Files(paths, _)) => (None, None, paths),
            Err(_) => (None, None, Vec::new()),
        }
    }

    #[test]
    fn a_place_is_a_file_a_prefix_or_a_prefix_at_an_address() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(parse("staging"), (text("redis://known"), text("staging"), Vec::new()));
        assert_eq!(parse("redis://u:p@host/1"), (text("redis://u:p@host/1"), None, Vec::new()));
        assert_eq!(parse("a@b@redis://h"), (text("redis://h"), text("a@b"), Vec::new()));
        assert_eq!(parse("blue@redis://u:p@host"), (text("redis://u:p@host"), text("blue"), Vec::new()));
        for name in ["flags.json", "a/flags", "./flags.yaml", "flags.yml"] {
            assert_eq!(parse(name), (None, None, vec![PathBuf::from(name)]), "{name}");
        }
    }

    #[test]
    fn a_failure_says_where_it_was_and_how_to_choose_another_place_where_nobody_has() {
        let arguments = Arguments::try_parse_from(["flagstone", "doctor"]).unwrap();
        let at = |url: Option<&str>, options: &[&str]| At {
            url: url.map(str::to_owned),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            ..arguments.at.clone()
        };
        let told = |at: At, text: &str| Place::of(&at).placed(Failure::Away(text.to_owned())).to_string();
        let (chosen, named) = (at(Some("redis://:hunter2@there:1/2"), &[]), at(None, &["redis.url=redis://there:1"]));
        for at in [&chosen, &named] {
            assert_eq!(told(at.clone(), "no answer within 5 ms"), "there:1: no answer within 5 ms");
        }
        assert_eq!(told(chosen.clone(), "no connection to there:1: no"), "no connection to there:1: no");
        assert_eq!(
            told(at(None, &[]), "no connection to localhost:6379: no"),
            "no connection to localhost:6379: no; --url or FLAGSTONE_REDIS_URL says where Redis is"
        );
        let who = "; --username and FLAGSTONE_REDIS_PASSWORD say who logs in";
        for said in ["NOAUTH Authentication required.", "the login was refused: WRONGPASS no"] {
            assert_eq!(told(chosen.clone(), said), format!("there:1: {said}{who}"));
        }
    }
}
