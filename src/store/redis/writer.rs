//! Writes of one environment to Redis, in the layout that LaunchDarkly's SDKs and Relay Proxy share. Exists in connected mode
//! only. Used by the store thread alone; a connection of its own, because WATCH is a state of the connection.
//!
//! A full data set is one MULTI that replaces both hashes and sets `$inited`. A single item is compared by version with what
//! Redis holds at that moment: by a script in one round trip; by WATCH, HGET, MULTI, HSET, EXEC where scripts are refused or
//! the old text is too long to be decoded inside Redis, which would make all its clients wait.

use std::time::Duration;

use redis::{ConnectionLike, RedisError, ServerErrorKind, Value, cmd, pipe};

use super::class::{Class, class};
use super::connection::Connection;
use super::connector::{Connector, describe};
use super::layout::Keys;
use super::packed::Packed;
use super::session::Session;
use crate::model::{Jitter, Kind, stamp};

/// Fields of one HSET in a full write.
const FIELDS: usize = 50;
/// A full write may be answered this much later for each MiB of it.
const PATIENCE_PER_MIB: Duration = Duration::from_millis(250);
/// How often an item is tried again when others change the hash meanwhile.
const CONFLICTS: usize = 20;
/// The old text is decoded inside Redis up to this size.
const DECODE_LIMIT: usize = 65_536;

/// Compares versions and writes. 1: written; 0: what is there is as new or newer; -1: too long to be decoded here; -2: the
/// hash is gone, and one field must not look like a data set. Text that is no item, or states a version that no item has,
/// counts as older than everything. Returns integers only: no version is passed through Lua's numbers but
/// compared, which is exact up to 2^53.
const UPSERT: &str = r"
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old then
  if #old > tonumber(ARGV[4]) then return -1 end
  local ok, item = pcall(cjson.decode, old)
  if ok and type(item) == 'table' then
    local version = item['version']
    if version == nil or version == cjson.null then version = 0 end
    local stated = type(version) == 'number' and version <= 9007199254740992
    if stated and version >= tonumber(ARGV[2]) then return 0 end
  end
elseif ARGV[5] == '1' and redis.call('HLEN', KEYS[1]) == 0 then
  return -2
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
";

/// Why a write failed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Connection or server error.
    #[error("{}", describe(.0))]
    Redis(#[from] RedisError),
    /// A command inside the transaction failed.
    #[error("{command} failed: {reason}")]
    Command {
        /// Its name.
        command: &'static str,
        /// What the server said.
        reason: String,
        /// What kind of failure it is.
        class: Class,
    },
    /// A reply of a shape that Redis does not send.
    #[error("unexpected reply to {0}")]
    Reply(&'static str),
    /// Others changed the hash again and again.
    #[error("gave up after {CONFLICTS} conflicts with other writers")]
    Conflicts,
}

impl WriteError {
    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Redis(error) => class(error),
            Self::Command { class, .. } => *class,
            Self::Reply(_) | Self::Conflicts => Class::Later,
        }
    }
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upsert {
    /// It was written.
    Applied,
    /// Redis holds a version that is as new or newer.
    Refused,
    /// The hash is gone that must be there: nothing was written.
    Gone,
    /// The server does not take this item, whatever becomes of others; this is what it said.
    Rejected(String),
}

/// An item to be written.
#[derive(Debug, Clone, Copy)]
pub struct Upsertion<'i> {
    /// Flag or segment.
    pub kind: Kind,
    /// Its key.
    pub key: &'i str,
    /// Its version, or that of its deletion.
    pub version: i64,
    /// Its text.
    pub text: &'i [u8],
    /// Other items of its kind are there, as far as is known: a hash that is gone was lost.
    pub must_exist: bool,
}

/// Sends writes over one connection, which it opens when needed and drops when it fails.
pub struct Writer<'a> {
    session: Session<'a>,
    pub(super) keys: &'a Keys,
    /// Longest silence while a reply is awaited.
    timeout: Duration,
    /// The server runs scripts for us, as far as is known.
    pub(super) scripts: bool,
    jitter: Jitter,
    /// What the lock holds while it is ours: differs from that of every other process.
    pub(super) token: String,
}

impl<'a> Writer<'a> {
    /// A writer that is not connected yet.
    pub fn new(connector: &'a Connector, keys: &'a Keys) -> Self {
        let mut jitter = Jitter::new();
        let token = format!("{:016x}{:016x}", jitter.bits(), Jitter::new().bits());
        Self {
            session: Session::new(connector),
            keys,
            timeout: connector.command_timeout(),
            scripts: true,
            jitter,
            token,
        }
    }

