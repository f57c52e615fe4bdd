//! Evaluation by key.

use std::ffi::c_char;

use super::client::handle_status;
use super::detail::SMALLEST;
use super::error::status;
use super::{
    TextError, borrow, client_panicked, element, flagstone_bytes, flagstone_client, flagstone_context,
    flagstone_detail, flagstone_status, flagstone_str, guard, put, text,
};
use crate::client::{Client, Evaluation, Wanted};
use crate::context::Context;
use crate::eval::ErrorKind;
use crate::model::VariationValue;

/// Value of a bool flag: 1 or 0. Gives `default_value` (as 0 or 1) on any problem: `flagstone_variation` tells which.
///
/// `key` is UTF-8 and borrowed for the call. Residency `all`: no I/O, no lock, no allocation. Residency `lazy` and `off`: a
/// key that is not held waits for Redis, at most `redis.command_timeout_ms`, and not while Redis is known to be away. Any
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_bool_variation(
    client: *const flagstone_client,
    context: *const flagstone_context,
    key: *const c_char,
    key_len: usize,
    default_value: i32,
) -> i32 {
    guard!(count client_panicked(client); i32::from(default_value != 0), {
        // SAFETY: live and readable by the rules of the header.
        let value = unsafe { scalar(client, context, key, key_len, as_bool) };
        i32::from(value.unwrap_or(default_value != 0))
    })
}

/// Value of a number flag as an integer, by the one rule of all calls and bindings: exact when the flag writes an integer of
/// 64 bits; the nearest end of the range beyond 64 bits; otherwise rounded to the nearest integer, halves to the even one (2.5
/// gives 2, 3.5 gives 4), or toward zero with `evaluation.integer_rounding` = truncate. Otherwise as
/// `flagstone_bool_variation`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_int_variation(
    client: *const flagstone_client,
    context: *const flagstone_context,
    key: *const c_char,
    key_len: usize,
    default_value: i64,
) -> i64 {
    guard!(count client_panicked(client); default_value, {
        // SAFETY: live and readable by the rules of the header.
        unsafe { scalar(client, context, key, key_len, as_integer) }
            .unwrap_or(default_value)
    })
}

/// Value of a number flag: the double nearest to what the flag writes. Otherwise as `flagstone_bool_variation`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_double_variation(
    client: *const flagstone_client,
    context: *const flagstone_context,
    key: *const c_char,
    key_len: usize,
    default_value: f64,
) -> f64 {
    guard!(count client_panicked(client); default_value, {
        // SAFETY: live and readable by the rules of the header.
        unsafe { scalar(client, context, key, key_len, as_number) }.unwrap_or(default_value)
    })
}

/// Value of a string flag: 1, and `*out` is its text; or 0, and `*out` is `default_value` itself, which stays yours. 0 on any
/// problem, with nothing written when `out` is NULL.
///
/// Nothing is copied: the text is that of the flag, kept alive until `flagstone_bytes_clear`, whatever happens to the flag or
/// the client; do not write into it. `default_value` may be NULL, with `default_len` 0, and is not looked at. Otherwise as
/// `flagstone_bool_variation`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_string_variation(
    client: *const flagstone_client,
    context: *const flagstone_context,
    key: *const c_char,
    key_len: usize,
    default_value: *const c_char,
    default_len: usize,
    out: *mut flagstone_bytes,
) -> i32 {
    guard!(count client_panicked(client); text_panicked(out, default_value, default_len), {
        if out.is_null() {
            return 0;
        }
        // SAFETY: live and readable by the rules of the header.
        let text = unsafe { scalar(client, context, key, key_len, as_text) };
        // SAFETY: writable by the rules of the header.
        unsafe { give_text(out, text, || flagstone_bytes::borrowed(default_value, default_len)) }
    })
}

