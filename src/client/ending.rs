//! The end of a client: what waits is sent, threads end, whoever waits is woken. May depend on `events` and `store`.

use std::sync::atomic::Ordering::AcqRel;
use std::time::{Duration, Instant};

use super::notifications::Area;
use super::runtime::{Runtime, Voice};
use super::{CLOSED, Client, ClientError, atfork};
use crate::events::Flushed;
use crate::store::{Level, StoreState};

/// How much of the time for closing is left for what could not be sent.
const PUTTING_AWAY: Duration = Duration::from_millis(200);
/// How long events are sent of a client that nobody holds any more.
const AFTER_RELEASE: Duration = Duration::from_secs(2);

impl Client {
    /// Sends the events that are queued, ends the threads and wakes all who wait. False when a thread was still busy after
    /// `timeout`; it is left behind and ends by itself. Evaluation goes on answering from what is held.
    pub fn close(&self, timeout: Duration) -> bool {
        let first = self.stage.swap(CLOSED, AcqRel) != CLOSED;
        let runtime = self.current();
        let began = Instant::now();
        if first {
            // All who wait are woken before the threads are waited for: those may hang in Redis or in a name lookup.
            self.stop(&runtime, timeout.saturating_sub(PUTTING_AWAY.min(timeout / 4)));
            let (shared, feed) = (&self.plant.shared, self.plant.feed());
            shared.health.set_available(false);
            shared.set_state(StoreState::Off);
            if let Some(feed) = feed {
                feed.change(StoreState::Off, None);
                shared.set_source_valid(false);
            }
            Voice { runtime: &runtime, shared, feed }.tell_status("closed");
            // What becomes of the last events is to be told.
            runtime.delivery.wait_over(timeout);
            runtime.notifications.close();
        }
        runtime.wait_ended(timeout.saturating_sub(began.elapsed()))
    }

    /// Tells the threads of this process to end; events are sent for this long.
    pub(super) fn stop(&self, runtime: &Runtime, sending: Duration) {
        if let (Some(_), Some(recorder), Some(inbox)) = (&self.plant.events, &self.plant.recorder, &runtime.inbox) {
            let lost = runtime.delivery.close(inbox, recorder, sending);
            if lost > 0 {
                runtime.log(
                    Area::Events,
                    Level::Warn,
                    format_args!("closed before it was started: {lost} events are lost"),
                );
            }
        }
        runtime.stop();
    }

    /// Sends the events that wait and says what became of them, at most after `timeout`; with a zero timeout, which may be
    /// given as often as one likes, whether that is known already.
    pub fn flush(&self, timeout: Duration) -> Result<Flushed, ClientError> {
        if self.is_closed() {
            return Err(ClientError::Closed);
        }
        if self.plant.events.is_none() {
            return Ok(Flushed::Delivered);
        }
        Ok(self.current().delivery.flush(timeout))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let runtime = self.runtime.load_full();
        if runtime.stamp == atfork::generation() {
            // Never blocks: the threads end by themselves.
            self.stop(&runtime, AFTER_RELEASE);
        } else {
            std::mem::forget(runtime);
        }
    }
}
