//! Fuzz targets of the C border: any bytes as texts and any numbers as codes, by valid pointers. A call ends well, with what it
//! owes, or with an error that says why, and never in a panic. Depends on nothing but the exports.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a target fails by panicking")]

use std::ffi::c_char;
use std::ptr;
use std::sync::OnceLock;

use serde::de::IgnoredAny;

use super::error::status;
use super::*;
use crate::model::choices::Choices;

/// Stands where a secret may stand in seeds. No message repeats it.
const SECRET: &str = "Hunter-2";

fn lent(bytes: &[u8]) -> flagstone_str {
    flagstone_str { ptr: bytes.as_ptr().cast::<c_char>(), len: bytes.len() }
}

/// What a call left: an error just when it failed, which is given back here. Its message; none where the call went well.
fn settle(outcome: flagstone_status, error: *mut flagstone_error) -> Option<String> {
    assert_ne!(outcome, status::PANIC);
    assert_eq!(error.is_null(), outcome == status::OK);
    if error.is_null() {
        return None;
    }
    // SAFETY: live: it was just made.
    assert_eq!(unsafe { flagstone_error_code(error) }, outcome);
    // SAFETY: the same.
    let message = unsafe { flagstone_error_message(error) };
    // SAFETY: the message lives as long as the error.
    let message = unsafe { text(message.ptr, message.len) }.unwrap_or_else(|_| panic!("a message is text")).to_owned();
    // SAFETY: it is not used any more.
    unsafe { flagstone_error_free(error) };
    assert!(!message.is_empty());
    Some(message)
}

/// Calls something that gives an error by its last argument. True where it went well.
fn call(function: impl FnOnce(*mut *mut flagstone_error) -> flagstone_status) -> bool {
    let mut error = ptr::null_mut();
    let outcome = function(&raw mut error);
    settle(outcome, error).is_none()
}

/// The same for options: numbers, words and names that are none are told, and no other values.
fn configure(function: impl FnOnce(*mut *mut flagstone_error) -> flagstone_status) {
    let mut error = ptr::null_mut();
    let outcome = function(&raw mut error);
    let Some(message) = settle(outcome, error) else { return };
    let is_plain = |part: &str| message.contains(part);
    if !is_plain(" is not an integer from ") && !is_plain(" is none of: ") && !is_plain("unknown option ") {
        assert!(!message.contains(SECRET), "{message}");
    }
}

/// Text that a call gives.
fn told(function: impl FnOnce(*mut flagstone_bytes, *mut *mut flagstone_error) -> flagstone_status) -> Option<String> {
    let mut bytes = flagstone_bytes { ptr: ptr::null_mut(), len: 0, owner: ptr::null_mut() };
    call(|error| function(&raw mut bytes, error)).then(|| taken(&mut bytes))
}

/// The text, which is given back.
fn taken(bytes: &mut flagstone_bytes) -> String {
    // SAFETY: valid until it is cleared.
    let text = unsafe { text(bytes.ptr, bytes.len) }.map(str::to_owned);
    // SAFETY: the struct is valid.
    unsafe { flagstone_bytes_clear(bytes) };
    text.unwrap_or_else(|_| panic!("what is given is text"))
}

/// A context that a call makes; null if it makes none.
fn made(
    function: impl FnOnce(*mut *mut flagstone_context, *mut *mut flagstone_error) -> flagstone_status,
) -> *mut flagstone_context {
    let mut context = ptr::null_mut();
    let is_well = call(|error| function(&raw mut context, error));
    assert_eq!(is_well, !context.is_null());
    context
}

/// Contexts of any bytes, made in every way; whatever is made can be looked at.
pub fn c_context(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut contexts: Vec<*const flagstone_context> = Vec::new();
    while !choices.is_over() && contexts.len() < 8 {
        let context = make_context(&mut choices);
        if !context.is_null() {
            look_at(context, choices.bytes(), choices.bytes());
            contexts.push(context);
        }
    }
    // SAFETY: the list has as many live handles.
    let merged = made(|out, error| unsafe { flagstone_context_merge(contexts.as_ptr(), contexts.len(), out, error) });
    for context in contexts {
        // SAFETY: it is not used any more.
        unsafe { flagstone_context_release(context.cast_mut()) };
    }
    if !merged.is_null() {
        look_at(merged, b"user", b"/a/b");
        // SAFETY: the same.
        unsafe { flagstone_context_release(merged) };
    }
}

