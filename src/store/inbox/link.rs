//! How the watch stands, for the store thread and for the status. Written by the watch's thread, lock-free. Depends on `rungs`.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::store::rungs::LadderReport;

/// State of the watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum LinkPhase {
    /// The first attempt is not over yet.
    Connecting = 0,
    /// Everything that happens is told.
    Up = 1,
    /// The watch is lost or cannot be made; it is tried again.
    Down = 2,
    /// The server refuses every rung.
    Unsupported = 3,
}

/// What the watch's thread and the store thread tell each other.
#[derive(Debug)]
pub struct LinkState {
    phase: AtomicU8,
    /// Counts how often the watch was armed.
    armed: AtomicU64,
    /// Last sign of life, in ms of the monotonic clock.
    alive_at: AtomicU64,
    /// Counts how often somebody wanted to know that everything was told.
    drain_wishes: AtomicU64,
    /// So many of these were granted.
    drains_granted: AtomicU64,
    /// The watch is made anew, and nobody listens meanwhile.
    is_arming: AtomicBool,
    renewal_wanted: AtomicBool,
    /// Why there is no watch, or which rung it is.
    remark: ArcSwapOption<String>,
    /// Which server tells.
    server: ArcSwapOption<String>,
    /// Where it tells, where there may be several.
    places: ArcSwap<Vec<String>>,
    /// Drains follow each other: somebody waits for each.
    is_hurried: AtomicBool,
    /// How the rungs fared.
    report: ArcSwap<LadderReport>,
}

impl LinkState {
    pub(super) fn new() -> Self {
        Self {
            phase: AtomicU8::new(LinkPhase::Connecting as u8),
            armed: AtomicU64::new(0),
            alive_at: AtomicU64::new(0),
            drain_wishes: AtomicU64::new(0),
            drains_granted: AtomicU64::new(0),
            is_arming: AtomicBool::new(false),
            renewal_wanted: AtomicBool::new(false),
            remark: ArcSwapOption::empty(),
            server: ArcSwapOption::empty(),
            places: ArcSwap::default(),
            is_hurried: AtomicBool::new(false),
            report: ArcSwap::default(),
        }
    }

    /// Present phase.
    pub fn phase(&self) -> LinkPhase {
        match self.phase.load(Acquire) {
            1 => LinkPhase::Up,
            2 => LinkPhase::Down,
            3 => LinkPhase::Unsupported,
            _ => LinkPhase::Connecting,
        }
    }

    /// The watch is armed from here on.
    pub fn set_up(&self, report: &LadderReport, server: Option<&str>, now_ms: u64) {
        self.note(report);
        self.server.store(server.map(|server| Arc::new(server.to_owned())));
        self.alive_at.store(now_ms, Relaxed);
        self.armed.fetch_add(1, Release);
        self.is_arming.store(false, Release);
        self.phase.store(LinkPhase::Up as u8, Release);
    }

    /// The same watch stands on another rung, or better ones had something else to say.
    pub fn note(&self, report: &LadderReport) {
        self.remark.store(report.in_force().map(|rung| Arc::new(rung.name().to_owned())));
        self.report.store(Arc::new(report.clone()));
    }

    /// How the rungs fared when they were last tried.
    pub fn report(&self) -> Arc<LadderReport> {
        self.report.load_full()
    }

    /// The watch is not there, for `reason`.
    pub fn set_gone(&self, phase: LinkPhase, reason: String, report: LadderReport) {
        self.report.store(Arc::new(report));
        self.remark.store(Some(Arc::new(reason)));
        self.phase.store(phase as u8, Release);
    }

    /// From here on nobody listens, until the watch is armed.
    pub fn set_arming(&self) {
        self.is_arming.store(true, Release);
    }

    /// Whether somebody listens, and grants what is wished for.
    pub fn is_listening(&self) -> bool {
        self.phase() == LinkPhase::Up && !self.is_arming.load(Acquire)
    }

    /// How often the watch was armed.
    pub fn armed(&self) -> u64 {
        self.armed.load(Acquire)
    }

    /// Why there is no watch, or which rung it is.
    pub fn remark(&self) -> Option<Arc<String>> {
        self.remark.load_full()
    }

    /// Which server tells, where it says so.
    pub fn server(&self) -> Option<Arc<String>> {
        self.server.load_full()
    }

    /// In a cluster it is armed at these addresses.
    pub fn set_places(&self, places: Vec<String>) {
        self.places.store(Arc::new(places));
    }

    /// Where it is armed in a cluster.
    pub fn places(&self) -> Arc<Vec<String>> {
        self.places.load_full()
    }

    /// Last sign of life, in ms of the monotonic clock.
    pub fn alive_at(&self) -> u64 {
        self.alive_at.load(Relaxed)
    }

    /// Everything has been told that happened before this wish.
    pub fn drained(&self, wish: u64, now_ms: u64) {
        self.alive_at.store(now_ms, Relaxed);
        self.drains_granted.store(wish, Release);
    }

    /// Asks to be told soon when everything has been told; the number of this wish.
    pub fn want_drain(&self) -> u64 {
        self.drain_wishes.fetch_add(1, AcqRel) + 1
    }

    /// The number of the latest wish.
    pub fn drain_wish(&self) -> u64 {
        self.drain_wishes.load(Acquire)
    }

    /// Whether a wish was granted.
    pub fn is_drained(&self, wish: u64) -> bool {
        self.drains_granted.load(Acquire) >= wish
    }

    /// Whether drains are asked for one after the other just now, and each is waited for.
    pub fn hurry(&self, is_hurried: bool) {
        self.is_hurried.store(is_hurried, Release);
    }

    /// Whether they are.
    pub fn is_hurried(&self) -> bool {
        self.is_hurried.load(Acquire)
    }

    /// Asks for another connection: the server may be another one by now.
    pub fn want_renewal(&self) {
        self.renewal_wanted.store(true, Release);
    }

    /// Whether that was asked for since the last call.
    pub fn take_renewal_wish(&self) -> bool {
        self.renewal_wanted.swap(false, AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_grants_what_was_wished_for_before_the_question_and_nothing_later() {
        let link = LinkState::new();
        let first = link.want_drain();
        let asked = link.drain_wish();
        let second = link.want_drain();
        assert!(!link.is_drained(first));
        link.drained(asked, 1);
        assert!(link.is_drained(first) && !link.is_drained(second));
        link.drained(link.drain_wish(), 2);
        assert!(link.is_drained(second) && link.alive_at() == 2);
    }

    #[test]
    fn nobody_listens_while_the_watch_is_made_anew() {
        let link = LinkState::new();
        assert!(!link.is_listening());
        link.set_up(&LadderReport::default(), None, 1);
        assert!(link.is_listening());
        link.set_arming();
        assert!(link.phase() == LinkPhase::Up && !link.is_listening());
        link.set_up(&LadderReport::default(), None, 2);
        assert!(link.is_listening());
        link.set_gone(LinkPhase::Down, String::new(), LadderReport::default());
        assert!(!link.is_listening());
    }
}
