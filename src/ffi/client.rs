//! Client handles: lifecycle and status.

use std::ffi::c_char;
use std::sync::Arc;
use std::time::Duration;

use super::error::{Failure, finish, status};
use super::{
    Opaque, borrow, client_panicked, flagstone_bytes, flagstone_config, flagstone_error, flagstone_status, guard,
    into_handle, put, release, retain, text,
};
use crate::client::{Client, Flushed, lock};
use crate::store::StoreState;

const KEPT: &str = "events could not be delivered; the spool keeps them and sends them later";

/// A client: one environment's flags, held and kept true. Shared by any number of threads; one per environment and process
/// is enough. Counted: `flagstone_client_retain`, `flagstone_client_release`.
pub struct flagstone_client {
    _opaque: [u8; 0],
}

impl Opaque for flagstone_client {
    type Inner = Arc<Client>;
    const TAG: u64 = u64::from_be_bytes(*b"fsclient");
}

/// Lifecycle of a client.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_state {
    /// Not ready: daemon mode: Redis has not been read yet; otherwise: the data source has not delivered yet.
    FLAGSTONE_STATE_INIT = 0,
    /// What is held is known to be true.
    FLAGSTONE_STATE_VALID = 1,
    /// Daemon mode: Redis cannot be reached, or lost the data set; otherwise: the data source fails and is tried again. The
    /// last good data stay in force.
    FLAGSTONE_STATE_INTERRUPTED = 2,
    /// Closed, or the data source has failed for good.
    FLAGSTONE_STATE_OFF = 3,
    /// A forked child that has made no other call yet.
    FLAGSTONE_STATE_FORKED = 4,
}

const _: () = {
    assert!(flagstone_state::FLAGSTONE_STATE_INIT as i32 == StoreState::Init as i32);
    assert!(flagstone_state::FLAGSTONE_STATE_VALID as i32 == StoreState::Valid as i32);
    assert!(flagstone_state::FLAGSTONE_STATE_INTERRUPTED as i32 == StoreState::Interrupted as i32);
    assert!(flagstone_state::FLAGSTONE_STATE_OFF as i32 == StoreState::Off as i32);
    assert!(flagstone_state::FLAGSTONE_STATE_FORKED as i32 == StoreState::Forked as i32);
};

fn state_from_code(code: i32) -> Option<StoreState> {
    [StoreState::Init, StoreState::Valid, StoreState::Interrupted, StoreState::Off, StoreState::Forked]
        .into_iter()
        .find(|state| *state as i32 == code)
}

/// Makes a client from a copy of `config`. No thread runs and no connection is open before `flagstone_client_start`.
///
/// `*out` is owned by the caller, with one reference. `INVALID_ARGUMENT` when options do not fit together or a file they
/// name cannot be read. Redis need not be there. On failure `*out` is not touched.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_new(
    config: *const flagstone_config,
    out: *mut *mut flagstone_client,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let make = || {
            // SAFETY: NULL or live, by the rules of the header.
            let config = unsafe { borrow(config) }.ok_or_else(|| Failure::handle("config", config))?;
            if out.is_null() {
                return Err(Failure::null("out"));
            }
            let settings = lock(config).resolve()?;
            let client = Client::new(settings)?;
            // SAFETY: not NULL, writable by the rules of the header.
            unsafe { put(out, into_handle::<flagstone_client>(Arc::new(client))) };
            Ok(())
        };
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(make(), err) }
    })
}

/// Starts the client and waits until it is ready. Daemon mode: both hashes of Redis have been read once, empty or not. With a
/// data source: its first full data set is in memory, whether Redis has it or not.
///
/// `timeout_ms`: longest wait in milliseconds; 0 does not wait. OK when ready (or not waited for); NOT_READY when the data
/// source has failed for good; TIMEOUT when not yet: the client goes on trying, and the error says why so far; CLOSED after
/// close. Meanwhile the last known flags answer, if Redis (with `$inited`) or the snapshot file has them. May be called
/// again, by any thread, to wait again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_start(
    client: *mut flagstone_client,
    timeout_ms: u32,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let outcome = with_client(client, |client| Ok(client.start(milliseconds(timeout_ms))?));
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}

/// Waits until the client is in `state` (a `FLAGSTONE_STATE_…`), at most `timeout_ms` milliseconds.
///
/// OK or TIMEOUT; INVALID_ARGUMENT for an unknown state. When another state than OFF is waited for: CLOSED once the client is
/// closed, NOT_READY once the data source has failed for good.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_wait(
    client: *const flagstone_client,
    state: i32,
    timeout_ms: u32,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        // SAFETY: NULL or live, by the rules of the header.
        let Some(inner) = (unsafe { borrow(client) }) else { return handle_status(client) };
        let Some(state) = state_from_code(state) else { return status::INVALID_ARGUMENT };
        let reached = inner.wait(state, milliseconds(timeout_ms));
        match reached {
            true => status::OK,
            false if inner.is_closed() => status::CLOSED,
            false if inner.is_off() => status::NOT_READY,
            false => status::TIMEOUT,
        }
    })
}

