//! The polling source: asks for everything every so often, and lets the server say that nothing has changed.

use super::failure::Trouble;
use super::options::{PollOptions, RetryMode};
use super::outlet::Outlet;
use super::payload::read_all;
use super::request::{self, Interruptible};
use super::retry::{Pace, PollRetry};
use super::sink::Severity;
use crate::http::{Patience, RequestError, Requester, Response};
use crate::model::{ChangeKind, ChangeSet};

/// Longest answer, unpacked.
pub(super) const LONGEST_ANSWER: u64 = 256 << 20;

/// An answer may take this many times the longest silence in all: one that trickles shall not hold the source for ever.
const PATIENCE: u32 = 20;

/// Polls until stopped, or until the server refuses for good.
pub(super) fn run(options: &PollOptions, pace: Pace, outlet: &Outlet<'_>) {
    request::check_sdk_key(&options.http, outlet);
    let url = request::url(&options.base, "/sdk/latest-all", options.filter.as_deref(), outlet);
    let mut retry = PollRetry::new(options.retry, options.interval, pace);
    let mut poller = Poller { options, url, outlet, requester: None, etag: None };
    let control = outlet.control();
    let mut restarts = control.restarts();
    while !control.is_stopped() {
        let result = poller.poll(restarts);
        let wanted = control.restarts();
        if control.is_stopped() || wanted != restarts {
            // Whatever came of it, everything is wanted afresh; the interrupted connections are of no more use.
            restarts = wanted;
            poller.forget();
            continue;
        }
        let pause = match result {
            Ok(Outcome::Taken) => retry.after_success(),
            Ok(Outcome::Doubted) => continue,
            Err(trouble) if options.retry == RetryMode::Legacy && trouble.is_final() => {
                outlet.log(Severity::Error, format_args!("polling is given up: {}", trouble.failure.message));
                return outlet.off(trouble.failure);
            }
            Err(trouble) => {
                let next = retry.after_failure(trouble.nature, trouble.retry_after);
                complain(outlet, &trouble, options.retry, next.is_engaging);
                outlet.interrupted(trouble.failure);
                next.pause
            }
        };
        if !control.sleep(pause, restarts) {
            restarts = control.restarts();
            poller.forget();
        }
    }
}

/// Tells of a poll that failed.
pub(super) fn complain(outlet: &Outlet<'_>, trouble: &Trouble, mode: RetryMode, is_engaging: bool) {
    outlet.log(trouble.severity(mode), format_args!("poll: {}", trouble.failure.message));
    if is_engaging {
        outlet.log(Severity::Info, format_args!("poll: the pauses are minutes long until the server accepts us again"));
    }
}

/// What a good answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is in force.
    Taken,
    /// It is to be asked for once more, at once.
    Doubted,
}

/// What makes the requests of polling.
pub(super) fn new_requester(options: &PollOptions) -> Result<Requester, Trouble> {
    let silence = options.http.read_timeout;
    let patience = Patience { silence, whole: Some(silence.saturating_mul(PATIENCE)) };
    Requester::new(&options.http, patience).map_err(|error| Trouble::from(RequestError::from(error)))
}

struct Poller<'a> {
    options: &'a PollOptions,
    url: String,
    outlet: &'a Outlet<'a>,
    /// Kept from one poll to the next, and its connection with it.
    requester: Option<Requester>,
    /// What the server called the data that we have.
    etag: Option<String>,
}

impl Poller<'_> {
    /// Makes the next poll fetch everything over a new connection.
    fn forget(&mut self) {
        self.requester = None;
        self.etag = None;
    }

    fn poll(&mut self, restarts: u64) -> Result<Outcome, Trouble> {
        let requester = match self.requester.take() {
            Some(requester) => requester,
            None => new_requester(self.options)?,
        };
        let _interruptible = Interruptible::new(self.outlet, restarts, requester.interrupter());
        let response = self.request(&requester).map_err(|error| Trouble::unanswered(&self.url, error))?;
        let result = self.take(response);
        self.requester = Some(requester);
        result
    }

    fn request(&self, requester: &Requester) -> Result<Response, RequestError> {
        let mut headers = vec![("Accept", "application/json"), ("Accept-Encoding", "gzip")];
        if let Some(etag) = &self.etag {
            headers.push(("If-None-Match", etag));
        }
        requester.get(&self.url, &headers)
    }

    fn take(&mut self, response: Response) -> Result<Outcome, Trouble> {
        match response.status() {
            200 => self.take_all(response),
            // Without an ETag of ours it makes no sense, and would leave us without data.
            304 if self.etag.is_some() => {
                self.outlet.apply(ChangeSet::new(ChangeKind::None, Vec::new()));
                Ok(Outcome::Taken)
            }
            _ => Err(Trouble::answer(&response)),
        }
    }

    fn take_all(&mut self, response: Response) -> Result<Outcome, Trouble> {
        // Until the data are taken, what the server calls them must not keep it from sending them again.
        self.etag = None;
        let etag = request::etag(&response);
        let environment_id = request::environment_id(&response);
        let body = response.read_all(LONGEST_ANSWER).map_err(Trouble::from)?;
        let all =
            read_all(&body).map_err(|error| Trouble::invalid_data(&format!("the answer makes no sense: {error}")))?;
        all.report(self.outlet);
        if !self.outlet.offer(ChangeSet { environment_id, ..ChangeSet::new(ChangeKind::Full, all.items) }) {
            return Ok(Outcome::Doubted);
        }
        self.etag = etag;
        Ok(Outcome::Taken)
    }
}
