//! Operations of migrations, and the environment that the data come from.

use std::ptr;

use flagstone::ffi::*;

use super::{Client, Context, Detail, Failure, call, copied, empty_detail, pointer, text_of};

pub const READ: i32 = flagstone_migration_operation::FLAGSTONE_MIGRATION_OPERATION_READ as i32;
pub const WRITE: i32 = flagstone_migration_operation::FLAGSTONE_MIGRATION_OPERATION_WRITE as i32;
pub const OLD: i32 = flagstone_migration_origin::FLAGSTONE_MIGRATION_ORIGIN_OLD as i32;
pub const NEW: i32 = flagstone_migration_origin::FLAGSTONE_MIGRATION_ORIGIN_NEW as i32;

/// An operation of a migration.
pub struct Migration(*mut flagstone_migration);
// SAFETY: the header allows operations on any number of threads.
unsafe impl Send for Migration {}
// SAFETY: as above.
unsafe impl Sync for Migration {}

impl Migration {
    /// None at all.
    pub fn null() -> Self {
        Self(ptr::null_mut())
    }

    pub fn stage(&self) -> i32 {
        // SAFETY: NULL or live.
        unsafe { flagstone_migration_stage_of(self.0) }
    }

    pub fn wants_check(&self) -> bool {
        // SAFETY: NULL or live.
        unsafe { flagstone_migration_wants_check(self.0) == 1 }
    }

    pub fn set_operation(&self, operation: i32) -> Result<(), Failure> {
        // SAFETY: NULL or live.
        call(|error| unsafe { flagstone_migration_set_operation(self.0, operation, error) })
    }

    pub fn set_invoked(&self, origin: i32) -> Result<(), Failure> {
        // SAFETY: NULL or live.
        call(|error| unsafe { flagstone_migration_set_invoked(self.0, origin, error) })
    }

    pub fn set_failed(&self, origin: i32) -> Result<(), Failure> {
        // SAFETY: NULL or live.
        call(|error| unsafe { flagstone_migration_set_failed(self.0, origin, error) })
    }

    pub fn set_latency(&self, origin: i32, milliseconds: f64) -> Result<(), Failure> {
        // SAFETY: NULL or live.
        call(|error| unsafe { flagstone_migration_set_latency(self.0, origin, milliseconds, error) })
    }

    pub fn set_consistent(&self, consistent: bool) -> Result<(), Failure> {
        // SAFETY: NULL or live.
        call(|error| unsafe { flagstone_migration_set_consistent(self.0, i32::from(consistent), error) })
    }
}

impl Clone for Migration {
    fn clone(&self) -> Self {
        // SAFETY: NULL or live.
        Self(unsafe { flagstone_migration_retain(self.0) })
    }
}

impl Drop for Migration {
    fn drop(&mut self) {
        // SAFETY: ours, given back once.
        unsafe { flagstone_migration_release(self.0) };
    }
}

impl Client {
    /// Begins an operation for `context` (`None`: NULL).
    pub fn try_migration(
        &self,
        context: Option<&Context>,
        key: &str,
        default_stage: i32,
    ) -> (Result<Migration, Failure>, Detail) {
        let (mut detail, mut migration) = (empty_detail(), Migration::null());
        let ((key, key_len), context) = (pointer(key), context.map_or(ptr::null(), |context| context.0.cast_const()));
        let (detail_place, place) = (&raw mut detail, &raw mut migration.0);
        // SAFETY: live handles, a readable text, writable places, a detail of the right size.
        let begun = call(|error| unsafe {
            let stage = default_stage;
            flagstone_migration_variation(self.handle, context, key, key_len, stage, detail_place, place, error)
        });
        (begun.map(|()| migration), copied(detail))
    }

    /// Begins an operation for user `ada`.
    #[track_caller]
    pub fn migration(&self, key: &str, default_stage: i32) -> (Migration, Detail) {
        let (migration, detail) = self.try_migration(Some(&self.user), key, default_stage);
        (migration.expect("an operation is begun"), detail)
    }

    pub fn track_migration(&self, migration: &Migration) -> Result<(), Failure> {
        // SAFETY: a live client, an operation that is NULL or live.
        call(|error| unsafe { flagstone_migration_track(self.handle, migration.0, error) })
    }

    /// The environment that the data come from.
    pub fn environment_id(&self) -> Result<String, Failure> {
        // SAFETY: a live client and writable places.
        text_of(|bytes, error| unsafe { flagstone_client_environment_id(self.handle, bytes, error) })
    }
}
