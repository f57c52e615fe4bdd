//! The order of the rungs: the best one that the server allows is taken, and what the others said is kept. Depends on the
//! rungs.

use std::time::{Duration, Instant};

use super::super::connector::Connector;
use super::super::wire::Deadline;
use super::keyspace::Keyspace;
use super::redirect::Redirect;
use super::tracking::Tracking;
use super::{Watch, WatchError, Watched};
use crate::store::leash::Leash;
use crate::store::rungs::{Fate, LadderReport, WatchRung};

/// While a better rung is looked for on another connection, nobody listens: not longer than so many times what it took to arm
/// the watch that is there, which a server that answers does not need.
const AS_LONG_AS: u32 = 4;
/// It always gets so much.
const LEAST: Duration = Duration::from_millis(100);

/// A watch, and how the rungs fared.
pub struct Armed {
    /// The watch.
    pub watch: Box<dyn Watch>,
    /// One of the rungs is in force.
    pub report: LadderReport,
    took: Duration,
}

/// Why there is no watch.
#[derive(Debug)]
pub struct Unarmed {
    /// What to make of it.
    pub error: WatchError,
    /// What each rung said.
    pub report: Box<LadderReport>,
}

/// What a look for a better rung brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Climbed {
    /// The watch is the same, and has missed nothing. The report may be another one.
    Same,
    /// It is another watch, which was armed before the other one was given up.
    Another,
}

/// All rungs. Each is given the time of a connect.
#[derive(Debug)]
pub struct Ladder {
    /// The server publishes whatever is needed: it is not asked.
    assumes: bool,
}

impl Ladder {
    /// Whether notifications are taken for configured where a server does not tell.
    pub fn new(assumes: bool) -> Self {
        Self { assumes }
    }

    /// Arms the best rung that can be armed, for the server that the connector leads to. What is waited for meanwhile and
    /// afterwards is on the leash. One that is refused, or during which the server goes silent or closes, means the next one;
    /// a server that is away is away for every rung.
    pub fn arm(&self, connector: &Connector, watched: &Watched, leash: &Leash) -> Result<Armed, Unarmed> {
        let attempt = Attempt { ladder: self, connector, watched, leash, limit: connector.connect_timeout() };
        let mut report = LadderReport::default();
        match attempt.rungs(WatchRung::Keyspace, &mut report) {
            Some((watch, took)) => Ok(Armed { watch, report, took }),
            None => {
                let reason = report.reason().unwrap_or_default();
                let is_lost = report.rungs().any(|(_, fate)| matches!(fate, Fate::Lost(_)));
                let error = if is_lost { WatchError::Lost(reason) } else { WatchError::Refused(reason) };
                Err(Unarmed { error, report: Box::new(report) })
            }
        }
    }

    /// Arms the rung that is in force on other connections, where something else is to log in and those that are there cannot.
    /// They are given up only then: after an error they are there, and have missed nothing.
    pub fn renew(
        &self,
        armed: &mut Armed,
        connector: &Connector,
        watched: &Watched,
        leash: &Leash,
    ) -> Result<(), WatchError> {
        let attempt = Attempt { ladder: self, connector, watched, leash, limit: connector.connect_timeout() };
        let began = Instant::now();
        let is_keyspace = armed.report.in_force() == Some(WatchRung::Keyspace);
        match if is_keyspace { attempt.keyspace() } else { attempt.redirect() } {
            Ok(watch) => {
                (armed.watch, armed.took) = (watch, began.elapsed());
                Ok(())
            }
            Err(error) => armed.watch.tie(leash).and(Err(error)),
        }
    }

    /// Whether there may ever be a better rung than this one while its connection lasts, or it may have to be given up.
    pub fn may_climb(&self, armed: &Armed, connector: &Connector) -> bool {
        match armed.report.in_force() {
            // A server that closed at the question would do so again.
            Some(WatchRung::Fields | WatchRung::Broadcast) => {
                armed.watch.may_name_fields() && !armed.report.misses_something()
            }
            Some(WatchRung::Redirect) => !connector.is_resp2_only(),
            Some(WatchRung::Keyspace) => true,
            None => false,
        }
    }

