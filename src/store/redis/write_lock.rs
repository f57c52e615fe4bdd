//! The lock under which one of many processes writes a full data set. Nobody depends on it for correctness: whoever waited
//! long enough writes all the same. Part of the writer.

use redis::{ConnectionLike, RedisError, ServerErrorKind, Value, cmd, pipe};

use super::class::Class;
use super::writer::{WriteError, Writer, refuses_scripts};

/// A process that died while it wrote everything is waited for this long at most.
const LOCK_MS: u64 = 10_000;

/// Removes the lock if it is still ours.
const UNLOCK: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

impl Writer<'_> {
    /// Takes the lock under which one of many processes writes the full data set. True when it is ours, also from before.
    /// A server that forbids it is no reason not to write, nor is one that is away where others have the data set.
    pub fn lock(&mut self) -> Result<bool, WriteError> {
        let outcome = self.try_lock();
        self.is_locked = matches!(outcome, Ok(true));
        match outcome {
            Err(error) if self.is_spread() && matches!(error.class(), Class::Later | Class::Elsewhere) => Ok(true),
            outcome => outcome,
        }
    }

    fn try_lock(&mut self) -> Result<bool, WriteError> {
        let mut set = cmd("SET");
        set.arg(&self.keys.lock).arg(&self.token).arg("NX").arg("PX").arg(LOCK_MS);
        match self.call(&self.keys.lock, |connection| connection.req_command(&set))? {
            Value::Okay => return Ok(true),
            Value::Nil => {}
            Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoPerm) => return Ok(true),
            Value::ServerError(error) => return Err(RedisError::from(error).into()),
            _ => return Err(WriteError::Reply("SET")),
        }
        let mut get = cmd("GET");
        get.arg(&self.keys.lock);
        // Ours from an attempt whose connection broke.
        Ok(self.call(&self.keys.lock, |connection| connection.req_command(&get))?
            == Value::BulkString(self.token.clone().into_bytes()))
    }

    /// Gives the lock back, if it is still ours. Where that fails it expires.
    pub fn unlock(&mut self) -> Result<(), WriteError> {
        if !std::mem::take(&mut self.is_locked) {
            return Ok(());
        }
        if self.scripts {
            let mut script = cmd("EVAL");
            script.arg(UNLOCK).arg(1).arg(&self.keys.lock).arg(&self.token);
            match self.call(&self.keys.lock, |connection| connection.req_command(&script))? {
                Value::ServerError(error) if refuses_scripts(&error) => self.scripts = false,
                Value::ServerError(error) => return Err(RedisError::from(error).into()),
                _ => return Ok(()),
            }
        }
        let mut look = pipe();
        look.cmd("WATCH").arg(&self.keys.lock);
        look.cmd("GET").arg(&self.keys.lock);
        let look = look.get_packed_pipeline();
        let value = self.call(&self.keys.lock, |connection| {
            connection.send_packed_command(&look)?;
            connection.recv_response()?;
            connection.recv_response()
        })?;
        let mut release = pipe();
        release.cmd("MULTI");
        if value == Value::BulkString(self.token.clone().into_bytes()) {
            release.cmd("DEL").arg(&self.keys.lock);
        }
        release.cmd("EXEC");
        let (count, release) = (release.len(), release.get_packed_pipeline());
        self.call_watched(|connection| {
            connection.send_packed_command(&release)?;
            (0..count).try_for_each(|_| connection.recv_response().map(drop))
        })
    }
}
