//! The question to one sentinel, and what it may answer. Depends on `connection`.

use redis::{ConnectionLike, RedisError, Value, from_redis_value_ref, pipe};

use super::super::connection::Connection;
use super::super::describe::describe;
use super::super::endpoints::Address;

/// What a sentinel says that watches other services, or none yet.
pub const UNKNOWN: &str = "does not know the service";

/// What is said of one that names the primary of an earlier failover.
pub const BEHIND: &str = "is behind: it names the primary from before the latest failover";

/// What a sentinel says of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Where its primary is.
    pub address: Address,
    /// Counts the failovers that it knows of; a greater one is later. `None` where it does not tell.
    pub epoch: Option<u64>,
    /// Replicas that get everything, as far as it knows; none unless asked for.
    pub replicas: Vec<Address>,
    /// The other sentinels that it knows; `None` unless asked for, or where it does not tell.
    pub others: Option<Vec<Address>>,
}

/// What a sentinel is asked for beside the primary.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The replicas.
    pub replicas: bool,
    /// The other sentinels.
    pub others: bool,
}

/// Why a sentinel did not say it.
#[derive(Debug, thiserror::Error)]
pub enum Silence {
    /// It watches other services.
    #[error("{}", UNKNOWN)]
    Unknown,
    /// It is no sentinel.
    #[error("is a data node and no sentinel")]
    DataNode,
    /// What it said has no meaning.
    #[error("gives an answer that no sentinel gives")]
    Nonsense,
    /// It could not be asked, or refused.
    #[error("{}", describe(.0))]
    Failed(#[from] RedisError),
}

/// Asks where the primary of a service is. The address is that of the command for clients; the epoch is told by another one,
/// which strict rules may refuse.
pub fn ask(connection: &mut Connection, service: &str, wanted: Wanted) -> Result<Word, Silence> {
    let mut questions = pipe();
    let topics = [("GET-MASTER-ADDR-BY-NAME", true), ("MASTER", true), ("REPLICAS", wanted.replicas)];
    for (topic, _) in topics.into_iter().chain([("SENTINELS", wanted.others)]).filter(|(_, is_wanted)| *is_wanted) {
        questions.cmd("SENTINEL").arg(topic).arg(service);
    }
    let replies = connection.req_packed_commands(&questions.get_packed_pipeline(), 0, questions.len())?;
    word_of(&replies, wanted)
}

pub(super) fn word_of(replies: &[Value], wanted: Wanted) -> Result<Word, Silence> {
    let [address, details, more @ ..] = replies else { return Err(Silence::Nonsense) };
    let epoch = pairs(details).and_then(|pairs| value(&pairs, "config-epoch")?.parse().ok());
    let replicas = more.first().filter(|_| wanted.replicas).and_then(replicas).unwrap_or_default();
    let others = more.last().filter(|_| wanted.others).and_then(others);
    Ok(Word { address: address_of(address)?, epoch, replicas, others })
}

/// Those that are up and in touch with their primary; `None` where that is not told.
fn replicas(reply: &Value) -> Option<Vec<Address>> {
    let is_well = |about: &[(String, String)]| {
        value(about, "flags") == Some("slave") && value(about, "master-link-status") == Some("ok")
    };
    addresses(reply, is_well)
}

/// The other sentinels, also those that are away now; `None` where that is not told.
fn others(reply: &Value) -> Option<Vec<Address>> {
    addresses(reply, |about| value(about, "flags").is_some_and(|flags| flags.split(',').any(|flag| flag == "sentinel")))
}

fn addresses(reply: &Value, is_meant: impl Fn(&[(String, String)]) -> bool) -> Option<Vec<Address>> {
    let Value::Array(all) = reply else { return None };
    let address = |one: &Value| {
        let about = pairs(one).filter(|about| is_meant(about))?;
        let host = value(&about, "ip").filter(|host| !host.is_empty())?.to_owned();
        let port = value(&about, "port")?.parse().ok().filter(|port| *port > 0)?;
        Some(Address::Tcp { host, port })
    };
    Some(all.iter().filter_map(address).collect())
}

fn address_of(reply: &Value) -> Result<Address, Silence> {
    let parts = match reply {
        Value::Nil => return Err(Silence::Unknown),
        Value::ServerError(error) => {
            let error = RedisError::from(error.clone());
            let is_unknown =
                error.detail().is_some_and(|text| text.to_ascii_lowercase().starts_with("unknown command"));
            return Err(if is_unknown { Silence::DataNode } else { error.into() });
        }
        Value::Array(parts) => parts,
        _ => return Err(Silence::Nonsense),
    };
    match parts.as_slice() {
        [Value::BulkString(host), Value::BulkString(port)] => {
            let host = String::from_utf8(host.clone()).ok().filter(|host| !host.is_empty());
            let port = std::str::from_utf8(port).ok().and_then(|port| port.parse().ok()).filter(|port| *port > 0);
            host.zip(port).map(|(host, port)| Address::Tcp { host, port }).ok_or(Silence::Nonsense)
        }
        _ => Err(Silence::Nonsense),
    }
}

/// A list of names and values, as protocol 2 has it, or a map.
fn pairs(reply: &Value) -> Option<Vec<(String, String)>> {
    match reply {
        Value::Array(_) | Value::Map(_) => from_redis_value_ref(reply).ok(),
        _ => None,
    }
}

fn value<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    fn address(reply: &str) -> Result<String, String> {
        let reply = parse_redis_value(reply.as_bytes()).unwrap();
        address_of(&reply).map(|address| address.to_string()).map_err(|silence| silence.to_string())
    }

