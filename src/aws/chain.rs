//! Where an identity is looked for, in the order of AWS's own libraries. The first place that the environment names counts: where
//! that fails, no other is asked, because another identity would be a surprise.

use super::environment::Environment;
use super::error::AwsError;
use super::fetch::Errand;
use super::identity::Identity;
use super::{AwsOptions, places};

/// Fetches the identity.
pub fn fetch(options: &AwsOptions, errand: &Errand) -> Result<Identity, AwsError> {
    let environment = &options.environment;
    if let Some(identity) = of_environment(environment)? {
        return Ok(identity);
    }
    if environment.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() {
        return places::web_identity(environment, &options.region, errand);
    }
    if let Some(url) = places::container_url(environment)? {
        return places::container(environment, &url, errand);
    }
    if environment.get("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(AwsError::None);
    }
    places::instance(environment, errand)
}

fn of_environment(environment: &Environment) -> Result<Option<Identity>, AwsError> {
    let missing = |variable| AwsError::Variable { variable, why: "it is not set, and its companion is".to_owned() };
    match (environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")) {
        (Some(access_key), Some(secret)) => {
            Ok(Some(Identity::lasting(access_key, secret, environment.get("AWS_SESSION_TOKEN"))))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => Err(missing("AWS_ACCESS_KEY_ID")),
        (Some(_), None) => Err(missing("AWS_SECRET_ACCESS_KEY")),
    }
}
