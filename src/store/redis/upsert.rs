//! Writing single items, versions compared: by a script in one round trip, or by optimistic locking. Part of the writer.

use std::time::Duration;

use redis::{ConnectionLike, RedisError, Value, cmd, pipe};

use super::connector::describe;
use super::writer::{Upsert, Upsertion, WriteError, Writer, check_transaction, refuses_scripts};
use crate::model::{Kind, stamp};

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

impl Writer<'_> {
    pub(super) fn try_upsert(&mut self, items: &[Upsertion<'_>]) -> Result<Vec<Upsert>, WriteError> {
        let mut outcomes = if self.scripts { self.upsert_by_script(items)? } else { vec![None; items.len()] };
        for (item, outcome) in items.iter().zip(&mut outcomes) {
            if outcome.is_none() {
                *outcome = Some(self.upsert_by_watch(item)?);
            }
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// By script, all items in one round trip, in a cluster segments before flags; `None` for those that have to go another way.
    fn upsert_by_script(&mut self, items: &[Upsertion<'_>]) -> Result<Vec<Option<Upsert>>, WriteError> {
        if !self.owners.is_cluster() {
            return self.upsert_together(items);
        }
        let mut outcomes = vec![None; items.len()];
        for kind in [Kind::Segment, Kind::Flag] {
            let (positions, of_kind): (Vec<usize>, Vec<Upsertion<'_>>) =
                items.iter().copied().enumerate().filter(|(_, item)| item.kind == kind).unzip();
            for (position, outcome) in positions.into_iter().zip(self.upsert_together(&of_kind)?) {
                outcomes[position] = outcome;
            }
        }
        Ok(outcomes)
    }

    /// The same of items that are sent to one server.
    fn upsert_together(&mut self, items: &[Upsertion<'_>]) -> Result<Vec<Option<Upsert>>, WriteError> {
        let Some(hash) = items.first().map(|item| self.keys.hash(item.kind)) else { return Ok(Vec::new()) };
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
        let replies = self.call(hash, |connection| {
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
                Value::ServerError(error) if is_of_item(&error) => {
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
        Err(WriteError::Conflicts(CONFLICTS))
    }

    fn try_by_watch(&mut self, item: &Upsertion<'_>) -> Result<Option<Upsert>, WriteError> {
        let hash = self.keys.hash(item.kind);
        let mut look = pipe();
        look.cmd("WATCH").arg(hash);
        look.cmd("HGET").arg(hash).arg(item.key);
        look.cmd("HLEN").arg(hash);
        let look = look.get_packed_pipeline();
        let found = self.call(hash, |connection| {
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
            self.call_watched(|connection| connection.req_command(&cmd("UNWATCH")))?;
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
        let is_elsewhere = self.owners.is_torn(&replies) || self.owners.has_moved(hash, &replies);
        if is_elsewhere || matches!(replies.last(), Some(Value::Nil)) {
            return Ok(None);
        }
        // It concerns this item alone, as it does where a script writes it.
        if let Some(Value::ServerError(error)) = replies.get(1)
            && is_of_item(error)
        {
            self.start_over();
            return Ok(Some(Upsert::Rejected(describe(&RedisError::from(error.clone())))));
        }
        check_transaction("HSET", replies)?;
        Ok(Some(Upsert::Applied))
    }
}

/// Whether the server refuses this very item, and others need not wait for it.
fn is_of_item(error: &redis::ServerError) -> bool {
    error.code() == "ERR" && !has_no_code(error) && !refuses_scripts(error)
}

/// Older servers and proxies say what concerns all items without a code of its own, or inside the error of a script.
fn has_no_code(error: &redis::ServerError) -> bool {
    let text = error.details().unwrap_or_default();
    ["max number of clients", "WRONGTYPE", "OOM", "READONLY", "MISCONF", "NOREPLICAS"]
        .iter()
        .any(|code| text.contains(code))
}
