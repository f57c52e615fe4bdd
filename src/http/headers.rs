//! The headers of a request, checked once; and which of them may go to a host that a redirect names.

use ureq::http::{HeaderName, HeaderValue, header};

use super::error::HttpError;
use super::options::HttpOptions;

/// Longest SDK key.
const LONGEST_KEY: usize = 8192;

/// Headers that frame the message; setting one of them by hand breaks it.
const FRAMING: [HeaderName; 4] = [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION];

/// Says whether a text can be an SDK key. Another text is not sent.
pub fn is_valid_sdk_key(key: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(is_allowed)
}

/// The headers that every request of a client has.
pub(super) struct Headers {
    /// Only for the host that was configured: who the client is, and what the host application added.
    own: Vec<(HeaderName, HeaderValue)>,
    /// For every host.
    open: Vec<(HeaderName, HeaderValue)>,
}

impl Headers {
    pub(super) fn new(options: &HttpOptions) -> Result<Self, HttpError> {
        let mut own = Vec::new();
        if is_valid_sdk_key(&options.sdk_key) {
            own.push(parse("Authorization", &options.sdk_key)?);
        }
        let regular = [
            ("X-LaunchDarkly-Instance-Id", Some(options.instance_id.as_str())),
            ("X-LaunchDarkly-Tags", options.tags.as_deref()),
            ("X-LaunchDarkly-Wrapper", options.wrapper.as_deref()),
        ];
        for (name, value) in regular {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                own.push(parse(name, value)?);
            }
        }
        let mut open = vec![parse("User-Agent", &options.user_agent)?];
        let custom =
            options.headers.iter().map(|(name, value)| parse(name, value)).collect::<Result<Vec<_>, HttpError>>()?;
        for (name, _) in &custom {
            if FRAMING.contains(name) {
                return Err(HttpError::Header(name.to_string()));
            }
            own.retain(|(other, _)| other != name);
            open.retain(|(other, _)| other != name);
        }
        own.extend(custom);
        Ok(Self { own, open })
    }

    /// The headers for one host, with those of the request at hand unless the application set its own.
    pub(super) fn of(&self, is_own_host: bool, extra: &[(HeaderName, HeaderValue)]) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = self.open.clone();
        if is_own_host {
            headers.extend(self.own.iter().cloned());
        }
        let is_set = |name: &HeaderName| is_own_host && self.own.iter().any(|(own, _)| own == name);
        headers.extend(extra.iter().filter(|(name, _)| !is_set(name)).cloned());
        headers
    }
}

/// A header that may be sent. Its value never shows in a debug text.
pub(super) fn parse(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), HttpError> {
    let error = || HttpError::Header(name.chars().filter(|character| !character.is_control()).take(100).collect());
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| error())?;
    let mut value = HeaderValue::from_str(value).map_err(|_| error())?;
    value.set_sensitive(true);
    Ok((parsed, value))
}