/// State of the client, a `FLAGSTONE_STATE_…`: one atomic load. OFF for NULL and for handles of another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_state(client: *const flagstone_client) -> i32 {
    guard!(count client_panicked(client); FLAGSTONE_STATE_OFF_CODE, {
        // SAFETY: NULL or live, by the rules of the header.
        unsafe { borrow(client) }.map_or(FLAGSTONE_STATE_OFF_CODE, |client| client.state() as i32)
    })
}

const FLAGSTONE_STATE_OFF_CODE: i32 = StoreState::Off as i32;

/// Condition of the client as a JSON object:
///
/// | Member | Is |
/// |---|---|
/// | `state` | `"INIT"`, `"VALID"`, `"INTERRUPTED"` or `"OFF"`: of the data source; in daemon mode, of the store |
/// | `ready` | daemon mode: both hashes have been read; otherwise: the data source has delivered |
/// | `available` | Redis answered last time, or memory is all there is |
/// | `source` | null in daemon mode; else `state`, `since_ms`, `error` (null, or `kind`, `status`, `message`, `unix_ms`) |
/// | `environment_id` | the environment that a server named; null if none did |
/// | `from_file` | what is held came from the snapshot file |
/// | `wiped` | Redis lost the data set; held items stay in force |
/// | `stale_since_ms` | Unix time in ms since when what was read of Redis is not known to be true; null when it is |
/// | `verified_age_ms` | age in ms of the latest moment at which everything held was known to be true; null before the first |
/// | `freshness` | freshness in force: `"push"`, `"ttl"`, `"forever"` or `"starting"` |
/// | `freshness_reason` | why; with `"push"` the name of the way in which Redis tells, as in `watch`; null with `"starting"` |
/// | `flags`, `segments` | number held, deleted ones left out |
/// | `malformed` | items that do not parse, in Redis or as the data source delivered them |
/// | `dropped` | notifications dropped because nobody took them |
/// | `panics` | defects caught at the border |
/// | `last_error`, `last_error_ms` | what is wrong at present, and its Unix time in ms; null when nothing is |
/// | `previous_error`, `previous_error_ms` | the same for what was wrong until the latest recovery |
/// | `events` | null without events; else how they fare, see below |
/// | `big_segments` | null without a big-segment store; else how it stands, see below |
/// | `initialized` | somebody has written a full data set: `$inited` was seen |
/// | `redis` | where the Redis with the flags is, or else, where one is asked for big segments alone, that one, see below; null without any |
/// | `watch` | null unless `cache.freshness` is `push` and there is a Redis; else how it tells of changes, see below |
///
/// Members of `redis`; `role`, `service`, `sentinels` and `asked` only with sentinels, `nodes` only in a cluster:
///
/// | Member | Is |
/// |---|---|
/// | `topology` | `"standalone"`, `"sentinel"` or `"cluster"` |
/// | `address` | of the server that is read; null while that is not known, or where a cluster has the keys on several |
/// | `database` | its number |
/// | `credentials` | null where nobody logs in; else who does, see below |
/// | `role` | whether that server is a `"primary"` or a `"replica"`; null while it is not known |
/// | `service` | what the sentinels are asked for |
/// | `sentinels` | array of `address`, `error`: why it was of no use when it was asked last, null when it was, and `listed`: it stands in the URL; others are known from those |
/// | `asked` | the sentinel that answered last; null before the first |
/// | `nodes` | array of the nodes that own keys of this client: `address`, `holds` (array of `"features"`, `"segments"`, `"$inited"`), `role` (`"primary"`) |
///
/// Members of `watch`; docs/freshness.md tells what each way needs. Where a cluster has the keys on several servers, they are of
/// the one that tells in the weakest way:
///
/// | Member | Is |
/// |---|---|
/// | `rung` | the way in force: `"hash-field notifications"`, `"RESP3 broadcast tracking"`, `"RESP2 tracking with redirect"` or `"keyspace notifications"`; null while there is none |
/// | `reason` | why no better one is in force; null with the best one |
/// | `ladder` | array of `rung`, `state` and `reason`, best first; `state` is `"in force"`, `"refused"`, `"lost"`, `"not needed"` (a better one is in force) or `"not tried"` |
///
/// Members of `credentials`:
///
/// | Member | Is |
/// |---|---|
/// | `source` | `"static"` (options, or `flagstone_client_set_credentials` without `redis.credentials`), `"host"`, `"file"` or `"aws-iam"` |
/// | `user` | who logs in; null for the default user |
/// | `expires_in_ms` | how long the server takes them still, 0 when that time is over; null when it is not known |
/// | `state` | `"ok"`: a server took them; `"untried"`: none has seen them yet; `"missing"`: there are none yet; `"refused"`: a server did not take them; `"expired"`: their time is over |
/// | `error` | what the server said that refused them, or why no others could be had; null when nothing is wrong |
///
/// Members of `events`; a summary of evaluations counts as one event:
///
/// | Member | Is |
/// |---|---|
/// | `state` | `"on"`, or `"off"` when the server refuses them for good |
/// | `waiting` | events that wait for the next flush, without what is counted for a summary |
/// | `dropped` | events, and evaluations to be counted, that did not fit: in `events.capacity`, in 64 MB, in 10,000 unknown flags |
/// | `sent` | events that were delivered |
/// | `lost` | events that could not be delivered and were not kept |
/// | `spooled` | events that could not be delivered and went to `events.spool`; those sent from there count as sent, too |
/// | `spool` | null without one; else `payloads`, the number held at the last look, and `corrupt`, files set aside by this process |
/// | `last_error`, `last_error_ms` | the latest failure and its Unix time in ms; null when there was none |
///
/// Members of `big_segments`:
///
/// | Member | Is |
/// |---|---|
/// | `available`, `stale` | as in `flagstone_big_segment_status`; null before the store was first asked |
/// | `last_sync_ms` | when it was last brought up to date, Unix time in ms; null when that is not known |
/// | `remembered` | contexts whose big segments are remembered |
/// | `push` | Redis tells of changes of what is remembered |
///
/// New members may appear. `*out` is owned by the caller (`flagstone_bytes_clear`). CLOSED after close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_status_json(
    client: *const flagstone_client,
    out: *mut flagstone_bytes,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        // SAFETY: by the rules of the header.
        unsafe { write_text(client, out, err, Client::status_json) }
    })
}

