//! The name under which stores know a context. Depends on nothing.

use arrayvec::ArrayString;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Digits of a hash: padded Base64 of 32 bytes.
const LENGTH: usize = 44;

/// The hash of a context's key.
pub type ContextHash = ArrayString<LENGTH>;

/// The hash of a key: of its bytes as they are, without the kind.
pub fn context_hash(key: &str) -> ContextHash {
    let mut digits = [0; LENGTH];
    // The digits of 32 bytes fit exactly.
    let length = STANDARD.encode_slice(Sha256::digest(key.as_bytes()), &mut digits).unwrap_or_default();
    let text = digits.get(..length).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default();
    ContextHash::from(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::context_hash;

    #[test]
    fn a_hash_is_what_other_writers_and_readers_make_of_the_key() {
        for (key, hash) in [
            ("user-key", "CEXjZY7cHJG/ydFy7q4+YEFwVrG3/pkJwA4FAjrbfx0="),
            ("user1", "CgQblGLKpKMbrDVn4Lbm/ZEAeH2yq0M9lvbReMq/zpA="),
            ("user2", "YCXRj+SKvUUWhSjxioLiZd2Y1CGnCEqgn2GzQXA5AaM="),
            ("org:1", "s3AvpKxt6mr3EqomF5SlUvULw9klW0afNkBmUp/PNDE="),
            ("", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ] {
            assert_eq!(context_hash(key).as_str(), hash, "{key:?}");
        }
    }
}
