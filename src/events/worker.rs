//! The events thread: takes what waits at each flush, writes it, and hands it to senders. It never waits for the network.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::delivery::{Delivery, Order};
use super::diagnostics::Diagnostics;
use super::host::Host;
use super::inbox::{Batch, Inbox};
use super::options::EventsOptions;
use super::payload::Content;
use super::recorder::Recorder;
use super::spool::Pace;
use super::writer::Writer;
use crate::model::Severity;

/// Far enough.
const LONG: Duration = Duration::from_secs(3600);

/// Runs until the client is closed and everything is sent or put away.
pub fn run(options: &EventsOptions, recorder: &Recorder, inbox: &Inbox, delivery: &Delivery, host: &dyn Host) {
    let writer = Writer::new(options, delivery, host);
    Worker { options, writer, recorder, inbox, delivery, host }.run();
}

struct Worker<'a> {
    options: &'a EventsOptions,
    writer: Writer<'a>,
    recorder: &'a Recorder,
    inbox: &'a Inbox,
    delivery: &'a Delivery,
    host: &'a dyn Host,
}

impl Worker<'_> {
    fn run(&self) {
        let mut diagnostics = self.options.diagnostics.as_ref().map(|options| Diagnostics::new(options, self.options));
        let mut drops = Drops { seen: self.inbox.dropped(), is_told: false };
        let mut pace = Pace::new();
        let mut flush_at = after(self.options.flush_interval);
        loop {
            let tend_at = self.tend_at(diagnostics.as_ref(), &pace);
            match self.delivery.order(flush_at, tend_at) {
                Order::Close(until) => return self.close(until),
                Order::Flush(asked) => {
                    flush_at = after(self.options.flush_interval);
                    let batch = self.inbox.take(self.recorder);
                    drops.look(self.inbox.dropped(), self.options.capacity, self.host);
                    drops.flushed(&batch);
                    if let Some(diagnostics) = &mut diagnostics {
                        diagnostics.note(&batch);
                    }
                    self.hand_over(asked, batch);
                }
                Order::Follow => pace.hurry(),
                Order::Tend => drops.look(self.inbox.dropped(), self.options.capacity, self.host),
            }
            if self.delivery.is_off() {
                continue;
            }
            if let Some(diagnostics) = &mut diagnostics {
                self.diagnose(diagnostics);
            }
            pace.look(self.delivery.is_failing());
            self.send_kept(&mut pace);
        }
    }

    /// When there is something to see to beside flushes.
    fn tend_at(&self, diagnostics: Option<&Diagnostics<'_>>, pace: &Pace) -> Instant {
        let at = after(self.options.flush_interval.min(LONG));
        if self.delivery.is_off() {
            return at;
        }
        let diagnostic = diagnostics.map_or(at, Diagnostics::due);
        at.min(diagnostic).min(if self.delivery.spool.is_some() { pace.due() } else { at })
    }

    /// Writes a batch and gives it to the senders.
    fn hand_over(&self, asked: u64, batch: Batch) {
        self.delivery.hand_over(asked, self.writer.payload(&batch));
        self.start_senders();
    }

    fn start_senders(&self) {
        while self.delivery.wants_sender() {
            if let Err(error) = self.host.start_sender() {
                self.delivery.no_sender();
                self.host.log(Severity::Error, format_args!("cannot start a thread that sends events: {error}"));
                return;
            }
        }
    }

    fn diagnose(&self, diagnostics: &mut Diagnostics) {
        if diagnostics.due() > Instant::now() {
            return;
        }
        if self.delivery.is_sending(|payload| payload.content == Content::Diagnostic) {
            return diagnostics.postpone();
        }
        let event = diagnostics.next(|| self.delivery.take_stream_starts());
        self.delivery.send_too(self.writer.wrap(Content::Diagnostic, 0, event));
        self.start_senders();
    }

    /// Sends what is in the spool, one payload at a time.
    fn send_kept(&self, pace: &mut Pace) {
        let Some(spool) = self.delivery.spool.as_ref().filter(|_| pace.due() <= Instant::now()) else { return };
        let is_free = !self.delivery.is_sending(|payload| payload.claim.is_some());
        let kept = if is_free { spool.oldest(self.host) } else { None };
        pace.step(kept.is_some() || !is_free, spool.counts().0 > 0, self.delivery.is_failing());
        if let Some(payload) = kept {
            self.delivery.send_too(payload);
            self.start_senders();
        }
    }

    /// Sends what is left up to this moment, and puts away the rest.
    fn close(&self, until: Instant) {
        if let Some(batch) = self.delivery.take_last() {
            self.hand_over(u64::MAX, batch);
        }
        let left = self.delivery.expire(until);
        self.delivery.put_away(self.host, &left.iter().map(Arc::as_ref).collect::<Vec<_>>());
        self.delivery.end();
    }
}

fn after(time: Duration) -> Instant {
    Instant::now() + time
}

/// Events that did not fit, told once until a flush finds that all did.
struct Drops {
    seen: u64,
    is_told: bool,
}

impl Drops {
    fn look(&mut self, dropped: u64, capacity: usize, host: &dyn Host) {
        let new = dropped - self.seen;
        self.seen = dropped;
        if new > 0 && !std::mem::replace(&mut self.is_told, true) {
            let line = format_args!(
                "{new} events were dropped: more wait for one flush than events.capacity ({capacity}), 64 MB or 10000 unknown \
                 flags allow; more may be"
            );
            host.log(Severity::Warn, line);
        }
    }

    fn flushed(&mut self, batch: &Batch) {
        self.is_told &= batch.dropped > 0;
    }
}