/// Writes the client's counters and gauges in the format that Prometheus reads (text 0.0.4), to be served as they are:
/// `text/plain; version=0.0.4`. Takes no lock that an evaluation takes. Any thread.
///
/// | Metric | Is |
/// |---|---|
/// | `flagstone_evaluations_total` | evaluations by `flag` and `variation`: its index, or `default` where the caller's default was served. Where there are events, or `metrics.evaluations` is `true`; without flags that are excluded from summaries |
/// | `flagstone_other_evaluations_total` | those that were not counted by flag, because there were more than 50,000 counters |
/// | `flagstone_client_state`, `flagstone_source_state` | by `state`: 1 for the one in force, 0 for the others |
/// | `flagstone_client_ready` | 1 when flags are there |
/// | `flagstone_freshness` | by `rung`, the words of `freshness` in the status: 1 for the one in force, 0 for the others |
/// | `flagstone_data_age_seconds` | time since everything held was last known to be true; missing before the first time |
/// | `flagstone_flags`, `flagstone_segments`, `flagstone_malformed_items` | what is held, and what cannot be read |
/// | `flagstone_store_available`, `flagstone_store_stale` | whether Redis answers, and whether what is held may be out of date; where the flags are in Redis |
/// | `flagstone_redis_exchanges_total` | reads and writes that Redis has answered |
/// | `flagstone_redis_received_bytes_total`, `flagstone_redis_sent_bytes_total` | bytes from and to Redis, TLS included; also where only big segments are there |
/// | `flagstone_events_waiting`, `flagstone_events_sent_total`, `flagstone_events_lost_total`, `flagstone_events_dropped_total` | how events fare |
/// | `flagstone_notifications_dropped_total` | notifications that the host did not take in time |
/// | `flagstone_panics_total` | calls that failed unexpectedly |
///
/// New metrics may appear. `*out` is owned by the caller (`flagstone_bytes_clear`). CLOSED after close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_metrics_text(
    client: *const flagstone_client,
    out: *mut flagstone_bytes,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        // SAFETY: by the rules of the header.
        unsafe { write_text(client, out, err, Client::metrics_text) }
    })
}

/// The version of a flag that is held, for whoever reports which one answered. It is that of this moment: a change may come
/// between an evaluation and this call.
///
/// No I/O, no lock with residency `all`. OK; NOT_FOUND when there is no such flag, or it is not held at present; NULL_ARGUMENT,
/// BAD_UTF8 (key), INVALID_ARGUMENT. Also after close. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_flag_version(
    client: *const flagstone_client,
    key: *const c_char,
    key_len: usize,
    out: *mut i64,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let outcome = with_client(client, |client| {
            // SAFETY: readable by the rules of the header.
            let key = unsafe { text(key, key_len) }.map_err(|error| Failure::text("key", &error))?;
            if out.is_null() {
                return Err(Failure::null("out"));
            }
            let version = client.flag_version(key);
            let version = version.ok_or_else(|| Failure::new(status::NOT_FOUND, "no such flag is held".to_owned()))?;
            // SAFETY: not NULL, writable by the rules of the header.
            unsafe { put(out, version) };
            Ok(())
        });
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}

