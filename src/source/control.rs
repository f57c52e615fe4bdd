//! Ends or restarts a running source from another thread.
//!
//! A source spends nearly all its time blocked, in a read or asleep, so both must end at once when it is told to stop.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::lock;

/// Stops or restarts a source from any thread; clones are the same control. Belongs to one set of threads: a forked child
/// makes a new one.
#[derive(Clone, Default)]
pub struct Control(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// Ends what the source is blocked in.
type Interrupt = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    stopped: bool,
    /// Counts the restarts that were asked for.
    restarts: u64,
    /// Something is waiting for the source, which it has not looked at yet.
    poked: bool,
    interrupt: Option<Interrupt>,
    /// The control of a source that this one's source runs.
    lent: Option<Control>,
    /// When that one is to be stopped.
    alarm: Option<Instant>,
}

/// How long nobody looks at a clock whose alarm is not set.
const LONG: Duration = Duration::from_secs(3600);

impl Control {
    /// A control that lets its source run.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the source: a blocked read ends at once, and the sink is not called any more. A name lookup or a TCP
    /// connect that is under way is not cut short; it ends by its own deadline.
    pub fn stop(&self) {
        if let Some(lent) = self.wake(|state| state.stopped = true) {
            lent.stop();
        }
    }

    /// Asks for everything afresh: a stream connects again, a poll is made at once and without ETag, files are read again.
    pub fn restart(&self) {
        if let Some(lent) = self.wake(|state| state.restarts += 1) {
            lent.restart();
        }
    }

