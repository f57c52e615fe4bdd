//! What a server says of itself and lets us do, found out without changing anything. Commands are queued in a transaction that
//! is never executed: a server says of each, as it is queued, whether this user may send it. Depends on `connector`.

use std::time::{Duration, Instant};

use redis::{Cmd, ConnectionLike, RedisError, Value, cmd};

use super::abilities::is_denied;
use super::connection::{Connection, Encryption};
use super::connector::{Connector, describe};
use super::layout::Keys;
use super::reader::ReadError;
use super::server::{info, value_of};
use crate::model::unix_ms;

/// Round trips that are measured; the shortest one counts.
const ROUND_TRIPS: usize = 5;

/// What was found out about a server. What it does not tell, or not to us, is `None`.
#[derive(Debug, Clone)]
pub struct Examination {
    /// How long connecting took, TLS and login included.
    pub connected_in: Duration,
    /// The shortest of a few round trips.
    pub round_trip: Duration,
    /// Its name and version, such as `redis 7.2.4`.
    pub server: Option<String>,
    /// `standalone`, `cluster` or `sentinel`.
    pub mode: Option<String>,
    /// `master` or `slave`.
    pub role: Option<String>,
    /// Bytes that its data take.
    pub memory: Option<u64>,
    /// Bytes that its data may take; zero for as many as there are.
    pub memory_limit: Option<u64>,
    /// What it does when there are no more.
    pub eviction: Option<String>,
    /// How many clients it has.
    pub clients: Option<u64>,
    /// Who is logged in.
    pub user: Option<String>,
    /// How far its clock is before ours; behind ours if negative. As exact as half a round trip.
    pub clock_ahead_ms: Option<i64>,
    /// How the connection is encrypted; `None` if it is not.
    pub encryption: Option<Encryption>,
    /// What this user may do.
    pub rights: Vec<Right>,
}

/// Whether a command may be sent.
#[derive(Debug, Clone)]
pub struct Right {
    /// Its name.
    pub command: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// Only those who write need it.
    pub writes: bool,
    /// Nothing works without it.
    pub needed: bool,
    /// Whether it may be sent.
    pub verdict: Verdict,
}

/// Whether something is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Allowed,
    /// It is not; this is what the server said.
    Refused(String),
    /// Finding out would have changed something.
    Unknown,
}

/// Finds out what a server says of itself, and what it lets us do. Changes nothing. An error where it cannot be connected to, or
/// breaks off; whatever it does not tell is left open.
pub fn examine(connector: &Connector, keys: &Keys) -> Result<Examination, ReadError> {
    let started = Instant::now();
    let mut connection = connector.open()?;
    let connected_in = started.elapsed();
    let mut of = Examination {
        connected_in,
        round_trip: round_trip(&mut connection)?,
        encryption: connection.encryption(),
        user: text(connection.req_command(cmd("ACL").arg("WHOAMI"))?),
        clock_ahead_ms: clock_ahead(&mut connection)?,
        ..Examination::unknown()
    };
    of.describe(&mut connection)?;
    of.rights = rights(&mut connection, keys)?;
    Ok(of)
}

impl Examination {
    fn unknown() -> Self {
        Self {
            connected_in: Duration::ZERO,
            round_trip: Duration::ZERO,
            server: None,
            mode: None,
            role: None,
            memory: None,
            memory_limit: None,
            eviction: None,
            clients: None,
            user: None,
            clock_ahead_ms: None,
            encryption: None,
            rights: Vec::new(),
        }
    }

    fn describe(&mut self, connection: &mut Connection) -> Result<(), ReadError> {
        let mut section = |name| info(connection, name).map(Option::unwrap_or_default);
        let server = section("server")?;
        let line = |text: &str, name| value_of(text, name).map(str::to_owned);
        // Valkey calls itself by both names, its own one first.
        let known = [("valkey_version", "valkey"), ("redis_version", "redis")];
        self.server = known.iter().find_map(|(field, name)| Some(format!("{name} {}", value_of(&server, field)?)));
        self.mode = line(&server, "redis_mode").or_else(|| line(&server, "server_mode"));
        self.role = line(&section("replication")?, "role");
        let memory = section("memory")?;
        self.memory = value_of(&memory, "used_memory").and_then(|value| value.parse().ok());
        self.memory_limit = value_of(&memory, "maxmemory").and_then(|value| value.parse().ok());
        self.eviction = line(&memory, "maxmemory_policy");
        self.clients = value_of(&section("clients")?, "connected_clients").and_then(|value| value.parse().ok());
        Ok(())
    }
}

