//! Big segments: how the store stands, and a store of the host's own as a table of functions.

use std::ffi::{c_char, c_void};
use std::mem::size_of;
use std::sync::{Arc, Mutex};

use super::client::with_client;
use super::error::{Failure, finish, status};
use super::{
    Opaque, borrow, client_panicked, flagstone_client, flagstone_config, flagstone_error, flagstone_status, guard,
    into_handle, release, stated_size, text,
};
use crate::client::{BigSegmentStatus, BigSegmentStore, Client, ClientError, Membership, StoreFailure, lock};

/// How the big-segment store stands. The caller makes it: set `struct_size` to `sizeof(flagstone_big_segment_status)` and the
/// rest to 0.
#[repr(C)]
#[derive(Debug)]
pub struct flagstone_big_segment_status {
    /// Size of this struct as the host knows it, in bytes.
    pub struct_size: u32,
    /// 1 when the store answered when it was last asked how old it is; else 0, also without a store.
    pub available: i32,
    /// 1 when it was never brought up to date, or not for `big_segments.stale_after_ms`; else 0.
    pub stale: i32,
    /// Always 0.
    pub reserved: i32,
    /// When it was last brought up to date, Unix time in milliseconds; 0 when that is not known.
    pub last_sync_ms: i64,
}

const _: () = assert!(size_of::<flagstone_big_segment_status>() == 24);

/// What a store says of one context, while it is being asked. Valid during that call only, on the thread of the call.
pub struct flagstone_membership {
    _opaque: [u8; 0],
}

impl Opaque for flagstone_membership {
    type Inner = Mutex<Draft>;
    const TAG: u64 = u64::from_be_bytes(*b"fsmember");
}

/// What a store has said so far.
#[derive(Default)]
pub struct Draft {
    included: Vec<Box<str>>,
    excluded: Vec<Box<str>>,
}

/// Says which big segments include or exclude a context, by calls of `flagstone_membership_add` on `out`; none: no big segment
/// knows it.
///
/// `context_hash`: Base64 (standard, padded) of the SHA-256 of the context's key, `len` bytes, valid during the call. OK; any
/// other status: the store failed. Called on the thread that evaluates, which waits for it, also by several threads at once.
/// May evaluate flags, but is not asked by them for other contexts: those evaluations get STORE_ERROR. Must return: no exception
/// and no `longjmp` may leave it.
pub type flagstone_membership_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        context_hash: *const c_char,
        len: usize,
        out: *mut flagstone_membership,
    ) -> i32,
>;

/// Says when the store was last brought up to date: writes Unix time in milliseconds to `*last_up_to_date_ms`.
///
/// OK; NOT_FOUND: it never was; any other status: the store failed. Called as `flagstone_membership_fn` is, and on the thread that
/// calls `flagstone_big_segments_poll` or `flagstone_big_segments_status`.
pub type flagstone_metadata_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, last_up_to_date_ms: *mut i64) -> i32>;

/// Lets go of `user_data`, which nobody uses any more. Called once, on the thread that gives back the last reference.
pub type flagstone_drop_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// A big-segment store of the host's own. Set `struct_size` to `sizeof(flagstone_big_segment_store)` and `reserved` to 0.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct flagstone_big_segment_store {
    /// Size of this struct as the host knows it, in bytes.
    pub struct_size: u32,
    /// Always 0.
    pub reserved: u32,
    /// Handed to each function; may be NULL. Used by any thread.
    pub user_data: *mut c_void,
    /// Which big segments a context is in. Not NULL.
    pub membership: flagstone_membership_fn,
    /// How old the store is. Not NULL.
    pub metadata: flagstone_metadata_fn,
    /// Lets go of `user_data`; NULL when there is nothing to let go of.
    pub drop: flagstone_drop_fn,
}

const _: () = assert!(size_of::<flagstone_big_segment_store>() == 40 || size_of::<usize>() != 8);

