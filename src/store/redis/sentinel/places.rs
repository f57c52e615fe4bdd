//! Where connections may lead: to the primary, or, where reads are to spare it, to a replica of it. Depends on `word`.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::super::endpoints::{Address, ReadFrom};
use super::super::wire::Deadline;
use super::{Sentinels, Word};
use crate::model::Jitter;
use crate::store::leash::Leash;

/// A server that connections may lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its address.
    pub address: Address,
    /// What it must say of itself.
    pub office: Office,
}

/// What a server must say of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Office {
    /// That it is the primary.
    Primary,
    /// That it follows this one.
    ReplicaOf(Address),
}

impl Candidate {
    /// The primary.
    pub fn primary(address: Address) -> Self {
        Self { address, office: Office::Primary }
    }

    fn replica(address: &Address, primary: &Address) -> Self {
        Self { address: address.clone(), office: Office::ReplicaOf(primary.clone()) }
    }
}

impl Sentinels {
    /// Where connections may lead by this word, best first: to where they lead already, so that reading and watching stay
    /// together; the primary is always among them.
    pub(super) fn candidates(&self, word: Word, deadline: Deadline, leash: Option<&Leash>) -> Vec<Candidate> {
        let Word { address: primary, mut replicas, .. } = word;
        let place = self.place().filter(|_| !self.is_shunned.load(Relaxed));
        let mut jitter = Jitter::new();
        // Each process has an order of its own, so that they share the replicas.
        replicas.sort_by_cached_key(|_| jitter.bits());
        replicas.sort_by_key(|replica| place.as_deref() != Some(replica));
        let mut candidates: Vec<Candidate> =
            replicas.iter().map(|replica| Candidate::replica(replica, &primary)).collect();
        candidates.push(Candidate::primary(primary));
        let is_placed = |candidate: &Candidate| place.as_deref() == Some(&candidate.address);
        if self.read == ReadFrom::Nearest && candidates.len() > 1 {
            match candidates.iter().position(is_placed) {
                Some(position) => candidates.swap(0, position),
                None => sort_by_distance(&mut candidates, deadline, leash),
            }
        }
        candidates
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
