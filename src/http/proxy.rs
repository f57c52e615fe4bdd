//! Which proxy a request goes through, if any.
//!
//! The option names one for every request. Without it the environment counts: `https_proxy` or `http_proxy` by the scheme
//! of the URL, else `all_proxy`; `no_proxy` takes hosts out. Who names a proxy means it: one that is not usable is an error,
//! never a reason to do without.

use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

use super::error::HttpError;
use super::no_proxy::is_excluded;
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
fn parse(text: &str) -> Result<Proxy, HttpError> {
    usable(text).map_err(HttpError::Proxy)
}

fn usable(text: &str) -> Result<Proxy, &'static str> {
    const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];
    let text = text.trim();
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme {
        None => return Err("it does not begin with a scheme such as http://"),
        Some(scheme) if !SCHEMES.contains(&scheme.as_str()) => {
            return Err("its scheme is none of http, https, socks4, socks4a, socks5 and socks5h");
        }
        Some(_) => {}
    }
    match Proxy::new(text) {
        Ok(proxy) if url::is_usable(proxy.uri()) => Ok(proxy),
        _ => Err("it is no URL of a host, or names a port that is none"),
    }
}

/// How a request to `target` travels.
pub(super) fn route(options: &HttpOptions, target: &Uri) -> Result<Route, HttpError> {
    let is_plain = target.scheme_str() == Some("http");
    let proxy = match &options.proxy {
        Some(proxy) => Some(parse(proxy)?),
        None => from_environment(options, target, is_plain)?,
    };
    Ok(match proxy {
        None => Route::Direct,
        Some(proxy) if is_plain && matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) => {
            Route::Forward(proxy)
        }
        Some(proxy) => Route::Tunnel(proxy),
    })
}

fn from_environment(options: &HttpOptions, target: &Uri, is_plain: bool) -> Result<Option<Proxy>, HttpError> {
    let environment = &options.environment;
    let own = if is_plain { &environment.http } else { &environment.https };
    let Some(variable) = own.as_ref().or(environment.all.as_ref()) else { return Ok(None) };
    if environment.none.as_ref().is_some_and(|list| is_excluded(&list.value, target)) {
        return Ok(None);
    }
    let error = |reason| HttpError::ProxyVariable { name: variable.name, reason };
    usable(&variable.value).map(Some).map_err(error)
}
