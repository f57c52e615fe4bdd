//! All watches that tell of the keys: one, or in a cluster one for each server that has keys which are watched, because only the
//! owner of a key tells of its changes; and where a key is on its way, one at the server that it goes to. Each climbs the ladder
//! by itself; all of them are waited for at once. Depends on the ladder and `connector`.

use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};

use super::super::cluster::{Cluster, slot_of};
use super::super::connector::Connector;
use super::super::endpoints::Address;
use super::super::layout::Keys;
use super::{Armed, Climbed, Ladder, Unarmed, WatchError, Watched};
use crate::store::leash::Leash;
use crate::store::rungs::LadderReport;
use crate::store::signal::Signal;

/// How long a watch is given that may have something to tell already.
const GLANCE: Duration = Duration::from_millis(1);

/// A watch at one server.
struct Part {
    connector: Connector,
    /// Where that leads to, where there are several.
    at: Option<Address>,
    armed: Armed,
}

/// What became of a login that changed.
pub struct Renewed {
    /// At one server at least it is another watch, which was armed before the other one was given up.
    pub is_another: bool,
    /// It has logged in everywhere.
    pub is_complete: bool,
}

/// The watches.
pub struct Watches {
    parts: Vec<Part>,
    watched: Watched,
    /// Who of them are the servers that are read, in the order in which the reader names them; `None` where one is missing.
    readers: Option<Vec<usize>>,
    /// Those that may have something to tell that is not to be waited for at their sockets: it was read already.
    restless: Vec<usize>,
}

impl Watches {
    /// Arms the best watch, or one with each server that has keys which are watched.
    pub fn arm(ladder: &Ladder, connector: &Connector, keys: &Keys, leash: &Leash) -> Result<Self, Unarmed> {
        // A server that owns one of the hashes may own the other one soon.
        let watched = Watched::all(keys);
        let Some(cluster) = connector.cluster() else {
            let armed = ladder.arm(connector, &watched, leash)?;
            let parts = vec![Part { connector: connector.clone(), at: None, armed }];
            return Ok(Self { parts, watched, readers: Some(vec![0]), restless: Vec::new() });
        };
        let mut parts = owners(ladder, (connector, cluster), keys, &watched, leash)?;
        for place in keys.hashes().into_iter().flat_map(|key| cluster.places(slot_of(key))) {
            if parts.iter().all(|part| part.at.as_ref() != Some(&place)) {
                let connector = connector.aside(place.clone());
                // Where that fails the others tell of what is not on its way.
                if let Ok(armed) = ladder.arm(&connector, &watched, leash) {
                    parts.push(Part { connector, at: Some(place), armed });
                }
            }
        }
        let readers = positions(cluster, keys, &parts);
        Ok(Self { parts, watched, readers, restless: Vec::new() })
    }

