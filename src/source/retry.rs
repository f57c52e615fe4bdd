//! When to try again: pauses that double, with jitter so that a thousand processes do not come back in step; and the long
//! pauses of the extended regime, for failures that do not pass by themselves. Pure but for chance.

use std::time::Duration;

use super::failure::Nature;
use super::options::RetryMode;
use crate::model::Jitter;

/// The times that the rules name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Longest pause of the normal regime.
    pub longest: Duration,
    /// A connection that lasted this long was healthy.
    pub healthy: Duration,
    /// First pause of the extended regime.
    pub extended_first: Duration,
    /// Its longest pause.
    pub extended_longest: Duration,
}

impl Pace {
    pub(super) const REGULAR: Pace = Pace {
        longest: Duration::from_secs(30),
        healthy: Duration::from_secs(60),
        extended_first: Duration::from_secs(300),
        extended_longest: Duration::from_secs(3600),
    };
}

/// How long a connection has lasted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lasted {
    /// Since the good answer.
    pub since_answer: Duration,
    /// Since the first event.
    pub since_event: Duration,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    pub pause: Duration,
    /// The extended regime begins with this failure.
    pub is_engaging: bool,
}

/// Counts the failures of a stream.
pub(super) struct StreamRetry {
    mode: RetryMode,
    pace: Pace,
    first: Duration,
    extended: bool,
    /// Failures in a row in the present regime.
    failures: u32,
    jitter: Jitter,
}

impl StreamRetry {
    pub(super) fn new(mode: RetryMode, first: Duration, pace: Pace) -> Self {
        Self { mode, pace, first, extended: false, failures: 0, jitter: Jitter::new() }
    }

    /// The server asks for another first pause.
    pub(super) fn set_first(&mut self, first: Duration) {
        self.first = first;
    }

    /// The pause after a failure; `wanted` is what the server asks for.
    pub(super) fn after(&mut self, nature: Nature, lasted: Lasted, wanted: Option<Duration>) -> Next {
        // The extended regime asks for more: a server that answers well but sends nothing proves little.
        let time = if self.extended { lasted.since_event } else { lasted.since_answer };
        if time >= self.pace.healthy {
            self.extended = false;
            self.failures = 0;
        }
        let is_engaging = engages(self.mode, nature, &mut self.extended, &mut self.failures);
        let (first, longest) = if self.extended {
            (self.pace.extended_first, self.pace.extended_longest)
        } else {
            (self.first, self.pace.longest)
        };
        let own = self.jitter.shorten(doubled(first, self.failures, longest));
        let pause = at_least(own, wanted, &mut self.jitter);
        self.failures = self.failures.saturating_add(1);
        Next { pause, is_engaging }
    }
}

/// Counts the failures of polling.
pub(super) struct PollRetry {
    mode: RetryMode,
    pace: Pace,
    interval: Duration,
    extended: bool,
    failures: u32,
    successes: u32,
    jitter: Jitter,
}

impl PollRetry {
    pub(super) fn new(mode: RetryMode, interval: Duration, pace: Pace) -> Self {
        Self { mode, pace, interval, extended: false, failures: 0, successes: 0, jitter: Jitter::new() }
    }

    /// The pause after a good poll. It takes two in a row to end the extended regime.
    pub(super) fn after_success(&mut self) -> Duration {
        self.successes = self.successes.saturating_add(1);
        if self.successes >= 2 {
            self.extended = false;
            self.failures = 0;
        }
        self.pause()
    }

    /// The pause after a failed one; `wanted` is what the server asks for.
    pub(super) fn after_failure(&mut self, nature: Nature, wanted: Option<Duration>) -> Next {
        self.successes = 0;
        let is_engaging = engages(self.mode, nature, &mut self.extended, &mut self.failures);
        self.failures = self.failures.saturating_add(1);
        let own = self.pause();
        Next { pause: at_least(own, wanted, &mut self.jitter), is_engaging }
    }

    fn pause(&mut self) -> Duration {
        if !self.extended {
            // Never less than the interval, and up to a tenth more: processes that started together must not stay together.
            return self.interval.saturating_add((self.interval / 10).mul_f64(self.jitter.between(0.0, 1.0)));
        }
        let (first, longest) =
            (self.pace.extended_first.max(self.interval), self.pace.extended_longest.max(self.interval));
        let whole = doubled(first, self.failures.saturating_sub(1), longest);
        self.jitter.shorten(whole).max(self.interval)
    }
}