fn make_context(choices: &mut Choices<'_>) -> *mut flagstone_context {
    match choices.below(4) {
        0 => {
            let (kind, key) = (lent(choices.bytes()), lent(choices.bytes()));
            // SAFETY: the texts are lent for the call.
            made(|out, error| unsafe { flagstone_context_from_key(kind, key, out, error) })
        }
        1 => {
            let json = lent(choices.bytes());
            // SAFETY: the text is lent for the call.
            made(|out, error| unsafe { flagstone_context_from_json(json.ptr, json.len, out, error) })
        }
        2 => {
            let (kind, key) = (lent(choices.bytes()), lent(choices.bytes()));
            let list: Vec<flagstone_attr> = (0..choices.below(4)).map(|_| attribute(choices)).collect();
            // SAFETY: the texts and the list are lent for the call.
            made(|out, error| unsafe { flagstone_context_from_attrs(kind, key, list.as_ptr(), list.len(), out, error) })
        }
        _ => build(choices),
    }
}

fn attribute(choices: &mut Choices<'_>) -> flagstone_attr {
    let numbers = [0.0, 1.0, -0.5, f64::NAN, f64::INFINITY, 1e300, f64::MIN_POSITIVE];
    flagstone_attr {
        name: lent(choices.bytes()),
        r#type: i32::from(choices.byte() % 7) - 1,
        flags: u32::from(choices.byte() % 3),
        number: numbers[choices.below(numbers.len())],
        text: lent(choices.bytes()),
    }
}

fn build(choices: &mut Choices<'_>) -> *mut flagstone_context {
    let (kind, key) = (lent(choices.bytes()), lent(choices.bytes()));
    // SAFETY: the texts are lent for the call.
    let builder = unsafe { flagstone_context_builder_new(kind, key) };
    for _ in 0..choices.below(4) {
        let attribute = attribute(choices);
        // SAFETY: NULL or live, and the attribute is lent for the call.
        call(|error| unsafe { flagstone_context_builder_set(builder, &raw const attribute, error) });
        let reference = lent(choices.bytes());
        // SAFETY: the same.
        call(|error| unsafe { flagstone_context_builder_set_private(builder, reference, error) });
    }
    // SAFETY: NULL or live.
    let context = made(|out, error| unsafe { flagstone_context_builder_build(builder, out, error) });
    // SAFETY: it is not used any more.
    unsafe { flagstone_context_builder_free(builder) };
    context
}

fn look_at(context: *const flagstone_context, kind: &[u8], reference: &[u8]) {
    let (kind, reference) = (lent(kind), lent(reference));
    // SAFETY: live.
    let json = told(|out, error| unsafe { flagstone_context_to_json(context, out, error) }).unwrap();
    assert!(serde_json::from_str::<IgnoredAny>(&json).is_ok(), "{json}");
    // SAFETY: live.
    told(|out, error| unsafe { flagstone_context_canonical_key(context, out, error) }).unwrap();
    // SAFETY: live.
    told(|out, error| unsafe { flagstone_context_kinds(context, out, error) }).unwrap();
    // SAFETY: live, and the texts are lent for the call.
    let value = told(|out, error| unsafe { flagstone_context_get(context, kind, reference, out, error) });
    assert!(value.is_none_or(|value| serde_json::from_str::<IgnoredAny>(&value).is_ok()));
    // SAFETY: the same.
    told(|out, error| unsafe { flagstone_context_private_attributes(context, kind, out, error) });
    // SAFETY: the same.
    let single = made(|out, error| unsafe { flagstone_context_individual(context, kind, out, error) });
    // SAFETY: NULL or live, and not used any more.
    unsafe { flagstone_context_release(single) };
}

