//! The environment variables that AWS's own libraries know, as far as they concern who a process is. Read once: the environment of
//! a running process is not to be looked at while others may change it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// The variables.
const NAMES: [&str; 16] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
];

/// Variables and their values.
#[derive(Clone, Default)]
pub struct Environment(Arc<BTreeMap<&'static str, Zeroizing<String>>>);

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be credentials.
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// As it is now.
    pub fn read() -> Self {
        Self::from(|name| std::env::var(name).ok())
    }

    /// As somebody says that it is.
    pub fn from(value: impl Fn(&str) -> Option<String>) -> Self {
        let set = NAMES.into_iter().filter_map(|name| Some((name, Zeroizing::new(value(name)?))));
        Self(Arc::new(set.filter(|(_, value)| !value.is_empty()).collect()))
    }

    /// The value of a variable; one that is empty is not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str())
    }
}
