//! Evaluation by key: values with their reasons.

use std::ffi::c_char;

use super::client::handle_status;
use super::default::default_at;
use super::detail::SMALLEST;
use super::error::status;
use super::variation::asker;
use super::{
    TextError, borrow, client_panicked, flagstone_client, flagstone_context, flagstone_default, flagstone_detail,
    flagstone_status, guard, raw, stated_size, text,
};
use crate::client::{Ask, DefaultValue, Wanted};
use crate::eval::ErrorKind;

/// Value of a flag of any type, with reason.
///
/// `want_type`: a `FLAGSTONE_TYPE_…`; a value of another type gives ERROR/WRONG_TYPE. NONE takes any type as it is; JSON takes any
/// type and gives its JSON text. `default_json` is your default as JSON text, which only events look at; it may be empty. Whenever
/// there is no value the bit `FLAGSTONE_DETAIL_DEFAULTED` is set: use your default.
///
/// OK also when the evaluation ends in ERROR: the reason is in `*out`. NULL_ARGUMENT, BAD_UTF8 (key) and INVALID_ARGUMENT
/// (want_type, a handle of another type) write `*out` as well, as ERROR/USER_NOT_SPECIFIED for a NULL context, else as
/// ERROR/EXCEPTION. INVALID_ARGUMENT without anything written when `out->struct_size` is too small. `*out` is to be given
/// back with `flagstone_detail_clear`. Cost and threads as for `flagstone_bool_variation`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_variation(
    client: *const flagstone_client,
    context: *const flagstone_context,
    key: *const c_char,
    key_len: usize,
    want_type: i32,
    default_json: *const c_char,
    default_json_len: usize,
    out: *mut flagstone_detail,
) -> flagstone_status {
    guard!(count client_panicked(client); detail_panicked(out), {
        // SAFETY: NULL or valid, by the rules of the header.
        let out = match unsafe { usable(out) } {
            Ok(out) => out,
            Err(status) => return status,
        };
        // SAFETY: readable by the rules of the header.
        let key = unsafe { text(key, key_len) };
        let default = match default_json_len {
            0 => DefaultValue::None,
            // SAFETY: readable by the rules of the header.
            len => unsafe { raw(default_json, len) }.map_or(DefaultValue::None, DefaultValue::Json),
        };
        let ask = Wanted::try_from(want_type).map(|wanted| Ask::detail(wanted, default));
        // SAFETY: live by the rules of the header.
        unsafe { evaluate_into(client, context, key, ask, out) }
    })
}

/// Bit of the options of `flagstone_variation_or`: you hand the reason on, so events tell it as well.
pub const FLAGSTONE_ASK_REASON: u32 = 1;

/// As `flagstone_variation`, with a default that is no JSON text, and with events that tell the reason only if you hand it on.
///
/// `default_value` may be NULL: null. `options`: `FLAGSTONE_ASK_REASON` or 0; unknown bits are ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_variation_or(
    client: *const flagstone_client,
    context: *const flagstone_context,
    key: *const c_char,
    key_len: usize,
    want_type: i32,
    default_value: *const flagstone_default,
    options: u32,
    out: *mut flagstone_detail,
) -> flagstone_status {
    guard!(count client_panicked(client); detail_panicked(out), {
        // SAFETY: NULL or valid, by the rules of the header.
        let out = match unsafe { usable(out) } {
            Ok(out) => out,
            Err(status) => return status,
        };
        // SAFETY: readable by the rules of the header.
        let key = unsafe { text(key, key_len) };
        // SAFETY: NULL or readable, by the rules of the header.
        let default = unsafe { default_at(default_value) };
        let with_reason = options & FLAGSTONE_ASK_REASON != 0;
        let ask = Wanted::try_from(want_type).map(|wanted| Ask { wanted, default, with_reason });
        // SAFETY: live by the rules of the header.
        unsafe { evaluate_into(client, context, key, ask, out) }
    })
}

/// After a panic: the detail says that there is no value.
#[cold]
pub(super) fn detail_panicked(out: *mut flagstone_detail) -> flagstone_status {
    // SAFETY: NULL or valid, by the rules of the header. Whatever it borrowed before is leaked, not freed twice.
    if let Ok(out) = unsafe { usable(out) } {
        out.fail(ErrorKind::Exception);
    }
    status::PANIC
}

/// A detail that may be written.
///
/// # Safety
/// `out` is NULL or points to a detail whose first member tells its size.
pub(super) unsafe fn usable<'a>(out: *mut flagstone_detail) -> Result<&'a mut flagstone_detail, flagstone_status> {
    if out.is_null() {
        return Err(status::NULL_ARGUMENT);
    }
    // SAFETY: not NULL, and begins with its size.
    if unsafe { stated_size(out, SMALLEST) }.is_none() {
        return Err(status::INVALID_ARGUMENT);
    }
    // SAFETY: large enough, by its own word and the caller's promise.
    Ok(unsafe { &mut *out })
}

/// # Safety
/// The handles are NULL or live.
pub(super) unsafe fn evaluate_into(
    client: *const flagstone_client,
    context: *const flagstone_context,
    key: Result<&str, TextError>,
    ask: Result<Ask<'_>, ()>,
    out: &mut flagstone_detail,
) -> flagstone_status {
    // SAFETY: the caller's promise.
    let inner = unsafe { borrow(client) };
    // SAFETY: the caller's promise.
    let asked_by = inner.and_then(|client| unsafe { asker(client, context) });
    let refused = match (inner, asked_by, &key, ask) {
        (None, ..) => handle_status(client),
        (_, None, ..) => handle_status(context),
        (_, _, Err(TextError::Null), _) => status::NULL_ARGUMENT,
        (_, _, Err(TextError::BadUtf8), _) => status::BAD_UTF8,
        (_, _, _, Err(())) => status::INVALID_ARGUMENT,
        (Some(client), Some(context), Ok(key), Ok(ask)) => {
            client.evaluate(key, Some(context), ask, |evaluation| out.fill(&evaluation, ask.wanted));
            return status::OK;
        }
    };
    out.fail(no_value(context));
    refused
}

/// Error kind of a call that was refused.
pub(super) fn no_value(context: *const flagstone_context) -> ErrorKind {
    if context.is_null() { ErrorKind::UserNotSpecified } else { ErrorKind::Exception }
}
