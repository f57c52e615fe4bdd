//! A host: safe, owning wrappers over the exported C functions, so that the tests enter as every host does and read well.
#![allow(unsafe_code, reason = "calls of the C functions")]

mod asked;
mod config;
mod migration;
mod told;

use std::ffi::c_char;
use std::mem::size_of;
use std::ptr;
use std::time::Duration;

use flagstone::ffi::*;
use serde_json::Value;

use super::{PATIENCE, PATIENCE_MS, RedisServer, eventually, wait_until};

pub use asked::{Detail, Prepared};
pub use config::{Config, TestData};
pub use migration::{Migration, NEW, OLD, READ, WRITE};
pub use told::{BigSegments, Notice, Polled};

pub const OK: i32 = flagstone_status_code::FLAGSTONE_STATUS_OK as i32;
pub const TIMEOUT: i32 = flagstone_status_code::FLAGSTONE_STATUS_TIMEOUT as i32;
pub const INVALID_ARGUMENT: i32 = flagstone_status_code::FLAGSTONE_STATUS_INVALID_ARGUMENT as i32;
pub const NULL_ARGUMENT: i32 = flagstone_status_code::FLAGSTONE_STATUS_NULL_ARGUMENT as i32;
pub const STORE: i32 = flagstone_status_code::FLAGSTONE_STATUS_STORE as i32;
pub const NOT_FOUND: i32 = flagstone_status_code::FLAGSTONE_STATUS_NOT_FOUND as i32;
pub const CLOSED: i32 = flagstone_status_code::FLAGSTONE_STATUS_CLOSED as i32;
pub const INIT: i32 = flagstone_state::FLAGSTONE_STATE_INIT as i32;
pub const VALID: i32 = flagstone_state::FLAGSTONE_STATE_VALID as i32;
pub const INTERRUPTED: i32 = flagstone_state::FLAGSTONE_STATE_INTERRUPTED as i32;
pub const OFF: i32 = flagstone_state::FLAGSTONE_STATE_OFF as i32;

fn pointer(text: &str) -> (*const c_char, usize) {
    (text.as_ptr().cast::<c_char>(), text.len())
}

fn owned(text: flagstone_str) -> String {
    if text.len == 0 {
        return String::new();
    }
    // SAFETY: the library says that these bytes are readable until the owner is cleared, which the callers do afterwards.
    let bytes = unsafe { std::slice::from_raw_parts(text.ptr.cast::<u8>(), text.len) };
    String::from_utf8(bytes.to_vec()).expect("texts of the library are UTF-8")
}

/// A call that failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub status: i32,
    pub message: String,
}

/// Makes a call with an error place and turns the outcome into a result.
fn call(make: impl FnOnce(*mut *mut flagstone_error) -> i32) -> Result<(), Failure> {
    let mut error: *mut flagstone_error = ptr::null_mut();
    let status = make(&raw mut error);
    assert_eq!(status == OK, error.is_null(), "an error object comes with failures and only with them");
    if status == OK {
        return Ok(());
    }
    // SAFETY: a live error.
    assert_eq!(unsafe { flagstone_error_code(error) }, status);
    // SAFETY: a live error.
    let message = owned(unsafe { flagstone_error_message(error) });
    // SAFETY: ours, given back once.
    unsafe { flagstone_error_free(error) };
    Err(Failure { status, message })
}

/// Makes a call that gives text of its own, and copies it.
fn text_of(make: impl FnOnce(*mut flagstone_bytes, *mut *mut flagstone_error) -> i32) -> Result<String, Failure> {
    let mut bytes = flagstone_bytes { ptr: ptr::null_mut(), len: 0, owner: ptr::null_mut() };
    call(|error| make(&raw mut bytes, error))?;
    let text = owned(flagstone_str { ptr: bytes.ptr, len: bytes.len });
    // SAFETY: written by the library.
    unsafe { flagstone_bytes_clear(&raw mut bytes) };
    Ok(text)
}

/// Condition of source and store, copied.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    pub source_state: i32,
    pub source_since_ms: i64,
    pub error_kind: i32,
    pub error_status: i32,
    pub error_ms: i64,
    pub error: String,
    pub store_available: bool,
    pub store_stale_since_ms: i64,
}

/// Who asks.
pub struct Context(*mut flagstone_context);
// SAFETY: the header allows contexts on any number of threads.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// A user that has nothing but a key.
    pub fn user(key: &str) -> Self {
        let mut context: *mut flagstone_context = ptr::null_mut();
        let (ptr, len) = pointer(key);
        let (kind, key) = (flagstone_str { ptr: ptr::null(), len: 0 }, flagstone_str { ptr, len });
        // SAFETY: readable texts and writable places.
        call(|error| unsafe { flagstone_context_from_key(kind, key, &raw mut context, error) }).expect("a valid key");
        Self(context)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: ours, given back once.
        unsafe { flagstone_context_release(self.0) };
    }
}