/// Value of a flag of any type, with reason.
///
/// `want_type`: a `FLAGSTONE_TYPE_…`; a value of another type gives ERROR/WRONG_TYPE. NONE takes any type as it is; JSON takes any type
/// and gives its JSON text. `default_json` is your default as JSON text; it may be empty, and is not looked at as long as no
/// events are sent. Whenever there is no value the bit `FLAGSTONE_DETAIL_DEFAULTED` is set: use your default.
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
        let _ = (default_json, default_json_len);
        // SAFETY: NULL or valid, by the rules of the header.
        let out = match unsafe { usable(out) } {
            Ok(out) => out,
            Err(status) => return status,
        };
        // SAFETY: readable by the rules of the header.
        let key = unsafe { text(key, key_len) };
        // SAFETY: live by the rules of the header.
        unsafe { evaluate_into(client, context, key, Wanted::try_from(want_type), out) }
    })
}

/// Values of `n` flags for one context, each with its reason; any type.
///
/// `keys` points to `n` texts, `out` to `n` details whose `struct_size` is the same in all; each is to be given back with
/// `flagstone_detail_clear`. INVALID_ARGUMENT, with nothing written, when a `struct_size` differs, is too small, or is none
/// that the structs of an array can have. Otherwise every detail is written, and the status is OK or that of the first key
/// that was refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_variation_many(
    client: *const flagstone_client,
    context: *const flagstone_context,
    keys: *const flagstone_str,
    n: usize,
    out: *mut flagstone_detail,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        if n == 0 {
            return status::OK;
        }
        // SAFETY: NULL or an array of details, by the rules of the header.
        let step = match unsafe { usable(out) } {
            Ok(first) => first.struct_size as usize,
            Err(status) => return status,
        };
        if !step.is_multiple_of(align_of::<flagstone_detail>()) {
            return status::INVALID_ARGUMENT;
        }
        // SAFETY: `out` points to `n` structs of that size, by the rules of the header.
        let at = |index: usize| unsafe { out.byte_add(index * step) };
        for index in 1..n {
            // SAFETY: one of the `n` structs.
            if unsafe { (*at(index)).struct_size } as usize != step {
                return status::INVALID_ARGUMENT;
            }
        }
        for index in 0..n {
            // SAFETY: one of the `n` structs. A panic in one evaluation must not leave the details behind it unwritten.
            unsafe { (*at(index)).fail(ErrorKind::Exception) };
        }
        let mut worst = status::OK;
        for index in 0..n {
            // SAFETY: NULL or `n` texts, by the rules of the header.
            let key = unsafe { key_at(keys, index) };
            // SAFETY: one of the `n` structs.
            let out = unsafe { &mut *at(index) };
            // SAFETY: live by the rules of the header.
            let status = unsafe { evaluate_into(client, context, key, Ok(Wanted::Any), out) };
            if worst == status::OK {
                worst = status;
            }
        }
        worst
    })
}

/// Writes the text of a flag, or the default when there is none, and gives which: 1 or 0.
///
/// # Safety
/// `out` is NULL or writable.
#[inline]
pub(super) unsafe fn give_text(
    out: *mut flagstone_bytes,
    text: Option<flagstone_bytes>,
    default: impl FnOnce() -> flagstone_bytes,
) -> i32 {
    let found = text.is_some();
    // SAFETY: the caller's promise.
    unsafe { put(out, text.unwrap_or_else(default)) };
    i32::from(found)
}

/// After a panic: the text is the default.
#[cold]
fn text_panicked(out: *mut flagstone_bytes, default_value: *const c_char, default_len: usize) -> i32 {
    // SAFETY: NULL or writable, by the rules of the header.
    unsafe { give_text(out, None, || flagstone_bytes::borrowed(default_value, default_len)) }
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
    // SAFETY: not NULL; the first member may be read whatever the size is.
    let size = unsafe { out.cast::<u32>().read() };
    if (size as usize) < SMALLEST {
        return Err(status::INVALID_ARGUMENT);
    }
    // SAFETY: large enough, by its own word and the caller's promise.
    Ok(unsafe { &mut *out })
}

