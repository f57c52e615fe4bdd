//! Which notifications a server is configured to publish (`notify-keyspace-events`). It is asked and never told: nothing is
//! configured from here. Depends on `line`.

use redis::{RedisError, Value, cmd};

use super::WatchError;
use super::line::{Heard, Line};

const NAME: &str = "notify-keyspace-events";
/// What the class `A` stands for, of what matters here.
const ALL: &str = "g$hxe";

/// Says which of the classes that are needed the server does not publish; `told` gets what comes meanwhile.
pub fn check(line: &mut Line, needed: &str, told: &mut dyn FnMut(Heard)) -> Result<(), WatchError> {
    let answer = match line.ask(cmd("CONFIG").arg("GET").arg(NAME), told) {
        Ok(answer) => answer,
        Err(error) => return Err(refusal(&error)),
    };
    let classes = classes(answer).ok_or_else(|| WatchError::Refused(format!("the server does not tell its {NAME}")))?;
    let missing = lacking(&classes, needed);
    if missing.is_empty() {
        return Ok(());
    }
    let said = if classes.is_empty() { "is empty".to_owned() } else { format!("is {classes:?}") };
    Err(WatchError::Refused(format!("{NAME} of the server {said} and lacks {missing}")))
}

fn refusal(error: &RedisError) -> WatchError {
    match WatchError::of(error) {
        WatchError::Refused(reason) => WatchError::Refused(format!(
            "CONFIG GET {NAME} is refused ({reason}), and redis.keyspace_notifications is not assume"
        )),
        other => other,
    }
}

/// The value, of an answer in either version of the protocol.
pub(super) fn classes(answer: Value) -> Option<String> {
    let value = match answer {
        Value::Map(pairs) => pairs.into_iter().next()?.1,
        Value::Array(parts) => parts.into_iter().nth(1)?,
        _ => return None,
    };
    match value {
        Value::BulkString(text) => Some(String::from_utf8_lossy(&text).into_owned()),
        _ => None,
    }
}

fn lacking(classes: &str, needed: &str) -> String {
    let has = |class: char| classes.contains(class) || ALL.contains(class) && classes.contains('A');
    needed.chars().filter(|class| !has(*class)).collect()
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    #[test]
    fn a_class_is_there_by_its_letter_or_by_the_one_for_all() {
        for (classes, needed, missing) in [
            ("", "Sh", "Sh"),
            ("S", "Sh", "h"),
            ("Sh", "Sh", ""),
            ("AKE", "Sh", "S"),
            ("AS", "Sh", ""),
            ("KA", "Kghxe", ""),
            ("A", "Kghxe", "K"),
            ("Kgh", "Kghxe", "xe"),
            ("Esh", "Sh", "S"),
        ] {
            assert_eq!(lacking(classes, needed), missing, "{classes} {needed}");
        }
    }

    #[test]
    fn the_value_is_found_in_either_version_and_a_server_that_does_not_know_it_says_nothing() {
        let of = |text: &str| classes(parse_redis_value(text.as_bytes()).unwrap());
        let pair = "$22\r\nnotify-keyspace-events\r\n$2\r\nSh\r\n";
        assert_eq!(of(&format!("*2\r\n{pair}")).as_deref(), Some("Sh"));
        assert_eq!(of(&format!("%1\r\n{pair}")).as_deref(), Some("Sh"));
        assert_eq!((of("*0\r\n"), of("%0\r\n"), of("+OK\r\n")), (None, None, None));
    }
}
