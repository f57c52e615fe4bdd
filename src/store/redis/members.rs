//! What Redis holds of big segments, as the Relay Proxy writes it: for each context two sets of segment references, by the hash
//! of its key, and the moment at which all of it was last up to date.
//!
//! One connection reads and is told: the server remembers what was read over it (`CLIENT TRACKING` without broadcast) and
//! pushes the names of the keys that change afterwards. What is told after a reply came after it, so there is no race to settle.
//! Where the server does not push, or not to us, it is only read. So it is in a cluster, over which the keys of contexts are
//! spread. May depend on `leash`.

use redis::{Cmd, ConnectionLike, PushKind, RedisError, Value, cmd, pipe};

use super::class::{Class, class, is_cut};
use super::connection::Connection;
use super::connector::Connector;
use super::describe::{describe, of_one_server};
use super::endpoints::Address;
use super::layout::effective_prefix;
use super::login::Protocol;
use super::owners::Owners;
use super::values::error_of;
use super::wire::Socket;
use crate::model::Membership;
use crate::store::leash::Leash;

/// Why a connection is of no use any more, for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Lost(pub String);

impl From<RedisError> for Lost {
    fn from(error: RedisError) -> Self {
        Self(describe(&error))
    }
}

/// An answer, or why there is none, for people. The connection lives on.
pub type Answer<T> = Result<T, String>;

/// What the server tells.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// The sets of this context have changed.
    Members(String),
    /// All of it has been brought up to date.
    Age,
    /// Everything may have changed.
    All,
}

/// Names of the keys.
#[derive(Debug, Clone)]
pub struct MemberKeys {
    include: String,
    exclude: String,
    synchronized_on: String,
}

impl MemberKeys {
    /// Under this prefix; an empty one means the default.
    pub fn new(prefix: &str) -> Self {
        let prefix = effective_prefix(prefix);
        Self {
            include: format!("{prefix}:big_segment_include:"),
            exclude: format!("{prefix}:big_segment_exclude:"),
            synchronized_on: format!("{prefix}:big_segments_synchronized_on"),
        }
    }

    /// What a change of this key means.
    fn told(&self, key: &str) -> Option<Told> {
        if key == self.synchronized_on {
            return Some(Told::Age);
        }
        let hash = key.strip_prefix(&*self.include).or_else(|| key.strip_prefix(&*self.exclude))?;
        Some(Told::Members(hash.to_owned()))
    }
}

/// A connection that reads members and hears of their changes.
pub struct MembersLink<'a> {
    line: Line<'a>,
    keys: &'a MemberKeys,
    is_told: bool,
}

/// Who is asked.
enum Line<'a> {
    /// One server.
    One(Box<Connection>),
    /// In a cluster whoever owns the keys.
    Each(Box<Owners<'a>>),
}

impl<'a> MembersLink<'a> {
    /// Opens one, which is on the leash from then on, and hears of changes if it `listens`.
    pub fn open(connector: &'a Connector, keys: &'a MemberKeys, leash: &'a Leash, listens: bool) -> Result<Self, Lost> {
        if connector.cluster().is_some() {
            return Ok(Self { line: Line::Each(Box::new(Owners::of_many(connector, leash))), keys, is_told: false });
        }
        let one = |connection, is_told| Ok(Self { line: Line::One(Box::new(connection)), keys, is_told });
        if !listens {
            return one(connector.open_on(leash)?, false);
        }
        let (mut connection, is_resp3) = match connector.open_by(Protocol::Resp3, connector.deadline(), leash) {
            Ok(connection) => (connection, true),
            // Older servers, and proxies that close a connection at a word that they do not know.
            Err(error) if class(&error) == Class::Refused || is_cut(&error) => (connector.open_on(leash)?, false),
            Err(error) => return Err(error.into()),
        };
        let is_told = match is_resp3.then(|| connection.req_command(cmd("CLIENT").arg("TRACKING").arg("ON"))) {
            Some(Ok(reply)) => !matches!(reply, Value::ServerError(_)),
            Some(Err(error)) if is_cut(&error) => {
                return one(connector.open_on(leash)?, false);
            }
            Some(Err(error)) => return Err(error.into()),
            None => false,
        };
        one(connection, is_told)
    }

    /// Whether the server tells of changes.
    pub fn is_told(&self) -> bool {
        self.is_told
    }

    /// Where it leads to, where that may be another server each time.
    pub fn peer(&self) -> Option<&Address> {
        match &self.line {
            Line::One(connection) => connection.peer(),
            Line::Each(_) => None,
        }
    }

