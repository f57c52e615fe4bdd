//! What is said first on a connection: who we are, in one round trip; and a login in between, when it has changed.
//! Depends on `connection`, `credentials` and `class`.

use std::sync::Arc;

use redis::{ErrorKind, Pipeline, RedisError, ServerErrorKind, Value, cmd, pipe};
use zeroize::Zeroizing;

use super::class::{Class, class, refused_login};
use super::connection::Connection;
use super::credentials::{Credentials, Grant};
use super::describe::{REFUSED, describe};

/// The version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Which every server speaks.
    Resp2,
    /// Which has pushes.
    Resp3,
}

/// Whether the server is told who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Courtesy {
    /// Name and version, which operators see in the list of clients.
    Full,
    /// Nothing that it need not know.
    None,
}

/// Who logs in where.
#[derive(Debug)]
pub struct Login {
    /// Who.
    pub credentials: Arc<Credentials>,
    /// The database.
    pub database: i64,
    /// How the connection is called.
    pub name: String,
}

impl Login {
    /// Logs in, chooses the database, and says who is there, which old servers and strict rules may refuse.
    pub fn run(
        &self,
        grant: &Grant,
        connection: &mut Connection,
        manner: (Protocol, Courtesy),
    ) -> Result<(), RedisError> {
        let outcome = match self.attempt(connection, manner, (grant, grant.user.as_deref())) {
            // Servers before version 6 know passwords only.
            Err(error) if grant.user.is_some() && manner.0 == Protocol::Resp2 && takes_no_user(&error) => {
                self.attempt(connection, manner, (grant, None))
            }
            outcome => outcome,
        };
        match &outcome {
            Ok(()) => {
                connection.set_login(grant.number);
                self.credentials.note_accepted(grant.number);
            }
            Err(error) if class(error) == Class::Login => {
                self.credentials.note_refused(grant.number, &describe(error));
            }
            Err(_) => {}
        }
        outcome
    }

    /// Logs in anew if something else logs in by now. A refusal is noted, and the connection goes on as it is; `pushed` gets what
    /// is told meanwhile.
    pub fn renew(&self, connection: &mut Connection, pushed: &mut dyn FnMut(Value)) -> Result<(), RedisError> {
        if connection.login() == self.credentials.number() {
            return Ok(());
        }
        let Some(grant) = self.credentials.present() else { return Ok(()) };
        connection.set_login(grant.number);
        let Some(password) = &grant.password else { return Ok(()) };
        let mut outcome = log_in(connection, grant.user.as_deref(), password, pushed)?;
        if grant.user.is_some() && outcome.as_ref().is_err_and(takes_no_user) {
            outcome = log_in(connection, None, password, pushed)?;
        }
        match outcome {
            Ok(()) => self.credentials.note_accepted(grant.number),
            Err(error) => self.credentials.note_refused(grant.number, &describe(&error)),
        }
        Ok(())
    }

    fn attempt(
        &self,
        connection: &mut Connection,
        (protocol, courtesy): (Protocol, Courtesy),
        (grant, user): (&Grant, Option<&str>),
    ) -> Result<(), RedisError> {
        let password = grant.password.as_ref();
        let (commands, needed) = self.commands((protocol, courtesy), user, password.map(|password| password.as_str()));
        if commands.is_empty() {
            return Ok(());
        }
        let packed = Zeroizing::new(commands.get_packed_pipeline());
        let sent = connection.send_packed_command(&packed);
        let mut failure = None;
        for position in 0..commands.len() {
            let reply = match connection.recv_response() {
                Ok(reply) => reply,
                // A server that is full says so and closes: that may be why nothing could be sent.
                Err(error) => return Err(failure.or(sent.err()).unwrap_or(error)),
            };
            if let Value::ServerError(error) = reply {
                let is_first = position == 0;
                if needed.contains(&position) || is_farewell(&error) {
                    let refusal = || refused_login(&error).filter(|_| is_first && password.is_some());
                    let is_hello = is_first && protocol == Protocol::Resp3;
                    failure = failure.or_else(refusal).or_else(|| Some(translate(error, is_hello)));
                }
            }
        }
        failure.map_or(Ok(()), |error| Err(concealed(error, password.map(|password| password.as_str()))))
    }

