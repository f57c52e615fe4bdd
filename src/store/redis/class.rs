//! What kind of failure an error is: each has one consequence, for reader, writer and watch alike, so that an error is judged
//! here once and nowhere else. Pure functions over what a server or the system said.

use redis::{ErrorKind, RedisError};

use super::describe::{REFUSED, describe};

/// The consequence of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Another server has to be asked: the address is resolved anew.
    Elsewhere,
    /// This server does not answer, or cannot just now: it is asked again later.
    Later,
    /// The server answers and does not let us do this, which waiting alone does not mend.
    Refused,
    /// The server takes no writes just now; what it holds can be read.
    Full,
    /// What is stored under a key is of another kind than expected.
    Data,
    /// The server does not let this user in, or not with this password: it is tried again later, and at once with others.
    Login,
}

/// The server closed the connection; a silence that lasts too long is another thing.
pub fn is_cut(error: &RedisError) -> bool {
    error.is_connection_dropped() && !error.is_timeout()
}

/// The code of errors of our own that lead elsewhere.
pub(super) const ELSEWHERE: &str = "ELSEWHERE";

/// An error of our own: what answers is not the server that is sought.
pub fn elsewhere(text: String) -> RedisError {
    redis::make_extension_error(ELSEWHERE.to_owned(), Some(text))
}

/// The code of errors of our own about the login.
pub(super) const LOGIN: &str = "LOGIN";

/// An error of our own: there is nothing to log in with.
pub fn no_login(text: String) -> RedisError {
    redis::make_extension_error(LOGIN.to_owned(), Some(format!("there is no login: {text}")))
}

/// What a server says that refuses a login. What it says of something else stays as it is.
pub fn refused_login(error: &redis::ServerError) -> Option<RedisError> {
    let detail = error.details().unwrap_or_default();
    let is_refused = match error.code() {
        "WRONGPASS" | "NOAUTH" => true,
        // Other than that of a user who may not run the command.
        "NOPERM" => !detail.contains("command"),
        // Redis before version 6, with a password that is wrong or not expected; services with tokens.
        _ => ["invalid password", "Client sent AUTH", "AUTH "].iter().any(|beginning| detail.starts_with(beginning)),
    };
    let said = describe(&error.clone().into());
    // The description says itself that a login was refused.
    let said = said.strip_prefix(REFUSED).unwrap_or(&said);
    is_refused.then(|| redis::make_extension_error(LOGIN.to_owned(), Some(format!("{REFUSED}{said}"))))
}

/// Codes that servers begin their errors with.
const CODES: &[(&str, Class)] = &[
    (ELSEWHERE, Class::Elsewhere),
    ("MOVED", Class::Elsewhere),
    ("ASK", Class::Elsewhere),
    ("REDIRECT", Class::Elsewhere),
    ("READONLY", Class::Elsewhere),
    ("LOADING", Class::Later),
    ("BUSY", Class::Later),
    ("MASTERDOWN", Class::Later),
    ("TRYAGAIN", Class::Later),
    ("CLUSTERDOWN", Class::Later),
    (LOGIN, Class::Login),
    ("NOAUTH", Class::Login),
    ("WRONGPASS", Class::Login),
    ("NOPERM", Class::Refused),
    ("OOM", Class::Full),
    ("MISCONF", Class::Full),
    ("NOREPLICAS", Class::Full),
    ("WRONGTYPE", Class::Data),
];

/// Beginnings of errors without a code of their own that time mends: of a full server, and of proxies whose server is away.
const PASSING: &[&str] = &[
    "max number of clients",
    "connection refused",
    "connection reset",
    "connection timed out",
    "operation timed out",
    "host is down",
    "no route to host",
    "broken pipe",
    "no upstream host",
    "no healthy upstream",
    "upstream",
    "server connection close",
    "server closed the connection",
];

/// What kind of failure this is.
pub fn class(error: &RedisError) -> Class {
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => of_server(error.code().unwrap_or_default(), error.detail()),
        ErrorKind::AuthenticationFailed => Class::Login,
        ErrorKind::InvalidClientConfig | ErrorKind::RESP3NotSupported => Class::Refused,
        // A broken connection, a certificate that is not trusted, something that is no Redis: all may be mended outside.
        _ => Class::Later,
    }
}

fn of_server(code: &str, detail: Option<&str>) -> Class {
    if let Some(class) = of_code(code) {
        return class;
    }
    let detail = detail.unwrap_or_default();
    let text = if code == "ERR" { detail.to_owned() } else { format!("{code} {detail}") }.to_ascii_lowercase();
    if PASSING.iter().any(|beginning| text.starts_with(beginning)) {
        return Class::Later;
    }
    // Servers before version 7 wrap what a command of a script met.
    let within = if text.starts_with("error running script") { of_wrapped(detail) } else { None };
    within.unwrap_or(Class::Refused)
}

fn of_code(code: &str) -> Option<Class> {
    CODES.iter().find(|(known, _)| *known == code).map(|(_, class)| *class)
}

fn of_wrapped(detail: &str) -> Option<Class> {
    detail.split(|character: char| !character.is_ascii_uppercase()).find_map(of_code)
}

