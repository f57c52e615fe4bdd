//! Results with reasons: how an evaluation becomes the C struct.

use std::ffi::c_void;
use std::mem::size_of;
use std::sync::Arc;

use super::variation_detail::usable;
use super::{flagstone_str, flagstone_type, guard, text};
use crate::client::{Evaluation, Rounding, Wanted};
use crate::eval::{BigSegmentsStatus, Detail, ErrorKind, Reason};
use crate::model::{Flag, Variation, VariationValue};
use crate::store::{Entry, FlagEntry};

/// Why a flag has the value it has.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_reason {
    /// The flag is off.
    FLAGSTONE_REASON_OFF = 0,
    /// No target and no rule matched.
    FLAGSTONE_REASON_FALLTHROUGH = 1,
    /// The context's key is targeted.
    FLAGSTONE_REASON_TARGET_MATCH = 2,
    /// A rule matched: `rule_index`, `rule_id`.
    FLAGSTONE_REASON_RULE_MATCH = 3,
    /// A prerequisite was not met: `prerequisite_key`.
    FLAGSTONE_REASON_PREREQUISITE_FAILED = 4,
    /// The flag could not be evaluated: `error_kind`.
    FLAGSTONE_REASON_ERROR = 5,
}

/// Why a flag could not be evaluated.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_error_kind {
    /// No error.
    FLAGSTONE_ERROR_KIND_NONE = 0,
    /// There is nothing to answer from. Daemon mode: Redis has not been read yet; otherwise: the data source has not delivered
    /// yet, and Redis has no last known flags; in both: nor has a snapshot file. Also with the option offline, and after close
    /// with residency off.
    FLAGSTONE_ERROR_KIND_CLIENT_NOT_READY = 1,
    /// No such flag.
    FLAGSTONE_ERROR_KIND_FLAG_NOT_FOUND = 2,
    /// No valid context.
    FLAGSTONE_ERROR_KIND_USER_NOT_SPECIFIED = 3,
    /// The flag's data contradict themselves.
    FLAGSTONE_ERROR_KIND_MALFORMED_FLAG = 4,
    /// The value is of another type than asked for.
    FLAGSTONE_ERROR_KIND_WRONG_TYPE = 5,
    /// The flag, or something it depends on, could not be read.
    FLAGSTONE_ERROR_KIND_EXCEPTION = 6,
}

/// What became of the big segments that an evaluation consulted.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum flagstone_big_segments {
    /// None was consulted.
    FLAGSTONE_BIG_SEGMENTS_NONE = 0,
    /// The answer is up to date.
    FLAGSTONE_BIG_SEGMENTS_HEALTHY = 1,
    /// The answer may be out of date.
    FLAGSTONE_BIG_SEGMENTS_STALE = 2,
    /// There is no big-segment store, or the segment has no generation yet.
    FLAGSTONE_BIG_SEGMENTS_NOT_CONFIGURED = 3,
    /// The big-segment store could not be asked.
    FLAGSTONE_BIG_SEGMENTS_STORE_ERROR = 4,
}

/// Bit of `flagstone_detail.flags`: there is no value; use your default.
pub const FLAGSTONE_DETAIL_DEFAULTED: u32 = 1;
/// Bit of `flagstone_detail.flags`: the context takes part in an experiment on this flag.
pub const FLAGSTONE_DETAIL_IN_EXPERIMENT: u32 = 2;
/// Bit of `flagstone_detail.flags`: the flag is not known to be true; the last good data answered. Daemon mode: Redis cannot be
/// reached, has not been read yet by this process, or has lost the data set. Otherwise: the data source has not delivered yet, or
/// is not VALID; with residency lazy and off also as in daemon mode. In both: Redis holds newer content that does not parse, or
/// the client is closed.
pub const FLAGSTONE_DETAIL_STALE: u32 = 4;
/// Bit of `flagstone_detail.flags`, with a number: the client was made with `evaluation.integer_rounding` = truncate, which
/// `flagstone_detail_int` heeds.
pub const FLAGSTONE_DETAIL_TRUNCATES: u32 = 8;