/// In a child of `fork`: makes threads and connections of its own now. Not needed: the first evaluation does it too.
///
/// OK also in a process that did not fork; CLOSED after close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_postfork(
    client: *mut flagstone_client,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let outcome = with_client(client, |client| Ok(client.postfork()?));
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}

/// Sends the events that are queued and waits until they are delivered, at most `timeout_ms` milliseconds.
///
/// OK when all are, or when there were none. TIMEOUT when some are on their way still. STORE when some could not be delivered:
/// they are lost, or kept in `events.spool`, from where they are sent later; also when none is sent any more because the server
/// refuses them. The error says which, and why. CLOSED after close.
///
/// With 0 it does not wait: the first call begins and says TIMEOUT, later ones say how that fares, and the one that says another
/// thing begins the next flush, for what came meanwhile. Cheap: may be called as often as the host likes. Threads that call with
/// 0 at the same time share one flush.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_flush(
    client: *mut flagstone_client,
    timeout_ms: u32,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let outcome = with_client(client, |client| match client.flush(milliseconds(timeout_ms))? {
            Flushed::Delivered => Ok(()),
            Flushed::Late => Err(Failure::new(status::TIMEOUT, "events are on their way still")),
            Flushed::Kept => Err(Failure::new(status::STORE, KEPT)),
            Flushed::Lost => Err(Failure::new(status::STORE, client.why_events_are_lost())),
        });
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}

/// Sends the events that are queued, ends threads and connections, wakes everybody who waits, and waits for the threads to
/// end, all of it at most `timeout_ms` milliseconds. Events that could not be sent in this time go to `events.spool`, or are
/// lost, which the last log lines say.
///
/// OK, or TIMEOUT when a thread was still busy: it is left behind, ends by itself and touches nothing of the host. May be
/// called again. Afterwards evaluation answers from the last data held (residency `off`: the default) and every other call
/// says CLOSED. Memory stays until the last reference is released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_close(client: *mut flagstone_client, timeout_ms: u32) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        // SAFETY: NULL or live, by the rules of the header.
        let Some(inner) = (unsafe { borrow(client.cast_const()) }) else { return handle_status(client) };
        if inner.close(milliseconds(timeout_ms)) { status::OK } else { status::TIMEOUT }
    })
}

/// Adds a reference and returns the same handle; NULL for NULL and for handles of another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_retain(client: *const flagstone_client) -> *mut flagstone_client {
    guard!(std::ptr::null_mut(), {
        // SAFETY: NULL or live, by the rules of the header.
        unsafe { retain(client) }
    })
}

/// Gives back a reference. With the last one the client is closed without waiting and freed; events that are queued are sent
/// meanwhile, for 2 seconds at most. Never blocks: safe on a finalizer thread. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_client_release(client: *mut flagstone_client) {
    guard!((), {
        // SAFETY: NULL or live, by the rules of the header.
        unsafe { release(client) }
    })
}

/// What an open client says of itself, in `out`.
///
/// # Safety
///
/// Pointers as the rules of the header want them.
unsafe fn write_text(
    client: *const flagstone_client,
    out: *mut flagstone_bytes,
    err: *mut *mut flagstone_error,
    say: fn(&Client) -> String,
) -> flagstone_status {
    let outcome = with_client(client, |client| {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        open(client)?;
        // SAFETY: not NULL, writable by the rules of the header.
        unsafe { put(out, flagstone_bytes::new(say(client))) };
        Ok(())
    });
    // SAFETY: `err` is NULL or writable, by the rules of the header.
    unsafe { finish(outcome, err) }
}

pub(super) fn milliseconds(timeout_ms: u32) -> Duration {
    Duration::from_millis(u64::from(timeout_ms))
}

/// Status for a handle that is NULL, of another type or released.
pub(super) fn handle_status<O>(handle: *const O) -> flagstone_status {
    if handle.is_null() { status::NULL_ARGUMENT } else { status::INVALID_ARGUMENT }
}

pub(super) fn open(client: &Client) -> Result<(), Failure> {
    if client.is_closed() { Err(Failure::new(status::CLOSED, "the client is closed")) } else { Ok(()) }
}

pub(super) fn with_client(
    client: *const flagstone_client,
    body: impl FnOnce(&Arc<Client>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // SAFETY: NULL or live, by the rules of the header.
    let client = unsafe { borrow(client) }.ok_or_else(|| Failure::handle("client", client))?;
    body(client)
}
