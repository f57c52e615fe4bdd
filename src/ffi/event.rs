//! Notifications, taken by the host when it likes.

use std::ffi::c_void;
use std::mem::size_of;

use super::client::{handle_status, milliseconds};
use super::error::status;
use super::{borrow, client_panicked, flagstone_client, flagstone_status, flagstone_str, guard};
use crate::client::{Event, Notification, Polled};

/// Kinds of events.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_event_kind {
    /// A log line: `level_or_state` is a `FLAGSTONE_LEVEL_…`, `text` the line.
    FLAGSTONE_EVENT_LOG = 0,
    /// Data source or store changed: `level_or_state` is the client's `FLAGSTONE_STATE_…` from now on, `text` says why, `extra`
    /// is JSON: `{"source":{"state":"VALID","since_ms":n,"error":{"kind":"NETWORK_ERROR","status":0,"message":"…","unix_ms":n}},
    /// "store":{"available":true,"stale_since_ms":null}}`; `source` is null in daemon mode, `error` null before the first one.
    FLAGSTONE_EVENT_STATUS = 1,
    /// A flag, or something it depends on, changed: `text` is its key, `extra` is JSON, `{"old_version":3,"new_version":4}`. A
    /// deletion has a version, too; null stands where nothing was or is held. Equal versions say that only something it depends
    /// on changed.
    FLAGSTONE_EVENT_FLAG_CHANGED = 2,
    /// The state of the big-segment store changed.
    FLAGSTONE_EVENT_BIG_SEGMENTS = 3,
    /// `flagstone_wake` was called.
    FLAGSTONE_EVENT_WAKE = 4,
}

/// Levels of log lines.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_level {
    /// For finding out why.
    FLAGSTONE_LEVEL_DEBUG = 0,
    /// Normal events.
    FLAGSTONE_LEVEL_INFO = 1,
    /// Something is degraded.
    FLAGSTONE_LEVEL_WARN = 2,
    /// Something failed.
    FLAGSTONE_LEVEL_ERROR = 3,
    /// As a filter: nothing at all.
    FLAGSTONE_LEVEL_NONE = 4,
}

/// An event. The caller makes it: set `struct_size` to `sizeof(flagstone_event)` and the rest to 0. Its texts are valid until
/// `flagstone_event_clear`.
#[repr(C)]
#[derive(Debug)]
pub struct flagstone_event {
    /// Size of this struct as the host knows it, in bytes.
    pub struct_size: u32,
    /// A `FLAGSTONE_EVENT_…`. Leave out kinds that you do not know.
    pub kind: i32,
    /// LOG: the level. STATUS: the state.
    pub level_or_state: i32,
    /// Number of events dropped just before this one because the queue was full.
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

const _: () = assert!(size_of::<flagstone_event>() == 64 || size_of::<usize>() != 8);

/// The texts of an event.
struct Texts {
    text: String,
    extra: String,
}

/// Takes the oldest event, waiting for one at most `timeout_ms` milliseconds.
///
/// OK: `*out` is written; give it back with `flagstone_event_clear`. TIMEOUT: none came. CLOSED: the client is closed and
/// every event was delivered. INVALID_ARGUMENT: `out->struct_size` is too small. Nobody has to poll; a full queue drops the
/// oldest event, status changes after all others, and counts. Any thread; with several pollers each event goes to exactly one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_poll_event(
    client: *mut flagstone_client,
    timeout_ms: u32,
    out: *mut flagstone_event,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        // SAFETY: NULL or live, by the rules of the header.
        let Some(inner) = (unsafe { borrow(client.cast_const()) }) else { return handle_status(client) };
        if out.is_null() {
            return status::NULL_ARGUMENT;
        }
        // SAFETY: not NULL; the first member may be read whatever the size is.
        let size = unsafe { out.cast::<u32>().read() };
        if (size as usize) < size_of::<flagstone_event>() {
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

/// Frees the texts of an event and clears it, except for `struct_size`. May be called twice. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_event_clear(event: *mut flagstone_event) {
    guard!((), {
        // SAFETY: NULL or a valid struct, by the rules of the header.
        let Some(event) = (unsafe { event.as_mut() }) else { return };
        if !event.owner.is_null() {
            // SAFETY: a non-NULL owner is the box made in `fill`; it is cleared below.
            drop(unsafe { Box::from_raw(event.owner.cast::<Texts>()) });
        }
        *event = flagstone_event::cleared(event.struct_size);
    })
}

/// Ends the wait of one poller with an event of kind WAKE; if nobody waits, the next poll gets it. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_wake(client: *mut flagstone_client) {
    guard!(count client_panicked(client); (), {
        // SAFETY: NULL or live, by the rules of the header.
        if let Some(client) = unsafe { borrow(client.cast_const()) } {
            client.wake_poller();
        }
    })
}

impl flagstone_event {
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
        use flagstone_event_kind::*;
        let (kind, level_or_state, text, extra) = match notification.event {
            Event::Log { level, text } => (FLAGSTONE_EVENT_LOG, level as i32, text, String::new()),
            Event::Status { state, reason, condition } => (FLAGSTONE_EVENT_STATUS, state as i32, reason, condition),
            Event::FlagChanged { key, old_version, new_version } => {
                let extra = serde_json::json!({ "old_version": old_version, "new_version": new_version });
                (FLAGSTONE_EVENT_FLAG_CHANGED, 0, key, extra.to_string())
            }
            Event::Wake => (FLAGSTONE_EVENT_WAKE, 0, String::new(), String::new()),
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
