//! The C ABI: the only way a host enters, and, beside the fork guard, the only `unsafe` code.
//!
//! One C type per file. Every export is written out (so that the header generator sees it) and begins with the one guard
//! macro below, which keeps a panic from crossing the border; a test reads these files and fails on an export without it.
//! Nothing here decides anything that `client` does not: a need of one binding is a need of the C API.
//!
//! May depend on `client`, `context`, `eval`, `model` and `store`.
#![allow(non_camel_case_types, reason = "these are the names that C sees")]
#![allow(clippy::missing_safety_doc, reason = "the header states the rules once, for all exports")]

mod all_flags;
mod big_segments;
mod bytes;
mod client;
mod config;
mod context;
mod context_builder;
mod context_parts;
mod credentials;
mod default;
mod detail;
mod error;
mod events;
mod flag;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod handle;
mod limits;
mod listen;
mod migration;
mod notification;
mod status;
mod subscribe;
mod test_data;
mod variation;
mod variation_detail;
mod variation_many;
mod version;

pub use all_flags::*;
pub use big_segments::*;
pub use bytes::*;
pub use client::*;
pub use config::*;
pub use context::*;
pub use context_builder::*;
pub use context_parts::*;
pub use credentials::*;
pub use default::*;
pub use detail::*;
pub use error::*;
pub use events::*;
pub use flag::*;
pub use limits::*;
pub use listen::*;
pub use migration::*;
pub use notification::*;
pub use status::*;
pub use subscribe::*;
pub use test_data::*;
pub use variation::*;
pub use variation_detail::*;
pub use variation_many::*;
pub use version::*;

pub(crate) use handle::{Opaque, borrow, into_handle, release, retain};

/// Runs the body of an export. A panic gives `$fallback` instead and is counted with the client, if one is named.
macro_rules! guard {
    ($fallback:expr, $body:block) => {
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| $body)) {
            Ok(value) => value,
            Err(payload) => {
                // Dropping what was thrown could panic again.
                std::mem::forget(payload);
                $fallback
            }
        }
    };
    (count $report:expr; $fallback:expr, $body:block) => {
        $crate::ffi::guard!(
            {
                $report;
                $fallback
            },
            $body
        )
    };
}
pub(crate) use guard;

/// Text that a host passed.
pub(crate) enum TextError {
    /// NULL with a length.
    Null,
    /// Not UTF-8.
    BadUtf8,
}

/// Reads text from a host. A length of 0 is the empty text, whatever the pointer.
///
/// # Safety
/// `ptr` is NULL or points to `len` readable bytes that nobody changes during `'a`.
#[inline]
pub(crate) unsafe fn text<'a>(ptr: *const std::ffi::c_char, len: usize) -> Result<&'a str, TextError> {
    // SAFETY: the caller's promise.
    let bytes = unsafe { raw(ptr, len) }.ok_or(TextError::Null)?;
    std::str::from_utf8(bytes).map_err(|_| TextError::BadUtf8)
}

/// Bytes of a host that nobody has looked at; none for NULL with a length.
///
/// # Safety
/// `ptr` is NULL or points to `len` readable bytes that nobody changes during `'a`.
#[inline]
pub(crate) unsafe fn raw<'a>(ptr: *const std::ffi::c_char, len: usize) -> Option<&'a [u8]> {
    if len == 0 {
        return Some(b"");
    }
    if ptr.is_null() || isize::try_from(len).is_err() {
        return None;
    }
    // SAFETY: not NULL, of a possible length, and the caller vouches for the bytes.
    Some(unsafe { std::slice::from_raw_parts(ptr.cast::<u8>(), len) })
}

/// Element `index` of an array that a host passed.
///
/// # Safety
/// `array` points to more than `index` elements.
pub(crate) unsafe fn element<T: Copy>(array: *const T, index: usize) -> T {
    // SAFETY: inside the array, by the caller's promise.
    let place = unsafe { array.add(index) };
    // SAFETY: as above.
    unsafe { place.read() }
}

/// Writes an out-parameter; nothing for NULL.
///
/// # Safety
/// `out` is NULL or points to a place that may be overwritten without a drop.
pub(crate) unsafe fn put<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: not NULL, and the caller vouches for the place.
        unsafe { out.write(value) };
    }
}

/// The size in bytes that a host's struct says it has, in its first member; `None` if that is less than `least`.
///
/// # Safety
/// `place` is not NULL, and points to a struct that begins with its size as 32 bits.
pub(crate) unsafe fn stated_size<T>(place: *const T, least: usize) -> Option<u32> {
    // SAFETY: the first member may be read whatever the size is, by the caller's promise.
    let size = unsafe { place.cast::<u32>().read() };
    (size as usize >= least).then_some(size)
}

/// Counts a panic with the client it happened in.
#[cold]
pub(crate) fn client_panicked(client: *const flagstone_client) {
    count(|| {
        // SAFETY: the export that panicked was called with this pointer, under the same promise.
        if let Some(client) = unsafe { borrow(client) } {
            client.note_panic();
        }
    });
}

/// Counts a panic with the client of a prepared flag.
#[cold]
pub(crate) fn flag_panicked(flag: *const flagstone_flag) {
    count(|| {
        // SAFETY: the export that panicked was called with this pointer, under the same promise.
        if let Some(flag) = unsafe { borrow(flag) } {
            flag.client().note_panic();
        }
    });
}

fn count(report: impl FnOnce()) {
    if let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(report)) {
        std::mem::forget(payload);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_inside_an_export_becomes_its_fallback() {
        let value = super::guard!(7, {
            if std::hint::black_box(true) {
                std::panic::panic_any(Thrown);
            }
            1
        });
        assert_eq!(value, 7);
    }

    struct Thrown;

    impl Drop for Thrown {
        fn drop(&mut self) {
            std::process::abort();
        }
    }
}
