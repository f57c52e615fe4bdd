//! Configuration handles.

use std::ffi::c_char;
use std::sync::Mutex;

use super::error::{Failure, finish, status};
use super::{Opaque, borrow, flagstone_error, flagstone_status, guard, into_handle, release, text};
use crate::client::{Config, lock};

/// Options by name, from which clients are made. Belongs to one thread at a time. A client copies it: it may be changed,
/// reused or freed at any time.
pub struct flagstone_config {
    _opaque: [u8; 0],
}

impl Opaque for flagstone_config {
    type Inner = Mutex<Config>;
    const TAG: u64 = u64::from_be_bytes(*b"fsconfig");
}

/// A configuration with all options at their defaults.
///
/// Owned by the caller: give it back with `flagstone_config_free`. NULL only when the library is defective.
#[unsafe(no_mangle)]
pub extern "C" fn flagstone_config_new() -> *mut flagstone_config {
    guard!(std::ptr::null_mut(), { into_handle::<flagstone_config>(Mutex::default()) })
}

/// Sets one option. Names, values, units and defaults are listed at the top of this header.
///
/// `name` and `value` are UTF-8 and borrowed for the call. The value is checked at once as far as it can be alone; on
/// failure nothing changes: `INVALID_ARGUMENT` for an unknown name or a value that does not fit, `NULL_ARGUMENT`,
/// `BAD_UTF8`. An explicit option wins over the same thing in `redis.url`; the order of setting does not matter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_config_set(
    config: *mut flagstone_config,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let outcome = with_config(config, |config| {
            // SAFETY: the caller's promise.
            let name = unsafe { text(name, name_len) }.map_err(|error| Failure::text("name", &error))?;
            // SAFETY: the caller's promise.
            let value = unsafe { text(value, value_len) }.map_err(|error| Failure::text("value", &error))?;
            Ok(config.set(name, value)?)
        });
        // SAFETY: NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}

/// Sets options from a JSON object: `{"redis.url": "redis://db:6379", "cache": {"ttl_ms": 5000}}`. Dotted names and
/// nested objects are the same; values are strings, numbers or booleans. All options are set or none.
///
/// `json` is UTF-8 and borrowed for the call. Fails as `flagstone_config_set` does, and with `BAD_JSON`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_config_load_json(
    config: *mut flagstone_config,
    json: *const c_char,
    json_len: usize,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let outcome = with_config(config, |config| {
            // SAFETY: the caller's promise.
            let json = unsafe { text(json, json_len) }.map_err(|error| Failure::text("json", &error))?;
            Ok(config.load_json(json)?)
        });
        // SAFETY: NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}

/// Frees a configuration. Clients made from it are not affected. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_config_free(config: *mut flagstone_config) {
    guard!((), {
        // SAFETY: the caller's promise.
        unsafe { release(config) }
    })
}

fn with_config(
    config: *mut flagstone_config,
    change: impl FnOnce(&mut Config) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // SAFETY: the promise of the exports that pass their handle here.
    let cell = unsafe { borrow(config.cast_const()) }.ok_or_else(|| Failure::handle("config", config))?;
    change(&mut lock(cell))
}
