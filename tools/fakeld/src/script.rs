//! How a test makes the server misbehave: one action per coming request.

use std::time::Duration;

/// What happens to a request instead of the regular answer.
#[derive(Debug, Clone)]
pub enum Action {
    /// The regular answer after all; for a failure that shall come later.
    Regular,
    /// An empty answer of this status.
    Status(u16),
    /// A whole answer: status, headers, body.
    Answer(u16, Vec<(String, String)>, Vec<u8>),
    /// A redirect of this status to this URL.
    Redirect(u16, String),
    /// The connection is closed without an answer.
    Close,
    /// The connection is closed after so many bytes of the body.
    Cut(u64),
    /// Nothing is answered for this long; then the connection is closed.
    Hang(Duration),
    /// These bytes are written as they are, each after its pause; then the connection is closed.
    Raw(Vec<Piece>),
}

/// Bytes, and how long to wait before they are sent.
pub type Piece = (Duration, Vec<u8>);

impl Action {
    /// Bytes that are written at once; then the connection is closed.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Action {
        Action::Raw(vec![(Duration::ZERO, bytes.into())])
    }

    /// An event stream whose body is sent in these pieces, and which then stays open for a while.
    pub fn stream(pieces: Vec<Piece>, open: Duration) -> Action {
        const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        let mut all = vec![(Duration::ZERO, HEAD.to_vec())];
        all.extend(pieces);
        all.push((open, Vec::new()));
        Action::Raw(all)
    }
}
