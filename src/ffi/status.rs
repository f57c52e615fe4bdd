//! The condition of data source and store as a struct, for hosts that decide by it.

use std::ffi::c_void;
use std::mem::size_of;

use super::client::{open, with_client};
use super::error::{Failure, finish, status};
use super::{
    borrow, client_panicked, flagstone_bytes, flagstone_client, flagstone_error, flagstone_status, flagstone_str,
    guard, put, stated_size,
};
use crate::client::{Client, FailureKind};

/// What kind of failure a data source met.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_source_error {
    /// None of the others; also: no failure so far.
    FLAGSTONE_SOURCE_ERROR_UNKNOWN = 0,
    /// No connection, or it was lost.
    FLAGSTONE_SOURCE_ERROR_NETWORK_ERROR = 1,
    /// The server answered with an error status: `last_error_status`.
    FLAGSTONE_SOURCE_ERROR_ERROR_RESPONSE = 2,
    /// What was received makes no sense.
    FLAGSTONE_SOURCE_ERROR_INVALID_DATA = 3,
    /// What was received could not be stored.
    FLAGSTONE_SOURCE_ERROR_STORE_ERROR = 4,
}

const _: () = {
    use flagstone_source_error::*;
    assert!(FLAGSTONE_SOURCE_ERROR_UNKNOWN as i32 == FailureKind::Unknown as i32);
    assert!(FLAGSTONE_SOURCE_ERROR_NETWORK_ERROR as i32 == FailureKind::NetworkError as i32);
    assert!(FLAGSTONE_SOURCE_ERROR_ERROR_RESPONSE as i32 == FailureKind::ErrorResponse as i32);
    assert!(FLAGSTONE_SOURCE_ERROR_INVALID_DATA as i32 == FailureKind::InvalidData as i32);
    assert!(FLAGSTONE_SOURCE_ERROR_STORE_ERROR as i32 == FailureKind::StoreError as i32);
};

/// Condition of a client. The caller makes it: set `struct_size` to `sizeof(flagstone_client_status_info)` and the rest to 0.
/// Its text is valid until `flagstone_client_status_info_clear`.
#[repr(C)]
#[derive(Debug)]
pub struct flagstone_client_status_info {
    /// Size of this struct as the host knows it, in bytes.
    pub struct_size: u32,
    /// State of the data source, a `FLAGSTONE_STATE_…`; in daemon mode, which has none, that of the client.
    pub source_state: i32,
    /// Since when, Unix time in milliseconds; 0 in daemon mode.
    pub source_since_ms: i64,
    /// Kind of the latest failure, a `FLAGSTONE_SOURCE_ERROR_…`; says nothing while `last_error_ms` is 0.
    pub last_error_kind: i32,
    /// HTTP status of the latest failure; 0 when there was none.
    pub last_error_status: i32,
    /// When the latest failure was, Unix time in milliseconds; 0 for never.
    pub last_error_ms: i64,
    /// What the latest failure was, for people.
    pub last_error: flagstone_str,
    /// 1 when Redis answered last time, or when memory is all there is; else 0.
    pub store_available: i32,
    /// Always 0.
    pub reserved: i32,
    /// Since when what was read of Redis is not known to be true, Unix time in milliseconds; 0 when it is.
    pub store_stale_since_ms: i64,
    /// What keeps the text alive; not for the host.
    pub owner: *mut c_void,
}

const _: () = assert!(size_of::<flagstone_client_status_info>() == 72 || size_of::<usize>() != 8);

/// Writes the condition of data source and store. `flagstone_client_status_json` tells more.
///
/// `*out` is written on OK; give it back with `flagstone_client_status_info_clear`. INVALID_ARGUMENT: `out->struct_size` is
/// too small. CLOSED after close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_status(
    client: *const flagstone_client,
    out: *mut flagstone_client_status_info,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let read = || {
            // SAFETY: NULL or live, by the rules of the header.
            let client = unsafe { borrow(client) }.ok_or_else(|| Failure::handle("client", client))?;
            if out.is_null() {
                return Err(Failure::null("out"));
            }
            // SAFETY: not NULL, and begins with its size.
            let size = unsafe { stated_size(out, size_of::<flagstone_client_status_info>()) }
                .ok_or_else(|| Failure::too_small("out"))?;
            open(client)?;
            // SAFETY: large enough, by its own word and the rules of the header.
            unsafe { out.write(flagstone_client_status_info::of(client, size)) };
            Ok(())
        };
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(read(), err) }
    })
}

/// Identifier of the environment that the data come from, as LaunchDarkly or a Relay Proxy named it with its first answer.
///
/// `*out` is owned by the caller (`flagstone_bytes_clear`). NOT_FOUND when none is known: in daemon mode, with sources that know
/// none, and before the first data. No I/O, no lock; also after close. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_environment_id(
    client: *const flagstone_client,
    out: *mut flagstone_bytes,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let outcome = with_client(client, |client| {
            if out.is_null() {
                return Err(Failure::null("out"));
            }
            let Some(id) = client.environment_id() else {
                return Err(Failure::new(status::NOT_FOUND, "no environment is known"));
            };
            // SAFETY: not NULL, writable by the rules of the header.
            unsafe { put(out, flagstone_bytes::new((*id).clone())) };
            Ok(())
        });
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}

/// Frees the text of a condition and clears it, except for `struct_size`. May be called twice. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_status_info_clear(info: *mut flagstone_client_status_info) {
    guard!((), {
        // SAFETY: NULL or a valid struct, by the rules of the header.
        let Some(info) = (unsafe { info.as_mut() }) else { return };
        if !info.owner.is_null() {
            // SAFETY: a non-NULL owner is the box made in `of`; it is cleared below.
            drop(unsafe { Box::from_raw(info.owner.cast::<String>()) });
        }
        *info = flagstone_client_status_info::empty(info.struct_size);
    })
}

impl flagstone_client_status_info {
    fn empty(struct_size: u32) -> Self {
        Self {
            struct_size,
            source_state: 0,
            source_since_ms: 0,
            last_error_kind: 0,
            last_error_status: 0,
            last_error_ms: 0,
            last_error: flagstone_str::EMPTY,
            store_available: 0,
            reserved: 0,
            store_stale_since_ms: 0,
            owner: std::ptr::null_mut(),
        }
    }

    fn of(client: &Client, struct_size: u32) -> Self {
        let (available, stale_since) = client.store_condition();
        let mut info = Self {
            source_state: client.state() as i32,
            store_available: i32::from(available),
            store_stale_since_ms: stale_since.unwrap_or(0),
            ..Self::empty(struct_size)
        };
        if let Some(condition) = client.source_condition() {
            info.source_since_ms = condition.since_ms;
            if let Some(error) = &condition.error {
                let message = Box::new(error.failure.message.clone());
                info.last_error_kind = error.failure.kind as i32;
                info.last_error_status = i32::from(error.failure.status);
                info.last_error_ms = error.unix_ms;
                info.last_error = flagstone_str::new(&message);
                info.owner = Box::into_raw(message).cast::<c_void>();
            }
        }
        info
    }
}