/// Options, test data and evaluations with any bytes.
pub fn c_client(data: &[u8]) {
    let host = HOST.get_or_init(Host::start);
    let mut choices = Choices::new(data);
    let config = flagstone_config_new();
    while !choices.is_over() {
        match choices.below(4) {
            0 => {
                let (name, value) = (lent(choices.bytes()), lent(choices.bytes()));
                // SAFETY: live, and the texts are lent for the call.
                call(|error| unsafe { flagstone_config_set(config, name.ptr, name.len, value.ptr, value.len, error) });
            }
            1 => {
                let json = lent(choices.bytes());
                // SAFETY: the same.
                configure(|error| unsafe { flagstone_config_load_json(config, json.ptr, json.len, error) });
            }
            2 => host.change(&mut choices),
            _ => host.evaluate(&mut choices),
        }
    }
    // SAFETY: it is not used any more.
    unsafe { flagstone_config_free(config) };
    // SAFETY: live.
    let metrics = told(|out, error| unsafe { flagstone_client_metrics_text(host.client(), out, error) }).unwrap();
    assert!(metrics.contains("flagstone_panics_total 0\n"));
}

static HOST: OnceLock<Host> = OnceLock::new();

/// A client with test data, which lives as long as the process.
struct Host {
    client: usize,
    data: usize,
    context: usize,
}

impl Host {
    fn start() -> Self {
        let (data, config) = (flagstone_test_data_new(), flagstone_config_new());
        // SAFETY: both are live.
        assert!(call(|error| unsafe { flagstone_config_set_test_data(config, data, error) }));
        let (name, value) = ("events.enabled", "false");
        // SAFETY: live, and the texts are lent for the call.
        assert!(call(|error| unsafe {
            flagstone_config_set(config, name.as_ptr().cast(), name.len(), value.as_ptr().cast(), value.len(), error)
        }));
        let mut client = ptr::null_mut();
        // SAFETY: live.
        assert!(call(|error| unsafe { flagstone_client_new(config, &raw mut client, error) }));
        // SAFETY: live.
        assert!(call(|error| unsafe { flagstone_client_start(client, 60_000, error) }));
        // SAFETY: it is not used any more.
        unsafe { flagstone_config_free(config) };
        let (kind, key) = (lent(b"user"), lent(b"ada"));
        // SAFETY: the texts are lent for the call.
        let context = made(|out, error| unsafe { flagstone_context_from_key(kind, key, out, error) });
        Self {
            client: client.expose_provenance(),
            data: data.expose_provenance(),
            context: context.expose_provenance(),
        }
    }

    fn client(&self) -> *const flagstone_client {
        ptr::with_exposed_provenance(self.client)
    }

    fn change(&self, choices: &mut Choices<'_>) {
        let data: *mut flagstone_test_data = ptr::with_exposed_provenance_mut(self.data);
        let (kind, bytes) = (i32::from(choices.byte() % 4) - 1, lent(choices.bytes()));
        if choices.one_in(4) {
            // SAFETY: live, and the text is lent for the call.
            call(|error| unsafe { flagstone_test_data_delete(data, kind, bytes.ptr, bytes.len, error) });
        } else {
            // SAFETY: the same.
            call(|error| unsafe { flagstone_test_data_set_json(data, kind, bytes.ptr, bytes.len, error) });
        }
    }

    fn evaluate(&self, choices: &mut Choices<'_>) {
        let context: *const flagstone_context = ptr::with_exposed_provenance(self.context);
        let (key, other) = (lent(choices.bytes()), choices.bytes());
        // SAFETY: live, and the text is lent for the call.
        let value = unsafe { flagstone_bool_variation(self.client(), context, key.ptr, key.len, 7) };
        assert!(value == 0 || value == 1);
        // SAFETY: the same.
        let _ = unsafe { flagstone_int_variation(self.client(), context, key.ptr, key.len, -1) };
        // SAFETY: the same.
        let number = unsafe { flagstone_double_variation(self.client(), context, key.ptr, key.len, 0.5) };
        assert!(number.is_finite());
        let (default, mut bytes) =
            (lent(other), flagstone_bytes { ptr: ptr::null_mut(), len: 0, owner: ptr::null_mut() });
        // SAFETY: live, and the texts are lent for the call.
        let found = unsafe {
            flagstone_string_variation(
                self.client(),
                context,
                key.ptr,
                key.len,
                default.ptr,
                default.len,
                &raw mut bytes,
            )
        };
        if found == 1 {
            taken(&mut bytes);
        } else {
            assert_eq!((bytes.ptr.cast_const(), bytes.len), (default.ptr, default.len));
            // SAFETY: the struct is valid.
            unsafe { flagstone_bytes_clear(&raw mut bytes) };
        }
    }
}
