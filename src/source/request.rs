//! What stream and polling have in common: the URL, checks of key and filter, and a request that the control can end.

use std::sync::Arc;

use super::outlet::Outlet;
use super::sink::Severity;
use crate::http::{HttpOptions, Interrupter, Response, is_valid_sdk_key, join};

/// The URL below a base, with the payload filter if its key is valid. Tells of what is left out, once per run.
pub(super) fn url(base: &str, path: &str, filter: Option<&str>, outlet: &Outlet<'_>) -> String {
    match filter {
        None => join(base, path, &[]),
        Some(key) if is_valid_filter(key) => join(base, path, &[("filter", key)]),
        Some(key) => {
            outlet.log(
                Severity::Error,
                format_args!("the payload filter {key:?} is not valid and is ignored: all flags are requested"),
            );
            join(base, path, &[])
        }
    }
}

/// A letter or digit, then letters, digits, dots, underscores and hyphens.
fn is_valid_filter(key: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    key.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric()) && key.bytes().all(is_allowed)
}

/// Tells, without repeating it, of an SDK key that is not sent.
pub(super) fn check_sdk_key(http: &HttpOptions, outlet: &Outlet<'_>) {
    if !is_valid_sdk_key(&http.sdk_key) {
        outlet.log(
            Severity::Error,
            format_args!(
                "the SDK key is empty, too long or has characters that no SDK key has; it is not sent, so that \
                 LaunchDarkly will refuse the requests"
            ),
        );
    }
}

/// The environment that an answer is about.
pub(super) fn environment_id(response: &Response) -> Option<Arc<str>> {
    response.header("X-LD-EnvID").filter(|id| !id.is_empty()).map(Arc::from)
}

/// What the server calls its answer. An empty name would be sent back and fit whatever there is.
pub(super) fn etag(response: &Response) -> Option<String> {
    response.header("ETag").map(str::trim).filter(|etag| !etag.is_empty()).map(str::to_owned)
}

/// While this lives, stopping or restarting the source interrupts its request.
pub(super) struct Interruptible<'a>(&'a Outlet<'a>);

impl<'a> Interruptible<'a> {
    pub(super) fn new(outlet: &'a Outlet<'a>, restarts: u64, interrupter: Interrupter) -> Self {
        outlet.control().interrupt_by(restarts, move || interrupter.interrupt());
        Self(outlet)
    }
}

impl Drop for Interruptible<'_> {
    fn drop(&mut self) {
        self.0.control().clear_interrupt();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_key_begins_with_a_letter_or_digit() {
        for good in ["a", "9", "a.b_c-d", "A1"] {
            assert!(is_valid_filter(good), "{good}");
        }
        for bad in ["", ".a", "-a", "_", "a b", "a/b", "a\n", "ü", "a&b=c"] {
            assert!(!is_valid_filter(bad), "{bad:?}");
        }
    }
}
