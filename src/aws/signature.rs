//! AWS's Signature Version 4 of a URL: a query that says who asks for what, when, and for how long, and proves it. Pure functions.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use time::UtcDateTime;
use zeroize::Zeroizing;

use super::identity::Identity;

/// The SHA-256 of nothing, in hexadecimal digits.
pub const NO_CONTENT: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is asked for.
pub struct Place<'a> {
    /// Host, as the `Host` header has it.
    pub host: &'a str,
    /// Path.
    pub path: &'a str,
    /// Region of the service.
    pub region: &'a str,
    /// Its name in signatures.
    pub service: &'a str,
}

/// A moment as signatures write it.
pub struct Moment {
    /// Such as `20261129`.
    date: String,
    /// Such as `20261129T201530Z`.
    full: String,
}

impl Moment {
    /// So many seconds after 1970; later than any calendar: its beginning.
    pub fn at(seconds: u64) -> Self {
        let seconds = i64::try_from(seconds).unwrap_or(0);
        let at = UtcDateTime::from_unix_timestamp(seconds).unwrap_or(UtcDateTime::UNIX_EPOCH);
        let date = format!("{:04}{:02}{:02}", at.year(), u8::from(at.month()), at.day());
        let full = format!("{date}T{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second());
        Self { date, full }
    }

    /// Such as `20261129T201530Z`.
    #[cfg(test)]
    pub fn text(&self) -> &str {
        &self.full
    }
}

/// The query with its signature, good for so many seconds, of a request whose content has this hash.
pub fn presign(
    place: &Place<'_>,
    query: &[(&str, &str)],
    identity: &Identity,
    moment: Moment,
    (life, content): (u64, &str),
) -> Zeroizing<String> {
    let scope = format!("{}/{}/{}/aws4_request", moment.date, place.region, place.service);
    let credential = format!("{}/{scope}", identity.access_key);
    let life = life.to_string();
    let mut parameters = query.to_vec();
    parameters.extend([
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", &credential),
        ("X-Amz-Date", &moment.full),
        ("X-Amz-Expires", &life),
        ("X-Amz-SignedHeaders", "host"),
    ]);
    if let Some(session) = &identity.session {
        parameters.push(("X-Amz-Security-Token", session));
    }
    let mut query = canonical(&parameters);
    let Place { host, path, region, service } = place;
    let request = Zeroizing::new(format!("GET\n{path}\n{}\nhost:{host}\n\nhost\n{content}", *query));
    let text = format!("{ALGORITHM}\n{}\n{scope}\n{}", moment.full, hex(&Sha256::digest(request.as_bytes())));
    let key = signing_key(&identity.secret, &moment.date, region, service);
    // Room for all of it, so that nothing is left behind in memory that was given back.
    query.push_str("&X-Amz-Signature=");
    query.push_str(&hex(&*mac(&*key, &text)));
    query
}

/// The key that signs on that day in this region for this service.
fn signing_key(secret: &str, date: &str, region: &str, service: &str) -> Zeroizing<[u8; 32]> {
    let first = Zeroizing::new(format!("AWS4{secret}"));
    let steps = [region, service, "aws4_request"];
    steps.iter().fold(mac(first.as_bytes(), date), |key, step| mac(&*key, step))
}

fn mac(key: &[u8], text: &str) -> Zeroizing<[u8; 32]> {
    // A key of any length will do, so this never fails.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Zeroizing::new([0; 32]) };
    mac.update(text.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// Names and values, encoded and in order.
fn canonical(parameters: &[(&str, &str)]) -> Zeroizing<String> {
    let mut encoded: Vec<(String, Zeroizing<String>)> =
        parameters.iter().map(|(name, value)| (encode(name), Zeroizing::new(encode(value)))).collect();
    encoded.sort_by(|(name, value), (other, second)| (name, &**value).cmp(&(other, &**second)));
    let room: usize = encoded.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let mut text = Zeroizing::new(String::with_capacity(room + 100));
    for (name, value) in &encoded {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text
}

/// All bytes but those that no URL changes, in hexadecimal digits after a percent sign.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => _ = write!(encoded, "%{byte:02X}"),
        }
    }
    encoded
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    #[test]
    fn the_key_of_a_day_is_that_of_the_documentation() {
        let key = signing_key(SECRET, "20150830", "us-east-1", "iam");
        assert_eq!(hex(&*key), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }

    #[test]
    fn a_signed_url_is_that_of_the_documentation() {
        let identity = Identity::lasting("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None);
        let place =
            Place { host: "examplebucket.s3.amazonaws.com", path: "/test.txt", region: "us-east-1", service: "s3" };
        let query = presign(&place, &[], &identity, Moment::at(1_369_353_600), (86_400, "UNSIGNED-PAYLOAD"));
        let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(query.ends_with(&format!("&X-Amz-Signature={signature}")), "{}", *query);
        assert!(query.contains("X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"));
        assert!(query.contains("&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&"));
    }

    #[test]
    fn all_but_letters_digits_and_four_signs_is_encoded() {
        assert_eq!(encode("aZ09-._~"), "aZ09-._~");
        assert_eq!(encode("a b/c+d=ü%"), "a%20b%2Fc%2Bd%3D%C3%BC%25");
    }
}
