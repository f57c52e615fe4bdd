//! The synchronizer that streams: one long answer with a payload for the state that is known here, and then each change as it
//! happens.
//!
//! After any failure the connection is made again and goes on from the state that is in force; from nothing where what came made
//! no sense, or where the server does not know the state.

use std::sync::Arc;
use std::time::Duration;

use super::protocol::{Assembly, Step};
use super::{Given, directive_of, directive_of_goodbye, refuses_basis};
use crate::http::Response;
use crate::source::channel::{Channel, Reader, complain};
use crate::source::composite::{Directive, Ending, Known, Part};
use crate::source::failure::Trouble;
use crate::source::options::StreamOptions;
use crate::source::outlet::Outlet;
use crate::source::request;
use crate::source::retry::{Pace, StreamRetry};
use crate::source::sink::{FailureKind, Severity};
use crate::source::sse::Event;

pub(super) struct Streaming {
    pub options: StreamOptions,
    pub pace: Pace,
}

impl Part for Streaming {
    fn name(&self) -> &str {
        "stream"
    }

    fn run(&self, known: &Known, outlet: &Outlet<'_>) -> Ending {
        let mut retry = StreamRetry::new(self.options.retry, self.options.initial_delay, self.pace);
        let control = outlet.control();
        // Lent for this turn: whatever was asked for since is more than none.
        let mut heard = 0;
        while !control.is_stopped() {
            let restarts = control.restarts();
            if restarts != heard {
                heard = restarts;
                known.forget();
            }
            let given = Given::new(known);
            let url = given.url(&self.options.base, "/sdk/stream");
            let mut reader = StreamReader::new(outlet, given);
            let mut channel = Channel::new(outlet);
            let trouble = channel.run(&self.options, &url, restarts, &mut reader);
            if let Some(directive) = reader.directive {
                if !reader.is_over && !control.is_stopped() {
                    outlet.interrupted(trouble.failure);
                }
                return Ending::Directed(directive);
            }
            if control.is_stopped() || control.restarts() != restarts {
                continue;
            }
            if let Some(first) = channel.take_retry() {
                retry.set_first(first);
            }
            if reader.doubts || refuses_basis(&reader.given, &trouble, outlet) {
                known.forget();
                continue;
            }
            if trouble.is_final() {
                outlet.off(trouble.failure);
                return Ending::Over;
            }
            if trouble.failure.kind == FailureKind::InvalidData {
                known.forget();
            }
            let next = retry.after(trouble.nature, channel.lasted(), trouble.retry_after);
            if reader.is_over {
                tell_goodbye(outlet, &trouble, next.pause);
            } else {
                complain(outlet, &trouble, self.options.retry, next);
                outlet.interrupted(trouble.failure);
            }
            control.sleep(next.pause, restarts);
        }
        Ending::Over
    }
}

/// It is no failure where a server leaves that has done its work.
fn tell_goodbye(outlet: &Outlet<'_>, trouble: &Trouble, pause: Duration) {
    let message = &trouble.failure.message;
    outlet.log(Severity::Info, format_args!("stream: {message}; connecting again in {} ms", pause.as_millis()));
}

/// Reads one connection, and keeps what came of it.
struct StreamReader<'a> {
    outlet: &'a Outlet<'a>,
    given: Given,
    assembly: Assembly,
    environment_id: Option<Arc<str>>,
    /// The server wants the former protocol, as soon as the payload that it sends is in force.
    directive: Option<Directive>,
    /// The connection has brought what was asked for.
    has_brought: bool,
    /// It is over without a failure.
    is_over: bool,
    /// It was ended because what it brought is asked for once more.
    doubts: bool,
}

impl<'a> StreamReader<'a> {
    fn new(outlet: &'a Outlet<'a>, given: Given) -> Self {
        let assembly = Assembly::new(given.has_basis());
        Self {
            outlet,
            given,
            assembly,
            environment_id: None,
            directive: None,
            has_brought: false,
            is_over: false,
            doubts: false,
        }
    }

    /// What was asked for is in force.
    fn brought(&mut self) -> Result<(), Trouble> {
        self.has_brought = true;
        if self.directive.is_none() {
            return Ok(());
        }
        self.is_over = true;
        Err(Trouble::network("the server wants the former protocol"))
    }
}

impl Reader for StreamReader<'_> {
    fn begin(&mut self, response: &Response) {
        self.environment_id = request::environment_id(response);
        self.directive = directive_of(response);
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), Trouble> {
        let step = self.assembly.take(event.name, event.data).map_err(|error| {
            let name = String::from_utf8_lossy(event.name);
            Trouble::invalid_data(&format!("the event {name:?} makes no sense: {error}"))
        })?;
        match step {
            Step::Payload(payload) => {
                if super::offer(self.outlet, &payload, self.environment_id.clone()) {
                    return self.brought();
                }
                self.doubts = true;
                Err(Trouble::invalid_data("the server has no flags any more"))
            }
            Step::Unchanged => {
                super::confirm(self.outlet, self.environment_id.clone());
                self.brought()
            }
            Step::Goodbye(goodbye) => {
                self.directive = self.directive.or(directive_of_goodbye(&goodbye));
                // One that brings nothing and leaves again and again is of no use.
                self.is_over = self.has_brought;
                Err(Trouble::network(&format!("the server says goodbye: {}", goodbye.reason())))
            }
            step => {
                super::tell(self.outlet, "stream", &step);
                Ok(())
            }
        }
    }
}
