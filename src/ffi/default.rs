//! A caller's default as it is: a host need not write JSON for an event that hardly ever needs it.

use super::{flagstone_str, flagstone_type, raw};
use crate::client::DefaultValue;

/// Your default, borrowed for one call. Events tell it; a call gives it back only where it says so. Zeroed memory is a default
/// of null.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct flagstone_default {
    /// A `FLAGSTONE_TYPE_…`: NONE for null.
    pub value_type: i32,
    /// NUMBER: not 0 if `integer` is the number, else `number` is.
    pub is_integer: i32,
    /// BOOL: 0, or not 0. NUMBER: see `is_integer`.
    pub integer: i64,
    /// NUMBER: see `is_integer`.
    pub number: f64,
    /// STRING: the string itself. JSON: the value as JSON text.
    pub text: flagstone_str,
}

impl flagstone_default {
    /// What it stands for. What is not JSON, or is of an unknown type, is told as null.
    ///
    /// # Safety
    /// The text is readable during `'a`.
    #[inline]
    pub(super) unsafe fn value<'a>(self) -> DefaultValue<'a> {
        const BOOL: i32 = flagstone_type::FLAGSTONE_TYPE_BOOL as i32;
        const NUMBER: i32 = flagstone_type::FLAGSTONE_TYPE_NUMBER as i32;
        const STRING: i32 = flagstone_type::FLAGSTONE_TYPE_STRING as i32;
        const JSON: i32 = flagstone_type::FLAGSTONE_TYPE_JSON as i32;
        // SAFETY: the caller's promise.
        let text = |text: flagstone_str| unsafe { raw(text.ptr, text.len) };
        match self.value_type {
            BOOL => DefaultValue::Bool(self.integer != 0),
            NUMBER if self.is_integer != 0 => DefaultValue::Integer(self.integer),
            NUMBER => DefaultValue::Number(self.number),
            STRING => text(self.text).map_or(DefaultValue::None, DefaultValue::String),
            JSON => text(self.text).map_or(DefaultValue::None, DefaultValue::Json),
            _ => DefaultValue::None,
        }
    }
}

/// The default behind a pointer; null for NULL.
///
/// # Safety
/// `default` is NULL or points to a default whose text is readable during `'a`.
#[inline]
pub(super) unsafe fn default_at<'a>(default: *const flagstone_default) -> DefaultValue<'a> {
    // SAFETY: NULL or readable, by the caller's promise.
    match unsafe { default.as_ref() } {
        // SAFETY: the caller's promise.
        Some(default) => unsafe { default.value() },
        None => DefaultValue::None,
    }
}
