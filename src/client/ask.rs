//! What a caller wants of an evaluation. May depend on `model`.

use crate::model::{DefaultValue, Variation, VariationValue};

/// The type that a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Wanted {
    /// Whatever the flag has.
    Any = 0,
    /// `true` or `false`.
    Bool = 1,
    /// A number.
    Number = 2,
    /// A string.
    String = 3,
    /// Any JSON value, as text.
    Json = 4,
}

impl TryFrom<i32> for Wanted {
    type Error = ();
    fn try_from(code: i32) -> Result<Self, ()> {
        match code {
            0 => Ok(Self::Any),
            1 => Ok(Self::Bool),
            2 => Ok(Self::Number),
            3 => Ok(Self::String),
            4 => Ok(Self::Json),
            _ => Err(()),
        }
    }
}

impl Wanted {
    /// Whether a variation is of this type.
    #[inline(always)]
    pub fn accepts(self, variation: &Variation) -> bool {
        match self {
            Self::Any | Self::Json => true,
            Self::Bool => matches!(variation.value(), VariationValue::Bool(_)),
            Self::Number => matches!(variation.value(), VariationValue::Number(_)),
            Self::String => matches!(variation.value(), VariationValue::String(_)),
        }
    }

    /// The default of callers that give none.
    pub(super) fn nothing(self) -> DefaultValue<'static> {
        match self {
            Self::Any | Self::Json => DefaultValue::None,
            Self::Bool => DefaultValue::Bool(false),
            Self::Number => DefaultValue::Integer(0),
            Self::String => DefaultValue::String(b""),
        }
    }
}

/// What a caller wants.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The type; a value of another one is an error.
    pub wanted: Wanted,
    /// The caller's default, which events tell; the caller itself serves it where there is no value.
    pub default: DefaultValue<'a>,
    /// Whether the caller is given the reason: events tell it then, too.
    pub with_reason: bool,
}

impl<'a> Ask<'a> {
    /// For a value alone.
    #[inline]
    pub const fn value(wanted: Wanted, default: DefaultValue<'a>) -> Self {
        Self { wanted, default, with_reason: false }
    }

    /// For a value and its reason.
    #[inline]
    pub const fn detail(wanted: Wanted, default: DefaultValue<'a>) -> Self {
        Self { wanted, default, with_reason: true }
    }
}
