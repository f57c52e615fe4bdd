//! Context handles: who is asking.

use std::ffi::c_char;

use super::error::{Failure, finish, status};
use super::{
    Opaque, borrow, element, flagstone_bytes, flagstone_error, flagstone_status, flagstone_str, guard, into_handle,
    put, release, retain, text,
};
use crate::context::{Context, ContextBuilder, ContextError};
use crate::model::{Value, excerpt};

/// Characters of a name that messages show.
const SHOWN: usize = 100;

/// A context: who a flag is evaluated for. Immutable; may be shared by any number of clients and threads. Making one costs
/// a fraction of a microsecond, so keep it as long as the same one asks. Counted.
pub struct flagstone_context {
    _opaque: [u8; 0],
}

impl Opaque for flagstone_context {
    type Inner = Context;
    const TAG: u64 = u64::from_be_bytes(*b"fscontxt");
}

/// Types of values.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_type {
    /// No value, or null; as a type asked for: any.
    FLAGSTONE_TYPE_NONE = 0,
    /// Boolean.
    FLAGSTONE_TYPE_BOOL = 1,
    /// Number (double precision).
    FLAGSTONE_TYPE_NUMBER = 2,
    /// String.
    FLAGSTONE_TYPE_STRING = 3,
    /// Array or object, as JSON text; as a type asked for: any value, as JSON text.
    FLAGSTONE_TYPE_JSON = 4,
}

/// Flag bit of `flagstone_attr`: events must not carry the value.
pub const FLAGSTONE_ATTR_PRIVATE: u32 = 1;

/// The most bytes that kind, key, names and texts of one individual context, or its JSON form, may have together.
/// INVALID_ARGUMENT beyond.
pub const FLAGSTONE_CONTEXT_MAX_BYTES: u32 = 0x1000_0000;

const _: () = assert!(FLAGSTONE_CONTEXT_MAX_BYTES as usize == Context::MAX_BYTES);

/// One attribute of a context. The texts are borrowed for the call.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct flagstone_attr {
    /// Name; `name` (a string) and `anonymous` (a bool) are the built-in ones.
    pub name: flagstone_str,
    /// A `FLAGSTONE_TYPE_…`; NONE is null, which is the same as leaving the attribute out.
    pub r#type: i32,
    /// 0 or `FLAGSTONE_ATTR_PRIVATE`.
    pub flags: u32,
    /// Value for BOOL (0 or not) and NUMBER (finite).
    pub number: f64,
    /// Value for STRING, or JSON text for JSON.
    pub text: flagstone_str,
}

/// A context that has nothing but kind and key. An empty kind means `user`.
///
/// The texts are borrowed for the call. `*out` is owned by the caller. INVALID_ARGUMENT for an empty key, for the kinds
/// `kind` and `multi`, for a kind with other characters than letters, digits, `.`, `_`, `-`, and for more text than
/// `FLAGSTONE_CONTEXT_MAX_BYTES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_from_key(
    kind: flagstone_str,
    key: flagstone_str,
    out: *mut *mut flagstone_context,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let make = || {
            // SAFETY: readable by the rules of the header.
            let (kind, key) = unsafe { kind_and_key(kind, key) }?;
            Ok(into_handle::<flagstone_context>(Context::from_key(kind, key)?))
        };
        // SAFETY: both are NULL or writable, by the rules of the header.
        unsafe { hand_out(make, out, err) }
    })
}

