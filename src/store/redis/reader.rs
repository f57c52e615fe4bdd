//! Reads of one environment from Redis. The only commands it can send are reads: that is how daemon mode keeps its
//! promise never to write. Used by the store thread alone; one connection, reads in the order in which they are asked for.

use redis::{ConnectionLike, Pipeline, RedisError, Value, cmd, pipe};

use crate::model::Kind;
use crate::store::redis::connection::Connection;
use crate::store::redis::connector::{Connector, describe};
use crate::store::redis::layout::Keys;
use crate::store::redis::session::Session;
use crate::store::reply::{Field, FullReply, HashReply, PartReply, Presence};

/// Above this number of held fields a full read goes through HSCAN, so that no other client of the server waits long.
pub const SCAN_ABOVE: usize = 1_000;
/// Fields asked for in one HMGET.
pub const BATCH: usize = 100;
const SCAN_COUNT: usize = 500;

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Connection or server error.
    #[error("{}", describe(.0))]
    Redis(#[from] RedisError),
    /// A reply of a shape that Redis does not send.
    #[error("unexpected reply to {0}")]
    Reply(&'static str),
}

/// Sends reads over one connection, which it opens when needed and drops when it fails.
pub struct Reader<'a> {
    session: Session<'a>,
    keys: &'a Keys,
}

impl<'a> Reader<'a> {
    /// A reader that is not connected yet.
    pub fn new(connector: &'a Connector, keys: &'a Keys) -> Self {
        Self { session: Session::new(connector), keys }
    }

    /// Everything, in one transaction.
    pub fn full(&mut self) -> Result<FullReply, ReadError> {
        let mut pipeline = pipe();
        pipeline.cmd("MULTI");
        pipeline.cmd("HGETALL").arg(&self.keys.features);
        pipeline.cmd("HGETALL").arg(&self.keys.segments);
        pipeline.cmd("EXISTS").arg(&self.keys.inited);
        pipeline.cmd("EXEC");
        let mut replies = self.transaction(&pipeline)?.into_iter();
        let features = hash_reply(replies.next())?;
        let segments = hash_reply(replies.next())?;
        let inited = exists(replies.next())?;
        let presence = Presence { features: features.exists(), segments: segments.exists(), inited };
        Ok(FullReply { features, segments, presence })
    }

    /// Everything, in steps: features, then segments, then what exists.
    pub fn scan(&mut self) -> Result<FullReply, ReadError> {
        let features = self.scan_hash(Kind::Flag)?;
        let segments = self.scan_hash(Kind::Segment)?;
        let presence = self.part::<&str>(&[], &[])?.presence;
        Ok(FullReply { features, segments, presence })
    }

    /// Chosen fields of both hashes, in one transaction.
    pub fn part<K: AsRef<str>>(&mut self, flags: &[K], segments: &[K]) -> Result<PartReply, ReadError> {
        let mut pipeline = pipe();
        pipeline.cmd("MULTI");
        for (hash, keys) in [(&self.keys.features, flags), (&self.keys.segments, segments)] {
            if !keys.is_empty() {
                let command = pipeline.cmd("HMGET").arg(hash);
                for key in keys {
                    command.arg(key.as_ref());
                }
            }
        }
        pipeline.cmd("EXISTS").arg(&self.keys.features);
        pipeline.cmd("EXISTS").arg(&self.keys.segments);
        pipeline.cmd("EXISTS").arg(&self.keys.inited);
        pipeline.cmd("EXEC");
        let mut replies = self.transaction(&pipeline)?.into_iter();
        let mut wrong_type = None;
        let mut values = |keys: &[K]| -> Result<Vec<Option<Vec<u8>>>, ReadError> {
            if keys.is_empty() { Ok(Vec::new()) } else { field_values(replies.next(), keys.len(), &mut wrong_type) }
        };
        let flags = values(flags)?;
        let segments = values(segments)?;
        let presence = Presence {
            features: exists(replies.next())?,
            segments: exists(replies.next())?,
            inited: exists(replies.next())?,
        };
        Ok(PartReply { flags, segments, presence, wrong_type })
    }

    /// Numbers of fields of the flags and the segments hash; 0 where the server does not tell, which rules may forbid.
    pub fn sizes(&mut self) -> Result<(u64, u64), ReadError> {
        Ok((self.size(Kind::Flag)?, self.size(Kind::Segment)?))
    }

    fn size(&mut self, kind: Kind) -> Result<u64, ReadError> {
        let command = cmd("HLEN").arg(self.keys.hash(kind)).to_owned();
        match self.call(|connection| connection.req_command(&command))? {
            Value::Int(count) => Ok(u64::try_from(count).unwrap_or(0)),
            _ => Ok(0),
        }
    }