    /// Where something arrives when the server tells something, or closes.
    pub fn socket(&mut self) -> Option<&Socket> {
        match &mut self.line {
            Line::One(connection) => Some(connection.socket()),
            Line::Each(_) => None,
        }
    }

    /// Logs in anew, if something else logs in by now; `told` gets what the server tells meanwhile.
    pub fn renew_login(&mut self, connector: &Connector, told: &mut dyn FnMut(Told)) -> Result<(), Lost> {
        match &mut self.line {
            Line::One(connection) => connector.renew_login(connection, &mut |push| {
                if let Value::Push { kind, data } = push {
                    pushed(self.keys, &kind, data, told);
                }
            })?,
            Line::Each(owners) => owners.renew_login(),
        }
        Ok(())
    }

    /// Reads when all was up to date, if asked to, and the members of some contexts; `told` gets what the server tells meanwhile.
    #[expect(clippy::type_complexity, reason = "two answers")]
    pub fn read(
        &mut self,
        asks_age: bool,
        hashes: &[&str],
        told: &mut dyn FnMut(Told),
    ) -> Result<(Option<Answer<Option<i64>>>, Vec<Answer<Membership>>), Lost> {
        let mut commands = Vec::with_capacity(1 + 2 * hashes.len());
        if asks_age {
            commands.push(cmd("GET").arg(&self.keys.synchronized_on).to_owned());
        }
        for hash in hashes {
            for prefix in [&self.keys.include, &self.keys.exclude] {
                commands.push(cmd("SMEMBERS").arg(format!("{prefix}{hash}")).to_owned());
            }
        }
        let is_of_one = matches!(self.line, Line::One(_));
        let mut replies = self.replies(&commands, told)?.into_iter();
        let mut next = || replies.next().unwrap_or(Ok(Value::Nil));
        let age = if asks_age { Some(of_server(is_of_one, next().and_then(age))?) } else { None };
        let mut members = Vec::with_capacity(hashes.len());
        for _ in hashes {
            let (include, exclude) = (next(), next());
            members.push(of_server(is_of_one, include.and_then(|include| membership(include, exclude?)))?);
        }
        Ok((age, members))
    }

    /// The replies to commands, past what the server tells. Where there are several servers, some may be away.
    fn replies(&mut self, commands: &[Cmd], told: &mut dyn FnMut(Told)) -> Result<Vec<Result<Value, Lost>>, Lost> {
        let connection = match &mut self.line {
            Line::One(connection) => connection,
            Line::Each(owners) => {
                let replies = owners.try_each(&commands.iter().collect::<Vec<_>>());
                return match replies.first() {
                    // An owner that is away has nothing to do with what the others hold.
                    Some(Err(error)) if owners.is_silent() && replies.iter().all(Result::is_err) => {
                        Err(error.clone().into())
                    }
                    _ => Ok(replies.into_iter().map(|reply| reply.map_err(Lost::from)).collect()),
                };
            }
        };
        let mut pipeline = pipe();
        commands.iter().for_each(|command| _ = pipeline.add_command(command.clone()));
        connection.send_packed_command(&pipeline.get_packed_pipeline())?;
        let mut replies = Vec::with_capacity(commands.len());
        while replies.len() < commands.len() {
            match connection.recv_response()? {
                Value::Push { kind, data } => pushed(self.keys, &kind, data, told),
                reply => replies.push(Ok(reply)),
            }
        }
        Ok(replies)
    }

    /// Takes what the server has told, without waiting.
    pub fn hear(&mut self, told: &mut dyn FnMut(Told)) -> Result<(), Lost> {
        let Line::One(connection) = &mut self.line else { return Ok(()) };
        while let Some(value) = connection.recv_arrived()? {
            if let Value::Push { kind, data } = value {
                pushed(self.keys, &kind, data, told);
            }
        }
        Ok(())
    }
}

fn pushed(keys: &MemberKeys, kind: &PushKind, data: Vec<Value>, told: &mut dyn FnMut(Told)) {
    if *kind != PushKind::Invalidate {
        return;
    }
    let Some(Value::Array(names)) = data.into_iter().next() else { return told(Told::All) };
    for name in names {
        let Value::BulkString(name) = name else { continue };
        if let Some(change) = std::str::from_utf8(&name).ok().and_then(|name| keys.told(name)) {
            told(change);
        }
    }
}

/// A server that is lost may be one of several, and the others answer.
fn of_server<T>(is_of_one: bool, outcome: Result<Answer<T>, Lost>) -> Result<Answer<T>, Lost> {
    match outcome {
        Err(Lost(why)) if is_of_one => Err(Lost(of_one_server(why))),
        Err(Lost(why)) => Ok(Err(why)),
        Ok(Err(why)) if is_of_one => Ok(Err(of_one_server(why))),
        outcome => outcome,
    }
}

