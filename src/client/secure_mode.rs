//! The secure mode hash: proves to LaunchDarkly that a context which a browser names was named by a server that knows the
//! SDK key. May depend on `context`.

use std::fmt::{self, Write as _};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{Client, ClientError};
use crate::context::Context;

/// The keyed hash, if a key is configured.
pub struct SecureMode(Option<Hmac<Sha256>>);

impl SecureMode {
    /// Takes in the SDK key.
    pub fn new(sdk_key: Option<&str>) -> Self {
        // A key of any length will do, so this never fails.
        Self(sdk_key.and_then(|key| Hmac::new_from_slice(key.as_bytes()).ok()))
    }

    /// Hash of a text in lower-case hexadecimal digits; `None` without a key.
    fn hash(&self, text: &str) -> Option<String> {
        let mut mac = self.0.clone()?;
        mac.update(text.as_bytes());
        let mut hex = String::with_capacity(64);
        for byte in mac.finalize().into_bytes() {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Some(hex)
    }
}

impl fmt::Debug for SecureMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key is a credential.
        f.debug_tuple("SecureMode").field(&self.0.is_some()).finish()
    }
}

impl Client {
    /// HMAC-SHA-256 of the context's fully qualified key under the SDK key, in lower-case hexadecimal digits. Only kinds
    /// and keys count.
    pub fn secure_mode_hash(&self, context: &Context) -> Result<String, ClientError> {
        if self.is_closed() {
            return Err(ClientError::Closed);
        }
        self.secure_mode.hash(context.canonical_key()).ok_or(ClientError::NoSdkKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(json: &str) -> String {
        let secure_mode = SecureMode::new(Some("sdk-01234567-89ab-cdef-0123-456789abcdef"));
        secure_mode.hash(Context::from_json(json).unwrap().canonical_key()).unwrap()
    }

    #[test]
    fn the_hash_is_that_of_launchdarklys_sdks() {
        for (json, expected) in [
            (
                r#"{"kind":"user","key":"user-key-123"}"#,
                "73df666a13f2c474e50aa34ca5a761e89abb737fb139ff65fdde7fa85c9dcacd",
            ),
            (
                r#"{"kind":"other","key":"user-key-123"}"#,
                "98a933ca26d2951547fc021981ebcdeda95fbca2ac3f767ae67f7042d5458f72",
            ),
            (
                r#"{"kind":"multi","user":{"key":"u"},"org":{"key":"o"}}"#,
                "14239639406305ac30148d6f261e8f3554685def7c7e1598cddffc9f21d98368",
            ),
        ] {
            assert_eq!(hash(json), expected, "{json}");
        }
    }

    #[test]
    fn only_kinds_and_keys_count() {
        let plain = hash(r#"{"kind":"user","key":"ada"}"#);
        assert_eq!(hash(r#"{"kind":"user","key":"ada","name":"Ada","anonymous":true}"#), plain);
        assert_ne!(hash(r#"{"kind":"user","key":"Ada"}"#), plain);
    }

    #[test]
    fn without_a_key_there_is_no_hash_and_the_key_is_never_shown() {
        assert_eq!(SecureMode::new(None).hash("ada"), None);
        let shown = format!("{:?}", SecureMode::new(Some("sdk-hunter2")));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
