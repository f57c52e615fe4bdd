//! The streaming source: one long answer in which the server sends everything, and then each change as it happens.
//!
//! After any failure the connection is dropped and made again, which brings everything anew; so nothing that was missed
//! stays missing.

use std::sync::Arc;

use super::channel::{Channel, Reader, complain};
use super::control::Control;
use super::failure::Trouble;
use super::options::{RetryMode, StreamOptions};
use super::outlet::Outlet;
use super::payload::{Message, read_event};
use super::request;
use super::retry::{Pace, StreamRetry};
use super::sink::Severity;
use super::sse::Event;
use crate::http::Response;
use crate::model::{ChangeKind, ChangeSet};

/// Reads the stream until stopped, or until the server refuses for good.
pub(super) fn run(options: &StreamOptions, pace: Pace, outlet: &Outlet<'_>) {
    request::check_sdk_key(&options.http, outlet);
    let url = request::url(&options.base, "/all", options.filter.as_deref(), outlet);
    let mut retry = StreamRetry::new(options.retry, options.initial_delay, pace);
    let control = outlet.control();
    while !control.is_stopped() {
        let restarts = control.restarts();
        let mut reader = StreamReader { outlet, environment_id: None, doubts: false };
        let mut channel = Channel::new(outlet);
        let trouble = channel.run(options, &url, restarts, &mut reader);
        if reader.doubts || is_interrupted(control, restarts) {
            continue;
        }
        if let Some(first) = channel.take_retry() {
            retry.set_first(first);
        }
        if options.retry == RetryMode::Legacy && trouble.is_final() {
            outlet.log(Severity::Error, format_args!("the stream is given up: {}", trouble.failure.message));
            return outlet.off(trouble.failure);
        }
        let next = retry.after(trouble.nature, channel.lasted(), trouble.retry_after);
        complain(outlet, &trouble, options.retry, next);
        outlet.interrupted(trouble.failure);
        control.sleep(next.pause, restarts);
    }
}

fn is_interrupted(control: &Control, restarts: u64) -> bool {
    control.is_stopped() || control.restarts() != restarts
}

/// Reads one connection, and keeps what came of it.
struct StreamReader<'a> {
    outlet: &'a Outlet<'a>,
    environment_id: Option<Arc<str>>,
    /// It was ended because what it brought is asked for once more.
    doubts: bool,
}

impl Reader for StreamReader<'_> {
    fn begin(&mut self, response: &Response) {
        self.environment_id = request::environment_id(response);
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), Trouble> {
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
        if self.outlet.offer(ChangeSet { environment_id, ..ChangeSet::new(kind, items) }) {
            return Ok(());
        }
        self.doubts = true;
        Err(Trouble::invalid_data("the server has no flags any more"))
    }
}
