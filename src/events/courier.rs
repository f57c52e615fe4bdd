//! A sender: takes one payload after another, sends it, tries once more, and says what became of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::delivery::{Delivery, Fate};
use super::host::Host;
use super::inbox::Inbox;
use super::options::EventsOptions;
use super::payload::{Content, Payload};
use crate::http::{HttpError, Patience, RequestError, Requester, Response, join, shown};
use crate::model::Severity;

/// Pause before a payload is sent once more.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What of an answer is read so that its connection serves again.
const LONGEST_ANSWER: u64 = 64 << 10;
/// So many times the longest silence may an answer take in all.
const PATIENCE: u32 = 4;

/// Sends what the events thread has written, until there has been nothing for a while or delivery is over.
pub fn send(options: &EventsOptions, inbox: &Inbox, delivery: &Delivery, host: &dyn Host) {
    let mut courier = Courier { options, inbox, delivery, host, requester: None };
    while let Some(payload) = delivery.next() {
        let hand = Hand { delivery, host, payload: &payload };
        if let Some(fate) = courier.deliver(&payload) {
            delivery.settle(host, &payload, fate);
        }
        drop(hand);
    }
}

/// Whatever happens, a payload does not stay in the hands of a sender that has let go of it.
struct Hand<'a> {
    delivery: &'a Delivery,
    host: &'a dyn Host,
    payload: &'a Arc<Payload>,
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.delivery.settle(self.host, self.payload, Fate::Lost);
        }
    }
}

struct Courier<'a> {
    options: &'a EventsOptions,
    inbox: &'a Inbox,
    delivery: &'a Delivery,
    host: &'a dyn Host,
    /// Kept from one payload to the next, and its connection with it.
    requester: Option<Requester>,
}

/// Why a payload was not taken.
enum Refusal {
    /// It may be taken another time; the server asks for this pause.
    Passing(Reason, Option<Duration>),
    /// This payload alone is refused.
    TooLarge,
    /// Every other one would be refused as well.
    Lasting(u16),
    /// Nothing is sent any more.
    Interrupted,
}

enum Reason {
    Status(u16),
    Request(RequestError),
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Status(status) => write!(formatter, "status {status}"),
            Reason::Request(error) => error.fmt(formatter),
        }
    }
}

impl Courier<'_> {
    /// What became of it; `None` when whoever ends delivery sees to it.
    fn deliver(&mut self, payload: &Payload) -> Option<Fate> {
        if self.delivery.is_off() {
            return Some(self.keep(payload));
        }
        let mut is_repeated = false;
        loop {
            match self.attempt(payload) {
                Ok(()) => return Some(self.delivered(payload)),
                Err(Refusal::Interrupted) => return None,
                Err(Refusal::TooLarge) => return Some(self.too_large(payload)),
                Err(Refusal::Lasting(status)) => return Some(self.refused(payload, status)),
                Err(Refusal::Passing(reason, pause)) => {
                    self.failed(payload, &reason);
                    let pause = pause.unwrap_or_default().clamp(PAUSE, LONGEST_PAUSE);
                    if is_repeated {
                        return Some(self.keep(payload));
                    }
                    if !self.delivery.pause(pause) {
                        // At the end somebody else sees to it; where everything is refused, nobody does.
                        return self.delivery.is_off().then(|| self.keep(payload));
                    }
                    is_repeated = true;
                }
            }
        }
    }

    fn attempt(&mut self, payload: &Payload) -> Result<(), Refusal> {
        let requester = match self.requester.take() {
            Some(requester) => requester,
            None => self.new_requester().map_err(passing)?,
        };
        if !self.delivery.may_request(requester.interrupter()) {
            return Err(Refusal::Interrupted);
        }
        let url = join(&self.options.base, payload.path(), &[]);
        let outcome = requester.post(&url, &payload.headers(), &payload.body);
        self.requester = Some(requester);
        match outcome {
            Ok(response) => self.judge(response),
            Err(RequestError::Interrupted) => Err(Refusal::Interrupted),
            Err(error) => Err(passing(error)),
        }
    }

    fn new_requester(&self) -> Result<Requester, RequestError> {
        let silence = self.options.http.read_timeout;
        let patience = Patience { silence, whole: Some(silence.saturating_mul(PATIENCE)) };
        Requester::new(&self.options.http, patience).map_err(|error: HttpError| RequestError::from(error))
    }

    fn judge(&self, response: Response) -> Result<(), Refusal> {
        if let Some(at) = response.date_ms() {
            self.inbox.note_server_time(at);
        }
        let (status, pause) = (response.status(), response.retry_after());
        response.finish(LONGEST_ANSWER);
        match status {
            200..=299 => Ok(()),
            413 => Err(Refusal::TooLarge),
            400 | 408 | 429 => Err(Refusal::Passing(Reason::Status(status), pause)),
            401..=499 => Err(Refusal::Lasting(status)),
            _ => Err(Refusal::Passing(Reason::Status(status), pause)),
        }
    }

    fn address(&self, payload: &Payload) -> String {
        shown(&join(&self.options.base, payload.path(), &[]))
    }

    fn delivered(&self, payload: &Payload) -> Fate {
        if let Some(claim) = &payload.claim {
            claim.remove();
        }
        Fate::Delivered
    }

    fn failed(&self, payload: &Payload, reason: &Reason) {
        match payload.content {
            Content::Events => self.delivery.note_failure(self.host, &self.address(payload), reason),
            Content::Diagnostic => self.diagnostic_failed(reason),
        }
    }

    fn diagnostic_failed(&self, reason: &Reason) {
        self.host.log(Severity::Debug, format_args!("a diagnostic event could not be delivered: {reason}"));
    }

    fn too_large(&self, payload: &Payload) -> Fate {
        if payload.content == Content::Events {
            self.delivery.note_failure(self.host, &self.address(payload), &Reason::Status(413));
        }
        if let Some(claim) = &payload.claim {
            claim.remove();
        }
        Fate::Lost
    }

    fn refused(&self, payload: &Payload, status: u16) -> Fate {
        if payload.content == Content::Diagnostic {
            self.diagnostic_failed(&Reason::Status(status));
            return Fate::Lost;
        }
        self.inbox.shut();
        self.delivery.turn_off(self.host, &self.address(payload), &Reason::Status(status));
        if matches!(status, 401 | 403) {
            // Another key, or another day, may be more welcome.
            return self.keep(payload);
        }
        if let Some(claim) = &payload.claim {
            claim.remove();
        }
        Fate::Lost
    }

    fn keep(&self, payload: &Payload) -> Fate {
        self.delivery.keep(self.host, payload)
    }
}

fn passing(error: RequestError) -> Refusal {
    Refusal::Passing(Reason::Request(error), None)
}
