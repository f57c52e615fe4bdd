//! Migrations: the stage that one is in, and what an operation of it did.

use std::ffi::c_char;

use super::client::with_client;
use super::error::{Failure, finish, status};
use super::variation::asker;
use super::variation_detail::{no_value, usable};
use super::{
    Opaque, borrow, client_panicked, flagstone_client, flagstone_context, flagstone_detail, flagstone_error,
    flagstone_status, guard, into_handle, put, release, retain, text,
};
use crate::client::{Migration, MigrationError, Operation, Origin, Stage, Wanted};

/// One operation of a migration: a read or a write of data that move from an old to a new origin, with the stage it is to
/// follow. You say what it did, and `flagstone_migration_track` tells it to LaunchDarkly. Any thread at any time, no lock.
/// Counted: `flagstone_migration_retain`, `flagstone_migration_release`.
pub struct flagstone_migration {
    _opaque: [u8; 0],
}

impl Opaque for flagstone_migration {
    type Inner = Migration;
    const TAG: u64 = u64::from_be_bytes(*b"fsmigrat");
}

/// How far a migration is. Of two origins the first that is named here is authoritative: its result is the operation's; a
/// write goes to it first, and to the other one only if it succeeded.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_migration_stage {
    /// `off`: read old; write old.
    FLAGSTONE_MIGRATION_STAGE_OFF = 0,
    /// `dualwrite`: read old; write old and new.
    FLAGSTONE_MIGRATION_STAGE_DUALWRITE = 1,
    /// `shadow`: read old and new; write old and new.
    FLAGSTONE_MIGRATION_STAGE_SHADOW = 2,
    /// `live`: read new and old; write new and old.
    FLAGSTONE_MIGRATION_STAGE_LIVE = 3,
    /// `rampdown`: read new; write new and old.
    FLAGSTONE_MIGRATION_STAGE_RAMPDOWN = 4,
    /// `complete`: read new; write new.
    FLAGSTONE_MIGRATION_STAGE_COMPLETE = 5,
}

/// What an operation of a migration does.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_migration_operation {
    /// It reads.
    FLAGSTONE_MIGRATION_OPERATION_READ = 0,
    /// It writes.
    FLAGSTONE_MIGRATION_OPERATION_WRITE = 1,
}

/// A side of a migration.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_migration_origin {
    /// Where data come from.
    FLAGSTONE_MIGRATION_ORIGIN_OLD = 0,
    /// Where they go.
    FLAGSTONE_MIGRATION_ORIGIN_NEW = 1,
}

const _: () = {
    use flagstone_migration_origin::*;
    use flagstone_migration_stage::*;
    assert!(FLAGSTONE_MIGRATION_STAGE_OFF as i32 == Stage::Off as i32);
    assert!(FLAGSTONE_MIGRATION_STAGE_DUALWRITE as i32 == Stage::DualWrite as i32);
    assert!(FLAGSTONE_MIGRATION_STAGE_SHADOW as i32 == Stage::Shadow as i32);
    assert!(FLAGSTONE_MIGRATION_STAGE_LIVE as i32 == Stage::Live as i32);
    assert!(FLAGSTONE_MIGRATION_STAGE_RAMPDOWN as i32 == Stage::RampDown as i32);
    assert!(FLAGSTONE_MIGRATION_STAGE_COMPLETE as i32 == Stage::Complete as i32);
    assert!(FLAGSTONE_MIGRATION_ORIGIN_OLD as i32 == Origin::Old as i32);
    assert!(FLAGSTONE_MIGRATION_ORIGIN_NEW as i32 == Origin::New as i32);
};

/// Stage of the handle that is none.
const NO_STAGE: i32 = -1;

impl From<MigrationError> for Failure {
    fn from(error: MigrationError) -> Self {
        let status = if error == MigrationError::Closed { status::CLOSED } else { status::INVALID_ARGUMENT };
        Self::new(status, error.to_string())
    }
}

