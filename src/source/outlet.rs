//! The sink as a source sees it: it is silent once the source was stopped, and remembers whether the last word was good.

use std::cell::Cell;
use std::fmt;

use super::control::Control;
use super::sink::{ApplyError, ChangeSet, Failure, Report, Severity, Sink};

/// Where a running source puts what it has.
pub(super) struct Outlet<'a> {
    sink: &'a dyn Sink,
    control: &'a Control,
    /// A full changeset was taken during this run.
    filled: Cell<bool>,
    /// The last word was a failure.
    failing: Cell<bool>,
}

impl<'a> Outlet<'a> {
    pub(super) fn new(sink: &'a dyn Sink, control: &'a Control) -> Self {
        Self { sink, control, filled: Cell::new(false), failing: Cell::new(false) }
    }

    pub(super) fn control(&self) -> &'a Control {
        self.control
    }

    /// Hands over a changeset. What follows a failure, once there were data, shows that all is well again.
    pub(super) fn apply(&self, changes: ChangeSet<'_>) -> Result<(), ApplyError> {
        if self.control.is_stopped() {
            return Ok(());
        }
        let full = changes.full;
        self.sink.apply(changes)?;
        if full {
            self.filled.set(true);
            self.failing.set(false);
        } else if self.filled.get() && self.failing.get() {
            self.valid();
        }
        Ok(())
    }

    pub(super) fn valid(&self) {
        self.failing.set(false);
        self.report(Report::Valid);
    }

    /// Like [`valid`](Self::valid), and nothing has changed since the last full changeset.
    pub(super) fn unchanged(&self) {
        self.failing.set(false);
        self.report(Report::Unchanged);
    }

    pub(super) fn interrupted(&self, failure: Failure) {
        self.failing.set(true);
        self.report(Report::Interrupted(failure));
    }

    pub(super) fn off(&self, failure: Failure) {
        self.failing.set(true);
        self.report(Report::Off(failure));
    }

    /// Reports as it is, without a thought for what was reported before.
    pub(super) fn report(&self, report: Report) {
        if !self.control.is_stopped() {
            self.sink.report(report);
        }
    }

    pub(super) fn log(&self, severity: Severity, message: fmt::Arguments<'_>) {
        if !self.control.is_stopped() && self.sink.wants(severity) {
            self.sink.log(severity, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FailureKind;
    use crate::source::tests::Recorder;

    fn changes(full: bool) -> ChangeSet<'static> {
        ChangeSet { full, items: Vec::new(), environment_id: None }
    }

    fn failure() -> Failure {
        Failure { kind: FailureKind::Unknown, status: 0, message: "played".to_owned() }
    }

    #[test]
    fn a_stopped_source_is_silent() {
        let (sink, control) = (Recorder::default(), Control::new());
        let outlet = Outlet::new(&sink, &control);
        control.stop();
        assert_eq!(outlet.apply(changes(true)), Ok(()));
        outlet.valid();
        outlet.interrupted(failure());
        outlet.off(failure());
        outlet.log(Severity::Error, format_args!("never seen"));
        assert!(sink.lines().is_empty() && sink.logs().is_empty());
    }

    #[test]
    fn a_change_after_a_failure_shows_that_all_is_well_once_there_were_data() {
        let (sink, control) = (Recorder::default(), Control::new());
        let outlet = Outlet::new(&sink, &control);
        outlet.interrupted(failure());
        outlet.apply(changes(false)).unwrap();
        assert_eq!(sink.lines()[1..], ["part: "], "nothing is well without data");
        outlet.apply(changes(true)).unwrap();
        outlet.apply(changes(false)).unwrap();
        assert_eq!(sink.lines()[2..], ["full: ", "part: "]);
        outlet.interrupted(failure());
        outlet.apply(changes(false)).unwrap();
        assert_eq!(sink.lines()[5..], ["part: ", "valid"]);
    }
}
