//! libflagstone as a host sees it: the declarations of its C header that are needed here, and safe handles around them.
//! Depends on the shared library and on nothing else of the project, like a host of another language.
#![allow(unsafe_code, reason = "calls into a C library")]

use std::ffi::{c_char, c_void};
use std::ptr;

#[repr(C)]
struct Str {
    ptr: *const c_char,
    len: usize,
}

#[repr(C)]
struct Bytes {
    ptr: *mut c_char,
    len: usize,
    owner: *mut c_void,
}

type Status = i32;

const OK: Status = 0;
const TYPE_BOOL: i32 = 1;

unsafe extern "C" {
    fn flagstone_error_message(error: *const c_void) -> Str;
    fn flagstone_error_free(error: *mut c_void);
    fn flagstone_config_new() -> *mut c_void;
    fn flagstone_config_set(
        config: *mut c_void,
        name: *const c_char,
        name_len: usize,
        value: *const c_char,
        value_len: usize,
        error: *mut *mut c_void,
    ) -> Status;
    fn flagstone_config_set_test_data(config: *mut c_void, data: *const c_void, error: *mut *mut c_void) -> Status;
    fn flagstone_config_free(config: *mut c_void);
    fn flagstone_test_data_new() -> *mut c_void;
    fn flagstone_test_data_set_json(
        data: *mut c_void,
        kind: i32,
        json: *const c_char,
        len: usize,
        error: *mut *mut c_void,
    ) -> Status;
    fn flagstone_test_data_release(data: *mut c_void);
    fn flagstone_client_new(config: *const c_void, out: *mut *mut c_void, error: *mut *mut c_void) -> Status;
    fn flagstone_client_start(client: *mut c_void, timeout_ms: u32, error: *mut *mut c_void) -> Status;
    fn flagstone_client_flush(client: *mut c_void, timeout_ms: u32, error: *mut *mut c_void) -> Status;
    fn flagstone_client_close(client: *mut c_void, timeout_ms: u32) -> Status;
    fn flagstone_client_release(client: *mut c_void);
    fn flagstone_context_from_json(
        json: *const c_char,
        len: usize,
        out: *mut *mut c_void,
        error: *mut *mut c_void,
    ) -> Status;
    fn flagstone_context_release(context: *mut c_void);
    fn flagstone_bool_variation(
        client: *const c_void,
        context: *const c_void,
        key: *const c_char,
        len: usize,
        default: i32,
    ) -> i32;
    fn flagstone_all_flags_json(
        client: *const c_void,
        context: *const c_void,
        options: u32,
        out: *mut Bytes,
        error: *mut *mut c_void,
    ) -> Status;
    fn flagstone_bytes_clear(bytes: *mut Bytes);
    fn flagstone_flag_new(
        client: *mut c_void,
        key: *const c_char,
        len: usize,
        value_type: i32,
        default_json: *const c_char,
        default_len: usize,
        out: *mut *mut c_void,
        error: *mut *mut c_void,
    ) -> Status;
    fn flagstone_flag_bool(flag: *const c_void, context: *const c_void) -> i32;
    fn flagstone_flag_release(flag: *mut c_void);
}

/// Who is asking.
pub struct Context(*mut c_void);

/// A client.
pub struct Client(*mut c_void);
// SAFETY: the header allows every function on a client on any number of threads.
unsafe impl Sync for Client {}

/// Flags that are set from here.
pub struct TestData(*mut c_void);

/// A flag whose key, type and default are bound.
pub struct Flag(*mut c_void);

impl Context {
    /// A context from its JSON form.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let (mut context, mut error) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the text is valid for the call, and both places may be written.
        let status = unsafe { flagstone_context_from_json(text(json), json.len(), &mut context, &mut error) };
        done(status, error).map(|()| Self(context))
    }
}

impl Client {
    /// Starts a client in daemon mode, which reads Redis and is told of changes, and waits until it is ready.
    pub fn start(url: &str, prefix: &str) -> Result<Self, String> {
        Self::start_with(&[("redis.url", url), ("redis.prefix", prefix)], None)
    }

    /// Starts a client with these options, fed by `data` if there are any, and waits until it is ready, at most a minute.
    pub fn start_with(options: &[(&str, &str)], data: Option<&TestData>) -> Result<Self, String> {
        let (mut client, mut error) = (ptr::null_mut(), ptr::null_mut());
        let config = Config::new(options)?.with("log.level", "none")?;
        if let Some(data) = data {
            // SAFETY: both handles are live, and the place may be written.
            let status = unsafe { flagstone_config_set_test_data(config.0, data.0, &mut error) };
            done(status, error)?;
        }
        // SAFETY: the configuration is live, and both places may be written.
        let status = unsafe { flagstone_client_new(config.0, &mut client, &mut error) };
        done(status, error)?;
        let (client, mut error) = (Self(client), ptr::null_mut());
        // SAFETY: the client is live, and the place may be written.
        let status = unsafe { flagstone_client_start(client.0, 60_000, &mut error) };
        done(status, error).map(|()| client)
    }

