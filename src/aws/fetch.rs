//! Short requests to services beside this process: without proxy, without redirects, with little time and little room, and with
//! an end from outside.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::Agent;
use ureq::config::AutoHeaderValue;
use ureq::http::Request;
use ureq::tls::{RootCerts, TlsConfig};
use zeroize::Zeroizing;

use super::error::AwsError;

/// Longest time for a lookup, and for a connect: what is beside a process is near.
const CONNECT: Duration = Duration::from_secs(1);
/// Longest time for a request in all.
const WHOLE: Duration = Duration::from_secs(3);
/// Most bytes of an answer.
const MOST: u64 = 65_536;

/// What ends a request from another thread.
#[derive(Default)]
pub struct Errand(Mutex<Stage>);

#[derive(Default)]
struct Stage {
    is_over: bool,
    under_way: Option<Agent>,
}

impl std::fmt::Debug for Errand {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Errand").finish_non_exhaustive()
    }
}

/// A question to a service.
pub struct Question<'a> {
    /// The service, for people.
    pub place: &'static str,
    /// `GET` or `PUT` or `POST`.
    pub method: &'static str,
    /// Where to.
    pub url: &'a str,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// What is sent.
    pub body: &'a str,
}

impl Errand {
    /// Ends what is under way; nothing begins any more. Never blocks.
    pub fn end(&self) {
        let under_way = {
            let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            stage.is_over = true;
            stage.under_way.take()
        };
        if let Some(agent) = under_way {
            agent.shutdown();
        }
    }

    /// Asks, and gives the answer of a status that is a success.
    pub fn ask(&self, question: &Question<'_>) -> Result<Zeroizing<String>, AwsError> {
        let place = question.place;
        let agent = self.begin()?;
        let mut request = Request::builder().method(question.method).uri(question.url);
        for (name, value) in question.headers {
            request = request.header(*name, *value);
        }
        let silent = |error: ureq::Error| AwsError::Silent { place, why: error.to_string() };
        let outcome = request
            .body(question.body)
            .map_err(|error| silent(error.into()))
            .and_then(|request| agent.run(request).map_err(silent))
            .and_then(|mut response| match response.status().as_u16() {
                200..=299 => response.body_mut().with_config().limit(MOST).read_to_string().map_err(silent),
                status => Err(AwsError::Status { place, status }),
            });
        let is_over = {
            let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            stage.under_way = None;
            stage.is_over
        };
        if is_over { Err(AwsError::Ended) } else { outcome.map(Zeroizing::new) }
    }

    /// An agent of its own for each request: what is asked so seldom keeps no connection.
    fn begin(&self) -> Result<Agent, AwsError> {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stage.is_over {
            return Err(AwsError::Ended);
        }
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::WebPki)
            // Named here, because the HTTP library brings none and would panic without one.
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .accept_encoding(AutoHeaderValue::None)
            .proxy(None)
            .tls_config(tls)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(WHOLE))
            .build()
            .new_agent();
        stage.under_way = Some(agent.clone());
        Ok(agent)
    }
}
