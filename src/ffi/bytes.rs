//! Borrowed and owned text.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use super::{flagstone_flag, guard, release, retain};
use crate::model::Flag;
use crate::store::{Entry, FlagEntry};

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

/// Text that stays valid until `flagstone_bytes_clear`. UTF-8, not ended by NUL. Only to be read: it may be shared.
#[repr(C)]
#[derive(Debug)]
pub struct flagstone_bytes {
    /// First byte.
    pub ptr: *mut c_char,
    /// Number of bytes.
    pub len: usize,
    /// What keeps the bytes alive; not for the host. NULL when nothing needs to.
    pub owner: *mut c_void,
}

/// The lowest bits of an owner say what it is; whatever it points to is aligned to more than these.
const KIND: usize = 0b11;
/// A box of the text.
const TEXT: usize = 0;
/// A reference to a flag's entry.
const ENTRY: usize = 1;
/// A reference to a prepared flag.
const PREPARED: usize = 2;
const _: () = assert!(align_of::<String>() > KIND && align_of::<Entry<Flag>>() > KIND);

impl flagstone_bytes {
    const EMPTY: Self = Self { ptr: std::ptr::null_mut(), len: 0, owner: std::ptr::null_mut() };

    pub(crate) fn new(text: String) -> Self {
        let mut owner = Box::new(text);
        let (ptr, len) = (owner.as_mut_ptr().cast::<c_char>(), owner.len());
        Self { ptr, len, owner: Box::into_raw(owner).cast::<c_void>() }
    }

    /// Text that belongs to somebody else, who keeps it.
    pub(super) fn borrowed(ptr: *const c_char, len: usize) -> Self {
        Self { ptr: ptr.cast_mut(), len, ..Self::EMPTY }
    }

    /// Text inside a flag.
    #[inline]
    pub(super) fn of_flag(text: &str, entry: Option<&FlagEntry>) -> Self {
        match entry {
            _ if text.is_empty() => Self::EMPTY,
            None => Self::new(text.to_owned()),
            Some(entry) => {
                let owner = Arc::into_raw(entry.clone()).cast_mut().cast::<c_void>();
                Self { owner: owner.map_addr(|address| address | ENTRY), ..Self::inside(text) }
            }
        }
    }

    /// Text inside a prepared flag.
    ///
    /// # Safety
    /// `flag` is NULL or a live handle, and `text` is inside it or static.
    pub(super) unsafe fn of_default(text: &str, flag: *const flagstone_flag) -> Self {
        if text.is_empty() {
            return Self::EMPTY;
        }
        // SAFETY: the caller's promise.
        let owner = unsafe { retain(flag) }.cast::<c_void>();
        Self { owner: owner.map_addr(|address| address | PREPARED), ..Self::inside(text) }
    }

    fn inside(text: &str) -> Self {
        Self::borrowed(text.as_ptr().cast::<c_char>(), text.len())
    }
}

/// Gives the text back and clears the struct, so that a second call does nothing. NULL is allowed. Any thread that owns it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_bytes_clear(bytes: *mut flagstone_bytes) {
    guard!((), {
        // SAFETY: NULL or a valid struct, by the caller's promise.
        let Some(bytes) = (unsafe { bytes.as_mut() }) else { return };
        let owner = std::mem::replace(bytes, flagstone_bytes::EMPTY).owner;
        if owner.is_null() {
            return;
        }
        let place = owner.map_addr(|address| address & !KIND);
        match owner.addr() & KIND {
            // SAFETY: the box made in `new`; the struct was just cleared.
            TEXT => drop(unsafe { Box::from_raw(place.cast::<String>()) }),
            // SAFETY: the reference made in `of_flag`; the struct was just cleared.
            ENTRY => drop(unsafe { Arc::from_raw(place.cast_const().cast::<Entry<Flag>>()) }),
            // SAFETY: the reference made in `of_default`; the struct was just cleared.
            _ => unsafe { release(place.cast::<flagstone_flag>()) },
        }
    })
}
