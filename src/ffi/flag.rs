//! Prepared flags: the fast path.

use std::ffi::c_char;

use super::client::{handle_status, open};
use super::error::{Failure, finish, status};
use super::variation::{as_bool, as_integer, as_number, as_text, asker, give_text};
use super::variation_detail::{detail_panicked, no_value, usable};
use super::{
    Opaque, borrow, client_panicked, flag_panicked, flagstone_bytes, flagstone_client, flagstone_context,
    flagstone_detail, flagstone_error, flagstone_status, guard, into_handle, put, release, text,
};
use crate::client::{Prepared, Wanted};

/// A prepared flag: key, type and default bound once, the place of the flag remembered. About half the cost of a call by key.
/// Shared by any number of threads. Keeps its client alive.
pub struct flagstone_flag {
    _opaque: [u8; 0],
}

impl Opaque for flagstone_flag {
    type Inner = Prepared;
    const TAG: u64 = u64::from_be_bytes(*b"fs--flag");
}

/// The default of a flag; that of the type for NULL and for handles of another type.
fn default_of<R: Default>(flag: *const flagstone_flag, default: impl FnOnce(&Prepared) -> R) -> R {
    // SAFETY: NULL or live, by the rules of the header.
    unsafe { borrow(flag) }.map(default).unwrap_or_default()
}

/// Prepares a flag. It need not exist yet.
///
/// `type`: a `FLAGSTONE_TYPE_…`, as in `flagstone_variation`. `default_json`: the default as JSON text; empty stands for false,
/// 0 or none. The texts are borrowed for the call. `*out` is owned by the caller (`flagstone_flag_release`).
/// INVALID_ARGUMENT for an unknown type or a default of another type, BAD_JSON, BAD_UTF8, NULL_ARGUMENT, CLOSED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_flag_new(
    client: *mut flagstone_client,
    key: *const c_char,
    key_len: usize,
    r#type: i32,
    default_json: *const c_char,
    default_json_len: usize,
    out: *mut *mut flagstone_flag,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let make = || {
            // SAFETY: NULL or live, by the rules of the header.
            let client = unsafe { borrow(client.cast_const()) }.ok_or_else(|| Failure::handle("client", client))?;
            // SAFETY: readable by the rules of the header.
            let key = unsafe { text(key, key_len) }.map_err(|error| Failure::text("key", &error))?;
            // SAFETY: readable by the rules of the header.
            let default = unsafe { text(default_json, default_json_len) }
                .map_err(|error| Failure::text("default_json", &error))?;
            let wanted = Wanted::try_from(r#type)
                .map_err(|()| Failure::new(status::INVALID_ARGUMENT, format!("type {} is unknown", r#type)))?;
            if out.is_null() {
                return Err(Failure::null("out"));
            }
            open(client)?;
            let prepared = Prepared::new(client.clone(), key, wanted, default)?;
            // SAFETY: not NULL, writable by the rules of the header.
            unsafe { put(out, into_handle::<flagstone_flag>(prepared)) };
            Ok(())
        };
        // SAFETY: NULL or writable, by the rules of the header.
        unsafe { finish(make(), err) }
    })
}

/// Value of a prepared bool flag: 1 or 0; its default on any problem; 0 for NULL, and as the default of a flag that was
/// prepared as another type. May wait for Redis as `flagstone_bool_variation` may. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_flag_bool(flag: *const flagstone_flag, context: *const flagstone_context) -> i32 {
    guard!(count flag_panicked(flag); default_of(flag, |flag| i32::from(flag.default_bool())), {
        // SAFETY: NULL or live, by the rules of the header.
        let Some(flag) = (unsafe { borrow(flag) }) else { return 0 };
        // SAFETY: NULL or live, by the rules of the header.
        let context = unsafe { asker(flag.client(), context) };
        i32::from(flag.evaluate(context, false, |evaluation| as_bool(&evaluation)).unwrap_or(flag.default_bool()))
    })
}

/// As `flagstone_flag_bool`, but never waits: -1 when something would have to be read from Redis first, or a big-segment store
/// would have to be asked; then call `flagstone_flag_bool`. Where `flagstone_client_may_wait` is 0 it never gives -1. Any thread,
/// also one that may not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_flag_bool_try(
    flag: *const flagstone_flag,
    context: *const flagstone_context,
) -> i32 {
    guard!(count flag_panicked(flag); default_of(flag, |flag| i32::from(flag.default_bool())), {
        // SAFETY: NULL or live, by the rules of the header.
        let Some(flag) = (unsafe { borrow(flag) }) else { return 0 };
        // SAFETY: NULL or live, by the rules of the header.
        let context = unsafe { asker(flag.client(), context) };
        match flag.evaluate_now(context, |evaluation| as_bool(&evaluation)) {
            Some(value) => i32::from(value.unwrap_or(flag.default_bool())),
            None => -1,
        }
    })
}

