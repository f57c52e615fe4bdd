//! A prepared flag: key, type and default bound once, and the place of the flag remembered, so that a call skips the hash.
//! May depend on `store`, `eval`, `context`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde_json::Value;

use super::evaluate::Evaluation;
use super::{Ask, Client, Wanted};
use crate::context::Context;
use crate::model::DefaultValue;
use crate::store::Slot;

/// Why a default value was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefaultError {
    /// The text is not JSON.
    #[error("default_json is not JSON: {0}")]
    Json(String),
    /// The value is of another type than the flag was asked for.
    #[error("default_json is not of the type asked for")]
    Type,
}

/// A flag bound to its client.
#[derive(Debug)]
pub struct Prepared {
    client: Arc<Client>,
    key: Box<str>,
    wanted: Wanted,
    default: Value,
    /// The default as events tell it.
    default_json: Option<Box<str>>,
    place: AtomicU64,
}

impl Prepared {
    /// Binds a flag. An empty `default_json` stands for false, 0 or null. The flag need not exist yet.
    pub fn new(client: Arc<Client>, key: &str, wanted: Wanted, default_json: &str) -> Result<Self, DefaultError> {
        let default = if default_json.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(default_json).map_err(|error| DefaultError::Json(error.to_string()))?
        };
        let fits = match wanted {
            Wanted::Any | Wanted::Json => true,
            Wanted::Bool => default.is_boolean() || default_json.is_empty(),
            Wanted::Number => default.is_number() || default_json.is_empty(),
            Wanted::String => default.is_string() || default_json.is_empty(),
        };
        if !fits {
            return Err(DefaultError::Type);
        }
        let default_json =
            if default_json.is_empty() { wanted.nothing() } else { DefaultValue::Json(default_json.as_bytes()) };
        Ok(Self {
            client,
            key: Box::from(key),
            wanted,
            default,
            default_json: default_json.to_json(),
            place: AtomicU64::new(Slot::UNKNOWN.to_bits()),
        })
    }

    /// The type asked for.
    pub fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// The default as bool; false when it is none.
    #[inline]
    pub fn default_bool(&self) -> bool {
        matches!(self.default, Value::Bool(true))
    }

    /// The default as number; 0 when it is none.
    #[inline]
    pub fn default_number(&self) -> f64 {
        self.default.as_f64().unwrap_or(0.0)
    }

    /// The default as an integer, exact where it is one; 0 when it is no number.
    #[inline]
    pub fn default_int(&self) -> i64 {
        self.default.as_i64().unwrap_or_else(|| self.client.rounding.round(self.default_number()))
    }

    /// The default as text; empty when it is none.
    #[inline]
    pub fn default_text(&self) -> &str {
        self.default.as_str().unwrap_or_default()
    }

    /// The client that this flag keeps alive.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Evaluates the flag. `with_reason`: the caller is given the reason, so that events tell it, too.
    #[inline]
    pub fn evaluate<R>(
        &self,
        context: Option<&Context>,
        with_reason: bool,
        read: impl FnOnce(Evaluation<'_>) -> R,
    ) -> R {
        let ask = self.ask(with_reason);
        self.client.evaluate_at(&self.key, Some(&self.place), context, ask, true, |evaluation, _| read(evaluation))
    }

    /// Evaluates the flag without any wait; `None` when something would have to be read from Redis.
    #[inline]
    pub fn evaluate_now<R>(&self, context: Option<&Context>, read: impl FnOnce(Evaluation<'_>) -> R) -> Option<R> {
        self.client.evaluate_now(&self.key, Some(&self.place), context, self.ask(false), read)
    }

    #[inline]
    fn ask(&self, with_reason: bool) -> Ask<'_> {
        let default =
            self.default_json.as_deref().map_or(DefaultValue::None, |json| DefaultValue::Json(json.as_bytes()));
        Ask { wanted: self.wanted, default, with_reason }
    }
}
