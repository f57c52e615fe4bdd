//! The members of big segments, as evaluations ask for them: of the host's own store, on the thread that evaluates; of Redis,
//! which a thread of its own asks while the one that evaluates waits; or of none. May depend on `big_segments`, `eval`, `store` and
//! `model`.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Acquire;
use std::time::Instant;

use super::feed::level;
use super::notifications::{Area, Event};
use super::runtime::Voice;
use super::{Client, ClientError, STARTED};
use crate::big_segments::{Answer, BigSegmentStore, Desk, DeskOptions, Host, Status, StoreFailure, Wait};
use crate::eval::{BigSegmentsStatus, MembershipAnswer, Memberships};
use crate::model::{Membership, Severity};
use crate::store::{Counter, MembersListener, MembersOptions, Residency};

/// Where the members of big segments are known, and how they are asked for.
#[derive(Clone)]
pub struct MembersSettings {
    /// How answers are remembered.
    pub desk: DeskOptions,
    /// Who knows.
    pub store: MembersStore,
}

/// Who knows the members of big segments.
#[derive(Clone)]
pub enum MembersStore {
    /// A store of the host's.
    Host(Arc<dyn BigSegmentStore>),
    /// Redis.
    Redis(Box<MembersOptions>),
}

impl fmt::Debug for MembersSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MembersSettings").field("desk", &self.desk).finish_non_exhaustive()
    }
}

impl MembersSettings {
    /// Where in Redis the members are, if that is where they are.
    pub(super) fn redis(&self) -> Option<&MembersOptions> {
        match &self.store {
            MembersStore::Host(_) => None,
            MembersStore::Redis(options) => Some(options),
        }
    }
}

/// Redis as a store: its thread is asked, and waited for.
struct Through<'a> {
    counter: &'a Counter,
    deadline: Instant,
}

impl BigSegmentStore for Through<'_> {
    fn membership(&self, context_hash: &str) -> Result<Membership, StoreFailure> {
        self.counter.ask_members(context_hash, self.deadline).map_err(StoreFailure)
    }

    fn metadata(&self) -> Result<Option<i64>, StoreFailure> {
        self.counter.ask_age(self.deadline).map_err(StoreFailure)
    }
}

/// Hands the desk what Redis tells of the members.
pub(super) struct DeskListener<'a> {
    pub(super) voice: &'a Voice<'a>,
    pub(super) desk: &'a Desk,
}

impl MembersListener for DeskListener<'_> {
    fn age(&self, age: &Result<Option<i64>, String>) {
        self.desk.note_metadata(self.voice, &age.clone().map_err(StoreFailure));
    }

    fn changed(&self, context_hash: &str) {
        self.desk.forget(context_hash);
    }

    fn all_changed(&self) {
        self.desk.forget_all();
    }
}

impl Host for Voice<'_> {
    fn log(&self, severity: Severity, message: fmt::Arguments<'_>) {
        self.runtime.log(Area::BigSegments, level(severity), message);
    }

    fn status_changed(&self, status: Status, reason: &str) {
        self.runtime.notifications.push(Event::BigSegments { status, reason: reason.to_owned() });
    }
}

/// What one evaluation knows of the members of big segments.
pub(super) struct Consult<'a> {
    client: &'a Client,
    may_wait: bool,
    /// An evaluation waits once for all that it asks.
    deadline: Cell<Option<Instant>>,
    would_wait: Cell<bool>,
}

impl<'a> Consult<'a> {
    #[inline]
    pub(super) fn new(client: &'a Client, may_wait: bool) -> Self {
        Self { client, may_wait, deadline: Cell::new(None), would_wait: Cell::new(false) }
    }

    /// Whether the store would have had to be asked by one that may not wait.
    #[inline]
    pub(super) fn would_wait(&self) -> bool {
        self.would_wait.get()
    }

    fn wait(&self, settings: &MembersSettings) -> (Wait, Instant) {
        let deadline = self.deadline.get().unwrap_or_else(|| Instant::now() + settings.desk.patience);
        self.deadline.set(Some(deadline));
        (if self.may_wait { Wait::Until(deadline) } else { Wait::No }, deadline)
    }
}

