//! Whom a TLS connection trusts.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::error::HttpError;
use super::options::HttpOptions;
use crate::files;

/// The TLS settings of the options; reads the certificate file.
pub(super) fn config(options: &HttpOptions) -> Result<TlsConfig, HttpError> {
    let roots = match &options.ca_file {
        None => RootCerts::WebPki,
        Some(path) => {
            let unreadable = |source| HttpError::CaFile { path: path.display().to_string(), source };
            let pem = files::read(path, files::LARGEST_PEM).map_err(unreadable)?;
            RootCerts::Specific(Arc::new(certificates(&pem)?))
        }
    };
    Ok(TlsConfig::builder()
        .root_certs(roots)
        .disable_verification(options.skip_verify)
        // Named here, because the HTTP library brings none and would panic without one.
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, HttpError> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        let item = item.map_err(|_| HttpError::Certificate("it is no PEM file".to_owned()))?;
        if let PemItem::Certificate(certificate) = item {
            // The HTTP library drops what it cannot parse, and every connection would fail later without a reason.
            RootCertStore::empty()
                .add(CertificateDer::from(certificate.der()))
                .map_err(|error| HttpError::Certificate(error.to_string()))?;
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(HttpError::Certificate("it holds no PEM certificate".to_owned()));
    }
    Ok(certificates)
}