    /// The commands, and the positions of those that must succeed.
    fn commands(
        &self,
        (protocol, courtesy): (Protocol, Courtesy),
        user: Option<&str>,
        password: Option<&str>,
    ) -> (Pipeline, Vec<usize>) {
        let mut commands = pipe();
        let mut needed = Vec::new();
        match (protocol, password) {
            (Protocol::Resp3, password) => {
                needed.push(commands.len());
                let hello = commands.cmd("HELLO").arg(3);
                if let Some(password) = password {
                    hello.arg("AUTH").arg(user.unwrap_or("default")).arg(password);
                }
            }
            (Protocol::Resp2, Some(password)) => {
                needed.push(commands.len());
                commands.cmd("AUTH").arg(user).arg(password);
            }
            (Protocol::Resp2, None) => {}
        }
        if courtesy == Courtesy::Full {
            commands.cmd("CLIENT").arg("SETINFO").arg("LIB-NAME").arg("flagstone");
            commands.cmd("CLIENT").arg("SETINFO").arg("LIB-VER").arg(env!("CARGO_PKG_VERSION"));
            commands.cmd("CLIENT").arg("SETNAME").arg(&self.name);
        }
        if self.database != 0 {
            needed.push(commands.len());
            commands.cmd("SELECT").arg(self.database);
        }
        (commands, needed)
    }
}

/// Logs in between two commands: what the server says, or that nothing can be said to it any more.
fn log_in(
    connection: &mut Connection,
    user: Option<&str>,
    password: &str,
    pushed: &mut dyn FnMut(Value),
) -> Result<Result<(), RedisError>, RedisError> {
    let packed = Zeroizing::new(cmd("AUTH").arg(user).arg(password).get_packed_command());
    connection.send_packed_command(&packed)?;
    loop {
        match connection.recv_response()? {
            push @ Value::Push { .. } => pushed(push),
            Value::ServerError(error) => {
                let refusal = refused_login(&error).unwrap_or_else(|| error.into());
                return Ok(Err(concealed(refusal, Some(password))));
            }
            _ => return Ok(Ok(())),
        }
    }
}

/// So many characters of a password are as good as all of it.
const HEAD: usize = 16;

/// What a server says is shown to people: never with the password, which there are servers that repeat, as far as their words and
/// ours reach.
fn concealed(error: RedisError, password: Option<&str>) -> RedisError {
    // What has a code of its own says nothing but what it always says.
    let said = describe(&error);
    let words = said.strip_prefix(REFUSED).unwrap_or(&said);
    let has_code = ["NOAUTH ", "WRONGPASS ", "NOPERM "].iter().any(|code| words.starts_with(code));
    let is_free = matches!(class(&error), Class::Refused | Class::Login) && !has_code;
    let repeats = |password: &str| {
        let end = password.char_indices().nth(HEAD).map_or(password.len(), |(end, _)| end);
        password.get(..end).is_some_and(|head| said.contains(head))
    };
    match password.filter(|password| is_free && repeats(password)) {
        Some(_) => {
            (ErrorKind::AuthenticationFailed, "the server refuses the login, with the password in its words").into()
        }
        None => error,
    }
}

/// An error that answers no command but is said before the connection is closed.
fn is_farewell(error: &redis::ServerError) -> bool {
    error.details().is_some_and(|text| text.starts_with("max number of clients"))
}

fn takes_no_user(error: &RedisError) -> bool {
    error.detail().is_some_and(|text| text.contains("wrong number of arguments for 'auth'"))
}

fn translate(error: redis::ServerError, is_hello: bool) -> RedisError {
    let is_unknown = error.kind() == Some(ServerErrorKind::ResponseError)
        && error.details().is_some_and(|text| text.starts_with("unknown command"));
    if is_hello && (is_unknown || error.code() == "NOPROTO") {
        return (ErrorKind::RESP3NotSupported, "the server does not speak RESP3").into();
    }
    if is_unknown {
        // Servers repeat the arguments of a command that they do not know.
        return (ErrorKind::AuthenticationFailed, "the server does not know how to log in or to choose a database")
            .into();
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    #[test]
    fn a_password_that_a_server_repeats_in_part_is_not_shown_either() {
        // As long as tokens are.
        let password: String = (0..2_000).map(|number| char::from(b'a' + (number % 23) as u8)).collect();
        for repeated in [&*password, &password[..128], &password[..600]] {
            for words in ["invalid password", "no such token:"] {
                let Value::ServerError(said) =
                    parse_redis_value(format!("-ERR {words} {repeated}\r\n").as_bytes()).unwrap()
                else {
                    panic!("{words}")
                };
                let refusal = refused_login(&said).unwrap_or_else(|| said.into());
                let told = describe(&concealed(refusal, Some(&password)));
                assert!(!told.contains(&password[..32]), "{told}");
            }
        }
    }

    #[test]
    fn words_without_the_password_are_shown() {
        let Value::ServerError(said) = parse_redis_value(b"-ERR invalid password\r\n").unwrap() else { panic!() };
        let told = describe(&concealed(refused_login(&said).unwrap(), Some("hunter2")));
        assert_eq!(told, "the login was refused: invalid password");
    }
}
