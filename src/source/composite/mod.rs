//! A source made of sources: initializers, each asked once, for the first data; then synchronizers, one at a time, which keep
//! them true. Knows nothing of how they speak to a server.
//!
//! | Rule | Is |
//! |---|---|
//! | start | initializers in their order, until one has brought a state that has a name; what others bring is in force all the same |
//! | give way | a synchronizer that fails for `fallback_after` gives way to the next; while nothing has ever been delivered, for `first_data`. After the last comes the first |
//! | off | one that is refused for good is removed, and the next has its turn at once |
//! | recover | another than the first that has been well for `recover_after` gives way to the first |
//! | directed | where a server wants the former protocol, it is spoken instead of all others, for as long as the server says |
//! | end | when nobody is left, the source is off; or, if nothing is to end it, begins anew after a pause of minutes |
//!
//! Runs one source at a time, on its own thread; a clock that somebody else keeps ([`Control::keep_time`]) ends its turn.

mod course;
mod relay;

use std::time::{Duration, Instant};

use super::control::Control;
use super::failure::Nature;
use super::options::RetryMode;
use super::outlet::Outlet;
use super::retry::{Lasted, Pace, StreamRetry};
use super::sink::{Failure, FailureKind, Report, Severity, Sink as _};
use course::Course;
pub(super) use relay::Known;
use relay::{Due, Relay, Role};

/// A source among others.
pub(super) trait Part {
    /// What it is, for people.
    fn name(&self) -> &str;
    /// Runs until it is stopped, is off, or, as an initializer, has had its try. `known` is the state that is in force.
    fn run(&self, known: &Known, outlet: &Outlet<'_>) -> Ending;
}

/// How a source ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It was stopped or is off; or has had its try.
    Over,
    /// The server wants the former protocol to be spoken.
    Directed(Directive),
}

/// The wish of a server that the former protocol be spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Directive {
    /// For so long; `None` for good.
    pub lasts: Option<Duration>,
}

/// The times of the rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// A synchronizer that fails for so long gives way.
    pub fallback_after: Duration,
    /// One that is well for so long gives way to the first.
    pub recover_after: Duration,
    /// While nothing has ever been delivered, one that brings nothing for so long gives way.
    pub first_data: Duration,
}

/// The sources, and what they follow.
pub(super) struct Composite {
    pub initializers: Vec<Box<dyn Part>>,
    pub synchronizers: Vec<Box<dyn Part>>,
    /// Speaks the former protocol.
    pub fallback: Option<Box<dyn Part>>,
    pub times: Times,
    pub retry: RetryMode,
    pub pace: Pace,
}

/// Why no synchronizer has its turn any more.
enum Halt {
    Stopped,
    Directed(Directive),
    Exhausted,
    /// Data are wanted afresh, and there are only initializers.
    Again,
}

impl Composite {
    /// Runs until stopped, or until nobody is left.
    pub(super) fn run(&self, outlet: &Outlet<'_>) {
        let relay = Relay::new(outlet.sink(), outlet.control(), self.times);
        let mut turns = Turns { composite: self, relay: &relay, outlet, control: outlet.control(), restarts: 0 };
        turns.restarts = turns.control.restarts();
        let mut retry = StreamRetry::new(RetryMode::Extended, Duration::ZERO, self.pace);
        let mut halt = turns.initialize();
        loop {
            halt = match halt {
                Halt::Stopped => return,
                Halt::Directed(directive) => turns.speak_former(directive),
                Halt::Again => turns.initialize(),
                Halt::Exhausted if self.retry == RetryMode::Legacy => return turns.give_up(),
                Halt::Exhausted => {
                    turns.pause_all(retry.after(Nature::Lasting, Lasted::default(), None).pause);
                    turns.initialize()
                }
            };
        }
    }
}

fn nobody() -> Failure {
    Failure { kind: FailureKind::Unknown, status: 0, message: "no data source is left".to_owned() }
}

/// Gives each source its turn.
struct Turns<'a> {
    composite: &'a Composite,
    relay: &'a Relay<'a>,
    outlet: &'a Outlet<'a>,
    control: &'a Control,
    /// The restarts that have been heard of.
    restarts: u64,
}

