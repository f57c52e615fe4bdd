//! Which node owns which slots, and what a node may answer who is asked for it. Depends on `endpoints`.

use redis::{Value, from_redis_value_ref};

use super::super::endpoints::{Address, AddressMap};
use super::slot::SLOTS;

/// A part of the slots, and who has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    /// `None` where it has no address that can be reached.
    owner: Option<Address>,
    replicas: Vec<Address>,
}

/// Who owns the slots of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Map {
    ranges: Vec<Range>,
}

/// How addresses in replies are understood.
#[derive(Clone, Copy)]
pub struct Reading<'r> {
    /// The node that answers: it may call itself by no name.
    pub asked: &'r Address,
    /// Where nodes are reached.
    pub reached: &'r AddressMap,
    /// Connections are encrypted.
    pub encrypted: bool,
}

impl Reading<'_> {
    /// Where a node is reached that says this of itself; `None` where that is no address. No host is that of the node asked.
    pub fn address(&self, host: &str, port: u16) -> Option<Address> {
        let host = match host {
            "" => self.asked.host()?,
            "?" => return None,
            host => host,
        };
        (port > 0).then(|| self.reached.reached_at(Address::Tcp { host: host.to_owned(), port }))
    }
}

impl Map {
    /// From the reply to `CLUSTER SLOTS`; `None` where it is none.
    pub fn of_slots(reply: &Value, reading: Reading<'_>) -> Option<Self> {
        let Value::Array(entries) = reply else { return None };
        let ranges = entries.iter().map(|entry| {
            let Value::Array(parts) = entry else { return None };
            let [first, last, nodes @ ..] = parts.as_slice() else { return None };
            let nodes: Vec<Option<Address>> =
                nodes.iter().map(|node| node_of_slots(node, reading)).collect::<Option<_>>()?;
            let (owner, replicas) = nodes.split_first()?;
            range(first, last, owner.clone(), replicas.iter().flatten().cloned().collect())
        });
        Some(Self { ranges: ranges.collect::<Option<_>>()? })
    }

    /// From the reply to `CLUSTER SHARDS`; `None` where it is none.
    pub fn of_shards(reply: &Value, reading: Reading<'_>) -> Option<Self> {
        let Value::Array(shards) = reply else { return None };
        let mut ranges = Vec::new();
        for shard in shards {
            let (Value::Array(slots), Value::Array(nodes)) = (value(shard, "slots")?, value(shard, "nodes")?) else {
                return None;
            };
            let is = |node: &Value, name: &str, expected: &str| text(node, name).as_deref() == Some(expected);
            let owner = nodes.iter().filter(|node| is(node, "role", "master"));
            // One that has failed and is not told so yet calls itself the same.
            let owner = owner.min_by_key(|node| !is(node, "health", "online"));
            let owner = owner.and_then(|node| node_of_shards(node, reading));
            let replicas = nodes.iter().filter(|node| is(node, "role", "replica") && is(node, "health", "online"));
            let replicas: Vec<Address> = replicas.filter_map(|node| node_of_shards(node, reading)).collect();
            for pair in slots.chunks(2) {
                let [first, last] = pair else { return None };
                ranges.push(range(first, last, owner.clone(), replicas.clone())?);
            }
        }
        Some(Self { ranges })
    }

    /// Who owns a slot, if somebody does who can be reached.
    pub fn owner(&self, slot: u16) -> Option<&Address> {
        self.ranges.iter().rev().find(|range| (range.first..=range.last).contains(&slot))?.owner.as_ref()
    }

    /// The same with another owner of this slot.
    pub fn with_owner(&self, slot: u16, owner: Address) -> Self {
        let mut map = self.clone();
        map.ranges.retain(|range| (range.first, range.last) != (slot, slot));
        map.ranges.push(Range { first: slot, last: slot, owner: Some(owner), replicas: Vec::new() });
        map
    }

    /// Every node, none twice.
    pub fn nodes(&self) -> Vec<Address> {
        let mut nodes: Vec<Address> = Vec::new();
        for range in &self.ranges {
            for node in range.owner.iter().chain(&range.replicas) {
                if !nodes.contains(node) {
                    nodes.push(node.clone());
                }
            }
        }
        nodes
    }

    /// How many slots have an owner that can be reached.
    pub fn size(&self) -> usize {
        let owned = self.ranges.iter().filter(|range| range.owner.is_some());
        owned.map(|range| usize::from(range.last - range.first) + 1).sum()
    }

    /// Whether no slot belongs to anybody.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

fn range(first: &Value, last: &Value, owner: Option<Address>, replicas: Vec<Address>) -> Option<Range> {
    let number = |value: &Value| from_redis_value_ref::<u16>(value).ok().filter(|slot| *slot < SLOTS);
    Some(Range { first: number(first)?, last: number(last)?, owner, replicas })
        .filter(|range| range.first <= range.last)
}

/// Host, port, and since version 4 more. The outer `None` is no node at all, the inner one a node without an address.
fn node_of_slots(node: &Value, reading: Reading<'_>) -> Option<Option<Address>> {
    let Value::Array(parts) = node else { return None };
    let [host, port, rest @ ..] = parts.as_slice() else { return None };
    let host = match host {
        Value::Nil => String::new(),
        host => from_redis_value_ref::<String>(host).ok()?,
    };
    let port = from_redis_value_ref(port).ok()?;
    // One that is to be called by a name and has none may tell its address beside it.
    let ip = || rest.get(1).and_then(|more| text(more, "ip")).filter(|ip| !ip.is_empty());
    let host = if host == "?" { ip().unwrap_or(host) } else { host };
    Some(reading.address(&host, port))
}

fn node_of_shards(node: &Value, reading: Reading<'_>) -> Option<Address> {
    let port = value(node, if reading.encrypted { "tls-port" } else { "port" })?;
    let host = text(node, "endpoint").filter(|host| host != "?").or_else(|| text(node, "ip"))?;
    reading.address(&host, from_redis_value_ref(port).ok()?)
}

/// The value beside a name, in a list of names and values or in a map.
fn value<'v>(pairs: &'v Value, name: &str) -> Option<&'v Value> {
    let is_name = |value: &Value| matches!(value, Value::BulkString(text) if text == name.as_bytes());
    match pairs {
        Value::Array(list) => list.chunks_exact(2).find(|pair| pair.first().is_some_and(is_name))?.get(1),
        Value::Map(map) => map.iter().find(|(key, _)| is_name(key)).map(|(_, value)| value),
        _ => None,
    }
}

fn text(pairs: &Value, name: &str) -> Option<String> {
    from_redis_value_ref(value(pairs, name)?).ok()
}

#[cfg(test)]
mod tests;
