//! Evaluation by key: values alone.

use std::ffi::c_char;

use super::{borrow, client_panicked, flagstone_bytes, flagstone_client, flagstone_context, guard, put, raw, text};
use crate::client::{Ask, Client, DefaultValue, Evaluation, Wanted};
use crate::context::Context;
use crate::model::VariationValue;

/// Value of a bool flag: 1 or 0. Gives `default_value` (as 0 or 1) on any problem: `flagstone_variation` tells which.
///
/// `key` is UTF-8 and borrowed for the call. Residency `all`: no I/O, no lock, no allocation. Residency `lazy` and `off`: a
/// key that is not held waits for Redis, at most `redis.command_timeout_ms`, and not while Redis is known to be away. So does, in
/// every residency, a context whose big segments are asked for and not remembered. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_bool_variation(
    client: *const flagstone_client,
    context: *const flagstone_context,
    key: *const c_char,
    key_len: usize,
    default_value: i32,
) -> i32 {
    guard!(count client_panicked(client); i32::from(default_value != 0), {
        let ask = Ask::value(Wanted::Bool, DefaultValue::Bool(default_value != 0));
        // SAFETY: live and readable by the rules of the header.
        let value = unsafe { scalar(client, context, key, key_len, ask, as_bool) };
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
        let ask = Ask::value(Wanted::Number, DefaultValue::Integer(default_value));
        // SAFETY: live and readable by the rules of the header.
        unsafe { scalar(client, context, key, key_len, ask, as_integer) }.unwrap_or(default_value)
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
        let ask = Ask::value(Wanted::Number, DefaultValue::Number(default_value));
        // SAFETY: live and readable by the rules of the header.
        unsafe { scalar(client, context, key, key_len, ask, as_number) }.unwrap_or(default_value)
    })
}

/// Value of a string flag: 1, and `*out` is its text; or 0, and `*out` is `default_value` itself, which stays yours. 0 on any
/// problem, with nothing written when `out` is NULL.
///
/// Nothing is copied: the text is that of the flag, kept alive until `flagstone_bytes_clear`, whatever happens to the flag or
/// the client; do not write into it. `default_value` may be NULL, with `default_len` 0; only events look at it. Otherwise as
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
        // SAFETY: readable by the rules of the header.
        let default = unsafe { raw(default_value, default_len) }.map_or(DefaultValue::None, DefaultValue::String);
        // SAFETY: live and readable by the rules of the header.
        let text = unsafe { scalar(client, context, key, key_len, Ask::value(Wanted::String, default), as_text) };
        // SAFETY: writable by the rules of the header.
        unsafe { give_text(out, text, || flagstone_bytes::borrowed(default_value, default_len)) }
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

/// # Safety
/// The handles are NULL or live; the key is readable.
#[inline]
unsafe fn scalar<R>(
    client: *const flagstone_client,
    context: *const flagstone_context,
    key: *const c_char,
    key_len: usize,
    ask: Ask<'_>,
    read: impl FnOnce(&Evaluation<'_>) -> Option<R>,
) -> Option<R> {
    // SAFETY: the caller's promise.
    let client = unsafe { borrow(client) }?;
    // SAFETY: the caller's promise.
    let context = unsafe { asker(client, context) };
    // SAFETY: the caller's promise.
    let key = unsafe { text(key, key_len) }.ok()?;
    client.evaluate(key, context, ask, |evaluation| read(&evaluation))
}

#[inline]
pub(super) fn as_bool(evaluation: &Evaluation<'_>) -> Option<bool> {
    match evaluation.detail.variation?.value() {
        VariationValue::Bool(value) => Some(value),
        _ => None,
    }
}

#[inline]
pub(super) fn as_number(evaluation: &Evaluation<'_>) -> Option<f64> {
    match evaluation.detail.variation?.value() {
        VariationValue::Number(value) => Some(value),
        _ => None,
    }
}

#[inline]
pub(super) fn as_integer(evaluation: &Evaluation<'_>) -> Option<i64> {
    evaluation.integer()
}

/// The text of a string flag, kept alive by the flag.
#[inline]
pub(super) fn as_text(evaluation: &Evaluation<'_>) -> Option<flagstone_bytes> {
    match evaluation.detail.variation?.value() {
        VariationValue::String(text) => Some(flagstone_bytes::of_flag(text, evaluation.entry)),
        _ => None,
    }
}
