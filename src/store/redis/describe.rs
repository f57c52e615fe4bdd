//! Errors of Redis in words: what the server or the system said, without what may be secret. Pure functions.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError};

use super::class::{ELSEWHERE, LOGIN};
use crate::model::excerpt;

/// How it is told that a login was refused.
pub(super) const REFUSED: &str = "the login was refused: ";

/// Most characters of what a server says that are repeated.
const LONGEST_ERROR: usize = 500;

/// The text of a Redis error without what the command carried: a server that does not know a command repeats its
/// arguments, and those of a login are credentials.
pub fn describe(error: &RedisError) -> String {
    let text = match (error.code(), error.detail()) {
        (Some("ERR" | ELSEWHERE | LOGIN), Some(detail)) => detail.to_owned(),
        (Some(code @ ("NOAUTH" | "WRONGPASS")), Some(detail)) => format!("{REFUSED}{code} {detail}"),
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (None, None) if error.kind() == ErrorKind::RESP3NotSupported => {
            let text = error.to_string();
            text.split(" - ").next().unwrap_or_default().to_owned()
        }
        _ => error.to_string(),
    };
    let end = text.find(", with args beginning with").unwrap_or(text.len());
    excerpt(text.get(..end).unwrap_or_default(), LONGEST_ERROR)
}

/// What is said where one server is sought: with what to write where a node of a cluster says so.
pub fn of_one_server(text: String) -> String {
    let begins_word = |at: usize| !text.get(..at).is_some_and(|before| before.ends_with(char::is_alphanumeric));
    let says = |code: &&str| text.match_indices(*code).any(|(at, _)| begins_word(at));
    let is_of_node = ["MOVED ", "ASK ", "CROSSSLOT ", "CLUSTERDOWN "].iter().any(says);
    let hint = "what answers is a node of a cluster, for which redis+cluster:// has to be written";
    if is_of_node { format!("{text}: {hint}") } else { text }
}

/// What the system said, if it was the system.
pub fn io_error(error: &RedisError) -> Option<&io::Error> {
    let shared = error.source()?.downcast_ref::<Arc<dyn Error + Send + Sync>>()?;
    shared.downcast_ref::<io::Error>()
}

#[cfg(test)]
mod tests {
    use redis::{Value, parse_redis_value};

    use super::*;

    #[test]
    fn what_a_server_said_is_told_as_it_said_it_but_for_arguments() {
        for (line, told) in [
            ("ERR max number of clients reached", "max number of clients reached"),
            (
                "READONLY You can't write against a read only replica.",
                "READONLY You can't write against a read only replica.",
            ),
            (
                "WRONGPASS invalid username-password pair",
                "the login was refused: WRONGPASS invalid username-password pair",
            ),
            ("MOVED 3999 127.0.0.1:6381", "MOVED 3999 127.0.0.1:6381"),
            ("ERR unknown command 'AUTH', with args beginning with: 'hunter2'", "unknown command 'AUTH'"),
        ] {
            let Value::ServerError(error) = parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap() else {
                panic!("{line}")
            };
            assert_eq!(describe(&error.into()), told);
        }
    }

    #[test]
    fn what_only_nodes_of_clusters_say_is_told_with_what_to_write_for_one() {
        for text in ["MOVED 3999 127.0.0.1:6381", "write failed: CROSSSLOT Keys in request", "CLUSTERDOWN Hash slot"] {
            assert!(of_one_server(text.to_owned()).contains("redis+cluster://"), "{text}");
        }
        for text in ["LOADING Redis", "no TASK is known"] {
            assert_eq!(of_one_server(text.to_owned()), text);
        }
    }

    #[test]
    fn what_the_system_said_is_found_inside() {
        let error = RedisError::from(io::Error::new(io::ErrorKind::TimedOut, "no answer within 5 ms"));
        assert_eq!(describe(&error), "no answer within 5 ms");
        assert!(error.is_timeout());
    }
}
