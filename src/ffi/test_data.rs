//! Test data: flags and segments that a test sets, for any number of clients.

use std::ffi::c_char;

use super::error::{Failure, finish, status};
use super::{
    Opaque, borrow, flagstone_config, flagstone_error, flagstone_status, guard, into_handle, release, retain, text,
};
use crate::client::{FailureKind, SourceFailure, SourceReport, TestData, TestDataError, lock};
use crate::model::Kind;
use crate::store::StoreState;

/// Flags and segments that a test sets. A client whose configuration has it takes them from it, at once and at every
/// change. Any thread; counted: `flagstone_test_data_retain`, `flagstone_test_data_release`.
pub struct flagstone_test_data {
    _opaque: [u8; 0],
}

impl Opaque for flagstone_test_data {
    type Inner = TestData;
    const TAG: u64 = u64::from_be_bytes(*b"fstestda");
}

/// The two collections of items.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_kind {
    /// Flags.
    FLAGSTONE_KIND_FLAG = 0,
    /// Segments.
    FLAGSTONE_KIND_SEGMENT = 1,
}

fn kind_from_code(code: i32) -> Result<Kind, Failure> {
    match code {
        0 => Ok(Kind::Flag),
        1 => Ok(Kind::Segment),
        _ => Err(Failure::new(status::INVALID_ARGUMENT, format!("kind {code} is unknown"))),
    }
}

/// Test data without any item.
///
/// Owned by the caller, with one reference. NULL only when the library is defective.
#[unsafe(no_mangle)]
pub extern "C" fn flagstone_test_data_new() -> *mut flagstone_test_data {
    guard!(std::ptr::null_mut(), { into_handle::<flagstone_test_data>(TestData::new()) })
}

/// Adds or replaces the flag or segment whose key is in the JSON, and hands it to every client that uses these data; returns
/// when they have it, after a second at the latest.
///
/// `kind`: a `FLAGSTONE_KIND_…`. The version is raised above the previous one if it is not higher. `INVALID_ARGUMENT` for
/// JSON that is no such item or has no key. Borrowed for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_test_data_set_json(
    data: *mut flagstone_test_data,
    kind: i32,
    json: *const c_char,
    json_len: usize,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let set = || {
            let data = data_of(data)?;
            let kind = kind_from_code(kind)?;
            // SAFETY: readable by the rules of the header.
            let json = unsafe { text(json, json_len) }.map_err(|error| Failure::text("json", &error))?;
            Ok(data.set_json(kind, json)?)
        };
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(set(), err) }
    })
}

/// Deletes a flag or segment, in a version above the previous one. OK also for one that was never there.
///
/// `kind` and waiting as for `flagstone_test_data_set_json`. Borrowed for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_test_data_delete(
    data: *mut flagstone_test_data,
    kind: i32,
    key: *const c_char,
    key_len: usize,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let delete = || {
            let data = data_of(data)?;
            let kind = kind_from_code(kind)?;
            // SAFETY: readable by the rules of the header.
            let key = unsafe { text(key, key_len) }.map_err(|error| Failure::text("key", &error))?;
            data.delete(kind, key);
            Ok(())
        };
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(delete(), err) }
    })
}

/// Makes every client that uses these data report this state of its data source: VALID, INTERRUPTED or OFF
/// (`FLAGSTONE_STATE_…`). Changes go on to be delivered.
///
/// `error_kind` (a `FLAGSTONE_SOURCE_ERROR_…`), `http_status` (0 for none) and `message` tell of the failure that is behind
/// INTERRUPTED and OFF; with VALID they are not looked at. Borrowed for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_test_data_set_status(
    data: *mut flagstone_test_data,
    state: i32,
    error_kind: i32,
    http_status: i32,
    message: *const c_char,
    message_len: usize,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let set = || {
            let data = data_of(data)?;
            // SAFETY: readable by the rules of the header.
            let message = unsafe { text(message, message_len) }.map_err(|error| Failure::text("message", &error))?;
            let failure = || failure(error_kind, http_status, message);
            let report = match StoreState::from_code(state) {
                StoreState::Valid => SourceReport::Valid,
                StoreState::Interrupted => SourceReport::Interrupted(failure()?),
                StoreState::Off => SourceReport::Off(failure()?),
                StoreState::Init | StoreState::Forked => {
                    return Err(Failure::new(status::INVALID_ARGUMENT, "state is not VALID, INTERRUPTED or OFF"));
                }
            };
            data.set_status(&report);
            Ok(())
        };
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(set(), err) }
    })
}

/// Adds a reference and returns the same handle; NULL for NULL and for handles of another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_test_data_retain(data: *const flagstone_test_data) -> *mut flagstone_test_data {
    guard!(std::ptr::null_mut(), {
        // SAFETY: NULL or live, by the rules of the header.
        unsafe { retain(data) }
    })
}

/// Gives back a reference. Clients that use the data keep them. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_test_data_release(data: *mut flagstone_test_data) {
    guard!((), {
        // SAFETY: NULL or live, by the rules of the header.
        unsafe { release(data) }
    })
}

/// Makes the clients of this configuration take flags and segments from `data`; sets `source.kind` to `testdata`.
///
/// Borrowed for the call; the configuration keeps a reference of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_config_set_test_data(
    config: *mut flagstone_config,
    data: *const flagstone_test_data,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let set = || {
            // SAFETY: NULL or live, by the rules of the header.
            let config = unsafe { borrow(config.cast_const()) }.ok_or_else(|| Failure::handle("config", config))?;
            let data = data_of(data)?;
            lock(config).set_test_data(data.clone());
            Ok(())
        };
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(set(), err) }
    })
}

fn data_of<'a>(data: *const flagstone_test_data) -> Result<&'a TestData, Failure> {
    // SAFETY: the promise of the exports that pass their handle here: NULL or live for the call.
    unsafe { borrow(data) }.ok_or_else(|| Failure::handle("data", data))
}

fn failure(kind: i32, http_status: i32, message: &str) -> Result<SourceFailure, Failure> {
    let kinds = [
        FailureKind::Unknown,
        FailureKind::NetworkError,
        FailureKind::ErrorResponse,
        FailureKind::InvalidData,
        FailureKind::StoreError,
    ];
    let kind = kinds
        .into_iter()
        .find(|known| *known as i32 == kind)
        .ok_or_else(|| Failure::new(status::INVALID_ARGUMENT, format!("error_kind {kind} is unknown")))?;
    let status = u16::try_from(http_status)
        .map_err(|_| Failure::new(status::INVALID_ARGUMENT, format!("http_status {http_status} is none")))?;
    Ok(SourceFailure { kind, status, message: message.to_owned() })
}

impl From<TestDataError> for Failure {
    fn from(error: TestDataError) -> Self {
        Self::new(status::INVALID_ARGUMENT, format!("json: {error}"))
    }
}
