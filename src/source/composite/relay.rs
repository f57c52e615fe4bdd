//! What stands between a source that the composite runs and the sink: it passes everything on, keeps the name of the state
//! that is in force, and notes how the source fares, from which follows when it is to give way.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::Times;
use crate::model::{Basis, ChangeKind, ChangeSet, Selector, lock};
use crate::source::control::Control;
use crate::source::sink::{Failure, Report, Severity, Sink};

/// The name of the state that is in force, if it has one.
#[derive(Default)]
pub(in crate::source) struct Known(Mutex<Option<Selector>>);

impl Known {
    pub(in crate::source) fn selector(&self) -> Option<Selector> {
        lock(&self.0).clone()
    }

    /// Everything is wanted afresh, or the server does not know the name.
    pub(in crate::source) fn forget(&self) {
        *lock(&self.0) = None;
    }

    /// Notes what was put in force.
    fn note(&self, kind: ChangeKind, basis: Basis, selector: Option<Selector>) {
        match kind {
            // What a source says of which no state has a name is of no state that anybody knows.
            ChangeKind::Partial if basis == Basis::Versions => self.forget(),
            ChangeKind::Full | ChangeKind::Partial => *lock(&self.0) = selector,
            ChangeKind::None => {}
        }
    }
}

/// What a source may do before it has to give way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// As long as it likes.
    Alone,
    /// Until it fails for too long.
    First,
    /// The same, or until it has been well for long enough to try the first again.
    Other,
    /// Until then.
    Until(Instant),
}

/// How a source fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has said nothing yet.
    Begun,
    Valid,
    Failing,
}

#[derive(Debug)]
struct Standing {
    role: Role,
    state: State,
    since: Instant,
    /// A full data set was put in force, by whichever source.
    has_data: bool,
    /// How many have given way without any.
    in_vain: u32,
    /// This source has put a state in force that has a name.
    has_state: bool,
    /// It is off for good.
    refused: Option<Failure>,
    /// The latest failure of any source.
    latest: Option<Failure>,
}

/// The sink of a source that the composite runs.
pub(super) struct Relay<'a> {
    sink: &'a dyn Sink,
    control: &'a Control,
    times: Times,
    pub(super) known: Known,
    standing: Mutex<Standing>,
}

/// Why a source that was stopped by the alarm was to give way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// It has failed for too long.
    GiveWay,
    /// It has been well for so long that the first may be tried again.
    Recover,
    /// It was not: it has changed in that very moment.
    Nothing,
}

impl<'a> Relay<'a> {
    pub(super) fn new(sink: &'a dyn Sink, control: &'a Control, times: Times) -> Self {
        let standing = Standing {
            role: Role::Alone,
            state: State::Begun,
            since: Instant::now(),
            has_data: false,
            in_vain: 0,
            has_state: false,
            refused: None,
            latest: None,
        };
        Self { sink, control, times, known: Known::default(), standing: Mutex::new(standing) }
    }

    /// A source begins, whose control was lent just now.
    pub(super) fn begins(&self, role: Role) {
        let mut standing = lock(&self.standing);
        (standing.role, standing.state, standing.since) = (role, State::Begun, Instant::now());
        (standing.has_state, standing.refused) = (false, None);
        self.set_alarm(&standing);
    }

    /// Whether the source has put a state in force that has a name.
    pub(super) fn has_state(&self) -> bool {
        lock(&self.standing).has_state
    }

    /// Whether anything was delivered, by whichever source.
    pub(super) fn has_data(&self) -> bool {
        lock(&self.standing).has_data
    }

    /// Why it is off for good, if it is.
    pub(super) fn take_refusal(&self) -> Option<Failure> {
        lock(&self.standing).refused.take()
    }

    /// The latest failure.
    pub(super) fn latest_failure(&self) -> Option<Failure> {
        lock(&self.standing).latest.clone()
    }

    /// What it was stopped for, if it was by the alarm.
    pub(super) fn due(&self) -> Due {
        let mut standing = lock(&self.standing);
        if self.deadline(&standing).is_none_or(|at| at > Instant::now()) {
            return Due::Nothing;
        }
        if standing.state == State::Valid {
            return Due::Recover;
        }
        standing.in_vain += u32::from(!standing.has_data);
        Due::GiveWay
    }

    /// When the source is to give way, if it goes on as it does.
    fn deadline(&self, standing: &Standing) -> Option<Instant> {
        let patience = self.patience(standing);
        match (standing.role, standing.state) {
            (Role::Alone, _) | (Role::First, State::Valid) => None,
            (Role::Until(at), _) => Some(at),
            (Role::Other, State::Valid) => after(standing.since, self.times.recover_after),
            (Role::First | Role::Other, State::Begun | State::Failing) => after(standing.since, patience),
        }
    }

    /// How long it may bring nothing. While nobody has brought anything, each has more time than the one before: large data
    /// over a slow line must get through in the end.
    fn patience(&self, standing: &Standing) -> Duration {
        let Times { fallback_after, first_data, .. } = self.times;
        if standing.has_data {
            return fallback_after;
        }
        first_data.saturating_mul(1 << standing.in_vain.min(16)).min(fallback_after.max(first_data))
    }

    fn set_alarm(&self, standing: &Standing) {
        self.control.set_alarm(self.deadline(standing));
    }

    fn moves(&self, state: State, note: impl FnOnce(&mut Standing)) {
        let mut standing = lock(&self.standing);
        note(&mut standing);
        // A source that has said nothing yet and one that fails are the same: neither brings anything.
        let brings = |state: State| state == State::Valid;
        if brings(standing.state) != brings(state) {
            standing.since = Instant::now();
        }
        standing.state = state;
        self.set_alarm(&standing);
    }

    fn note_failure(&self, failure: &Failure, is_final: bool) {
        self.moves(State::Failing, |standing| {
            standing.latest = Some(failure.clone());
            standing.refused = is_final.then(|| failure.clone());
        });
    }
}

fn after(since: Instant, time: Duration) -> Option<Instant> {
    since.checked_add(time)
}

impl Sink for Relay<'_> {
    fn apply(&self, changes: ChangeSet<'_>) {
        if self.control.is_stopped() {
            return;
        }
        let (kind, basis, selector) = (changes.kind, changes.basis, changes.selector.clone());
        let has_state = kind != ChangeKind::None && selector.is_some();
        self.sink.apply(changes);
        self.known.note(kind, basis, selector);
        let is_whole = kind != ChangeKind::Partial || basis == Basis::Sequence;
        if is_whole {
            self.moves(State::Valid, |standing| {
                standing.has_data |= kind == ChangeKind::Full;
                standing.has_state |= has_state;
            });
        }
    }

    fn holds_flags(&self) -> bool {
        self.sink.holds_flags()
    }

    fn opens_stream(&self) {
        if !self.control.is_stopped() {
            self.sink.opens_stream();
        }
    }

    /// One source that is off is not all of them.
    fn report(&self, report: Report) {
        let report = match report {
            Report::Valid => {
                self.moves(State::Valid, |_| ());
                Report::Valid
            }
            Report::Interrupted(failure) => {
                self.note_failure(&failure, false);
                Report::Interrupted(failure)
            }
            Report::Off(failure) => {
                self.note_failure(&failure, true);
                Report::Interrupted(failure)
            }
        };
        if !self.control.is_stopped() {
            self.sink.report(report);
        }
    }

    fn wants(&self, severity: Severity) -> bool {
        self.sink.wants(severity)
    }

    fn log(&self, severity: Severity, message: fmt::Arguments<'_>) {
        if !self.control.is_stopped() {
            self.sink.log(severity, message);
        }
    }
}
