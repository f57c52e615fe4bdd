//! Which library this is.

use std::ffi::c_char;

use super::guard;

/// Grows when something that hosts rely on changes or goes away. A host refuses another one.
pub const FLAGSTONE_ABI_MAJOR: u32 = 1;
/// Grows when functions, or members at the end of a struct, are added. A host refuses a smaller one.
pub const FLAGSTONE_ABI_MINOR: u32 = 5;

/// Bit of `flagstone_features`: `rediss://` URLs work.
pub const FLAGSTONE_FEATURE_TLS: u64 = 1;

/// Bit of `flagstone_features`: analytics events are sent.
pub const FLAGSTONE_FEATURE_EVENTS: u64 = 2;

/// Bit of `flagstone_features`: the members of big segments are asked for, in Redis or in a store of the host's.
pub const FLAGSTONE_FEATURE_BIG_SEGMENTS: u64 = 4;

/// Bit of `flagstone_features`: credentials for Redis may change (`flagstone_client_set_credentials`, `redis.credentials`).
pub const FLAGSTONE_FEATURE_CREDENTIALS: u64 = 8;

/// Version of the ABI: `(major << 16) | minor`. The first thing that a binding calls. Any thread, never fails.
#[unsafe(no_mangle)]
pub extern "C" fn flagstone_abi_version() -> u32 {
    guard!(0, { (FLAGSTONE_ABI_MAJOR << 16) | FLAGSTONE_ABI_MINOR })
}

/// Version of the library, for example `"0.1.0"`: static text that ends with NUL. Any thread, never fails.
#[unsafe(no_mangle)]
pub extern "C" fn flagstone_version_string() -> *const c_char {
    guard!(std::ptr::null(), { concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast::<c_char>() })
}

/// What this build can do: a set of `FLAGSTONE_FEATURE_…` bits. Any thread, never fails.
#[unsafe(no_mangle)]
pub extern "C" fn flagstone_features() -> u64 {
    guard!(0, {
        FLAGSTONE_FEATURE_TLS
            | FLAGSTONE_FEATURE_EVENTS
            | FLAGSTONE_FEATURE_BIG_SEGMENTS
            | FLAGSTONE_FEATURE_CREDENTIALS
    })
}
