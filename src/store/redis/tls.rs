//! Whom a TLS connection to Redis trusts, and as whom it presents itself. Files are read at each connect: certificates are
//! renewed while a process runs.
//!
//! `redis.tls.ca_file` names authorities, or the server's own certificate: one that is in the file byte for byte is trusted,
//! whatever it says of itself (`openssl req -x509` makes authorities). It must be in its time, and if it names hosts, ours must
//! be among them. Depends on `wire` and `files`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::connector::ConnectError;
use crate::files;

/// What the options say of TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM file of the authorities to trust instead of the built-in ones, or of the server's certificate.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the client certificate; needs `key_file`.
    pub cert_file: Option<PathBuf>,
    /// PEM file of the client certificate's private key.
    pub key_file: Option<PathBuf>,
    /// The name that is asked for and verified, instead of the host's.
    pub server_name: Option<String>,
    /// Any certificate is accepted.
    pub skip_verify: bool,
}

/// TLS as configured.
#[derive(Debug)]
pub struct Tls {
    options: TlsOptions,
}

impl Tls {
    /// Checks the options, the files as they are now, and the hosts that are known by now.
    pub fn new(options: &TlsOptions, hosts: &[&str]) -> Result<Self, ConnectError> {
        let tls = Self { options: options.clone() };
        hosts.iter().try_for_each(|host| tls.name_for(host).map(drop))?;
        tls.config()?;
        Ok(tls)
    }

    /// The name that is asked for and verified at this host.
    pub fn name_for(&self, host: &str) -> Result<ServerName<'static>, ConnectError> {
        let name = self.options.server_name.as_deref();
        let what = if name.is_some() { "redis.tls.server_name" } else { "the host of redis.url" };
        ServerName::try_from(name.unwrap_or(host).to_owned())
            .map_err(|_| ConnectError::Tls(format!("{what} is no name that a certificate can be for")))
    }

    /// The settings of a connection, from the files as they are now.
    pub fn config(&self) -> Result<Arc<ClientConfig>, ConnectError> {
        let provider = Arc::new(ring::default_provider());
        let verifier = self.verifier(&provider)?;
        let unusable = |error: Error| ConnectError::Tls(format!("TLS cannot be set up: {error}"));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match (&self.options.cert_file, &self.options.key_file) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), Some(key)) => {
                let chain = read_certificates("redis.tls.cert_file", cert)?;
                builder.with_client_auth_cert(chain, read_key(key)?).map_err(|error| {
                    ConnectError::Tls(format!("redis.tls.cert_file and redis.tls.key_file do not fit: {error}"))
                })?
            }
            _ => {
                return Err(ConnectError::Tls(
                    "redis.tls.cert_file and redis.tls.key_file must be given together".to_owned(),
                ));
            }
        };
        Ok(Arc::new(config))
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, ConnectError> {
        let named = match &self.options.ca_file {
            Some(path) => read_certificates("redis.tls.ca_file", path)?,
            None => Vec::new(),
        };
        if self.options.skip_verify {
            return Ok(Arc::new(Anybody(provider.clone())));
        }
        let unusable = |reason: String| ConnectError::Tls(format!("redis.tls.ca_file: {reason}"));
        let mut roots = RootCertStore::empty();
        if self.options.ca_file.is_none() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for certificate in &named {
            roots.add(certificate.clone()).map_err(|error| unusable(error.to_string()))?;
        }
        let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        Ok(Arc::new(Trust { authorities, named, provider: provider.clone() }))
    }
}

fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, ConnectError> {
    let unreadable = |source| ConnectError::File { option, path: path.display().to_string(), source };
    files::read(path, files::LARGEST_PEM).map_err(unreadable)
}

fn read_certificates(option: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let pem = read(option, path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(ConnectError::Tls(format!("{option} holds no PEM certificate"))),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, ConnectError> {
    let option = "redis.tls.key_file";
    PrivateKeyDer::from_pem_slice(&read(option, path)?)
        .map_err(|_| ConnectError::Tls(format!("{option} holds no PEM private key")))
}

/// Trusts certificates that an authority vouches for, and those that are named themselves.
#[derive(Debug)]
struct Trust {
    authorities: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            Err(error) if is_about_role(&error) && self.named.iter().any(|named| named == end_entity) => {
                verify_name(end_entity, server_name)
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether the complaint is about what a certificate may do or who made it, which does not matter for one that is named. The
/// time is looked at before that: it is right then.
fn is_about_role(error: &Error) -> bool {
    use CertificateError::{InvalidPurpose, InvalidPurposeContext, Other, UnknownIssuer};
    match error {
        Error::InvalidCertificate(UnknownIssuer | InvalidPurpose | InvalidPurposeContext { .. }) => true,
        Error::InvalidCertificate(Other(inner)) => inner.0.to_string() == "CaUsedAsEndEntity",
        _ => false,
    }
}

/// The host must be among those that the certificate names. One that names none is trusted for what it is.
fn verify_name(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<ServerCertVerified, Error> {
    let parsed = rustls::server::ParsedCertificate::try_from(certificate)?;
    match rustls::client::verify_server_name(&parsed, name) {
        Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }))
            if presented.is_empty() =>
        {
            Ok(ServerCertVerified::assertion())
        }
        verdict => verdict.map(|()| ServerCertVerified::assertion()),
    }
}

/// Trusts everybody: `redis.tls.skip_verify`.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
