//! Which server a connection leads to: a name or a proxy may lead elsewhere from one connection to the next.

use super::connection::Connection;
use redis::{ConnectionLike, RedisError, Value, cmd};

/// The server's own identity, which differs from start to start; `None` where it does not tell or the rules forbid asking.
pub fn identity(connection: &mut Connection) -> Result<Option<String>, RedisError> {
    let text = match connection.req_command(cmd("INFO").arg("server"))? {
        Value::BulkString(text) => String::from_utf8_lossy(&text).into_owned(),
        Value::VerbatimString { text, .. } => text,
        _ => return Ok(None),
    };
    Ok(text.lines().find_map(|line| line.strip_prefix("run_id:")).map(|id| id.trim().to_owned()))
}
