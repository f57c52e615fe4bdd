//! Which proxy a request goes through, if any.
//!
//! The option names one for every request. Without it the environment counts: `https_proxy` or `http_proxy` by the scheme
//! of the URL, else `all_proxy`, and `no_proxy` takes hosts out: names and their subdomains, with or without a leading
//! dot or `*.`, optionally with a port; `*` is every host. Address ranges are not understood.

use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

use super::error::HttpError;
use super::options::HttpOptions;
use super::url;

/// How a request travels.
#[derive(Clone, PartialEq)]
pub(super) enum Route {
    /// To the host itself.
    Direct,
    /// Through a tunnel that the proxy opens.
    Tunnel(Proxy),
    /// As a plain request that is handed to the proxy, as is usual for plain HTTP: many proxies open tunnels for TLS only.
    Forward(Proxy),
}

/// Says whether `text` is the URL of a proxy that can be used.
pub fn check_proxy(text: &str) -> Result<(), HttpError> {
    parse(text).map(drop)
}

/// The proxy of a URL; user and password are its own parts.
pub(super) fn parse(text: &str) -> Result<Proxy, HttpError> {
    let error = HttpError::Proxy("not the URL of an http, https, socks4, socks4a, socks5 or socks5h proxy");
    match Proxy::new(text) {
        Ok(proxy) if url::is_usable(proxy.uri()) => Ok(proxy),
        _ => Err(error),
    }
}

/// How a request to `target` travels.
pub(super) fn route(options: &HttpOptions, target: &Uri) -> Result<Route, HttpError> {
    let is_plain = target.scheme_str() == Some("http");
    let proxy = match &options.proxy {
        Some(proxy) => Some(parse(proxy)?),
        None => from_environment(options, target, is_plain),
    };
    Ok(match proxy {
        None => Route::Direct,
        Some(proxy) if is_plain && matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) => {
            Route::Forward(proxy)
        }
        Some(proxy) => Route::Tunnel(proxy),
    })
}

fn from_environment(options: &HttpOptions, target: &Uri, is_plain: bool) -> Option<Proxy> {
    let environment = &options.environment;
    let own = if is_plain { &environment.http } else { &environment.https };
    let proxy = own.as_ref().or(environment.all.as_ref())?;
    if environment.none.as_ref().is_some_and(|list| is_excluded(list, target)) {
        return None;
    }
    parse(proxy).ok()
}

fn is_excluded(list: &str, target: &Uri) -> bool {
    let host = target.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    let port = url::port(target);
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| matches(entry, &host, port))
}

fn matches(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    let entry = entry.to_ascii_lowercase();
    // An IPv6 address has several colons, so a port can follow it in brackets only.
    let (name, wanted) = match entry.rsplit_once(':') {
        Some((name, digits)) if name.ends_with(']') || !name.contains(':') => (name, digits.parse::<u16>().ok()),
        _ => (entry.as_str(), None),
    };
    let name = name.trim_matches(['[', ']']).trim_start_matches('*').trim_start_matches('.');
    let is_below = host.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'));
    !name.is_empty() && is_below && wanted.is_none_or(|wanted| wanted == port)
}
