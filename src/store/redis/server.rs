//! What a server tells of itself: which one it is, for a name or a proxy may lead elsewhere from one connection to the next,
//! and how many clients it has.

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