    /// The next thing told; `None` when nothing was within `wait`.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Signal>, WatchError> {
        if let [part] = self.parts.as_mut_slice() {
            return part.armed.watch.next(wait);
        }
        let until = Instant::now() + wait;
        loop {
            while let Some(position) = self.restless.last().copied() {
                let part = self.parts.get_mut(position);
                match part.map_or(Ok(None), |part| part.armed.watch.next(GLANCE))? {
                    // It may have more to tell.
                    Some(signal) => return Ok(Some(signal)),
                    None => _ = self.restless.pop(),
                }
            }
            self.restless = self.wait(until.saturating_duration_since(Instant::now()));
            if self.restless.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Those with something to read, when there are any within `wait`.
    fn wait(&mut self, wait: Duration) -> Vec<usize> {
        let limit = Timespec::try_from(wait).ok();
        let mut positions = Vec::new();
        let mut waited_for = Vec::new();
        for (position, part) in self.parts.iter_mut().enumerate() {
            for socket in part.armed.watch.sockets() {
                positions.push(position);
                waited_for.push(socket.readable());
            }
        }
        // A wait that a signal interrupts is taken up again by whoever waits.
        let _ = poll(&mut waited_for, limit.as_ref());
        let ready = positions.into_iter().zip(&waited_for).filter(|(_, waited_for)| !waited_for.revents().is_empty());
        ready.map(|(position, _)| position).collect()
    }

    /// Asks each for a sign of life and hands out what was told before it came: afterwards everything earlier has been told.
    pub fn drain(&mut self, timeout: Duration, told: &mut dyn FnMut(Signal)) -> Result<(), WatchError> {
        self.be_restless();
        self.parts.iter_mut().try_for_each(|part| part.armed.watch.drain(timeout, told))
    }

    /// The number of what has logged in, at the server that has seen it first.
    pub fn login(&self) -> u64 {
        self.parts.iter().map(|part| part.armed.watch.login()).min().unwrap_or_default()
    }

    /// Something else logs in by now: does so at each server, on the connection that is there, or on another one beside it.
    pub fn renew_login(
        &mut self,
        ladder: &Ladder,
        leash: &Leash,
        timeout: Duration,
        told: &mut dyn FnMut(Signal),
    ) -> Result<Renewed, WatchError> {
        self.be_restless();
        let mut renewed = Renewed { is_another: false, is_complete: true };
        for Part { connector, armed, .. } in &mut self.parts {
            if !armed.watch.renew_login(connector, timeout, told)? {
                let is_another = ladder.renew(armed, connector, &self.watched, leash).is_ok();
                renewed.is_another |= is_another;
                renewed.is_complete &= is_another;
            }
        }
        Ok(renewed)
    }

    /// Which servers tell, where all of them say so, as the reader names those that it reads.
    pub fn server(&self) -> Option<String> {
        let server = |position: &usize| self.parts.get(*position)?.armed.watch.server();
        self.readers.as_ref()?.iter().map(server).collect::<Option<Vec<_>>>().map(|servers| servers.join(" "))
    }

    /// Where they are, where there may be several.
    pub fn places(&self) -> Vec<String> {
        self.parts.iter().filter_map(|part| part.at.as_ref().map(Address::to_string)).collect()
    }

    /// How the rungs fared at the server where the weakest one is in force.
    pub fn report(&self) -> LadderReport {
        let reports = self.parts.iter().map(|part| part.armed.report.clone());
        reports.reduce(LadderReport::weaker).unwrap_or_default()
    }

    /// Whether at one of the servers a better rung may be there soon.
    pub fn misses_something(&self) -> bool {
        self.parts.iter().any(|part| part.armed.report.misses_something())
    }

    /// Looks for a better rung wherever there may be one. An error: the watches are of no use any more.
    pub fn climb(&mut self, ladder: &Ladder, leash: &Leash) -> Result<Climbed, WatchError> {
        self.be_restless();
        let mut climbed = Climbed::Same;
        for Part { connector, armed, .. } in &mut self.parts {
            if ladder.may_climb(armed, connector)
                && ladder.climb(armed, connector, &self.watched, leash)? == Climbed::Another
            {
                climbed = Climbed::Another;
            }
        }
        Ok(climbed)
    }

    fn be_restless(&mut self) {
        self.restless = (0..self.parts.len()).collect();
    }
}

/// A watch with each owner of a hash.
fn owners(
    ladder: &Ladder,
    (connector, cluster): (&Connector, &Cluster),
    keys: &Keys,
    watched: &Watched,
    leash: &Leash,
) -> Result<Vec<Part>, Unarmed> {
    let mut parts: Vec<Part> = Vec::new();
    for key in keys.hashes() {
        let owner = || cluster.owner(slot_of(key));
        // Before the first connect nobody knows who that is.
        let at = owner().or_else(|| cluster.ask_around(connector.deadline(), Some(leash)).ok().and_then(|()| owner()));
        if at.is_none() || parts.iter().all(|part| part.at != at) {
            // At this very address, whoever owns the key by then.
            let connector = at.clone().map_or_else(|| connector.bound_to(key), |address| connector.aside(address));
            let armed = ladder.arm(&connector, watched, leash)?;
            parts.push(Part { at, connector, armed });
        }
    }
    Ok(parts)
}

/// Those at the owners of the hashes, in the order in which the reader names these.
fn positions(cluster: &Cluster, keys: &Keys, parts: &[Part]) -> Option<Vec<usize>> {
    let mut slots: Vec<u16> = keys.hashes().into_iter().map(slot_of).collect();
    slots.dedup();
    let of_slot = |slot: u16| {
        let owner = cluster.owner(slot);
        parts.iter().position(|part| part.at == owner)
    };
    slots.into_iter().map(of_slot).collect()
}
