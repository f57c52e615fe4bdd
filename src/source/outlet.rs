//! The sink as a source sees it: it is silent once the source was stopped, and remembers whether the last word was good.

use std::cell::Cell;
use std::fmt;

use super::control::Control;
use super::sink::{Failure, Report, Severity, Sink};
use crate::model::{Basis, ChangeKind, ChangeSet, Delivery};

/// Where a running source puts what it has.
pub(super) struct Outlet<'a> {
    sink: &'a dyn Sink,
    control: &'a Control,
    /// A full changeset was taken during this run.
    filled: Cell<bool>,
    /// The last word was a failure.
    failing: Cell<bool>,
    /// A full changeset without flags was not believed, and is asked for once more.
    doubted: Cell<bool>,
}

impl<'a> Outlet<'a> {
    pub(super) fn new(sink: &'a dyn Sink, control: &'a Control) -> Self {
        Self { sink, control, filled: Cell::new(false), failing: Cell::new(false), doubted: Cell::new(false) }
    }

    pub(super) fn sink(&self) -> &'a dyn Sink {
        self.sink
    }

    pub(super) fn control(&self) -> &'a Control {
        self.control
    }

    /// Hands over a changeset. What follows a failure, once there were data, shows that all is well again.
    pub(super) fn apply(&self, changes: ChangeSet<'_>) {
        if self.control.is_stopped() {
            return;
        }
        let partial = changes.kind == ChangeKind::Partial;
        // Changes of what was said before are as good as everything.
        let is_whole = partial && changes.basis == Basis::Sequence;
        self.filled.set(self.filled.get() || changes.kind == ChangeKind::Full);
        self.sink.apply(changes);
        if !partial {
            self.failing.set(false);
        } else if is_whole || self.filled.get() && self.failing.get() {
            self.valid();
        }
    }

    /// The same for what a server says, which is doubted if it would take every flag away: a server in trouble may well say
    /// so. False where the changeset was not taken and is to be asked for once more; the second time it counts.
    pub(super) fn offer(&self, changes: ChangeSet<'_>) -> bool {
        if changes.kind == ChangeKind::Full {
            let is_emptying = !changes.items.iter().any(Delivery::is_live_flag) && self.sink.holds_flags();
            if is_emptying && !self.doubted.replace(true) {
                self.log(
                    Severity::Warn,
                    format_args!("the server has no flags any more; it is asked once more before that is believed"),
                );
                return false;
            }
            self.doubted.set(false);
        }
        self.apply(changes);
        true
    }

    pub(super) fn opens_stream(&self) {
        if !self.control.is_stopped() {
            self.sink.opens_stream();
        }
    }

    pub(super) fn valid(&self) {
        self.failing.set(false);
        self.report(Report::Valid);
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
    use crate::model::{Content, Kind};
    use crate::source::FailureKind;
    use crate::source::tests::Recorder;

    fn changes(kind: ChangeKind) -> ChangeSet<'static> {
        ChangeSet::new(kind, Vec::new())
    }

    fn failure() -> Failure {
        Failure { kind: FailureKind::Unknown, status: 0, message: "played".to_owned() }
    }

    #[test]
    fn a_stopped_source_is_silent() {
        let (sink, control) = (Recorder::default(), Control::new());
        let outlet = Outlet::new(&sink, &control);
        control.stop();
        outlet.apply(changes(ChangeKind::Full));
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
        outlet.apply(changes(ChangeKind::Partial));
        assert_eq!(sink.lines()[1..], ["part: "], "nothing is well without data");
        outlet.apply(changes(ChangeKind::Full));
        outlet.apply(changes(ChangeKind::Partial));
        assert_eq!(sink.lines()[2..], ["full: ", "part: "]);
        outlet.interrupted(failure());
        outlet.apply(changes(ChangeKind::Partial));
        assert_eq!(sink.lines()[5..], ["part: ", "valid"]);
    }

    #[test]
    fn the_loss_of_every_flag_is_believed_the_second_time() {
        let (sink, control) = (Recorder::default(), Control::new());
        let outlet = Outlet::new(&sink, &control);
        assert!(outlet.offer(changes(ChangeKind::Full)), "there is nothing to lose");
        let flag = |text| Delivery { kind: Kind::Flag, key: "a".into(), content: Content::Json(text) };
        let full = |text| ChangeSet { items: vec![flag(text)], ..changes(ChangeKind::Full) };
        assert!(outlet.offer(full(b"{}")));
        assert!(!outlet.offer(changes(ChangeKind::Full)));
        assert!(outlet.offer(changes(ChangeKind::Partial)) && outlet.offer(full(b"NaN")), "it has come back");
        assert!(!outlet.offer(full(br#"{"deleted":true}"#)) && outlet.offer(changes(ChangeKind::Full)));
        assert!(outlet.offer(changes(ChangeKind::Full)));
        assert_eq!(sink.lines(), ["full: ", "full: flag a {}", "part: ", "full: flag a NaN", "full: ", "full: "]);
    }
}
