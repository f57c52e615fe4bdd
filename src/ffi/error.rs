//! Status codes and error objects.

use std::ffi::c_char;

use super::{Opaque, TextError, borrow, flagstone_str, guard, into_handle, put, release};
use crate::client::{ClientError, ConfigError, DefaultError};
use crate::context::ContextError;

/// Outcome of a call: a `FLAGSTONE_STATUS_…`. New codes may be added at any time: treat an unknown one as a failure.
pub type flagstone_status = i32;

/// The codes under short names, and their texts.
pub(crate) mod status {
    use super::{flagstone_status, flagstone_status_code};

    pub(crate) const OK: flagstone_status = flagstone_status_code::FLAGSTONE_STATUS_OK as i32;
    pub(crate) const TIMEOUT: flagstone_status = flagstone_status_code::FLAGSTONE_STATUS_TIMEOUT as i32;
    pub(crate) const INVALID_ARGUMENT: flagstone_status =
        flagstone_status_code::FLAGSTONE_STATUS_INVALID_ARGUMENT as i32;
    pub(crate) const NULL_ARGUMENT: flagstone_status = flagstone_status_code::FLAGSTONE_STATUS_NULL_ARGUMENT as i32;
    pub(crate) const BAD_UTF8: flagstone_status = flagstone_status_code::FLAGSTONE_STATUS_BAD_UTF8 as i32;
    pub(crate) const BAD_JSON: flagstone_status = flagstone_status_code::FLAGSTONE_STATUS_BAD_JSON as i32;
    pub(crate) const NOT_FOUND: flagstone_status = flagstone_status_code::FLAGSTONE_STATUS_NOT_FOUND as i32;
    pub(crate) const NOT_READY: flagstone_status = flagstone_status_code::FLAGSTONE_STATUS_NOT_READY as i32;
    pub(crate) const CLOSED: flagstone_status = flagstone_status_code::FLAGSTONE_STATUS_CLOSED as i32;
    pub(crate) const FORKED: flagstone_status = flagstone_status_code::FLAGSTONE_STATUS_FORKED as i32;
    pub(crate) const STORE: flagstone_status = flagstone_status_code::FLAGSTONE_STATUS_STORE as i32;
    pub(crate) const UNSUPPORTED: flagstone_status = flagstone_status_code::FLAGSTONE_STATUS_UNSUPPORTED as i32;
    pub(crate) const STALE_VERSION: flagstone_status = flagstone_status_code::FLAGSTONE_STATUS_STALE_VERSION as i32;
    pub(crate) const ABI_MISMATCH: flagstone_status = flagstone_status_code::FLAGSTONE_STATUS_ABI_MISMATCH as i32;
    pub(crate) const PANIC: flagstone_status = flagstone_status_code::FLAGSTONE_STATUS_PANIC as i32;

    /// Text for people and logs.
    pub fn name(status: flagstone_status) -> &'static std::ffi::CStr {
        match status {
            OK => c"OK",
            TIMEOUT => c"TIMEOUT",
            INVALID_ARGUMENT => c"INVALID_ARGUMENT",
            NULL_ARGUMENT => c"NULL_ARGUMENT",
            BAD_UTF8 => c"BAD_UTF8",
            BAD_JSON => c"BAD_JSON",
            NOT_FOUND => c"NOT_FOUND",
            NOT_READY => c"NOT_READY",
            CLOSED => c"CLOSED",
            FORKED => c"FORKED",
            STORE => c"STORE",
            UNSUPPORTED => c"UNSUPPORTED",
            STALE_VERSION => c"STALE_VERSION",
            ABI_MISMATCH => c"ABI_MISMATCH",
            PANIC => c"PANIC",
            _ => c"UNKNOWN",
        }
    }
}

/// The values of `flagstone_status`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_status_code {
    /// Success.
    FLAGSTONE_STATUS_OK = 0,
    /// The time given was over first; what was begun goes on.
    FLAGSTONE_STATUS_TIMEOUT = 1,
    /// A value that is not allowed, or a handle of another type or that was released.
    FLAGSTONE_STATUS_INVALID_ARGUMENT = 2,
    /// NULL where something was needed.
    FLAGSTONE_STATUS_NULL_ARGUMENT = 3,
    /// Text that is not UTF-8.
    FLAGSTONE_STATUS_BAD_UTF8 = 4,
    /// Text that is not JSON.
    FLAGSTONE_STATUS_BAD_JSON = 5,
    /// No such thing.
    FLAGSTONE_STATUS_NOT_FOUND = 6,
    /// The client is not ready and will not be.
    FLAGSTONE_STATUS_NOT_READY = 7,
    /// The client is closed.
    FLAGSTONE_STATUS_CLOSED = 8,
    /// Not possible in a forked child.
    FLAGSTONE_STATUS_FORKED = 9,
    /// The system or the store refused.
    FLAGSTONE_STATUS_STORE = 10,
    /// Not supported by this build.
    FLAGSTONE_STATUS_UNSUPPORTED = 11,
    /// A newer version is already there.
    FLAGSTONE_STATUS_STALE_VERSION = 12,
    /// The library is not the one this host was made for.
    FLAGSTONE_STATUS_ABI_MISMATCH = 13,
    /// A defect of the library, caught at the border.
    FLAGSTONE_STATUS_PANIC = 99,
}