    /// Looks for a better rung: the server may have been upgraded, or its rules changed. An error: the watch is of no use any
    /// more.
    pub fn climb(
        &self,
        armed: &mut Armed,
        connector: &Connector,
        watched: &Watched,
        leash: &Leash,
    ) -> Result<Climbed, WatchError> {
        let Some(present) = armed.report.in_force() else { return Ok(Climbed::Same) };
        let better = match present {
            WatchRung::Fields | WatchRung::Broadcast => {
                return self.name_fields(armed, connector.connect_timeout()).map(|()| Climbed::Same);
            }
            WatchRung::Redirect => WatchRung::Broadcast,
            WatchRung::Keyspace => WatchRung::Redirect,
        };
        let limit = (armed.took * AS_LONG_AS).clamp(LEAST, connector.connect_timeout().max(LEAST));
        let attempt = Attempt { ladder: self, connector, watched, leash, limit };
        if let Some((watch, took)) = attempt.rungs(better, &mut armed.report) {
            (armed.watch, armed.took) = (watch, took);
            return Ok(Climbed::Another);
        }
        if present == WatchRung::Keyspace
            && let Err(WatchError::Refused(reason)) = attempt.keyspace()
        {
            return Err(WatchError::Lost(reason));
        }
        armed.watch.tie(leash)?;
        Ok(Climbed::Same)
    }

    /// Whether fields are named is a matter of configuration, which may be another one by now.
    fn name_fields(&self, armed: &mut Armed, limit: Duration) -> Result<(), WatchError> {
        match armed.watch.name_fields(Deadline::after(limit), self.assumes) {
            Ok(()) => armed.report.take(WatchRung::Fields),
            Err(WatchError::Refused(reason)) => {
                armed.report.take(WatchRung::Broadcast);
                armed.report.note(WatchRung::Fields, Fate::Refused(reason));
            }
            Err(other) => return Err(other),
        }
        Ok(())
    }
}

/// What it takes to try rungs.
struct Attempt<'a> {
    ladder: &'a Ladder,
    connector: &'a Connector,
    watched: &'a Watched,
    leash: &'a Leash,
    /// Longest time for one of them.
    limit: Duration,
}

impl Attempt<'_> {
    /// Tries the rungs from the best one down to `last`, and reports on them. Gives the watch, and how long it took to arm it.
    fn rungs(&self, last: WatchRung, report: &mut LadderReport) -> Option<(Box<dyn Watch>, Duration)> {
        let tries = [WatchRung::Broadcast, WatchRung::Redirect, WatchRung::Keyspace];
        for rung in tries.into_iter().filter(|rung| *rung <= last) {
            let began = Instant::now();
            let outcome = match rung {
                WatchRung::Fields | WatchRung::Broadcast => self.tracking(report),
                WatchRung::Redirect => self.redirect(),
                WatchRung::Keyspace => self.keyspace(),
            };
            match outcome {
                Ok(watch) => {
                    // Of the two that share a connection it was reported already which one it is.
                    if rung != WatchRung::Broadcast {
                        report.take(rung);
                    }
                    return Some((watch, began.elapsed()));
                }
                Err(error) => {
                    if rung == WatchRung::Broadcast {
                        report.note(WatchRung::Fields, error.fate());
                    }
                    report.note(rung, error.fate());
                    if matches!(error, WatchError::Lost(_)) {
                        return None;
                    }
                }
            }
        }
        None
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.limit)
    }

    /// The two best rungs. A server that closes at the question for its configuration is not asked again.
    fn tracking(&self, report: &mut LadderReport) -> Result<Box<dyn Watch>, WatchError> {
        let deadline = self.deadline();
        let arm = |deadline| Tracking::arm(self.connector, self.watched, deadline, self.leash);
        let mut tracking = arm(deadline)?;
        let error = match tracking.name_fields(deadline, self.ladder.assumes) {
            Ok(()) => {
                report.take(WatchRung::Fields);
                return Ok(Box::new(tracking));
            }
            Err(error) => error,
        };
        if !matches!(error, WatchError::Refused(_)) {
            tracking = arm(self.deadline())?;
        }
        report.take(WatchRung::Broadcast);
        report.note(WatchRung::Fields, error.fate());
        Ok(Box::new(tracking))
    }

    fn redirect(&self) -> Result<Box<dyn Watch>, WatchError> {
        Ok(Box::new(Redirect::arm(self.connector, self.watched, self.deadline(), self.leash)?))
    }

    fn keyspace(&self) -> Result<Box<dyn Watch>, WatchError> {
        let assumes = self.ladder.assumes;
        Ok(Box::new(Keyspace::arm(self.connector, self.watched, assumes, self.deadline(), self.leash)?))
    }
}
