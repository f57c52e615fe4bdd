//! What a server tells of itself: which one it is, for a name or a proxy may lead elsewhere from one connection to the next,
//! and how many clients it has. Depends on `connection`.

use std::io;

use redis::{ConnectionLike, RedisError, Value, cmd};

use super::connection::Connection;
use super::endpoints::Address;

/// What a server tells of itself.
#[derive(Debug)]
pub struct About {
    /// Its own identity, which differs from start to start. Where it does not tell or the rules forbid asking, its address
    /// stands for it if it has others from connection to connection, and nothing otherwise.
    pub server: Option<String>,
    /// Its name and version, for people.
    product: Option<String>,
    /// The version of Redis that it is, or is like.
    version: Option<(u32, u32)>,
}

impl About {
    /// Its name and version, for people.
    pub fn product(&self) -> &str {
        self.product.as_deref().unwrap_or("of an unknown version")
    }

    /// Whether it is known not to do what Redis does since this version.
    pub fn is_older_than(&self, version: (u32, u32)) -> bool {
        self.version.is_some_and(|own| own < version)
    }
}

/// Which server it is.
pub fn identity(connection: &mut Connection) -> Result<Option<String>, RedisError> {
    Ok(about(connection)?.server)
}

/// Asks a server what it is. An error where it is a sentinel, which holds no data.
pub fn about(connection: &mut Connection) -> Result<About, RedisError> {
    let text = info(connection, "server")?.unwrap_or_default();
    if mode(&text) == Some("sentinel") {
        return Err(io::Error::other(
            "what answers is a sentinel, which holds no flags: write redis+sentinel://host:port/service",
        )
        .into());
    }
    let address = || connection.peer().map(Address::to_string);
    let (product, version) = version(&text);
    Ok(About { server: value_of(&text, "run_id").map(str::to_owned).or_else(address), product, version })
}

/// Name and version for people, and the version of Redis. Valkey has a version of its own, and is like an older Redis.
pub(super) fn version(text: &str) -> (Option<String>, Option<(u32, u32)>) {
    let redis = value_of(text, "redis_version");
    let valkey = value_of(text, "valkey_version").map(|version| format!("Valkey {version}"));
    let mut numbers = redis.unwrap_or_default().split('.').map(|number| number.parse().ok());
    let version = numbers.next().flatten().zip(numbers.next().flatten());
    (valkey.or_else(|| redis.map(|version| format!("Redis {version}"))), version)
}

/// In which availability zone the server is, where it tells: Valkey from version 8.1 on, if it was configured, and some that
/// others operate.
pub fn zone(connection: &mut Connection) -> Option<String> {
    let text = info(connection, "server").ok()??;
    value_of(&text, "availability_zone").filter(|zone| !zone.is_empty()).map(str::to_owned)
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
    fn the_version_is_that_of_redis_and_the_name_that_of_the_product() {
        let of = |text: &str| {
            let (product, version) = version(text);
            About { server: None, product, version }
        };
        let redis = of("# Server\r\nredis_version:8.8.0\r\nrun_id:a\r\n");
        assert_eq!(
            (redis.product(), redis.is_older_than((8, 8)), redis.is_older_than((8, 10))),
            ("Redis 8.8.0", false, true)
        );
        let valkey = of("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.0\r\n");
        assert_eq!((valkey.product(), valkey.is_older_than((8, 8))), ("Valkey 9.1.0", true));
        assert!(!of("").is_older_than((8, 8)) && !of("redis_version:?").is_older_than((8, 8)));
    }

    #[test]
    fn those_that_are_told_of_changes_count_before_all_that_are_connected() {
        let text = "# Clients\r\nconnected_clients:57\r\nblocked_clients:0\r\ntracking_clients:20\r\n";
        assert_eq!(peers(text), Some(20));
        assert_eq!(peers("connected_clients:57\r\ntracking_clients:0\r\n"), Some(57));
        assert_eq!(peers("# Clients\r\nconnected_clients:57\r\n"), Some(57));
        assert_eq!(peers(""), None);
    }
}