/// A single-kind context with attributes. An empty kind means `user`. Of two attributes with one name the last counts.
///
/// `attrs` points to `n` attributes; everything is borrowed for the call. `*out` is owned by the caller. Fails as
/// `flagstone_context_from_key` does, and: INVALID_ARGUMENT for an unknown type or flag, a number that is not finite, or a
/// built-in attribute of a wrong type; BAD_JSON; BAD_UTF8; NULL_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_from_attrs(
    kind: flagstone_str,
    key: flagstone_str,
    attrs: *const flagstone_attr,
    n: usize,
    out: *mut *mut flagstone_context,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let make = || {
            // SAFETY: readable by the rules of the header.
            let (kind, key) = unsafe { kind_and_key(kind, key) }?;
            let mut builder = Context::builder(kind, key);
            if n > 0 && attrs.is_null() {
                return Err(Failure::null("attrs"));
            }
            for index in 0..n {
                // SAFETY: `attrs` points to `n` attributes, by the rules of the header.
                let attr = unsafe { element(attrs, index) };
                // SAFETY: its texts are readable by the rules of the header.
                unsafe { add_attr(&mut builder, &attr) }?;
            }
            Ok(into_handle::<flagstone_context>(builder.into_context()?))
        };
        // SAFETY: both are NULL or writable, by the rules of the header.
        unsafe { hand_out(make, out, err) }
    })
}

/// A context from JSON: single-kind (`{"kind": "org", "key": "o", …}`), multi-kind (`{"kind": "multi", "org": {…}, …}`) or
/// the older user form without `kind`.
///
/// `json` is UTF-8 and borrowed for the call. `*out` is owned by the caller. BAD_JSON for text that is not JSON or nested
/// too deep; INVALID_ARGUMENT for JSON that is not a valid context: the message names the property.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_from_json(
    json: *const c_char,
    json_len: usize,
    out: *mut *mut flagstone_context,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let make = || {
            // SAFETY: readable by the rules of the header.
            let json = unsafe { part("json", flagstone_str { ptr: json, len: json_len }) }?;
            Ok(into_handle::<flagstone_context>(Context::from_json(json)?))
        };
        // SAFETY: both are NULL or writable, by the rules of the header.
        unsafe { hand_out(make, out, err) }
    })
}

/// Joins `n` contexts into a multi-kind one; multi-kind contexts contribute all their members. One context alone stays as
/// it is.
///
/// The contexts are borrowed for the call. `*out` is owned by the caller. INVALID_ARGUMENT when a kind comes twice, or
/// for none; NULL_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_merge(
    contexts: *const *const flagstone_context,
    n: usize,
    out: *mut *mut flagstone_context,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let make = || {
            if n > 0 && contexts.is_null() {
                return Err(Failure::null("contexts"));
            }
            let mut parts = Vec::new();
            for index in 0..n {
                // SAFETY: `contexts` points to `n` handles, by the rules of the header.
                let handle = unsafe { element(contexts, index) };
                // SAFETY: each is NULL or live, by the rules of the header.
                parts.push(unsafe { borrow(handle) }.ok_or_else(|| Failure::handle("an element of contexts", handle))?);
            }
            Ok(into_handle::<flagstone_context>(Context::merge(&parts)?))
        };
        // SAFETY: both are NULL or writable, by the rules of the header.
        unsafe { hand_out(make, out, err) }
    })
}

/// The JSON form of a context.
///
/// `*out` is owned by the caller (`flagstone_bytes_clear`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_to_json(
    context: *const flagstone_context,
    out: *mut flagstone_bytes,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        // SAFETY: live and writable by the rules of the header.
        unsafe { describe(context, out, err, |context| Ok(context.to_json())) }
    })
}

/// The fully qualified key of a context: it identifies who is asking by kinds and keys alone. A user's is its key; others
/// are `kind:key`, several joined by `:` in the order of their kinds, with `%` and `:` in keys written `%25` and `%3A`.
///
/// `*out` is owned by the caller (`flagstone_bytes_clear`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_canonical_key(
    context: *const flagstone_context,
    out: *mut flagstone_bytes,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        // SAFETY: live and writable by the rules of the header.
        unsafe { describe(context, out, err, |context| Ok(context.canonical_key().to_owned())) }
    })
}

/// Adds a reference and returns the same handle; NULL for NULL and for handles of another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_retain(context: *const flagstone_context) -> *mut flagstone_context {
    guard!(std::ptr::null_mut(), {
        // SAFETY: NULL or live, by the rules of the header.
        unsafe { retain(context) }
    })
}

/// Gives back a reference; the last one frees the context. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_release(context: *mut flagstone_context) {
    guard!((), {
        // SAFETY: NULL or live, by the rules of the header.
        unsafe { release(context) }
    })
}