/// Evaluates a flag as the stage of a migration for somebody, and begins an operation of it.
///
/// The flag is one of strings: `off`, `dualwrite`, `shadow`, `live`, `rampdown`, `complete`. Whenever it gives none of them, also
/// when it does not exist or the client is not ready, `default_stage` (a `FLAGSTONE_MIGRATION_STAGE_…`) is in force. It is counted
/// as `flagstone_string_variation` would with this default. `context` may be NULL, for want of a valid one.
///
/// `detail`: NULL, or as for `flagstone_variation`: `text` is the stage where the flag gives one; otherwise the bit
/// `FLAGSTONE_DETAIL_DEFAULTED` is set, and the reason says why: ERROR/WRONG_TYPE for a value that is no stage. It is written
/// whenever it can be, also on failure. `*out` is owned by the caller, with one reference, and keeps neither client nor context.
///
/// OK also when the evaluation ends in ERROR. NULL_ARGUMENT (client, out, key), BAD_UTF8 (key), INVALID_ARGUMENT (default_stage,
/// a handle of another type, `detail->struct_size` too small): no operation is begun; go by your default. Evaluation as by
/// `flagstone_bool_variation`, also after close; the operation is allocated. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_migration_variation(
    client: *const flagstone_client,
    context: *const flagstone_context,
    key: *const c_char,
    key_len: usize,
    default_stage: i32,
    detail: *mut flagstone_detail,
    out: *mut *mut flagstone_migration,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        // SAFETY: NULL or valid, by the rules of the header.
        let mut detail = if detail.is_null() { Ok(None) } else { unsafe { usable(detail) }.map(Some) };
        if let Ok(Some(detail)) = &mut detail {
            detail.fail(no_value(context));
        }
        let outcome = with_client(client, |client| {
            let detail = detail.map_err(|_| Failure::too_small("detail"))?;
            // SAFETY: NULL or live, by the rules of the header.
            let who = unsafe { asker(client, context) };
            if who.is_none() && !context.is_null() {
                return Err(Failure::handle("context", context));
            }
            // SAFETY: readable by the rules of the header.
            let key = unsafe { text(key, key_len) }.map_err(|error| Failure::text("key", &error))?;
            let stage = stage(default_stage)?;
            if out.is_null() {
                return Err(Failure::null("out"));
            }
            let (migration, ()) = client.migration(key, who, stage, |evaluation| {
                if let Some(detail) = detail {
                    detail.fill(evaluation, Wanted::String);
                }
            });
            // SAFETY: not NULL, writable by the rules of the header.
            unsafe { put(out, into_handle::<flagstone_migration>(migration)) };
            Ok(())
        });
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}

/// The stage that an operation is to follow, a `FLAGSTONE_MIGRATION_STAGE_…`; -1 for NULL and for handles of another type. Never
/// changes. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_migration_stage_of(migration: *const flagstone_migration) -> i32 {
    guard!(NO_STAGE, {
        // SAFETY: NULL or live, by the rules of the header.
        unsafe { borrow(migration) }.map_or(NO_STAGE, |migration| migration.stage() as i32)
    })
}

/// Says what the operation does: a `FLAGSTONE_MIGRATION_OPERATION_…`. The last word counts.
///
/// OK, NULL_ARGUMENT; INVALID_ARGUMENT: an unknown operation, a handle of another type, or the operation was tracked already.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_migration_set_operation(
    migration: *mut flagstone_migration,
    operation: i32,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let set = |migration: &Migration| Ok(migration.set_operation(operation_of(operation)?)?);
        // SAFETY: NULL or live, and NULL or writable, by the rules of the header.
        unsafe { with_migration(migration, set, err) }
    })
}

/// Says that an origin (a `FLAGSTONE_MIGRATION_ORIGIN_…`) was invoked. Fails as `flagstone_migration_set_operation` does. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_migration_set_invoked(
    migration: *mut flagstone_migration,
    origin: i32,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let set = |migration: &Migration| Ok(migration.set_invoked(origin_of(origin)?)?);
        // SAFETY: NULL or live, and NULL or writable, by the rules of the header.
        unsafe { with_migration(migration, set, err) }
    })
}

/// Says that an origin (a `FLAGSTONE_MIGRATION_ORIGIN_…`) failed. Fails as `flagstone_migration_set_operation` does. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_migration_set_failed(
    migration: *mut flagstone_migration,
    origin: i32,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let set = |migration: &Migration| Ok(migration.set_failed(origin_of(origin)?)?);
        // SAFETY: NULL or live, and NULL or writable, by the rules of the header.
        unsafe { with_migration(migration, set, err) }
    })
}

/// Says how long an origin (a `FLAGSTONE_MIGRATION_ORIGIN_…`) took: `milliseconds`, finite and not negative. The last word counts.
/// Fails as `flagstone_migration_set_operation` does, and with INVALID_ARGUMENT for another number. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_migration_set_latency(
    migration: *mut flagstone_migration,
    origin: i32,
    milliseconds: f64,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let set = |migration: &Migration| Ok(migration.set_latency(origin_of(origin)?, milliseconds)?);
        // SAFETY: NULL or live, and NULL or writable, by the rules of the header.
        unsafe { with_migration(migration, set, err) }
    })
}