/// Value of a prepared number flag as an integer, by the rule of `flagstone_int_variation`, which holds for its default as
/// well; its default on any problem; 0 for NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_flag_int(flag: *const flagstone_flag, context: *const flagstone_context) -> i64 {
    guard!(count flag_panicked(flag); default_of(flag, Prepared::default_int), {
        // SAFETY: NULL or live, by the rules of the header.
        let Some(flag) = (unsafe { borrow(flag) }) else { return 0 };
        // SAFETY: NULL or live, by the rules of the header.
        let context = unsafe { asker(flag.client(), context) };
        flag.evaluate(context, false, |evaluation| as_integer(&evaluation)).unwrap_or_else(|| flag.default_int())
    })
}

/// Value of a prepared number flag; its default on any problem; 0 for NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_flag_double(flag: *const flagstone_flag, context: *const flagstone_context) -> f64 {
    guard!(count flag_panicked(flag); default_of(flag, Prepared::default_number), {
        // SAFETY: NULL or live, by the rules of the header.
        let Some(flag) = (unsafe { borrow(flag) }) else { return 0.0 };
        // SAFETY: NULL or live, by the rules of the header.
        let context = unsafe { asker(flag.client(), context) };
        flag.evaluate(context, false, |evaluation| as_number(&evaluation)).unwrap_or_else(|| flag.default_number())
    })
}

/// Value of a prepared string flag: 1, and `*out` is its text; or 0, and `*out` is its default, on any problem; empty for
/// NULL, and as the default of a flag that was prepared as another type. 0, with nothing written, when `out` is NULL.
///
/// Nothing is copied: either text is kept alive until `flagstone_bytes_clear`, whatever happens to flag and client; do not
/// write into it. May wait for Redis as `flagstone_bool_variation` may. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_flag_string(
    flag: *const flagstone_flag,
    context: *const flagstone_context,
    out: *mut flagstone_bytes,
) -> i32 {
    guard!(count flag_panicked(flag); text_panicked(flag, out), {
        if out.is_null() {
            return 0;
        }
        // SAFETY: NULL or live, by the rules of the header.
        let text = unsafe { borrow(flag) }.and_then(|flag| {
            // SAFETY: NULL or live, by the rules of the header.
            let context = unsafe { asker(flag.client(), context) };
            flag.evaluate(context, false, |evaluation| as_text(&evaluation))
        });
        // SAFETY: writable by the rules of the header.
        unsafe { give_text(out, text, || default_text(flag)) }
    })
}

/// After a panic: the text is the default.
#[cold]
fn text_panicked(flag: *const flagstone_flag, out: *mut flagstone_bytes) -> i32 {
    // SAFETY: NULL or writable, by the rules of the header.
    unsafe { give_text(out, None, || default_text(flag)) }
}

/// The default of a prepared string flag, which the text keeps alive.
fn default_text(flag: *const flagstone_flag) -> flagstone_bytes {
    // SAFETY: NULL or live, by the rules of the header.
    let text = unsafe { borrow(flag) }.map_or("", Prepared::default_text);
    // SAFETY: as above; the text is inside the flag.
    unsafe { flagstone_bytes::of_default(text, flag) }
}

/// Value of a prepared flag with reason: as `flagstone_variation` with the key and type given when it was prepared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_flag_detail(
    flag: *const flagstone_flag,
    context: *const flagstone_context,
    out: *mut flagstone_detail,
) -> flagstone_status {
    guard!(count flag_panicked(flag); detail_panicked(out), {
        // SAFETY: the rules of the header.
        unsafe { evaluate_into(flag, context, true, out) }
    })
}

/// As `flagstone_flag_detail`, for callers that do not hand the reason on: events do not tell it either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_flag_value(
    flag: *const flagstone_flag,
    context: *const flagstone_context,
    out: *mut flagstone_detail,
) -> flagstone_status {
    guard!(count flag_panicked(flag); detail_panicked(out), {
        // SAFETY: the rules of the header.
        unsafe { evaluate_into(flag, context, false, out) }
    })
}

/// # Safety
/// The handles are NULL or live; `out` is NULL or points to a detail.
unsafe fn evaluate_into(
    flag: *const flagstone_flag,
    context: *const flagstone_context,
    with_reason: bool,
    out: *mut flagstone_detail,
) -> flagstone_status {
    // SAFETY: NULL or valid, by the caller's promise.
    let out = match unsafe { usable(out) } {
        Ok(out) => out,
        Err(status) => return status,
    };
    // SAFETY: NULL or live, by the caller's promise.
    let Some(inner) = (unsafe { borrow(flag) }) else {
        out.fail(no_value(context));
        return handle_status(flag);
    };
    // SAFETY: NULL or live, by the caller's promise.
    let Some(asked_by) = (unsafe { asker(inner.client(), context) }) else {
        out.fail(no_value(context));
        return handle_status(context);
    };
    inner.evaluate(Some(asked_by), with_reason, |evaluation| out.fill(&evaluation, inner.wanted()));
    status::OK
}

/// Frees a prepared flag. Never blocks. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_flag_release(flag: *mut flagstone_flag) {
    guard!((), {
        // SAFETY: NULL or live, by the rules of the header.
        unsafe { release(flag) }
    })
}
