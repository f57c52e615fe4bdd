//! Notifications, taken by the host when it likes.

use std::ffi::c_void;
use std::mem::size_of;

use super::client::{handle_status, milliseconds};
use super::error::status;
use super::{borrow, client_panicked, flagstone_client, flagstone_status, flagstone_str, guard, stated_size};
use crate::client::{Event, Notification, Polled};

/// Kinds of notifications.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_notification_kind {
    /// A log line: `level_or_state` is a `FLAGSTONE_LEVEL_…`, `text` the line, `extra` JSON that says what it is about:
    /// `{"area":"store"}`; further areas are `client`, `source`, `events` and `big_segments`.
    FLAGSTONE_NOTIFICATION_LOG = 0,
    /// Data source or store changed: `level_or_state` is the client's `FLAGSTONE_STATE_…` from now on, `text` says why, `extra`
    /// is JSON: `{"source":{"state":"VALID","since_ms":n,"error":{"kind":"NETWORK_ERROR","status":0,"message":"…","unix_ms":n}},
    /// "store":{"available":true,"stale_since_ms":null}}`; `source` is null in daemon mode, `error` null before the first one.
    FLAGSTONE_NOTIFICATION_STATUS = 1,
    /// A flag, or something it depends on, changed: `text` is its key, `extra` is JSON, `{"old_version":3,"new_version":4}`. A
    /// deletion has a version, too; null stands where nothing was or is held. Equal versions say that only something it depends
    /// on changed.
    FLAGSTONE_NOTIFICATION_FLAG_CHANGED = 2,
    /// How the big-segment store stands has changed: `text` says why, `extra` is JSON,
    /// `{"available":true,"stale":false,"last_sync_ms":n}`; `last_sync_ms` is null when it is not known. Also told when it is first
    /// known how it stands.
    FLAGSTONE_NOTIFICATION_BIG_SEGMENTS = 3,
    /// `flagstone_client_wake` was called.
    FLAGSTONE_NOTIFICATION_WAKE = 4,
    /// The value of a flag is another one now for a listener (`flagstone_client_listen`): `text` is the key of the flag, `extra` is
    /// JSON: `{"listener":1,"old":true,"new":false}`. `old` is what the listener was told before, or its first value; null stands
    /// where there is no value, as for a flag that does not exist. Comes right after the FLAG_CHANGED or STATUS that led to it;
    /// never dropped.
    FLAGSTONE_NOTIFICATION_VALUE_CHANGED = 5,
    /// Credentials for Redis are asked for (`redis.credentials=host`), to be given with `flagstone_client_set_credentials`:
    /// `text` is `"start"` (there are none yet), `"expires"` (80 % of their life are over) or `"refused"` (the server did not take
    /// them), `extra` is JSON: `{"user":"ada"}`, who logs in by the present ones or by the options; null for the default user. Told
    /// again, with growing pauses, until others are set; one waits at most.
    FLAGSTONE_NOTIFICATION_CREDENTIALS = 6,
}

/// Levels of log lines.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_level {
    /// For finding out why.
    FLAGSTONE_LEVEL_DEBUG = 0,
    /// Normal operation.
    FLAGSTONE_LEVEL_INFO = 1,
    /// Something is degraded.
    FLAGSTONE_LEVEL_WARN = 2,
    /// Something failed.
    FLAGSTONE_LEVEL_ERROR = 3,
    /// As a filter: nothing at all.
    FLAGSTONE_LEVEL_NONE = 4,
}

