//! Handles: what a host holds of the library. Each is an `Arc` of a cell that begins with the tag of its type.
//!
//! NULL and handles of another type are recognised by the tag. So are released ones, as far as that is possible: with the last
//! reference the tag is taken away, and the block of memory is kept a little longer, so that whoever comes back to it finds no
//! tag rather than something else. An arbitrary pointer is undefined behaviour, as the header says.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::AcqRel, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use super::{
    flagstone_client, flagstone_config, flagstone_context, flagstone_context_builder, flagstone_error, flagstone_flag,
    flagstone_membership, flagstone_migration, flagstone_test_data,
};

/// A handle type as C sees it, and what is behind it.
pub(crate) trait Opaque {
    /// What a handle holds.
    type Inner: 'static;
    /// Comes first in every handle of this type.
    const TAG: u64;
}

/// What a handle points to.
#[repr(C)]
pub(crate) struct Cell<T> {
    tag: AtomicU64,
    inner: T,
}

impl<T> Drop for Cell<T> {
    fn drop(&mut self) {
        // Not a plain write: nobody reads what is being dropped, so it would be left out.
        self.tag.store(RELEASED, Relaxed);
    }
}

/// The tag of no type.
const RELEASED: u64 = u64::from_be_bytes(*b"released");

/// The tags of all types, each of which has its own row of kept blocks.
const TAGS: [u64; 9] = [
    flagstone_config::TAG,
    flagstone_client::TAG,
    flagstone_context::TAG,
    flagstone_context_builder::TAG,
    flagstone_flag::TAG,
    flagstone_error::TAG,
    flagstone_test_data::TAG,
    flagstone_membership::TAG,
    flagstone_migration::TAG,
];

/// How many released blocks of a type are kept at most: few, because contexts are made and released all the time, and those
/// should find their memory in the processor's cache.
const KEPT: usize = 8;

/// Blocks whose content is gone, as weak references. No lock: a fork may happen at any moment.
static BLOCKS: [[AtomicPtr<()>; KEPT]; TAGS.len()] =
    [const { [const { AtomicPtr::new(ptr::null_mut()) }; KEPT] }; TAGS.len()];

/// The row of a type.
const fn row(tag: u64) -> usize {
    let mut at = 0;
    while TAGS[at] != tag {
        at += 1;
    }
    at
}

/// A new handle with one reference.
pub(crate) fn into_handle<O: Opaque>(inner: O::Inner) -> *mut O {
    Arc::into_raw(Arc::new(Cell { tag: AtomicU64::new(O::TAG), inner })).cast_mut().cast::<O>()
}

/// What a handle holds; `None` for NULL, for handles of another type and for those that are known to be released.
///
/// # Safety
/// `handle` is NULL or a live handle of this library, alive for `'a`.
#[inline]
pub(crate) unsafe fn borrow<'a, O: Opaque>(handle: *const O) -> Option<&'a O::Inner> {
    if handle.is_null() {
        return None;
    }
    // SAFETY: every handle of this library begins with a tag; the caller vouches that it is live.
    let tag = unsafe { &*handle.cast::<AtomicU64>() };
    if tag.load(Relaxed) != O::TAG {
        return None;
    }
    // SAFETY: the tag says that this is a cell of this type; the caller vouches that it lives for 'a.
    let cell = unsafe { &*handle.cast::<Cell<O::Inner>>() };
    Some(&cell.inner)
}

/// Adds a reference; NULL where [`borrow`] has nothing.
///
/// # Safety
/// As for [`borrow`].
pub(crate) unsafe fn retain<O: Opaque>(handle: *const O) -> *mut O {
    // SAFETY: passed on to the caller.
    if unsafe { borrow(handle) }.is_none() {
        return ptr::null_mut();
    }
    // SAFETY: the pointer came from `Arc::into_raw` of this cell type, and a reference is held by the caller.
    unsafe { Arc::increment_strong_count(handle.cast::<Cell<O::Inner>>()) };
    handle.cast_mut()
}

/// Gives back a reference; nothing where [`borrow`] has nothing.
///
/// # Safety
/// As for [`borrow`]; the caller gives up one reference that it holds.
pub(crate) unsafe fn release<O: Opaque>(handle: *mut O) {
    // SAFETY: passed on to the caller.
    if unsafe { borrow(handle.cast_const()) }.is_none() {
        return;
    }
    // SAFETY: the pointer came from `Arc::into_raw` of this cell type, and the caller gives up its reference.
    let cell = unsafe { Arc::from_raw(handle.cast_const().cast::<Cell<O::Inner>>()) };
    // When two threads give back the last two references at once, the block may not be kept: then it is just freed.
    let block = (Arc::strong_count(&cell) == 1).then(|| Arc::downgrade(&cell));
    drop(cell);
    if let Some(block) = block {
        keep::<O>(block);
    }
}

/// Keeps a block until another of the same place in the row comes.
fn keep<O: Opaque>(block: Weak<Cell<O::Inner>>) {
    let block = Weak::into_raw(block).cast_mut().cast::<()>();
    // Blocks are multiples of 16 bytes apart; the multiplication spreads what is left over the highest bits.
    let spread = (block.addr() as u64 >> 4).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56;
    let Some(place) = BLOCKS[const { row(O::TAG) }].get(spread as usize % KEPT) else { return };
    let before = place.swap(block, AcqRel);
    if !before.is_null() {
        // SAFETY: this row holds what this function put there, for this type, and the swap took it out.
        drop(unsafe { Weak::from_raw(before.cast_const().cast::<Cell<O::Inner>>()) });
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Failure;
    use super::{borrow, flagstone_error, flagstone_flag, into_handle, release, retain};

    fn handle() -> *mut flagstone_error {
        into_handle(Failure::null("x"))
    }

    #[test]
    fn a_released_handle_is_refused_and_others_of_its_type_are_not() {
        let (one, other) = (handle(), handle());
        // SAFETY: live, or released and kept; so below.
        let is_live = |handle: *mut flagstone_error| unsafe { borrow(handle) }.is_some();
        // SAFETY: see above.
        let give_back = |handle: *mut flagstone_error| unsafe { release(handle) };
        // SAFETY: see above.
        let share = |handle: *mut flagstone_error| unsafe { retain(handle) };
        // SAFETY: see above.
        assert!(is_live(one) && unsafe { borrow(one.cast::<flagstone_flag>()) }.is_none());
        assert_eq!(share(one), one);
        give_back(one);
        assert!(is_live(one), "one reference is left");
        give_back(one);
        assert!(!is_live(one) && share(one).is_null());
        give_back(one);
        assert!(is_live(other));
        give_back(other);
    }
}
