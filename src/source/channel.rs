//! One connection of a stream, from the request to its end: what the streams of both protocols have in common.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::failure::Trouble;
use super::options::{RetryMode, StreamOptions};
use super::outlet::Outlet;
use super::request::Interruptible;
use super::retry::{Lasted, Next};
use super::sink::Severity;
use super::sse::{Event, Parser, TooLong};
use crate::http::{Patience, RequestError, Requester, Response};

/// Longest event.
const LONGEST_EVENT: usize = 256 << 20;

/// Who makes sense of what a stream brings.
pub(super) trait Reader {
    /// The head of an answer, whatever its status.
    fn begin(&mut self, response: &Response);
    /// An event. Trouble ends the connection.
    fn take(&mut self, event: Event<'_>) -> Result<(), Trouble>;
}

/// One connection.
pub(super) struct Channel<'a> {
    outlet: &'a Outlet<'a>,
    parser: Parser,
    answered: Option<Instant>,
    first_event: Option<Instant>,
}

impl<'a> Channel<'a> {
    pub(super) fn new(outlet: &'a Outlet<'a>) -> Self {
        Self { outlet, parser: Parser::new(LONGEST_EVENT), answered: None, first_event: None }
    }

    /// Reads until something fails; a stream has no good end.
    pub(super) fn run(
        &mut self,
        options: &StreamOptions,
        url: &str,
        restarts: u64,
        reader: &mut dyn Reader,
    ) -> Trouble {
        self.outlet.opens_stream();
        self.connect(options, url, restarts, reader).map_or_else(|trouble| trouble, |never| match never {})
    }

    fn connect(
        &mut self,
        options: &StreamOptions,
        url: &str,
        restarts: u64,
        reader: &mut dyn Reader,
    ) -> Result<Infallible, Trouble> {
        let patience = Patience { silence: options.read_timeout, whole: None };
        let requester =
            Requester::new(&options.http, patience).map_err(|error| Trouble::from(RequestError::from(error)))?;
        let _interruptible = Interruptible::new(self.outlet, restarts, requester.interrupter());
        let headers = [("Accept", "text/event-stream"), ("Cache-Control", "no-cache")];
        let mut response = requester.get(url, &headers).map_err(|error| Trouble::unanswered(url, error))?;
        reader.begin(&response);
        check(&response)?;
        self.answered = Some(Instant::now());
        self.outlet.log(Severity::Debug, format_args!("the stream is connected"));
        self.read(&mut response, reader)
    }

    fn read(&mut self, response: &mut Response, reader: &mut dyn Reader) -> Result<Infallible, Trouble> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let length = response.read(&mut buffer).map_err(Trouble::from)?;
            if length == 0 {
                return Err(Trouble::network("the server ended the stream"));
            }
            let first_event = &mut self.first_event;
            self.parser.feed(buffer.get(..length).unwrap_or_default(), |event| {
                first_event.get_or_insert_with(Instant::now);
                reader.take(event)
            })?;
            if self.outlet.control().is_stopped() {
                return Err(Trouble::network("stopped"));
            }
        }
    }

    /// The pause that the stream asked for.
    pub(super) fn take_retry(&mut self) -> Option<Duration> {
        self.parser.take_retry()
    }

    pub(super) fn lasted(&self) -> Lasted {
        let since = |begin: Option<Instant>| begin.map_or(Duration::ZERO, |begin| begin.elapsed());
        Lasted { since_answer: since(self.answered), since_event: since(self.first_event) }
    }
}

fn check(response: &Response) -> Result<(), Trouble> {
    if response.status() != 200 {
        return Err(Trouble::answer(response));
    }
    match response.header("Content-Type") {
        Some(own) if !own.trim_start().to_ascii_lowercase().starts_with("text/event-stream") => {
            Err(Trouble::invalid_data("the server answered with something that is no event stream"))
        }
        _ => Ok(()),
    }
}

/// Tells of a failure after which the stream is connected again.
pub(super) fn complain(outlet: &Outlet<'_>, trouble: &Trouble, mode: RetryMode, next: Next) {
    outlet.log(
        trouble.severity(mode),
        format_args!("stream: {}; connecting again in {} ms", trouble.failure.message, next.pause.as_millis()),
    );
    if next.is_engaging {
        outlet
            .log(Severity::Info, format_args!("stream: the pauses are minutes long until the server accepts us again"));
    }
}

impl From<TooLong> for Trouble {
    fn from(_: TooLong) -> Self {
        Trouble::invalid_data(&format!("the stream sent an event of more than {LONGEST_EVENT} bytes"))
    }
}