/// A notification. The caller makes it: set `struct_size` to `sizeof(flagstone_notification)` and the rest to 0. Its texts are
/// valid until `flagstone_notification_clear`.
#[repr(C)]
#[derive(Debug)]
pub struct flagstone_notification {
    /// Size of this struct as the host knows it, in bytes.
    pub struct_size: u32,
    /// A `FLAGSTONE_NOTIFICATION_…`. Leave out kinds that you do not know.
    pub kind: i32,
    /// LOG: the level. STATUS: the state.
    pub level_or_state: i32,
    /// Number of notifications dropped just before this one because the queue was full.
    pub dropped: u32,
    /// When it happened: Unix time in milliseconds.
    pub unix_ms: i64,
    /// See the kinds.
    pub text: flagstone_str,
    /// See the kinds.
    pub extra: flagstone_str,
    /// What keeps the texts alive; not for the host.
    pub owner: *mut c_void,
}

const _: () = assert!(size_of::<flagstone_notification>() == 64 || size_of::<usize>() != 8);

/// The texts of a notification.
struct Texts {
    text: String,
    extra: String,
}

/// Takes the oldest notification, waiting for one at most `timeout_ms` milliseconds.
///
/// OK: `*out` is written; give it back with `flagstone_notification_clear`. TIMEOUT: none came. CLOSED: the client is closed and
/// every notification was delivered. INVALID_ARGUMENT: `out->struct_size` is too small. Nobody has to poll; a full queue drops the
/// oldest, status changes after all others, and counts. Any thread; with several pollers each notification goes to exactly one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_next_notification(
    client: *mut flagstone_client,
    timeout_ms: u32,
    out: *mut flagstone_notification,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        // SAFETY: NULL or live, by the rules of the header.
        let Some(inner) = (unsafe { borrow(client.cast_const()) }) else { return handle_status(client) };
        if out.is_null() {
            return status::NULL_ARGUMENT;
        }
        // SAFETY: not NULL, and begins with its size.
        if unsafe { stated_size(out, size_of::<flagstone_notification>()) }.is_none() {
            return status::INVALID_ARGUMENT;
        }
        match inner.poll(milliseconds(timeout_ms)) {
            Polled::Event(notification) => {
                // SAFETY: large enough, by its own word and the rules of the header.
                unsafe { (*out).fill(notification) };
                status::OK
            }
            Polled::Timeout => status::TIMEOUT,
            Polled::Closed => status::CLOSED,
        }
    })
}

/// Frees the texts of a notification and clears it, except for `struct_size`. May be called twice. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_notification_clear(notification: *mut flagstone_notification) {
    guard!((), {
        // SAFETY: NULL or a valid struct, by the rules of the header.
        let Some(notification) = (unsafe { notification.as_mut() }) else { return };
        if !notification.owner.is_null() {
            // SAFETY: a non-NULL owner is the box made in `fill`; it is cleared below.
            drop(unsafe { Box::from_raw(notification.owner.cast::<Texts>()) });
        }
        *notification = flagstone_notification::cleared(notification.struct_size);
    })
}

/// Ends the wait of one poller with a notification of kind WAKE; if nobody waits, the next poll gets it. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_wake(client: *mut flagstone_client) {
    guard!(count client_panicked(client); (), {
        // SAFETY: NULL or live, by the rules of the header.
        if let Some(client) = unsafe { borrow(client.cast_const()) } {
            client.wake_poller();
        }
    })
}

/// The old name of `flagstone_notification`, and the same. In this interface an event is what analytics are made of.
#[repr(C)]
#[derive(Debug)]
pub struct flagstone_event {
    /// As in `flagstone_notification`.
    pub struct_size: u32,
    /// As there.
    pub kind: i32,
    /// As there.
    pub level_or_state: i32,
    /// As there.
    pub dropped: u32,
    /// As there.
    pub unix_ms: i64,
    /// As there.
    pub text: flagstone_str,
    /// As there.
    pub extra: flagstone_str,
    /// As there.
    pub owner: *mut c_void,
}

const _: () = assert!(size_of::<flagstone_event>() == size_of::<flagstone_notification>());

