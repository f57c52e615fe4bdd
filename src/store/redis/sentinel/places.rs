//! Where connections may lead: to the primary, or, where reads are to spare it, to a replica of it. Depends on `word`.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::super::endpoints::{Address, ReadFrom};
use super::super::wire::Deadline;
use super::{Located, Sentinels, Word};
use crate::model::Jitter;
use crate::store::leash::Leash;

/// A server that connections may lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its address.
    pub address: Address,
    /// What it must say of itself.
    pub office: Office,
    /// It is in the preferred zone, or none is preferred.
    pub is_near: bool,
    /// Of which failover this is the word; greater is later. `None` where that was not told.
    pub epoch: Option<u64>,
}

/// What a server must say of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Office {
    /// That it is the primary.
    Primary,
    /// That it follows this one.
    ReplicaOf(Address),
}

/// Which servers of a service are read.
#[derive(Debug, Clone, Default)]
pub struct Preference {
    /// The primary, or replicas.
    pub read: ReadFrom,
    /// Of several, those in this availability zone.
    pub zone: Option<String>,
}

impl Candidate {
    /// The primary that this word names.
    pub fn primary_of(word: &Word) -> Self {
        Self { address: word.address.clone(), office: Office::Primary, is_near: true, epoch: word.epoch }
    }

    fn replica_of(word: &Word, address: &Address) -> Self {
        Self { address: address.clone(), office: Office::ReplicaOf(word.address.clone()), ..Self::primary_of(word) }
    }

    /// Where the primary is: here, or where the one is that this replica follows.
    pub fn primary(&self) -> &Address {
        match &self.office {
            Office::Primary => &self.address,
            Office::ReplicaOf(primary) => primary,
        }
    }
}

impl Sentinels {
    /// Where connections may lead by this word, best first: to where they lead already, so that reading and watching stay
    /// together; the primary is always among them.
    pub(super) fn candidates(&self, word: Word, deadline: Deadline, leash: Option<&Leash>) -> Vec<Candidate> {
        let mut replicas = word.replicas.clone();
        let place = self.place().filter(|_| !self.is_shunned.load(Relaxed));
        let mut jitter = Jitter::new();
        // Each process has an order of its own, so that they share the replicas.
        replicas.sort_by_cached_key(|_| jitter.bits());
        replicas.sort_by_key(|replica| place.as_deref() != Some(replica));
        let mut candidates: Vec<Candidate> =
            replicas.iter().map(|replica| Candidate::replica_of(&word, replica)).collect();
        candidates.push(Candidate::primary_of(&word));
        let is_placed = |candidate: &Candidate| place.as_deref() == Some(&candidate.address);
        if self.preference.read == ReadFrom::Nearest && candidates.len() > 1 {
            match candidates.iter().position(is_placed) {
                Some(position) => candidates.swap(0, position),
                None => sort_by_distance(&mut candidates, deadline, leash),
            }
        }
        for candidate in &mut candidates {
            // Of others it is not known yet.
            candidate.is_near = if is_placed(candidate) { self.is_near() } else { self.zone().is_none() };
        }
        candidates
    }

    /// The zone that is preferred.
    pub fn zone(&self) -> Option<&str> {
        self.preference.zone.as_deref()
    }

    /// Whether connections lead to a server in the preferred zone, or none is preferred.
    pub fn is_near(&self) -> bool {
        self.candidate().is_none_or(|place| place.is_near)
    }

    /// Replicas, and the primary where that is as good, to which connections do not lead.
    pub fn others_than_place(&self, word: &Word) -> Vec<Candidate> {
        let primary = (!self.prefers_replicas()).then(|| Candidate::primary_of(word));
        let replicas = word.replicas.iter().map(|replica| Candidate::replica_of(word, replica));
        let place = self.place();
        replicas.chain(primary).filter(|candidate| place.as_deref() != Some(&candidate.address)).collect()
    }

    /// Puts those in the preferred zone first where another server than before is to be chosen. `zone_of` asks a server, one of so
    /// many that are left.
    pub fn prefer_zone(&self, located: &mut Located, zone_of: impl Fn(&Address, u32) -> Option<String>) {
        let Some(zone) = self.zone() else { return };
        let stays = !self.is_shunned.load(Relaxed)
            && self.place().as_deref() == located.candidates.first().map(|candidate| &candidate.address);
        // The primary comes last in any case where replicas are preferred.
        let count = located.candidates.len().saturating_sub(usize::from(self.prefers_replicas()));
        if stays || located.remembered.is_some() {
            return;
        }
        let mut left = u32::try_from(count).unwrap_or(u32::MAX);
        for candidate in located.candidates.iter_mut().take(count) {
            candidate.is_near = zone_of(&candidate.address, left).as_deref() == Some(zone);
            left = left.saturating_sub(1);
        }
        if let Some(choice) = located.candidates.get_mut(..count) {
            choice.sort_by_key(|candidate| !candidate.is_near);
        }
    }
}

/// By the time that it takes to connect; those that take none within their share come last.
fn sort_by_distance(candidates: &mut [Candidate], deadline: Deadline, leash: Option<&Leash>) {
    let mut left = u32::try_from(candidates.len()).unwrap_or(u32::MAX);
    candidates.sort_by_cached_key(|candidate| {
        let (began, mut share) = (Instant::now(), deadline.share(left));
        left = left.saturating_sub(1);
        candidate.address.connect(&mut share, leash).map_or(Duration::MAX, |_| began.elapsed())
    });
}