/// The result of an evaluation. The caller makes it: set `struct_size` to `sizeof(flagstone_detail)` and the rest to 0.
///
/// The texts are borrowed from the flag data and stay valid, whatever happens to the flag or the client, until
/// `flagstone_detail_clear`. Clear a detail before it is used again. Belongs to one thread at a time.
#[repr(C)]
#[derive(Debug)]
pub struct flagstone_detail {
    /// Size of this struct as the host knows it, in bytes.
    pub struct_size: u32,
    /// Type of the value, a `FLAGSTONE_TYPE_…`; NONE without the DEFAULTED bit: the value is null.
    pub value_type: i32,
    /// A `FLAGSTONE_REASON_…`.
    pub reason: i32,
    /// A `FLAGSTONE_ERROR_KIND_…`; NONE unless the reason is ERROR.
    pub error_kind: i32,
    /// Index of the variation, from 0; -1 for none.
    pub variation_index: i32,
    /// Index of the rule that matched, from 0; -1 for none.
    pub rule_index: i32,
    /// `FLAGSTONE_DETAIL_…` bits.
    pub flags: u32,
    /// A `FLAGSTONE_BIG_SEGMENTS_…`.
    pub big_segments_status: i32,
    /// BOOL: 0 or 1. NUMBER: the number, as the nearest double; `flagstone_detail_int` gives it as an integer.
    pub number_value: f64,
    /// STRING: the text. JSON: the JSON text. NUMBER: the number as written in the flag.
    pub text: flagstone_str,
    /// Id of the rule that matched; may be empty.
    pub rule_id: flagstone_str,
    /// Key of the prerequisite that was not met.
    pub prerequisite_key: flagstone_str,
    /// What keeps the texts alive; not for the host. NULL when nothing is borrowed.
    pub owner: *mut c_void,
}

/// Size of the first version of the struct: hosts may not pass a smaller one.
pub(super) const SMALLEST: usize = size_of::<flagstone_detail>();
const _: () = assert!(SMALLEST == 96 || size_of::<usize>() != 8);

/// Gives back what a detail borrows and clears it, except for `struct_size`. May be called twice. NULL is allowed. Any thread
/// that owns the detail.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_detail_clear(detail: *mut flagstone_detail) {
    guard!((), {
        // SAFETY: NULL or a valid struct, by the rules of the header.
        let Some(detail) = (unsafe { detail.as_mut() }) else { return };
        let owner = std::mem::replace(&mut detail.owner, std::ptr::null_mut());
        *detail = flagstone_detail { struct_size: detail.struct_size, ..flagstone_detail::CLEARED };
        if !owner.is_null() {
            // SAFETY: a non-NULL owner is a reference made by `Arc::into_raw` in `fill`; it is given back once, as it was
            // just replaced by NULL.
            drop(unsafe { Arc::from_raw(owner.cast_const().cast::<Entry<Flag>>()) });
        }
    })
}

/// The number of a detail as an integer, by the rule of `flagstone_int_variation`: so a detail that asked for NUMBER says why,
/// and this what. `default_value` when there is no number, or for NULL. Any thread that owns the detail.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flagstone_detail_int(detail: *const flagstone_detail, default_value: i64) -> i64 {
    guard!(default_value, {
        // SAFETY: NULL or valid, by the rules of the header.
        let Ok(detail) = (unsafe { usable(detail.cast_mut()) }) else { return default_value };
        if detail.value_type != flagstone_type::FLAGSTONE_TYPE_NUMBER as i32 {
            return default_value;
        }
        let truncates = detail.flags & FLAGSTONE_DETAIL_TRUNCATES != 0;
        let rounding = if truncates { Rounding::Truncate } else { Rounding::HalfEven };
        // SAFETY: the text of a detail that was not cleared is readable.
        let written = unsafe { text(detail.text.ptr, detail.text.len) }.unwrap_or_default();
        rounding.round_written(written, detail.number_value)
    })
}

impl flagstone_detail {
    const CLEARED: Self = Self {
        struct_size: 0,
        value_type: flagstone_type::FLAGSTONE_TYPE_NONE as i32,
        reason: 0,
        error_kind: 0,
        variation_index: -1,
        rule_index: -1,
        flags: 0,
        big_segments_status: 0,
        number_value: 0.0,
        text: flagstone_str::EMPTY,
        rule_id: flagstone_str::EMPTY,
        prerequisite_key: flagstone_str::EMPTY,
        owner: std::ptr::null_mut(),
    };

    /// Writes an evaluation that asked for `wanted`.
    pub(super) fn fill(&mut self, evaluation: &Evaluation<'_>, wanted: Wanted) {
        *self = Self { struct_size: self.struct_size, ..Self::CLEARED };
        if evaluation.stale {
            self.flags |= FLAGSTONE_DETAIL_STALE;
        }
        let detail = &evaluation.detail;
        self.big_segments_status = big_segments(detail.big_segments);
        match detail.variation {
            Some(variation) => self.fill_value(variation, wanted),
            None => self.flags |= FLAGSTONE_DETAIL_DEFAULTED,
        }
        if self.value_type == flagstone_type::FLAGSTONE_TYPE_NUMBER as i32
            && evaluation.rounding() == Rounding::Truncate
        {
            self.flags |= FLAGSTONE_DETAIL_TRUNCATES;
        }
        self.variation_index = detail.index.and_then(|index| i32::try_from(index).ok()).unwrap_or(-1);
        self.fill_reason(detail);
        self.keep_alive(evaluation.entry);
    }

