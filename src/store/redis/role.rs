//! Which part a server plays beside others, as it says itself: primary or replica, and how far a replica has come. Depends on
//! `connection` and `server`.

use redis::{ConnectionLike, RedisError, Value, cmd, from_redis_value_ref};

use super::abilities::is_denied;
use super::class::elsewhere;
use super::connection::Connection;
use super::endpoints::Address;
use super::server::{info, value_of};

/// A primary tells its replicas something at least each ten seconds, whatever the machine between them is doing: one that has heard
/// nothing for longer than that is cut off, although its connection looks alive.
const LONGEST_SILENCE: u64 = 15;

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It takes writes, and has written so much.
    Primary(u64),
    /// It follows another one.
    Replica(Standing),
    /// It holds no data.
    Sentinel,
}

/// How a replica stands to its primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whom it follows.
    primary: Address,
    /// It gets everything that the primary writes.
    is_connected: bool,
    /// How much of it has arrived.
    offset: u64,
}

/// What a server says of itself; `None` where it may not be asked.
pub fn role(connection: &mut Connection) -> Result<Option<Role>, RedisError> {
    match connection.req_command(&cmd("ROLE"))? {
        Value::ServerError(error) if !is_denied(&error.clone().into()) => Err(error.into()),
        Value::Array(parts) => Ok(of_parts(&parts)),
        _ => Ok(info(connection, "replication")?.and_then(|text| of_text(&text))),
    }
}

pub(super) fn of_parts(parts: &[Value]) -> Option<Role> {
    let text = |position: usize| from_redis_value_ref::<String>(parts.get(position)?).ok();
    let number = |position: usize| from_redis_value_ref(parts.get(position)?).ok();
    match text(0)?.as_str() {
        "master" => Some(Role::Primary(number(1)?)),
        "sentinel" => Some(Role::Sentinel),
        "slave" => Some(Role::Replica(Standing {
            primary: Address::Tcp { host: text(1)?, port: text(2)?.parse().ok()? },
            is_connected: text(3)? == "connected",
            // -1 while nothing has arrived.
            offset: text(4)?.parse().unwrap_or(0),
        })),
        _ => None,
    }
}

pub(super) fn of_text(text: &str) -> Option<Role> {
    let value = |name: &str| value_of(text, name);
    match value("role")? {
        "master" => Some(Role::Primary(value("master_repl_offset")?.parse().ok()?)),
        _ => Some(Role::Replica(Standing {
            primary: Address::Tcp { host: value("master_host")?.to_owned(), port: value("master_port")?.parse().ok()? },
            is_connected: value("master_link_status")? == "up",
            offset: value("slave_repl_offset")?.parse().unwrap_or(0),
        })),
    }
}

/// Whether the server is a primary, as it says itself; one that may not be asked is believed to be. How much it has written.
pub fn check_primary(connection: &mut Connection, address: &Address) -> Result<u64, RedisError> {
    match role(connection)? {
        None => Ok(0),
        Some(Role::Primary(offset)) => Ok(offset),
        Some(Role::Sentinel) => Err(elsewhere(format!("{address} is a sentinel itself"))),
        Some(Role::Replica(_)) => Err(elsewhere(format!("{address} is a replica: no primary is in office yet"))),
    }
}

/// Whether the server is a replica that follows this primary and gets everything that it writes. How much has arrived.
pub fn check_replica(connection: &mut Connection, address: &Address, primary: &Address) -> Result<u64, RedisError> {
    let refused = |why: &str| Err(elsewhere(format!("{address} is a replica that {why}")));
    match role(connection)? {
        // It may know by its name what sentinels know by its address.
        Some(Role::Replica(standing)) if !standing.primary.is_same_place(primary) => refused("follows another primary"),
        Some(Role::Replica(standing)) if !standing.is_connected => refused("has lost its primary"),
        Some(Role::Replica(standing)) => match silence(connection)? {
            Some(silence) if silence > LONGEST_SILENCE => refused("has heard nothing of its primary for long"),
            _ => Ok(standing.offset),
        },
        _ => Err(elsewhere(format!("{address} does not say that it is a replica"))),
    }
}

/// What a server is of which nobody else says what it should be, by what it tells with `INFO replication`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standalone {
    /// It takes writes, or does not tell.
    Primary,
    /// It follows another one, and gets everything that is written there, or not.
    Replica {
        /// It does.
        is_in_touch: bool,
    },
}

/// The same from that text.
pub fn standalone(text: &str) -> Standalone {
    match value_of(text, "role") {
        Some("slave") => Standalone::Replica {
            is_in_touch: value_of(text, "master_link_status") != Some("down")
                && silence_of(text).is_none_or(|silence| silence <= LONGEST_SILENCE),
        },
        _ => Standalone::Primary,
    }
}

/// For how many seconds a replica has heard nothing of its primary, where it tells.
fn silence(connection: &mut Connection) -> Result<Option<u64>, RedisError> {
    Ok(info(connection, "replication")?.and_then(|text| silence_of(&text)))
}

fn silence_of(text: &str) -> Option<u64> {
    value_of(text, "master_last_io_seconds_ago")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    fn told(reply: &str) -> Option<Role> {
        let Value::Array(parts) = parse_redis_value(reply.as_bytes()).unwrap() else { panic!("{reply}") };
        of_parts(&parts)
    }

    fn replica(is_connected: bool, offset: u64) -> Option<Role> {
        let primary = Address::Tcp { host: "h".to_owned(), port: 7 };
        Some(Role::Replica(Standing { primary, is_connected, offset }))
    }

    #[test]
    fn a_role_is_read_from_either_command() {
        assert_eq!(told("*3\r\n$6\r\nmaster\r\n:12\r\n*0\r\n"), Some(Role::Primary(12)));
        assert_eq!(told("*2\r\n$8\r\nsentinel\r\n*0\r\n"), Some(Role::Sentinel));
        assert_eq!(told("*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:7\r\n$9\r\nconnected\r\n:5\r\n"), replica(true, 5));
        assert_eq!(told("*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:7\r\n$4\r\nsync\r\n:-1\r\n"), replica(false, 0));
        assert_eq!(told("*1\r\n$5\r\nslave\r\n"), None);
        assert_eq!(of_text("# Replication\r\nrole:master\r\nmaster_repl_offset:9\r\n"), Some(Role::Primary(9)));
        let text = "role:slave\r\nmaster_host:h\r\nmaster_port:7\r\nmaster_link_status:down\r\nslave_repl_offset:3\r\n";
        assert_eq!(of_text(text), replica(false, 3));
        assert_eq!(of_text(""), None);
    }
}
