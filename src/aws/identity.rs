//! Who this process is at AWS, and what services answer that know. Depends on `model`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::error::AwsError;
use crate::model::Instant;

/// Who this process is, and how it proves that.
pub struct Identity {
    /// Its name.
    pub access_key: String,
    /// What signs.
    pub secret: Zeroizing<String>,
    /// What goes with both where they are lent.
    pub session: Option<Zeroizing<String>>,
    /// Unix time in seconds; `None`: for good.
    expires: Option<i64>,
}

/// As container and instance tell it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    code: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    token: Option<String>,
    expiration: Option<String>,
}

impl Identity {
    /// One that has no end.
    pub fn lasting(access_key: &str, secret: &str, session: Option<&str>) -> Self {
        let keep = |text: &str| Zeroizing::new(text.to_owned());
        Self { access_key: access_key.to_owned(), secret: keep(secret), session: session.map(keep), expires: None }
    }

    /// From the JSON of a container or an instance.
    pub fn from_json(place: &'static str, text: &str) -> Result<Self, AwsError> {
        let unusable = |why| AwsError::Unusable { place, why };
        let told: Told = serde_json::from_str(text).map_err(|_| unusable("it is not the JSON that was expected"))?;
        if told.code.is_some_and(|code| code != "Success") {
            return Err(unusable("it says that it has none"));
        }
        let (Some(access_key), Some(secret)) = (told.access_key_id, told.secret_access_key) else {
            return Err(unusable("it has no AccessKeyId or no SecretAccessKey"));
        };
        let session = told.token.map(Zeroizing::new);
        let identity = Self { access_key, secret: Zeroizing::new(secret), session, expires: None };
        identity.until(told.expiration.as_deref()).and_then(Self::checked).map_err(unusable)
    }

    /// From the XML of the token service, as far as it matters.
    pub fn from_xml(place: &'static str, text: &str) -> Result<Self, AwsError> {
        let within = |name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>"))?;
            rest.split_once(&format!("</{name}>")).map(|(value, _)| value.trim().to_owned())
        };
        let unusable = |why| AwsError::Unusable { place, why };
        let (Some(access_key), Some(secret)) = (within("AccessKeyId"), within("SecretAccessKey")) else {
            return Err(unusable("it has no AccessKeyId or no SecretAccessKey"));
        };
        let session = within("SessionToken").map(Zeroizing::new);
        let identity = Self { access_key, secret: Zeroizing::new(secret), session, expires: None };
        identity.until(within("Expiration").as_deref()).and_then(Self::checked).map_err(unusable)
    }

    fn until(mut self, moment: Option<&str>) -> Result<Self, &'static str> {
        self.expires = match moment {
            None => None,
            Some(text) => Some(Instant::from_rfc3339(text).ok_or("its Expiration is no date")?.unix_seconds()),
        };
        Ok(self)
    }

    fn checked(self) -> Result<Self, &'static str> {
        let texts = [Some(self.access_key.as_str()), Some(&self.secret), self.session.as_deref().map(String::as_str)];
        let is_sound = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !texts.into_iter().flatten().all(is_sound) {
            return Err("it has a value that is empty or has signs that none has");
        }
        match self.left(SystemTime::now()) {
            Some(Duration::ZERO) => Err("it has expired"),
            _ => Ok(self),
        }
    }

    /// How long it is good for; `None`: for good.
    pub fn left(&self, now: SystemTime) -> Option<Duration> {
        let end = UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(self.expires?).unwrap_or(0)))?;
        Some(end.duration_since(now).unwrap_or_default())
    }
}
