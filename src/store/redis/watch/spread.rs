//! The watch over keys that a cluster has spread over several servers: only the owner of a key tells of its changes, so there is
//! a watch at each, armed through the ladder, and where a key is on its way, at the server that it goes to. All of them are
//! waited for at once. Depends on the ladder and `connector`.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::AsFd;

use super::super::cluster::slot_of;
use super::super::connector::Connector;
use super::super::endpoints::Address;
use super::super::layout::Keys;
use super::super::wire::Socket;
use super::{Armed, Ladder, Watch, WatchError};
use crate::store::leash::Leash;
use crate::store::signal::Signal;

/// How long a watch is given that may have something to tell already.
const GLANCE: Duration = Duration::from_millis(1);

/// Arms the best watch, or one with each server that has keys which are watched.
pub fn arm(ladder: &Ladder, connector: &Connector, keys: &Keys, leash: &Leash) -> Result<Armed, WatchError> {
    let Some(cluster) = connector.cluster() else { return ladder.arm(connector, keys, leash) };
    let mut parts: Vec<Part> = Vec::new();
    let mut rung = "";
    for key in keys.hashes() {
        let slot = slot_of(key);
        let owner = cluster.owner(slot);
        // Before the first connect nobody knows who that is.
        if owner.is_none() || parts.iter().all(|part| Some(&part.at) != owner.as_ref()) {
            let armed = ladder.arm(&connector.bound_to(key), keys, leash)?;
            rung = armed.rung;
            let at = cluster.owner(slot).ok_or_else(|| WatchError::Lost("nobody owns the keys".to_owned()))?;
            parts.push(Part { at, watch: armed.watch });
        }
    }
    let owners: Vec<Address> = parts.iter().map(|part| part.at.clone()).collect();
    for place in keys.hashes().into_iter().flat_map(|key| cluster.places(slot_of(key))) {
        if !owners.contains(&place) && parts.iter().all(|part| part.at != place) {
            match ladder.arm(&connector.aside(place.clone()), keys, leash) {
                Ok(armed) => parts.push(Part { at: place, watch: armed.watch }),
                // Whoever is sent there again tells.
                Err(_) => cluster.forget_aside(&place),
            }
        }
    }
    let server = server(connector, keys, &parts);
    let watch = Box::new(Spread { parts, server, talks: None });
    Ok(Armed { watch, rung })
}

/// Which servers tell, in the order in which the reader names those that it reads.
fn server(connector: &Connector, keys: &Keys, parts: &[Part]) -> Option<String> {
    let mut slots: Vec<u16> = keys.hashes().into_iter().map(slot_of).collect();
    slots.dedup();
    let cluster = connector.cluster()?;
    let of_slot = |slot: u16| {
        let owner = cluster.owner(slot)?;
        parts.iter().find(|part| part.at == owner)?.watch.server().map(str::to_owned)
    };
    slots.into_iter().map(of_slot).collect::<Option<Vec<_>>>().map(|servers| servers.join(" "))
}

struct Part {
    at: Address,
    watch: Box<dyn Watch>,
}

struct Spread {
    parts: Vec<Part>,
    server: Option<String>,
    /// The one that told last may have more to tell.
    talks: Option<usize>,
}

impl Spread {
    /// Those with something to read, when there are any within `wait`.
    fn wait(&mut self, wait: Duration) -> Vec<usize> {
        let limit = Timespec::try_from(wait).ok();
        let mut owners = Vec::new();
        let mut waited_for = Vec::new();
        for (position, part) in self.parts.iter_mut().enumerate() {
            for socket in part.watch.sockets() {
                owners.push(position);
                waited_for.push(PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN));
            }
        }
        // A wait that a signal interrupts is taken up again by whoever waits.
        let _ = poll(&mut waited_for, limit.as_ref());
        let ready = owners.into_iter().zip(&waited_for).filter(|(_, waited_for)| !waited_for.revents().is_empty());
        ready.map(|(position, _)| position).collect()
    }
}

impl Watch for Spread {
    fn next(&mut self, wait: Duration) -> Result<Option<Signal>, WatchError> {
        let until = Instant::now() + wait;
        let mut ready: Vec<usize> = self.talks.take().into_iter().collect();
        loop {
            for position in ready {
                let Some(part) = self.parts.get_mut(position) else { continue };
                if let Some(signal) = part.watch.next(GLANCE)? {
                    self.talks = Some(position);
                    return Ok(Some(signal));
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            ready = self.wait(left);
            if ready.is_empty() {
                return Ok(None);
            }
        }
    }

    fn drain(&mut self, timeout: Duration, told: &mut dyn FnMut(Signal)) -> Result<(), WatchError> {
        self.parts.iter_mut().try_for_each(|part| part.watch.drain(timeout, told))
    }

    fn sockets(&mut self) -> Vec<&Socket> {
        self.parts.iter_mut().flat_map(|part| part.watch.sockets()).collect()
    }

    fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }
}