/// # Safety
/// The texts are readable for `'a`.
unsafe fn kind_and_key<'a>(kind: flagstone_str, key: flagstone_str) -> Result<(&'a str, &'a str), Failure> {
    // SAFETY: the caller's promise.
    let kind = unsafe { part("kind", kind) }?;
    // SAFETY: the caller's promise.
    let key = unsafe { part("key", key) }?;
    Ok((kind, key))
}

/// One of the texts of a context. One that no context may have is not looked at.
///
/// # Safety
/// The text is readable for `'a`.
pub(super) unsafe fn part<'a>(argument: &str, value: flagstone_str) -> Result<&'a str, Failure> {
    if value.len > Context::MAX_BYTES {
        return Err(ContextError::TooLarge.into());
    }
    // SAFETY: the caller's promise.
    unsafe { text(value.ptr, value.len) }.map_err(|error| Failure::text(argument, &error))
}

/// Adds an attribute to a builder.
///
/// # Safety
/// The texts of the attribute are readable.
pub(super) unsafe fn add_attr(builder: &mut ContextBuilder, attr: &flagstone_attr) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    let name = unsafe { part("attribute name", attr.name) }?;
    // SAFETY: the caller's promise.
    let content = || unsafe { part("attribute text", attr.text) };
    if attr.flags & !FLAGSTONE_ATTR_PRIVATE != 0 {
        return Err(refused(name, &format!("has unknown flags {:#x}", attr.flags)));
    }
    match attr.r#type {
        0 => builder.set(name, Value::Null),
        1 => builder.set(name, Value::Bool(attr.number != 0.0)),
        2 if attr.number.is_finite() => builder.set(name, Value::Number(attr.number)),
        2 => return Err(refused(name, "is not a finite number")),
        3 => builder.set_string(name, content()?),
        4 => builder.set(name, json_value(name, content()?)?),
        other => return Err(refused(name, &format!("has the unknown type {other}"))),
    };
    if attr.flags & FLAGSTONE_ATTR_PRIVATE != 0 {
        builder.private_name(name);
    }
    Ok(())
}

#[cold]
fn refused(name: &str, why: &str) -> Failure {
    Failure::new(status::INVALID_ARGUMENT, format!("attribute {:?} {why}", excerpt(name, SHOWN)))
}

fn json_value(name: &str, json: &str) -> Result<Value, Failure> {
    serde_json::from_str(json).map_err(|error| {
        Failure::new(status::BAD_JSON, format!("attribute {:?} is not JSON: {error}", excerpt(name, SHOWN)))
    })
}

/// Gives what `make` made to the caller, or the error. Contexts are large: what goes around is the handle.
///
/// # Safety
/// `out` and `err` are NULL or writable.
#[inline]
pub(super) unsafe fn hand_out(
    make: impl FnOnce() -> Result<*mut flagstone_context, Failure>,
    out: *mut *mut flagstone_context,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    let made = if out.is_null() { Err(Failure::null("out")) } else { make() };
    // SAFETY: not NULL where something was made, and the caller vouches for the place.
    let outcome = made.map(|handle| unsafe { put(out, handle) });
    // SAFETY: the caller's promise.
    unsafe { finish(outcome, err) }
}

/// # Safety
/// `context` is NULL or live; `out` and `err` are NULL or writable.
pub(super) unsafe fn describe(
    context: *const flagstone_context,
    out: *mut flagstone_bytes,
    err: *mut *mut flagstone_error,
    what: impl FnOnce(&Context) -> Result<String, Failure>,
) -> flagstone_status {
    // SAFETY: the caller's promise.
    let outcome = match unsafe { borrow(context) } {
        None => Err(Failure::handle("context", context)),
        Some(_) if out.is_null() => Err(Failure::null("out")),
        Some(context) => what(context).map(|text| {
            // SAFETY: not NULL, and the caller vouches for the place.
            unsafe { put(out, flagstone_bytes::new(text)) };
        }),
    };
    // SAFETY: the caller's promise.
    unsafe { finish(outcome, err) }
}