/// # Safety
/// The handles are NULL or live.
unsafe fn evaluate_into(
    client: *const flagstone_client,
    context: *const flagstone_context,
    key: Result<&str, TextError>,
    wanted: Result<Wanted, ()>,
    out: &mut flagstone_detail,
) -> flagstone_status {
    // SAFETY: the caller's promise.
    let inner = unsafe { borrow(client) };
    // SAFETY: the caller's promise.
    let asked_by = inner.and_then(|client| unsafe { asker(client, context) });
    let refused = match (inner, asked_by, &key, wanted) {
        (None, ..) => handle_status(client),
        (_, None, ..) => handle_status(context),
        (_, _, Err(TextError::Null), _) => status::NULL_ARGUMENT,
        (_, _, Err(TextError::BadUtf8), _) => status::BAD_UTF8,
        (_, _, _, Err(())) => status::INVALID_ARGUMENT,
        (Some(client), Some(context), Ok(key), Ok(wanted)) => {
            client.evaluate(key, Some(context), |evaluation| out.fill(&evaluation, wanted));
            return status::OK;
        }
    };
    out.fail(no_value(context));
    refused
}

/// The context that an evaluation is for. One that is none is told to the client.
///
/// # Safety
/// `context` is NULL or a live handle, alive for `'a`.
#[inline]
pub(super) unsafe fn asker<'a>(client: &Client, context: *const flagstone_context) -> Option<&'a Context> {
    // SAFETY: the caller's promise.
    let found = unsafe { borrow(context) };
    if found.is_none() && !context.is_null() {
        client.tell_misuse(format_args!("the context of an evaluation is a handle of another type, or was released"));
    }
    found
}

/// Error kind of a call that was refused.
pub(super) fn no_value(context: *const flagstone_context) -> ErrorKind {
    if context.is_null() { ErrorKind::UserNotSpecified } else { ErrorKind::Exception }
}

/// # Safety
/// `keys` is NULL or points to more than `index` readable texts.
unsafe fn key_at<'a>(keys: *const flagstone_str, index: usize) -> Result<&'a str, TextError> {
    if keys.is_null() {
        return Err(TextError::Null);
    }
    // SAFETY: the caller's promise.
    let key = unsafe { element(keys, index) };
    // SAFETY: the caller's promise.
    unsafe { text(key.ptr, key.len) }
}

/// # Safety
/// The handles are NULL or live; the key is readable.
#[inline]
unsafe fn scalar<R>(
    client: *const flagstone_client,
    context: *const flagstone_context,
    key: *const c_char,
    key_len: usize,
    read: impl FnOnce(&Evaluation<'_>) -> Option<R>,
) -> Option<R> {
    // SAFETY: the caller's promise.
    let client = unsafe { borrow(client) }?;
    // SAFETY: the caller's promise.
    let context = unsafe { asker(client, context) };
    // SAFETY: the caller's promise.
    let key = unsafe { text(key, key_len) }.ok()?;
    client.evaluate(key, context, |evaluation| read(&evaluation))
}

#[inline]
pub(super) fn as_bool(evaluation: &Evaluation<'_>) -> Option<bool> {
    match evaluation.detail.variation?.value() {
        VariationValue::Bool(value) => Some(value),
        _ => {
            evaluation.wrong_type(Wanted::Bool);
            None
        }
    }
}

#[inline]
pub(super) fn as_number(evaluation: &Evaluation<'_>) -> Option<f64> {
    match evaluation.detail.variation?.value() {
        VariationValue::Number(value) => Some(value),
        _ => {
            evaluation.wrong_type(Wanted::Number);
            None
        }
    }
}

#[inline]
pub(super) fn as_integer(evaluation: &Evaluation<'_>) -> Option<i64> {
    evaluation.detail.variation?;
    let value = evaluation.integer();
    if value.is_none() {
        evaluation.wrong_type(Wanted::Number);
    }
    value
}

/// The text of a string flag, kept alive by the flag.
#[inline]
pub(super) fn as_text(evaluation: &Evaluation<'_>) -> Option<flagstone_bytes> {
    match evaluation.detail.variation?.value() {
        VariationValue::String(text) => Some(flagstone_bytes::of_flag(text, evaluation.entry)),
        _ => {
            evaluation.wrong_type(Wanted::String);
            None
        }
    }
}
