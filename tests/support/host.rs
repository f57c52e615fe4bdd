//! A host: safe, owning wrappers over the exported C functions, so that the tests enter as every host does and read well.
#![allow(unsafe_code, reason = "calls of the C functions")]

#[path = "host/migration.rs"]
mod migration;

use std::ffi::c_char;
use std::mem::size_of;
use std::ptr;
use std::time::Duration;

use flagstone::ffi::*;
use serde_json::Value;

use super::{PATIENCE, PATIENCE_MS, RedisServer, eventually, wait_until};

pub use migration::{Migration, NEW, OLD, READ, WRITE};

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

/// Options.
pub struct Config(*mut flagstone_config);

impl Config {
    /// Nothing set.
    pub fn new() -> Self {
        Self(flagstone_config_new())
    }

    /// For `server`, by its plain address.
    pub fn of(server: &RedisServer) -> Self {
        Self::at(&server.url())
    }

    /// For the Redis at `url`. A server that a busy machine keeps from answering for a while is not away: a test of an
    /// outage that is noticed by silence sets shorter times.
    pub fn at(url: &str) -> Self {
        let config = Self::new().with("redis.url", url);
        config.with("redis.connect_timeout_ms", "15000").with("redis.command_timeout_ms", "15000")
    }

    /// Sets an option.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let ((name, name_len), (value, value_len)) = (pointer(name), pointer(value));
        // SAFETY: a live config and readable texts.
        call(|error| unsafe { flagstone_config_set(self.0, name, name_len, value, value_len, error) })
    }

    /// Sets an option that is right.
    #[track_caller]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value).expect("the option is right");
        self
    }

    /// Takes flags and segments from `data`.
    pub fn with_data(self, data: &TestData) -> Self {
        // SAFETY: live handles.
        call(|error| unsafe { flagstone_config_set_test_data(self.0, data.0, error) }).expect("test data fit");
        self
    }

    /// Makes a client.
    pub fn try_client(&self) -> Result<Client, Failure> {
        let mut client: *mut flagstone_client = ptr::null_mut();
        // SAFETY: a live config and writable places.
        call(|error| unsafe { flagstone_client_new(self.0, &raw mut client, error) })?;
        Ok(Client { handle: client, user: Context::user("ada") })
    }

    /// Makes a client that is not started.
    #[track_caller]
    pub fn client(&self) -> Client {
        self.try_client().expect("the options fit together")
    }

    /// Makes a client and waits until it is ready and has a state, which it says a moment later.
    #[track_caller]
    pub fn started(&self) -> Client {
        let client = self.client();
        client.start(PATIENCE_MS).expect("the client becomes ready");
        eventually("the client has a state", || client.state() != INIT);
        client
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: ours, given back once.
        unsafe { flagstone_config_free(self.0) };
    }
}

/// Flags and segments that a test sets.
pub struct TestData(*mut flagstone_test_data);
// SAFETY: the header allows test data on any number of threads.
unsafe impl Send for TestData {}
// SAFETY: as above.
unsafe impl Sync for TestData {}

impl TestData {
    /// Nothing in it.
    pub fn new() -> Self {
        Self(flagstone_test_data_new())
    }

    /// Sets an item; `kind` is 0 for flags and 1 for segments.
    pub fn try_set(&self, kind: i32, json: &str) -> Result<(), Failure> {
        let (json, len) = pointer(json);
        // SAFETY: live data and a readable text.
        call(|error| unsafe { flagstone_test_data_set_json(self.0, kind, json, len, error) })
    }

    /// Sets a flag.
    #[track_caller]
    pub fn set_flag(&self, json: &str) {
        self.try_set(0, json).expect("a flag");
    }

    /// Sets a segment.
    #[track_caller]
    pub fn set_segment(&self, json: &str) {
        self.try_set(1, json).expect("a segment");
    }

    /// Deletes a flag.
    pub fn delete_flag(&self, key: &str) {
        let (key, len) = pointer(key);
        // SAFETY: live data and a readable text.
        call(|error| unsafe { flagstone_test_data_delete(self.0, 0, key, len, error) }).expect("a deletion");
    }

    /// Pretends a state of the source.
    pub fn set_status(&self, state: i32, kind: i32, status: i32, message: &str) -> Result<(), Failure> {
        let (text, len) = pointer(message);
        // SAFETY: live data and a readable text.
        call(|error| unsafe { flagstone_test_data_set_status(self.0, state, kind, status, text, len, error) })
    }
}

