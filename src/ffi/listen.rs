//! Listeners to the value of a flag for a context.

use std::ffi::c_char;

use super::client::with_client;
use super::error::{Failure, finish, status};
use super::{
    borrow, client_panicked, flagstone_client, flagstone_context, flagstone_error, flagstone_status, guard, put, text,
};

/// From now on a notification of kind VALUE_CHANGED tells when the value of the flag `key` changes for `context`; `*listener` is
/// the number under which it does. The present value is the first one that others are compared with. The flag need not exist.
///
/// `key` is UTF-8 and borrowed for the call, `context` is copied. Values are compared as JSON, on the thread that polls
/// notifications, right after it took the change of the flag or of something that it depends on: so somebody has to poll. These
/// evaluations leave no analytics events and no counts. A client with listeners counts as subscribed to changes of flags
/// (`flagstone_client_subscribe`).
///
/// No I/O with residency `all`, apart from big segments. With `lazy` and `off` a flag that is not held waits for Redis, at most
/// `redis.command_timeout_ms`, here as well as on the thread that polls; and as nobody tells of changes of what is not held, nor of
/// the members of big segments, that thread looks by itself every `cache.ttl_ms` or `big_segments.cache_ms`. An evaluation that
/// fails keeps the old value and is made again later. Forked children go on listening. OK; NULL_ARGUMENT, BAD_UTF8 (key),
/// INVALID_ARGUMENT (a handle of another type), CLOSED. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_listen(
    client: *mut flagstone_client,
    context: *const flagstone_context,
    key: *const c_char,
    key_len: usize,
    listener: *mut u64,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let outcome = with_client(client, |client| {
            // SAFETY: NULL or live, by the rules of the header.
            let context = unsafe { borrow(context) }.ok_or_else(|| Failure::handle("context", context))?;
            // SAFETY: readable by the rules of the header.
            let key = unsafe { text(key, key_len) }.map_err(|error| Failure::text("key", &error))?;
            if listener.is_null() {
                return Err(Failure::null("listener"));
            }
            let number = client.listen(key, context)?;
            // SAFETY: not NULL, writable by the rules of the header.
            unsafe { put(listener, number) };
            Ok(())
        });
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}

/// Ends a listener. Allowed while its notification is handled; a notification that another thread takes at the same moment may
/// still come. OK; NOT_FOUND when there is no such listener (any more); CLOSED. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_unlisten(
    client: *mut flagstone_client,
    listener: u64,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let outcome = with_client(client, |client| {
            if client.unlisten(listener)? {
                Ok(())
            } else {
                Err(Failure::new(status::NOT_FOUND, format!("there is no listener {listener}")))
            }
        });
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}
