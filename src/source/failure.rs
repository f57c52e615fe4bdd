//! What a failed request means: how it is reported, and whether waiting helps.

use std::time::Duration;

use super::options::RetryMode;
use super::sink::{Failure, FailureKind, Severity};
use crate::http::{RequestError, Response, shown};
use crate::model::excerpt;

/// Most characters of a message: it may repeat what a server sent.
const LONGEST_MESSAGE: usize = 300;

/// Whether a failure is of the kind that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// Networks and servers fail and recover.
    Passing,
    /// The server refuses the request, or the certificate is not trusted: somebody has to change something.
    Lasting,
}

/// A failure and its nature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub failure: Failure,
    pub nature: Nature,
    /// The server asks to be left alone for so long.
    pub retry_after: Option<Duration>,
}

impl Trouble {
    pub(super) fn invalid_data(message: &str) -> Self {
        Self::new(FailureKind::InvalidData, Nature::Passing, message)
    }

    pub(super) fn network(message: &str) -> Self {
        Self::new(FailureKind::NetworkError, Nature::Passing, message)
    }

    fn new(kind: FailureKind, nature: Nature, message: &str) -> Self {
        let message = excerpt(message, LONGEST_MESSAGE);
        Self { failure: Failure { kind, status: 0, message }, nature, retry_after: None }
    }

    /// A request to this URL has failed without an answer: whoever reads of it wants to know where that was.
    pub(super) fn unanswered(url: &str, error: RequestError) -> Self {
        let mut trouble = Self::from(error);
        let place = excerpt(&shown(url), LONGEST_MESSAGE);
        trouble.failure.message = format!("{} ({place})", trouble.failure.message);
        trouble
    }

    /// An answer of another status than the one that carries data.
    pub(super) fn status(status: u16) -> Self {
        let nature = match status {
            400 | 408 | 429 => Nature::Passing,
            400..500 => Nature::Lasting,
            _ => Nature::Passing,
        };
        let message = format!("the server answered with status {status}");
        Self { failure: Failure { kind: FailureKind::ErrorResponse, status, message }, nature, retry_after: None }
    }

    /// The same of a whole answer, which may ask for a pause.
    pub(super) fn answer(response: &Response) -> Self {
        Self { retry_after: response.retry_after(), ..Self::status(response.status()) }
    }

    /// How much the failure matters to the log: more where somebody has to change something.
    pub(super) fn severity(&self, mode: RetryMode) -> Severity {
        let is_lasting = mode == RetryMode::Extended && self.nature == Nature::Lasting;
        let is_nonsense = self.failure.kind == FailureKind::InvalidData;
        if is_lasting || is_nonsense { Severity::Error } else { Severity::Warn }
    }

    /// True if the source must end in legacy mode.
    pub(super) fn is_final(&self) -> bool {
        self.nature == Nature::Lasting && self.failure.kind == FailureKind::ErrorResponse
    }
}

impl From<RequestError> for Trouble {
    fn from(error: RequestError) -> Self {
        let (kind, nature) = match &error {
            RequestError::Tls(_) => (FailureKind::NetworkError, Nature::Lasting),
            RequestError::Options(_) => (FailureKind::Unknown, Nature::Passing),
            RequestError::TooLong | RequestError::Packing => (FailureKind::InvalidData, Nature::Passing),
            _ => (FailureKind::NetworkError, Nature::Passing),
        };
        Self::new(kind, nature, &error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_that_tell_of_a_wrong_configuration_do_not_pass() {
        for status in [401, 403, 404, 405, 410, 418, 451, 499] {
            assert!(Trouble::status(status).is_final(), "{status}");
        }
        for status in [204, 206, 300, 304, 400, 408, 429, 500, 503, 599] {
            assert!(!Trouble::status(status).is_final(), "{status}");
        }
    }

    #[test]
    fn what_a_server_sent_is_repeated_in_part_and_on_one_line() {
        let message = Trouble::invalid_data(&format!("bad: \n{}", "x".repeat(100_000))).failure.message;
        assert!(message.starts_with(r"bad: \nxxx") && message.chars().count() < LONGEST_MESSAGE + 5, "{message}");
    }

    #[test]
    fn a_request_without_an_answer_is_told_with_the_place_and_without_secrets() {
        let error = RequestError::Network("Connection refused".to_owned());
        let trouble = Trouble::unanswered("https://ada:hunter2@there:1/all?filter=f", error);
        assert_eq!(trouble.failure.message, "Connection refused (https://there:1/all)");
    }

    #[test]
    fn a_refused_certificate_lasts_but_ends_no_source() {
        let trouble = Trouble::from(RequestError::Tls("no".to_owned()));
        assert_eq!((trouble.nature, trouble.is_final()), (Nature::Lasting, false));
        assert_eq!(trouble.failure.kind, FailureKind::NetworkError);
    }
}
