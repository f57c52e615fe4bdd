//! Options of the login at Redis, defaults filled in. May depend on `store`.

use std::path::PathBuf;

use super::config::{Config, ConfigError};
use crate::store::{Level, LoginSource, RedisOptions};

impl Config {
    /// Where passwords come from.
    pub(super) fn login(
        &self,
        redis: &mut RedisOptions,
        remarks: &mut Vec<(Level, String)>,
    ) -> Result<(), ConfigError> {
        let file = self.text("redis.password_file");
        redis.login = match (self.get("redis.credentials"), file) {
            (Some("host" | "aws-iam"), Some(_)) => {
                return Err(ConfigError::Together("redis.password_file needs redis.credentials=static"));
            }
            (Some("host"), None) => LoginSource::Host,
            (Some("aws-iam"), None) => LoginSource::AwsIam,
            (_, Some(path)) => LoginSource::File(PathBuf::from(path)),
            (_, None) => LoginSource::Options,
        };
        if redis.login != LoginSource::Options && redis.password.take().is_some() {
            let other = if matches!(redis.login, LoginSource::File(_)) { "password_file" } else { "credentials" };
            remarks.push((Level::Warn, format!("the password for Redis is not used: redis.{other} is another source")));
        }
        Ok(())
    }
}
