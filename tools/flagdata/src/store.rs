//! Writes data sets and single changes to Redis, in the layout of LaunchDarkly's SDKs and Relay Proxy: the hashes
//! `<prefix>:features` and `<prefix>:segments`, and `<prefix>:$inited`. Depends on `DataSet` and the Redis client.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use redis::{Connection, RedisError, pipe, transaction};
use serde_json::{Map, Value, json};

use crate::DataSet;
use crate::item::is_deleted;

/// Fields per `HSET` of a full write.
const FIELDS_PER_COMMAND: usize = 500;

/// Why nothing was written.
#[derive(Debug)]
pub enum StoreError {
    /// Redis refused, or was not reached.
    Redis(RedisError),
    /// There is no flag of this key, or only a tombstone of it.
    NoSuchFlag(String),
    /// What Redis holds under this key, or what the change makes of it, is no JSON object.
    NotAFlag(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Redis(error) => write!(f, "redis: {error}"),
            StoreError::NoSuchFlag(key) => write!(f, "there is no flag `{key}`"),
            StoreError::NotAFlag(key) => write!(f, "the value of flag `{key}` is not a JSON object"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::Redis(error) => Some(error),
            _ => None,
        }
    }
}

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        StoreError::Redis(error)
    }
}

/// What a single change does to a flag.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Merge this into the flag (JSON merge patch: objects are merged, `null` removes a property).
    Patch(Value),
    /// Serve this variation to whoever falls through, in place of whatever was served.
    Fallthrough(u64),
    /// Replace the flag with a tombstone.
    Delete,
}

/// A change that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The flag's new version.
    pub version: i64,
    /// Microseconds since 1970 just before the write was sent.
    pub unix_micros: u128,
}

/// The hash of flags under `prefix`.
pub fn features_key(prefix: &str) -> String {
    format!("{prefix}:features")
}

/// The hash of segments under `prefix`.
pub fn segments_key(prefix: &str) -> String {
    format!("{prefix}:segments")
}

/// The marker of a complete data set under `prefix`.
pub fn inited_key(prefix: &str) -> String {
    format!("{prefix}:$inited")
}

/// Replaces everything under `prefix` with `data`, in one transaction.
///
/// # Errors
///
/// [`StoreError::Redis`].
pub fn fill(connection: &mut Connection, prefix: &str, data: &DataSet) -> Result<(), StoreError> {
    let mut transaction = pipe();
    transaction.atomic();
    for (hash, items) in [(features_key(prefix), &data.flags), (segments_key(prefix), &data.segments)] {
        transaction.del(&hash).ignore();
        let fields: Vec<(&String, String)> = items.iter().map(|(key, item)| (key, item.to_string())).collect();
        for chunk in fields.chunks(FIELDS_PER_COMMAND) {
            transaction.hset_multiple(&hash, chunk).ignore();
        }
    }
    transaction.set(inited_key(prefix), "").ignore();
    Ok(transaction.exec(connection)?)
}

/// Reads a flag, changes it, gives it the next version and writes it back; begins again when somebody else wrote
/// meanwhile.
///
/// # Errors
///
/// [`StoreError`]; then nothing was written.
pub fn change(connection: &mut Connection, prefix: &str, key: &str, change: &Change) -> Result<Written, StoreError> {
    let hash = features_key(prefix);
    // The transaction helper speaks Redis errors only: what is wrong with the flag itself travels inside.
    transaction(connection, &[&hash], |connection, pipeline| {
        let held: Option<String> = redis::Cmd::hget(&hash, key).query(connection)?;
        let (flag, version) = match changed(key, held.as_deref(), change) {
            Ok(changed) => changed,
            Err(error) => return Ok(Some(Err(error))),
        };
        let unix_micros = unix_micros();
        let reply: Option<()> = pipeline.hset(&hash, key, flag.to_string()).ignore().query(connection)?;
        Ok(reply.map(|()| Ok(Written { version, unix_micros })))
    })?
}

fn changed(key: &str, held: Option<&str>, change: &Change) -> Result<(Value, i64), StoreError> {
    let held = held.ok_or_else(|| StoreError::NoSuchFlag(key.to_owned()))?;
    let Ok(mut flag @ Value::Object(_)) = serde_json::from_str::<Value>(held) else {
        return Err(StoreError::NotAFlag(key.to_owned()));
    };
    if is_deleted(&flag) {
        return Err(StoreError::NoSuchFlag(key.to_owned()));
    }
    let version = flag.get("version").and_then(Value::as_i64).unwrap_or(0) + 1;
    match change {
        Change::Patch(patch) => merge(&mut flag, patch),
        Change::Fallthrough(variation) => {
            merge(&mut flag, &json!({"fallthrough": {"variation": variation, "rollout": null}}))
        }
        Change::Delete => flag = json!({"key": key, "deleted": true}),
    }
    let Value::Object(properties) = &mut flag else {
        return Err(StoreError::NotAFlag(key.to_owned()));
    };
    properties.insert("version".to_owned(), json!(version));
    Ok((flag, version))
}

/// JSON merge patch.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// Microseconds since 1970; 0 on a machine whose clock is set earlier than that.
pub fn unix_micros() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_merge_patch_merges_objects_and_removes_what_is_null() {
        let mut flag = json!({"on": true, "fallthrough": {"variation": 1, "rollout": {}}, "rules": [1, 2]});
        merge(&mut flag, &json!({"on": false, "fallthrough": {"rollout": null}, "rules": [], "new": {"a": {"b": 1}}}));
        assert_eq!(flag, json!({"on": false, "fallthrough": {"variation": 1}, "rules": [], "new": {"a": {"b": 1}}}));
    }

    #[test]
    fn a_change_raises_the_version_even_if_the_patch_names_another() {
        let change = Change::Patch(json!({"version": 3, "on": false}));
        let (flag, version) = changed("f", Some(r#"{"key":"f","version":8,"on":true}"#), &change).unwrap();
        assert_eq!(version, 9);
        assert_eq!(flag, json!({"key": "f", "version": 9, "on": false}));
    }

    #[test]
    fn a_patch_that_is_no_object_is_refused() {
        let error = changed("f", Some(r#"{"key":"f","version":8}"#), &Change::Patch(json!(7))).unwrap_err();
        assert_eq!(error.to_string(), "the value of flag `f` is not a JSON object");
    }

    #[test]
    fn a_tombstone_cannot_be_changed() {
        let error = changed("f", Some(r#"{"version":8,"deleted":true}"#), &Change::Fallthrough(0)).unwrap_err();
        assert_eq!(error.to_string(), "there is no flag `f`");
    }

    #[test]
    fn a_new_fallthrough_replaces_a_rollout() {
        let held = r#"{"version":1,"fallthrough":{"rollout":{"variations":[{"variation":0,"weight":100000}]}}}"#;
        let (flag, _) = changed("f", Some(held), &Change::Fallthrough(1)).unwrap();
        assert_eq!(flag["fallthrough"], json!({"variation": 1}));
    }
}