impl Memberships for Consult<'_> {
    #[cold]
    #[inline(never)]
    fn membership(&self, context_key: &str) -> MembershipAnswer {
        let Some(settings) = &self.client.members else { return nothing(BigSegmentsStatus::NotConfigured) };
        let (wait, deadline) = self.wait(settings);
        let asked =
            self.client.at_desk(settings, deadline, |desk, store, host| desk.ask(store, host, context_key, wait));
        match asked {
            Some(Answer::Known { membership, is_stale }) => MembershipAnswer {
                membership: Some(membership),
                status: if is_stale { BigSegmentsStatus::Stale } else { BigSegmentsStatus::Healthy },
            },
            Some(Answer::Failed) | None => nothing(BigSegmentsStatus::StoreError),
            Some(Answer::WouldWait) => {
                self.would_wait.set(true);
                nothing(BigSegmentsStatus::StoreError)
            }
        }
    }
}

fn nothing(status: BigSegmentsStatus) -> MembershipAnswer {
    MembershipAnswer { membership: None, status }
}

/// Answers that are kept for several evaluations of one context, which get the same ones: a store that fails is asked once.
pub(super) struct Remembering<'a, M> {
    memberships: &'a M,
    answers: RefCell<Vec<(Box<str>, MembershipAnswer)>>,
}

impl<'a, M> Remembering<'a, M> {
    pub(super) fn new(memberships: &'a M) -> Self {
        Self { memberships, answers: RefCell::new(Vec::new()) }
    }
}

impl<M: Memberships> Memberships for Remembering<'_, M> {
    fn membership(&self, context_key: &str) -> MembershipAnswer {
        let known =
            self.answers.borrow().iter().find(|(key, _)| **key == *context_key).map(|(_, answer)| answer.clone());
        known.unwrap_or_else(|| {
            let answer = self.memberships.membership(context_key);
            self.answers.borrow_mut().push((Box::from(context_key), answer.clone()));
            answer
        })
    }
}

impl Client {
    /// Whether an evaluation may wait: for a key that residency `lazy` or `off` does not hold, or for what a store knows of the
    /// big segments that are held. May change with the data.
    #[inline]
    pub fn may_wait(&self) -> bool {
        self.plant.shared.options.residency != Residency::All || self.may_ask_for_members()
    }

    /// Whether an evaluation may ask a store for the members of a big segment.
    #[inline]
    pub(super) fn may_ask_for_members(&self) -> bool {
        self.members.is_some() && self.plant.shared.holds_big_segments()
    }

    /// How the big-segment store stands, which is asked if it never was; nothing is available where there is none.
    pub fn big_segments_status(&self) -> Result<Status, ClientError> {
        self.about_big_segments(Desk::status)
    }

    /// Asks the host's big-segment store on this thread when it was brought up to date, and says how it stands. Redis is asked
    /// at intervals anyway.
    pub fn poll_big_segments(&self) -> Result<Status, ClientError> {
        let is_redis = self.members.as_ref().is_some_and(|settings| settings.redis().is_some());
        self.about_big_segments(if is_redis { Desk::status } else { Desk::poll })
    }

    fn about_big_segments(
        &self,
        question: fn(&Desk, &dyn BigSegmentStore, &dyn Host) -> Status,
    ) -> Result<Status, ClientError> {
        if self.is_closed() {
            return Err(ClientError::Closed);
        }
        let status = self.members.as_ref().and_then(|settings| {
            // Nobody speaks with Redis before the client was started, which is no failure of Redis.
            let is_asked = settings.redis().is_none() || self.stage.load(Acquire) == STARTED;
            let deadline = Instant::now() + settings.desk.patience;
            is_asked.then(|| self.at_desk(settings, deadline, question))?
        });
        Ok(status.unwrap_or_default())
    }

    /// Does something at the desk of this process.
    fn at_desk<R>(
        &self,
        settings: &MembersSettings,
        deadline: Instant,
        work: impl FnOnce(&Desk, &dyn BigSegmentStore, &dyn Host) -> R,
    ) -> Option<R> {
        let runtime = self.current();
        let desk = runtime.desk.as_ref()?;
        let voice = Voice { runtime: &runtime, shared: &self.plant.shared, feed: self.plant.feed() };
        match &settings.store {
            MembersStore::Host(store) => Some(work(desk, &**store, &voice)),
            MembersStore::Redis(_) => Some(work(desk, &Through { counter: &runtime.counter, deadline }, &voice)),
        }
    }
}