    /// Writes an error without a value.
    pub(super) fn fail(&mut self, kind: ErrorKind) {
        *self = Self { struct_size: self.struct_size, ..Self::CLEARED };
        self.fill_error(kind);
    }

    fn fill_error(&mut self, kind: ErrorKind) {
        self.reason = flagstone_reason::FLAGSTONE_REASON_ERROR as i32;
        self.error_kind = error_kind(kind);
        self.flags |= FLAGSTONE_DETAIL_DEFAULTED;
        self.value_type = flagstone_type::FLAGSTONE_TYPE_NONE as i32;
    }

    fn fill_value(&mut self, variation: &Variation, wanted: Wanted) {
        use flagstone_type::*;
        let value = variation.value();
        self.value_type = match value {
            VariationValue::Null => FLAGSTONE_TYPE_NONE,
            _ if wanted == Wanted::Json => {
                self.text = flagstone_str::new(variation.json());
                FLAGSTONE_TYPE_JSON
            }
            VariationValue::Bool(value) => {
                self.number_value = f64::from(u8::from(value));
                FLAGSTONE_TYPE_BOOL
            }
            VariationValue::Number(value) => {
                self.number_value = value;
                self.text = flagstone_str::new(variation.json());
                FLAGSTONE_TYPE_NUMBER
            }
            VariationValue::String(value) => {
                self.text = flagstone_str::new(value);
                FLAGSTONE_TYPE_STRING
            }
            VariationValue::Json(value) => {
                self.text = flagstone_str::new(value);
                FLAGSTONE_TYPE_JSON
            }
        } as i32;
    }

    fn fill_reason(&mut self, detail: &Detail<'_>) {
        use flagstone_reason::*;
        let (reason, in_experiment) = match detail.reason {
            Reason::Off => (FLAGSTONE_REASON_OFF, false),
            Reason::Fallthrough { in_experiment } => (FLAGSTONE_REASON_FALLTHROUGH, in_experiment),
            Reason::TargetMatch => (FLAGSTONE_REASON_TARGET_MATCH, false),
            Reason::RuleMatch { index, id, in_experiment } => {
                self.rule_index = i32::try_from(index).unwrap_or(i32::MAX);
                self.rule_id = flagstone_str::new(id);
                (FLAGSTONE_REASON_RULE_MATCH, in_experiment)
            }
            Reason::PrerequisiteFailed { key } => {
                self.prerequisite_key = flagstone_str::new(key);
                (FLAGSTONE_REASON_PREREQUISITE_FAILED, false)
            }
            Reason::Error(kind) => {
                self.error_kind = error_kind(kind);
                (FLAGSTONE_REASON_ERROR, false)
            }
        };
        self.reason = reason as i32;
        if in_experiment {
            self.flags |= FLAGSTONE_DETAIL_IN_EXPERIMENT;
        }
    }

    /// Takes a reference to the entry when a text points into it.
    fn keep_alive(&mut self, entry: Option<&FlagEntry>) {
        if self.text.len == 0 {
            self.text = flagstone_str::EMPTY;
        }
        let borrows = self.text.len + self.rule_id.len + self.prerequisite_key.len > 0;
        if let (true, Some(entry)) = (borrows, entry) {
            self.owner = Arc::into_raw(entry.clone()).cast_mut().cast::<c_void>();
        }
    }
}

fn error_kind(kind: ErrorKind) -> i32 {
    use flagstone_error_kind::*;
    (match kind {
        ErrorKind::ClientNotReady => FLAGSTONE_ERROR_KIND_CLIENT_NOT_READY,
        ErrorKind::FlagNotFound => FLAGSTONE_ERROR_KIND_FLAG_NOT_FOUND,
        ErrorKind::UserNotSpecified => FLAGSTONE_ERROR_KIND_USER_NOT_SPECIFIED,
        ErrorKind::MalformedFlag => FLAGSTONE_ERROR_KIND_MALFORMED_FLAG,
        ErrorKind::WrongType => FLAGSTONE_ERROR_KIND_WRONG_TYPE,
        ErrorKind::Exception => FLAGSTONE_ERROR_KIND_EXCEPTION,
    }) as i32
}

fn big_segments(status: Option<BigSegmentsStatus>) -> i32 {
    use flagstone_big_segments::*;
    (match status {
        None => FLAGSTONE_BIG_SEGMENTS_NONE,
        Some(BigSegmentsStatus::Healthy) => FLAGSTONE_BIG_SEGMENTS_HEALTHY,
        Some(BigSegmentsStatus::Stale) => FLAGSTONE_BIG_SEGMENTS_STALE,
        Some(BigSegmentsStatus::NotConfigured) => FLAGSTONE_BIG_SEGMENTS_NOT_CONFIGURED,
        Some(BigSegmentsStatus::StoreError) => FLAGSTONE_BIG_SEGMENTS_STORE_ERROR,
    }) as i32
}
