//! The state of all flags for one context, and the hash that lets a browser use it securely.

use super::client::{open, with_client};
use super::error::{Failure, finish, status};
use super::{
    borrow, client_panicked, flagstone_bytes, flagstone_client, flagstone_context, flagstone_error, flagstone_status,
    guard, put,
};
use crate::client::AllFlagsOptions;
use crate::context::Context;

/// Option bit of `flagstone_all_flags_json`: only flags that client-side SDKs may see.
pub const FLAGSTONE_ALL_FLAGS_CLIENT_SIDE_ONLY: u32 = 1;
/// Option bit of `flagstone_all_flags_json`: the reason of each value.
pub const FLAGSTONE_ALL_FLAGS_WITH_REASONS: u32 = 2;
/// Option bit of `flagstone_all_flags_json`: versions and reasons only for flags whose evaluations make full events, or
/// debug events at present.
pub const FLAGSTONE_ALL_FLAGS_DETAILS_ONLY_FOR_TRACKED: u32 = 4;

const ALL_FLAGS_BITS: u32 = FLAGSTONE_ALL_FLAGS_CLIENT_SIDE_ONLY
    | FLAGSTONE_ALL_FLAGS_WITH_REASONS
    | FLAGSTONE_ALL_FLAGS_DETAILS_ONLY_FOR_TRACKED;

/// Values of all flags for one context with what client-side SDKs need to know about them, as LaunchDarkly's JavaScript SDK
/// takes it for bootstrapping: `{"<key>":<value>,…,"$flagsState":{"<key>":{…},…},"$valid":true}`.
///
/// | Member of a flag's state | Is there |
/// |---|---|
/// | `variation` | when the flag has a value; without one the value is null |
/// | `version` | unless left out by the option bit |
/// | `reason` | with the option bit, and in experiments |
/// | `trackEvents`, `trackReason` | when true |
/// | `debugEventsUntilDate` | when set, Unix time in ms |
/// | `prerequisites` | when the flag has evaluated some: their keys |
///
/// All flags are those of one moment, sorted by the bytes of their keys; the same flags give the same text. White space
/// between tokens is left out, also inside values. Flags that do not parse are left out.
///
/// `options`: `FLAGSTONE_ALL_FLAGS_…` bits; INVALID_ARGUMENT for unknown ones. OK with `{"$valid":false,"$flagsState":{}}`
/// when `context` is NULL, the client is not ready, or Redis would have to be read and cannot be (or has lost the data set).
/// `*out` is owned by the caller (`flagstone_bytes_clear`). CLOSED after close. Makes no events.
///
/// Residency `all`: no I/O and no lock, apart from big segments, which are asked for once for each key of the context.
/// Residency `lazy` and `off`: reads everything from Redis, once for all who wait; waits at most `redis.command_timeout_ms`, and
/// not while Redis is known to be away. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_all_flags_json(
    client: *const flagstone_client,
    context: *const flagstone_context,
    options: u32,
    out: *mut flagstone_bytes,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let outcome = with_client(client, |client| {
            // SAFETY: NULL or live, by the rules of the header.
            let context = unsafe { context_or_null(context) }?;
            let options = all_flags_options(options)?;
            if out.is_null() {
                return Err(Failure::null("out"));
            }
            let json = client.all_flags_json(context, options)?;
            // SAFETY: not NULL, writable by the rules of the header.
            unsafe { put(out, flagstone_bytes::new(json)) };
            Ok(())
        });
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}

/// Hash by which a client-side SDK in secure mode shows that a server vouches for the context: HMAC-SHA-256 of the context's
/// canonical key under the option `sdk.key`, as 64 lower-case hexadecimal digits.
///
/// Only kinds and keys of the context count. INVALID_ARGUMENT when `sdk.key` is not set; NULL_ARGUMENT for a NULL context.
/// `*out` is owned by the caller (`flagstone_bytes_clear`). The client need not be started; CLOSED after close. No I/O, no
/// lock. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_secure_mode_hash(
    client: *const flagstone_client,
    context: *const flagstone_context,
    out: *mut flagstone_bytes,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let outcome = with_client(client, |client| {
            open(client)?;
            // SAFETY: NULL or live, by the rules of the header.
            let context = unsafe { borrow(context) }.ok_or_else(|| Failure::handle("context", context))?;
            if out.is_null() {
                return Err(Failure::null("out"));
            }
            let hash = client.secure_mode_hash(context)?;
            // SAFETY: not NULL, writable by the rules of the header.
            unsafe { put(out, flagstone_bytes::new(hash)) };
            Ok(())
        });
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}

/// A context, or none for NULL; a handle of another type is refused.
///
/// # Safety
/// `context` is NULL or a live handle of this library, alive for `'a`.
unsafe fn context_or_null<'a>(context: *const flagstone_context) -> Result<Option<&'a Context>, Failure> {
    if context.is_null() {
        return Ok(None);
    }
    // SAFETY: live, by the caller's promise.
    unsafe { borrow(context) }.map(Some).ok_or_else(|| Failure::handle("context", context))
}

fn all_flags_options(bits: u32) -> Result<AllFlagsOptions, Failure> {
    if bits & !ALL_FLAGS_BITS != 0 {
        let unknown = bits & !ALL_FLAGS_BITS;
        return Err(Failure::new(status::INVALID_ARGUMENT, format!("options has unknown bits: {unknown:#x}")));
    }
    Ok(AllFlagsOptions {
        client_side_only: bits & FLAGSTONE_ALL_FLAGS_CLIENT_SIDE_ONLY != 0,
        with_reasons: bits & FLAGSTONE_ALL_FLAGS_WITH_REASONS != 0,
        details_only_for_tracked_flags: bits & FLAGSTONE_ALL_FLAGS_DETAILS_ONLY_FOR_TRACKED != 0,
    })
}