impl Turns<'_> {
    /// Asks the initializers, then goes on with the synchronizers.
    fn initialize(&mut self) -> Halt {
        for part in &self.composite.initializers {
            let ending = self.give_turn(&**part, Role::Alone);
            if let Some(failure) = self.relay.take_refusal() {
                self.tell(Severity::Warn, part.name(), &format!("was refused: {}", failure.message));
            }
            match ending {
                _ if self.control.is_stopped() => return Halt::Stopped,
                Ending::Directed(directive) => return Halt::Directed(directive),
                Ending::Over if self.relay.has_state() => break,
                Ending::Over => {}
            }
        }
        self.synchronize()
    }

    fn synchronize(&mut self) -> Halt {
        if self.composite.synchronizers.is_empty() {
            return self.rest();
        }
        let mut course = Course::new(self.composite.synchronizers.len());
        while let Some(part) = course.present().and_then(|index| self.composite.synchronizers.get(index)) {
            let role = match () {
                () if course.is_alone() => Role::Alone,
                () if course.is_at_first() => Role::First,
                () => Role::Other,
            };
            let ending = self.give_turn(&**part, role);
            if self.control.is_stopped() {
                return Halt::Stopped;
            }
            if let Ending::Directed(directive) = ending {
                return Halt::Directed(directive);
            }
            if let Some(failure) = self.relay.take_refusal() {
                self.tell(Severity::Error, part.name(), &format!("is given up for good: {}", failure.message));
                course.remove();
                continue;
            }
            match self.relay.due() {
                Due::GiveWay => {
                    self.tell(
                        Severity::Warn,
                        part.name(),
                        "has brought nothing for too long: the next one has its turn",
                    );
                    course.give_way();
                }
                Due::Recover => {
                    self.tell(Severity::Info, part.name(), "is well: the first one is tried again");
                    course.recover();
                }
                Due::Nothing => {}
            }
        }
        Halt::Exhausted
    }

    /// Nobody is left, and nobody is asked any more.
    fn give_up(&self) {
        let failure = self.relay.latest_failure().unwrap_or_else(nobody);
        self.outlet.log(Severity::Error, format_args!("no data source is left: {}", failure.message));
        self.outlet.off(failure);
    }

    /// Nobody is left: all are asked again after a pause.
    fn pause_all(&self, pause: Duration) {
        let failure = self.relay.latest_failure().unwrap_or_else(nobody);
        self.outlet.log(
            Severity::Error,
            format_args!("no data source is left: {}; all are tried again in {} s", failure.message, pause.as_secs()),
        );
        self.outlet.interrupted(failure);
        self.control.sleep(pause, self.restarts);
    }

    /// There are only initializers: they are asked again when data are wanted afresh, or when they brought none.
    fn rest(&mut self) -> Halt {
        if !self.relay.has_data() {
            return Halt::Exhausted;
        }
        while self.control.sleep(Duration::from_secs(3600), self.restarts) {}
        if self.control.is_stopped() { Halt::Stopped } else { Halt::Again }
    }

    /// Speaks the former protocol for as long as the server wants.
    fn speak_former(&mut self, directive: Directive) -> Halt {
        let end = directive.lasts.and_then(|time| Instant::now().checked_add(time));
        let for_how_long =
            directive.lasts.map_or_else(|| "from now on".to_owned(), |time| format!("for {} s", time.as_secs()));
        self.outlet.log(Severity::Warn, format_args!("the server wants the former protocol (FDv1) {for_how_long}"));
        // What the former protocol brings is of no state that has a name.
        self.relay.known.forget();
        if self.composite.fallback.is_none() {
            let message = "the server wants the former protocol (FDv1), for which no source is configured".to_owned();
            self.relay.report(Report::Interrupted(Failure { kind: FailureKind::Unknown, status: 0, message }));
        }
        if let Some(part) = &self.composite.fallback {
            while end.is_none_or(|end| Instant::now() < end) {
                let ending = self.give_turn(&**part, end.map_or(Role::Alone, Role::Until));
                if self.control.is_stopped() {
                    return Halt::Stopped;
                }
                if let Some(failure) = self.relay.take_refusal() {
                    self.tell(Severity::Error, part.name(), &format!("is given up: {}", failure.message));
                    break;
                }
                debug_assert_eq!(ending, Ending::Over, "the former protocol knows no directive");
            }
        }
        self.wait_for(end)
    }

    /// Nobody has a turn until then.
    fn wait_for(&mut self, end: Option<Instant>) -> Halt {
        let Some(end) =
            end.filter(|_| self.composite.retry == RetryMode::Extended || self.composite.fallback.is_some())
        else {
            return Halt::Exhausted;
        };
        while !self.control.is_stopped() && Instant::now() < end {
            // A restart changes nothing: nobody may be asked.
            let restarts = self.control.restarts();
            self.control.sleep(end.saturating_duration_since(Instant::now()), restarts);
        }
        if self.control.is_stopped() {
            return Halt::Stopped;
        }
        self.outlet.log(Severity::Info, format_args!("the present protocol (FDv2) is tried again"));
        self.synchronize()
    }

    fn give_turn(&mut self, part: &dyn Part, role: Role) -> Ending {
        let lent = self.control.lend();
        let restarts = self.control.restarts();
        if restarts != self.restarts {
            self.restarts = restarts;
            self.relay.known.forget();
        }
        self.relay.begins(role);
        self.outlet.log(Severity::Debug, format_args!("{}: has its turn", part.name()));
        let ending = part.run(&self.relay.known, &Outlet::new(self.relay, &lent));
        self.control.set_alarm(None);
        ending
    }

    fn tell(&self, severity: Severity, name: &str, what: &str) {
        self.outlet.log(severity, format_args!("{name}: {what}"));
    }
}
