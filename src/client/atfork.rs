//! The fork guard: a child of `fork` learns at its first call that it is one.
//!
//! The child handler bumps one number and nothing else happens there. The prepare handler takes the locks of the bounded
//! caches, so that a child never inherits one in a locked state; every other lock is left behind by the child with the
//! threads that used it. Sockets that a child inherited are closed at its first call. May depend on `store`.
#![allow(unsafe_code, reason = "pthread_atfork, the lifetime of lock guards held over a fork, files known by number")]

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::model::lock;
use crate::store::{Items, Shared, Sockets};

/// How long the first call in a child waits for the first read; then what was inherited answers, as stale.
pub const FIRST_READ: Duration = Duration::from_millis(200);

/// Number of forks between the first process and this one.
static FORKS: AtomicU64 = AtomicU64::new(0);
/// The stores whose caches are to be locked over a fork.
static STORES: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// The generation of this process: another one than a remembered one means that a fork lies between.
#[inline]
pub fn generation() -> u64 {
    FORKS.load(Relaxed)
}

/// The fork handlers could not be registered.
#[derive(Debug, thiserror::Error)]
#[error("pthread_atfork failed with error {0}")]
pub struct AtForkError(i32);

/// Registers the handlers (once a process) and puts `shared` under their guard.
pub fn guard(shared: &Arc<Shared>) -> Result<(), AtForkError> {
    static REGISTERED: OnceCell<()> = OnceCell::new();
    REGISTERED.get_or_try_init(|| {
        // SAFETY: the three handlers are `extern "C"`, take nothing, and live as long as the library, which is never
        // unloaded (it is linked with nodelete).
        let result = unsafe { libc::pthread_atfork(Some(prepare), Some(release_locks), Some(in_child)) };
        if result == 0 { Ok(()) } else { Err(AtForkError(result)) }
    })?;
    let mut stores = lock(&STORES);
    stores.retain(|store| store.strong_count() > 0);
    if shared.cache.is_some() {
        stores.push(Arc::downgrade(shared));
    }
    Ok(())
}

/// In a child: closes the sockets that the parent's threads use. The server of a parent that has ended would go on filling
/// them otherwise. What owned them here belonged to those threads and is never dropped.
pub fn close_inherited(sockets: &Sockets) {
    for (number, inode) in sockets.take_all() {
        // The child may have closed everything itself and opened other files since.
        if inode_of_socket(number) == Some(inode) {
            // SAFETY: the socket that was inherited, which nothing in this process owns.
            unsafe { libc::close(number) };
        }
    }
}

/// What tells a socket from others that had the same number; `None` for anything else.
fn inode_of_socket(number: RawFd) -> Option<u64> {
    let mut about = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: a number of no file is an error; the place is large enough.
    if unsafe { libc::fstat(number, about.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: written by the call that succeeded.
    let about = unsafe { about.assume_init() };
    (about.st_mode & libc::S_IFMT == libc::S_IFSOCK).then_some(about.st_ino)
}

/// Locks held over a fork, in the order in which they must be released: caches, then the stores that own them, then the
/// list.
struct HeldOverFork {
    caches: Vec<MutexGuard<'static, Items>>,
    _stores: Vec<Arc<Shared>>,
    _list: MutexGuard<'static, Vec<Weak<Shared>>>,
}

thread_local! {
    /// The forking thread runs all three handlers itself, so the locks wait here.
    static HELD: RefCell<Option<HeldOverFork>> = const { RefCell::new(None) };
}

extern "C" fn prepare() {
    let list = lock(&STORES);
    let stores: Vec<Arc<Shared>> = list.iter().filter_map(Weak::upgrade).collect();
    let caches = stores
        .iter()
        .filter_map(|store| store.cache.as_ref())
        .map(|cache| {
            let guard: MutexGuard<'_, Items> = cache.lock();
            // SAFETY: the cache lives in an `Arc` that `HeldOverFork` keeps until after this guard is dropped, and it
            // does not move: the guard may outlive the borrow that made it.
            unsafe { std::mem::transmute::<MutexGuard<'_, Items>, MutexGuard<'static, Items>>(guard) }
        })
        .collect();
    // During thread exit the slot is gone; then the locks are released at once and the fork goes unguarded.
    let _ = HELD.try_with(|held| {
        if let Ok(mut held) = held.try_borrow_mut() {
            *held = Some(HeldOverFork { caches, _stores: stores, _list: list });
        }
    });
}

extern "C" fn release_locks() {
    let held = HELD.try_with(|held| held.try_borrow_mut().ok().and_then(|mut held| held.take()));
    if let Ok(Some(mut held)) = held {
        held.caches.clear();
    }
}

extern "C" fn in_child() {
    FORKS.fetch_add(1, Relaxed);
    release_locks();
}
