//! The streaming source: one long answer in which the server sends everything, and then each change as it happens.
//!
//! After any failure the connection is dropped and made again, which brings everything anew; so nothing that was missed
//! stays missing.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::control::Control;
use super::failure::{Nature, Trouble};
use super::options::{RetryMode, StreamOptions};
use super::outlet::Outlet;
use super::payload::{Message, read_event};
use super::request::{self, Interruptible};
use super::retry::{Lasted, Pace, StreamRetry};
use super::sink::{FailureKind, Severity};
use super::sse::{Event, Parser, TooLong};
use crate::http::{Patience, RequestError, Requester, Response};
use crate::model::{ChangeKind, ChangeSet};

/// Longest event.
const LONGEST_EVENT: usize = 256 << 20;

/// Reads the stream until stopped, or until the server refuses for good.
pub(super) fn run(options: &StreamOptions, pace: Pace, outlet: &Outlet<'_>) {
    request::check_sdk_key(&options.http, outlet);
    let url = request::url(&options.base, "/all", options.filter.as_deref(), outlet);
    let mut retry = StreamRetry::new(options.retry, options.initial_delay, pace);
    let control = outlet.control();
    while !control.is_stopped() {
        let restarts = control.restarts();
        let mut connection =
            Connection { outlet, environment_id: None, parser: None, answered: None, first_event: None, doubts: false };
        outlet.opens_stream();
        let trouble = connection.run(options, &url, restarts);
        if connection.doubts || is_interrupted(control, restarts) {
            continue;
        }
        if let Some(first) = connection.parser.as_mut().and_then(Parser::take_retry) {
            retry.set_first(first);
        }
        if options.retry == RetryMode::Legacy && trouble.is_final() {
            outlet.log(Severity::Error, format_args!("the stream is given up: {}", trouble.failure.message));
            return outlet.off(trouble.failure);
        }
        let next = retry.after(trouble.nature, connection.lasted(), trouble.retry_after);
        complain(outlet, &trouble, options.retry, next.pause, next.is_engaging);
        outlet.interrupted(trouble.failure);
        control.sleep(next.pause, restarts);
    }
}

fn is_interrupted(control: &Control, restarts: u64) -> bool {
    control.is_stopped() || control.restarts() != restarts
}

fn complain(outlet: &Outlet<'_>, trouble: &Trouble, mode: RetryMode, pause: Duration, is_engaging: bool) {
    let is_lasting = mode == RetryMode::Extended && trouble.nature == Nature::Lasting;
    let is_nonsense = trouble.failure.kind == FailureKind::InvalidData;
    let severity = if is_lasting || is_nonsense { Severity::Error } else { Severity::Warn };
    outlet.log(
        severity,
        format_args!("stream: {}; connecting again in {} ms", trouble.failure.message, pause.as_millis()),
    );
    if is_engaging {
        outlet
            .log(Severity::Info, format_args!("stream: the pauses are minutes long until the server accepts us again"));
    }
}

/// One connection, from the request to its end.
struct Connection<'a> {
    outlet: &'a Outlet<'a>,
    environment_id: Option<Arc<str>>,
    parser: Option<Parser>,
    answered: Option<Instant>,
    first_event: Option<Instant>,
    /// It was ended because what it brought is asked for once more.
    doubts: bool,
}

impl Connection<'_> {
    /// Reads until something fails; a stream has no good end.
    fn run(&mut self, options: &StreamOptions, url: &str, restarts: u64) -> Trouble {
        self.connect(options, url, restarts).map_or_else(|trouble| trouble, |never| match never {})
    }

    fn connect(&mut self, options: &StreamOptions, url: &str, restarts: u64) -> Result<Infallible, Trouble> {
        let patience = Patience { silence: options.read_timeout, whole: None };
        let requester =
            Requester::new(&options.http, patience).map_err(|error| Trouble::from(RequestError::from(error)))?;
        let _interruptible = Interruptible::new(self.outlet, restarts, requester.interrupter());
        let headers = [("Accept", "text/event-stream"), ("Cache-Control", "no-cache")];
        let mut response = requester.get(url, &headers).map_err(Trouble::from)?;
        check(&response)?;
        self.answered = Some(Instant::now());
        self.environment_id = request::environment_id(&response);
        self.outlet.log(Severity::Debug, format_args!("the stream is connected"));
        self.read(&mut response)
    }

    fn read(&mut self, response: &mut Response) -> Result<Infallible, Trouble> {
        let mut buffer = vec![0; 64 << 10];
        let mut parser = Parser::new(LONGEST_EVENT);
        loop {
            let length = response.read(&mut buffer).map_err(Trouble::from);
            let result = length.and_then(|length| match length {
                0 => Err(Trouble::network("the server ended the stream")),
                length => parser.feed(buffer.get(..length).unwrap_or_default(), |event| self.take(event)),
            });
            if let Err(trouble) = result {
                self.parser = Some(parser);
                return Err(trouble);
            }
            if self.outlet.control().is_stopped() {
                return Err(Trouble::network("stopped"));
            }
        }
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), Trouble> {
        self.first_event.get_or_insert_with(Instant::now);
        let name = String::from_utf8_lossy(event.name);
        let message = read_event(event.name, event.data)
            .map_err(|error| Trouble::invalid_data(&format!("the event {name:?} makes no sense: {error}")))?;
        let (kind, items) = match message {
            Message::Put(all) => {
                all.report(self.outlet);
                (ChangeKind::Full, all.items)
            }
            Message::Patch(item) => (ChangeKind::Partial, vec![item]),
            Message::UnknownEvent => {
                self.outlet.log(Severity::Debug, format_args!("the stream sent an unknown event {name:?}"));
                return Ok(());
            }
            Message::UnknownPath(path) => {
                self.outlet.log(Severity::Warn, format_args!("the event {name:?} is about the unknown path {path:?}"));
                return Ok(());
            }
        };
        let environment_id = self.environment_id.clone();
        if self.outlet.offer(ChangeSet { kind, items, environment_id }) {
            return Ok(());
        }
        self.doubts = true;
        Err(Trouble::invalid_data("the server has no flags any more"))
    }

    fn lasted(&self) -> Lasted {
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

impl From<TooLong> for Trouble {
    fn from(_: TooLong) -> Self {
        Trouble::invalid_data(&format!("the stream sent an event of more than {LONGEST_EVENT} bytes"))
    }
}
