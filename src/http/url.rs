//! Texts of URLs: joining, following, and the part that may be shown.

use ureq::http::Uri;

use super::error::HttpError;

/// Says whether `base` is an absolute `http` or `https` URL.
pub fn check_base(base: &str) -> Result<(), HttpError> {
    parse(base).map(drop)
}

/// A path below a base that may have a path and may end with a slash, with query parameters.
pub fn join(base: &str, path: &str, query: &[(&str, &str)]) -> String {
    let mut url = format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'));
    for (position, (name, value)) in query.iter().enumerate() {
        url.push(if position == 0 { '?' } else { '&' });
        url.push_str(name);
        url.push('=');
        encode(value, &mut url);
    }
    url
}

/// The URL without user, password and query: what may be shown.
pub fn shown(url: &str) -> String {
    let Ok(uri) = parse(url) else { return "a URL that cannot be parsed".to_owned() };
    format!("{}://{}{}", uri.scheme_str().unwrap_or("http"), host_header(&uri), uri.path())
}

fn encode(value: &str, url: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push('%');
            for digit in [byte >> 4, byte & 15] {
                url.push(HEX.get(usize::from(digit)).map_or('0', |digit| char::from(*digit)));
            }
        }
    }
}

/// Parses an absolute `http` or `https` URL.
pub(super) fn parse(url: &str) -> Result<Uri, HttpError> {
    let uri: Uri = url.parse().map_err(|_| HttpError::Url("it cannot be parsed"))?;
    match uri.scheme_str() {
        Some("http" | "https") if is_usable(&uri) => Ok(uri),
        Some("http" | "https") => Err(HttpError::Url("it names no host, or a port that is none")),
        _ => Err(HttpError::Url("it must begin with http:// or https://")),
    }
}

/// True if the URL names a host and, if any, a port that can be.
pub(super) fn is_usable(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let place = uri.authority().map_or("", |authority| authority.as_str().rsplit('@').next().unwrap_or_default());
    let has_port = place.len() > host.len();
    !host.is_empty() && (!has_port || uri.port_u16().is_some())
}

/// Where a redirect from `from` leads.
pub(super) fn follow(from: &Uri, location: &str) -> Result<Uri, HttpError> {
    // A fragment is not for the server.
    let location = location.split('#').next().unwrap_or_default().trim();
    let scheme = from.scheme_str().unwrap_or("http");
    let authority = from.authority().map_or("", |authority| authority.as_str());
    let path = from.path();
    if location.starts_with("//") {
        return parse(&format!("{scheme}:{location}"));
    }
    let has_scheme = location.split_once(':').is_some_and(|(scheme, _)| !scheme.contains(['/', '?']));
    if has_scheme {
        return parse(location);
    }
    let target = match location.chars().next() {
        None => path.to_owned(),
        Some('/') => location.to_owned(),
        Some('?') => format!("{path}{location}"),
        Some(_) => {
            let (target, query) = location.split_at(location.find('?').unwrap_or(location.len()));
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{}{query}", without_dots(&format!("{folder}/{target}")))
        }
    };
    parse(&format!("{scheme}://{authority}{target}"))
}

fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => {
                if parts.len() > 1 {
                    parts.pop();
                }
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// True if both have the same scheme, host and port.
pub(super) fn is_same_origin(a: &Uri, b: &Uri) -> bool {
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    a.scheme() == b.scheme() && host(a) == host(b) && port(a) == port(b)
}

/// The port, written or implied.
pub(super) fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 })
}

/// Host and port as the `Host` header has them, without user and password.
pub(super) fn host_header(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    match uri.port_u16() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
