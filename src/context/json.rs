//! Contexts from JSON: single-kind, multi-kind and the user format of older SDKs.
//!
//! Which of the three it is depends on the property `kind`, wherever it stands.

use super::builder::{ContextBuilder, optional_string, string_list, wrong_type};
use super::{Context, ContextError, SingleContext};
use crate::model::{Member, Value};

/// Properties of a legacy user that become attributes.
const LEGACY_ATTRIBUTES: [&str; 6] = ["firstName", "lastName", "email", "country", "avatar", "ip"];
/// Names that a legacy user's custom attributes cannot have.
const RESERVED: [&str; 5] = ["kind", "key", "name", "anonymous", "_meta"];

pub(super) fn read(json: &str) -> Result<Context, ContextError> {
    if json.len() > Context::MAX_BYTES {
        return Err(ContextError::TooLarge);
    }
    let value: Value = serde_json::from_str(json).map_err(|error| ContextError::Json(error.to_string()))?;
    let Value::Object(members) = value else {
        return Err(ContextError::NotAnObject);
    };
    let kind = members.iter().find(|(name, _)| &**name == "kind").map(|(_, value)| value.clone());
    match kind {
        None => legacy(members).map(Context::from),
        Some(Value::String(kind)) if &*kind == "multi" => multi(members),
        Some(Value::String(kind)) => single(&kind, members).map(Context::from),
        Some(_) => Err(wrong_type("kind", "a string")),
    }
}

/// `kind` is what the context is called unless it says otherwise itself.
fn single(kind: &str, members: Box<[Member]>) -> Result<SingleContext, ContextError> {
    let mut builder = ContextBuilder::without_key(kind);
    for (name, value) in members {
        builder.set(&name, value);
    }
    builder.single(false)
}

fn multi(members: Box<[Member]>) -> Result<Context, ContextError> {
    let mut singles = Vec::with_capacity(members.len());
    let mut errors = Vec::new();
    for (kind, value) in members.into_iter().filter(|(name, _)| &**name != "kind") {
        let result = match value {
            Value::Object(members) => single(&kind, members),
            _ => Err(wrong_type(&kind, "an object")),
        };
        match result {
            Ok(context) => singles.push(context),
            Err(error) => errors.push((kind, error)),
        }
    }
    if errors.is_empty() { Context::from_singles(singles) } else { Err(ContextError::Members(errors)) }
}

fn legacy(members: Box<[Member]>) -> Result<SingleContext, ContextError> {
    let mut builder = ContextBuilder::without_key("user");
    let mut custom = Value::Null;
    for (name, value) in members {
        match &*name {
            "key" | "name" => {
                builder.set(&name, value);
            }
            "anonymous" if value == Value::Null => {}
            "anonymous" => {
                builder.set(&name, value);
            }
            "custom" => custom = value,
            "privateAttributeNames" => {
                for literal in string_list(&name, value)? {
                    builder.private_name(&literal);
                }
            }
            known if LEGACY_ATTRIBUTES.contains(&known) => {
                if let Some(text) = optional_string(known, value)? {
                    builder.set_string(known, &text);
                }
            }
            _ => {}
        }
    }
    legacy_custom(&mut builder, custom)?;
    builder.single(true)
}

/// Custom attributes come last, so that they win over the built-in ones of the same name.
fn legacy_custom(builder: &mut ContextBuilder, custom: Value) -> Result<(), ContextError> {
    match custom {
        Value::Null => Ok(()),
        Value::Object(members) => {
            for (name, value) in members {
                if !RESERVED.contains(&&*name) && value != Value::Null {
                    builder.set(&name, value);
                }
            }
            Ok(())
        }
        _ => Err(wrong_type("custom", "an object or null")),
    }
}
