//! How the server is found at each connect, and where that is at present. In a cluster it depends on the key: a connector is
//! bound to the slot of one. Part of the connector.

use std::sync::Arc;

use super::cluster::{Cluster, slot_of};
use super::connector::Connector;
use super::endpoints::Address;
use super::layout::Keys;
use super::sentinel::Sentinels;
use super::whereabouts::Whereabouts;

/// How the server is found at each connect.
#[derive(Debug, Clone)]
pub(super) enum Route {
    /// It is always at the same address.
    Fixed(Address),
    /// Sentinels know where it is.
    Sentinel(Arc<Sentinels>),
    /// It is the node of a cluster that owns this slot.
    Owner(Arc<Cluster>, u16),
    /// It is this node of a cluster, to which keys are on their way.
    Aside(Arc<Cluster>, Address),
}

impl Connector {
    /// Where Redis is, for people: without user and password.
    pub fn address(&self) -> String {
        match &self.route {
            Route::Fixed(address) => address.to_string(),
            Route::Sentinel(sentinels) => sentinels.service().to_string(),
            Route::Owner(cluster, _) | Route::Aside(cluster, _) => cluster.nodes().to_string(),
        }
    }

    /// One that leads to the server with this key: the same one, but in a cluster.
    pub fn bound_to(&self, key: &str) -> Self {
        self.bound_to_slot(self.slot_of(key))
    }

    /// The same by the key's slot.
    pub fn bound_to_slot(&self, slot: u16) -> Self {
        self.rerouted(|cluster| Route::Owner(cluster, slot))
    }

    /// One that leads to a node of the cluster to which keys are on their way.
    pub fn aside(&self, address: Address) -> Self {
        self.rerouted(|cluster| Route::Aside(cluster, address))
    }

    fn rerouted(&self, route: impl FnOnce(Arc<Cluster>) -> Route) -> Self {
        let mut connector = self.clone();
        if let Route::Owner(cluster, _) = &self.route {
            connector.route = route(cluster.clone());
        }
        connector
    }

    /// Keys with the same one are always on the same server; 0 for all, but in a cluster.
    pub fn slot_of(&self, key: &str) -> u16 {
        if self.cluster().is_some() { slot_of(key) } else { 0 }
    }

    /// Who knows who owns what; `None` where there is no cluster.
    pub fn cluster(&self) -> Option<&Cluster> {
        match &self.route {
            Route::Owner(cluster, _) | Route::Aside(cluster, _) => Some(cluster),
            _ => None,
        }
    }

    /// Where a connection would lead to, as far as that is known; `None` where all lead to the same address.
    pub fn place(&self) -> Option<Address> {
        match &self.route {
            Route::Fixed(_) => None,
            Route::Sentinel(sentinels) => sentinels.place().map(|place| (*place).clone()),
            Route::Owner(cluster, slot) => cluster.owner(*slot),
            Route::Aside(_, address) => Some(address.clone()),
        }
    }

    /// Whether somebody has to look where Redis is while connections are open.
    pub fn is_sought(&self) -> bool {
        !matches!(self.route, Route::Fixed(_))
    }

    /// Who knows where the primary is; `None` where Redis is always at the same address.
    pub fn sentinels(&self) -> Option<&Sentinels> {
        match &self.route {
            Route::Sentinel(sentinels) => Some(sentinels),
            _ => None,
        }
    }

    /// Where Redis is at present, for the status of a client with these keys, or with none that are known beforehand.
    pub fn whereabouts(&self, keys: Option<&Keys>) -> Whereabouts {
        match &self.route {
            Route::Fixed(address) => Whereabouts::standalone(address),
            Route::Sentinel(sentinels) => sentinels.whereabouts(),
            Route::Owner(cluster, _) | Route::Aside(cluster, _) => {
                let parts = keys.map(Keys::parts).into_iter().flatten();
                Whereabouts::cluster(parts.map(|(name, key)| (name, cluster.owner(slot_of(key)))))
            }
        }
    }
}

/// Where these keys are: in a cluster once for each of them.
pub fn places(connector: &Connector, keys: &Keys) -> Vec<Address> {
    match connector.cluster() {
        Some(cluster) => keys.parts().iter().filter_map(|(_, key)| cluster.owner(slot_of(key))).collect(),
        None => connector.place().into_iter().collect(),
    }
}

/// Where changes of these keys are told in a cluster: by the owner of each hash, and where it is on its way.
pub fn watched_places(connector: &Connector, keys: &Keys) -> Vec<Address> {
    let of_key = |cluster: &Cluster| keys.hashes().into_iter().flat_map(|key| cluster.places(slot_of(key))).collect();
    connector.cluster().map_or_else(Vec::new, of_key)
}