#[cfg(test)]
mod tests {
    use std::io;

    use redis::{Value, parse_redis_value};

    use super::*;

    /// The class of an error as the server sends it.
    fn class_of(line: &str) -> Class {
        match parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap() {
            Value::ServerError(error) => class(&error.into()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_error_of_a_server_has_its_class() {
        use Class::{Data, Elsewhere, Full, Later, Login, Refused};
        let wrapped = "ERR Error running script (call to f_7d5d9e2a): @user_script:2:";
        let table = [
            ("MOVED 3999 127.0.0.1:6381", Elsewhere),
            ("ASK 3999 127.0.0.1:6381", Elsewhere),
            ("REDIRECT 127.0.0.1:6381", Elsewhere),
            ("READONLY You can't write against a read only replica.", Elsewhere),
            ("LOADING Redis is loading the dataset in memory", Later),
            ("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", Later),
            ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", Later),
            ("TRYAGAIN Multiple keys request during rehashing of slot", Later),
            ("CLUSTERDOWN The cluster is down", Later),
            ("CLUSTERDOWN Hash slot not served", Later),
            ("ERR max number of clients reached", Later),
            ("ERR max number of clients + cluster connections reached", Later),
            ("ERR Connection refused", Later),
            ("ERR Connection timed out", Later),
            ("no upstream host", Later),
            ("upstream failure", Later),
            ("NOAUTH Authentication required.", Login),
            ("NOAUTH HELLO must be called with the client already authenticated", Login),
            ("WRONGPASS invalid username-password pair or user is disabled.", Login),
            ("NOPERM User ro has no permissions to run the 'multi' command", Refused),
            ("NOPERM this user has no permissions to access one of the keys used as arguments", Refused),
            ("ERR unknown command 'MULTI', with args beginning with: ", Refused),
            ("ERR unknown subcommand 'TRACKING'. Try CLIENT HELP.", Refused),
            ("ERR Client sent AUTH, but no password is set", Refused),
            ("ERR invalid password", Refused),
            ("ERR operation not permitted", Refused),
            ("ERR DB index is out of range", Refused),
            ("NOPROTO unsupported protocol version", Refused),
            ("NOSCRIPT No matching script. Please use EVAL.", Refused),
            ("DENIED Redis is running in protected mode because protected mode is enabled", Refused),
            ("EXECABORT Transaction discarded because of previous errors.", Refused),
            ("CROSSSLOT Keys in request don't hash to the same slot", Refused),
            ("OOM command not allowed when used memory > 'maxmemory'.", Full),
            ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", Full),
            ("NOREPLICAS Not enough good replicas to write.", Full),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", Data),
            (
                "WRONGTYPE Operation against a key holding the wrong kind of value script: 7d5d, on @user_script:2.",
                Data,
            ),
            (&format!("{wrapped} WRONGTYPE Operation against a key holding the wrong kind of value"), Data),
            (&format!("{wrapped} -OOM command not allowed when used memory > 'maxmemory'."), Full),
            (&format!("{wrapped} -READONLY You can't write against a read only replica."), Elsewhere),
            (&format!("{wrapped} attempt to index a nil value"), Refused),
        ];
        for (line, expected) in table {
            assert_eq!(class_of(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_said_of_a_login_is_told_from_what_is_said_at_it() {
        let refused = |line: &str| {
            let Value::ServerError(error) = parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap() else {
                panic!("{line}")
            };
            refused_login(&error).map(|error| {
                assert_eq!(class(&error), Class::Login, "{line}");
                describe(&error)
            })
        };
        for line in [
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOAUTH HELLO must be called with the client already authenticated",
            "NOPERM this token is for another cluster",
        ] {
            assert_eq!(refused(line), Some(format!("the login was refused: {line}")));
        }
        for text in ["invalid password", "Client sent AUTH, but no password is set", "AUTH failed"] {
            assert_eq!(refused(&format!("ERR {text}")), Some(format!("the login was refused: {text}")));
        }
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "NOPERM this user has no permissions to run the 'hello' command",
            "NOPROTO unsupported protocol version",
            "ERR unknown command 'HELLO'",
            "ERR max number of clients reached",
            "ERR wrong number of arguments for 'auth' command",
        ] {
            assert_eq!(refused(line), None, "{line}");
        }
    }

    #[test]
    fn an_error_of_our_own_leads_elsewhere_and_is_told_without_a_code() {
        let error = elsewhere("a replica answers".to_owned());
        assert_eq!((class(&error), describe(&error).as_str()), (Class::Elsewhere, "a replica answers"));
    }

    #[test]
    fn whatever_befalls_a_connection_may_be_over_later() {
        use io::ErrorKind::*;
        for kind in
            [TimedOut, WouldBlock, ConnectionRefused, ConnectionReset, UnexpectedEof, BrokenPipe, NotFound, Other]
        {
            assert_eq!(class(&io::Error::from(kind).into()), Class::Later, "{kind:?}");
        }
        assert_eq!(class(&parse_redis_value(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err()), Class::Later);
        assert_eq!(class(&io::Error::other("TLS: invalid peer certificate: Expired").into()), Class::Later);
    }
}
