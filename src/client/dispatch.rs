//! Delivery of events as a guest of the client's threads. May depend on `events`.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::feed::level;
use super::notifications::Area;
use super::plant::Plant;
use super::runtime::Runtime;
use crate::events;
use crate::model::Severity;

/// What delivery of events needs of the client.
pub(super) struct Dispatch<'a> {
    pub(super) runtime: &'a Arc<Runtime>,
    pub(super) plant: &'a Plant,
}

impl events::Host for Dispatch<'_> {
    fn log(&self, severity: Severity, message: fmt::Arguments<'_>) {
        self.runtime.log(Area::Events, level(severity), message);
    }

    fn start_sender(&self) -> io::Result<()> {
        let runtime = self.runtime.clone();
        self.runtime.spawn_until("flagstone-send", self.plant, Runtime::is_delivered, move |_, plant| {
            if !runtime.is_delivered()
                && let (Some(options), Some(recorder), Some(inbox)) = (&plant.events, &plant.recorder, &runtime.inbox)
            {
                let host = Dispatch { runtime: &runtime, plant };
                events::send(options, recorder, inbox, &runtime.delivery, &host);
            }
        })
    }
}
