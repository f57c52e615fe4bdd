//! How evaluation asks for the members of big segments.

use std::sync::Arc;

use super::BigSegmentsStatus;
use crate::model::Membership;

/// What a big-segment store says about one context key.
#[derive(Clone, Debug)]
pub struct MembershipAnswer {
    /// The big segments of the key; none if the store could not tell.
    pub membership: Option<Arc<Membership>>,
    /// How far to trust the answer.
    pub status: BigSegmentsStatus,
}

/// Where evaluation finds the members of big segments.
pub trait Memberships {
    /// What is known about a context key (the plain key, without its kind). Asked once per key and evaluation.
    fn membership(&self, context_key: &str) -> MembershipAnswer;
}

/// No big-segment store is configured.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMemberships;

impl Memberships for NoMemberships {
    fn membership(&self, _context_key: &str) -> MembershipAnswer {
        MembershipAnswer { membership: None, status: BigSegmentsStatus::NotConfigured }
    }
}