/// A client. Evaluations are for user `ada` unless said otherwise.
pub struct Client {
    handle: *mut flagstone_client,
    user: Context,
}
// SAFETY: the header allows every function on a client on any number of threads.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    pub fn start(&self, timeout_ms: u32) -> Result<(), Failure> {
        // SAFETY: a live client.
        call(|error| unsafe { flagstone_client_start(self.handle, timeout_ms, error) })
    }

    pub fn wait(&self, state: i32, timeout_ms: u32) -> i32 {
        // SAFETY: a live client.
        unsafe { flagstone_client_wait(self.handle, state, timeout_ms) }
    }

    /// Waits for a state; fails the test when it does not come.
    #[track_caller]
    pub fn becomes(&self, state: i32) {
        let outcome = self.wait(state, PATIENCE_MS);
        assert_eq!(outcome, OK, "state {state} does not come: {:?}", self.try_status());
    }

    pub fn state(&self) -> i32 {
        // SAFETY: a live client.
        unsafe { flagstone_client_state(self.handle) }
    }

    /// Condition of source and store.
    pub fn info(&self) -> Info {
        let mut info = flagstone_client_status_info {
            struct_size: size_of::<flagstone_client_status_info>() as u32,
            source_state: 0,
            source_since_ms: 0,
            last_error_kind: 0,
            last_error_status: 0,
            last_error_ms: 0,
            last_error: flagstone_str { ptr: ptr::null(), len: 0 },
            store_available: 0,
            reserved: 0,
            store_stale_since_ms: 0,
            owner: ptr::null_mut(),
        };
        // SAFETY: a live client and a struct of the right size.
        call(|error| unsafe { flagstone_client_status(self.handle, &raw mut info, error) })
            .expect("the client is open");
        let copied = Info {
            source_state: info.source_state,
            source_since_ms: info.source_since_ms,
            error_kind: info.last_error_kind,
            error_status: info.last_error_status,
            error_ms: info.last_error_ms,
            error: owned(info.last_error),
            store_available: info.store_available == 1,
            store_stale_since_ms: info.store_stale_since_ms,
        };
        // SAFETY: written by the library.
        unsafe { flagstone_client_status_info_clear(&raw mut info) };
        copied
    }

    pub fn try_status(&self) -> Result<Value, Failure> {
        // SAFETY: a live client and writable places.
        let text = text_of(|bytes, error| unsafe { flagstone_client_status_json(self.handle, bytes, error) })?;
        Ok(serde_json::from_str(&text).expect("the status is JSON"))
    }

    /// The metrics as text.
    pub fn metrics(&self) -> String {
        // SAFETY: a live client and writable places.
        text_of(|bytes, error| unsafe { flagstone_client_metrics_text(self.handle, bytes, error) }).expect("it is open")
    }

    /// The value of one metric, named with its labels; `None` when it is not told.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let text = self.metrics();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        Some(value.parse().expect("a metric is a number"))
    }

    /// The state of all flags for `context` (`None`: NULL) as JSON text.
    pub fn try_all_flags(&self, context: Option<&Context>, options: u32) -> Result<String, Failure> {
        let context = context.map_or(ptr::null(), |context| context.0.cast_const());
        // SAFETY: live handles and writable places.
        text_of(|bytes, error| unsafe { flagstone_all_flags_json(self.handle, context, options, bytes, error) })
    }

    /// The state of all flags for user `ada`.
    #[track_caller]
    pub fn all_flags(&self) -> String {
        self.try_all_flags(Some(&self.user), 0).expect("the client is open")
    }

    /// The secure mode hash of `context` (`None`: NULL).
    pub fn try_secure_mode_hash(&self, context: Option<&Context>) -> Result<String, Failure> {
        let context = context.map_or(ptr::null(), |context| context.0.cast_const());
        // SAFETY: live handles and writable places.
        text_of(|bytes, error| unsafe { flagstone_secure_mode_hash(self.handle, context, bytes, error) })
    }

    /// The status as JSON.
    pub fn status(&self) -> Value {
        self.try_status().expect("the client is open")
    }

    pub fn close(&self, timeout_ms: u32) -> i32 {
        // SAFETY: a live client.
        unsafe { flagstone_client_close(self.handle, timeout_ms) }
    }

    /// Closes with little time for what is left, and waits for the threads: a busy machine may need longer than that.
    pub fn close_soon(&self, timeout_ms: u32) {
        if self.close(timeout_ms) != OK {
            eventually("the threads of a closed client end", || self.close(100) == OK);
        }
    }

    /// Who logs in from now on; an empty user is the default user.
    pub fn set_credentials(&self, user: &str, password: &str, valid_for_ms: i64) -> Result<(), Failure> {
        let ((user, user_len), (password, len)) = (pointer(user), pointer(password));
        // SAFETY: a live client and readable texts.
        call(|error| unsafe {
            flagstone_client_set_credentials(self.handle, user, user_len, password, len, valid_for_ms, error)
        })
    }

    pub fn postfork(&self) -> Result<(), Failure> {
        // SAFETY: a live client.
        call(|error| unsafe { flagstone_client_postfork(self.handle, error) })
    }

    /// Sends the events that wait, and waits for so many milliseconds.
    pub fn flush_within(&self, timeout_ms: u32) -> Result<(), Failure> {
        // SAFETY: a live client.
        call(|error| unsafe { flagstone_client_flush(self.handle, timeout_ms, error) })
    }

    /// Sends the events that wait, and they are delivered.
    #[track_caller]
    pub fn delivers(&self) {
        self.flush_within(PATIENCE_MS).expect("events are delivered");
    }

    /// Tells that something happened to the user.
    #[track_caller]
    pub fn track(&self, key: &str) {
        let (key, key_len) = pointer(key);
        // SAFETY: live handles, a readable text.
        let make = |error| unsafe {
            flagstone_track(self.handle, self.user.0, key, key_len, ptr::null(), ptr::null(), 0, error)
        };
        call(make).expect("it is taken");
    }

    /// Tells who somebody is.
    #[track_caller]
    pub fn identify(&self, context: &Context) {
        // SAFETY: live handles.
        call(|error| unsafe { flagstone_identify(self.handle, context.0, error) }).expect("it is taken");
    }

    pub fn flush(&self) -> Result<(), Failure> {
        // SAFETY: a live client.
        call(|error| unsafe { flagstone_client_flush(self.handle, 1_000, error) })
    }

    /// How the big-segment store stands.
    pub fn try_big_segments(&self) -> Result<BigSegments, Failure> {
        let size = u32::try_from(size_of::<flagstone_big_segment_status>()).unwrap();
        let mut status =
            flagstone_big_segment_status { struct_size: size, available: 0, stale: 0, reserved: 0, last_sync_ms: 0 };
        // SAFETY: a live client and a struct of the right size.
        call(|error| unsafe { flagstone_big_segments_status(self.handle, &raw mut status, error) })?;
        let last_sync_ms = (status.last_sync_ms != 0).then_some(status.last_sync_ms);
        Ok(BigSegments { available: status.available == 1, stale: status.stale == 1, last_sync_ms })
    }

    /// The same of an open client, as a pair: available, and stale.
    #[track_caller]
    pub fn big_segments(&self) -> (bool, bool) {
        let status = self.try_big_segments().expect("the client is open");
        (status.available, status.stale)
    }

    /// Whether an evaluation may wait.
    pub fn may_wait(&self) -> bool {
        // SAFETY: a live client.
        unsafe { flagstone_client_may_wait(self.handle) == 1 }
    }

    /// Waits until a member of the status has this value.
    #[track_caller]
    pub fn reports(&self, member: &str, value: impl Into<Value>) {
        let value = value.into();
        let mut last = Value::Null;
        let deadline = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < deadline {
            last = self.status();
            if last[member] == value {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{member} is not {value}: {last}");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: ours, given back once.
        unsafe { flagstone_client_release(self.handle) };
    }
}

fn empty_detail() -> flagstone_detail {
    let text = || flagstone_str { ptr: ptr::null(), len: 0 };
    flagstone_detail {
        struct_size: u32::try_from(size_of::<flagstone_detail>()).unwrap(),
        value_type: 0,
        reason: 0,
        error_kind: 0,
        variation_index: 0,
        rule_index: 0,
        flags: 0,
        big_segments_status: 0,
        number_value: 0.0,
        text: text(),
        rule_id: text(),
        prerequisite_key: text(),
        owner: ptr::null_mut(),
    }
}

fn copied(mut detail: flagstone_detail) -> Detail {
    let copy = Detail {
        value: (detail.flags & FLAGSTONE_DETAIL_DEFAULTED == 0).then(|| owned(detail.text)),
        reason: detail.reason,
        error_kind: detail.error_kind,
        variation: detail.variation_index,
        stale: detail.flags & FLAGSTONE_DETAIL_STALE != 0,
        prerequisite: owned(detail.prerequisite_key),
        big_segments: detail.big_segments_status,
    };
    // SAFETY: written by the library.
    unsafe { flagstone_detail_clear(&raw mut detail) };
    copy
}
