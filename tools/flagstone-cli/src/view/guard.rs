//! Who may see the page: browsers that came to it by its own address, from pages of its own, and where others can reach it only
//! with the token. Knows nothing of flags.

use std::net::{IpAddr, SocketAddr};

use super::http::{Reply, Request};
use crate::failure::Failure;

/// The variable that has the token.
pub const TOKEN: &str = "FLAGSTONE_VIEW_TOKEN";
/// A shorter one could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// What is asked of whoever comes.
pub struct Guard {
    token: Option<String>,
    /// Names by which the page may be called, beside addresses.
    names: Vec<String>,
    /// Of its own for each port: browsers keep cookies by name of the host alone.
    cookie: String,
}

impl Guard {
    /// For a page at this address.
    pub fn new(at: SocketAddr, names: &[String], token: Option<String>) -> Result<Self, Failure> {
        if let Some(token) = &token {
            check(token)?;
        } else if !at.ip().is_loopback() {
            let reason = "others can reach that address, and they shall not see the flags without a token";
            return Err(Failure::Usage(format!("--listen {at}: {reason}: set {TOKEN} to one of your own")));
        }
        let mut names: Vec<String> = names.iter().map(|name| without_port(name).to_ascii_lowercase()).collect();
        names.push("localhost".to_owned());
        Ok(Self { token, names, cookie: format!("flagstone_view_{}", at.port()) })
    }

    /// Refuses what no browser sends that came here on purpose. A page of somebody else may have a name that leads here (DNS
    /// rebinding): the header `Host` tells.
    pub fn refusal(&self, request: &Request) -> Option<Reply> {
        let host = request.header("host").unwrap_or_default();
        if !self.is_ours(host) {
            return Some(Reply::sentence(421, "this page is not called like that: --name NAME allows a name"));
        }
        let site = request.header("sec-fetch-site").unwrap_or("none");
        if request.path != "/" && !matches!(site, "none" | "same-origin") {
            return Some(Reply::sentence(403, "a page of somebody else asks"));
        }
        let origin = request.header("origin").unwrap_or_default();
        let is_own = origin.split_once("://").is_some_and(|(scheme, from)| is_web(scheme) && from == host);
        if request.method == "POST" && !is_own {
            return Some(Reply::sentence(403, "the header Origin must name this page"));
        }
        None
    }

    /// Whether the token was shown, or none is asked for.
    pub fn admits(&self, request: &Request) -> bool {
        let Some(token) = &self.token else { return true };
        let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let cookies = request.header("cookie").unwrap_or_default().split("; ");
        let mut cookies = cookies.filter_map(|cookie| cookie.split_once('='));
        let cookie = cookies.find(|(name, _)| *name == self.cookie).map(|(_, value)| value);
        [bearer, cookie].into_iter().flatten().any(|shown| is_same(shown, token))
    }

    /// The cookie for whoever has typed this token, if it is the one; where a proxy encrypts, it never goes another way.
    pub fn cookie(&self, typed: &str, is_encrypted: bool) -> Option<String> {
        let token = self.token.as_ref().filter(|token| is_same(typed, token))?;
        let secure = if is_encrypted { "; Secure" } else { "" };
        Some(format!("{}={token}; Path=/; HttpOnly; SameSite=Strict{secure}", self.cookie))
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = without_port(host);
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        address.parse::<IpAddr>().is_ok() || self.names.contains(&name.to_ascii_lowercase())
    }
}

fn is_web(scheme: &str) -> bool {
    matches!(scheme, "http" | "https")
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

/// It is written into a header as it is.
fn check(token: &str) -> Result<(), Failure> {
    let is_plain = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
    if is_plain && token.len() >= SHORTEST_TOKEN {
        return Ok(());
    }
    Err(Failure::Usage(format!("{TOKEN}: a token is at least {SHORTEST_TOKEN} letters, digits, - _ . or ~")))
}

/// In a time that does not tell how much of it is right.
fn is_same(shown: &str, token: &str) -> bool {
    let differences = shown.bytes().zip(token.bytes()).fold(0, |sum, (one, other)| sum | (one ^ other));
    shown.len() == token.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(at: &str, token: Option<&str>) -> Result<Guard, Failure> {
        let at = at.parse().map_err(|_| Failure::Usage("no address".to_owned()))?;
        Guard::new(at, &["flags.example.org".to_owned(), "other.example.org:8090".to_owned()], token.map(str::to_owned))
    }

    #[test]
    fn names_are_addresses_or_those_that_were_given() {
        let guard = guard("127.0.0.1:80", None).map_err(|failure| failure.to_string());
        let guard = guard.as_ref();
        for (host, is_ours) in [
            ("127.0.0.1:8000", true),
            ("[::1]:8000", true),
            ("[::1]", true),
            ("LOCALHOST", true),
            ("flags.example.org:1", true),
            ("other.example.org:8090", true),
            ("other.example.org", true),
            ("evil.example.org", false),
            ("localhost.evil.org:80", false),
            ("127.0.0.1.evil.org", false),
            ("", false),
            ("localhost:80:80", false),
        ] {
            assert_eq!(guard.map(|guard| guard.is_ours(host)), Ok(is_ours), "{host}");
        }
    }

    #[test]
    fn where_others_come_they_need_a_token_that_nobody_guesses() {
        for (at, token, is_good) in [
            ("127.0.0.1:0", None, true),
            ("[::1]:0", None, true),
            ("0.0.0.0:0", None, false),
            ("192.0.2.1:0", Some("short"), false),
            ("192.0.2.1:0", Some("0123456789abcdef"), true),
            ("127.0.0.1:0", Some("0123456789abcde;"), false),
        ] {
            assert_eq!(guard(at, token).is_ok(), is_good, "{at} {token:?}");
        }
    }
}
