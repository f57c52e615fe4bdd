//! The order of the rungs: the best one that the server allows is taken. Depends on the rungs.

use super::super::connector::Connector;
use super::super::layout::Keys;
use super::{Watch, WatchError, tracking};
use crate::store::leash::Leash;

/// A watch, and what it is called.
pub struct Armed {
    /// The watch.
    pub watch: Box<dyn Watch>,
    /// Its rung, for people.
    pub rung: &'static str,
}

type Arm = fn(&Connector, &Keys, &Leash) -> Result<Box<dyn Watch>, WatchError>;

/// Rungs, best first.
pub struct Ladder {
    rungs: &'static [(&'static str, Arm)],
}

impl Ladder {
    /// All rungs.
    pub fn new() -> Self {
        Self { rungs: &[("RESP3 broadcast tracking", tracking::arm)] }
    }

    /// Arms the best rung that can be armed. Where none can be, the error is that of the last one that was only lost, for it
    /// may be there soon. What is waited for meanwhile and afterwards is on the leash.
    pub fn arm(&self, connector: &Connector, keys: &Keys, leash: &Leash) -> Result<Armed, WatchError> {
        let mut refused = WatchError::Refused("there is no way to watch".to_owned());
        for (rung, arm) in self.rungs {
            match arm(connector, keys, leash) {
                Ok(watch) => return Ok(Armed { watch, rung }),
                Err(error @ WatchError::Refused(_)) => refused = error,
                // A server that is away is away for every rung.
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }
}
