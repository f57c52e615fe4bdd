//! What a server tells of itself: which one it is, for a name or a proxy may lead elsewhere from one connection to the next,
//! and how many clients it has. Depends on `connection`.

use std::io;

use redis::{ConnectionLike, RedisError, Value, cmd};

use super::connection::Connection;
use super::endpoints::Address;

/// The server's own identity, which differs from start to start. Where it does not tell or the rules forbid asking, its address
/// stands for it if it has others from connection to connection, and nothing otherwise. An error where it is a sentinel, which
/// holds no data.
pub fn identity(connection: &mut Connection) -> Result<Option<String>, RedisError> {
    let text = info(connection, "server")?.unwrap_or_default();
    if mode(&text) == Some("sentinel") {
        return Err(io::Error::other(
            "what answers is a sentinel, which holds no flags: write redis+sentinel://host:port/service",
        )
        .into());
    }
    let address = || connection.peer().map(Address::to_string);
    Ok(value_of(&text, "run_id").map(str::to_owned).or_else(address))
}

/// How the server runs: `standalone`, `sentinel` or `cluster`. Redis and Valkey have different names for the line.
fn mode(text: &str) -> Option<&str> {
    value_of(text, "redis_mode").or_else(|| value_of(text, "server_mode"))
}

/// A section of what a server tells of itself, if it does.
pub(super) fn info(connection: &mut Connection, section: &str) -> Result<Option<String>, RedisError> {
    Ok(match connection.req_command(cmd("INFO").arg(section))? {
        Value::BulkString(text) => Some(String::from_utf8_lossy(&text).into_owned()),
        Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    })
}

/// The value of a line.
pub(super) fn value_of<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// The number of clients by what a server tells of itself: of those that are told of changes, if there are any.
pub fn peers(text: &str) -> Option<usize> {
    let number = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    number("tracking_clients:").filter(|count| *count > 0).or_else(|| number("connected_clients:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_told_of_changes_count_before_all_that_are_connected() {
        let text = "# Clients\r\nconnected_clients:57\r\nblocked_clients:0\r\ntracking_clients:20\r\n";
        assert_eq!(peers(text), Some(20));
        assert_eq!(peers("connected_clients:57\r\ntracking_clients:0\r\n"), Some(57));
        assert_eq!(peers("# Clients\r\nconnected_clients:57\r\n"), Some(57));
        assert_eq!(peers(""), None);
    }
}
