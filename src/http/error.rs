//! Why a request cannot be made or has failed. No text here holds a URL's user, a header's value or a proxy's password.

use std::io;

/// Why requests cannot be made with the given options.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// A base URL is not usable.
    #[error("not a usable URL: {0}")]
    Url(&'static str),
    /// The proxy's URL is not usable.
    #[error("not a usable proxy: {0}")]
    Proxy(&'static str),
    /// A variable of the environment names a proxy that is not usable.
    #[error("the variable {name} names no usable proxy: {reason}")]
    ProxyVariable {
        /// The variable.
        name: &'static str,
        /// What is wrong with its value.
        reason: &'static str,
    },
    /// A header's name or value has characters that no header may have, or it is not the caller's to set.
    #[error("the header {0:?} cannot be sent")]
    Header(String),
    /// The certificate file cannot be read.
    #[error("http.tls.ca_file: cannot read {path}: {source}")]
    CaFile {
        /// The path as given.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate file holds no usable certificate.
    #[error("http.tls.ca_file: {0}")]
    Certificate(String),
}

/// Why a request has failed without an answer, or in the midst of one.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The options are not usable.
    #[error(transparent)]
    Options(#[from] HttpError),
    /// The two sides found no secure connection, mostly because the certificate is not trusted.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// It took too long.
    #[error("timed out while {0}")]
    Timeout(&'static str),
    /// The connection could not be made or was lost, or what came was no HTTP.
    #[error("{0}")]
    Network(String),
    /// A redirect leads nowhere.
    #[error("redirect: {0}")]
    Redirect(&'static str),
    /// The answer cannot be unpacked.
    #[error("the answer is not packed as it says")]
    Packing,
    /// The answer is longer than the caller allows.
    #[error("the answer is too long")]
    TooLong,
    /// The requester was interrupted from another thread.
    #[error("interrupted")]
    Interrupted,
}

impl From<ureq::Error> for RequestError {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(phase) => RequestError::Timeout(doing(phase)),
            ureq::Error::Io(error) => RequestError::from_io(error),
            ureq::Error::Rustls(error) => RequestError::Tls(error.to_string()),
            ureq::Error::Decompress(..) => RequestError::Packing,
            ureq::Error::Tls(text) => RequestError::Tls(text.to_owned()),
            // Its text would repeat the URL, which may hold a password.
            ureq::Error::BadUri(_) => RequestError::Options(HttpError::Url("it cannot be parsed")),
            ureq::Error::Http(_) => RequestError::Network("the request could not be built".to_owned()),
            other => RequestError::Network(other.to_string()),
        }
    }
}

impl RequestError {
    /// The error behind an I/O error: the HTTP library and TLS hide theirs in one.
    pub(super) fn from_io(error: io::Error) -> Self {
        if error.get_ref().is_some_and(|inner| inner.is::<ureq::Error>()) {
            return RequestError::from(ureq::Error::from(error));
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => RequestError::Tls(tls.to_string()),
            None => RequestError::Network(error.to_string()),
        }
    }
}

fn doing(phase: ureq::Timeout) -> &'static str {
    match phase {
        ureq::Timeout::Resolve => "looking up the name",
        ureq::Timeout::Connect => "connecting",
        ureq::Timeout::SendRequest | ureq::Timeout::SendBody | ureq::Timeout::PerWrite => "sending the request",
        ureq::Timeout::RecvResponse => "waiting for the answer",
        _ => "reading the answer",
    }
}