/// 1 when the results of both origins are to be compared if both are read, 0 when not: the flag's check ratio draws one in so
/// many operations; without one, each. Drawn once: always the same answer. 0 for NULL and for handles of another type. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_migration_wants_check(migration: *const flagstone_migration) -> i32 {
    guard!(0, {
        // SAFETY: NULL or live, by the rules of the header.
        unsafe { borrow(migration) }.map_or(0, |migration| i32::from(migration.wants_check()))
    })
}

/// Says whether the results of both origins were the same: 1 or 0; for operations that `flagstone_migration_wants_check` alone. The
/// last word counts. Fails as `flagstone_migration_set_operation` does. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_migration_set_consistent(
    migration: *mut flagstone_migration,
    consistent: i32,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(status::PANIC, {
        let set = |migration: &Migration| Ok(migration.set_consistent(consistent != 0)?);
        // SAFETY: NULL or live, and NULL or writable, by the rules of the header.
        unsafe { with_migration(migration, set, err) }
    })
}

/// Tells LaunchDarkly what an operation did, through the client that it was begun with. Once: from then on nothing is taken of it.
///
/// Queued as by `flagstone_track`; the flag's sampling ratio may leave it out. Without events nothing happens.
/// INVALID_ARGUMENT with a sentence when there is nothing that could be told, and the operation may be corrected and tracked again:
/// no valid context; an empty key; not said whether it reads or writes; no origin invoked; a latency, a failure or a comparison of
/// an origin that was not invoked. The same for an operation that was tracked already, and for handles of another type.
/// NULL_ARGUMENT, CLOSED. Any thread; of several at once, one succeeds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_migration_track(
    client: *mut flagstone_client,
    migration: *const flagstone_migration,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    guard!(count client_panicked(client); status::PANIC, {
        let outcome = with_client(client, |client| {
            // SAFETY: NULL or live, by the rules of the header.
            let migration = unsafe { borrow(migration) }.ok_or_else(|| Failure::handle("migration", migration))?;
            Ok(client.track_migration(migration)?)
        });
        // SAFETY: `err` is NULL or writable, by the rules of the header.
        unsafe { finish(outcome, err) }
    })
}

/// Adds a reference and returns the same handle; NULL for NULL and for handles of another type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_migration_retain(migration: *const flagstone_migration) -> *mut flagstone_migration {
    guard!(std::ptr::null_mut(), {
        // SAFETY: NULL or live, by the rules of the header.
        unsafe { retain(migration) }
    })
}

/// Gives back a reference. An operation that was not tracked is told to nobody. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_migration_release(migration: *mut flagstone_migration) {
    guard!((), {
        // SAFETY: NULL or live, by the rules of the header.
        unsafe { release(migration) }
    })
}

/// # Safety
/// `migration` is NULL or a live handle; `err` is NULL or writable.
unsafe fn with_migration(
    migration: *mut flagstone_migration,
    set: impl FnOnce(&Migration) -> Result<(), Failure>,
    err: *mut *mut flagstone_error,
) -> flagstone_status {
    // SAFETY: the caller's promise.
    let found = unsafe { borrow(migration.cast_const()) };
    let outcome = found.ok_or_else(|| Failure::handle("migration", migration)).and_then(set);
    // SAFETY: the caller's promise.
    unsafe { finish(outcome, err) }
}

fn stage(code: i32) -> Result<Stage, Failure> {
    Stage::ALL.into_iter().find(|stage| *stage as i32 == code).ok_or_else(|| unknown("default_stage", code))
}

fn operation_of(code: i32) -> Result<Operation, Failure> {
    use flagstone_migration_operation::*;
    match code {
        code if code == FLAGSTONE_MIGRATION_OPERATION_READ as i32 => Ok(Operation::Read),
        code if code == FLAGSTONE_MIGRATION_OPERATION_WRITE as i32 => Ok(Operation::Write),
        code => Err(unknown("operation", code)),
    }
}

fn origin_of(code: i32) -> Result<Origin, Failure> {
    [Origin::Old, Origin::New].into_iter().find(|origin| *origin as i32 == code).ok_or_else(|| unknown("origin", code))
}

fn unknown(argument: &str, code: i32) -> Failure {
    Failure::new(status::INVALID_ARGUMENT, format!("{argument} is not one of its values: {code}"))
}
