//! Big segments and their members, as a Relay Proxy keeps them in Redis: for each context two sets of segment references, by the
//! hash of its key; a cursor; the moment at which all of it was up to date. Depends on the Redis client and `store`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::{Connection, Pipeline, transaction};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::store::{StoreError, features_key, inited_key, segments_key, unix_micros};

/// Lines in one transaction: a Relay Proxy gets its patches in pieces, too.
const LINES_PER_PATCH: usize = 1_000;

/// What becomes of one context in one big segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// It belongs to the segment.
    Included,
    /// It does not, whatever the segment's rules say.
    Excluded,
    /// The rules decide.
    Unknown,
}

/// One line of a patch: a context, the reference of a segment (`vip.g7`), and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Key of the context.
    pub context: String,
    /// The segment's key, `.g` and its generation.
    pub reference: String,
    /// What becomes of it.
    pub membership: Membership,
}

/// The name under which a context is known: Base64 of the SHA-256 of its key.
pub fn context_hash(context: &str) -> String {
    STANDARD.encode(Sha256::digest(context.as_bytes()))
}

/// The set of segments that include or exclude (`which`) a context.
pub fn set_key(prefix: &str, which: &str, context: &str) -> String {
    format!("{prefix}:big_segment_{which}:{}", context_hash(context))
}

/// The moment at which all members were up to date.
pub fn synchronized_on_key(prefix: &str) -> String {
    format!("{prefix}:big_segments_synchronized_on")
}

/// Applies lines in pieces, each in one transaction with the cursor of what was applied, and says afterwards that everything is
/// up to date.
///
/// # Errors
///
/// [`StoreError::Redis`].
pub fn apply(connection: &mut Connection, prefix: &str, lines: &[Line]) -> Result<(), StoreError> {
    let (lock, cursor) = (format!("{prefix}:big_segments_lock"), format!("{prefix}:big_segments_cursor"));
    for piece in lines.chunks(LINES_PER_PATCH) {
        transaction(connection, &[&lock], |connection, pipeline| {
            let before: Option<u64> = redis::cmd("GET").arg(&cursor).query(connection)?;
            piece.iter().for_each(|line| line.write(prefix, pipeline));
            pipeline.set(&cursor, before.unwrap_or(0) + 1).ignore();
            pipeline.set(&lock, "").ignore();
            pipeline.query::<Option<()>>(connection)
        })?;
    }
    bring_up_to_date(connection, prefix)
}

/// Says that everything is up to date by now.
///
/// # Errors
///
/// [`StoreError::Redis`].
pub fn bring_up_to_date(connection: &mut Connection, prefix: &str) -> Result<(), StoreError> {
    let now_ms = (unix_micros() / 1_000).to_string();
    Ok(redis::cmd("SET").arg(synchronized_on_key(prefix)).arg(now_ms).exec(connection)?)
}

impl Line {
    fn write(&self, prefix: &str, pipeline: &mut Pipeline) {
        let [include, exclude] = ["include", "exclude"].map(|which| set_key(prefix, which, &self.context));
        let (from, to) = match self.membership {
            Membership::Included => (vec![exclude], Some(include)),
            Membership::Excluded => (vec![include], Some(exclude)),
            Membership::Unknown => (vec![include, exclude], None),
        };
        from.iter().for_each(|set| _ = pipeline.srem(set, &self.reference).ignore());
        if let Some(set) = to {
            pipeline.sadd(set, &self.reference).ignore();
        }
    }
}

/// Adds big segments `big-0` and so on in generation 1, a flag `in-big-0` for each that serves true to its members, and users
/// `user-0` and so on: of each segment about half of them are members, a quarter is excluded. Everything else stays. Equal
/// numbers give equal members.
///
/// # Errors
///
/// [`StoreError::Redis`].
pub fn fill(
    connection: &mut Connection,
    prefix: &str,
    (segments, contexts): (usize, usize),
    seed: u64,
) -> Result<(), StoreError> {
    let mut pipeline = redis::pipe();
    for number in 0..segments {
        let (segment, flag) = (format!("big-{number}"), format!("in-big-{number}"));
        let item = json!({"key": segment, "version": 1, "unbounded": true, "generation": 1, "salt": segment});
        pipeline.hset(segments_key(prefix), &segment, item.to_string()).ignore();
        let rule = json!({"variation": 1, "clauses": [{"op": "segmentMatch", "values": [segment]}]});
        let item = json!({
            "key": flag, "version": 1, "on": true, "variations": [false, true], "fallthrough": {"variation": 0},
            "offVariation": 0, "salt": flag, "rules": [rule],
        });
        pipeline.hset(features_key(prefix), &flag, item.to_string()).ignore();
    }
    pipeline.atomic().set(inited_key(prefix), "").ignore().exec(connection)?;
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut lines = Vec::with_capacity(segments * contexts);
    for context in 0..contexts {
        for segment in 0..segments {
            let membership = match rng.u8(0..4) {
                0 | 1 => Membership::Included,
                2 => Membership::Excluded,
                _ => continue,
            };
            lines.push(Line { context: format!("user-{context}"), reference: format!("big-{segment}.g1"), membership });
        }
    }
    apply(connection, prefix, &lines)
}
