//! Migrations: the stage that one is in for somebody, and what an operation of it did, which events tell once. May depend on
//! `events`, `eval`, `store`, `context`, `model`.
//!
//! An operation keeps what its event will say of the evaluation; nothing that happens to the flag or the client changes it.

mod measured;
mod stage;

use std::sync::Arc;

use measured::{Measured, Told};

pub use measured::MigrationError;
pub use stage::{Operation, Origin, Stage};

use super::flags_state::write_reason;
use super::{Ask, Client, Evaluation, Wanted};
use crate::context::Context;
use crate::eval::{Detail, ErrorKind, Reason};
use crate::events;
use crate::model::{DefaultValue, Jitter, VariationValue, unix_ms, write_string};

/// One operation of a migration under way: a read or a write of data that move from an old to a new origin.
///
/// Any number of threads may say what it did, without a lock; it is told once.
#[derive(Debug)]
pub struct Migration {
    key: Box<str>,
    context: Option<Arc<Context>>,
    stage: Stage,
    default: Stage,
    version: Option<i64>,
    variation: Option<u32>,
    reason: Box<str>,
    sampling_ratio: i64,
    check_ratio: i64,
    is_checked: bool,
    measured: Measured,
}

impl Client {
    /// Evaluates the flag `key` as the stage of a migration, and begins an operation of it. `read` is handed the result:
    /// a value, if there is one, is a stage; otherwise `default` is in force.
    ///
    /// Counts as an evaluation of a string. No I/O and no wait but those of [`Client::evaluate`].
    pub fn migration<R>(
        &self,
        key: &str,
        context: Option<&Context>,
        default: Stage,
        read: impl FnOnce(&Evaluation<'_>) -> R,
    ) -> (Migration, R) {
        let ask = Ask::value(Wanted::String, DefaultValue::String(default.name().as_bytes()));
        self.evaluate(key, context, ask, |mut evaluation| {
            let stage = self.stage_of(&mut evaluation).unwrap_or(default);
            let migration = Migration::new(key, context, stage, default, &evaluation);
            (migration, read(&evaluation))
        })
    }

    /// The stage that was served, if any. A string that is none becomes an error.
    fn stage_of(&self, evaluation: &mut Evaluation<'_>) -> Option<Stage> {
        let VariationValue::String(text) = evaluation.detail.variation?.value() else { return None };
        let stage = Stage::from_name(text);
        if stage.is_none() {
            if let Some(entry) = evaluation.entry {
                self.tell_no_stage(entry);
            }
            let big_segments = evaluation.detail.big_segments;
            let reason = Reason::Error(ErrorKind::WrongType);
            evaluation.detail = Detail { variation: None, index: None, reason, big_segments };
        }
        stage
    }

    /// Tells what an operation did, once. Nothing is sent before the next flush; nothing at all without events, or where the
    /// flag's sampling ratio leaves it out. Checked in any case.
    pub fn track_migration(&self, migration: &Migration) -> Result<(), MigrationError> {
        if self.is_closed() {
            return Err(MigrationError::Closed);
        }
        let context = migration.context.as_ref().ok_or(MigrationError::NoContext)?;
        if migration.key.is_empty() {
            return Err(MigrationError::NoKey);
        }
        let told = migration.measured.end(migration.check_ratio)?;
        self.tell_events(|_, inbox| inbox.migration(migration.event(context, told)));
        Ok(())
    }
}

impl Migration {
    fn new(key: &str, context: Option<&Context>, stage: Stage, default: Stage, evaluation: &Evaluation<'_>) -> Self {
        let flag = evaluation.entry.and_then(|entry| entry.live());
        let mut reason = String::new();
        write_reason(&evaluation.detail, &mut reason);
        let check_ratio = flag.and_then(|flag| flag.migration_check_ratio).unwrap_or(1);
        Self {
            key: Box::from(key),
            context: context.map(|context| Arc::new(context.clone())),
            stage,
            default,
            version: flag.map(|flag| flag.version),
            variation: evaluation.detail.index,
            reason: reason.into_boxed_str(),
            sampling_ratio: flag.map_or(1, |flag| flag.sampling_ratio),
            check_ratio,
            is_checked: Jitter::new().draws(check_ratio),
            measured: Measured::default(),
        }
    }

    /// The stage in force.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether this operation is one of those whose origins are to be compared; always the same answer.
    pub fn wants_check(&self) -> bool {
        self.is_checked
    }

    /// It reads, or it writes. The last word counts.
    pub fn set_operation(&self, operation: Operation) -> Result<(), MigrationError> {
        self.measured.set_operation(operation)
    }

    /// An origin was invoked.
    pub fn set_invoked(&self, origin: Origin) -> Result<(), MigrationError> {
        self.measured.set_invoked(origin)
    }

    /// An origin failed.
    pub fn set_failed(&self, origin: Origin) -> Result<(), MigrationError> {
        self.measured.set_failed(origin)
    }

    /// How long an origin took. The last word counts.
    pub fn set_latency(&self, origin: Origin, milliseconds: f64) -> Result<(), MigrationError> {
        self.measured.set_latency(origin, milliseconds)
    }

    /// Whether both origins said the same. The last word counts.
    pub fn set_consistent(&self, is_consistent: bool) -> Result<(), MigrationError> {
        self.measured.set_consistent(is_consistent)
    }

    fn event(&self, context: &Arc<Context>, told: Told) -> events::Migration {
        let json = |stage: Stage| {
            let mut json = String::new();
            write_string(stage.name(), &mut json);
            json.into_boxed_str()
        };
        events::Migration {
            at: unix_ms(),
            context: Arc::clone(context),
            operation: told.operation,
            key: self.key.clone(),
            version: self.version,
            variation: self.variation,
            value: json(self.stage),
            default: Some(json(self.default)),
            reason: self.reason.clone(),
            sampling_ratio: self.sampling_ratio,
            measurements: told.measurements,
        }
    }
}
