//! What is said first on a connection: who we are, in one round trip. Depends on `connection` and `class`.

use redis::{ErrorKind, Pipeline, RedisError, ServerErrorKind, Value, pipe};

use super::class::{Class, class};
use super::connection::Connection;

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
pub struct Login {
    /// The user; `None`: the default user.
    pub username: Option<String>,
    /// Its password; `None`: there is no login.
    pub password: Option<String>,
    /// The database.
    pub database: i64,
    /// How the connection is called.
    pub name: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Login")
            .field("database", &self.database)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Login {
    /// Logs in, chooses the database, and says who is there, which old servers and strict rules may refuse.
    pub fn run(&self, connection: &mut Connection, protocol: Protocol, courtesy: Courtesy) -> Result<(), RedisError> {
        match self.attempt(connection, (protocol, courtesy), self.username.as_deref()) {
            // Servers before version 6 know passwords only.
            Err(error) if self.username.is_some() && protocol == Protocol::Resp2 && takes_no_user(&error) => {
                self.attempt(connection, (protocol, courtesy), None)
            }
            outcome => outcome,
        }
    }

    fn attempt(
        &self,
        connection: &mut Connection,
        (protocol, courtesy): (Protocol, Courtesy),
        user: Option<&str>,
    ) -> Result<(), RedisError> {
        let (commands, needed) = self.commands(protocol, courtesy, user);
        if commands.is_empty() {
            return Ok(());
        }
        let sent = connection.send_packed_command(&commands.get_packed_pipeline());
        let mut failure = None;
        for position in 0..commands.len() {
            let reply = match connection.recv_response() {
                Ok(reply) => reply,
                // A server that is full says so and closes: that may be why nothing could be sent.
                Err(error) => return Err(failure.or(sent.err()).unwrap_or(error)),
            };
            if let Value::ServerError(error) = reply {
                let is_hello = position == 0 && protocol == Protocol::Resp3;
                if needed.contains(&position) || is_farewell(&error) {
                    failure = failure.or_else(|| Some(translate(error, is_hello)));
                }
            }
        }
        failure.map_or(Ok(()), |error| Err(self.concealed(error)))
    }

    /// What a server says is shown to people: never with the password, which there are servers that repeat.
    fn concealed(&self, error: RedisError) -> RedisError {
        // What has a code of its own says nothing but what it always says.
        let is_free =
            class(&error) == Class::Refused && !matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
        let is_secret = |password: &&String| is_free && error.to_string().contains(password.as_str());
        match self.password.as_ref().filter(is_secret) {
            Some(_) => {
                (ErrorKind::AuthenticationFailed, "the server refuses the login, with the password in its words").into()
            }
            None => error,
        }
    }

    /// The commands, and the positions of those that must succeed.
    fn commands(&self, protocol: Protocol, courtesy: Courtesy, user: Option<&str>) -> (Pipeline, Vec<usize>) {
        let mut commands = pipe();
        let mut needed = Vec::new();
        match (protocol, &self.password) {
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
