//! A sender: takes one payload after another, sends it, tries once more, and says what became of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::delivery::{Delivery, Fate};
use super::host::Host;
use super::inbox::{Batch, Inbox};
use super::options::EventsOptions;
use super::payload::{Content, Payload};
use super::recorder::Recorder;
use super::writer::Writer;
use crate::http::{HttpError, Patience, RequestError, Requester, Response, join, shown};
use crate::model::Severity;

/// Pause before a payload is sent once more.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What of an answer is read so that its connection serves again.
const LONGEST_ANSWER: u64 = 64 << 10;
/// For so long: a payload may be waiting already.
const LONGEST_READING: Duration = Duration::from_secs(1);

/// Sends what the events thread has written, until there has been nothing for a while or delivery is over.
pub fn send(options: &EventsOptions, recorder: &Recorder, inbox: &Inbox, delivery: &Delivery, host: &dyn Host) {
    let mut courier = Courier { options, recorder, inbox, delivery, host, requester: None };
    while let Some(payload) = delivery.next() {
        let hand = Hand { delivery, host, payload: &payload };
        courier.deliver(&payload);
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
    recorder: &'a Recorder,
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
    fn deliver(&mut self, payload: &Arc<Payload>) {
        match self.outcome(payload) {
            Ok(response) => {
                self.remove(payload);
                self.settle(payload, Fate::Delivered);
                // Whoever waits need not wait for the rest, too.
                response.finish(LONGEST_ANSWER);
            }
            Err(Some(fate)) => self.settle(payload, fate),
            Err(None) => {}
        }
    }

    fn settle(&self, payload: &Arc<Payload>, fate: Fate) {
        self.delivery.settle(self.host, payload, fate);
    }

    /// The answer of a server that took it, or what became of it; nothing when whoever ends delivery sees to it.
    fn outcome(&mut self, payload: &Payload) -> Result<Response, Option<Fate>> {
        if self.delivery.is_off() {
            return Err(Some(self.keep(payload)));
        }
        let mut is_repeated = false;
        loop {
            let refusal = match self.attempt(payload) {
                Ok(response) => return Ok(response),
                Err(refusal) => refusal,
            };
            match refusal {
                Refusal::Interrupted => return Err(None),
                Refusal::TooLarge => return Err(Some(self.too_large(payload))),
                Refusal::Lasting(status) => return Err(Some(self.refused(payload, status))),
                Refusal::Passing(reason, pause) => {
                    self.failed(payload, &reason);
                    let pause = pause.unwrap_or_default().clamp(PAUSE, LONGEST_PAUSE);
                    if is_repeated {
                        return Err(Some(self.given_up(payload, &reason)));
                    }
                    if !self.delivery.pause(pause) {
                        // At the end somebody else sees to it; where everything is refused, nobody does.
                        return Err(self.delivery.is_off().then(|| self.keep(payload)));
                    }
                    is_repeated = true;
                }
            }
        }
    }

    fn attempt(&mut self, payload: &Payload) -> Result<Response, Refusal> {
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
        let patience = Patience { silence: self.options.http.read_timeout, whole: Some(LONGEST_READING) };
        Requester::new(&self.options.http, patience).map_err(|error: HttpError| RequestError::from(error))
    }

    fn judge(&self, response: Response) -> Result<Response, Refusal> {
        if let Some(at) = response.date_ms() {
            self.inbox.note_server_time(at);
        }
        let (status, pause) = (response.status(), response.retry_after());
        if matches!(status, 200..=299) {
            return Ok(response);
        }
        response.finish(LONGEST_ANSWER);
        match status {
            413 => Err(Refusal::TooLarge),
            400 | 408 | 429 => Err(Refusal::Passing(Reason::Status(status), pause)),
            401..=499 => Err(Refusal::Lasting(status)),
            _ => Err(Refusal::Passing(Reason::Status(status), pause)),
        }
    }

    fn address(&self, payload: &Payload) -> String {
        shown(&join(&self.options.base, payload.path(), &[]))
    }

    /// It is done with.
    fn remove(&self, payload: &Payload) {
        if let Some(spool) = &self.delivery.spool {
            spool.remove(self.host, payload);
        }
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
        self.remove(payload);
        Fate::Lost
    }

    fn refused(&self, payload: &Payload, status: u16) -> Fate {
        if payload.content == Content::Diagnostic {
            self.diagnostic_failed(&Reason::Status(status));
            return Fate::Lost;
        }
        let waiting = self.inbox.shut(self.recorder);
        // Another key, another address or another day may be more welcome.
        let (fate, lost) = if matches!(status, 401 | 403 | 404 | 405 | 407) {
            (self.keep(payload), self.keep_waiting(&waiting))
        } else {
            self.remove(payload);
            (Fate::Lost, waiting.count())
        };
        self.delivery.turn_off(self.host, &self.address(payload), &Reason::Status(status), lost);
        fate
    }

    /// The number of events that are lost.
    fn keep_waiting(&self, waiting: &Batch) -> u64 {
        if self.delivery.spool.is_none() {
            return waiting.count();
        }
        let payload = Writer::new(self.options, self.delivery, self.host).payload(waiting);
        payload.map_or(0, |payload| self.delivery.keep_waiting(self.host, &payload))
    }

    /// What the server has called bad twice, and is in the spool already, it would call bad for ever.
    fn given_up(&self, payload: &Payload, reason: &Reason) -> Fate {
        match (reason, &self.delivery.spool, &payload.claim) {
            (Reason::Status(400), Some(spool), Some(claim)) => {
                spool.set_aside(self.host, claim.path(), "the server refuses it: status 400");
                Fate::Lost
            }
            _ => self.keep(payload),
        }
    }

    fn keep(&self, payload: &Payload) -> Fate {
        self.delivery.keep(self.host, payload)
    }
}

fn passing(error: RequestError) -> Refusal {
    Refusal::Passing(Reason::Request(error), None)
}
