//! Makes one request after another, follows redirects, and can be interrupted from another thread.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::config::AutoHeaderValue;
use ureq::http::uri::Scheme;
use ureq::http::{Method, Request, Uri, header};
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, AsSendBody};

use super::error::{HttpError, RequestError};
use super::forward::ForwardConnector;
use super::headers::{self, Headers};
use super::options::HttpOptions;
use super::proxy::{self, Route};
use super::response::Response;
use super::url;

/// Most redirects that one request follows.
const MOST_REDIRECTS: usize = 10;

/// How long an answer may take, once it has begun.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Longest silence.
    pub silence: Duration,
    /// Longest time in all; none for a stream.
    pub whole: Option<Duration>,
}

/// Makes requests with one set of options. Belongs to one thread; after an interruption it makes no more.
pub struct Requester {
    options: HttpOptions,
    headers: Headers,
    tls: TlsConfig,
    patience: Patience,
    agents: Arc<Mutex<Agents>>,
}

/// The connections of a requester, by how they travel.
#[derive(Default)]
struct Agents {
    interrupted: bool,
    made: Vec<(Route, Agent)>,
}

/// Ends whatever a requester does, from any thread.
#[derive(Clone)]
pub struct Interrupter(Arc<Mutex<Agents>>);

impl fmt::Debug for Interrupter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Interrupter").finish_non_exhaustive()
    }
}

impl Interrupter {
    /// A read that is blocked ends at once. A name lookup or a TCP connect under way runs into its own deadline.
    pub fn interrupt(&self) {
        let made = {
            let mut agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            agents.interrupted = true;
            std::mem::take(&mut agents.made)
        };
        for (_, agent) in made {
            agent.shutdown();
        }
    }
}

impl Requester {
    /// Checks the options and reads the certificate file; opens nothing yet.
    pub fn new(options: &HttpOptions, patience: Patience) -> Result<Self, HttpError> {
        Ok(Self {
            headers: Headers::new(options)?,
            tls: super::tls::config(options)?,
            options: options.clone(),
            patience,
            agents: Arc::default(),
        })
    }

    /// What ends the requests of this requester.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(Arc::clone(&self.agents))
    }

    /// Fetches a URL, with these headers beside the regular ones. Any status is an answer; redirects are followed. The
    /// SDK key and the application's headers go to the host of `url` only.
    pub fn get(&self, url: &str, extra: &[(&str, &str)]) -> Result<Response, RequestError> {
        self.follow(Method::GET, url, extra, ())
    }

    /// Posts a body, otherwise as [`get`](Self::get). Only redirects that keep method and body are followed; another one is
    /// an error.
    pub fn post(&self, url: &str, extra: &[(&str, &str)], body: &[u8]) -> Result<Response, RequestError> {
        self.follow(Method::POST, url, extra, body)
    }

    fn follow(
        &self,
        method: Method,
        url: &str,
        extra: &[(&str, &str)],
        body: impl AsSendBody + Copy,
    ) -> Result<Response, RequestError> {
        let first = url::parse(url)?;
        let extra =
            extra.iter().map(|(name, value)| headers::parse(name, value)).collect::<Result<Vec<_>, HttpError>>()?;
        let mut target = first.clone();
        for _ in 0..=MOST_REDIRECTS {
            let mut request = Request::builder().method(&method).uri(&target);
            for (name, value) in self.headers.of(url::is_same_origin(&first, &target), &extra) {
                request = request.header(name, value);
            }
            let response = self.send(request, &target, body)?;
            match response.status().as_u16() {
                307 | 308 => {}
                301..=303 if method == Method::GET => {}
                301..=303 => return Err(RequestError::Redirect("it would lose what is sent")),
                _ => return Ok(Response::new(response)),
            }
            target = response
                .headers()
                .get(header::LOCATION)
                .and_then(|location| location.to_str().ok())
                .and_then(|location| url::follow(&target, location).ok())
                .ok_or(RequestError::Redirect("it names no usable URL"))?;
        }
        Err(RequestError::Redirect("there are too many"))
    }

    fn send(
        &self,
        mut request: ureq::http::request::Builder,
        target: &Uri,
        body: impl AsSendBody,
    ) -> Result<ureq::http::Response<ureq::Body>, RequestError> {
        let route = proxy::route(&self.options, target)?;
        if let Route::Forward(proxy) = &route {
            request = request.uri(through(proxy, target)?).header(header::HOST, url::host_header(target));
            if let Some(credentials) = credentials(proxy) {
                let (name, value) = headers::parse("Proxy-Authorization", &credentials)?;
                request = request.header(name, value);
            }
        }
        let request = request.body(body).map_err(|error| RequestError::from(ureq::Error::from(error)))?;
        let agent = self.agent(route)?;
        agent.run(request).map_err(|error| if self.is_interrupted() { RequestError::Interrupted } else { error.into() })
    }

    fn is_interrupted(&self) -> bool {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner).interrupted
    }

    fn agent(&self, route: Route) -> Result<Agent, RequestError> {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if agents.interrupted {
            return Err(RequestError::Interrupted);
        }
        if let Some((_, agent)) = agents.made.iter().find(|(made, _)| *made == route) {
            return Ok(agent.clone());
        }
        let agent = self.new_agent(&route);
        agents.made.push((route, agent.clone()));
        Ok(agent)
    }

    fn new_agent(&self, route: &Route) -> Agent {
        let (connect, read) = (bounded(self.options.connect_timeout), bounded(self.options.read_timeout));
        let tunnel = match route {
            Route::Tunnel(proxy) => Some(proxy.clone()),
            Route::Direct | Route::Forward(_) => None,
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding(AutoHeaderValue::None)
            .user_agent(AutoHeaderValue::None)
            .tls_config(self.tls.clone())
            .proxy(tunnel)
            .timeout_resolve(Some(connect))
            .timeout_connect(Some(connect))
            .timeout_send_request(Some(read))
            .timeout_per_write(Some(read))
            .timeout_recv_response(Some(read))
            .timeout_per_read(Some(bounded(self.patience.silence)))
            .timeout_recv_body(self.patience.whole.map(bounded));
        match route {
            Route::Forward(_) => Agent::with_parts(
                config.max_idle_connections(0).build(),
                ForwardConnector::default(),
                DefaultResolver::default(),
            ),
            Route::Direct | Route::Tunnel(_) => config.build().new_agent(),
        }
    }
}

/// A deadline that clocks can be asked for: no moment is too near or too far.
fn bounded(time: Duration) -> Duration {
    time.clamp(Duration::from_millis(1), Duration::from_secs(365 * 24 * 3600))
}

/// The URL at which the proxy itself is asked for the target.
fn through(proxy: &ureq::Proxy, target: &Uri) -> Result<Uri, HttpError> {
    let error = |_| HttpError::Proxy("it cannot be combined with the URL");
    let scheme = if proxy.protocol() == ureq::ProxyProtocol::Https { Scheme::HTTPS } else { Scheme::HTTP };
    let path = target.path_and_query().map_or("/", |path| path.as_str());
    Uri::builder()
        .scheme(scheme)
        .authority(format!("{}:{}", proxy.host(), proxy.port()))
        .path_and_query(path)
        .build()
        .map_err(error)
}

fn credentials(proxy: &ureq::Proxy) -> Option<String> {
    use base64::Engine;
    if proxy.username().is_none() && proxy.password().is_none() {
        return None;
    }
    let (user, password) = (proxy.username().unwrap_or_default(), proxy.password().unwrap_or_default());
    Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))))
}