/// Old names of `flagstone_notification_kind`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_event_kind {
    /// `FLAGSTONE_NOTIFICATION_LOG`
    FLAGSTONE_EVENT_LOG = 0,
    /// `FLAGSTONE_NOTIFICATION_STATUS`
    FLAGSTONE_EVENT_STATUS = 1,
    /// `FLAGSTONE_NOTIFICATION_FLAG_CHANGED`
    FLAGSTONE_EVENT_FLAG_CHANGED = 2,
    /// `FLAGSTONE_NOTIFICATION_BIG_SEGMENTS`
    FLAGSTONE_EVENT_BIG_SEGMENTS = 3,
    /// `FLAGSTONE_NOTIFICATION_WAKE`
    FLAGSTONE_EVENT_WAKE = 4,
}

/// The old name of `flagstone_client_next_notification`, and the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_poll_event(
    client: *mut flagstone_client,
    timeout_ms: u32,
    out: *mut flagstone_event,
) -> flagstone_status {
    guard!(status::PANIC, {
        // SAFETY: by the same rules.
        unsafe { flagstone_client_next_notification(client, timeout_ms, out.cast()) }
    })
}

/// The old name of `flagstone_notification_clear`, and the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_event_clear(event: *mut flagstone_event) {
    guard!((), {
        // SAFETY: by the same rules.
        unsafe { flagstone_notification_clear(event.cast()) }
    })
}

/// The old name of `flagstone_client_wake`, and the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_wake(client: *mut flagstone_client) {
    guard!((), {
        // SAFETY: by the same rules.
        unsafe { flagstone_client_wake(client) }
    })
}

impl flagstone_notification {
    fn cleared(struct_size: u32) -> Self {
        Self {
            struct_size,
            kind: 0,
            level_or_state: 0,
            dropped: 0,
            unix_ms: 0,
            text: flagstone_str::EMPTY,
            extra: flagstone_str::EMPTY,
            owner: std::ptr::null_mut(),
        }
    }

    fn fill(&mut self, notification: Notification) {
        use flagstone_notification_kind::*;
        let (kind, level_or_state, text, extra) = match notification.event {
            Event::Log { area, level, text } => {
                let extra = serde_json::json!({ "area": area.name() });
                (FLAGSTONE_NOTIFICATION_LOG, level as i32, text, extra.to_string())
            }
            Event::Status { state, reason, condition } => {
                (FLAGSTONE_NOTIFICATION_STATUS, state as i32, reason, condition)
            }
            Event::FlagChanged { key, old_version, new_version } => {
                let extra = serde_json::json!({ "old_version": old_version, "new_version": new_version });
                (FLAGSTONE_NOTIFICATION_FLAG_CHANGED, 0, key, extra.to_string())
            }
            Event::ValueChanged { key, listener, old, new } => {
                let [old, new] = [old, new].map(|value| value.unwrap_or_else(|| "null".to_owned()));
                let extra = format!("{{\"listener\":{listener},\"old\":{old},\"new\":{new}}}");
                (FLAGSTONE_NOTIFICATION_VALUE_CHANGED, 0, key, extra)
            }
            Event::BigSegments { status, reason } => {
                let extra = serde_json::json!({
                    "available": status.available, "stale": status.stale, "last_sync_ms": status.last_sync_ms,
                });
                (FLAGSTONE_NOTIFICATION_BIG_SEGMENTS, 0, reason, extra.to_string())
            }
            Event::Credentials { reason, user } => {
                let extra = serde_json::json!({ "user": user });
                (FLAGSTONE_NOTIFICATION_CREDENTIALS, 0, reason.name().to_owned(), extra.to_string())
            }
            Event::Wake => (FLAGSTONE_NOTIFICATION_WAKE, 0, String::new(), String::new()),
        };
        let texts = Box::new(Texts { text, extra });
        *self = Self {
            kind: kind as i32,
            level_or_state,
            dropped: notification.dropped,
            unix_ms: notification.unix_ms,
            text: flagstone_str::new(&texts.text),
            extra: flagstone_str::new(&texts.extra),
            owner: Box::into_raw(texts).cast::<c_void>(),
            ..Self::cleared(self.struct_size)
        };
    }
}
