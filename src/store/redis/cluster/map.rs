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
#[derive(Debug, Clone, Default)]
pub struct Map {
    ranges: Vec<Range>,
    /// Nodes that tell who they are, and where they are; none twice.
    ids: Vec<(String, Address)>,
}

/// Maps are alike when the same addresses own the same slots.
impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.ranges == other.ranges
    }
}

/// A node as others tell of it.
struct Node {
    /// `None` where it has none that can be reached.
    address: Option<Address>,
    id: Option<String>,
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
        let mut map = Self::default();
        for entry in entries {
            let Value::Array(parts) = entry else { return None };
            let [first, last, nodes @ ..] = parts.as_slice() else { return None };
            let nodes: Vec<Node> = nodes.iter().map(|node| node_of_slots(node, reading)).collect::<Option<_>>()?;
            let mut addresses = nodes.into_iter().map(|node| map.note(node));
            let owner = addresses.next()?;
            let replicas = addresses.flatten().collect();
            map.ranges.push(range(first, last, owner, replicas)?);
        }
        Some(map)
    }

    /// From the reply to `CLUSTER SHARDS`; `None` where it is none.
    pub fn of_shards(reply: &Value, reading: Reading<'_>) -> Option<Self> {
        let Value::Array(shards) = reply else { return None };
        let mut map = Self::default();
        for shard in shards {
            let (Value::Array(slots), Value::Array(nodes)) = (value(shard, "slots")?, value(shard, "nodes")?) else {
                return None;
            };
            let is = |node: &Value, name: &str, expected: &str| text(node, name).as_deref() == Some(expected);
            let owner = nodes.iter().filter(|node| is(node, "role", "master"));
            // One that has failed and is not told so yet calls itself the same.
            let owner = owner.min_by_key(|node| !is(node, "health", "online"));
            let owner = owner.and_then(|node| map.note(node_of_shards(node, reading)));
            let replicas = nodes.iter().filter(|node| is(node, "role", "replica") && is(node, "health", "online"));
            let replicas: Vec<Address> = replicas.filter_map(|node| map.note(node_of_shards(node, reading))).collect();
            for pair in slots.chunks(2) {
                let [first, last] = pair else { return None };
                map.ranges.push(range(first, last, owner.clone(), replicas.clone())?);
            }
        }
        Some(map)
    }

    /// Remembers who a node is; where it is.
    fn note(&mut self, Node { address, id }: Node) -> Option<Address> {
        if let (Some(address), Some(id)) = (&address, id)
            && !self.ids.iter().any(|(known, _)| *known == id)
        {
            self.ids.push((id, address.clone()));
        }
        address
    }

    /// Who owns a slot, if somebody does who can be reached.
    pub fn owner(&self, slot: u16) -> Option<&Address> {
        self.ranges.iter().rev().find(|range| (range.first..=range.last).contains(&slot))?.owner.as_ref()
    }

    /// The same with another owner of this slot.
    pub fn with_owner(&self, slot: u16, owner: Address) -> Self {
        let mut ranges: Vec<Range> = self.ranges.iter().flat_map(|range| range.without(slot)).collect();
        ranges.push(Range { first: slot, last: slot, owner: Some(owner), replicas: Vec::new() });
        Self { ranges, ids: self.ids.clone() }
    }

    /// Whether it may be of the same cluster: they have a node in common, or one of them does not tell.
    pub fn is_kin(&self, other: &Self) -> bool {
        let has = |id: &str| other.ids.iter().any(|(other, _)| other == id);
        self.ids.is_empty() || other.ids.is_empty() || self.ids.iter().any(|(id, _)| has(id))
    }

    /// The same with the names by which nodes are known already, as long as these are good for it: nodes may call the same one by
    /// different names, and it has not moved for that.
    pub fn named_as(mut self, known: &Self, is_good: impl Fn(&Address) -> bool) -> Self {
        let is_taken = |name: &Address| self.ids.iter().any(|(_, address)| address == name);
        let name = |(id, address): &(String, Address)| {
            let (_, name) = known.ids.iter().find(|(known, _)| known == id)?;
            (!is_taken(name) && is_good(name)).then(|| (address.clone(), name.clone()))
        };
        let names: Vec<(Address, Address)> = self.ids.iter().filter_map(name).collect();
        let nodes = self.ranges.iter_mut().flat_map(|range| range.owner.iter_mut().chain(&mut range.replicas));
        for address in nodes.chain(self.ids.iter_mut().map(|(_, address)| address)) {
            if let Some((_, name)) = names.iter().find(|(other, _)| other == address) {
                *address = name.clone();
            }
        }
        self
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

impl Range {
    /// What is left of it without a slot.
    fn without(&self, slot: u16) -> Vec<Self> {
        if !(self.first..=self.last).contains(&slot) {
            return vec![self.clone()];
        }
        let before = (self.first < slot).then(|| Self { last: slot - 1, ..self.clone() });
        let after = (slot < self.last).then(|| Self { first: slot + 1, ..self.clone() });
        before.into_iter().chain(after).collect()
    }
}

fn range(first: &Value, last: &Value, owner: Option<Address>, replicas: Vec<Address>) -> Option<Range> {
    let number = |value: &Value| from_redis_value_ref::<u16>(value).ok().filter(|slot| *slot < SLOTS);
    Some(Range { first: number(first)?, last: number(last)?, owner, replicas })
        .filter(|range| range.first <= range.last)
}

/// Host, port, and since version 4 more.
fn node_of_slots(node: &Value, reading: Reading<'_>) -> Option<Node> {
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
    let id = rest.first().and_then(|id| from_redis_value_ref::<String>(id).ok()).filter(|id| !id.is_empty());
    Some(Node { address: reading.address(&host, port), id })
}

fn node_of_shards(node: &Value, reading: Reading<'_>) -> Node {
    let port = value(node, if reading.encrypted { "tls-port" } else { "port" });
    let host = match value(node, "endpoint") {
        Some(Value::Nil) => Some(String::new()),
        _ => text(node, "endpoint").filter(|host| host != "?").or_else(|| text(node, "ip")),
    };
    let address = host.zip(port.and_then(|port| from_redis_value_ref(port).ok()));
    Node { address: address.and_then(|(host, port)| reading.address(&host, port)), id: text(node, "id") }
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