/// Begins the extended regime if this failure asks for it; counting starts anew then.
fn engages(mode: RetryMode, nature: Nature, extended: &mut bool, failures: &mut u32) -> bool {
    let is_engaging = mode == RetryMode::Extended && nature == Nature::Lasting && !*extended;
    if is_engaging {
        *extended = true;
        *failures = 0;
    }
    is_engaging
}

/// A pause that is not shorter than what the server asks for. It asked a thousand others for the same, hence up to a tenth
/// more.
fn at_least(own: Duration, wanted: Option<Duration>, jitter: &mut Jitter) -> Duration {
    wanted.map_or(own, |wanted| own.max(wanted.mul_f64(jitter.between(1.0, 1.1))))
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << times.min(30)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Nature::{Lasting, Passing};

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);
    const AT_ONCE: Lasted = Lasted { since_answer: Duration::ZERO, since_event: Duration::ZERO };
    const WITHOUT_EVENTS: Lasted = Lasted { since_answer: Duration::from_secs(900), since_event: Duration::ZERO };
    const HEALTHY: Lasted = Lasted { since_answer: MINUTE, since_event: MINUTE };

    fn stream(mode: RetryMode) -> StreamRetry {
        StreamRetry::new(mode, SECOND, Pace::REGULAR)
    }

    fn is_within(pause: Duration, whole: Duration) -> bool {
        pause >= whole / 2 && pause <= whole
    }

    #[test]
    fn pauses_of_a_stream_double_up_to_half_a_minute() {
        let mut retry = stream(RetryMode::Legacy);
        for seconds in [1, 2, 4, 8, 16, 30, 30, 30] {
            let next = retry.after(Passing, AT_ONCE, None);
            assert!(is_within(next.pause, SECOND * seconds), "{next:?} for {seconds}");
        }
        assert!(
            is_within(stream(RetryMode::Legacy).after(Lasting, AT_ONCE, None).pause, SECOND),
            "legacy knows one regime"
        );
    }

    #[test]
    fn pauses_are_spread_over_the_whole_window() {
        let pauses: Vec<Duration> =
            (0..200).map(|_| stream(RetryMode::Legacy).after(Passing, AT_ONCE, None).pause).collect();
        assert!(pauses.iter().any(|pause| *pause < SECOND * 6 / 10));
        assert!(pauses.iter().any(|pause| *pause > SECOND * 9 / 10));
    }

    #[test]
    fn a_healthy_minute_starts_the_pauses_over() {
        let mut retry = stream(RetryMode::Legacy);
        for _ in 0..6 {
            retry.after(Passing, AT_ONCE, None);
        }
        let short = Lasted { since_answer: MINUTE - SECOND, since_event: MINUTE - SECOND };
        assert!(retry.after(Passing, short, None).pause >= SECOND * 15);
        assert!(is_within(retry.after(Passing, WITHOUT_EVENTS, None).pause, SECOND));
        assert!(is_within(retry.after(Passing, AT_ONCE, None).pause, SECOND * 2));
    }

    #[test]
    fn the_server_replaces_the_first_pause() {
        let mut retry = stream(RetryMode::Legacy);
        retry.set_first(SECOND / 10);
        assert!(is_within(retry.after(Passing, AT_ONCE, None).pause, SECOND / 10));
        retry.set_first(Duration::MAX);
        assert!(is_within(retry.after(Passing, AT_ONCE, None).pause, SECOND * 30));
    }

    #[test]
    fn a_lasting_failure_engages_the_extended_regime_of_a_stream() {
        let mut retry = stream(RetryMode::Extended);
        retry.after(Passing, AT_ONCE, None);
        let first = retry.after(Lasting, AT_ONCE, None);
        assert!(first.is_engaging && is_within(first.pause, MINUTE * 5), "{first:?}");
        for minutes in [10, 20, 40, 60, 60] {
            let next = retry.after(if minutes == 20 { Passing } else { Lasting }, AT_ONCE, None);
            assert!(!next.is_engaging && is_within(next.pause, MINUTE * minutes), "{next:?} for {minutes}");
        }
    }

    #[test]
    fn a_stream_leaves_the_extended_regime_after_a_healthy_minute_of_events() {
        let mut retry = stream(RetryMode::Extended);
        retry.after(Lasting, AT_ONCE, None);
        assert!(
            retry.after(Passing, WITHOUT_EVENTS, None).pause >= MINUTE * 5,
            "an answer without events is not enough"
        );
        assert!(is_within(retry.after(Passing, HEALTHY, None).pause, SECOND));
        let again = retry.after(Lasting, HEALTHY, None);
        assert!(again.is_engaging && is_within(again.pause, MINUTE * 5));
    }

    /// The interval of polls here, and up to a tenth more.
    fn is_a_second(pause: Duration) -> bool {
        pause >= SECOND && pause <= SECOND * 11 / 10
    }

    #[test]
    fn polls_of_processes_that_started_together_drift_apart() {
        let mut retry = PollRetry::new(RetryMode::Extended, SECOND, Pace::REGULAR);
        let pauses: Vec<Duration> = (0..100).map(|_| retry.after_success()).collect();
        assert!(pauses.iter().all(|pause| is_a_second(*pause)));
        let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
        assert!(*most - *least > SECOND / 20, "{least:?} to {most:?}");
    }

    #[test]
    fn polling_waits_its_interval_after_success_and_passing_failure() {
        let mut retry = PollRetry::new(RetryMode::Extended, SECOND, Pace::REGULAR);
        assert!(is_a_second(retry.after_success()));
        for _ in 0..5 {
            let next = retry.after_failure(Passing, None);
            assert!(is_a_second(next.pause) && !next.is_engaging);
        }
        let mut legacy = PollRetry::new(RetryMode::Legacy, SECOND, Pace::REGULAR);
        assert_eq!(legacy.after_failure(Lasting, None).pause, SECOND);
    }

    #[test]
    fn polling_leaves_the_extended_regime_after_two_successes() {
        let mut retry = PollRetry::new(RetryMode::Extended, SECOND, Pace::REGULAR);
        for (minutes, is_engaging) in [(5, true), (10, false), (20, false), (40, false), (60, false), (60, false)] {
            let next = retry.after_failure(Lasting, None);
            assert!(next.is_engaging == is_engaging && is_within(next.pause, MINUTE * minutes), "{next:?}");
        }
        assert!(retry.after_success() >= MINUTE, "one success is not enough");
        assert!(retry.after_failure(Passing, None).pause >= MINUTE, "and is forgotten after a failure");
        retry.after_success();
        assert!(is_a_second(retry.after_success()));
        assert!(is_within(retry.after_failure(Lasting, None).pause, MINUTE * 5), "counting starts anew");
    }

    #[test]
    fn polling_never_waits_less_than_its_interval() {
        let mut retry = PollRetry::new(RetryMode::Extended, MINUTE * 90, Pace::REGULAR);
        for _ in 0..8 {
            assert_eq!(retry.after_failure(Lasting, None).pause, MINUTE * 90);
        }
    }

    #[test]
    fn a_server_that_asks_for_a_pause_gets_it_and_not_less() {
        let wanted = Some(MINUTE * 7);
        let is_kept = |pause: Duration| pause >= MINUTE * 7 && pause <= MINUTE * 8;
        for mode in [RetryMode::Legacy, RetryMode::Extended] {
            assert!(is_kept(stream(mode).after(Passing, AT_ONCE, wanted).pause));
            assert!(is_kept(PollRetry::new(mode, SECOND, Pace::REGULAR).after_failure(Passing, wanted).pause));
        }
        assert_eq!(
            PollRetry::new(RetryMode::Legacy, MINUTE, Pace::REGULAR).after_failure(Passing, Some(SECOND)).pause,
            MINUTE
        );
        let mut extended = stream(RetryMode::Extended);
        (0..5).for_each(|_| _ = extended.after(Lasting, AT_ONCE, None));
        assert!(extended.after(Lasting, AT_ONCE, wanted).pause > MINUTE * 8, "its own pause is longer");
    }
}