    /// The value of a boolean flag, `false` when there is none.
    #[inline]
    pub fn bool_variation(&self, context: &Context, key: &str) -> bool {
        // SAFETY: both handles are live and the key is valid for the call.
        unsafe { flagstone_bool_variation(self.0, context.0, text(key), key.len(), 0) == 1 }
    }

    /// Sends what waits, and waits until it has arrived.
    pub fn flush(&self, timeout: std::time::Duration) -> Result<(), String> {
        let mut error = ptr::null_mut();
        let milliseconds = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        // SAFETY: the client is live, and the place may be written.
        let status = unsafe { flagstone_client_flush(self.0, milliseconds, &mut error) };
        done(status, error)
    }

    /// Hands the state of all flags, as JSON text, to `read`.
    pub fn all_flags<R>(&self, context: &Context, read: impl FnOnce(&str) -> R) -> Result<R, String> {
        let mut bytes = Bytes { ptr: ptr::null_mut(), len: 0, owner: ptr::null_mut() };
        let mut error = ptr::null_mut();
        // SAFETY: both handles are live, and both places may be written.
        let status = unsafe { flagstone_all_flags_json(self.0, context.0, 0, &mut bytes, &mut error) };
        done(status, error)?;
        // SAFETY: the bytes are valid until they are cleared below.
        let text = unsafe { std::slice::from_raw_parts(bytes.ptr.cast::<u8>(), bytes.len) };
        let result = std::str::from_utf8(text).map(read).map_err(|error| error.to_string());
        // SAFETY: written by the library, cleared once.
        unsafe { flagstone_bytes_clear(&mut bytes) };
        result
    }

    /// Prepares a boolean flag with the default `false`.
    pub fn prepare(&self, key: &str) -> Result<Flag, String> {
        let (mut flag, mut error) = (ptr::null_mut(), ptr::null_mut());
        let default = "false";
        // SAFETY: the client is live, the texts are valid for the call, and both places may be written.
        let status = unsafe {
            flagstone_flag_new(
                self.0,
                text(key),
                key.len(),
                TYPE_BOOL,
                text(default),
                default.len(),
                &mut flag,
                &mut error,
            )
        };
        done(status, error).map(|()| Flag(flag))
    }
}

impl Flag {
    /// The flag's value.
    #[inline]
    pub fn value(&self, context: &Context) -> bool {
        // SAFETY: both handles are live.
        unsafe { flagstone_flag_bool(self.0, context.0) == 1 }
    }
}

impl TestData {
    /// No flags.
    pub fn new() -> Self {
        // SAFETY: takes nothing.
        Self(unsafe { flagstone_test_data_new() })
    }

    /// Sets a flag; returns when every client that is fed by these data serves it.
    pub fn set_flag(&self, json: &str) -> Result<(), String> {
        let mut error = ptr::null_mut();
        // SAFETY: the data are live, the text is valid for the call, and the place may be written.
        let status = unsafe { flagstone_test_data_set_json(self.0, 0, text(json), json.len(), &mut error) };
        done(status, error)
    }
}

impl Drop for TestData {
    fn drop(&mut self) {
        // SAFETY: this handle holds one reference and gives it back once.
        unsafe { flagstone_test_data_release(self.0) }
    }
}

struct Config(*mut c_void);

impl Config {
    fn new(options: &[(&str, &str)]) -> Result<Self, String> {
        // SAFETY: takes nothing.
        let config = Self(unsafe { flagstone_config_new() });
        options.iter().try_fold(config, |config, (name, value)| config.with(name, value))
    }

    fn with(self, name: &str, value: &str) -> Result<Self, String> {
        let mut error = ptr::null_mut();
        // SAFETY: the configuration is live, the texts are valid for the call, and the place may be written.
        let status =
            unsafe { flagstone_config_set(self.0, text(name), name.len(), text(value), value.len(), &mut error) };
        done(status, error).map(|()| self)
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: this is the only reference.
        unsafe { flagstone_config_free(self.0) }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: this handle holds one reference and gives it back once.
        unsafe { flagstone_context_release(self.0) }
    }
}

impl Drop for Flag {
    fn drop(&mut self) {
        // SAFETY: this handle holds one reference and gives it back once.
        unsafe { flagstone_flag_release(self.0) }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: live until the release below.
        unsafe { flagstone_client_close(self.0, 5_000) };
        // SAFETY: this handle holds one reference and gives it back once.
        unsafe { flagstone_client_release(self.0) }
    }
}

fn text(text: &str) -> *const c_char {
    text.as_ptr().cast()
}

/// Turns a status with its error object into a result, and frees the object.
fn done(status: Status, error: *mut c_void) -> Result<(), String> {
    if status == OK {
        return Ok(());
    }
    if error.is_null() {
        return Err(format!("flagstone status {status}"));
    }
    // SAFETY: the error is live until it is freed below.
    let message = unsafe { flagstone_error_message(error) };
    // SAFETY: the message is valid until the error is freed.
    let bytes = unsafe { std::slice::from_raw_parts(message.ptr.cast::<u8>(), message.len) };
    let message = String::from_utf8_lossy(bytes).into_owned();
    // SAFETY: owned by the caller, freed once.
    unsafe { flagstone_error_free(error) };
    Err(format!("flagstone status {status}: {message}"))
}
