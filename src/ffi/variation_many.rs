//! Evaluation of many flags for one context.

use super::default::default_at;
use super::error::status;
use super::variation_detail::{FLAGSTONE_ASK_REASON, evaluate_into, usable};
use super::{
    TextError, client_panicked, element, flagstone_client, flagstone_context, flagstone_default, flagstone_detail,
    flagstone_status, flagstone_str, guard, text,
};
use crate::client::{Ask, Wanted};
use crate::eval::ErrorKind;

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
        // SAFETY: the rules of the header.
        unsafe { evaluate_many(client, context, keys, std::ptr::null(), n, FLAGSTONE_ASK_REASON, out) }
    })
}

/// As `flagstone_variation_many`, with your defaults, which events tell.
///
/// `defaults` points to `n` defaults, or is NULL: null for all. `options` as for `flagstone_variation_or`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_variation_many_or(
    client: *const flagstone_client,
    context: *const flagstone_context,
    keys: *const flagstone_str,
    defaults: *const flagstone_default,
    n: usize,
    options: u32,
    out: *mut flagstone_detail,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        // SAFETY: the rules of the header.
        unsafe { evaluate_many(client, context, keys, defaults, n, options, out) }
    })
}

/// # Safety
/// The handles are NULL or live; `keys` and `defaults` are NULL or point to `n` readable ones, `out` to `n` details.
unsafe fn evaluate_many(
    client: *const flagstone_client,
    context: *const flagstone_context,
    keys: *const flagstone_str,
    defaults: *const flagstone_default,
    n: usize,
    options: u32,
    out: *mut flagstone_detail,
) -> flagstone_status {
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
        // SAFETY: NULL or `n` defaults, by the caller's promise.
        let place = if defaults.is_null() { defaults } else { unsafe { defaults.add(index) } };
        // SAFETY: as above.
        let default = unsafe { default_at(place) };
        let ask = Ask { wanted: Wanted::Any, default, with_reason: options & FLAGSTONE_ASK_REASON != 0 };
        // SAFETY: live by the caller's promise.
        let status = unsafe { evaluate_into(client, context, key, Ok(ask), out) };
        if worst == status::OK {
            worst = status;
        }
    }
    worst
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
