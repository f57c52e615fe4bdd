//! Borrowed and owned text.

use std::ffi::{c_char, c_void};

use super::guard;

/// Borrowed text: `len` bytes of UTF-8 at `ptr`, not ended by NUL. Whoever hands it out says how long it is valid. With
/// `len` 0 the pointer is not looked at.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct flagstone_str {
    /// First byte; may be NULL when `len` is 0.
    pub ptr: *const c_char,
    /// Number of bytes.
    pub len: usize,
}

impl flagstone_str {
    pub(crate) const EMPTY: Self = Self { ptr: std::ptr::null(), len: 0 };

    pub(crate) fn new(text: &str) -> Self {
        Self { ptr: text.as_ptr().cast::<c_char>(), len: text.len() }
    }
}

/// Text that belongs to the caller; give it back with `flagstone_bytes_clear`. UTF-8, not ended by NUL.
#[repr(C)]
#[derive(Debug)]
pub struct flagstone_bytes {
    /// First byte.
    pub ptr: *mut c_char,
    /// Number of bytes.
    pub len: usize,
    /// What keeps the bytes alive; not for the host.
    pub owner: *mut c_void,
}

impl flagstone_bytes {
    pub(crate) fn new(text: String) -> Self {
        let mut owner = Box::new(text);
        let (ptr, len) = (owner.as_mut_ptr().cast::<c_char>(), owner.len());
        Self { ptr, len, owner: Box::into_raw(owner).cast::<c_void>() }
    }
}

/// Frees the text and clears the struct, so that a second call does nothing. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_bytes_clear(bytes: *mut flagstone_bytes) {
    guard!((), {
        // SAFETY: NULL or a valid struct, by the caller's promise.
        let Some(bytes) = (unsafe { bytes.as_mut() }) else { return };
        if !bytes.owner.is_null() {
            // SAFETY: `owner` is the box made in `new`, and is cleared below.
            drop(unsafe { Box::from_raw(bytes.owner.cast::<String>()) });
        }
        *bytes = flagstone_bytes { ptr: std::ptr::null_mut(), len: 0, owner: std::ptr::null_mut() };
    })
}
