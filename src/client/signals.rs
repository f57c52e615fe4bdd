//! Threads that no signal of the host reaches: a host that waits for signals in one place (`sigwait`, `signalfd`) blocks them
//! before it starts its threads, and those that a library starts must not be where they are delivered to.
#![allow(unsafe_code, reason = "signal masks")]

use std::mem::MaybeUninit;
use std::ptr;

/// Signals that a thread raises itself by a fault, and that of profilers, which wants every thread: these get through.
const OPEN: &[libc::c_int] = &[
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGPROF,
];

/// Runs `start`, whose new threads inherit a mask that blocks every asynchronous signal. There is no moment at which they
/// do not.
pub fn blocked<T>(start: impl FnOnce() -> T) -> T {
    let _restored_afterwards = Mask::block();
    start()
}

/// The mask that this thread had.
struct Mask(Option<libc::sigset_t>);

impl Mask {
    fn block() -> Self {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the call writes a whole set to the place, which is large enough for one.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        for signal in OPEN {
            // SAFETY: the set was filled above, and these are numbers of signals.
            unsafe { libc::sigdelset(all.as_mut_ptr(), *signal) };
        }
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: one set is filled, the other is written when the call succeeds.
        let failed = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) } != 0;
        // SAFETY: written by the call that succeeded.
        Self((!failed).then(|| unsafe { before.assume_init() }))
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // SAFETY: a set that the system gave; where the present mask would go is not wanted.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, ptr::null_mut()) };
        }
    }
}
