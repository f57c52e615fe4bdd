//! What a host tells: who somebody is, and that something happened.

use std::ffi::c_char;

use super::client::with_client;
use super::error::{Failure, finish, status};
use super::{
    borrow, client_panicked, flagstone_client, flagstone_context, flagstone_error, flagstone_status, guard, text,
};
use crate::client::TrackError;
use crate::context::Context;

impl From<TrackError> for Failure {
    fn from(error: TrackError) -> Self {
        let status = match error {
            TrackError::Closed => status::CLOSED,
            TrackError::Data => status::BAD_JSON,
            TrackError::Metric => status::INVALID_ARGUMENT,
        };
        Self::new(status, error.to_string())
    }
}

/// Tells LaunchDarkly who somebody is, whether or not flags are evaluated for them: evaluations tell it by themselves.
///
/// Queued, at most `events.capacity`, and sent with the next flush; no I/O here. Without events nothing happens. OK,
/// NULL_ARGUMENT, INVALID_ARGUMENT (a handle of another type), CLOSED. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_identify(
    client: *mut flagstone_client,
    context: *const flagstone_context,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let outcome = with_client(client, |client| {
            // SAFETY: NULL or live, by the rules of the header.
            let context = unsafe { live(context) }?;
            Ok(client.identify(context)?)
        });
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}

/// Tells LaunchDarkly that `name` happened to somebody, for example as the metric of an experiment.
///
/// `metric`: a number to measure it by, or NULL; finite. `data_json`: any JSON about it, nested at most 127 deep; with `data_json_len`
/// 0 there is none. All is borrowed for the call. Queued as by `flagstone_identify`. OK; BAD_JSON, INVALID_ARGUMENT (metric, a
/// handle of another type), BAD_UTF8, NULL_ARGUMENT, CLOSED: nothing is told then. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_track(
    client: *mut flagstone_client,
    context: *const flagstone_context,
    name: *const c_char,
    name_len: usize,
    metric: *const f64,
    data_json: *const c_char,
    data_json_len: usize,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let outcome = with_client(client, |client| {
            // SAFETY: NULL or live, by the rules of the header.
            let context = unsafe { live(context) }?;
            // SAFETY: readable by the rules of the header.
            let name = unsafe { text(name, name_len) }.map_err(|error| Failure::text("name", &error))?;
            // SAFETY: readable by the rules of the header.
            let data = unsafe { text(data_json, data_json_len) }.map_err(|error| Failure::text("data_json", &error))?;
            // SAFETY: NULL or readable, by the rules of the header.
            let metric = unsafe { metric.as_ref() }.copied();
            Ok(client.track(name, context, (!data.is_empty()).then_some(data), metric)?)
        });
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}

/// # Safety
/// `context` is NULL or a live handle, alive for `'a`.
unsafe fn live<'a>(context: *const flagstone_context) -> Result<&'a Context, Failure> {
    // SAFETY: the caller's promise.
    unsafe { borrow(context) }.ok_or_else(|| Failure::handle("context", context))
}
