//! What comes back: status, headers, and a body that is read as it arrives.

use std::io::Read;
use std::time::Duration;

use ureq::http::HeaderMap;
use ureq::{Body, BodyReader};

use super::error::RequestError;
use super::retry_after;

/// An answer whose body has not been read yet.
pub struct Response {
    status: u16,
    headers: HeaderMap,
    body: BodyReader<'static>,
}

impl Response {
    pub(super) fn new(response: ureq::http::Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status.as_u16(), headers: parts.headers, body: body.into_reader() }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of a header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// How long the server asks to be left alone, at most an hour.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after::pause(self.header("Retry-After")?, self.header("Date"))
    }

    /// When the server says it is, in milliseconds since 1970.
    pub fn date_ms(&self) -> Option<i64> {
        retry_after::unix_seconds(self.header("Date")?)?.checked_mul(1000)
    }

    /// Reads what has arrived, and waits if it is nothing yet; 0 at the end.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, RequestError> {
        self.body.read(buffer).map_err(RequestError::from_io)
    }

    /// Reads the whole body, which may be no longer than `limit` bytes.
    pub fn read_all(mut self, limit: u64) -> Result<Vec<u8>, RequestError> {
        let mut all = Vec::new();
        self.body.by_ref().take(limit.saturating_add(1)).read_to_end(&mut all).map_err(RequestError::from_io)?;
        if all.len() as u64 > limit { Err(RequestError::TooLong) } else { Ok(all) }
    }

    /// Reads the body to its end, at most this many bytes, so that the connection can serve another request.
    pub fn finish(mut self, limit: u64) {
        // What is not read ends with the connection.
        let _ = std::io::copy(&mut self.body.by_ref().take(limit), &mut std::io::sink());
    }
}