    #[test]
    fn what_a_sentinel_says_is_an_address_or_a_reason() {
        assert_eq!(address("*2\r\n$9\r\n127.0.0.1\r\n$4\r\n7000\r\n").unwrap(), "127.0.0.1:7000");
        assert_eq!(address("*2\r\n$3\r\n::1\r\n$1\r\n7\r\n").unwrap(), "[::1]:7");
        for (reply, reason) in [
            ("*-1\r\n", UNKNOWN),
            ("$-1\r\n", UNKNOWN),
            ("-ERR unknown command 'SENTINEL', with args beginning with: 'x'\r\n", "is a data node"),
            ("-ERR unknown command `SENTINEL`, with args beginning with:\r\n", "is a data node"),
            ("-NOAUTH Authentication required.\r\n", "NOAUTH"),
            ("*2\r\n$0\r\n\r\n$4\r\n7000\r\n", "no sentinel gives"),
            ("*2\r\n$1\r\nh\r\n$5\r\n70000\r\n", "no sentinel gives"),
            ("*2\r\n$1\r\nh\r\n$1\r\n0\r\n", "no sentinel gives"),
            ("*1\r\n$1\r\nh\r\n", "no sentinel gives"),
            (":1\r\n", "no sentinel gives"),
        ] {
            let said = address(reply).unwrap_err();
            assert!(said.contains(reason), "{reply:?}: {said}");
        }
    }

    fn words(topics: &[&str]) -> Vec<Value> {
        topics.iter().map(|topic| parse_redis_value(topic.as_bytes()).unwrap()).collect()
    }

    fn about(pairs: &[(&str, &str)]) -> String {
        let text = |text: &str| format!("${}\r\n{text}\r\n", text.len());
        let all: String = pairs.iter().map(|(name, value)| text(name) + &text(value)).collect();
        format!("*{}\r\n{all}", pairs.len() * 2)
    }