    /// Stops what the source runs when its time is over, until the source itself is stopped: a source that is blocked in a
    /// read looks at no clock. Wanted where [`SourceOptions::needs_clock`](super::SourceOptions::needs_clock).
    pub fn keep_time(&self) {
        let mut state = lock(&self.0.state);
        while !state.stopped {
            let now = Instant::now();
            if state.alarm.is_some_and(|alarm| alarm <= now) {
                state.alarm = None;
                let lent = state.lent.clone();
                drop(state);
                lent.inspect(Control::stop);
                state = lock(&self.0.state);
                continue;
            }
            let left = state.alarm.map_or(LONG, |alarm| alarm.saturating_duration_since(now));
            state = self.0.changed.wait_timeout(state, left.min(LONG)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A control for a source that this one's source runs: it is stopped and restarted with this one, and stopped by the alarm
    /// alone. The one that was lent before counts no longer.
    pub(super) fn lend(&self) -> Control {
        let lent = Control::new();
        let mut state = lock(&self.0.state);
        state.alarm = None;
        state.lent = Some(lent.clone());
        if state.stopped {
            lent.stop();
        }
        lent
    }

    /// Stops what was lent at this time, if it runs that long.
    pub(super) fn set_alarm(&self, at: Option<Instant>) {
        lock(&self.0.state).alarm = at;
        self.0.changed.notify_all();
    }

    /// True after [`stop`](Self::stop).
    pub fn is_stopped(&self) -> bool {
        lock(&self.0.state).stopped
    }

    /// How many restarts have been asked for.
    pub(super) fn restarts(&self) -> u64 {
        lock(&self.0.state).restarts
    }

    /// Registers what ends the read that begins now. It runs at once if the source is to stop, or if a restart has
    /// been asked for since `restarts` were counted.
    pub(super) fn interrupt_by(&self, restarts: u64, interrupt: impl FnOnce() + Send + 'static) {
        let mut state = lock(&self.0.state);
        if state.stopped || state.restarts != restarts {
            drop(state);
            interrupt();
        } else {
            state.interrupt = Some(Box::new(interrupt));
        }
    }

    /// The read is over.
    pub(super) fn clear_interrupt(&self) {
        lock(&self.0.state).interrupt = None;
    }

    /// Sleeps, but no longer than until the source is to stop or a restart has been asked for since `restarts` were
    /// counted. True if the whole time has passed.
    pub(super) fn sleep(&self, duration: Duration, restarts: u64) -> bool {
        self.wait(duration, |state| state.stopped || state.restarts != restarts)
    }

    /// Wakes a source that waits in [`wait_for_poke`](Self::wait_for_poke).
    pub(super) fn poke(&self) {
        lock(&self.0.state).poked = true;
        self.0.changed.notify_all();
    }

    /// Waits for a poke, a stop or a restart.
    pub(super) fn wait_for_poke(&self, restarts: u64) {
        let woken = |state: &State| state.poked || state.stopped || state.restarts != restarts;
        while self.wait(LONG, woken) {}
        lock(&self.0.state).poked = false;
    }

    fn wait(&self, duration: Duration, until: impl Fn(&State) -> bool) -> bool {
        let end = Instant::now().checked_add(duration);
        let mut state = lock(&self.0.state);
        while !until(&state) {
            // A time too far away to be expressed is waited for in pieces.
            let left = end.map_or(LONG, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return true;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    /// Changes the state and ends what the source is blocked in. What was lent is to hear of it, too.
    fn wake(&self, change: impl FnOnce(&mut State)) -> Option<Control> {
        let (interrupt, lent) = {
            let mut state = lock(&self.0.state);
            change(&mut state);
            self.0.changed.notify_all();
            (state.interrupt.take(), state.lent.clone())
        };
        if let Some(interrupt) = interrupt {
            interrupt();
        }
        lent
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Control").field("stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    fn counter() -> (Arc<AtomicU32>, impl FnOnce() + Send + 'static) {
        let count = Arc::new(AtomicU32::new(0));
        let own = Arc::clone(&count);
        (count, move || {
            own.fetch_add(1, SeqCst);
        })
    }

    #[test]
    fn sleep_ends_early_for_a_stop_and_a_restart_only() {
        let control = Control::new();
        let restarts = control.restarts();
        control.poke();
        assert!(control.sleep(Duration::from_millis(20), restarts));
        control.restart();
        let begin = Instant::now();
        assert!(!control.sleep(SOON, restarts));
        assert!(!control.sleep(Duration::MAX, restarts));
        assert!(control.sleep(Duration::ZERO, control.restarts()));
        control.stop();
        assert!(!control.sleep(SOON, control.restarts()));
        assert!(begin.elapsed() < SOON / 2);
    }

    #[test]
    fn what_was_lent_is_stopped_and_restarted_with_its_lender_and_not_the_other_way_round() {
        let control = Control::new();
        let (former, lent) = (control.lend(), control.lend());
        control.restart();
        assert_eq!((former.restarts(), lent.restarts(), control.restarts()), (0, 1, 1));
        lent.stop();
        assert!(!control.is_stopped());
        let next = control.lend();
        control.stop();
        assert!(next.is_stopped() && !former.is_stopped() && control.lend().is_stopped());
    }

    #[test]
    fn the_alarm_stops_what_was_lent_alone_and_in_time() {
        let control = Control::new();
        let keeper = std::thread::spawn({
            let control = control.clone();
            move || control.keep_time()
        });
        let lent = control.lend();
        control.set_alarm(Some(Instant::now() + SOON));
        let begin = Instant::now();
        control.set_alarm(Some(begin + Duration::from_millis(30)));
        assert!(!lent.sleep(SOON, 0) && lent.is_stopped() && begin.elapsed() >= Duration::from_millis(30));
        // The next one has all the time that it is given.
        control.set_alarm(Some(Instant::now()));
        let next = control.lend();
        assert!(next.sleep(Duration::from_millis(30), 0));
        control.stop();
        keeper.join().unwrap();
        assert!(begin.elapsed() < SOON / 2);
    }

    #[test]
    fn an_interruption_runs_once_also_if_it_comes_too_late() {
        let control = Control::new();
        let (count, interrupt) = counter();
        control.interrupt_by(control.restarts(), interrupt);
        assert_eq!(count.load(SeqCst), 0);
        control.restart();
        control.stop();
        assert_eq!(count.load(SeqCst), 1);
        let (late, interrupt) = counter();
        control.interrupt_by(control.restarts(), interrupt);
        assert_eq!(late.load(SeqCst), 1);

        let control = Control::new();
        let restarts = control.restarts();
        control.restart();
        let (missed, interrupt) = counter();
        control.interrupt_by(restarts, interrupt);
        assert_eq!(missed.load(SeqCst), 1);

        let (over, interrupt) = counter();
        control.interrupt_by(control.restarts(), interrupt);
        control.clear_interrupt();
        control.stop();
        assert_eq!(over.load(SeqCst), 0);
    }
}
