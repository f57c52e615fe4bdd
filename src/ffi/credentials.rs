//! Who logs in at Redis.

use std::ffi::c_char;
use std::time::Duration;

use super::client::with_client;
use super::error::{Failure, finish, status};
use super::{client_panicked, flagstone_client, flagstone_error, flagstone_status, guard, text};

/// Sets who logs in at Redis from now on: new connections use it, and those that are open log in anew between two commands
/// without being closed. Works with any `redis.credentials` but `aws-iam`, and not with `redis.password_file`; with `host` it answers the
/// notification of kind CREDENTIALS. Sentinels are not concerned: theirs stay those of `redis.url`.
///
/// `user` (at most 1024 bytes; `user_len` 0: the default user) and `password` (1 to 65536 bytes) are UTF-8 without NUL bytes,
/// copied, and never shown. `valid_for_ms`: how long the server takes them, in milliseconds from now; 0 when that is not known.
///
/// Does not wait for the server: whether it takes them, the status tells (`redis.credentials`). A server that refuses them leaves
/// the open connections as they are. OK; NULL_ARGUMENT, BAD_UTF8; INVALID_ARGUMENT, also for a client that uses no Redis;
/// CLOSED. Any thread, at any time, also before `flagstone_client_start` and while it waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_set_credentials(
    client: *mut flagstone_client,
    user: *const c_char,
    user_len: usize,
    password: *const c_char,
    password_len: usize,
    valid_for_ms: i64,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let outcome = with_client(client, |client| {
            // SAFETY: readable by the rules of the header.
            let user = unsafe { text(user, user_len) }.map_err(|error| Failure::text("user", &error))?;
            // SAFETY: readable by the rules of the header.
            let password = unsafe { text(password, password_len) }.map_err(|error| Failure::text("password", &error))?;
            let valid_for = match u64::try_from(valid_for_ms) {
                Ok(0) => None,
                Ok(milliseconds) => Some(Duration::from_millis(milliseconds)),
                Err(_) => return Err(Failure::new(status::INVALID_ARGUMENT, "valid_for_ms is negative")),
            };
            let user = Some(user).filter(|user| !user.is_empty());
            Ok(client.set_credentials(user, password, valid_for)?)
        });
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}
