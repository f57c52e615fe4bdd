//! Windows delivers no signals to threads.

/// Runs `start`.
pub fn blocked<T>(start: impl FnOnce() -> T) -> T {
    start()
}