impl Drop for TestData {
    fn drop(&mut self) {
        // SAFETY: ours, given back once.
        unsafe { flagstone_test_data_release(self.0) };
    }
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

/// The result of an evaluation, copied.
#[derive(Debug, Clone, PartialEq)]
pub struct Detail {
    /// The text of a string value; `None` when there is no value.
    pub value: Option<String>,
    pub reason: i32,
    pub error_kind: i32,
    pub variation: i32,
    pub stale: bool,
    pub prerequisite: String,
    pub big_segments: i32,
}

impl Detail {
    /// The value, or the name of the error, in one word.
    pub fn word(&self) -> String {
        match &self.value {
            Some(value) => value.clone(),
            None => match self.error_kind {
                0 => "NONE",
                1 => "CLIENT_NOT_READY",
                2 => "FLAG_NOT_FOUND",
                3 => "USER_NOT_SPECIFIED",
                4 => "MALFORMED_FLAG",
                5 => "WRONG_TYPE",
                6 => "EXCEPTION",
                _ => "UNKNOWN",
            }
            .to_owned(),
        }
    }
}

/// What the library tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    Log { level: i32, text: String },
    Status { state: i32, text: String },
    Changed { key: String, old: Option<i64>, new: Option<i64> },
    Value { key: String, listener: u64, old: Value, new: Value },
    BigSegments(BigSegments),
    Credentials { reason: String, user: Option<String> },
    Wake,
}

/// How the big-segment store stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BigSegments {
    pub available: bool,
    pub stale: bool,
    pub last_sync_ms: Option<i64>,
}