    /// Asks the server for a sign of life. Any answer is one, also that of a server whose rules forbid the command.
    pub fn ping(&mut self) -> Result<(), ReadError> {
        self.call(|connection| connection.req_command(&cmd("PING"))).map(|_| ())
    }

    fn scan_hash(&mut self, kind: Kind) -> Result<HashReply, ReadError> {
        let hash = self.keys.hash(kind);
        let mut fields = Vec::new();
        let mut cursor = b"0".to_vec();
        loop {
            let command = cmd("HSCAN").arg(hash).arg(&cursor).arg("COUNT").arg(SCAN_COUNT).to_owned();
            match self.call(|connection| connection.req_command(&command))? {
                Value::ServerError(error) if error.code() == "WRONGTYPE" => {
                    return Ok(HashReply::WrongType(describe(&RedisError::from(error))));
                }
                Value::ServerError(error) => return Err(RedisError::from(error).into()),
                Value::Array(mut parts) if parts.len() == 2 => {
                    fields.extend(flat_fields(parts.pop())?);
                    let Some(Value::BulkString(next)) = parts.pop() else { return Err(ReadError::Reply("HSCAN")) };
                    cursor = next;
                }
                _ => return Err(ReadError::Reply("HSCAN")),
            }
            if cursor == b"0" {
                return Ok(HashReply::Fields(fields));
            }
        }
    }

    /// Sends a pipeline of MULTI, commands, EXEC and gives the replies of the commands.
    fn transaction(&mut self, pipeline: &Pipeline) -> Result<Vec<Value>, ReadError> {
        let packed = pipeline.get_packed_pipeline();
        let count = pipeline.len();
        // One by one: the crate's own pipeline waits a whole timeout for each reply of a server that went silent.
        let mut replies = self.call(|connection| {
            connection.send_packed_command(&packed)?;
            (0..count).map(|_| connection.recv_response()).collect::<Result<Vec<Value>, RedisError>>()
        })?;
        let refused = replies.iter().position(|reply| matches!(reply, Value::ServerError(_)));
        if let Some(position) = refused
            && let Value::ServerError(error) = replies.swap_remove(position)
        {
            return Err(RedisError::from(error).into());
        }
        match replies.pop() {
            Some(Value::Array(values)) if values.len() + 2 == count => Ok(values),
            _ => Err(ReadError::Reply("EXEC")),
        }
    }

    fn call<T>(&mut self, send: impl Fn(&mut Connection) -> Result<T, RedisError>) -> Result<T, ReadError> {
        Ok(self.session.call(send)?)
    }
}

fn hash_reply(reply: Option<Value>) -> Result<HashReply, ReadError> {
    match reply {
        Some(Value::ServerError(error)) if error.code() == "WRONGTYPE" => {
            Ok(HashReply::WrongType(describe(&RedisError::from(error))))
        }
        Some(Value::ServerError(error)) => Err(RedisError::from(error).into()),
        other => flat_fields(other).map(HashReply::Fields),
    }
}

fn flat_fields(reply: Option<Value>) -> Result<Vec<Field>, ReadError> {
    let Some(Value::Array(values)) = reply else { return Err(ReadError::Reply("HGETALL")) };
    let mut fields = Vec::with_capacity(values.len() / 2);
    let mut values = values.into_iter();
    while let (Some(field), Some(text)) = (values.next(), values.next()) {
        let (Value::BulkString(field), Value::BulkString(text)) = (field, text) else {
            return Err(ReadError::Reply("HGETALL"));
        };
        fields.push((field, text));
    }
    Ok(fields)
}

fn field_values(
    reply: Option<Value>,
    expected: usize,
    wrong_type: &mut Option<String>,
) -> Result<Vec<Option<Vec<u8>>>, ReadError> {
    match reply {
        Some(Value::ServerError(error)) if error.code() == "WRONGTYPE" => {
            *wrong_type = Some(describe(&RedisError::from(error)));
            Ok(vec![None; expected])
        }
        Some(Value::ServerError(error)) => Err(RedisError::from(error).into()),
        Some(Value::Array(values)) if values.len() == expected => values
            .into_iter()
            .map(|value| match value {
                Value::BulkString(text) => Ok(Some(text)),
                Value::Nil => Ok(None),
                _ => Err(ReadError::Reply("HMGET")),
            })
            .collect(),
        _ => Err(ReadError::Reply("HMGET")),
    }
}

fn exists(reply: Option<Value>) -> Result<bool, ReadError> {
    match reply {
        Some(Value::Int(count)) => Ok(count > 0),
        Some(Value::ServerError(error)) => Err(RedisError::from(error).into()),
        _ => Err(ReadError::Reply("EXISTS")),
    }
}
