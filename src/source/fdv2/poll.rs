//! Polling: asks every so often for what has changed since the state that is known here. As an initializer it asks once.

use std::sync::Arc;

use super::protocol::{Assembly, Step, read_poll};
use super::{Given, directive_of, directive_of_goodbye, refuses_basis};
use crate::http::{Requester, Response};
use crate::source::composite::{Directive, Ending, Known, Part};
use crate::source::failure::Trouble;
use crate::source::options::PollOptions;
use crate::source::outlet::Outlet;
use crate::source::payload::Malformed;
use crate::source::poll::{LONGEST_ANSWER, Outcome, complain, new_requester};
use crate::source::request::{self, Interruptible};
use crate::source::retry::{Pace, PollRetry};
use crate::source::sink::{FailureKind, Severity};

pub(super) struct Polling {
    pub options: PollOptions,
    pub pace: Pace,
}

/// Asks once.
pub(super) struct PollOnce(pub Polling);

impl Part for Polling {
    fn name(&self) -> &str {
        "poll"
    }

    fn run(&self, known: &Known, outlet: &Outlet<'_>) -> Ending {
        let mut retry = PollRetry::new(self.options.retry, self.options.interval, self.pace);
        let mut poller = Poller::new(&self.options, outlet, known);
        let control = outlet.control();
        // Lent for this turn: whatever was asked for since is more than none.
        let mut restarts = 0;
        while !control.is_stopped() {
            let result = poller.poll(restarts);
            if let Some(directive) = poller.directive {
                result.unwrap_or_else(|trouble| outlet.interrupted(trouble.failure));
                return Ending::Directed(directive);
            }
            let wanted = control.restarts();
            if control.is_stopped() || wanted != restarts {
                restarts = wanted;
                poller.forget();
                continue;
            }
            let pause = match result {
                Ok(()) => retry.after_success(),
                Err(trouble) if trouble.is_final() => {
                    outlet.off(trouble.failure);
                    return Ending::Over;
                }
                Err(trouble) => {
                    let next = retry.after_failure(trouble.nature, trouble.retry_after);
                    complain(outlet, &trouble, self.options.retry, next.is_engaging);
                    outlet.interrupted(trouble.failure);
                    next.pause
                }
            };
            if !control.sleep(pause, restarts) {
                restarts = control.restarts();
                poller.forget();
            }
        }
        Ending::Over
    }
}

impl Part for PollOnce {
    fn name(&self) -> &str {
        "first poll"
    }

    fn run(&self, known: &Known, outlet: &Outlet<'_>) -> Ending {
        let mut poller = Poller::new(&self.0.options, outlet, known);
        let result = poller.poll(outlet.control().restarts());
        if let Err(trouble) = result
            && !outlet.control().is_stopped()
        {
            outlet.log(Severity::Warn, format_args!("first poll: {}", trouble.failure.message));
            outlet.interrupted(trouble.failure);
        }
        poller.directive.map_or(Ending::Over, Ending::Directed)
    }
}

struct Poller<'a> {
    options: &'a PollOptions,
    outlet: &'a Outlet<'a>,
    known: &'a Known,
    /// Kept from one poll to the next, and its connection with it.
    requester: Option<Requester>,
    /// What the server called its latest answer, and the URL that it answered.
    etag: Option<(String, String)>,
    directive: Option<Directive>,
}

impl<'a> Poller<'a> {
    fn new(options: &'a PollOptions, outlet: &'a Outlet<'a>, known: &'a Known) -> Self {
        Self { options, outlet, known, requester: None, etag: None, directive: None }
    }

    /// Makes the next poll fetch everything over a new connection.
    fn forget(&mut self) {
        self.requester = None;
        self.etag = None;
        self.known.forget();
    }

    /// Asks for what has changed; for everything if what came made no sense or is not believed, or if the server does not
    /// know the state.
    fn poll(&mut self, restarts: u64) -> Result<(), Trouble> {
        loop {
            let given = Given::new(self.known);
            let result = self.ask(&given, restarts);
            let is_over = self.directive.is_some() || self.outlet.control().is_stopped();
            match result {
                Ok(Outcome::Taken) => return Ok(()),
                Ok(Outcome::Doubted) if !is_over => self.forget_data(),
                Ok(Outcome::Doubted) => return Ok(()),
                Err(trouble) if !is_over && refuses_basis(&given, &trouble, self.outlet) => self.forget_data(),
                Err(trouble) => {
                    if trouble.failure.kind == FailureKind::InvalidData {
                        self.forget_data();
                    }
                    return Err(trouble);
                }
            }
        }
    }

    fn forget_data(&mut self) {
        self.etag = None;
        self.known.forget();
    }

    fn ask(&mut self, given: &Given, restarts: u64) -> Result<Outcome, Trouble> {
        let requester = match self.requester.take() {
            Some(requester) => requester,
            None => new_requester(self.options)?,
        };
        let _interruptible = Interruptible::new(self.outlet, restarts, requester.interrupter());
        let url = given.url(&self.options.base, "/sdk/poll");
        let mut headers = vec![("Accept", "application/json"), ("Accept-Encoding", "gzip")];
        let etag = self.etag.take().filter(|(answered, _)| *answered == url);
        if let Some((_, etag)) = &etag {
            headers.push(("If-None-Match", etag));
        }
        let response = requester.get(&url, &headers).map_err(|error| Trouble::unanswered(&url, error))?;
        self.directive = directive_of(&response);
        let environment_id = request::environment_id(&response);
        let outcome = match response.status() {
            200 => self.take(response, given, environment_id, url),
            304 if etag.is_some() => {
                self.etag = etag;
                super::confirm(self.outlet, environment_id);
                Ok(Outcome::Taken)
            }
            _ => Err(Trouble::answer(&response)),
        };
        self.requester = Some(requester);
        outcome
    }

    fn take(
        &mut self,
        response: Response,
        given: &Given,
        environment_id: Option<Arc<str>>,
        url: String,
    ) -> Result<Outcome, Trouble> {
        let etag = request::etag(&response);
        let body = response.read_all(LONGEST_ANSWER).map_err(Trouble::from)?;
        let outcome = self.take_events(&body, given, environment_id).map_err(|error| match error {
            Refused::Malformed(error) => Trouble::invalid_data(&format!("the answer makes no sense: {error}")),
            Refused::Empty => Trouble::invalid_data("the answer holds no whole payload"),
        })?;
        if outcome == Outcome::Taken {
            self.etag = etag.map(|etag| (url, etag));
        }
        Ok(outcome)
    }

    fn take_events(
        &mut self,
        body: &[u8],
        given: &Given,
        environment_id: Option<Arc<str>>,
    ) -> Result<Outcome, Refused> {
        let mut assembly = Assembly::new(given.has_basis());
        let mut has_brought = false;
        for (name, data) in read_poll(body)? {
            match assembly.take(name.as_bytes(), data)? {
                Step::Payload(payload) => {
                    if !super::offer(self.outlet, &payload, environment_id.clone()) {
                        return Ok(Outcome::Doubted);
                    }
                    has_brought = true;
                }
                Step::Unchanged => {
                    super::confirm(self.outlet, environment_id.clone());
                    has_brought = true;
                }
                Step::Goodbye(goodbye) => self.directive = self.directive.or(directive_of_goodbye(&goodbye)),
                step => super::tell(self.outlet, "poll", &step),
            }
        }
        if has_brought || self.directive.is_some() { Ok(Outcome::Taken) } else { Err(Refused::Empty) }
    }
}

/// Why an answer is none.
enum Refused {
    Malformed(Malformed),
    Empty,
}

impl From<Malformed> for Refused {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}
