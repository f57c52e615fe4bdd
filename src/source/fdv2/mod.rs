//! FDv2, LaunchDarkly's present protocol: a server is told which state is known here, and sends what has changed since.
//!
//! | Module | Is |
//! |---|---|
//! | `protocol` | what events mean; no I/O |
//! | `stream`, `poll` | the sources that speak it; which of them does is for the composite to say |
//!
//! The name of the state lives no longer than the source runs. The next process asks for everything: until its source has
//! delivered, memory holds what others wrote to Redis, or an older file, and of neither the server knows what it lacks.

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod poll;
mod protocol;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use super::composite::{Composite, Directive, Ending, Known, Part, Times};
use super::failure::Trouble;
use super::options::{Fdv2Options, PollOptions, Synchronizer};
use super::outlet::Outlet;
use super::request;
use super::retry::Pace;
use super::sink::{FailureKind, Severity};
use crate::http::{Response, join};
use crate::model::{Basis, ChangeKind, ChangeSet, Selector};
use poll::{PollOnce, Polling};
use protocol::{Goodbye, Payload, Step};
use stream::Streaming;

/// How long the former protocol is spoken if the server says nothing about it.
const FORMER_FOR: Duration = Duration::from_secs(3600);

/// Runs until stopped, or until the server refuses everything for good.
pub(super) fn run(options: &Fdv2Options, pace: Pace, outlet: &Outlet<'_>) {
    request::check_sdk_key(&options.http, outlet);
    let polling = |options: &PollOptions| Polling { options: options.clone(), pace };
    let composite = Composite {
        initializers: options.initializers.iter().map(|of| Box::new(PollOnce(polling(of))) as Box<dyn Part>).collect(),
        synchronizers: options
            .synchronizers
            .iter()
            .map(|of| match of {
                Synchronizer::Stream(of) => Box::new(Streaming { options: of.clone(), pace }) as Box<dyn Part>,
                Synchronizer::Poll(of) => Box::new(polling(of)),
            })
            .collect(),
        fallback: options.fallback.clone().map(|of| Box::new(Former { options: of, pace }) as Box<dyn Part>),
        times: Times {
            fallback_after: options.fallback_after,
            recover_after: options.recover_after,
            first_data: options.first_data,
        },
        retry: options.retry,
        pace,
    };
    composite.run(outlet);
}

/// Polls as the former protocol has it.
struct Former {
    options: PollOptions,
    pace: Pace,
}

impl Part for Former {
    fn name(&self) -> &str {
        "FDv1 poll"
    }

    fn run(&self, _: &Known, outlet: &Outlet<'_>) -> Ending {
        super::poll::run(&self.options, self.pace, outlet);
        Ending::Over
    }
}

/// What the server is told of when it is asked.
struct Given(Option<Selector>);

impl Given {
    fn new(known: &Known) -> Self {
        Self(known.selector())
    }

    fn has_basis(&self) -> bool {
        self.0.is_some()
    }

    fn url(&self, base: &str, path: &str) -> String {
        match &self.0 {
            Some(selector) => join(base, path, &[("basis", &selector.state)]),
            None => join(base, path, &[]),
        }
    }
}

/// Whether a server refuses the state that it was told of rather than the request: it is asked for everything then. Tells of it.
fn refuses_basis(given: &Given, trouble: &Trouble, outlet: &Outlet<'_>) -> bool {
    let status = trouble.failure.status;
    let is_refused = given.has_basis()
        && trouble.failure.kind == FailureKind::ErrorResponse
        // Of these the state is not the reason.
        && (400..500).contains(&status)
        && !matches!(status, 401 | 403 | 405 | 408 | 429);
    if is_refused {
        outlet.log(
            Severity::Warn,
            format_args!(
                "the server answered with status {status} to the state that is known here; it is asked for everything"
            ),
        );
    }
    is_refused
}

/// What the head of an answer says of the former protocol.
fn directive_of(response: &Response) -> Option<Directive> {
    let is_wanted = response.header("X-LD-FD-Fallback").is_some_and(|word| word.trim().eq_ignore_ascii_case("true"));
    is_wanted.then(|| read_directive(response.header("X-LD-FD-Fallback-TTL")))
}

fn read_directive(seconds: Option<&str>) -> Directive {
    let stated = seconds.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
    directive(stated.unwrap_or(FORMER_FOR))
}

fn directive_of_goodbye(goodbye: &Goodbye) -> Option<Directive> {
    goodbye.fallback().map(directive)
}

/// No time at all is for good.
fn directive(time: Duration) -> Directive {
    Directive { lasts: Some(time).filter(|time| !time.is_zero()) }
}

/// Hands over a payload. False where it is to be asked for once more.
fn offer(outlet: &Outlet<'_>, payload: &Payload, environment_id: Option<Arc<str>>) -> bool {
    let basis = Basis::Sequence;
    let selector = payload.selector.clone();
    outlet.offer(ChangeSet { basis, selector, environment_id, ..ChangeSet::new(payload.kind, payload.items()) })
}

/// Nothing has changed.
fn confirm(outlet: &Outlet<'_>, environment_id: Option<Arc<str>>) {
    outlet.apply(ChangeSet { environment_id, ..ChangeSet::new(ChangeKind::None, Vec::new()) });
}

/// Tells of what has no consequence.
fn tell(outlet: &Outlet<'_>, name: &str, step: &Step) {
    match step {
        Step::Ignored(what) => outlet.log(Severity::Debug, format_args!("{name}: {what} is ignored")),
        Step::Dropped(reason) => {
            outlet.log(Severity::Warn, format_args!("{name}: the server takes back what it was sending: {reason}"));
        }
        Step::Nameless => outlet.log(Severity::Error, format_args!("{name}: an object has a key that is no text")),
        Step::More | Step::Payload(_) | Step::Unchanged | Step::Goodbye(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_former_protocol_is_spoken_for_an_hour_if_nothing_is_said_and_for_good_if_zero_is() {
        let lasts = |seconds: Option<&str>| read_directive(seconds).lasts;
        assert_eq!(lasts(None), Some(FORMER_FOR));
        assert_eq!(lasts(Some("soon")), Some(FORMER_FOR));
        assert_eq!(lasts(Some("-1")), Some(FORMER_FOR));
        assert_eq!(lasts(Some(" 90 ")), Some(Duration::from_secs(90)));
        assert_eq!(lasts(Some("0")), None);
    }
}
