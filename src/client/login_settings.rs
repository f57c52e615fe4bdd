//! Options of the login at Redis, defaults filled in. May depend on `store` and `aws`.

use std::path::PathBuf;

use super::config::{Config, ConfigError};
use super::members::MembersSettings;
use crate::aws::{AwsOptions, Environment, Service};
use crate::store::{Level, LoginSource, RedisOptions, StoreOptions};

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
            (Some("aws-iam"), None) => {
                if !redis.encrypted {
                    let remark = "redis.credentials=aws-iam without TLS: whoever listens gets the tokens, and AWS wants rediss://";
                    remarks.push((Level::Warn, remark.to_owned()));
                }
                LoginSource::AwsIam
            }
            (_, Some(path)) => LoginSource::File(PathBuf::from(path)),
            (_, None) => LoginSource::Options,
        };
        if redis.login != LoginSource::Options && redis.password.take().is_some() {
            let other = if matches!(redis.login, LoginSource::File(_)) { "password_file" } else { "credentials" };
            remarks.push((Level::Warn, format!("the password for Redis is not used: redis.{other} is another source")));
        }
        Ok(())
    }

    /// Where who logs in with tokens of AWS; none where nobody does.
    pub(super) fn aws(
        &self,
        store: &StoreOptions,
        members: Option<&MembersSettings>,
    ) -> Result<Option<AwsOptions>, ConfigError> {
        let members = members.and_then(MembersSettings::redis).filter(|members| members.is_of_flags);
        let redis = store.redis.as_ref().or(members.map(|members| &members.redis));
        let Some(redis) = redis.filter(|redis| redis.login == LoginSource::AwsIam) else { return Ok(None) };
        let environment = Environment::read();
        let of_environment = || environment.get("AWS_REGION").or(environment.get("AWS_DEFAULT_REGION"));
        let region = self.text("redis.aws.region").or_else(|| of_environment().map(str::to_owned));
        let invalid = |option, reason: &str| ConfigError::Invalid { option, reason: reason.to_owned() };
        let region = region.ok_or(ConfigError::Together(
            "redis.credentials=aws-iam needs redis.aws.region, or AWS_REGION in the environment",
        ))?;
        let cluster = self.text("redis.aws.cluster").map(|cluster| cluster.to_ascii_lowercase());
        let cluster = cluster.ok_or(ConfigError::Together("redis.credentials=aws-iam needs redis.aws.cluster"))?;
        let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_name(&region) {
            return Err(invalid("redis.aws.region", "it has signs other than letters, digits and '-'"));
        }
        if !is_name(&cluster) {
            let reason = "it is a name of letters, digits and '-', not an address";
            return Err(invalid("redis.aws.cluster", reason));
        }
        let user = redis.username.clone();
        let user = user.ok_or(ConfigError::Together("redis.credentials=aws-iam needs a user: redis.username"))?;
        let service = match self.get("redis.aws.service") {
            Some("memorydb") => Service::MemoryDb,
            _ => Service::ElastiCache,
        };
        let serverless = self.flag("redis.aws.serverless") == Some(true);
        if serverless && service == Service::MemoryDb {
            return Err(ConfigError::Together("redis.aws.serverless is for redis.aws.service=elasticache"));
        }
        Ok(Some(AwsOptions { region, service, cluster, serverless, user, environment }))
    }
}