fn text(reply: Value) -> Option<String> {
    match reply {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

fn round_trip(connection: &mut Connection) -> Result<Duration, ReadError> {
    let mut shortest = Duration::MAX;
    for _ in 0..ROUND_TRIPS {
        let sent = Instant::now();
        // A refusal takes as long; but whoever is not logged in learns nothing else.
        if let Value::ServerError(error) = connection.req_command(&cmd("PING"))?
            && error.code() == "NOAUTH"
        {
            return Err(RedisError::from(error).into());
        }
        shortest = shortest.min(sent.elapsed());
    }
    Ok(shortest)
}

fn clock_ahead(connection: &mut Connection) -> Result<Option<i64>, ReadError> {
    let before = unix_ms();
    let Value::Array(parts) = connection.req_command(&cmd("TIME"))? else { return Ok(None) };
    let middle = before + (unix_ms() - before) / 2;
    let mut numbers = parts.into_iter().filter_map(text).filter_map(|part| part.parse::<i64>().ok());
    let (Some(seconds), Some(microseconds)) = (numbers.next(), numbers.next()) else { return Ok(None) };
    Ok(Some(seconds * 1_000 + microseconds / 1_000 - middle))
}

/// A command that is asked about, and whether it is for writers alone, and whether nothing works without it.
type Question = (&'static str, &'static str, bool, bool, fn(&Keys) -> Cmd);

const QUESTIONS: &[Question] = &[
    ("HGETALL", "reading everything", false, true, |keys| one("HGETALL", &[&keys.features])),
    ("HGET", "reading one item", false, true, |keys| one("HGET", &[&keys.features, ""])),
    ("HMGET", "reading what is in use in one command", false, false, |keys| one("HMGET", &[&keys.features, ""])),
    ("HSCAN", "reading large sets in steps", false, false, |keys| one("HSCAN", &[&keys.features, "0"])),
    ("HLEN", "noticing loss", false, false, |keys| one("HLEN", &[&keys.features])),
    ("EXISTS", "the marker $inited", false, false, |keys| one("EXISTS", &[&keys.inited])),
    ("CLIENT TRACKING", "hearing of changes at once", false, false, |_| one("CLIENT", &["TRACKING", "OFF"])),
    ("SMEMBERS", "members of big segments", false, false, |keys| {
        one("SMEMBERS", &[&format!("{}:big_segment_include:", keys.prefix)])
    }),
    ("GET", "the age of big segments", false, false, |keys| {
        one("GET", &[&format!("{}:big_segments_synchronized_on", keys.prefix)])
    }),
    ("HSET", "writing", true, true, |keys| one("HSET", &[&keys.features, "", ""])),
    ("DEL", "writing a whole data set", true, true, |keys| one("DEL", &[&keys.features])),
    ("SET", "the marker $inited and the lock of writers", true, true, |keys| one("SET", &[&keys.inited, ""])),
    ("EVAL", "writing one item in one round trip", true, false, |keys| one("EVAL", &["return 1", "1", &keys.features])),
    ("WATCH", "giving way to other writers", true, false, |keys| one("WATCH", &[&keys.features])),
];

fn one(name: &str, arguments: &[&str]) -> Cmd {
    let mut command = cmd(name);
    arguments.iter().for_each(|argument| _ = command.arg(argument));
    command
}

/// The connection is of no use afterwards: what is queued on it is forgotten with it.
fn rights(connection: &mut Connection, keys: &Keys) -> Result<Vec<Right>, ReadError> {
    let multi = verdict(connection.req_command(&cmd("MULTI"))?);
    let mut rights = vec![Right {
        command: "MULTI",
        purpose: "reads of one moment",
        writes: false,
        needed: false,
        verdict: multi.clone(),
    }];
    for (command, purpose, writes, needed, build) in QUESTIONS {
        // Outside of a transaction it would be carried out.
        let verdict =
            if multi == Verdict::Allowed { verdict(connection.req_command(&build(keys))?) } else { Verdict::Unknown };
        rights.push(Right { command, purpose, writes: *writes, needed: *needed, verdict });
    }
    Ok(rights)
}

/// What is refused for another reason than that it is forbidden or unknown is allowed: not inside of a transaction, for
/// example.
fn verdict(reply: Value) -> Verdict {
    match reply {
        Value::ServerError(error) => match RedisError::from(error) {
            error if is_denied(&error) => Verdict::Refused(describe(&error)),
            _ => Verdict::Allowed,
        },
        _ => Verdict::Allowed,
    }
}
