//! What a host tells of itself: who somebody is, and that something happened. May depend on `events`, `context`, `model`.

use super::Client;
use crate::context::Context;
use crate::model::checked_json;

/// Why something was not taken. Nothing is told then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrackError {
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
    /// Not JSON, or nested too deep.
    #[error("data_json is not JSON, or is nested deeper than 127 levels")]
    Data,
    /// No finite number.
    #[error("metric is no finite number")]
    Metric,
}

impl Client {
    /// Tells who somebody is, whether or not flags are evaluated for them. Nothing is sent before the next flush; nothing at all
    /// without events.
    pub fn identify(&self, context: &Context) -> Result<(), TrackError> {
        if self.is_closed() {
            return Err(TrackError::Closed);
        }
        self.tell_events(|recorder, inbox| inbox.identify(recorder, context));
        Ok(())
    }

    /// Tells that `key` happened to somebody, with any JSON `data` and a `metric` to measure it by. Checked also without events.
    pub fn track(
        &self,
        key: &str,
        context: &Context,
        data: Option<&str>,
        metric: Option<f64>,
    ) -> Result<(), TrackError> {
        if self.is_closed() {
            return Err(TrackError::Closed);
        }
        if metric.is_some_and(|metric| !metric.is_finite()) {
            return Err(TrackError::Metric);
        }
        let data = match data {
            Some(data) => Some(checked_json(data).ok_or(TrackError::Data)?).filter(|data| &**data != "null"),
            None => None,
        };
        self.tell_events(|recorder, inbox| inbox.custom(recorder, context, key, data, metric));
        Ok(())
    }
}
