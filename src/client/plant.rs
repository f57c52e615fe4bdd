//! The plant: what the threads of a client work on and what outlives them, so that a forked child, which makes new threads, goes on
//! with the same. May depend on `store`, `source`, `events` and `aws`.

use std::sync::Arc;

use super::feed::Feed;
use crate::aws::AwsOptions;
use crate::events::{EventsOptions, Recorder};
use crate::source::SourceOptions;
use crate::store::{Backup, Credentials, Members, Shared};

/// Everything that outlives the threads. Shared by reference: a clone is the same plant.
#[derive(Debug, Clone)]
pub struct Plant {
    /// The store.
    pub shared: Arc<Shared>,
    /// Where items come from, and how that fares.
    pub source: Option<(Arc<SourceOptions>, Arc<Feed>)>,
    /// The members of big segments in Redis.
    pub members: Option<Arc<Members>>,
    /// The snapshot file.
    pub backup: Option<Arc<Backup>>,
    /// Who logs in at Redis with tokens of AWS.
    pub aws: Option<Arc<AwsOptions>>,
    /// What evaluations touch for events and metrics; `None` when they are not counted.
    pub recorder: Option<Arc<Recorder>>,
    /// How events are made and delivered; `None` when there are none.
    pub events: Option<Arc<EventsOptions>>,
}

impl Plant {
    /// Who logs in at the Redis of the options; `None` where there is none.
    pub fn credentials(&self) -> Option<&Arc<Credentials>> {
        let members = self.members.as_ref().filter(|members| members.shares_login).map(|members| &members.connector);
        self.shared.connector.as_ref().or(members).map(|connector| connector.credentials())
    }

    /// Whether somebody has to look where the Redis with the flags is: to listen to its sentinels, or to ask the nodes of a cluster.
    pub fn needs_seeker(&self) -> bool {
        self.shared.connector.as_ref().is_some_and(|connector| connector.is_sought())
    }

    /// Whether the members of big segments have sentinels or a cluster of their own.
    pub fn needs_seeker_of_members(&self) -> bool {
        let members = self.members.as_ref();
        members.is_some_and(|members| !members.is_of_flags && members.connector.is_sought())
    }

    /// How the data source fares, if there is one.
    pub fn feed(&self) -> Option<&Feed> {
        self.source.as_ref().map(|(_, feed)| &**feed)
    }
}