/// A notice and how many were dropped before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Polled {
    pub notice: Notice,
    pub dropped: u32,
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

    /// Says whether the host acts upon changes of flags.
    pub fn subscribe(&self, to_flag_changes: bool) -> Result<(), Failure> {
        let wants = u32::from(to_flag_changes) * FLAGSTONE_SUBSCRIBE_FLAG_CHANGES;
        // SAFETY: a live client.
        call(|error| unsafe { flagstone_client_subscribe(self.handle, wants, error) })
    }

    /// Listens to a flag for user `ada`.
    #[track_caller]
    pub fn listen(&self, key: &str) -> u64 {
        let (key, key_len) = pointer(key);
        let mut listener = 0;
        // SAFETY: live handles, a readable text and a writable place.
        call(|error| unsafe {
            flagstone_client_listen(self.handle, self.user.0, key, key_len, &raw mut listener, error)
        })
        .expect("the listener is taken");
        listener
    }

    pub fn unlisten(&self, listener: u64) -> Result<(), Failure> {
        // SAFETY: a live client.
        call(|error| unsafe { flagstone_client_unlisten(self.handle, listener, error) })
    }

    pub fn wake(&self) {
        // SAFETY: a live client.
        unsafe { flagstone_wake(self.handle) };
    }

    /// Evaluates for `context`; any type is taken as JSON text, strings as they are.
    pub fn detail_for(&self, context: &Context, key: &str) -> Detail {
        let (key, key_len) = pointer(key);
        let mut detail = empty_detail();
        let any = flagstone_type::FLAGSTONE_TYPE_NONE as i32;
        let detail_place = &raw mut detail;
        // SAFETY: live handles, readable texts, a detail of the right size.
        let status =
            unsafe { flagstone_variation(self.handle, context.0, key, key_len, any, ptr::null(), 0, detail_place) };
        assert_eq!(status, OK);
        copied(detail)
    }

    /// Evaluates for user `ada`.
    pub fn detail(&self, key: &str) -> Detail {
        self.detail_for(&self.user, key)
    }

    /// The value for user `ada`, or the name of the error.
    pub fn ask(&self, key: &str) -> String {
        self.detail(key).word()
    }

    /// Evaluates for a context given as JSON.
    pub fn detail_for_json(&self, context: &str, key: &str) -> Detail {
        let mut handle: *mut flagstone_context = ptr::null_mut();
        let (json, len) = pointer(context);
        // SAFETY: a readable text and writable places.
        call(|error| unsafe { flagstone_context_from_json(json, len, &raw mut handle, error) }).expect("a context");
        self.detail_for(&Context(handle), key)
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

    /// The bool value for user `ada`.
    pub fn bool(&self, key: &str, default: bool) -> bool {
        self.bool_for(&self.user, key, default)
    }

    /// The bool value for `context`.
    pub fn bool_for(&self, context: &Context, key: &str, default: bool) -> bool {
        let (key, key_len) = pointer(key);
        // SAFETY: live handles and a readable text.
        unsafe { flagstone_bool_variation(self.handle, context.0, key, key_len, i32::from(default)) == 1 }
    }

    /// Prepares a flag of any type.
    pub fn prepare(&self, key: &str) -> Result<Prepared, Failure> {
        let mut flag: *mut flagstone_flag = ptr::null_mut();
        let ((key, key_len), any) = (pointer(key), flagstone_type::FLAGSTONE_TYPE_NONE as i32);
        let place = &raw mut flag;
        // SAFETY: a live client, readable texts, writable places.
        call(|error| unsafe { flagstone_flag_new(self.handle, key, key_len, any, ptr::null(), 0, place, error) })?;
        Ok(Prepared { handle: flag, user: Context::user("ada") })
    }

    /// Waits until the flag has this value for user `ada`, evaluating all the time.
    #[track_caller]
    pub fn serves(&self, key: &str, value: &str) {
        let mut last = String::new();
        let deadline = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < deadline {
            last = self.ask(key);
            if last == value {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{key} gives {last}, not {value}: {:?}", self.try_status());
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

    /// Takes the oldest notice; the status when there is none.
    pub fn poll(&self, timeout_ms: u32) -> Result<Polled, i32> {
        let mut event = empty_event();
        // SAFETY: a live client and an event of the right size.
        let status = unsafe { flagstone_poll_event(self.handle, timeout_ms, &raw mut event) };
        if status != OK {
            return Err(status);
        }
        let (text, extra) = (owned(event.text), owned(event.extra));
        let (kind, number, dropped) = (event.kind, event.level_or_state, event.dropped);
        assert!(event.unix_ms > 1_700_000_000_000, "{}", event.unix_ms);
        // SAFETY: written by the library.
        unsafe { flagstone_event_clear(&raw mut event) };
        let notice = match kind {
            0 => Notice::Log { level: number, text },
            1 => Notice::Status { state: number, text },
            2 => {
                let extra: Value = serde_json::from_str(&extra).expect("versions are JSON");
                Notice::Changed { key: text, old: extra["old_version"].as_i64(), new: extra["new_version"].as_i64() }
            }
            3 => {
                let extra: Value = serde_json::from_str(&extra).expect("the status is JSON");
                let is = |name: &str| extra[name].as_bool().expect("a bool");
                let last_sync_ms = extra["last_sync_ms"].as_i64();
                Notice::BigSegments(BigSegments { available: is("available"), stale: is("stale"), last_sync_ms })
            }
            4 => Notice::Wake,
            5 => {
                let mut extra: Value = serde_json::from_str(&extra).expect("values are JSON");
                let listener = extra["listener"].as_u64().expect("a listener");
                Notice::Value { key: text, listener, old: extra["old"].take(), new: extra["new"].take() }
            }
            6 => {
                let extra: Value = serde_json::from_str(&extra).expect("the user is JSON");
                Notice::Credentials { reason: text, user: extra["user"].as_str().map(str::to_owned) }
            }
            other => panic!("unknown kind {other}"),
        };
        Ok(Polled { notice, dropped })
    }

    /// Everything that waits, without waiting.
    pub fn drain(&self) -> Vec<Notice> {
        std::iter::from_fn(|| self.poll(0).ok()).map(|polled| polled.notice).collect()
    }

    /// Waits for the notice of a state; gives all notices up to it. A state is there a moment before its notice.
    #[track_caller]
    pub fn hears_state(&self, state: i32) -> Vec<Notice> {
        let mut heard = Vec::new();
        eventually(&format!("state {state} is told"), || {
            while let Ok(polled) = self.poll(0) {
                heard.push(polled.notice);
                if matches!(heard.last(), Some(Notice::Status { state: told, .. }) if *told == state) {
                    return true;
                }
            }
            false
        });
        heard
    }

    /// Waits for the change of a flag, past all other notices, and gives its versions.
    #[track_caller]
    pub fn hears_change_of(&self, flag: &str) -> (Option<i64>, Option<i64>) {
        let mut heard = Vec::new();
        let deadline = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < deadline {
            match self.poll(100) {
                Ok(Polled { notice: Notice::Changed { key, old, new }, .. }) if key == flag => return (old, new),
                Ok(polled) => heard.push(polled.notice),
                Err(TIMEOUT) => {}
                Err(status) => panic!("poll gives {status}"),
            }
        }
        panic!("no change of {flag}, but {heard:?}");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: ours, given back once.
        unsafe { flagstone_client_release(self.handle) };
    }
}

/// A prepared flag.
pub struct Prepared {
    handle: *mut flagstone_flag,
    user: Context,
}

impl Prepared {
    /// The value for user `ada`, or the name of the error.
    pub fn ask(&self) -> String {
        let mut detail = empty_detail();
        // SAFETY: live handles and a detail of the right size.
        assert_eq!(unsafe { flagstone_flag_detail(self.handle, self.user.0, &raw mut detail) }, OK);
        copied(detail).word()
    }

    /// The never-waiting form: -1 when something would have to be read first.
    pub fn bool_try(&self) -> i32 {
        // SAFETY: live handles.
        unsafe { flagstone_flag_bool_try(self.handle, self.user.0) }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // SAFETY: ours, given back once.
        unsafe { flagstone_flag_release(self.handle) };
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

fn empty_event() -> flagstone_event {
    let text = || flagstone_str { ptr: ptr::null(), len: 0 };
    flagstone_event {
        struct_size: u32::try_from(size_of::<flagstone_event>()).unwrap(),
        kind: 0,
        level_or_state: 0,
        dropped: 0,
        unix_ms: 0,
        text: text(),
        extra: text(),
        owner: ptr::null_mut(),
    }
}
