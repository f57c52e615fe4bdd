//! What is sent as one request. Depends on `spool`, whose files some of it come from.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::spool::Claim;

/// What a payload tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Events of the host.
    Events,
    /// How this library fares. Nobody misses it.
    Diagnostic,
}

/// A payload, ready to be sent.
#[derive(Debug)]
pub(super) struct Payload {
    /// Its place among those that a flush may wait for; 0 for others.
    pub number: u64,
    pub content: Content,
    /// The same whenever it is sent, so that the receiver recognises it.
    pub id: String,
    /// Number of events; a summary is one.
    pub events: u64,
    pub body: Vec<u8>,
    /// The body is compressed.
    pub is_packed: bool,
    /// The file in which it was kept.
    pub claim: Option<Claim>,
}

impl Payload {
    /// The path below the base.
    pub fn path(&self) -> &'static str {
        match self.content {
            Content::Events => "/bulk",
            Content::Diagnostic => "/diagnostic",
        }
    }

    /// The headers beside those that every request has.
    pub fn headers(&self) -> Vec<(&'static str, &str)> {
        let mut headers = vec![("Content-Type", "application/json")];
        if self.content == Content::Events {
            headers.extend([("X-LaunchDarkly-Event-Schema", "4"), ("X-LaunchDarkly-Payload-ID", self.id.as_str())]);
        }
        if self.is_packed {
            headers.push(("Content-Encoding", "gzip"));
        }
        headers
    }
}

/// Compresses a body.
pub(super) fn packed(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::default());
    encoder.write_all(body)?;
    encoder.finish()
}