    #[test]
    fn replicas_that_are_well_and_all_other_sentinels_are_taken() {
        let one = |port: &str, flags: &str, link: &str| {
            about(&[("ip", "h"), ("port", port), ("flags", flags), ("master-link-status", link)])
        };
        let replicas = [
            one("1", "slave", "ok"),
            one("2", "s_down,slave", "ok"),
            one("3", "slave", "err"),
            one("0", "slave", "ok"),
        ];
        let sentinels =
            [one("4", "sentinel", ""), one("5", "s_down,sentinel,disconnected", ""), one("6", "master", "")];
        let list = |all: &[String]| format!("*{}\r\n{}", all.len(), all.concat());
        let (address, details) = ("*2\r\n$1\r\nh\r\n$1\r\n9\r\n", about(&[("config-epoch", "3")]));
        let wanted = Wanted { replicas: true, others: true };
        let word = word_of(&words(&[address, &details, &list(&replicas), &list(&sentinels)]), wanted).unwrap();
        let text = |all: &[Address]| all.iter().map(Address::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!((text(&word.replicas).as_str(), word.epoch), ("h:1", Some(3)));
        assert_eq!(text(&word.others.unwrap()), "h:4 h:5");
        // Rules that forbid all but the first question.
        let refused = "-NOPERM no\r\n";
        let word = word_of(&words(&[address, refused, refused, refused]), wanted).unwrap();
        assert_eq!((word.replicas.len(), word.others, word.epoch), (0, None, None));
    }

    #[test]
    fn whatever_is_answered_gives_a_usable_address_or_a_reason() {
        let about = about(&[("ip", "10.0.0.1"), ("port", "6379"), ("flags", "slave"), ("master-link-status", "ok")]);
        let (list, address) = (format!("*1\r\n{about}"), "*2\r\n$8\r\n10.0.0.1\r\n$4\r\n6379\r\n");
        let whole =
            [address, &about, &list, "*-1\r\n", "-ERR unknown command 'SENTINEL'\r\n", ":7\r\n", "%1\r\n+ip\r\n+h\r\n"];
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut below = |limit: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 11).unwrap() % limit
        };
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..100_000 {
            let mut replies = Vec::new();
            for expected in [address, about.as_str(), list.as_str(), list.as_str()] {
                let mut bytes = if below(4) == 0 { whole[below(whole.len())] } else { expected }.as_bytes().to_vec();
                for _ in 0..below(3) {
                    let at = below(bytes.len());
                    match below(3) {
                        0 => bytes[at] = b"0123456789\r\n$*:-+%_~>#(\xff\0"[below(25)],
                        1 => _ = bytes.remove(at),
                        _ => bytes.truncate(at + 1),
                    }
                }
                replies.push(parse_redis_value(&bytes).unwrap_or(Value::Nil));
            }
            match word_of(&replies, Wanted { replicas: true, others: true }) {
                Ok(word) => {
                    taken += 1;
                    let others = word.others.into_iter().flatten();
                    for address in [word.address].into_iter().chain(word.replicas).chain(others) {
                        assert!(
                            matches!(&address, Address::Tcp { host, port: 1.. } if !host.is_empty()),
                            "{address:?}"
                        );
                    }
                }
                Err(silence) => {
                    refused += 1;
                    assert!(!silence.to_string().is_empty());
                }
            }
        }
        assert!(taken > 10_000 && refused > 10_000, "{taken} {refused}");
    }

    #[test]
    fn the_epoch_is_read_from_either_protocol() {
        let list = "*4\r\n$4\r\nname\r\n$1\r\nm\r\n$12\r\nconfig-epoch\r\n$2\r\n17\r\n";
        let map = "%2\r\n$4\r\nname\r\n$1\r\nm\r\n$12\r\nconfig-epoch\r\n$2\r\n17\r\n";
        for reply in [list, map] {
            let reply = parse_redis_value(reply.as_bytes()).unwrap();
            assert_eq!(pairs(&reply).and_then(|pairs| value(&pairs, "config-epoch").map(str::to_owned)).unwrap(), "17");
        }
        assert_eq!(pairs(&parse_redis_value(b"-NOPERM no\r\n").unwrap()), None);
    }
}