/// Adds a big segment to what is said of a context: `reference` is the segment's key, `.g` and its generation (`vip.g7`);
/// `included` is not 0 when it includes the context, 0 when it excludes it. Where both are said, it includes it.
///
/// OK; NULL_ARGUMENT, BAD_UTF8; INVALID_ARGUMENT when the question has been answered. Borrowed for the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_membership_add(
    membership: *mut flagstone_membership,
    reference: *const c_char,
    reference_len: usize,
    included: i32,
) -> flagstone_status {
    guard!(status::PANIC, {
        let add = || {
            // SAFETY: NULL or live, by the rules of the header.
            let draft = unsafe { borrow(membership.cast_const()) }
                .ok_or_else(|| Failure::handle("membership", membership.cast_const()))?;
            // SAFETY: readable by the rules of the header.
            let reference =
                unsafe { text(reference, reference_len) }.map_err(|error| Failure::text("reference", &error))?;
            let mut draft = lock(draft);
            let list = if included == 0 { &mut draft.excluded } else { &mut draft.included };
            list.push(Box::from(reference));
            Ok(())
        };
        // SAFETY: there is no place for an error.
        unsafe { finish(add(), std::ptr::null_mut()) }
    })
}

/// Makes the clients of this configuration ask `store` for the members of big segments, and not Redis.
///
/// `*store` is copied; its `user_data` is used until `drop` is called: after the configuration, or another store in its place,
/// and all of its clients are gone. INVALID_ARGUMENT for a `struct_size` that is too small, `reserved` other than 0, or a missing
/// function; nothing is taken then, and `drop` is not called. In a forked child the copy of `user_data` is used.
///
/// A store that fails, or that is asked by itself, gives STORE_ERROR and never an error. A thread that wants what another one
/// asks for waits at most `redis.command_timeout_ms` (2000 when unset); how long `membership` itself takes is up to the host.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_config_set_big_segment_store(
    config: *mut flagstone_config,
    store: *const flagstone_big_segment_store,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let set = || {
            // SAFETY: NULL or live, by the rules of the header.
            let config = unsafe { borrow(config.cast_const()) }.ok_or_else(|| Failure::handle("config", config))?;
            // SAFETY: NULL or readable, by the rules of the header.
            let store = unsafe { checked(store) }?;
            let before = lock(config).set_big_segment_store(Arc::new(store));
            // The host's function is called without the lock.
            drop(before);
            Ok(())
        };
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(set(), err) }
    })
}

/// Writes how the big-segment store stands. A store that was never asked is asked first: the host's on this thread; Redis, which
/// is asked every `big_segments.poll_interval_ms` from then on, by a thread of the client while this one waits at most
/// `redis.command_timeout_ms`.
///
/// OK; without a store nothing is available and nothing stale. INVALID_ARGUMENT: `out->struct_size` is too small. CLOSED after
/// close. Any thread. Each change of `available` and `stale` is a notification, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_big_segments_status(
    client: *mut flagstone_client,
    out: *mut flagstone_big_segment_status,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        // SAFETY: the rules of the header.
        unsafe { answer(client, out, err, Client::big_segments_status) }
    })
}

/// Asks a store of the host's own how old it is, on this thread, and writes how it stands: to be called every
/// `big_segments.poll_interval_ms` by a host that sets one. Nobody else asks it, apart from the first evaluation or
/// `flagstone_big_segments_status` that needs to know. With Redis the same as `flagstone_big_segments_status`.
///
/// Outcome as there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_big_segments_poll(
    client: *mut flagstone_client,
    out: *mut flagstone_big_segment_status,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        // SAFETY: the rules of the header.
        unsafe { answer(client, out, err, Client::poll_big_segments) }
    })
}

/// 1 when an evaluation may wait: for an item that residency `lazy` or `off` does not hold, or for what a store knows of the big
/// segments that the data have; else 0, also for NULL. Loads of memory, no lock. Any thread.
///
/// For hosts that hold a lock of their own, such as that of an interpreter, and let go of it for calls that wait. The answer may
/// become 1 with a change of the data: ask before each evaluation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_may_wait(client: *const flagstone_client) -> i32 {
    guard!(1, {
        // SAFETY: NULL or live, by the rules of the header.
        unsafe { borrow(client) }.map_or(0, |client| i32::from(client.may_wait()))
    })
}

