//! Pauses between attempts: doubling, capped, jittered, so that a hundred processes do not come back in step.
//! May depend on `model`.

use std::time::Duration;

use crate::model::Jitter;

const FIRST: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(3);
/// The shortest pause where nobody waits for the outcome, between these two: of a fleet whose Redis is away each process
/// connects once a second at most.
const UNHURRIED: (f64, f64) = (1.0, 1.5);

/// Exponential backoff with jitter.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    attempts: u32,
    jitter: Jitter,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

impl Backoff {
    /// Between attempts to reach Redis.
    pub fn new() -> Self {
        Self::between(FIRST, LONGEST)
    }

    /// Pauses from `first` up to `longest`.
    pub fn between(first: Duration, longest: Duration) -> Self {
        Self { first, longest, attempts: 0, jitter: Jitter::new() }
    }

    /// The next pause: between half and all of the doubled step.
    pub fn next_pause(&mut self) -> Duration {
        let step = self.first.saturating_mul(1 << self.attempts.min(16)).min(self.longest);
        self.attempts = self.attempts.saturating_add(1);
        step.mul_f64(self.jitter.between(0.5, 1.0))
    }

    /// What a pause becomes where nobody waits for the outcome.
    pub fn unhurried(&mut self, pause: Duration) -> Duration {
        pause.max(Duration::from_secs_f64(self.jitter.between(UNHURRIED.0, UNHURRIED.1)))
    }

    /// An attempt succeeded.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap_and_start_over_after_a_success() {
        let mut backoff = Backoff::new();
        let pauses: Vec<Duration> = (0..12).map(|_| backoff.next_pause()).collect();
        assert!(pauses[0] >= FIRST / 2 && pauses[0] <= FIRST);
        assert!(pauses[3] >= FIRST * 4 && pauses[3] <= FIRST * 8);
        assert!(pauses[11] >= LONGEST / 2 && pauses[11] <= LONGEST);
        backoff.reset();
        assert!(backoff.next_pause() <= FIRST);
    }

    #[test]
    fn where_nobody_waits_no_pause_is_shorter_than_a_second_and_long_ones_stay() {
        let mut backoff = Backoff::new();
        for _ in 0..100 {
            let short = backoff.unhurried(FIRST);
            assert!(short >= Duration::from_secs(1) && short <= Duration::from_millis(1_500), "{short:?}");
        }
        assert_eq!(backoff.unhurried(LONGEST), LONGEST);
    }
}