/// Why a call failed: a status code and a message that names the argument. Immutable; belongs to whoever received it.
pub struct flagstone_error {
    _opaque: [u8; 0],
}

impl Opaque for flagstone_error {
    type Inner = Failure;
    const TAG: u64 = u64::from_be_bytes(*b"fs-error");
}

/// A failed call: what [`flagstone_error`] holds.
#[derive(Debug)]
pub struct Failure {
    status: flagstone_status,
    message: String,
}

impl Failure {
    pub(crate) fn new(status: flagstone_status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn null(argument: &str) -> Self {
        Self::new(status::NULL_ARGUMENT, format!("{argument} is NULL"))
    }

    /// For a struct that says itself that it is smaller than ours.
    pub(crate) fn too_small(argument: &str) -> Self {
        Self::new(status::INVALID_ARGUMENT, format!("{argument}->struct_size is too small"))
    }

    /// For a handle that is NULL, of another type or released.
    pub(crate) fn handle<O>(argument: &str, handle: *const O) -> Self {
        if handle.is_null() {
            return Self::null(argument);
        }
        Self::new(status::INVALID_ARGUMENT, format!("{argument} is a handle of another type, or was released"))
    }

    pub(crate) fn text(argument: &str, error: &TextError) -> Self {
        match error {
            TextError::Null => Self::null(argument),
            TextError::BadUtf8 => Self::new(status::BAD_UTF8, format!("{argument} is not UTF-8")),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let status = match error {
            ConfigError::Json(_) => status::BAD_JSON,
            _ => status::INVALID_ARGUMENT,
        };
        Self::new(status, error.to_string())
    }
}

impl From<ContextError> for Failure {
    fn from(error: ContextError) -> Self {
        let status = match error {
            ContextError::Json(_) => status::BAD_JSON,
            _ => status::INVALID_ARGUMENT,
        };
        Self::new(status, error.to_string())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let status = match error {
            ClientError::Options(_)
            | ClientError::Http(_)
            | ClientError::NoSdkKey
            | ClientError::Credentials(_)
            | ClientError::NoRedis => status::INVALID_ARGUMENT,
            ClientError::NotReady(_) => status::NOT_READY,
            ClientError::AtFork(_) | ClientError::Thread(_) => status::STORE,
            ClientError::Closed => status::CLOSED,
            ClientError::Timeout(..) => status::TIMEOUT,
        };
        Self::new(status, error.to_string())
    }
}

impl From<DefaultError> for Failure {
    fn from(error: DefaultError) -> Self {
        let status = match error {
            DefaultError::Json(_) => status::BAD_JSON,
            DefaultError::Type => status::INVALID_ARGUMENT,
        };
        Self::new(status, error.to_string())
    }
}

/// Ends a fallible export: the status code, and the error object where the caller wants one.
///
/// # Safety
/// `err` is NULL or a valid place for a pointer.
pub(crate) unsafe fn finish(outcome: Result<(), Failure>, err: *mut *mut flagstone_error) -> flagstone_status {
    match outcome {
        Ok(()) => status::OK,
        Err(failure) => {
            let status = failure.status;
            if !err.is_null() {
                // SAFETY: not NULL, and the caller vouches for the place.
                unsafe { put(err, into_handle::<flagstone_error>(failure)) };
            }
            status
        }
    }
}

/// Name of a status code, for example `"TIMEOUT"`; `"UNKNOWN"` for a code that this library does not know.
///
/// Returns static text that ends with NUL. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn flagstone_status_name(status: i32) -> *const c_char {
    guard!(c"UNKNOWN".as_ptr(), { status::name(status).as_ptr() })
}

/// Status code of an error; `FLAGSTONE_STATUS_NULL_ARGUMENT` for NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_error_code(error: *const flagstone_error) -> i32 {
    guard!(status::PANIC, {
        // SAFETY: the caller's promise.
        unsafe { borrow(error) }.map_or(status::NULL_ARGUMENT, |failure| failure.status)
    })
}

/// Message of an error, in English, for people; it names the argument or option, never a password. Reading does not
/// consume it.
///
/// The text is borrowed: valid until the error is freed. Empty for NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_error_message(error: *const flagstone_error) -> flagstone_str {
    guard!(flagstone_str::EMPTY, {
        // SAFETY: the caller's promise.
        unsafe { borrow(error) }.map_or(flagstone_str::EMPTY, |failure| flagstone_str::new(&failure.message))
    })
}

/// Frees an error. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_error_free(error: *mut flagstone_error) {
    guard!((), {
        // SAFETY: the caller's promise.
        unsafe { release(error) }
    })
}
