//! Where Redis is at present, as plain data for the status: never with anything secret. Depends on `endpoints`.

use std::sync::Arc;

use super::endpoints::Address;

/// Where Redis is at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// `standalone`, `sentinel` or `cluster`.
    pub topology: &'static str,
    /// Where the server is that is read and written; `None` while that is not known, or where there are several.
    pub address: Option<String>,
    /// Whether that is a `primary` or a `replica`, where sentinels say so.
    pub role: Option<&'static str>,
    /// What sentinels are asked for.
    pub service: Option<String>,
    /// Each sentinel.
    pub sentinels: Vec<KnownSentinel>,
    /// The sentinel whose word counted last.
    pub asked: Option<String>,
    /// Nodes of a cluster that own keys of ours.
    pub nodes: Vec<Node>,
}

/// A node of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it is.
    pub address: String,
    /// Which keys it owns: `features`, `segments`, `$inited`.
    pub holds: Vec<&'static str>,
}

/// A sentinel, for the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSentinel {
    /// Where it is.
    pub address: String,
    /// It stands in the address of the service; the others were told of.
    pub is_listed: bool,
    /// Why it was of no use when it was asked last, if it was not.
    pub remark: Option<Arc<String>>,
}

impl Whereabouts {
    /// Always at the same address.
    pub fn standalone(address: &Address) -> Self {
        Self { address: Some(address.to_string()), ..Self::nowhere("standalone") }
    }

    /// Wherever the owners of the keys are, as far as is known.
    pub fn cluster(owners: impl Iterator<Item = (&'static str, Option<Address>)>) -> Self {
        let mut nodes: Vec<Node> = Vec::new();
        for (name, owner) in owners {
            let Some(address) = owner.map(|owner| owner.to_string()) else { continue };
            match nodes.iter_mut().find(|node| node.address == address) {
                Some(node) => node.holds.push(name),
                None => nodes.push(Node { address, holds: vec![name] }),
            }
        }
        let address = if let [node] = nodes.as_slice() { Some(node.address.clone()) } else { None };
        Self { address, nodes, ..Self::nowhere("cluster") }
    }

    /// Not known yet.
    pub fn nowhere(topology: &'static str) -> Self {
        Self {
            topology,
            address: None,
            role: None,
            service: None,
            sentinels: Vec::new(),
            asked: None,
            nodes: Vec::new(),
        }
    }
}
