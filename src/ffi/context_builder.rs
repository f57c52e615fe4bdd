//! Builds a single-kind context step by step: for hosts that collect attributes one at a time.

use std::sync::Mutex;

use super::context::{add_attr, hand_out, part};
use super::error::{Failure, finish, status};
use super::{
    Opaque, borrow, flagstone_attr, flagstone_context, flagstone_error, flagstone_status, flagstone_str, guard,
    into_handle, release,
};
use crate::client::lock;
use crate::context::{Context, ContextBuilder};

/// Collects the attributes of a single-kind context. Belongs to one thread at a time.
pub struct flagstone_context_builder {
    _opaque: [u8; 0],
}

impl Opaque for flagstone_context_builder {
    type Inner = Mutex<ContextBuilder>;
    const TAG: u64 = u64::from_be_bytes(*b"fsctxbld");
}

/// Starts a context. An empty kind means `user`. Kind and key are checked by `flagstone_context_builder_build`.
///
/// The texts are borrowed for the call. Owned by the caller: give it back with `flagstone_context_builder_free`. NULL when a
/// text is not UTF-8, or has more than `FLAGSTONE_CONTEXT_MAX_BYTES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_builder_new(
    kind: flagstone_str,
    key: flagstone_str,
) -> *mut flagstone_context_builder {
    guard!(std::ptr::null_mut(), {
        // SAFETY: readable by the rules of the header.
        let kind = unsafe { part("kind", kind) };
        // SAFETY: readable by the rules of the header.
        let key = unsafe { part("key", key) };
        match (kind, key) {
            (Ok(kind), Ok(key)) => into_handle::<flagstone_context_builder>(Mutex::new(Context::builder(kind, key))),
            _ => std::ptr::null_mut(),
        }
    })
}

/// Sets an attribute, built-in ones (`name`, `anonymous`) included; the last value for a name counts.
///
/// `attr` is borrowed for the call. Fails as `flagstone_context_from_attrs` does for one attribute; a built-in attribute of a
/// wrong type is reported by build.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_builder_set(
    builder: *mut flagstone_context_builder,
    attr: *const flagstone_attr,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let set = || {
            // SAFETY: NULL or live, by the rules of the header.
            let cell = unsafe { borrow(builder.cast_const()) }.ok_or_else(|| Failure::handle("builder", builder))?;
            // SAFETY: NULL or readable, by the rules of the header.
            let attr = unsafe { attr.as_ref() }.ok_or_else(|| Failure::null("attr"))?;
            // SAFETY: its texts are readable by the rules of the header.
            unsafe { add_attr(&mut lock(cell), attr) }
        };
        // SAFETY: NULL or writable, by the rules of the header.
        unsafe { finish(set(), err) }
    })
}

/// Marks attributes as private by reference: a name, or a path such as `/address/street`.
///
/// `reference` is borrowed for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_builder_set_private(
    builder: *mut flagstone_context_builder,
    reference: flagstone_str,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let set = || {
            // SAFETY: NULL or live, by the rules of the header.
            let cell = unsafe { borrow(builder.cast_const()) }.ok_or_else(|| Failure::handle("builder", builder))?;
            // SAFETY: readable by the rules of the header.
            let reference = unsafe { part("reference", reference) }?;
            lock(cell).private(reference);
            Ok(())
        };
        // SAFETY: NULL or writable, by the rules of the header.
        unsafe { finish(set(), err) }
    })
}

/// Makes the context. The builder stays as it is and may build again.
///
/// `*out` is owned by the caller. INVALID_ARGUMENT as for `flagstone_context_from_attrs`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_builder_build(
    builder: *const flagstone_context_builder,
    out: *mut *mut flagstone_context,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let build = || {
            // SAFETY: NULL or live, by the rules of the header.
            let cell = unsafe { borrow(builder) }.ok_or_else(|| Failure::handle("builder", builder))?;
            Ok(into_handle::<flagstone_context>(lock(cell).build()?))
        };
        // SAFETY: both are NULL or writable, by the rules of the header.
        unsafe { hand_out(build, out, err) }
    })
}

/// Frees a builder. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_context_builder_free(builder: *mut flagstone_context_builder) {
    guard!((), {
        // SAFETY: NULL or live, by the rules of the header.
        unsafe { release(builder) }
    })
}
