//! The question to one node, and what it may answer. Depends on `connection` and `map`.

use redis::{ConnectionLike, RedisError, Value, cmd, pipe};

use super::super::abilities::is_denied;
use super::super::connection::Connection;
use super::super::describe::describe;
use super::super::server::value_of;
use super::super::values::error_of;
use super::map::{Map, Reading};

/// What a node says of its cluster.
#[derive(Debug, Clone)]
pub struct Word {
    /// Who owns what.
    pub map: Map,
    /// Counts what the cluster has agreed on; a greater one is later. 0 where it does not tell.
    pub epoch: u64,
    /// The cluster serves, as far as this node sees.
    pub is_well: bool,
}

/// Why a node did not say it.
#[derive(Debug, thiserror::Error)]
pub enum Silence {
    /// It serves by itself.
    #[error("is one server and no node of a cluster: write redis://, without +cluster")]
    Standalone,
    /// It is something else.
    #[error("does not know the command CLUSTER: is it a sentinel, or a proxy?")]
    NoNode,
    /// Nobody has been given slots.
    #[error("is a node that knows of no slots: the cluster was not created, or this node has not joined it")]
    Empty,
    /// None of its nodes is one that is known, and the URL does not lead there.
    #[error("is a node of another cluster")]
    Foreign,
    /// What it said has no meaning.
    #[error("gives an answer that no node of a cluster gives")]
    Nonsense,
    /// It could not be asked, or refused.
    #[error("{}", describe(.0))]
    Failed(#[from] RedisError),
}

/// Asks who owns what. `CLUSTER SLOTS` names the owners, and their ports for connections of the kind over which it is asked;
/// where the rules allow the newer `CLUSTER SHARDS` only, that is asked.
pub fn ask(connection: &mut Connection, reading: Reading<'_>) -> Result<Word, Silence> {
    let mut questions = pipe();
    questions.cmd("CLUSTER").arg("INFO");
    questions.cmd("CLUSTER").arg("SLOTS");
    let replies = connection.req_packed_commands(&questions.get_packed_pipeline(), 0, questions.len())?;
    let [info, slots] = replies.as_slice() else { return Err(Silence::Nonsense) };
    let map = match slots {
        Value::ServerError(error) if is_denied(&error_of(error.clone())) && !is_no_node(slots) => {
            let shards = connection.req_command(cmd("CLUSTER").arg("SHARDS"))?;
            map_of(&shards, Map::of_shards(&shards, reading))?
        }
        slots => map_of(slots, Map::of_slots(slots, reading))?,
    };
    let text = match info {
        Value::BulkString(text) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    };
    let epoch = value_of(&text, "cluster_current_epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or(0);
    Ok(Word { map, epoch, is_well: value_of(&text, "cluster_state") != Some("fail") })
}

/// The command is unknown as a whole, and not only this part of it.
fn is_no_node(reply: &Value) -> bool {
    let Value::ServerError(error) = reply else { return false };
    error.details().is_some_and(|text| text.to_ascii_lowercase().starts_with("unknown command"))
}

pub(super) fn map_of(reply: &Value, map: Option<Map>) -> Result<Map, Silence> {
    match (reply, map) {
        (Value::ServerError(error), _)
            if error.details().is_some_and(|text| text.contains("cluster support disabled")) =>
        {
            Err(Silence::Standalone)
        }
        (Value::ServerError(_), _) if is_no_node(reply) => Err(Silence::NoNode),
        (Value::ServerError(error), _) => Err(error_of(error.clone()).into()),
        (_, None) => Err(Silence::Nonsense),
        (_, Some(map)) if map.is_empty() => Err(Silence::Empty),
        (_, Some(map)) => Ok(map),
    }
}