/// # Safety
/// By the rules of the header: `client` is NULL or live, `out` and `err` NULL or writable.
unsafe fn answer(
    client: *const flagstone_client,
    out: *mut flagstone_big_segment_status,
    err: *mut *mut flagstone_error,
    question: impl FnOnce(&Client) -> Result<BigSegmentStatus, ClientError>,
) -> flagstone_status {
    let outcome = with_client(client, |client| {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        // SAFETY: not NULL, and begins with its size.
        let size = unsafe { stated_size(out, size_of::<flagstone_big_segment_status>()) }
            .ok_or_else(|| Failure::too_small("out"))?;
        let standing = question(client)?;
        let written = flagstone_big_segment_status {
            struct_size: size,
            available: i32::from(standing.available),
            stale: i32::from(standing.stale),
            reserved: 0,
            last_sync_ms: standing.last_sync_ms.unwrap_or(0),
        };
        // SAFETY: large enough, by its own word and the rules of the header.
        unsafe { out.write(written) };
        Ok(())
    });
    // SAFETY: the caller's promise.
    unsafe { finish(outcome, err) }
}

/// A store of the host's, as the client knows one.
struct HostStore {
    functions: flagstone_big_segment_store,
    membership: unsafe extern "C" fn(*mut c_void, *const c_char, usize, *mut flagstone_membership) -> i32,
    metadata: unsafe extern "C" fn(*mut c_void, *mut i64) -> i32,
}

// SAFETY: the rules of the header: `user_data` may be used by any thread.
unsafe impl Send for HostStore {}
// SAFETY: the rules of the header: also by several at once.
unsafe impl Sync for HostStore {}

/// # Safety
/// `store` is NULL or points to a store that can be read as far as it says itself.
unsafe fn checked(store: *const flagstone_big_segment_store) -> Result<HostStore, Failure> {
    if store.is_null() {
        return Err(Failure::null("store"));
    }
    let invalid = |what: &str| Failure::new(status::INVALID_ARGUMENT, format!("store->{what}"));
    // SAFETY: not NULL, and begins with its size.
    unsafe { stated_size(store, size_of::<flagstone_big_segment_store>()) }
        .ok_or_else(|| invalid("struct_size is too small"))?;
    // SAFETY: large enough, by its own word.
    let functions = unsafe { store.read() };
    if functions.reserved != 0 {
        return Err(invalid("reserved is not 0"));
    }
    let membership = functions.membership.ok_or_else(|| invalid("membership is NULL"))?;
    let metadata = functions.metadata.ok_or_else(|| invalid("metadata is NULL"))?;
    Ok(HostStore { functions, membership, metadata })
}

impl BigSegmentStore for HostStore {
    fn membership(&self, context_hash: &str) -> Result<Membership, StoreFailure> {
        let draft = into_handle::<flagstone_membership>(Mutex::default());
        let (hash, length) = (context_hash.as_ptr().cast::<c_char>(), context_hash.len());
        // SAFETY: the host's function, called as the header says.
        let outcome = unsafe { (self.membership)(self.functions.user_data, hash, length, draft) };
        // SAFETY: made above, and live until it is released below.
        let said = unsafe { borrow(draft.cast_const()) }.map(|draft| std::mem::take(&mut *lock(draft)));
        // SAFETY: ours, given back once.
        unsafe { release(draft) };
        match (outcome, said) {
            (status::OK, Some(said)) => Ok(Membership::new(said.included, said.excluded)),
            _ => Err(failed("membership", outcome)),
        }
    }

    fn metadata(&self) -> Result<Option<i64>, StoreFailure> {
        let mut last = 0;
        // SAFETY: the host's function, called as the header says.
        match unsafe { (self.metadata)(self.functions.user_data, &raw mut last) } {
            status::OK => Ok(Some(last)),
            status::NOT_FOUND => Ok(None),
            outcome => Err(failed("metadata", outcome)),
        }
    }
}

fn failed(function: &str, outcome: i32) -> StoreFailure {
    StoreFailure(format!(
        "the host's {function} function gave status {outcome} ({})",
        status::name(outcome).to_string_lossy()
    ))
}

impl Drop for HostStore {
    fn drop(&mut self) {
        if let Some(drop) = self.functions.drop {
            // SAFETY: the host's function, called once; nothing uses the data afterwards.
            unsafe { drop(self.functions.user_data) };
        }
    }
}
