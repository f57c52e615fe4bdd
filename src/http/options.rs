//! How requests are to be made, as the client configured it.
//!
//! Plain data: nothing is opened here. What carries credentials is never shown.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::error::HttpError;
use super::{headers, proxy, tls, url};

/// How requests are made. The SDK key, header values and proxy credentials never appear in a text that leaves this module.
#[derive(Clone)]
pub struct HttpOptions {
    /// Sent as `Authorization`, unless it has characters that no SDK key has.
    pub sdk_key: String,
    /// Sent as `User-Agent`.
    pub user_agent: String,
    /// Sent as `X-LaunchDarkly-Instance-Id`; a UUID made once per client.
    pub instance_id: String,
    /// Sent as `X-LaunchDarkly-Tags`.
    pub tags: Option<String>,
    /// Sent as `X-LaunchDarkly-Wrapper`.
    pub wrapper: Option<String>,
    /// More headers; one of the same name replaces a regular one.
    pub headers: Vec<(String, String)>,
    /// URL of the proxy for every request: `http`, `https`, `socks4`, `socks4a`, `socks5` or `socks5h`. The environment
    /// does not count then, `no_proxy` included: who names a proxy here means it.
    pub proxy: Option<String>,
    /// What the environment says about proxies.
    pub environment: ProxyEnvironment,
    /// PEM file of the certificate authorities to trust instead of the built-in ones.
    pub ca_file: Option<PathBuf>,
    /// Accept any server certificate.
    pub skip_verify: bool,
    /// Longest time to establish a connection, proxy and TLS included; also the longest name lookup.
    pub connect_timeout: Duration,
    /// Longest wait for a response to begin, and longest silence within one that is no stream.
    pub read_timeout: Duration,
}

impl HttpOptions {
    /// The defaults for an SDK key and an instance id.
    pub fn new(sdk_key: &str, instance_id: &str) -> Self {
        Self {
            sdk_key: sdk_key.to_owned(),
            user_agent: concat!("FlagstoneClient/", env!("CARGO_PKG_VERSION")).to_owned(),
            instance_id: instance_id.to_owned(),
            tags: None,
            wrapper: None,
            headers: Vec::new(),
            proxy: None,
            environment: ProxyEnvironment::default(),
            ca_file: None,
            skip_verify: false,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(15),
        }
    }

    /// Says whether requests to `base` can be made with these options; reads the certificate file, opens nothing.
    pub fn check(&self, base: &str) -> Result<(), HttpError> {
        headers::Headers::new(self)?;
        proxy::route(self, &url::parse(base)?)?;
        tls::config(self).map(drop)
    }

    /// Whether requests to `base` go through a proxy, and if so, whether that is given a user or a password.
    pub fn proxy_of(&self, base: &str) -> Option<bool> {
        match proxy::route(self, &url::parse(base).ok()?).ok()? {
            proxy::Route::Direct => None,
            proxy::Route::Forward(proxy) | proxy::Route::Tunnel(proxy) => {
                Some(proxy.username().is_some() || proxy.password().is_some())
            }
        }
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpOptions").field("user_agent", &self.user_agent).finish_non_exhaustive()
    }
}

/// A variable that is set.
#[derive(Clone)]
pub struct ProxyVariable {
    /// Its name.
    pub name: &'static str,
    /// Its value, without space around it.
    pub value: String,
}

/// What the environment of the process says about proxies.
///
/// Read once, on the thread of the host that builds a client: another thread could race a host that changes its
/// environment.
#[derive(Clone, Default)]
pub struct ProxyEnvironment {
    /// `http_proxy`.
    pub http: Option<ProxyVariable>,
    /// `https_proxy` or `HTTPS_PROXY`.
    pub https: Option<ProxyVariable>,
    /// `all_proxy` or `ALL_PROXY`.
    pub all: Option<ProxyVariable>,
    /// `no_proxy` or `NO_PROXY`.
    pub none: Option<ProxyVariable>,
}

impl ProxyEnvironment {
    /// Reads the variables. The lower-case name wins, as in most programs.
    pub fn read() -> Self {
        let read = |name: &'static str| {
            // What is not UTF-8 is no usable proxy, which is said later, with the name of the variable.
            let value = std::env::var_os(name)?.to_string_lossy().trim().to_owned();
            (!value.is_empty()).then_some(ProxyVariable { name, value })
        };
        Self {
            http: read("http_proxy"),
            https: read("https_proxy").or_else(|| read("HTTPS_PROXY")),
            all: read("all_proxy").or_else(|| read("ALL_PROXY")),
            none: read("no_proxy").or_else(|| read("NO_PROXY")),
        }
    }
}

impl fmt::Debug for ProxyEnvironment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ProxyEnvironment").finish_non_exhaustive()
    }
}