/// When all was up to date; none: never.
fn age(reply: Value) -> Result<Answer<Option<i64>>, Lost> {
    Ok(match reply {
        Value::Nil => Ok(None),
        Value::BulkString(text) if text.is_empty() => Ok(None),
        Value::BulkString(text) => match std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()) {
            Some(moment) => Ok(Some(moment)),
            None => Err("big_segments_synchronized_on is no number".to_owned()),
        },
        other => Err(refusal(other, "GET")?),
    })
}

/// The two sets of a context.
fn membership(include: Value, exclude: Value) -> Result<Answer<Membership>, Lost> {
    Ok(match (references(include)?, references(exclude)?) {
        (Ok(included), Ok(excluded)) => Ok(Membership::new(included, excluded)),
        (Err(why), _) | (_, Err(why)) => Err(why),
    })
}

/// The members of a set. One that is no text names no segment.
fn references(reply: Value) -> Result<Answer<Vec<String>>, Lost> {
    let (Value::Array(members) | Value::Set(members)) = reply else { return Ok(Err(refusal(reply, "SMEMBERS")?)) };
    let text = |member| match member {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        _ => None,
    };
    Ok(Ok(members.into_iter().filter_map(text).collect()))
}

/// Why there is no answer. A server that does not serve just now, or another one that has to be asked, is one that is lost.
fn refusal(reply: Value, command: &str) -> Result<String, Lost> {
    let Value::ServerError(error) = reply else { return Err(Lost(format!("unexpected reply to {command}"))) };
    let error = error_of(error);
    match class(&error) {
        Class::Later | Class::Elsewhere | Class::Login => Err(error.into()),
        Class::Refused | Class::Full | Class::Data => Ok(describe(&error)),
    }
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    fn value(text: &str) -> Value {
        parse_redis_value(text.as_bytes()).unwrap()
    }

    fn age_of(text: &str) -> Option<Answer<Option<i64>>> {
        age(value(text)).ok()
    }

    #[test]
    fn a_moment_is_a_whole_number_and_none_is_never() {
        assert_eq!(age_of("$13\r\n1700000000000\r\n"), Some(Ok(Some(1_700_000_000_000))));
        assert_eq!(age_of("$-1\r\n"), Some(Ok(None)));
        assert_eq!(age_of("$0\r\n\r\n"), Some(Ok(None)));
        for text in ["$3\r\nnow\r\n", "$4\r\n1e12\r\n", "$20\r\n99999999999999999999\r\n", "$2\r\n\u{e9}\r\n"] {
            assert!(matches!(age_of(text), Some(Err(_))), "{text}");
        }
        assert!(matches!(age_of("-WRONGTYPE Operation against a key\r\n"), Some(Err(_))));
        assert!(age_of("-LOADING Redis is loading\r\n").is_none() && age_of("+OK\r\n").is_none());
    }

    #[test]
    fn members_are_of_both_sets_and_of_none_where_one_is_no_set() {
        let members = |include: &str, exclude: &str| membership(value(include), value(exclude)).unwrap();
        let known = members("*2\r\n$4\r\na.g1\r\n$4\r\nb.g1\r\n", "~2\r\n$4\r\nb.g1\r\n$4\r\nc.g1\r\n").unwrap();
        assert_eq!(
            ["a.g1", "b.g1", "c.g1", "d.g1"].map(|name| known.get(name)),
            [Some(true), Some(true), Some(false), None]
        );
        let wrong = members("*0\r\n", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
        assert!(wrong.unwrap_err().contains("WRONGTYPE"));
        assert!(members("-NOPERM no\r\n", "-NOPERM no\r\n").is_err());
        assert!(membership(value("-MASTERDOWN Link\r\n"), value("*0\r\n")).is_err());
        assert!(membership(value(":1\r\n"), value("*0\r\n")).is_err());
    }

    #[test]
    fn a_key_tells_what_has_changed() {
        let keys = MemberKeys::new("");
        assert_eq!(keys.told("launchdarkly:big_segments_synchronized_on"), Some(Told::Age));
        for set in ["include", "exclude"] {
            let told = keys.told(&format!("launchdarkly:big_segment_{set}:a="));
            assert_eq!(told, Some(Told::Members("a=".to_owned())));
        }
        assert_eq!(keys.told("launchdarkly:features"), None);
        assert_eq!(MemberKeys::new("p").told("launchdarkly:big_segment_include:a="), None);
    }
}
