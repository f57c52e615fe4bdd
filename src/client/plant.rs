//! What the threads of a client work on. May depend on `store`, `source` and `events`.

use std::sync::Arc;

use super::feed::Feed;
use crate::events::{EventsOptions, Recorder};
use crate::source::SourceOptions;
use crate::store::{Backup, Members, Shared};

/// What the threads work on: everything that outlives them.
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
    /// What evaluations touch for events and metrics; `None` when they are not counted.
    pub recorder: Option<Arc<Recorder>>,
    /// How events are made and delivered; `None` when there are none.
    pub events: Option<Arc<EventsOptions>>,
}

impl Plant {
    /// How the data source fares, if there is one.
    pub fn feed(&self) -> Option<&Feed> {
        self.source.as_ref().map(|(_, feed)| &**feed)
    }
}