    /// Replaces the data set in one transaction.
    pub fn init<'i>(&mut self, items: impl Iterator<Item = (Kind, &'i str, &'i [u8])>) -> Result<(), WriteError> {
        let (packed, replies) = self.pack_init(items);
        let patience = self.timeout + PATIENCE_PER_MIB * u32::try_from(packed.len() >> 20).unwrap_or(u32::MAX);
        let timeout = self.timeout;
        let outcome = self.call(|connection| {
            connection.set_read_timeout(Some(patience))?;
            connection.send_packed_command(&packed)?;
            let replies =
                (0..replies).map(|_| connection.recv_response()).collect::<Result<Vec<Value>, RedisError>>()?;
            connection.set_read_timeout(Some(timeout))?;
            Ok(replies)
        })?;
        let checked = check_transaction("full write", outcome);
        self.start_over_after(checked)
    }

    /// The commands of a full write, and how many replies they have.
    fn pack_init<'i>(&self, items: impl Iterator<Item = (Kind, &'i str, &'i [u8])>) -> (Vec<u8>, usize) {
        let mut packed = Packed::default();
        packed.command(&[b"MULTI"]);
        packed.command(&[b"DEL", self.keys.segments.as_bytes(), self.keys.features.as_bytes()]);
        let (mut flags, mut segments) = (Vec::new(), Vec::new());
        for (kind, key, text) in items {
            let (hash, fields) = match kind {
                Kind::Flag => (&self.keys.features, &mut flags),
                Kind::Segment => (&self.keys.segments, &mut segments),
            };
            fields.extend([key.as_bytes(), text]);
            if fields.len() >= 2 * FIELDS {
                packed.hset(hash, fields);
                fields.clear();
            }
        }
        packed.hset(&self.keys.segments, &segments);
        packed.hset(&self.keys.features, &flags);
        packed.command(&[b"SET", self.keys.inited.as_bytes(), b""]);
        packed.command(&[b"EXEC"]);
        (packed.bytes, packed.commands)
    }

    /// Writes items that are newer than what Redis holds; the outcomes are in the order of the items.
    pub fn upsert(&mut self, items: &[Upsertion<'_>]) -> Result<Vec<Upsert>, WriteError> {
        let outcomes = self.try_upsert(items);
        self.start_over_after(outcomes)
    }

    /// The next write opens another connection, and what was refused is tried again there.
    pub fn start_over(&mut self) {
        self.session.drop_connection();
        self.scripts = true;
    }

    /// A refused write leaves no connection behind: it may watch a key still, or lead to a server that only replicates by
    /// now, while another one has taken over its name.
    fn start_over_after<T>(&mut self, outcome: Result<T, WriteError>) -> Result<T, WriteError> {
        if outcome.is_err() {
            self.session.drop_connection();
        }
        outcome
    }

    fn try_upsert(&mut self, items: &[Upsertion<'_>]) -> Result<Vec<Upsert>, WriteError> {
        let mut outcomes = if self.scripts { self.upsert_by_script(items)? } else { vec![None; items.len()] };
        for (item, outcome) in items.iter().zip(&mut outcomes) {
            if outcome.is_none() {
                *outcome = Some(self.upsert_by_watch(item)?);
            }
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// By script, all items in one round trip; `None` for those that have to go another way.
    fn upsert_by_script(&mut self, items: &[Upsertion<'_>]) -> Result<Vec<Option<Upsert>>, WriteError> {
        let mut pipeline = pipe();
        for item in items {
            // EVAL keeps the script with the server by itself; the text is short beside the item.
            pipeline
                .cmd("EVAL")
                .arg(UPSERT)
                .arg(1)
                .arg(self.keys.hash(item.kind))
                .arg(item.key)
                .arg(item.version)
                .arg(item.text)
                .arg(DECODE_LIMIT)
                .arg(u8::from(item.must_exist));
        }
        let packed = pipeline.get_packed_pipeline();
        let replies = self.call(|connection| {
            connection.send_packed_command(&packed)?;
            (0..items.len()).map(|_| connection.recv_response()).collect::<Result<Vec<Value>, RedisError>>()
        })?;
        let mut outcomes = Vec::with_capacity(items.len());
        for reply in replies {
            outcomes.push(match reply {
                Value::Int(1) => Some(Upsert::Applied),
                Value::Int(0) => Some(Upsert::Refused),
                Value::Int(-1) => None,
                Value::Int(-2) => Some(Upsert::Gone),
                Value::ServerError(error) if refuses_scripts(&error) => {
                    self.scripts = false;
                    None
                }
                Value::ServerError(error) if error.code() == "ERR" && !has_no_code(&error) => {
                    Some(Upsert::Rejected(describe(&RedisError::from(error))))
                }
                Value::ServerError(error) => return Err(RedisError::from(error).into()),
                _ => return Err(WriteError::Reply("EVAL")),
            });
        }
        Ok(outcomes)
    }

    /// By optimistic locking: nothing is written when anybody changed the hash since it was looked at.
    fn upsert_by_watch(&mut self, item: &Upsertion<'_>) -> Result<Upsert, WriteError> {
        for _ in 0..CONFLICTS {
            if let Some(outcome) = self.try_by_watch(item)? {
                return Ok(outcome);
            }
            std::thread::sleep(Duration::from_millis(1).mul_f64(self.jitter.between(0.5, 10.0)));
        }
        Err(WriteError::Conflicts)
    }

    fn try_by_watch(&mut self, item: &Upsertion<'_>) -> Result<Option<Upsert>, WriteError> {
        let hash = self.keys.hash(item.kind);
        let mut look = pipe();
        look.cmd("WATCH").arg(hash);
        look.cmd("HGET").arg(hash).arg(item.key);
        look.cmd("HLEN").arg(hash);
        let look = look.get_packed_pipeline();
        let found = self.call(|connection| {
            connection.send_packed_command(&look)?;
            Ok([connection.recv_response()?, connection.recv_response()?, connection.recv_response()?])
        })?;
        let outcome = match found {
            // The size may be a secret; whether the rules let us see it is no reason not to write.
            [Value::ServerError(error), _, _] | [_, Value::ServerError(error), _] => {
                return Err(RedisError::from(error).into());
            }
            [_, Value::BulkString(text), _] if stamp(&text).is_some_and(|stamp| stamp.version >= item.version) => {
                Some(Upsert::Refused)
            }
            [_, _, Value::Int(0)] if item.must_exist => Some(Upsert::Gone),
            _ => None,
        };
        if outcome.is_some() {
            self.call(|connection| connection.req_command(&cmd("UNWATCH")))?;
            return Ok(outcome);
        }
        let mut write = pipe();
        write.cmd("MULTI");
        write.cmd("HSET").arg(hash).arg(item.key).arg(item.text);
        write.cmd("EXEC");
        let write = write.get_packed_pipeline();
        let replies = self.call_watched(|connection| {
            connection.send_packed_command(&write)?;
            (0..3).map(|_| connection.recv_response()).collect::<Result<Vec<Value>, RedisError>>()
        })?;
        if matches!(replies.last(), Some(Value::Nil)) {
            return Ok(None);
        }
        check_transaction("HSET", replies)?;
        Ok(Some(Upsert::Applied))
    }

    /// Sends something that may be repeated: everything here compares or replaces.
    pub(super) fn call<T>(&mut self, send: impl Fn(&mut Connection) -> Result<T, RedisError>) -> Result<T, WriteError> {
        let result = self.session.call(send);
        self.note(result)
    }

    /// Sends over the connection that watches a key: another one would not.
    pub(super) fn call_watched<T>(
        &mut self,
        send: impl FnOnce(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, WriteError> {
        let result = self.session.call_same(send).ok_or(WriteError::Reply("WATCH"))?;
        self.note(result)
    }

    fn note<T>(&mut self, result: Result<T, RedisError>) -> Result<T, WriteError> {
        if result.is_err() {
            // Another server may answer next time.
            self.scripts = true;
        }
        Ok(result?)
    }
}

/// Finds the error among the replies of MULTI, commands, EXEC: also one inside the reply of EXEC, which others overlook.
fn check_transaction(command: &'static str, replies: Vec<Value>) -> Result<(), WriteError> {
    let failed = |error: &redis::ServerError| {
        let error = RedisError::from(error.clone());
        Err(WriteError::Command { command, reason: describe(&error), class: class(&error) })
    };
    let Some((exec, queued)) = replies.split_last() else { return Err(WriteError::Reply("EXEC")) };
    for reply in queued {
        if let Value::ServerError(error) = reply {
            return failed(error);
        }
    }
    match exec {
        Value::Array(values) => match values.iter().find(|value| matches!(value, Value::ServerError(_))) {
            Some(Value::ServerError(error)) => failed(error),
            _ => Ok(()),
        },
        Value::ServerError(error) => failed(error),
        _ => Err(WriteError::Reply("EXEC")),
    }
}

/// Older servers and proxies say what concerns all items without a code of its own, or inside the error of a script.
fn has_no_code(error: &redis::ServerError) -> bool {
    let text = error.details().unwrap_or_default();
    ["max number of clients", "WRONGTYPE", "OOM", "READONLY", "MISCONF", "NOREPLICAS"]
        .iter()
        .any(|code| text.contains(code))
}

/// Whether the server said that it does not run scripts for this user.
pub(super) fn refuses_scripts(error: &redis::ServerError) -> bool {
    error.kind() == Some(ServerErrorKind::NoPerm)
        || error.details().is_some_and(|text| text.contains("unknown command"))
}
