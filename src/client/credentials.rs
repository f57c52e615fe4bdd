//! Who logs in at Redis, as the host sets it. May depend on `store`.

use std::time::Duration;

use super::runtime::Runtime;
use super::{Client, ClientError};

impl Client {
    /// What logs in at Redis from now on; `None` as user: the default user. New connections use it, and those that are open log in
    /// anew between two commands without being closed. May be called before the start.
    ///
    /// Not where `redis.password_file` or `redis.credentials=aws-iam` says who logs in, nor where there is no Redis.
    pub fn set_credentials(
        &self,
        user: Option<&str>,
        password: &str,
        valid_for: Option<Duration>,
    ) -> Result<(), ClientError> {
        if self.is_closed() {
            return Err(ClientError::Closed);
        }
        let credentials = self.plant.credentials().ok_or(ClientError::NoRedis)?;
        credentials.set_by_host(user, password, valid_for)?;
        let runtime = self.current();
        runtime.notifications.forget_credentials();
        runtime.renew_logins();
        Ok(())
    }
}

impl Runtime {
    /// Something else logs in at Redis from now on: whoever keeps a connection looks.
    pub fn renew_logins(&self) {
        self.mailbox.wake();
        self.counter.knock();
    }
}
