//! Makes payloads of batches. Depends on `inbox`, `output` and `payload`; what fails is counted in `delivery`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::delivery::Delivery;
use super::host::Host;
use super::inbox::Batch;
use super::options::EventsOptions;
use super::output;
use super::payload::{Content, Payload, packed};
use super::redaction::Redaction;
use crate::model::{Severity, new_id};

/// Writes what was taken.
pub(super) struct Writer<'a> {
    redaction: Redaction,
    gzip: bool,
    delivery: &'a Delivery,
    host: &'a dyn Host,
}

impl<'a> Writer<'a> {
    pub fn new(options: &EventsOptions, delivery: &'a Delivery, host: &'a dyn Host) -> Self {
        Self { redaction: Redaction::new(&options.privacy), gzip: options.gzip, delivery, host }
    }

    /// A batch as it is sent; nothing when it is empty, and when that fails, which is counted.
    pub fn payload(&self, batch: &Batch) -> Option<Payload> {
        if batch.is_empty() {
            return None;
        }
        let write = || output::write(batch, &self.redaction);
        let Ok(written) = catch_unwind(AssertUnwindSafe(write)) else {
            let events = batch.count();
            self.delivery.lose(events);
            self.host.log(Severity::Error, format_args!("{events} events could not be written and are lost"));
            return None;
        };
        (written.elements > 0).then(|| self.wrap(Content::Events, written.elements as u64, written.json))
    }

    /// A payload with this body.
    pub fn wrap(&self, content: Content, events: u64, body: Vec<u8>) -> Payload {
        let packs = self.gzip && content == Content::Events;
        let packed = if packs { packed(&body).ok() } else { None };
        let is_packed = packed.is_some();
        Payload { number: 0, content, id: new_id(), events, body: packed.unwrap_or(body), is_packed, claim: None }
    }
}
